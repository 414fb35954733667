"""Two evenings, one open and one resolved, and their reports."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo

import pytest

from console.report.model import Record, record
from console.report.times import Times
from tests.report import evening

BERLIN = Times(ZoneInfo("Europe/Berlin"), "Europe/Berlin")


@cache
def _half_way() -> Record:
    return record(evening.chained(evening.half_way().history))


@cache
def _resolved() -> Record:
    return record(evening.chained(evening.resolved().history))


@pytest.fixture
def half_way() -> Record:
    return _half_way()


@pytest.fixture
def resolved() -> Record:
    return _resolved()


@pytest.fixture
def berlin() -> Times:
    return BERLIN
