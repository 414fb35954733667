"""What the check kinds find on the real servers: the cases that hold of the drill's systems, by the same code."""

from __future__ import annotations

import pytest

from tests.contract.cases.checks import CASES
from tests.contract.check_contract import CheckContract
from tests.real.real_servers import database, opas, site

__all__ = ["database", "opas", "site"]


@pytest.mark.parametrize("case", CASES, ids=str)
class TestOnRealServers(CheckContract):
    """Where one of these holds here and not on the drill's systems, the drill is wrong."""
