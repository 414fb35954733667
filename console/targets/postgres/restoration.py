"""What is to be restored, as a document, and what was found and done: the values that cross between the step and the SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from console.engine.ports import Json

_HASHED = frozenset(
    (
        *("bigint", "integer", "smallint", "numeric", "real", "oid", "boolean", "text", "name"),
        *("date", "interval", "uuid", "bytea", "jsonb", "inet"),
    )
)
_HASHED_PREFIXES = ("character varying", "character(", "numeric(", "timestamp", "time", "double precision")


@dataclass(frozen=True, slots=True)
class Field:
    """A column of both tables. `identity`: its values are the server's own unless it is overruled."""

    name: str
    type: str
    identity: bool = False

    @property
    def hashed(self) -> bool:
        """Whether the server can hash its values as they are; those of any other type are hashed as text."""
        if self.type.endswith("[]"):
            return False
        return self.type in _HASHED or self.type.startswith(_HASHED_PREFIXES)


@dataclass(frozen=True, slots=True)
class Restoration:
    """Which rows of which backup belong in which table. It is kept in the goal and the pre-image: the file may change."""

    schema: str
    table: str
    backup_schema: str
    backup: str
    key: tuple[str, ...]
    where: str
    verify_where: str
    range_column: str
    parameters: Mapping[str, Any]
    on_difference: Literal["refuse", "keep"]
    fields: tuple[Field, ...] = ()
    counted: tuple[str, ...] = ()
    """The columns that a sequence counts."""

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"

    @property
    def source(self) -> str:
        return f"{self.backup_schema}.{self.backup}"

    def to_json(self) -> Json:
        document = asdict(self)
        lists = {name: list(document[name]) for name in ("key", "counted", "fields")}
        return {**document, **lists, "parameters": dict(self.parameters)}

    @classmethod
    def from_json(cls, document: Json) -> Restoration:
        fields = tuple(Field(**f) for f in document["fields"])
        tuples = {"key": tuple(document["key"]), "counted": tuple(document["counted"]), "fields": fields}
        return cls(**{**document, **tuples})


@dataclass(frozen=True, slots=True)
class Rows:
    """A set of rows: how many, and the sum of their hashes, which depends on each and not on their order."""

    count: int
    digest: str

    def to_json(self) -> Json:
        return [self.count, self.digest]

    @classmethod
    def from_json(cls, document: Json) -> Rows:
        return cls(*document)

    def __add__(self, other: Rows) -> Rows:
        return Rows(self.count + other.count, str(int(self.digest) + int(other.digest)))


NO_ROWS = Rows(0, "0")


@dataclass(frozen=True, slots=True)
class Survey:
    """The backup's rows in the filter against the table. `low` to `high` are those of the missing rows; `tops` are the counted
    columns' greatest values once these have been added.

    `horizon` is the server's next transaction id when it looked: whatever came later has that id or a higher one.
    """

    backup_rows: int
    missing: Rows
    differing: int
    without_key: int
    low: str
    high: str
    horizon: str
    tops: Mapping[str, int] = field(default_factory=dict)

    @property
    def equal(self) -> int:
        return self.backup_rows - self.missing.count - self.differing


@dataclass(frozen=True, slots=True)
class Extent:
    """The runbook's own verification: how many rows, from when to when."""

    count: int
    low: str
    high: str

    def said(self, column: str) -> str:
        rows = f"{self.count:,} row{'' if self.count == 1 else 's'}"
        return f"{rows}, {column} from {self.low} to {self.high}" if self.count and column else rows


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is in both and not the same: its key, and (column, in the table, in the backup) for what differs."""

    key: str
    values: tuple[tuple[str, str, str], ...]

    def __str__(self) -> str:
        return f"{self.key}: " + ", ".join(f"{n} is {there}, in the backup {kept}" for n, there, kept in self.values)


@dataclass(frozen=True, slots=True)
class Goal:
    """What `apply` sends and `probe` compares with. `token` names the lock that the transaction holds until it has ended.

    Restoring adds `rows`, the ones that were missing at `horizon`, when `present` others of the backup were in the table;
    `differing` ones are left as they are. Taking back removes `rows`, the ones that the transactions `xids` added; then
    `missing_after` rows of the backup are missing.
    """

    action: Literal["restore", "remove"]
    token: str
    restoration: Restoration
    rows: Rows
    horizon: str
    present: int = 0
    differing: int = 0
    xids: tuple[str, ...] = ()
    missing_after: Rows = NO_ROWS

    def to_json(self) -> Json:
        return {
            "action": self.action,
            "token": self.token,
            "restoration": self.restoration.to_json(),
            "rows": self.rows.to_json(),
            "horizon": self.horizon,
            "present": self.present,
            "differing": self.differing,
            "xids": list(self.xids),
            "missing_after": self.missing_after.to_json(),
        }

    @classmethod
    def from_json(cls, document: Json) -> Goal:
        return cls(
            action=document["action"],
            token=document["token"],
            restoration=Restoration.from_json(document["restoration"]),
            rows=Rows.from_json(document["rows"]),
            horizon=document["horizon"],
            present=document["present"],
            differing=document["differing"],
            xids=tuple(document["xids"]),
            missing_after=Rows.from_json(document["missing_after"]),
        )
