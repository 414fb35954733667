"""The console's own screen command around a scripted console, as a program: for what only a real terminal shows.

What it was asked to do is printed once it has been left.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from console import wiring
from console.cli import run
from tests.ui import told
from tests.ui.fake_console import FakeConsole


class ScriptedSession(FakeConsole):
    under_way = ""

    async def stay(self) -> None:
        """Nothing runs beside it."""

    async def close(self) -> None:
        """Nothing to close."""


SESSION = ScriptedSession(
    told.VIEW,
    drafts={"mail-eng": told.DRAFT},
    outcome=replace(told.VIEW, triggers=(), notices=(replace(told.SENT, id="mail-eng"), told.SOON)),
)


async def _opened(*_: object) -> ScriptedSession:
    return SESSION


if __name__ == "__main__":
    wiring.open_session = _opened  # type: ignore[assignment] # a console that is scripted
    code = run(sys.argv[1:])
    print("left with", code, "sent", [call[3] for call in SESSION.calls if call[0] == "notify"])
    sys.exit(code)
