"""One million audit rows restored: the runbook's bare INSERT … SELECT, then this console's step with all its proofs, in turn.

The step's time goes from the confirmation to the proof: planning anew against what was confirmed, the pre-image, the insert
with its precondition, and the comparison of every row afterwards. The preview, which rehearses the whole insert and rolls it
back, is before it and has a line of its own. Both insert into an empty, vacuumed table of the same server.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from itertools import pairwise

from bench.figures import ratio, row
from console.engine.drift import Expectation
from tests.real.postgres_scene import COLUMNS, IN_FILTER, AuditTrail, permit, proven, stored
from tests.real.servers.postgres import PostgresServer

ROUNDS = 5
ROWS = 1_111_111  # nine of ten are in the filter
BARE = f"INSERT INTO audit_log ({COLUMNS}) SELECT {COLUMNS} FROM audit_log_backup WHERE {IN_FILTER}"  # noqa: S608 - constants


@dataclass
class Figures:
    bare: list[float] = field(default_factory=list)
    preview: list[float] = field(default_factory=list)
    plan: list[float] = field(default_factory=list)
    apply: list[float] = field(default_factory=list)
    proof: list[float] = field(default_factory=list)

    @property
    def ours(self) -> list[float]:
        return [sum(parts) for parts in zip(self.plan, self.apply, self.proof, strict=True)]


def main() -> None:
    print("one million audit rows restored, in turn with the bare INSERT … SELECT")
    figures = Figures()
    with PostgresServer() as server:
        trail = AuditTrail(server, rows=ROWS)
        trail.sql("CREATE INDEX ON audit_log (created_at)")
        trail.sql("VACUUM ANALYZE audit_log_backup")
        for number in range(ROUNDS + 1):
            measured = figures if number else Figures()  # the first round warms up
            _empty(trail)
            measured.bare.append(_timed(trail))
            _empty(trail)
            asyncio.run(_console(trail, measured))
        trail.close()
    _report(figures)


def _empty(trail: AuditTrail) -> None:
    trail.sql("TRUNCATE audit_log")
    trail.sql("CHECKPOINT")


def _timed(trail: AuditTrail) -> float:
    began = time.perf_counter()
    trail.sql(BARE)
    return time.perf_counter() - began


async def _console(trail: AuditTrail, figures: Figures) -> None:
    step = trail.step()
    times = [time.perf_counter()]
    confirmed = await step.plan()
    times.append(time.perf_counter())
    change = await step.plan()
    assert change.hash == confirmed.hash  # noqa: S101 - what the engine asks at this moment
    assert Expectation(dict(confirmed.seen)).previewed == change.seen  # noqa: S101 - the same
    await step.capture(change)
    times.append(time.perf_counter())
    await step.apply(stored(change.goal), permit())
    times.append(time.perf_counter())
    await proven(step, change)
    times.append(time.perf_counter())
    spans = [b - a for a, b in pairwise(times)]
    for name, span in zip(("preview", "plan", "apply", "proof"), spans, strict=True):
        getattr(figures, name).append(span)


def _report(figures: Figures) -> None:
    row("the bare INSERT … SELECT", figures.bare)
    row("preview: counted, compared, rehearsed", figures.preview)
    row("planned anew against what was confirmed", figures.plan)
    row("the restoring transaction", figures.apply)
    row("proof: every row there as it was stored, counted", figures.proof)
    row("from the confirmation to the proof", figures.ours)
    ratio("from the confirmation to the proof / bare", figures.ours, figures.bare, aim=1.5)
    ratio("the restoring transaction / bare", figures.apply, figures.bare)


if __name__ == "__main__":
    main()
