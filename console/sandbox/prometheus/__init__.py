"""The drill's Prometheus: a small server with the query API, PromQL, rules and scrapes of the real one.

What it does not do it says (docs/drill-prometheus.md); what it does is compared with the real server in tests/real.
"""

from console.sandbox.prometheus.api import PrometheusApi
from console.sandbox.prometheus.scraping import Exposed, Feed, ScrapeFailed
from console.sandbox.prometheus.storage import Storage, labels_of

__all__ = ["Exposed", "Feed", "PrometheusApi", "ScrapeFailed", "Storage", "labels_of"]
