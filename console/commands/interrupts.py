"""Ctrl-C, a lost terminal and an orderly kill, as calls in the event loop instead of exceptions anywhere."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def on_signals(told: Callable[[signal.Signals], None]) -> Iterator[None]:
    """While inside, each signal that asks for the end calls `told` and does nothing else."""
    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, told, number)
    try:
        yield
    finally:
        for number in ENDING:
            loop.remove_signal_handler(number)


def is_impatient(number: signal.Signals) -> bool:
    """Whether a person asks again. A terminal that closes hangs up several times, and nobody means anything by it."""
    return number != signal.SIGHUP
