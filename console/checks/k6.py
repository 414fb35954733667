"""A load test: check kind `k6`, which runs the `k6` of whoever has it. Its exit code decides first, then its summary.

k6 exits 0 for a script that can't fail, and for a threshold over nothing at all (grafana/k6#4283), so a pass needs a summary in
which something was measured and held. What the numbers mean: grafana/k6, errext/exitcodes and internal/js/summary-wrapper.js.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, model_validator

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.domain.events import CheckOutcome
from console.domain.triggers import amount
from console.engine.ports import Check, Evidence, Json
from console.targets.programs import Argument, CannotRun, NoProgram, Ran, Variables, run_to_end
from console.targets.text import clean_line

KIND: Final = "k6"
TARGET_KINDS: Final[tuple[str, ...]] = ()

SUMMARY: Final = "--summary-export"
LARGEST_SUMMARY_BYTES: Final = 8 * 1024 * 1024
_SHOWN: Final = 3
_NAME_LIMIT: Final = 120

THRESHOLDS: Final = 99
_EXITS: Final[dict[int, tuple[CheckOutcome, str]]] = {
    97: ("fail", "the test in the cloud failed"),
    98: ("unknown", "the cloud did not tell how the test went"),
    100: ("fail", "its setup took too long"),
    101: ("fail", "its teardown took too long"),
    102: ("fail", "it took too long"),
    103: ("unknown", "somebody stopped it through its REST API"),
    104: ("unknown", "its configuration is not valid"),
    105: ("unknown", "it was aborted"),
    106: ("unknown", "its REST API could not be started"),
    107: ("fail", "its script threw an error"),
    108: ("fail", "its script aborted the test"),
    109: ("unknown", "k6 itself broke"),
}


class Options(TableOptions):
    """A k6 script. It has the check's `timeout`, 10s unless the file says more: give it what the load test takes, and some."""

    script: FilePath
    """The script: `"tests/load-test-original.js"`."""
    args: tuple[Argument, ...] = ()
    """More arguments for `k6 run`: `["--vus", "20", "--duration", "1m"]`."""
    env: Variables = Field(default_factory=dict)
    """Variables for it, beside those that the console itself has. Secrets by reference: `{ TOKEN = { env = "TOKEN" } }`."""
    cwd: Annotated[FilePath, Field(default=".", validate_default=True)]
    """The folder that it runs in; left out: this file's."""
    program: Argument = "k6"
    """The program, where it is not the `k6` of the PATH."""
    kill_after_seconds: PositiveDuration | None = None
    """End it after this time and keep what it wrote; the check's `timeout` ends it without that."""

    @model_validator(mode="after")
    def _ours(self) -> Options:
        if taken := [a for a in self.args if a.partition("=")[0] in (SUMMARY, "--no-summary")]:
            raise ValueError(f"{taken[0]} is set by the console, which reads the summary")
        if not self.program.strip():
            raise ValueError('"program" is the name of one')
        return self


@dataclass(frozen=True, slots=True)
class Summary:
    """What a `--summary-export` file says. Thresholds are named `http_req_duration p(95)<500`."""

    crossed: tuple[str, ...]
    held: tuple[str, ...]
    unmeasured: tuple[str, ...]
    """Thresholds and checks over which there was not one sample."""
    checks_passed: int
    checks_failed: int
    failed_checks: tuple[str, ...]
    iterations: int
    p95_milliseconds: float | None


class NotUnderstood(Exception):
    """No summary as k6 writes it; says why."""


class K6:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._cwd = Path(options.cwd).absolute()
        self._script = str(Path(options.script).absolute())

    async def run(self) -> Evidence:
        options = self._options
        # It may be killed while it still writes there.
        with tempfile.TemporaryDirectory(prefix="rollback-console-k6-", ignore_cleanup_errors=True) as folder:
            file = Path(folder) / "summary.json"
            argv = (options.program, "run", SUMMARY, str(file), *options.args, self._script)
            try:
                ran = await run_to_end(
                    argv,
                    cwd=self._cwd,
                    variables=options.env,
                    seconds=options.kill_after_seconds,
                    more={"K6_NEW_MACHINE_READABLE_SUMMARY": "false"},  # the format that every version writes
                )
            except NoProgram as error:
                return Evidence(
                    "unknown", f"{error}; it is not part of this console: grafana.com/docs/k6 says how to get it"
                )
            except CannotRun as error:
                return Evidence("unknown", str(error))
            try:
                summary: Summary | str = await asyncio.to_thread(_read, file)
            except NotUnderstood as error:
                summary = str(error)
        return judged(ran, summary)


def build(options: Options, target: None = None) -> Check:
    del target  # it takes none
    return K6(options)


# ---------------------------------------------------------------- the verdict


def judged(ran: Ran, summary: Summary | str) -> Evidence:
    """What the exit code and the summary come to; a text is why there is no summary."""
    code = ran.ended.code
    lines = ran.lines if isinstance(summary, str) else (*_lines(summary), *ran.lines)
    if code == 0:
        outcome, words = _exit_0(summary)
        return Evidence(outcome, f"{ran.ended.words}{words}", lines)
    if code == THRESHOLDS:
        crossed = _named(summary.crossed) if isinstance(summary, Summary) and summary.crossed else ""
        words = (
            f": thresholds were crossed: {crossed}" if crossed else ", thresholds were crossed: its output names them"
        )
        return Evidence("fail", f"{ran.ended.words}{words}{_measured(summary)}", lines)
    if code in _EXITS:
        outcome, reason = _EXITS[code]
        return Evidence(outcome, ran.said(reason), lines)
    return Evidence("unknown", ran.words, lines)


def _exit_0(summary: Summary | str) -> tuple[CheckOutcome, str]:
    if isinstance(summary, str):
        return "unknown", f", but {summary}: nobody can tell what was measured"
    if summary.crossed:
        return (
            "fail",
            f", but its summary says that thresholds were crossed: {_named(summary.crossed)}{_measured(summary)}",
        )
    if summary.unmeasured:
        return "unknown", f", but nothing was measured for {_named(summary.unmeasured)}"
    if not summary.iterations:
        return "unknown", ", but not one iteration was completed"
    if not summary.held:
        return _by_checks(summary)
    held = f"{len(summary.held)} threshold{'s hold' if len(summary.held) > 1 else ' holds'}"
    return "pass", f"; {held}{_measured(summary)}"


def _by_checks(summary: Summary) -> tuple[CheckOutcome, str]:
    """Without a threshold k6 exits 0 whatever happens; then the script's checks are all that can tell."""
    if not summary.checks_passed + summary.checks_failed:
        return "unknown", ", but its script has neither thresholds nor checks: it can't fail"
    if summary.checks_failed:
        return (
            "fail",
            f", but it has no thresholds, and checks failed: {_named(summary.failed_checks)}{_measured(summary)}",
        )
    return "pass", f"; no thresholds{_measured(summary)}"


def _measured(summary: Summary | str) -> str:
    if isinstance(summary, str):
        return ""
    made = summary.checks_passed + summary.checks_failed
    checks = f"; {summary.checks_passed} of {made} checks passed" if made else ""
    p95 = f"; p95 {amount(summary.p95_milliseconds, 'ms')}" if summary.p95_milliseconds is not None else ""
    return p95 + checks


def _lines(summary: Summary) -> tuple[str, ...]:
    return (
        *(f"crossed: {name}" for name in summary.crossed),
        *(f"held: {name}" for name in summary.held),
        *(f"nothing measured: {name}" for name in summary.unmeasured),
    )


def _named(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


# ---------------------------------------------------------------- the summary


def _read(file: Path) -> Summary:
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_SUMMARY_BYTES + 1)
    except FileNotFoundError:
        raise NotUnderstood("it wrote no summary") from None
    except OSError as error:
        raise NotUnderstood(f"its summary can't be read: {(error.strerror or '').lower()}") from None
    if len(content) > LARGEST_SUMMARY_BYTES:
        raise NotUnderstood(f"its summary is longer than {LARGEST_SUMMARY_BYTES // 1024**2} MiB")
    try:
        return summary_of(json.loads(content))
    except (ValueError, RecursionError):
        raise NotUnderstood("its summary is not JSON") from None
    except (TypeError, KeyError, AttributeError):
        raise NotUnderstood("its summary is in a format that this console does not know") from None


def summary_of(document: Json) -> Summary:
    """Raises TypeError, KeyError or AttributeError for anything but the export's own format."""
    metrics: dict[str, dict[str, Any]] = document["metrics"]
    thresholds = list(_thresholds(metrics))
    checks = list(_checks(document.get("root_group") or {}))
    empty = tuple(f"{name} {threshold}" for name, threshold, _ in thresholds if _has_no_sample(name, metrics[name]))
    return Summary(
        crossed=tuple(_shown(f"{name} {threshold}") for name, threshold, crossed in thresholds if crossed),
        held=tuple(_shown(f"{name} {threshold}") for name, threshold, crossed in thresholds if not crossed),
        unmeasured=tuple(map(_shown, (*empty, *(name for name, passes, fails in checks if not passes + fails)))),
        checks_passed=sum(passes for _, passes, _ in checks),
        checks_failed=sum(fails for _, _, fails in checks),
        failed_checks=tuple(_shown(name) for name, _, fails in checks if fails),
        iterations=int((metrics.get("iterations") or {}).get("count", 0)),
        p95_milliseconds=_number((metrics.get("http_req_duration") or {}).get("p(95)")),
    )


def _thresholds(metrics: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, bool]]:
    """Each metric, its threshold, and whether it was crossed: in this file `true` means that it was (grafana/k6#1498)."""
    for name, metric in metrics.items():
        for threshold, crossed in (metric.get("thresholds") or {}).items():
            if not isinstance(crossed, bool):
                raise TypeError(threshold)
            yield name, threshold, crossed


def _checks(group: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Each check of the script with how often it passed and failed, group by group."""
    for check in (group.get("checks") or {}).values():
        yield str(check["name"]), int(check["passes"]), int(check["fails"])
    for inner in (group.get("groups") or {}).values():
        yield from _checks(inner)


def _has_no_sample(name: str, metric: dict[str, Any]) -> bool:
    if "passes" in metric and "fails" in metric:  # a rate: checks, http_req_failed
        return not metric["passes"] + metric["fails"]
    return name.startswith("http_req_duration") and not metric.get("max")  # no request takes no time


def _number(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _shown(name: str) -> str:
    return clean_line(name, _NAME_LIMIT)
