"""The programs that the checklist runs, as a drill has them: the old test suite, the policy and dashboard tests, a load test.

Each asks the drill's own systems and ends as such a program does: a line of result, an exit code. `install` puts them beside
the procedure, under the names that it gives them. The load test stands in for k6, which a laptop may not have: it takes the
same arguments, judges by the thresholds of the same script, writes the same summary, and says what it is.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

EXIT_THRESHOLDS_CROSSED: Final = 99
EXIT_SCRIPT_ERROR: Final = 107
_TIMEOUT_SECONDS: Final = 5.0
_P95: Final = "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[{window}ms])))"
_P95_LIMIT: Final = re.compile(r"http_req_duration:\s*\['(p\(95\)<(\d+))'\]")
_REQUESTS: Final = 20
_DECISIONS: Final = (
    ("acgs/authz/allow", {"user": "ada"}, True),
    ("acgs/authz/allow", {"user": "eve"}, False),
)
_PLACES: Final = "DRILL_PLACES"
"""Names the file that says where the drill's systems are."""


def install(folder: Path, places: Mapping[str, Any]) -> Path:
    """Writes the programs into the procedure's folder; gives the place of the load tester."""
    told = folder / "places.json"
    told.write_text(json.dumps(dict(places)), encoding="utf-8")
    for name, trial in (
        ("run-original-tests.sh", "original"),
        ("test-policy-evaluation.sh", "policies"),
        ("test-dashboard.sh", "dashboard"),
    ):
        _program(folder / "tests" / name, told, trial)
    script = resources.files("console.sandbox.scene").joinpath("tests/load-test-original.js")
    (folder / "tests" / "load-test-original.js").write_bytes(script.read_bytes())
    load_tester = folder / "bin" / "k6"
    _program(load_tester, told, "k6")
    return load_tester


def _program(path: Path, told: Path, trial: str) -> None:
    path.parent.mkdir(exist_ok=True)
    command = shlex.join([sys.executable, "-m", "console.sandbox.trials", trial])
    path.write_text(f'#!/bin/sh\n{_PLACES}={shlex.quote(str(told))} exec {command} "$@"\n', encoding="utf-8")
    path.chmod(0o700)


# ---------------------------------------------------------------- what they find out


def _original(places: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """The suite from before: the gateway answers, and decisions are what they were."""
    yield "the gateway answers", _get(f"{places['gateway']}/health")[0] == 200
    yield from _policies(places)


def _policies(places: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    for number, opa in enumerate(places["opas"]):
        for path, given, expected in _DECISIONS:
            status, answer = _post(f"{opa}/v1/data/{path}", {"input": given})
            decided = answer.get("result") if isinstance(answer, dict) else None
            yield f"opa-{number}: {path} for {given['user']} is {expected}", (status, decided) == (200, expected)


def _dashboard(places: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    status, answer = _get(f"{places['gateway']}/dashboard")
    shown = answer if status == 200 and isinstance(answer, dict) else {}
    yield "the dashboard opens", bool(shown)
    yield "it shows no QEC elements", shown.get("qec_features") is False
    yield "it is the release from before", shown.get("release") == places["release"]


_SUITES: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[tuple[str, bool]]]]] = {
    "original": _original,
    "policies": _policies,
    "dashboard": _dashboard,
}


def _suite(name: str, places: Mapping[str, Any]) -> int:
    results = list(_SUITES[name](places))
    for what, passed in results:
        sys.stdout.write(f"{'ok' if passed else 'FAILED'}  {what}\n")
    failed = sum(not passed for _, passed in results)
    sys.stdout.write(f"{len(results)} tests, {failed} failed\n" if failed else f"{len(results)} passed\n")
    return 1 if failed else 0


# ---------------------------------------------------------------- the load test


def _k6(arguments: Sequence[str], places: Mapping[str, Any]) -> int:
    script = next((a for a in reversed(arguments) if a.endswith(".js")), "")
    limit = _P95_LIMIT.search(Path(script).read_text(encoding="utf-8")) if script and Path(script).is_file() else None
    if limit is None:
        sys.stderr.write(f"the drill's load test needs a script with a threshold for p(95): {script or 'none given'}\n")
        return EXIT_SCRIPT_ERROR
    p95 = _p95(places)
    passes = sum(_get(f"{places['gateway']}/health")[0] == 200 for _ in range(_REQUESTS))
    crossed = {limit[1]: p95 * 1000 >= float(limit[2])}
    missed = {"rate>0.95": passes / _REQUESTS <= 0.95}
    if "--summary-export" in arguments:
        place = Path(arguments[list(arguments).index("--summary-export") + 1])
        place.write_text(json.dumps(_summary(p95, passes, crossed, missed)), encoding="utf-8")
    sys.stdout.write("the drill's stand-in for k6: p95 is what Prometheus measures, the checks are real requests\n")
    sys.stdout.write(f"http_req_duration p(95)={p95 * 1000:.0f}ms  checks {passes} of {_REQUESTS}\n")
    return EXIT_THRESHOLDS_CROSSED if any({**crossed, **missed}.values()) else 0


def _summary(p95: float, passes: int, crossed: Mapping[str, bool], missed: Mapping[str, bool]) -> Any:
    """As k6 exports it: `true` at a threshold means that it was crossed."""
    check = {
        "name": "the gateway is well",
        "path": "::the gateway is well",
        "passes": passes,
        "fails": _REQUESTS - passes,
    }
    return {
        "metrics": {
            "http_req_duration": {**_durations(p95 * 1000), "thresholds": dict(crossed)},
            "checks": {
                "passes": passes,
                "fails": _REQUESTS - passes,
                "value": passes / _REQUESTS,
                "thresholds": dict(missed),
            },
            "iterations": {"count": _REQUESTS, "rate": 1.0},
        },
        "root_group": {"name": "", "path": "", "groups": {}, "checks": {"the gateway is well": check}},
    }


def _durations(p95: float) -> dict[str, float]:
    """The rest of the statistics, as an exponential distribution with this p95 has them."""
    mean = p95 / 3.0
    return {"avg": mean, "min": mean / 100, "med": mean * 0.69, "max": mean * 5, "p(90)": mean * 2.3, "p(95)": p95}


def _p95(places: Mapping[str, Any]) -> float:
    """Over the last minute of the drill's own; a hundred seconds where nothing is measured, which no threshold allows."""
    query = _P95.format(window=max(3000, round(60_000 / float(places["pace"]))))
    status, answer = _get(f"{places['prometheus']}/api/v1/query", query=query)
    found = answer["data"]["result"] if status == 200 and isinstance(answer, dict) else []
    return float(found[0]["value"][1]) if found else 100.0


# ---------------------------------------------------------------- asking


def _get(url: str, **query: str) -> tuple[int, Any]:
    return _asked("GET", url, params=query)


def _post(url: str, document: Any) -> tuple[int, Any]:
    return _asked("POST", url, json=document)


def _asked(method: str, url: str, **given: Any) -> tuple[int, Any]:
    """Status 0 where nothing answers."""
    import httpx

    try:
        answer = httpx.request(method, url, timeout=_TIMEOUT_SECONDS, trust_env=False, **given)
        return answer.status_code, answer.json()
    except (httpx.HTTPError, ValueError):
        return 0, None


def main(arguments: Sequence[str]) -> int:
    places = json.loads(Path(os.environ[_PLACES]).read_text(encoding="utf-8"))
    if arguments[0] == "k6":
        return _k6(arguments[1:], places)
    return _suite(arguments[0], places)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
