"""What a test sees of its own process: whom it speaks to, what blocks its loop, what it leaves running.

Audit events (PEP 578) tell the first two whatever the load of the machine. A hook can't be taken off again, so there is one,
and it hears nothing while nobody listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import console

_PRODUCT = Path(console.__file__).parent
_ADAPTERS = (str(_PRODUCT / "steps"), str(_PRODUCT / "targets"))
_IMPORTING = "<frozen importlib._bootstrap"
_TO_OTHERS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen", "os.posix_spawn")
_sleep = time.sleep
_WAITING = ("time.sleep", "socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen", "os.posix_spawn")
_ENDING_SECONDS = 10.0
_POLL_SECONDS = 0.02
_listeners: list[Callable[[str, tuple[Any, ...]], None]] = []


@functools.cache
def _listen() -> None:
    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        for listener in _listeners:
            listener(event, arguments)

    sys.addaudithook(hear)


@contextlib.contextmanager
def _hearing(listener: Callable[[str, tuple[Any, ...]], None]) -> Iterator[None]:
    _listen()
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextlib.contextmanager
def spoken_to() -> Iterator[list[str]]:
    """Every connection, look-up of a name and program begun by this thread while it lasts."""
    found: list[str] = []
    here = threading.get_ident()

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _TO_OTHERS and threading.get_ident() == here:
            found.append(f"{event} {arguments[1:] if event == 'socket.connect' else arguments[:1]}")

    with _hearing(hear):
        yield found


@contextlib.contextmanager
def blocking_calls() -> Iterator[list[str]]:
    """What steps and targets do in this thread while it lasts that may block it, each with its place.

    Left out: imports (they happen once) and lock files, which are opened where they are held.
    """
    found: list[str] = []
    here = threading.get_ident()

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if threading.get_ident() != here or not _may_block(event, arguments):
            return
        if place := _place(sys._getframe(1)):
            found.append(f"{event} {arguments[:1]} at {place}")

    def sleep(seconds: float) -> None:  # Python tells of it since 3.13
        hear("time.sleep", (seconds,))
        _sleep(seconds)

    with _hearing(hear), pytest.MonkeyPatch.context() as patched:
        patched.setattr(time, "sleep", sleep)
        yield found


def _may_block(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "socket.connect":
        return bool(arguments[0].gettimeout() != 0)
    if event == "open":
        return not str(arguments[0]).endswith(".lock")
    if event == "fcntl.flock":
        return not arguments[1] & fcntl.LOCK_NB
    return event in _WAITING


def _place(frame: FrameType | None) -> str:
    """The line of a step or target that leads here; none where a module is being imported."""
    place = ""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_IMPORTING):
            return ""
        if not place and name.startswith(_ADAPTERS):
            place = f"{Path(name).relative_to(_PRODUCT)}:{frame.f_lineno}"
        frame = frame.f_back
    return place


def running() -> set[object]:
    """The tasks and the child processes that go on."""
    return {*(task for task in asyncio.all_tasks() if not task.done()), *_children()}


async def settled(before: set[object]) -> None:
    """Returns when nothing goes on that did not before; what was told to end may take a moment to do so."""
    until = time.monotonic() + _ENDING_SECONDS
    while left := running() - before:
        assert time.monotonic() < until, f"still running: {left}"
        await asyncio.sleep(_POLL_SECONDS)


def _children() -> set[int]:
    with subprocess.Popen(["ps", "-axo", "pid=,ppid="], stdout=subprocess.PIPE, text=True) as ps:
        lines = ps.communicate()[0].splitlines()
    pairs = [tuple(map(int, line.split())) for line in lines]
    return {pid for pid, parent in pairs if parent == os.getpid() and pid != ps.pid}
