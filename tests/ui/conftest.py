"""A running app around a scripted console, at a fixed moment, without animation and without waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from console.ui.app import RollbackConsoleApp
from tests.ui.fake_console import FIRING, FakeConsole

Running = Callable[..., AbstractAsyncContextManager["Screen"]]


class Screen:
    """The app under test with what tests ask of it."""

    def __init__(self, app: RollbackConsoleApp, console: FakeConsole, pilot: Pilot[int]) -> None:
        self.app = app
        self.console = console
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
        await self.settle()

    async def type(self, text: str) -> None:
        await self.press(*[_key(character) for character in text])

    async def show(self, state: Any) -> None:
        self.console.state = state
        self.app.bridge.poll()
        await self.settle()

    async def settle(self) -> None:
        await self.pilot.pause()
        await self.pilot.pause()

    def text(self) -> str:
        """What is on the terminal, line by line."""
        screen = self.app.screen
        return "\n".join(strip.text for strip in screen._compositor.render_strips())

    @property
    def calls(self) -> list[tuple[Any, ...]]:
        return self.console.calls


def _key(character: str) -> str:
    return {" ": "space", "-": "minus"}.get(character, character)


@pytest.fixture
def running() -> Running:
    @asynccontextmanager
    async def run(state: Any = FIRING, size: tuple[int, int] = (120, 40), **options: Any) -> AsyncIterator[Screen]:
        console = options.pop("console", None) or FakeConsole(state)

        async def open_console() -> FakeConsole:
            return console

        app = RollbackConsoleApp(options.pop("open_console", open_console), title="QEC-SFT migration", **options)
        async with app.run_test(size=size) as pilot:
            screen = Screen(app, console, pilot)
            await screen.settle()
            yield screen

    return run
