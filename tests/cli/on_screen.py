"""The console on the screen, which rolls the dashboard back by itself once it is open: for what happens around the screen."""

from __future__ import annotations

import sys
from typing import Any

from console import wiring
from console.cli import run
from console.engine.session import Session
from tests.cli.simulated import registry

_open_session = wiring.open_session


async def opened_and_acting(*arguments: Any) -> Session:
    session = await _open_session(*arguments)
    await session.confirm(await session.preview("dashboard", "back"), "dashboard")
    return session


if __name__ == "__main__":
    wiring.open_session = opened_and_acting
    sys.exit(run(sys.argv[1:], registry()))
