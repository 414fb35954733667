"""The drill's Prometheus and the real one, told the same series and asked the same queries, answer the same.

What they may differ in is written in docs/drill-prometheus.md: the words and places of parse errors, and no more.
"""

from __future__ import annotations

import difflib
import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.real.servers import PrometheusServer
from tests.real.servers.processes import poll
from tests.real.servers.prometheus import JOB
from tests.sandbox.prometheus.documents import BAD_CONFIGURATIONS, BAD_RULES, REQUESTS, RULES
from tests.sandbox.prometheus.queries import FAMILIES, NOT_DONE
from tests.sandbox.prometheus.shapes import Shape, shapes
from tests.sandbox.prometheus.threaded import ThreadedPrometheus

TOLERANCE = 1e-9
NO_RECORDED_VALUE = 1
"""The flag of OTLP that ends a series."""
MOST_TOLD = 12

Answer = dict[str, Any]


@dataclass
class Pair:
    """Both servers, and the moment that their series end at."""

    real: httpx.Client
    drill: httpx.Client
    end: float

    def differences(self, query: str) -> list[str]:
        """Everything that is not the same, at some moments and over some stretches of time."""
        asked = query.replace("{end}", f"{self.end:.3f}")
        found = []
        for ago in (0, 137.25, 1800):
            found += self._compared("/api/v1/query", query=asked, time=f"{self.end - ago:.3f}")
        for span, step in ((1800, 37), (7000, 300), (60, 5)):
            start = f"{self.end - span:.3f}"
            found += self._compared("/api/v1/query_range", query=asked, start=start, end=f"{self.end}", step=str(step))
        return found

    def _compared(self, path: str, **parameters: str) -> list[str]:
        answers = [client.get(path, params=parameters) for client in (self.real, self.drill)]
        real, drill = (answer.json() for answer in answers)
        where = f"{parameters}: "
        if answers[0].status_code != answers[1].status_code:
            return [f"{where}{answers[0].status_code} {told(real)} -- {answers[1].status_code} {told(drill)}"]
        return [f"{where}{one}" for one in compared(real, drill, is_sorted="sort" in parameters["query"])]


def told(answer: Answer) -> str:
    return str(answer.get("error") or answer.get("data"))[:300]


def compared(real: Answer, drill: Answer, *, is_sorted: bool) -> Iterator[str]:
    if real["status"] != drill["status"] or real.get("errorType") != drill.get("errorType"):
        yield f"{told(real)} -- {told(drill)}"
        return
    if real["status"] == "error":
        if essence(real["error"]) != essence(drill["error"]):
            yield f"{real['error']} -- {drill['error']}"
        return
    for remarks in ("warnings", "infos"):
        if said(real, remarks) != said(drill, remarks):
            yield f"{remarks}: {real.get(remarks)} -- {drill.get(remarks)}"
    if real["data"]["resultType"] != drill["data"]["resultType"]:
        yield f"{told(real)} -- {told(drill)}"
        return
    yield from compared_results(real["data"], drill["data"], is_sorted=is_sorted)


def essence(error: str) -> str:
    """A parse error by its sort alone; of duplicate series not which two were met first, which is by chance."""
    return "parse error" if "parse error" in error else re.sub(r": \[.*\];", ": [];", error)


def said(answer: Answer, remarks: str) -> list[str]:
    """The remarks. Which ten of many the real server tells is by chance.

    Over a stretch of time it counts wrongly how many samples had to be fixed: the number doubles with each.
    """
    texts: list[str] = answer.get(remarks, [])
    if "omitted" in "".join(texts):
        return [str(len(texts)), *(text for text in texts if "omitted" in text)]
    return sorted(re.sub(r"over \d+ samples", "over samples", text) for text in texts)


def compared_results(real: Answer, drill: Answer, *, is_sorted: bool) -> Iterator[str]:
    if real["resultType"] in ("scalar", "string"):
        if not same_points([real["result"]], [drill["result"]]):
            yield f"{real['result']} -- {drill['result']}"
        return
    theirs, ours = ({metric(one): points(one) for one in data["result"]} for data in (real, drill))
    if is_sorted and not same_values(theirs, ours) and list(theirs) != list(ours):
        yield f"order: {list(theirs)} -- {list(ours)}"
    for labels in sorted(theirs.keys() | ours.keys()):
        if not same_points(theirs.get(labels, []), ours.get(labels, [])):
            yield f"{dict(labels)}: {first_difference(theirs.get(labels, []), ours.get(labels, []))}"


def metric(one: Answer) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(one["metric"].items()))


def points(one: Answer) -> list[list[Any]]:
    found: list[list[Any]] = one["values"] if "values" in one else [one["value"]]
    return found


def same_values(theirs: dict[Any, list[list[Any]]], ours: dict[Any, list[list[Any]]]) -> bool:
    """In this order, whichever series they are of: equal values may come in any order."""
    return [values[0][1] for values in theirs.values()] == [values[0][1] for values in ours.values()]


def same_points(theirs: list[list[Any]], ours: list[list[Any]]) -> bool:
    return len(theirs) == len(ours) and all(map(same_point, theirs, ours))


def same_point(theirs: list[Any], ours: list[Any]) -> bool:
    if theirs[0] != ours[0]:
        return False
    if theirs[1] == ours[1]:
        return True
    try:
        return math.isclose(float(theirs[1]), float(ours[1]), rel_tol=TOLERANCE)
    except ValueError:
        return False


def first_difference(theirs: list[list[Any]], ours: list[list[Any]]) -> str:
    for one, other in zip(theirs, ours, strict=False):
        if not same_point(one, other):
            return f"{one} -- {other}"
    return f"{len(theirs)} points {theirs[:1]} -- {len(ours)} points {ours[:1]}"


@pytest.fixture(scope="module")
def pair(prometheus_server: PrometheusServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    prometheus_server.reset()
    with (
        ThreadedPrometheus(tmp_path_factory.mktemp("drill")) as drill,
        httpx.Client(base_url=prometheus_server.url, trust_env=False, timeout=30) as theirs,
        httpx.Client(base_url=drill.url, trust_env=False, timeout=30) as ours,
    ):
        end = float(int(time.time()) - 1)
        for shape in shapes():
            tell_the_real(theirs, shape, end)
            drill.remember(shape.name, shape.labels, [(end - ago, value) for ago, value in shape.samples])
        yield Pair(theirs, ours, end)


def tell_the_real(server: httpx.Client, shape: Shape, end: float) -> None:
    """By OTLP, which takes JSON and any moment of the past."""
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in shape.labels.items()]
    points = [
        {
            "timeUnixNano": str(round((end - ago) * 1000) * 1_000_000),
            "attributes": attributes,
            **({"flags": NO_RECORDED_VALUE} if value is None else {"asDouble": in_protobuf_json(value)}),
        }
        for ago, value in sorted(shape.samples, key=lambda sample: -sample[0])
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": JOB}}]}
    body = {
        "resourceMetrics": [
            {
                "resource": resource,
                "scopeMetrics": [{"metrics": [{"name": shape.name, "gauge": {"dataPoints": points}}]}],
            }
        ]
    }
    answer = server.post("/api/v1/otlp/v1/metrics", json=body)
    assert answer.is_success, answer.text


def in_protobuf_json(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_queries_have_the_same_answers(pair: Pair, family: str) -> None:
    differences = [one for query in FAMILIES[family] for one in pair.differences(query)]
    assert not differences, f"{len(differences)} differences\n" + "\n".join(differences[:MOST_TOLD])


@pytest.mark.parametrize("query", NOT_DONE)
def test_what_it_does_not_do_it_says(pair: Pair, query: str) -> None:
    asked = {"query": query, "time": f"{pair.end}"}
    assert pair.real.get("/api/v1/query", params=asked).is_success
    refused = pair.drill.get("/api/v1/query", params=asked)
    assert (refused.status_code, refused.json()["errorType"]) == (422, "execution")
    assert re.search("the drill's Prometheus (does not do|can't read)|no date between", refused.json()["error"])


# ---------------------------------------------------------------- rules, reloads, the rest of the API


@dataclass
class Both:
    """Both servers, told the same rules and scraping the same metrics."""

    real: PrometheusServer
    drill: ThreadedPrometheus
    client: httpx.Client

    def write_rules(self, text: str, name: str = "rules.yaml") -> None:
        for server in (self.real, self.drill):
            (server.rules / name).write_text(text)

    def get(self, path: str, parameters: dict[str, str] | None = None) -> tuple[httpx.Response, httpx.Response]:
        real, drill = (self.client.get(f"{server.url}{path}", params=parameters) for server in (self.real, self.drill))
        return real, drill

    def reload(self) -> tuple[tuple[int, str], tuple[int, str]]:
        """Status and text of both, with the path of the configuration taken out."""
        real, drill = self.real.reload(), self.drill.reload()
        return (real.status_code, pathless(real.text)), (drill.status_code, pathless(drill.text))

    def differences(self, path: str) -> list[str]:
        """Line by line, those of the real one with a minus."""
        real, drill = (yaml.safe_dump(one).splitlines() for one in self.documents(path))
        return [line for line in difflib.ndiff(real, drill) if not line.startswith(" ")]

    def documents(self, path: str) -> tuple[Any, Any]:
        real, drill = self.get(path)
        return timeless(real.json()), timeless(drill.json())


@pytest.fixture
def both(prometheus: PrometheusServer, tmp_path: Path) -> Iterator[Both]:
    metrics = {
        'load{host="a",kind="cpu"}': 3.5,
        'load{host="b",kind="disk"}': 1234567.0,
        'load{host="c",kind="disk"}': 0.25,
    }
    with ThreadedPrometheus(tmp_path) as drill, httpx.Client(trust_env=False) as client:
        prometheus.metrics.update(metrics)
        drill.metrics.update(metrics)
        for server in (prometheus, drill):
            server.wait_value("count(load)", 3)
        yield Both(prometheus, drill, client)


def pathless(text: str) -> str:
    """Of YAML that can't be read each library says in its own words why."""
    text = re.sub(r"/[^ \"]*/prometheus\.ya?ml", "prometheus.yml", text)
    return re.sub(r"(yaml: |prometheus.yml: ).*", r"\1", text, flags=re.DOTALL)


def timeless(document: Any) -> Any:
    """Without what differs from run to run: moments, durations of work, addresses, folders."""
    if isinstance(document, dict):
        left_out = ("activeAt", "keepFiringSince", "lastEvaluation", "evaluationTime", "file", "instance")
        return {key: timeless(value) for key, value in document.items() if key not in left_out}
    if isinstance(document, list) and document and isinstance(document[0], float):
        return document[1]  # a sample; of those with whole seconds the moment was given
    if isinstance(document, list):
        return sorted(map(timeless, document), key=str)
    return (
        re.sub(r', instance="[^"]*"', "", re.sub(r"\[\{.*\}\];", "[];", document))
        if isinstance(document, str)
        else document
    )


def settled(document: Any) -> bool:
    rules = [rule for group in document["data"]["groups"] for rule in group["rules"]]
    return bool(rules) and all(rule["health"] != "unknown" for rule in rules)


def test_rules_and_alerts_become_the_same(both: Both) -> None:
    both.write_rules(RULES)
    assert both.reload() == ((200, ""), (200, ""))
    poll("both have evaluated", lambda: all(settled(document) for document in both.documents("/api/v1/rules")))
    for path in ("/api/v1/rules", "/api/v1/rules?type=alert", "/api/v1/rules?rule_name[]=High", "/api/v1/alerts"):
        assert both.differences(path) == [], path
    for query in ("ALERTS", "{__name__=~'load:.*'}", "count(ALERTS_FOR_STATE)"):
        assert both.differences(f"/api/v1/query?query={query}") == []


def test_an_alert_fires_rests_and_ends_alike(both: Both) -> None:
    both.write_rules(
        "groups: [{name: g, rules: ["
        "{alert: Held, expr: 'load > 1', keep_firing_for: 1h}, {alert: Plain, expr: 'load > 1', labels: {a: b}}]}]"
    )
    both.reload()
    poll("all fire", lambda: [len(one["data"]["alerts"]) for one in both.documents("/api/v1/alerts")] == [4, 4])
    assert both.differences("/api/v1/alerts") == []
    for server in (both.real, both.drill):
        server.metrics.clear()
        server.metrics["load"] = 0.0
    poll("one rests", lambda: [len(one["data"]["alerts"]) for one in both.documents("/api/v1/alerts")] == [2, 2])
    assert both.differences("/api/v1/rules") == []


def test_bad_rules_leave_the_old_ones(both: Both) -> None:
    both.write_rules("groups: [{name: good, rules: [{alert: Good, expr: load}]}]")
    for flaw, text in BAD_RULES.items():
        both.write_rules("", "worse.yaml")
        assert both.reload() == ((200, ""), (200, "")), flaw
        both.write_rules(text, "worse.yaml")
        real, drill = both.reload()
        assert (real[0], drill) == (500, real), flaw
        for document in both.documents("/api/v1/rules"):
            assert [group["name"] for group in document["data"]["groups"]] == ["good"], flaw
        for page in both.get("/metrics"):
            assert "\nprometheus_config_last_reload_successful 0\n" in page.text, flaw


def test_a_bad_configuration_is_refused(both: Both) -> None:
    files = both.real.folder / "prometheus.yaml", both.drill.config
    kept = [file.read_text() for file in files]
    for flaw, text in BAD_CONFIGURATIONS.items():
        for file in files:
            file.write_text(text)
        real, drill = both.reload()
        assert (real[0], drill) == (500, real), flaw
        for answer in both.get("/api/v1/status/runtimeinfo"):
            assert answer.json()["data"]["reloadConfigSuccess"] is False, flaw
    for file, text in zip(files, kept, strict=True):
        file.write_text(text)
    assert both.reload() == ((200, ""), (200, ""))


def test_requests_are_answered_alike(both: Both) -> None:
    differences = [
        f"{path} {asked}: {one}" for path, asked in REQUESTS for one in compared_pages(*both.get(path, asked))
    ]
    assert not differences, "\n".join(differences)


def compared_pages(real: httpx.Response, drill: httpx.Response) -> Iterator[str]:
    for what in ("status_code", "text"):
        theirs, ours = getattr(real, what), getattr(drill, what)
        if "json" in real.headers["Content-Type"] and what == "text":
            theirs, ours = timeless(real.json()), timeless(drill.json())
            if "parse error" in str(theirs) and "parse error" in str(ours):
                continue
        if theirs != ours:
            yield f"{theirs} -- {ours}"
    if real.headers["Content-Type"] != drill.headers["Content-Type"]:
        yield f"{real.headers['Content-Type']} -- {drill.headers['Content-Type']}"
