"""What OPA finds wrong: in a module, in a query, or while it evaluates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from console.sandbox.opa.syntax import Place


@dataclass(frozen=True, slots=True)
class RegoError:
    code: str
    message: str
    at: Place | None = None

    @property
    def order(self) -> tuple[str, int, int, str]:
        return (self.at.file, self.at.row, self.at.col, self.message) if self.at else ("", 0, 0, self.message)

    def __str__(self) -> str:
        where = (
            f"{self.at.file}:{self.at.row}: "
            if self.at and self.at.file
            else f"{self.at.row}:{self.at.col}: "
            if self.at
            else ""
        )
        return f"{where}{self.code}: {self.message}"

    def to_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.at is not None:
            shown["location"] = {"file": self.at.file, "row": self.at.row, "col": self.at.col}
        return shown


class Mistaken(Exception):
    """Modules or a query that do not parse or compile."""

    def __init__(self, errors: Sequence[RegoError]) -> None:
        self.errors = list(errors)
        told = [str(error) for error in self.errors]
        super().__init__(f"{len(told)} error{'' if len(told) == 1 else 's'} occurred: " + "\n".join(told))


class Broken(Exception):
    """An evaluation that has no result, not even "undefined": a conflict, or a value that can't be."""

    def __init__(self, code: str, message: str, at: Place | None = None) -> None:
        self.error = RegoError(code, message, at)
        super().__init__(str(self.error))


class NotInDrill(Exception):
    """OPA could do it; the drill's OPA does not."""
