"""Events to JSON and back without loss, and what is said about one that this release does not know."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain import events as e
from console.domain.errors import JournalDamaged
from console.journals import codec
from tests.journals.history import HISTORY

KINDS = get_args(e.Event)
st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
st.register_type_strategy(str, st.text(st.characters(codec="utf-8"), max_size=20))
st.register_type_strategy(float, st.floats(allow_nan=False))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_event_comes_back_as_it_was(kind: type[Any]) -> None:
    @settings(max_examples=15, deadline=None)
    @given(st.from_type(kind))
    def comes_back(event: Any) -> None:
        assert codec.decode(1, codec.encode(event)) == event

    comes_back()


def test_every_event_of_this_release_has_its_own_type_and_is_in_the_kept_history() -> None:
    types = [next(f.default for f in fields(kind) if f.name == "type") for kind in KINDS]
    assert len(set(types)) == len(types)
    assert {type(event) for event in HISTORY} == set(KINDS)


@pytest.mark.parametrize("event", HISTORY, ids=lambda event: event.type)
def test_one_event_has_one_text(event: e.Event) -> None:
    body = codec.encode(event)
    assert codec.encode(codec.decode(1, body)) == body
    assert json.loads(body)["v"] == codec.FORMAT_VERSION
    assert list(json.loads(body)) == sorted(json.loads(body))
    assert "\n" not in body


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), 1e308, 5e-324, -0.0])
def test_a_value_at_the_edge_comes_back(value: float) -> None:
    event = e.VerdictChanged("t", "firing", "", value)
    assert repr(codec.decode(1, codec.encode(event)).value) == repr(value)


def test_a_value_that_is_no_number_comes_back_as_one_that_is_none() -> None:
    decoded = codec.decode(1, codec.encode(e.VerdictChanged("t", "no_data", "", float("nan"))))
    assert decoded.value is None or decoded.value != decoded.value


def test_text_that_is_none_can_be_written() -> None:
    """An argument that is not UTF-8 reaches Python with lone surrogates."""
    body = codec.encode(e.IncidentResolved("caf\udce9"))
    body.encode()
    assert codec.decode(1, body) == e.IncidentResolved("caf?")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"type":"step_levitated","v":1}', 'event 7 is a "step_levitated", which this console does not know'),
        ('{"v":1}', 'event 7 is a "None"'),
        ('{"type":["step_sent"],"v":1}', "event 7 is a"),
        ('{"type":"step_sent","v":2}', "event 7 is written in format 2, this console reads format 1"),
        ('{"type":"step_sent"}', "event 7 can't be read"),
        ("[]", "event 7 can't be read"),
        ("null", "event 7 can't be read"),
        ("{", "event 7 can't be read"),
        ('{"type":"step_sent","component":"a","step":"b","v":1}', "event 7 is not one that this console knows: .*op"),
        (
            '{"type":"check_ran","check":"a","outcome":"maybe","evidence":"","seconds":1,"v":1}',
            "event 7 is not one that this console knows: .*outcome",
        ),
    ],
)
def test_what_can_not_be_read_is_named(body: str, words: str) -> None:
    with pytest.raises(JournalDamaged, match=words):
        codec.decode(7, body)


def test_a_field_added_by_a_later_release_is_passed_over() -> None:
    document = {**json.loads(codec.encode(e.StopRequested("dash"))), "added_later": True}
    assert codec.decode(1, json.dumps(document)) == e.StopRequested("dash")


@pytest.mark.parametrize("other", range(6))
def test_the_hash_covers_everything_that_an_entry_says(other: int) -> None:
    entry: list[Any] = ["0" * 64, 1, "2026-03-01T22:00:00.000000+00:00", "kim", 1, "{}"]
    changed = list(entry)
    changed[other] = f"{entry[other]}1" if isinstance(entry[other], str) else entry[other] + 1
    assert codec.chain(*entry) != codec.chain(*changed)


def test_the_hash_tells_where_one_column_ends() -> None:
    assert codec.chain("", 1, "a", "bc", 1, "") != codec.chain("", 1, "ab", "c", 1, "")


def test_a_time_is_written_in_utc_to_the_microsecond() -> None:
    at = datetime.fromisoformat("2026-03-01T23:00:00+01:00")
    assert codec.timestamp(at) == "2026-03-01T22:00:00.000000+00:00"


def test_a_time_that_is_none_is_damage() -> None:
    with pytest.raises(JournalDamaged, match='no readable time: "soon"'):
        codec.recorded(1, "soon", "kim", 1, codec.encode(e.StopRequested("dash")))
