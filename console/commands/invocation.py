"""What every command has at hand: its arguments, its output, and the session that it opens and closes."""

from __future__ import annotations

import argparse
import getpass
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.commands.output import Output
from console.domain.errors import ConsoleError
from console.journals.places import path_of

if TYPE_CHECKING:
    from console.domain.events import Mode
    from console.engine.session import Session
    from console.wiring import Request

CONFIG_VARIABLE = "ROLLBACK_CONSOLE_CONFIG"
JOURNAL_VARIABLE = "ROLLBACK_CONSOLE_JOURNAL"
ACTOR_VARIABLE = "ROLLBACK_CONSOLE_AS"
DEFAULT_CONFIG = "rollback-console.toml"


class UsageProblem(ConsoleError):
    """The command line asks for something that can't be; exit code 2."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """`registry` is None for the kinds that are installed; tests bring their own."""

    args: argparse.Namespace
    out: Output
    registry: Any = None

    @property
    def config(self) -> Path:
        """`check FILE`, -c, $ROLLBACK_CONSOLE_CONFIG, ./rollback-console.toml: the first of these, and no other place."""
        given = getattr(self.args, "file", "") or self.args.config or os.environ.get(CONFIG_VARIABLE, "")
        return Path(given or DEFAULT_CONFIG).expanduser()

    @property
    def journal(self) -> Path | None:
        """--journal, $ROLLBACK_CONSOLE_JOURNAL; None for the default place."""
        given = self.args.journal or os.environ.get(JOURNAL_VARIABLE, "")
        try:
            return path_of(given) if given else None
        except ValueError as error:
            raise UsageProblem(f"--journal: {error}") from None

    @property
    def actor(self) -> str:
        return one_line(self.args.actor or os.environ.get(ACTOR_VARIABLE, "") or _user())

    def request(self, *, acts: bool, creates: bool = False, mode: Mode = "live") -> Request:
        from console.wiring import Request

        return Request(self.config, self.journal, self.actor, mode, acts, creates)

    @asynccontextmanager
    async def session(self, *, acts: bool, creates: bool = False) -> AsyncIterator[Session]:
        from console.wiring import open_session

        session = await open_session(self.request(acts=acts, creates=creates), self.registry)
        try:
            yield session
        finally:
            await session.close()


def one_line(text: str) -> str:
    """What a person gave on the command line, as the record keeps it: one line, nothing that a terminal obeys."""
    return re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text)).strip()


def names(values: list[str] | None) -> list[str]:
    """Names given as `a,b` or `a b`, each once."""
    parts = (part.strip() for value in values or () for part in value.split(","))
    return list(dict.fromkeys(part for part in parts if part))


def _user() -> str:
    try:
        return os.environ.get("USER") or getpass.getuser()
    except (OSError, KeyError):  # a container's user id without a name
        return f"uid-{os.getuid()}"
