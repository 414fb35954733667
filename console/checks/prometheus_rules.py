"""`prometheus.rules`: the rules that are to watch are loaded and work, nothing of them fires if asked, and jobs are scraped.

`/-/healthy` is always 200. A rule that is missing or can't be evaluated never fires: its silence is no pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import model_validator

from console.config.options import OneLine
from console.config.options import Options as TableOptions
from console.domain.events import CheckOutcome
from console.engine.ports import Check, Evidence
from console.targets.prometheus import PrometheusTarget
from console.targets.prometheus_admin import PrometheusAdmin
from console.targets.prometheus_loaded import Expectation, Loaded, Rule, read_loaded, read_rules

KIND: Final = "prometheus.rules"
TARGET_KINDS: Final[tuple[str, ...]] = ("prometheus",)

_SHOWN: Final = 3
_LISTED: Final = 20


class Options(TableOptions):
    """Which rules must be loaded and work, whether they may alert, and which jobs must be scraped."""

    rules: tuple[OneLine, ...] = ()
    """Rules or groups of rules: `["HighLatency"]`. Each must be loaded and evaluated without an error."""
    quiet: bool = False
    """None of these rules may be firing or pending; without any named, none of all that are loaded."""
    jobs: tuple[OneLine, ...] = ()
    """Scrape jobs: each must be loaded, with at least one target, and all of its targets up."""

    @model_validator(mode="after")
    def _something_is_asked(self) -> Options:
        if not (self.rules or self.quiet or self.jobs):
            raise ValueError('name "rules" or "jobs", or ask that all rules be "quiet"')
        return self


@dataclass(frozen=True, slots=True)
class _Finding:
    """What was found of a rule or job; `problem` is empty for one that is as it should be."""

    line: str
    problem: str = ""
    outcome: CheckOutcome = "pass"


class PrometheusRules:
    """Fails for what is missing, broken, alerting or down, and without an answer; unknown before the first evaluation."""

    def __init__(self, options: Options, target: PrometheusTarget) -> None:
        self._options = options
        self._admin = target.adopt(PrometheusAdmin(target))

    async def run(self) -> Evidence:
        findings = [*await self._rules(), *await self._jobs()]
        bad = [f for f in findings if f.problem]
        ordered = [*bad, *(f for f in findings if not f.problem)]
        more = (f"and {len(ordered) - _LISTED} more",) if len(ordered) > _LISTED else ()
        detail = (*(f.line for f in ordered[:_LISTED]), *more)
        if not bad:
            return Evidence("pass", self._all_well(findings), detail)
        outcome: CheckOutcome = "fail" if any(f.outcome == "fail" for f in bad) else "unknown"
        bad.sort(key=lambda f: f.outcome != "fail")
        left = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        return Evidence(outcome, "; ".join(f.problem for f in bad[:_SHOWN]) + left, detail)

    # ------------------------------------------------------------ rules

    async def _rules(self) -> list[_Finding]:
        options = self._options
        if not (options.rules or options.quiet):
            return []
        loaded = await read_rules(self._admin)
        missing = [name for name in options.rules if not any(rule.goes_by(name) for rule in loaded)]
        asked = [rule for rule in loaded if not options.rules or any(rule.goes_by(name) for name in options.rules)]
        findings = [_bad("fail", f"rule {name} is not loaded") for name in missing]
        if options.quiet and not missing and not any(rule.state for rule in asked):
            findings.append(_bad("fail", "no alerting rule is loaded" if not options.rules else "none of them alerts"))
        return findings + [self._judged(rule) for rule in asked]

    def _judged(self, rule: Rule) -> _Finding:
        name = f"rule {rule.name}"
        line = f"{name}: {', '.join(filter(None, (rule.state, f'health {rule.health}')))}: {rule.query}"
        if rule.health == "err" or rule.error:
            return _Finding(line, f"{name} can't be evaluated: {rule.error or 'no reason given'}", "fail")
        if self._options.quiet and rule.state in ("firing", "pending"):
            return _Finding(line, f"{name} is {rule.state.upper()}", "fail")
        if rule.health != "ok" or (self._options.quiet and rule.state not in ("", "inactive")):
            return _Finding(line, f"{name} has not been evaluated yet", "unknown")
        return _Finding(line)

    # ------------------------------------------------------------ jobs

    async def _jobs(self) -> list[_Finding]:
        if not self._options.jobs:
            return []
        wishes = [Expectation("job", name, loaded=True) for name in self._options.jobs]
        loaded = await read_loaded(self._admin, wishes)
        return [_scraped(loaded, wish) for wish in wishes]

    def _all_well(self, findings: Sequence[_Finding]) -> str:
        options = self._options
        rules, jobs = len(findings) - len(options.jobs), len(options.jobs)
        quiet = ", none fires" if options.quiet else ""
        words = [f"{rules} rule{'' if rules == 1 else 's'} loaded and healthy{quiet}"] if rules else []
        words += [f"{jobs} job{'' if jobs == 1 else 's'} up"] if jobs else []
        return "; ".join(words)


def _scraped(loaded: Loaded, wish: Expectation) -> _Finding:
    line = loaded.words(wish)
    if problem := loaded.problem(wish):
        return _Finding(line, problem, "fail")
    health = [target.get("health") for target in loaded.targets[wish.name]]
    if not health or "down" in health:
        return _Finding(line, line, "fail")
    if any(state != "up" for state in health):
        return _Finding(line, f"{line}; not all have been scraped yet", "unknown")
    return _Finding(line)


def _bad(outcome: CheckOutcome, problem: str) -> _Finding:
    return _Finding(problem, problem, outcome)


def build(options: Options, target: PrometheusTarget) -> Check:
    return PrometheusRules(options, target)
