"""What is kept of advice and of the triggers at each decision: enough for the report to draw what the commander saw."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from console.domain import commands as c
from console.domain import events as e
from console.domain.outline import TriggerOutline
from console.engine.session import Session
from tests.domain.acting import OUTLINE
from tests.engine.test_session import Consoles, until

POINTING = replace(
    OUTLINE,
    triggers=(
        TriggerOutline("p95", "p95", 30.0, suggests=("alone",)),
        TriggerOutline("complaints", "Complaints", 2.0, judged="counter"),
    ),
    soak_seconds=0.0,
)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.engine.session.REFRESH_SECONDS", 0.01)


@pytest.fixture
async def consoles(tmp_path: Path) -> AsyncIterator[Consoles]:
    made = Consoles(tmp_path)
    yield made
    await made.close()


def events(session: Session, kind: type[e.Event]) -> list[e.Event]:
    return [r.event for r in session.runner.history if isinstance(r.event, kind)]


async def test_the_declaration_keeps_every_trigger_with_its_curve(consoles: Consoles) -> None:
    session = await consoles.open(outline=POINTING)
    await until(lambda: session.view().triggers[0].verdict == "ok")
    await session.count("complaints", 3, "on the phone")
    await session.declare("slow")
    (kept,) = events(session, e.TriggersSeen)
    assert isinstance(kept, e.TriggersSeen)
    assert kept.occasion == "declared"
    assert {t.trigger: (t.verdict, t.value) for t in kept.triggers} == {
        "p95": ("ok", 12.0),
        "complaints": ("firing", 3.0),
    }
    assert all(t.curve for t in kept.triggers)


async def test_advice_is_kept_when_it_changes_and_once(consoles: Consoles) -> None:
    consoles.gauge.value = 34.0
    session = await consoles.open(outline=POINTING)
    await until(lambda: session.view().triggers[0].verdict == "firing")
    await session.declare("slow")
    await until(lambda: bool(events(session, e.AdviceGiven)))
    consoles.gauge.value = 12.0
    await until(lambda: len(events(session, e.AdviceGiven)) == 2)
    first, second = events(session, e.AdviceGiven)
    assert isinstance(first, e.AdviceGiven)
    assert (first.components, first.text) == (("alone",), "Roll back Alone, because p95 points to it.")
    assert isinstance(second, e.AdviceGiven)
    assert (second.components, second.text) == ((), "Nothing to roll back: no trigger fires.")


async def test_the_end_of_a_soak_is_kept_once_for_all_consoles(consoles: Consoles) -> None:
    first, second = await consoles.open(outline=POINTING), await consoles.open(outline=POINTING)
    await until(lambda: second.view().triggers[0].verdict == first.view().triggers[0].verdict == "ok")
    await first.declare("slow")
    confirm = c.Confirm("alone", "back", "run", (e.ConfirmedChange("l1", "h", "s"),), "alone")
    with first.runner.journal.lease.acquire():  # as an executor holds it
        await first.runner.submit(confirm)
        for fact in (e.StepAlready("alone", "l1", "back", "so already"), e.ComponentFinished("alone", "back")):
            await first.runner.submit(c.Record(fact))
    ended = lambda: [k for k in events(first, e.TriggersSeen) if getattr(k, "occasion", "") == "soak_ended"]  # noqa: E731
    await until(lambda: bool(ended()))
    await second.runner.refresh()
    await second.adviser.look(second.view)
    await first.runner.refresh()
    assert len(ended()) == 1


async def test_a_console_that_only_watches_keeps_nothing(consoles: Consoles) -> None:
    acting = await consoles.open(outline=POINTING, stay=False)
    await acting.declare("slow")
    consoles.gauge.value = 34.0
    watching = await consoles.open(outline=POINTING, mode="observe")
    await until(lambda: watching.view().advised == ("alone",))
    assert events(watching, e.AdviceGiven) == []
