"""The clocks of the communication plan."""

from __future__ import annotations

from datetime import timedelta

import pytest

from console.domain import commands as c
from console.domain.notices import GRACE_SECONDS, standing, standing_in
from tests.domain.acting import START, Acting


@pytest.mark.parametrize(
    ("after", "elapsed", "state"),
    [
        (0, -1, "waiting"),
        (0, 0, "due"),
        (0, GRACE_SECONDS, "due"),
        (0, GRACE_SECONDS + 0.1, "overdue"),
        (900, 899.9, "waiting"),
        (900, 900, "due"),
        (900, 900 + GRACE_SECONDS, "due"),
        (900, 900 + GRACE_SECONDS + 0.1, "overdue"),
    ],
)
def test_from_waiting_to_overdue(after: float, elapsed: float, state: str) -> None:
    found = standing(after, START, START + timedelta(seconds=elapsed), acknowledged=False)
    assert found.state == state
    assert found.due_at == START + timedelta(seconds=after)
    assert found.due_in_seconds == pytest.approx(after - elapsed)


def test_before_the_declaration_nothing_is_due() -> None:
    found = standing(0, None, START, acknowledged=False)
    assert (found.state, found.due_at, found.due_in_seconds) == ("waiting", None, None)


def test_what_was_given_is_never_overdue() -> None:
    found = standing(0, START, START + timedelta(hours=5), acknowledged=True)
    assert (found.state, found.due_in_seconds) == ("acknowledged", None)


def test_nothing_falls_due_after_the_end() -> None:
    acting = Acting().declare()
    for check in ("health", "complaints"):
        acting.do(c.Waive(check, "not today"))
    acting.do(c.Acknowledge("team", "told them"))
    acting.do(c.Resolve("over"))
    tomorrow = START + timedelta(days=1)
    states = [standing_in(acting.incident, n, tomorrow).state for n in acting.outline.notices]
    assert states == ["acknowledged", "waiting"]
