"""What the check kinds find on the drill's systems, and that no kind of the registry is left without a case."""

from __future__ import annotations

import pytest

from console.kinds import Registry
from tests.contract.cases.checks import CASES
from tests.contract.check_contract import ASKS_NOBODY, CheckContract
from tests.contract.drill_servers import cluster, database, opas, prometheus_server, site

__all__ = ["cluster", "database", "opas", "prometheus_server", "site"]


@pytest.mark.parametrize("case", CASES, ids=str)
class TestOnTheDrill(CheckContract):
    """The same cases are in tests/real on the real servers."""


@pytest.mark.parametrize("kind", Registry().names("check"))
def test_every_kind_that_asks_a_system_is_under_the_contract(kind: str) -> None:
    outcomes = {case.outcome for case in CASES if case.kind == kind}
    if kind in ASKS_NOBODY:
        assert not outcomes, f"{kind} has cases: take it off the list of those that ask nobody"
        return
    assert {"pass", "fail"} <= outcomes, f"{kind} lacks a case that passes, or one that fails (cases/checks.py)"
    assert any("away" in case.name for case in CASES if case.kind == kind), f"{kind} lacks a case of its system away"


def test_what_asks_nobody_is_installed_and_acts_on_no_target() -> None:
    for kind, why in ASKS_NOBODY.items():
        assert Registry().module("check", kind).TARGET_KINDS == (), kind
        assert why
