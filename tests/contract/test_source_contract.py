"""What the trigger sources read on the drill's systems, and that no kind of the registry is left without a case."""

from __future__ import annotations

import pytest

from console.kinds import Registry
from tests.contract.cases.sources import CASES
from tests.contract.drill_servers import cluster, database, opas, prometheus_server, site
from tests.contract.source_contract import ASKS_NOBODY, SourceContract

__all__ = ["cluster", "database", "opas", "prometheus_server", "site"]


@pytest.mark.parametrize("case", CASES, ids=str)
class TestOnTheDrill(SourceContract):
    """The same cases are in tests/real on the real servers."""


@pytest.mark.parametrize("kind", Registry().names("source"))
def test_every_kind_that_asks_a_system_is_under_the_contract(kind: str) -> None:
    cases = [case for case in CASES if case.kind == kind]
    if kind in ASKS_NOBODY:
        assert not cases, f"{kind} has cases: take it off the list of those that ask nobody"
        return
    assert any(case.gives for case in cases), f"{kind} lacks a case that gives a number (cases/sources.py)"
    assert any("away" in case.name for case in cases), f"{kind} lacks a case of its system away (cases/sources.py)"


def test_what_asks_nobody_is_kept_in_the_journal() -> None:
    for kind, why in ASKS_NOBODY.items():
        assert hasattr(Registry().module("source", kind), "JUDGED"), kind
        assert why
