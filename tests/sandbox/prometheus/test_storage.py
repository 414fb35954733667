"""The store: samples in any order, ends of series, and memory that has a bound."""

from __future__ import annotations

import pytest

from console.sandbox.prometheus.storage import Series, Storage, StoreFull, labels_of

UP = labels_of("up", {"job": "a"})
HOUR = 3_600_000


def series(storage: Storage, name: str) -> Series:
    (found,) = storage.named(name)
    return found


def test_the_labels_of_a_series_have_one_order_and_no_empty_values() -> None:
    assert labels_of("up", {"zone": "a", "job": "b", "none": ""}) == (("__name__", "up"), ("job", "b"), ("zone", "a"))


def test_samples_may_come_in_any_order_and_the_first_of_a_time_stays() -> None:
    storage = Storage()
    assert storage.append(UP, 2000, 2.0)
    assert storage.append(UP, 1000, 1.0)
    assert not storage.append(UP, 2000, 9.0)
    assert storage.backfill(UP, [(3000, 3.0), (500, 0.5), (1000, 9.0)]) == 2
    assert list(series(storage, "up").values) == [0.5, 1.0, 2.0, 3.0]
    assert storage.samples == 4


def test_a_value_is_found_within_the_look_back_and_not_at_its_far_end() -> None:
    storage = Storage()
    storage.append(UP, 1000, 1.0)
    assert series(storage, "up").last_at(999, 300) is None
    assert series(storage, "up").last_at(1299, 300) == (1000, 1.0)
    assert series(storage, "up").last_at(1300, 300) is None


def test_a_series_that_ended_has_no_value_until_it_comes_again() -> None:
    storage = Storage()
    storage.append(UP, 1000, 1.0)
    storage.end(UP, 2000)
    storage.append(UP, 3000, 3.0)
    found = series(storage, "up")
    assert [found.last_at(at, 10_000) for at in (1999, 2500, 3000)] == [(1000, 1.0), None, (3000, 3.0)]
    assert found.between(0, 5000) == ([1000, 3000], [1.0, 3.0])


def test_the_end_of_a_series_that_never_was_is_nothing() -> None:
    storage = Storage()
    storage.end(UP, 1000)
    assert len(storage) == 0


def test_what_is_older_than_the_retention_goes_and_empty_series_with_it() -> None:
    storage = Storage(retention_seconds=3600)
    storage.append(labels_of("old", {}), 0, 1.0)
    for at in range(0, 3 * HOUR, 60_000):
        storage.append(UP, at, 1.0)
    assert [one.labels for one in storage] == [UP]
    assert storage.named("old") == ()
    assert storage.samples == len(series(storage, "up").times) <= 65


def test_with_too_many_samples_the_oldest_of_all_series_go() -> None:
    storage = Storage(most_samples=1000)
    for at in range(0, 2 * HOUR, 5000):
        for name in ("a", "b", "c"):
            storage.append(labels_of(name, {}), at, 1.0)
    assert storage.samples <= 1000
    assert all(one.times[-1] == 2 * HOUR - 5000 for one in storage)
    assert storage.samples == sum(len(one.times) for one in storage)


def test_more_series_than_a_drill_needs_are_refused() -> None:
    storage = Storage(most_series=2)
    storage.append(labels_of("a", {}), 0, 1.0)
    storage.append(labels_of("b", {}), 0, 1.0)
    with pytest.raises(StoreFull, match="more than 2 series"):
        storage.append(labels_of("c", {}), 0, 1.0)
