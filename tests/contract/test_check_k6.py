"""The check `k6`, on a program that behaves as k6 does: exit code first, then the summary, a pass only for what was measured."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from console.checks import k6
from console.engine.ports import Evidence

STAND_IN = Path(__file__).parent / "k6_stand_in.py"
DURATION = {"avg": 144.6, "min": 104.1, "med": 110.5, "max": 1140.0, "p(90)": 203.5, "p(95)": 212.27}
HOLDS = {"http_req_duration": {**DURATION, "thresholds": {"p(95)<500": True, "max<5000": True}}}
CROSSED = {"http_req_duration": {**DURATION, "thresholds": {"p(95)<200": False, "max<5000": True}}}
COUNTS = {"iterations": {"count": 45, "rate": 1.1}, "vus": {"value": 1, "min": 1, "max": 19}}
CHECKS = {"status is 200": [45, 0], "dashboard": {"no QEC elements": [45, 0]}}


def rate(passes: int, fails: int, **thresholds: bool) -> dict[str, Any]:
    total = passes + fails
    return {"rate": passes / total if total else 0, "passes": passes, "fails": fails, "thresholds": thresholds}


async def ran(tmp_path: Path, *, metrics: Any = None, options: dict[str, Any] | None = None, **script: Any) -> Evidence:
    file = tmp_path / "load-test.js"
    file.write_text(json.dumps({"metrics": COUNTS if metrics is None else {**COUNTS, **metrics}, **script}))
    given = {"script": str(file), "program": str(STAND_IN), "cwd": str(tmp_path), **(options or {})}
    return await k6.build(k6.Options.model_validate(given)).run()


async def told(tmp_path: Path, **script: Any) -> str:
    evidence = await ran(tmp_path, **script)
    return f"{evidence.outcome}: " + re.sub(r"\d+\.\d s", "N s", evidence.text)


async def test_thresholds_that_hold_are_a_pass_with_p95(tmp_path: Path) -> None:
    said = "pass: exit 0 in N s; 2 thresholds hold; p95 212.3 ms; 90 of 90 checks passed"
    assert await told(tmp_path, metrics=HOLDS, checks=CHECKS) == said
    evidence = await ran(tmp_path, metrics=HOLDS)
    assert evidence.detail[:2] == ("held: http_req_duration p(95)<500", "held: http_req_duration max<5000")


async def test_the_argument_list_and_the_format_of_the_summary(tmp_path: Path) -> None:
    evidence = await ran(tmp_path, metrics=HOLDS, options={"args": ("--vus", "20 $HOME")})
    assert "arguments ['--vus', '20 $HOME'] new summary false" in evidence.detail


async def test_a_crossed_threshold_is_a_fail_and_named(tmp_path: Path) -> None:
    """In the file `true` stands beside it, as k6 writes it."""
    said = "fail: exit 99 in N s: thresholds were crossed: http_req_duration p(95)<200; p95 212.3 ms"
    assert await told(tmp_path, metrics=CROSSED, exit=99) == said
    assert '"p(95)<200": true' in json.dumps(_exported(CROSSED))


def _exported(metrics: dict[str, Any]) -> Any:
    from tests.contract import k6_stand_in

    return k6_stand_in.exported({"metrics": metrics})


async def test_exit_99_without_a_summary_is_a_fail_all_the_same(tmp_path: Path) -> None:
    said = "fail: exit 99 in N s, thresholds were crossed: its output names them"
    assert await told(tmp_path, exit=99, no_summary=True) == said


async def test_exit_0_beside_a_crossed_threshold_is_a_fail_and_told(tmp_path: Path) -> None:
    said = "fail: exit 0 in N s, but its summary says that thresholds were crossed: http_req_duration p(95)<200; p95 212.3 ms"
    assert await told(tmp_path, metrics=CROSSED) == said


@pytest.mark.parametrize(
    ("code", "outcome", "said"),
    [
        (105, "unknown", "it was aborted"),
        (107, "fail", "its script threw an error"),
        (108, "fail", "its script aborted the test"),
        (104, "unknown", "its configuration is not valid"),
        (103, "unknown", "somebody stopped it through its REST API"),
        (109, "unknown", "k6 itself broke"),
    ],
)
async def test_every_other_code_has_its_meaning_and_the_last_line(
    tmp_path: Path, code: int, outcome: str, said: str
) -> None:
    words = await told(tmp_path, metrics=HOLDS, exit=code, says="ERRO[0001] \x1b[31mwhat k6 says")
    assert words == f"{outcome}: exit {code} in N s, {said}: ERRO[0001] what k6 says"


async def test_a_code_that_nobody_knows_is_unknown(tmp_path: Path) -> None:
    assert await told(tmp_path, exit=255, says="no such script") == "unknown: exit 255 in N s: no such script"


async def test_a_threshold_over_nothing_is_no_pass(tmp_path: Path) -> None:
    """grafana/k6#4283: a script that throws before its check, and a threshold on checks that holds."""
    nothing = {"checks": rate(0, 0, **{"rate>=0.9": True})}
    said = "unknown: exit 0 in N s, but nothing was measured for checks rate>=0.9"
    assert await told(tmp_path, metrics=nothing) == said
    idle = {"http_req_duration": {**dict.fromkeys(DURATION, 0), "thresholds": {"p(95)<500": True}}}
    said = "unknown: exit 0 in N s, but nothing was measured for http_req_duration p(95)<500"
    assert await told(tmp_path, metrics=idle) == said


async def test_a_check_that_was_never_made_is_no_pass(tmp_path: Path) -> None:
    checks = {"status is 200": [45, 0], "dashboard": {"no QEC elements": [0, 0]}}
    said = "unknown: exit 0 in N s, but nothing was measured for no QEC elements"
    assert await told(tmp_path, metrics=HOLDS, checks=checks) == said


async def test_not_one_iteration_is_no_pass(tmp_path: Path) -> None:
    said = "unknown: exit 0 in N s, but not one iteration was completed"
    assert await told(tmp_path, metrics={**HOLDS, "iterations": {"count": 0, "rate": 0}}) == said


async def test_a_script_that_can_not_fail_is_no_pass(tmp_path: Path) -> None:
    said = "unknown: exit 0 in N s, but its script has neither thresholds nor checks: it can't fail"
    assert await told(tmp_path, metrics={"http_req_duration": DURATION}) == said


async def test_without_thresholds_the_checks_decide(tmp_path: Path) -> None:
    assert await told(tmp_path, checks=CHECKS) == "pass: exit 0 in N s; no thresholds; 90 of 90 checks passed"
    failing = {"status is 200": [40, 5], "fast": [45, 0]}
    said = "fail: exit 0 in N s, but it has no thresholds, and checks failed: status is 200; 85 of 90 checks passed"
    assert await told(tmp_path, checks=failing) == said


async def test_with_thresholds_a_check_may_fail_and_is_counted(tmp_path: Path) -> None:
    metrics = {"checks": rate(44, 1, **{"rate>0.95": True})}
    said = "pass: exit 0 in N s; 1 threshold holds; 44 of 45 checks passed"
    assert await told(tmp_path, metrics=metrics, checks={"status is 200": [44, 1]}) == said


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ({"no_summary": True}, "it wrote no summary"),
        ({"raw": "{"}, "its summary is not JSON"),
        ({"raw": "[1]"}, "its summary is in a format that this console does not know"),
        ({"raw": '{"version": "1.0.0", "results": {}}'}, "its summary is in a format that this console does not know"),
        ({"raw": '{"metrics": {"checks": {"thresholds": {"rate>0.9": {"ok": true}}}}}'},
         "its summary is in a format that this console does not know"),
        ({"raw": " " * (k6.LARGEST_SUMMARY_BYTES + 1)}, "its summary is longer than 8 MiB"),
    ],
)  # fmt: skip
async def test_exit_0_without_a_summary_that_tells_is_unknown(
    tmp_path: Path, script: dict[str, Any], said: str
) -> None:
    words = await told(tmp_path, **script)
    assert words == f"unknown: exit 0 in N s, but {said}: nobody can tell what was measured"


async def test_without_k6_it_is_unknown_and_says_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    evidence = await ran(tmp_path, options={"program": "k6"})
    assert (evidence.outcome, evidence.text) == (
        "unknown",
        "there is no program k6; it is not part of this console: grafana.com/docs/k6 says how to get it",
    )


async def test_a_time_limit_of_its_own_and_whoever_stops_waiting(tmp_path: Path) -> None:
    said = await told(tmp_path, waits=True, options={"kill_after": "300ms"})
    assert said.startswith("unknown: still running after N s, so it was ended")  # and what it said, if it came to that
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await ran(tmp_path, waits=True)


async def test_names_from_a_script_are_harmless(tmp_path: Path) -> None:
    metrics = {"http_req_duration{\x1b[31mx:y}": {**DURATION, "thresholds": {"p(95)<1": False}}}
    evidence = await ran(tmp_path, metrics=metrics, exit=99)
    assert "http_req_duration{x:y} p(95)<1" in evidence.text
    assert "\x1b" not in str(evidence)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"script": "a.js", "args": ("--summary-export", "x")}, {"script": "a.js", "args": ("--summary-export=x",)},
        {"script": "a.js", "args": ("--no-summary",)}, {"script": "a.js", "program": " "},
    ],
)  # fmt: skip
def test_options_that_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        k6.Options.model_validate(options)
