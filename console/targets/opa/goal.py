"""A change of several modules and documents on several replicas, as it lies in the vault while it is carried out.

Every edit is *from* what was seen *to* what is wanted. It stands `old`, `new`, at a `gap` (our own placeholder, left between
the two by a process that died), or `neither`: somebody else's. Nothing but `old` and `gap` is ever written over.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from console.domain.difference import ABSENT
from console.engine.ports import Json, Seen, fingerprint
from console.targets.opa.paths import DataPath, boxed, equal, spelled, unboxed
from console.targets.opa.rego import placeholder
from console.targets.opa.scope import Scope

Standing: TypeAlias = Literal["old", "new", "gap", "neither"]


def text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def document_hash(value: Any) -> str:
    """Of a document in `data`; nothing there has a hash of its own, because null has one too."""
    return fingerprint(boxed(value))


@dataclass(frozen=True, slots=True)
class Edit:
    """One module of one replica; None where there is none."""

    replica: str
    id: str
    before: str | None
    after: str | None

    @property
    def changes(self) -> bool:
        return self.before != self.after

    @property
    def identity(self) -> Json:
        return [self.replica, self.id, *(None if t is None else text_hash(t) for t in (self.before, self.after))]

    def reversed(self) -> Edit:
        return replace(self, before=self.after, after=self.before)

    def standing(self, live: str | None) -> Standing:
        if live == self.after:
            return "new"
        if live == self.before:
            return "old"
        return "gap" if live is not None and live in self._placeholders() else "neither"

    def _placeholders(self) -> set[str]:
        return {placeholder(text) for text in (self.before, self.after) if text is not None}


@dataclass(frozen=True, slots=True)
class DataEdit:
    """One place in `data` of one replica; ABSENT where there is nothing.

    `made` counts the parts of its path up to the first parent that has to be made with it, and has to go with it again.
    """

    replica: str
    path: DataPath
    before: Any
    after: Any
    made: int = 0

    @property
    def changes(self) -> bool:
        return not equal(self.before, self.after)

    @property
    def identity(self) -> Json:
        return [self.replica, list(self.path), document_hash(self.before), document_hash(self.after)]

    def reversed(self) -> DataEdit:
        return replace(self, before=self.after, after=self.before)

    def standing(self, live: Any) -> Standing:
        return "new" if equal(live, self.after) else "old" if equal(live, self.before) else "neither"


@dataclass(frozen=True, slots=True)
class Claims:
    """What must be read back on one replica: each module's hash and each document's, None for "not there"."""

    modules: Mapping[str, str | None] = field(default_factory=dict)
    documents: Mapping[DataPath, str] = field(default_factory=dict)

    def to_json(self) -> Json:
        return [dict(self.modules), [[list(p), h] for p, h in self.documents.items()]]

    @classmethod
    def from_json(cls, document: Json) -> Claims:
        return cls(document[0], {tuple(path): value for path, value in document[1]})


@dataclass(frozen=True, slots=True)
class Decision:
    """An input and the decision that must come of it. ABSENT as an input is none, as an expectation: undefined."""

    path: DataPath
    given: Any
    expected: Any

    def to_json(self) -> Json:
        return [list(self.path), boxed(self.given), boxed(self.expected)]

    @classmethod
    def from_json(cls, document: Json) -> Decision:
        return cls(tuple(document[0]), unboxed(document[1]), unboxed(document[2]))


@dataclass(frozen=True, slots=True)
class HomeEdit:
    """The archive at a bundle's home, before and after, packed and in base64; None where there is or was none."""

    before: str | None
    after: str | None
    bundle: str = ""
    readable: bool = True

    def to_json(self) -> Json:
        return [self.before, self.after, self.bundle, self.readable]

    @property
    def hashes(self) -> list[str | None]:
        """As sha256sum would say it."""
        sides = (self.before, self.after)
        return [None if side is None else hashlib.sha256(base64.b64decode(side)).hexdigest() for side in sides]


@dataclass(frozen=True, slots=True)
class Goal:
    """`claims` by replica; `closed`: nothing else may belong to this scope; `says`: what the proof calls it."""

    edits: tuple[Edit, ...]
    data: tuple[DataEdit, ...]
    claims: Mapping[str, Claims]
    says: str
    closed: Scope | None = None
    decisions: tuple[Decision, ...] = ()
    home: HomeEdit | None = None

    @property
    def replicas(self) -> list[str]:
        return list(self.claims)

    def to_json(self) -> Json:
        return {
            **stored(self.edits, self.data),
            "claims": {url: c.to_json() for url, c in self.claims.items()},
            "says": self.says,
            "closed": self.closed and self.closed.to_json(),
            "decisions": [d.to_json() for d in self.decisions],
            "home": self.home and self.home.to_json(),
        }

    @classmethod
    def from_json(cls, document: Json) -> Goal:
        edits, data = restored(document)
        return cls(
            edits,
            data,
            {url: Claims.from_json(c) for url, c in document["claims"].items()},
            document["says"],
            document["closed"] and Scope.from_json(document["closed"]),
            tuple(Decision.from_json(d) for d in document["decisions"]),
            document["home"] and HomeEdit(*document["home"]),
        )


def stored(edits: Iterable[Edit], data: Iterable[DataEdit]) -> dict[str, Json]:
    """Edits for the disk; a text that several replicas share stands there once."""
    edits, data = list(edits), list(data)
    texts = {text_hash(t): t for e in edits for t in (e.before, e.after) if t is not None}
    return {
        "texts": texts,
        "edits": [e.identity for e in edits],
        "data": [[d.replica, list(d.path), boxed(d.before), boxed(d.after), d.made] for d in data],
    }


def restored(document: Json) -> tuple[tuple[Edit, ...], tuple[DataEdit, ...]]:
    """What `stored` made."""
    texts = {None: None, **document["texts"]}
    edits = tuple(Edit(url, i, texts[before], texts[after]) for url, i, before, after in document["edits"])
    data = tuple(
        DataEdit(url, tuple(path), unboxed(before), unboxed(after), made)
        for url, path, before, after, made in document["data"]
    )
    return edits, data


# ---------------------------------------------------------------- what was seen


def seen_module(text: str | None) -> Seen:
    """Enough to notice a foreign change and to say what it is; the text itself would drown the message."""
    if text is None:
        return Seen({"module": "absent"})
    return Seen({"sha256": text_hash(text)[:16], "lines": text.count("\n") + 1})


def seen_document(value: Any) -> Seen:
    return Seen({"document": "absent"} if value is ABSENT else {"value": value})


def module_name(label: str, policy_id: str) -> str:
    return f"{label} policy {policy_id}"


def document_name(label: str, path: DataPath) -> str:
    return f"{label} data {spelled(path)}"
