"""PostgreSQL's errors as Refused, in words for people. What a server says is cleaned here.

A transaction that did not come to its COMMIT changed nothing, whatever went wrong: everything here is Refused. Only a COMMIT
without an answer is Unknown, and `session.py` is where that can happen. Codes: PostgreSQL's documentation, appendix A.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from console.domain.errors import Refused
from console.targets.text import clean_line

if TYPE_CHECKING:
    import psycopg

LOCK_NOT_AVAILABLE: Final = "55P03"
UNIQUE_VIOLATION: Final = "23505"
QUERY_CANCELED: Final = "57014"

_WORDS: Final = {
    LOCK_NOT_AVAILABLE: "another session holds a lock on it for longer than lock_timeout",
    QUERY_CANCELED: "it took longer than statement_timeout",
    "25006": "the server is read-only",
    "40001": "somebody else changed these rows at the same moment",
    "40P01": "it and another session waited for each other (deadlock)",
    "53100": "the server's disk is full",
}
_UNDECIDED: Final = ("08", "57", "58", "XX", "F0")
"""Classes of errors that say nothing about the end of a COMMIT: connection, intervention, system, defects."""
_UNDECIDED_CODES: Final = frozenset({"40003"})  # statement_completion_unknown


class Rejected(Refused):
    """The server refused a statement: the transaction has ended and nothing was changed. `code` is the SQLSTATE."""

    def __init__(self, message: str, hint: str, code: str) -> None:
        super().__init__(message, hint)
        self.code = code


class Unreachable(Refused):
    """There is no connection, or it broke before anything could be committed."""


def rejected(place: str, error: psycopg.Error) -> Rejected:
    """What the server, or psycopg in its stead, says against a statement."""
    code = error.sqlstate or ""
    said = clean_line(error.diag.message_primary or str(error) or "no reason given")
    detail = clean_line(error.diag.message_detail or "")
    text = f"{_WORDS[code]} ({said})" if code in _WORDS else said
    text += f": {detail}" if detail else ""
    return Rejected(f"PostgreSQL {place}: {text}", "nothing was changed", code)


def decided(code: str | None) -> bool:
    """Whether an error that a COMMIT is answered with tells that the transaction was rolled back."""
    return code is not None and code[:2] not in _UNDECIDED and code not in _UNDECIDED_CODES


def why_not_connected(text: str) -> str:
    """libpq's words about a connection that did not come about, in a few; its codes are not passed on."""
    low = text.lower()
    for sign, words in _CONNECTING:
        if sign in low:
            return words
    told = clean_line(text.replace("connection failed: ", "").split("\n")[0])
    return told.rpartition("FATAL: ")[2].strip() or "it can't be reached"


_CONNECTING: Final = (
    ("password authentication failed", "user or password is not accepted"),
    ("no password supplied", "it asks for a password, and the file names none"),
    ("connection refused", "connection refused"),
    ("could not translate host name", "no such host"),
    ("name or service not known", "no such host"),
    ("failed to resolve host", "no such host"),
    ("timeout expired", "no answer in time"),
    ("timed out", "no answer in time"),
    ("certificate verify failed", "its certificate is not accepted"),
    ("server does not support ssl", "it does not speak TLS, which sslmode demands"),
    ("server closed the connection unexpectedly", "it closed the connection"),
    ("the database system is starting up", "it is starting up"),
    ("the database system is shutting down", "it is shutting down"),
    ("received invalid response", "what answers there is not PostgreSQL"),
    ("expected authentication request", "what answers there is not PostgreSQL"),
)
