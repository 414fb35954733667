"""The Prometheus of the procedure: its rules and whether it scrapes QEC are what the ConfigMaps of the cluster say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from tests.real.servers import PrometheusServer
from tests.real.servers.exposition import Exposition
from tests.real.servers.prometheus import JOB

SERVICES = "acgs-pgp"
"""The job that is scraped in any case."""


class Monitoring(PrometheusServer):
    """`mount_rules` and `mount_config` are what a kubelet calls; it takes a reload until they count."""

    def mount_rules(self, data: Mapping[str, str]) -> None:
        for file in self.rules.iterdir():
            if file.name not in data:
                file.unlink()
        for name, text in data.items():
            (self.rules / name).write_text(text)

    def mount_config(self, data: Mapping[str, str]) -> None:
        settings = yaml.safe_load(self._config.read_text())
        jobs = (
            {SERVICES: self.exposition, JOB: self.qec} if data["scrape_qec"] == "true" else {SERVICES: self.exposition}
        )
        settings["scrape_configs"] = [_job(name, scraped) for name, scraped in jobs.items()]
        self._config.write_text(yaml.safe_dump(settings))

    @property
    def qec(self) -> Exposition:
        """What the QEC service shows; made when first asked for."""
        if not hasattr(self, "_qec"):
            self._qec = Exposition()
            self._qec.metrics["qec_decisions_total"] = 1.0
        return self._qec

    def close(self) -> None:
        super().close()
        self.qec.close()

    def rule_names(self) -> dict[str, str]:
        """Each alert that is evaluated, with its expression."""
        groups = self._data_of("/api/v1/rules")["groups"]
        return {rule["name"]: rule["query"] for group in groups for rule in group["rules"]}

    def jobs(self) -> list[str]:
        """The jobs that are scraped."""
        return sorted({target["scrapePool"] for target in self._data_of("/api/v1/targets")["activeTargets"]})

    def last_reload(self) -> float:
        """When it last took its configuration in: another one after each reload."""
        return self._of_itself("prometheus_config_last_reload_success_timestamp_seconds")

    def _of_itself(self, metric: str) -> float:
        lines = self._http.get("/metrics").raise_for_status().text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{metric} "))

    def _data_of(self, path: str) -> Any:
        return self._http.get(path).raise_for_status().json()["data"]


def _job(name: str, scraped: Exposition) -> dict[str, Any]:
    return {"job_name": name, "static_configs": [{"targets": [scraped.address]}]}
