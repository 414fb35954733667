"""Where a database is and as whom it is entered, as far as people are told: never with a password."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from console.targets.text import clean_line

_URL = re.compile(r"postgres(ql)?://", re.IGNORECASE)
_WORD = re.compile(r"(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s']*)")


@dataclass(frozen=True, slots=True)
class Login:
    """`dsn` is given to libpq as it is; `fields` complete it."""

    dsn: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """`dbname@host:port`, as far as the file says; libpq's own defaults stay unnamed."""
        known = {**parts_of(self.dsn), **self.fields}
        where = known.get("host") or known.get("hostaddr") or known.get("service") or "localhost"
        port = f":{known['port']}" if known.get("port") else ""
        return clean_line(f"{known.get('dbname') or known.get('user') or 'default'}@{where}{port}")

    @property
    def hosts(self) -> int:
        """How many hosts libpq may try, one after the other."""
        return ({**parts_of(self.dsn), **self.fields}.get("host") or "").count(",") + 1

    @property
    def for_psql(self) -> str:
        """What to give to `psql` to get to the same database."""
        return " ".join(filter(None, [self.dsn, *(f"{k}={_quoted(v)}" for k, v in self.fields.items())]))


def holds_password(dsn: str) -> bool:
    if _URL.match(dsn) and re.search(r"//[^/?@]*:[^/?@]*@", dsn):
        return True
    return any(key in ("password", "sslpassword") for key in parts_of(dsn))


def parts_of(dsn: str) -> dict[str, str]:
    """The parameters of a connection string in either form; libpq is the one that understands it fully."""
    if not _URL.match(dsn):
        return {key.lower(): re.sub(r"\\(.)", r"\1", value.strip("'")) for key, value in _WORD.findall(dsn)}
    url = urlsplit(dsn)
    user, _, hosts = url.netloc.rpartition("@")
    names = [re.sub(r":\d*$", "", host) for host in hosts.split(",")]
    ports = [m[1] for host in hosts.split(",") if (m := re.search(r":(\d+)$", host))]
    found = {
        "user": unquote(user.partition(":")[0]),
        "host": unquote(",".join(names)),
        "port": ",".join(ports),
        "dbname": unquote(url.path.removeprefix("/")),
    }
    return {**{key: value for key, value in found.items() if value}, **dict(parse_qsl(url.query))}


def _quoted(value: str) -> str:
    if re.fullmatch(r"[\w./:@,-]+", value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
