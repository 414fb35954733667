"""What triggers rely on: the contract and the scenarios of the real Prometheus, by the same code, on the drill's."""

from __future__ import annotations

from tests.contract.prometheus_contract import PrometheusContract
from tests.real.test_triggers_real import (
    test_a_breach_is_told_as_it_happens,
    test_a_breach_of_hours_is_followed_to_its_beginning,
    test_a_breach_that_has_not_lasted_is_pending_and_one_that_is_over_is_ok,
    test_a_healthy_trigger_is_not_healthy_while_the_server_is_away,
    test_an_empty_answer_is_no_data,
    test_opened_in_the_middle_of_a_breach_it_knows_since_when,
    test_while_the_server_is_away_nothing_reads_ok_and_afterwards_it_is_true_again,
)

__all__ = [
    "test_a_breach_is_told_as_it_happens",
    "test_a_breach_of_hours_is_followed_to_its_beginning",
    "test_a_breach_that_has_not_lasted_is_pending_and_one_that_is_over_is_ok",
    "test_a_healthy_trigger_is_not_healthy_while_the_server_is_away",
    "test_an_empty_answer_is_no_data",
    "test_opened_in_the_middle_of_a_breach_it_knows_since_when",
    "test_while_the_server_is_away_nothing_reads_ok_and_afterwards_it_is_true_again",
]


class TestContract(PrometheusContract):
    """The `prometheus` source's promises, on the drill's server."""
