"""What the trigger sources read on the real servers: the cases that hold of the drill's systems, by the same code."""

from __future__ import annotations

import pytest

from tests.contract.cases.sources import CASES
from tests.contract.source_contract import SourceContract
from tests.real.real_servers import database, opas, site

__all__ = ["database", "opas", "site"]


@pytest.mark.parametrize("case", CASES, ids=str)
class TestOnRealServers(SourceContract):
    """Where one of these holds here and not on the drill's systems, the drill is wrong."""
