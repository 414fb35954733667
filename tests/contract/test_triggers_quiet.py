"""The `triggers.quiet` check: only a trigger that is ok, and has been for long enough, is quiet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.checks import triggers_quiet
from console.domain import events as e
from console.domain.evolve import fold
from console.domain.manual import manual_reading
from console.domain.outline import TriggerOutline
from console.domain.triggers import TriggerReading
from console.engine.ports import Evidence, Known

NOW = datetime(2026, 3, 1, 15, 0, tzinfo=UTC)
TITLES = {"p95": "p95", "memory": "Memory"}


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def ok(minutes: float = 60, **more: Any) -> TriggerReading:
    return TriggerReading("ok", "1 s ≤ 30 s", value=1.0, since=ago(minutes), **more)


async def checked(readings: dict[str, TriggerReading], titles: dict[str, str] = TITLES, **options: Any) -> Evidence:
    check = triggers_quiet.build(triggers_quiet.Options.model_validate(options))
    return await check.compare("quiet", Known(NOW, readings, titles))  # type: ignore[attr-defined, no-any-return]


async def test_all_ok_for_long_enough_passes() -> None:
    evidence = await checked({"p95": ok(), "memory": ok(10)}, **{"for": "10m"})
    assert (evidence.outcome, evidence.text) == ("pass", "2 triggers ok for 10 m")
    assert evidence.detail[0] == "p95: ok since 14:00:00 UTC: 1 s ≤ 30 s"


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (TriggerReading("firing", "34 s > 30 s", since=ago(3)), "fail: Memory FIRING since 14:57:00 UTC: 34 s > 30 s"),
        (TriggerReading("pending", "34 s > 30 s", since=ago(1)), "fail: Memory PENDING since 14:59:00 UTC: 34 s > 30 s"),
        (ok(4), "fail: Memory ok for 4 m of 10 m: 1 s ≤ 30 s"),
        (ok(4, open_ended=True),
         "unknown: Memory ok for 4 m of 10 m, and nothing is known of the time before: 1 s ≤ 30 s"),
        (TriggerReading("no_data", "the query finds nothing", since=ago(2)),
         "unknown: Memory no data since 14:58:00 UTC: the query finds nothing"),
        (TriggerReading("stale", "source failing", since=ago(2)), "unknown: Memory STALE since 14:58:00 UTC: source failing"),
        (TriggerReading("stale", "silent; was FIRING", since=ago(2), was_firing_since=ago(9)),
         "fail: Memory STALE since 14:58:00 UTC: silent; was FIRING"),
        (None, "unknown: Memory not asked yet"),
    ],
)  # fmt: skip
async def test_any_other_trigger_is_no_pass_and_is_named(reading: TriggerReading | None, said: str) -> None:
    readings = {"p95": ok()} | ({} if reading is None else {"memory": reading})
    evidence = await checked(readings, **{"for": "10m"})
    outcome, _, words = said.partition(": ")
    assert (evidence.outcome, evidence.text) == (outcome, f"1 of 2 triggers not quiet: {words}")
    assert evidence.detail[0].startswith("Memory: ")


async def test_one_that_is_broken_outweighs_one_that_nobody_can_tell() -> None:
    firing, silent = TriggerReading("firing", "34 s > 30 s"), TriggerReading("no_data", "nothing")
    evidence = await checked({"p95": silent, "memory": firing})
    assert evidence.outcome == "fail"
    assert evidence.text.startswith("2 of 2 triggers not quiet: Memory FIRING")


async def test_without_any_reading_nobody_can_tell() -> None:
    assert (await checked({})).outcome == "unknown"
    assert (await checked({}, titles={})).text == "the procedure has no triggers"
    assert (await triggers_quiet.build(triggers_quiet.Options()).run()).outcome == "unknown"


async def test_named_triggers_alone_count() -> None:
    readings = {"p95": ok(), "memory": TriggerReading("firing", "x")}
    assert (await checked(readings, triggers=("p95",))).text == "1 trigger ok"
    stranger = await checked(readings, triggers=("p95", "p99"))
    assert (stranger.outcome, stranger.text) == ("unknown", "there is no trigger p99; triggers: p95, memory")


async def test_what_people_say_counts_too() -> None:
    security = TriggerOutline("security", "Security", 0.0, judged="attestation")
    said = e.Recorded(1, ago(20), "eve", 1, e.TriggerAttested("security", True, "a token in a log"))
    withdrawn = e.Recorded(2, ago(5), "eve", 1, e.TriggerAttested("security", False, "a test token"))

    async def asked(*history: e.Recorded, **options: Any) -> Evidence:
        reading = manual_reading(security, fold(history), NOW)
        return await checked({"security": reading}, {"security": "Security"}, **options)

    assert (await asked(**{"for": "1h"})).outcome == "pass"  # nobody ever said so
    assert "eve" in (await asked(said)).text
    assert (await asked(said)).outcome == "fail"
    assert (await asked(said, withdrawn, **{"for": "5m"})).outcome == "pass"
    assert (await asked(said, withdrawn, **{"for": "6m"})).outcome == "fail"


async def test_a_count_is_quiet_since_it_went_below_its_threshold() -> None:
    complaints = TriggerOutline("complaints", "Complaints", 10.0, judged="counter", window_seconds=3600.0)
    history = [
        e.Recorded(i, ago(m), "kim", 1, e.TriggerCounted("complaints", n))
        for i, (m, n) in enumerate(((70, 8), (40, 4)))
    ]
    reading = manual_reading(complaints, fold(history), NOW)
    assert (reading.verdict, reading.since) == ("ok", ago(10))  # the eight went out of the hour then
    assert (await checked({"complaints": reading}, {"complaints": "Complaints"}, **{"for": "10m"})).outcome == "pass"
    assert (await checked({"complaints": reading}, {"complaints": "Complaints"}, **{"for": "11m"})).outcome == "fail"
    few = manual_reading(complaints, fold(history[1:]), NOW)
    assert (few.verdict, few.since) == ("ok", None)
