"""What a Prometheus has loaded of the rules and scrape jobs that a step or a check names, and what it should have loaded.

`/api/v1/rules` and the scrape pools say what is in use. A job also counts as loaded while the configuration in use names it: the
pool of a new one is made some seconds later, and until then it would look as if it were gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from console.engine.ports import Json
from console.targets.prometheus_admin import PrometheusAdmin
from console.targets.text import clean_line

_NEVER = "0001-"  # Go's time that is none
_KEPT = ("type", "query", "duration", "labels")  # of a rule: what makes it the same rule


@dataclass(frozen=True, slots=True)
class Expectation:
    """A rule, group of rules, or scrape job that is to be loaded or not; `expression` and `rules` say as what."""

    what: Literal["rule", "job"]
    name: str
    loaded: bool
    expression: str = ""
    rules: tuple[Json, ...] | None = None
    """The rules of this name as they were once loaded, to the letter."""

    @property
    def label(self) -> str:
        return f"{self.what} {self.name}"

    @property
    def words(self) -> str:
        if not self.loaded:
            return "not loaded"
        if self.expression:
            return f"loaded as {clean_line(self.expression)}"
        return f"loaded{_content(self.rules)}" if self.rules else "loaded"

    def to_json(self) -> Json:
        return {**asdict(self), "rules": None if self.rules is None else list(self.rules)}

    @classmethod
    def from_json(cls, document: Json) -> Expectation:
        rules = document["rules"]
        return cls(**{**document, "rules": None if rules is None else tuple(rules)})


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was found of the names that were asked for. `rules` and `targets` hold what the server itself says of each."""

    rules: Mapping[str, Sequence[Mapping[str, Any]]]
    targets: Mapping[str, Sequence[Mapping[str, Any]]]
    configured: frozenset[str]
    formatted: Mapping[str, str]
    reload_ok: bool
    reloaded_at: str

    def problem(self, wish: Expectation) -> str:
        """What is not as it should be; empty when it is."""
        return self._wrong_job(wish) if wish.what == "job" else self._wrong_rule(wish)

    def problems(self, wishes: Iterable[Expectation]) -> dict[str, str]:
        return {wish.label: text for wish in wishes if (text := self.problem(wish))}

    def as_is(self, wish: Expectation) -> Expectation:
        """The same name, as it is loaded at this moment."""
        if wish.what == "job":
            return Expectation("job", wish.name, loaded=self._has_job(wish.name))
        rules = _kept(self.rules.get(wish.name, ()))
        return Expectation("rule", wish.name, loaded=bool(rules), rules=rules)

    def words(self, wish: Expectation) -> str:
        """What the server says of this name."""
        if wish.what == "job":
            return f"{wish.label} {self._scraped(wish.name)}"
        rules = self.rules.get(wish.name, ())
        if not rules:
            return f"{wish.label} not loaded"
        return f"{wish.label} loaded{_content(rules)}"

    def told(self, wish: Expectation) -> str:
        """The same, with a remark where a rule that is loaded does not work or has not worked yet."""
        return self.words(wish) + (_health(self.rules.get(wish.name, ())) if wish.what == "rule" else "")

    def _wrong_rule(self, wish: Expectation) -> str:
        rules = self.rules.get(wish.name, ())
        if wish.rules is not None and _kept(rules) == wish.rules:
            return ""
        if not rules:
            return f"{wish.label} is not loaded" if wish.loaded else ""
        if not wish.loaded:
            return f"{wish.label} is loaded still"
        queries = [str(rule.get("query", "")) for rule in rules]
        if wish.rules is not None:
            return f"{wish.label} is not loaded as it was: {clean_line(', '.join(queries))}"
        if wish.expression and self.formatted[wish.expression] not in {self.formatted[query] for query in queries}:
            return f"{wish.label} is loaded as {clean_line(', '.join(queries))}, not as {clean_line(wish.expression)}"
        return ""

    def _wrong_job(self, wish: Expectation) -> str:
        if wish.loaded and wish.name not in self.targets:
            return f"{wish.label} {'has no scrape pool yet' if self._has_job(wish.name) else 'is not loaded'}"
        if wish.loaded:
            return ""
        return f"{wish.label} is loaded still" if self._has_job(wish.name) else ""

    def _has_job(self, name: str) -> bool:
        return name in self.targets or name in self.configured

    def _scraped(self, name: str) -> str:
        if name not in self.targets:
            return "loaded, not scraped yet" if self._has_job(name) else "not loaded"
        targets = self.targets[name]
        if not targets:
            return "loaded, without targets"
        up = sum(target.get("health") == "up" for target in targets)
        errors = [clean_line(str(t["lastError"])) for t in targets if t.get("lastError")]
        return f"loaded, {up} of {len(targets)} targets up" + (f" ({errors[0]})" if errors else "")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as the server evaluates it, all texts clean. `state` is empty for one that records and does not alert."""

    name: str
    group: str
    query: str
    health: str
    """`ok`, `err`, or `unknown` before its first evaluation."""
    error: str
    state: str
    """`inactive`, `pending` or `firing`; another word before its first evaluation."""

    def goes_by(self, name: str) -> bool:
        return name in (self.name, self.group)


async def read_rules(admin: PrometheusAdmin) -> tuple[Rule, ...]:
    """Every rule that is loaded, as it stands now. Raises Failed."""
    try:
        return tuple(_rule(group, rule) for group, rule in await _all_rules(admin))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise admin.target.failed(f"an answer that is not understood ({type(error).__name__})") from None


def _rule(group: Mapping[str, Any], rule: Mapping[str, Any]) -> Rule:
    evaluated = not str(rule.get("lastEvaluation", _NEVER)).startswith(_NEVER)
    state = str(rule.get("state", "unknown")) if rule.get("type") == "alerting" else ""
    return Rule(
        name=clean_line(str(rule.get("name", ""))),
        group=clean_line(str(group.get("name", ""))),
        query=clean_line(str(rule.get("query", ""))),
        health=clean_line(str(rule.get("health", "unknown"))) if evaluated else "unknown",
        error=clean_line(str(rule.get("lastError") or "")),
        state=clean_line(state),
    )


async def read_loaded(admin: PrometheusAdmin, wishes: Sequence[Expectation]) -> Loaded:
    """Reads it now. Raises Failed."""
    try:
        return await _read(admin, wishes)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise admin.target.failed(f"an answer that is not understood ({type(error).__name__})") from None


async def _read(admin: PrometheusAdmin, wishes: Sequence[Expectation]) -> Loaded:
    runtime = await admin.read("/api/v1/status/runtimeinfo") or {}
    rules = await _rules(admin, {w.name for w in wishes if w.what == "rule"})
    jobs = {w.name for w in wishes if w.what == "job"}
    return Loaded(
        rules=rules,
        targets=await _targets(admin, jobs) if jobs else {},
        configured=await _configured(admin) & jobs if jobs else frozenset(),
        formatted=await _formatted(admin, wishes, rules),
        reload_ok=runtime.get("reloadConfigSuccess") is not False,
        reloaded_at=_time(runtime.get("lastConfigTime", "")),
    )


async def _rules(admin: PrometheusAdmin, names: set[str]) -> dict[str, list[Mapping[str, Any]]]:
    """The rules of each name: those that are called so, and those of a group that is."""
    if not names:
        return {}
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in names}
    for group, rule in await _all_rules(admin):
        for name in names & {rule.get("name"), group.get("name")}:
            found[name].append(rule)
    return found


async def _all_rules(admin: PrometheusAdmin) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each rule with its group."""
    data = await admin.read("/api/v1/rules", exclude_alerts="true")
    if data is None:
        raise admin.target.failed("it has no /api/v1/rules")
    return [(group, rule) for group in data.get("groups", ()) for rule in group.get("rules", ())]


async def _targets(admin: PrometheusAdmin, names: set[str]) -> dict[str, list[Mapping[str, Any]]]:
    """The active targets of each of these jobs that has a scrape pool."""
    pools = await admin.read("/api/v1/scrape_pools")
    if pools is None:
        raise admin.target.failed("it can't tell its scrape pools: that needs Prometheus 2.42 or later")
    found: dict[str, list[Mapping[str, Any]]] = {}
    for name in sorted(names & set(pools.get("scrapePools") or ())):
        data = await admin.read("/api/v1/targets", state="active", scrapePool=name) or {}
        found[name] = [t for t in data.get("activeTargets") or () if t.get("scrapePool") == name]
    return found


async def _configured(admin: PrometheusAdmin) -> frozenset[str]:
    data = await admin.read("/api/v1/status/config") or {}
    return await asyncio.to_thread(_job_names, str(data.get("yaml", "")))


def _job_names(text: str) -> frozenset[str]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(text, Loader=loader)  # noqa: S506 - both are safe loaders
    except yaml.YAMLError:
        return frozenset()
    jobs = document.get("scrape_configs") if isinstance(document, dict) else None
    return frozenset(str(job.get("job_name")) for job in jobs or () if isinstance(job, dict))


async def _formatted(
    admin: PrometheusAdmin, wishes: Sequence[Expectation], rules: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, str]:
    """Expressions in the server's own spelling, so that `a>1` and `a > 1` are one."""
    formatted: dict[str, str] = {}
    for wish in wishes:
        if not wish.expression:
            continue
        for query in (wish.expression, *(str(rule.get("query", "")) for rule in rules.get(wish.name, ()))):
            if query not in formatted:
                formatted[query] = await admin.formatted(query)
    return formatted


def _content(rules: Sequence[Mapping[str, Any]]) -> str:
    queries = {clean_line(str(rule.get("query", ""))) for rule in rules}
    return f" as {queries.pop()}" if len(queries) == 1 else f", {len(rules)} rules"


def _kept(rules: Iterable[Mapping[str, Any]]) -> tuple[Json, ...]:
    kept = [{key: rule.get(key) for key in _KEPT} for rule in rules]
    return tuple(sorted(kept, key=str))


def _health(rules: Sequence[Mapping[str, Any]]) -> str:
    broken = [rule for rule in rules if rule.get("health") == "err"]
    if broken:
        return f" (can't be evaluated: {clean_line(str(broken[0].get('lastError', '')))})"
    if any(str(rule.get("lastEvaluation", _NEVER)).startswith(_NEVER) for rule in rules):
        return " (not evaluated yet)"
    return ""


def _time(text: object) -> str:
    try:
        return datetime.fromisoformat(str(text)).strftime("%H:%M:%S UTC")
    except ValueError:
        return ""
