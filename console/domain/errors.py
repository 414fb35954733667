"""The three ways in which something does not work out, and what each says about the world.

`Refused`: nothing happened, and nothing will before something else changes. `Failed`: it was carried out or answered, and
the answer is no. `Unknown`: it was sent and nobody can say what became of it. Adapters turn every error of their system into
one of these; the engine's next move follows from the class alone, never from a text.
"""

from __future__ import annotations


class ConsoleError(Exception):
    """A line for people: what happened and where; `hint` says what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class Refused(ConsoleError):
    """Nothing happened: a rule, a missing permission, a foreign change or a bad request stood in the way."""


class Failed(ConsoleError):
    """The target answered, and the answer is no; or what was applied does not become healthy."""


class Undelivered(Failed):
    """A message that was certainly not delivered. `retry`: the same may work later, after `after_seconds` if that is known."""

    def __init__(
        self, message: str, hint: str = "", *, retry: bool = False, after_seconds: float | None = None
    ) -> None:
        super().__init__(message, hint)
        self.retry = retry
        self.after_seconds = after_seconds


class Unknown(ConsoleError):
    """Sent, but no answer came: it may have happened. Only reading the target can tell."""


class JournalDamaged(ConsoleError):
    """The record on disk is torn, edited or foreign. It is never repaired silently."""


class StaleJournal(ConsoleError):
    """Another process appended first: read its events and decide again."""
