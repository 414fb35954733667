"""What fires when the console is opened: both triggers of the procedure, with a past that shows since when."""

from __future__ import annotations

from tests.real.servers import PrometheusServer

BREACH_SECONDS = 360
_PAST_SECONDS = 3600
_NOW = {"qec_p95_seconds": 34.2, "qec_memory_percent": 94.0}


def breach(prometheus: PrometheusServer) -> None:
    """An hour of past in which both measurements were quiet until six minutes ago."""
    for series, value in _NOW.items():
        prometheus.metrics[series] = value
        quiet = [(float(ago), value / 10) for ago in range(BREACH_SECONDS, _PAST_SECONDS, 5)]
        prometheus.backfill(series, quiet + [(float(ago), value) for ago in range(1, BREACH_SECONDS, 5)])
