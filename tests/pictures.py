"""The pictures of the README, taken from a drill as it runs: `make pictures` writes docs/pictures."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from textual.pilot import Pilot

from console.engine.session import Session
from console.sandbox.model import scenario as scenarios
from console.sandbox.systems import Systems
from console.ui.app import RollbackConsoleApp
from console.wiring import Request, open_session

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
SIZE = (120, 40)
_PACE = 20.0
_SECONDS = 60.0
_LOOK_SECONDS = 0.05


class Photographer:
    """Waits for what the screen says and takes its picture."""

    def __init__(self, app: RollbackConsoleApp, pilot: Pilot[int]) -> None:
        self._app = app
        self._pilot = pilot

    async def wait(self, *wanted: str) -> None:
        async with asyncio.timeout(_SECONDS):
            while not all(text in self._text() for text in wanted):  # noqa: ASYNC110 - a screen has no event for it
                await asyncio.sleep(_LOOK_SECONDS)

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)

    async def type(self, text: str) -> None:
        names = {" ": "space", "-": "minus"}
        await self._pilot.press(*(names.get(character, character) for character in text), "enter")

    def take(self, name: str) -> None:
        svg = self._app.export_screenshot(title="rollback-console")
        svg = svg.replace(
            "<svg ", '<svg xml:space="preserve" ', 1
        )  # or some viewers drop the spaces that a text begins with
        (FOLDER / f"{name}.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")

    def _text(self) -> str:
        strips = self._app.screen._compositor.render_strips()
        return "\n".join(strip.text for strip in strips)


async def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="rollback-console-pictures-") as name:
        drill = Path(name) / "drill"
        drill.mkdir()
        scenario = scenarios.load("slow-analysis")
        async with Systems(drill, scenario, pace=_PACE, tell=lambda _: None) as systems:
            await _pictures(Request(systems.procedure, Path(name) / "drill.journal", "ada", creates=True))


async def _pictures(request: Request) -> None:
    opened: list[Session] = []

    async def open_console() -> Session:
        session = await open_session(request)
        opened.append(session)
        await session.stay()
        return session

    app = RollbackConsoleApp(open_console, title="Drill: QEC-SFT migration")
    async with app.run_test(size=SIZE) as pilot:
        camera = Photographer(app, pilot)
        await camera.wait("FIRING   API response time", "FIRING   Memory")
        camera.take("firing")
        await camera.press("d")
        await camera.wait("Why? One line")
        await camera.type("p95 is at 34 s")
        await camera.wait("INC-0001")
        await camera.press("2", "b")
        await camera.wait("Type  qec-analysis ")
        camera.take("preview")
        await camera.type("qec-analysis")
        await camera.wait("rolled back.", "all 8 ok")
        camera.take("healed")
        await camera.press("o")
        await camera.wait("Did it help")
        camera.take("helped")
        await camera.press("escape", "4", "m")
        await camera.wait("To  ", "Subject")
        camera.take("draft")
    for session in opened:
        await session.close()


if __name__ == "__main__":
    asyncio.run(main())
