"""A running app around a scripted console, at a fixed moment, without animation and without waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from textual import events
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

    async def burst(self, *keys: str) -> None:
        """All at once, as a paste or a fast hand does it: without waiting for what each key brings about."""
        driver = self.app._driver
        assert driver is not None
        for key in keys:
            name = _key(key)
            driver.send_message(events.Key(name, key if len(key) == 1 else None))
        await self.settle()

    async def type(self, text: str) -> None:
        await self.press(*[_key(character) for character in text])

    async def show(self, state: Any) -> None:
        self.console.state = state
        self.app.bridge.poll()
        await self.settle()

    async def settle(self) -> None:
        """Until every widget has dealt with its messages, and with those that followed from them."""
        for _ in range(4):
            await self.pilot.pause()

    async def resize(self, width: int, height: int, until: str, without: str = "\0") -> None:
        """Comes back when the text is on the screen of the new size, or fails after ten seconds."""
        await self.pilot.resize_terminal(width, height)
        async with asyncio.timeout(10):
            while until not in self.text() or without in self.text():  # noqa: ASYNC110 - Textual takes sizes in by a timer
                await asyncio.sleep(0.005)

    def text(self) -> str:
        """What is on the terminal, line by line."""
        screen = self.app.screen
        return "\n".join(strip.text for strip in screen._compositor.render_strips())

    @property
    def calls(self) -> list[tuple[Any, ...]]:
        return self.console.calls


def _key(character: str) -> str:
    return {" ": "space", "-": "minus", ",": "comma"}.get(character, character)


@pytest.fixture(autouse=True)
def no_sleeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pilot watches the processor's clock to see when an app is idle; on a busy machine that takes seconds a key."""

    async def turns(min_sleep: float = 0, max_sleep: float = 0) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    monkeypatch.setattr("textual.app.wait_for_idle", turns)
    monkeypatch.setattr("textual.pilot.wait_for_idle", turns)


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
