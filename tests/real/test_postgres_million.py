"""A million rows: none of them passes through the console."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.postgres_scene import AuditTrail, carry_out, undo
from tests.real.servers import NotBuilt
from tests.real.servers import binaries as tools
from tests.real.servers.postgres import PostgresServer

MILLION = 1_000_000
MOST_MEGABYTES = 8.0


@pytest.fixture(scope="module")
def trail() -> Iterator[AuditTrail]:
    try:
        server = PostgresServer()
    except NotBuilt as absent:
        if tools.REQUIRED:
            pytest.fail(str(absent), pytrace=False)
        pytest.skip(str(absent))
    with server:
        audit = AuditTrail(server, rows=1000)
        yield audit
        audit.close()


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is read from Linux's /proc")
@pytest.mark.timeout(300)
async def test_a_million_rows_are_restored_and_taken_back_in_bounded_memory(trail: AuditTrail) -> None:
    step = trail.step(where="", parameters={}, verify_where="")
    change, _, _ = await carry_out(step)
    await carry_out(step, await undo(step, change))  # everything is imported and has run once
    trail.fill(1001, MILLION)
    before = start_of_peak_megabytes()
    await step.preflight()
    change, receipt, proof = await carry_out(step)
    assert receipt.detail.startswith("1,000,000 rows added")
    assert "none of the backup's 1,000,000 rows in the filter is missing or differs" in proof.text
    await carry_out(step, await undo(step, change))
    assert trail.count == 0
    assert peak_megabytes() - before < MOST_MEGABYTES


def start_of_peak_megabytes() -> float:
    Path("/proc/self/clear_refs").write_text("5")  # from now on VmHWM is the peak since now: proc(5)
    return peak_megabytes()


def peak_megabytes() -> float:
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
