"""Rollouts that wait until a test lets them go on, so that something can happen while the console watches one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from console.domain.errors import ConsoleError
from console.journals.sqlite import SqliteJournal
from tests.real.program import Console
from tests.real.servers import ControlPlane, poll


@contextmanager
def held_rollouts(cluster: ControlPlane) -> Iterator[Callable[[], None]]:
    """The controllers stand still, so that no rollout gets on, until what is given here is called, or at the end."""
    cluster.controllers.pause()
    try:
        yield cluster.controllers.resume
    finally:
        cluster.controllers.resume()


def recorded(console: Console) -> list[str]:
    """The types of the journal's events, read without a process of its own; none while there is no journal."""
    try:
        journal = SqliteJournal(console.journal, create=False)
    except ConsoleError:
        return []
    try:
        return [one.event.type for one in journal.read()]
    finally:
        journal.close()


def wait_recorded(console: Console, event: str, *, seconds: float = 60) -> None:
    """Until this is the newest event; `step_applied` means that the step's rollout is being watched."""
    poll(f"{event} is recorded", lambda: recorded(console)[-1] == event, seconds=seconds)
