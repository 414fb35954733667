"""Rules at work: recorded series, alerts that are pending and fire.

An alert is pending from the first evaluation that finds it, fires when it was found at every evaluation for as long as `for`
says, and keeps firing for `keep_firing_for` after the last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from console.sandbox.prometheus import promql, templates
from console.sandbox.prometheus.promql.printing import printed
from console.sandbox.prometheus.promql.rows import put, unnamed
from console.sandbox.prometheus.storage import NAME, Labels, Storage, StoreFull

State = Literal["unknown", "inactive", "pending", "firing"]
_STATES: Final[tuple[State, ...]] = ("unknown", "inactive", "pending", "firing")
_RESOLVED_STAY: Final = 15 * 60_000

Query = Callable[[promql.Expr, int], promql.Result]
Sample = tuple[Labels, float]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation of a group is told besides what the query finds."""

    at: int
    external_labels: Mapping[str, str]
    limit: int


@dataclass(slots=True)
class Alert:
    """One series that an alerting rule found. Times are milliseconds."""

    labels: Labels
    annotations: Mapping[str, str]
    active_at: int
    value: float
    state: State = "pending"
    keep_firing_since: int | None = None
    resolved_at: int | None = None


@dataclass
class Rule:
    """A recording or an alerting rule, and how its last evaluation went."""

    name: str
    expr: promql.Expr
    labels: Mapping[str, str]
    health: str = "unknown"
    last_error: str = ""
    last_evaluation: int | None = None
    evaluation_seconds: float = 0.0
    written: set[Labels] = field(default_factory=set)

    @property
    def query(self) -> str:
        return printed(self.expr)

    def samples(self, found: promql.Result, evaluation: Evaluation) -> list[Sample]:
        """What one evaluation writes."""
        raise NotImplementedError

    def take_over(self, before: Rule) -> None:
        """The state of the same rule as it was before a reload."""
        self.written = before.written


@dataclass
class RecordingRule(Rule):
    def samples(self, found: promql.Result, evaluation: Evaluation) -> list[Sample]:
        written: dict[Labels, float] = {}
        for labels, points in found.series:
            for name, value in ((NAME, self.name), *self.labels.items()):
                labels = put(labels, name, value)
            if labels in written:
                raise promql.CannotExecute("vector contains metrics with the same labelset after applying rule labels")
            written[labels] = points[0][1]
        if 0 < evaluation.limit < len(written):
            raise promql.CannotExecute(f"exceeded limit of {evaluation.limit} with {len(written)} series")
        return list(written.items())


@dataclass
class AlertingRule(Rule):
    hold: int = 0
    keep_firing: int = 0
    annotations: Mapping[str, str] = field(default_factory=dict)
    alerts: dict[Labels, Alert] = field(default_factory=dict)

    @property
    def state(self) -> State:
        if self.last_evaluation is None:
            return "unknown"
        return max((alert.state for alert in self.alerts.values()), key=_STATES.index, default="inactive")

    @property
    def active(self) -> list[Alert]:
        return [alert for alert in self.alerts.values() if alert.resolved_at is None]

    def take_over(self, before: Rule) -> None:
        super().take_over(before)
        if isinstance(before, AlertingRule):
            self.alerts = before.alerts

    def samples(self, found: promql.Result, evaluation: Evaluation) -> list[Sample]:
        at = evaluation.at
        current = self._found(found, evaluation)
        for labels, alert in current.items():
            known = self.alerts.get(labels)
            if known is not None and known.state != "inactive":
                known.value, known.annotations = alert.value, alert.annotations
            else:
                self.alerts[labels] = alert
        written: list[Sample] = []
        active = 0
        for labels, alert in list(self.alerts.items()):
            if not self._lives_on(alert, labels in current, at):
                continue
            active += 1
            long_enough = at - alert.active_at >= self.hold
            if alert.state == "pending" and long_enough:
                alert.state = "firing"
            elif alert.state == "firing" and not long_enough:
                alert.state, alert.keep_firing_since = "pending", None
            written += self._series(alert)
        if 0 < evaluation.limit < active:
            self.alerts.clear()
            raise promql.CannotExecute(f"exceeded limit of {evaluation.limit} with {active} alerts")
        return written

    def _found(self, found: promql.Result, evaluation: Evaluation) -> dict[Labels, Alert]:
        alerts: dict[Labels, Alert] = {}
        for series, points in found.series:
            value = points[0][1]
            alerting = templates.Alerting(dict(series), evaluation.external_labels, value)
            labels = tuple(pair for pair in series if pair[0] != NAME)
            for name, text in self.labels.items():
                labels = put(labels, name, templates.expand(text, alerting))
            labels = put(labels, "alertname", self.name)
            if labels in alerts:
                raise promql.CannotExecute("vector contains metrics with the same labelset after applying alert labels")
            annotations = {name: templates.expand(text, alerting) for name, text in self.annotations.items()}
            alerts[labels] = Alert(labels, annotations, evaluation.at, value)
        return alerts

    def _lives_on(self, alert: Alert, is_found: bool, at: int) -> bool:
        """Whether it is pending or firing still; one that is over is kept a while, inactive."""
        if is_found:
            alert.keep_firing_since = None
            return True
        keeps = False
        if alert.state == "firing" and self.keep_firing:
            if alert.keep_firing_since is None:
                alert.keep_firing_since = at
            keeps = at - alert.keep_firing_since < self.keep_firing
        is_old = alert.resolved_at is not None and at - alert.resolved_at > _RESOLVED_STAY
        if alert.state == "pending" or is_old:
            del self.alerts[alert.labels]
        if alert.state != "inactive" and not keeps:
            alert.state, alert.resolved_at = "inactive", at
        return keeps

    @staticmethod
    def _series(alert: Alert) -> list[Sample]:
        base = unnamed(alert.labels)
        return [
            (put(put(base, NAME, "ALERTS"), "alertstate", alert.state), 1.0),
            (put(base, NAME, "ALERTS_FOR_STATE"), float(alert.active_at // 1000)),
        ]


@dataclass
class Group:
    name: str
    file: Path
    interval: int
    query_offset: int
    limit: int
    rules: list[Rule]
    last_evaluation: int | None = None
    evaluation_seconds: float = 0.0

    def evaluate(self, storage: Storage, query: Query, at: int, external_labels: Mapping[str, str]) -> list[str]:
        """All the rules, one after the other; what went wrong, in words for the log."""
        began = time.perf_counter()
        self.last_evaluation = at
        evaluation = Evaluation(at, external_labels, self.limit)
        for rule in self.rules:
            self._evaluate(rule, storage, query, evaluation)
        self.evaluation_seconds = time.perf_counter() - began
        return [
            f'rule "{rule.name}" of group "{self.name}" in {self.file}: {rule.last_error}'
            for rule in self.rules
            if rule.last_error
        ]

    def _evaluate(self, rule: Rule, storage: Storage, query: Query, evaluation: Evaluation) -> None:
        began = time.perf_counter()
        moment = evaluation.at - self.query_offset
        try:
            samples = rule.samples(query(rule.expr, moment), evaluation)
            written = set()
            for labels, value in samples:
                storage.append(labels, moment, value)
                written.add(labels)
        except (promql.CannotExecute, promql.TimedOut, StoreFull) as error:
            rule.health, rule.last_error = "err", str(error)
        else:
            for labels in rule.written - written:
                storage.end(labels, moment)
            rule.written = written
            rule.health, rule.last_error = "ok", ""
        rule.last_evaluation = evaluation.at
        rule.evaluation_seconds = time.perf_counter() - began

    def take_over(self, before: Group) -> set[Labels]:
        """The state of the same group before a reload; the series that nothing here writes any more."""
        self.last_evaluation = before.last_evaluation
        left = list(before.rules)
        for rule in self.rules:
            same = next((old for old in left if _same(old, rule)), None)
            if same is not None:
                rule.take_over(same)
                left.remove(same)
        return {labels for old in left for labels in old.written}

    def forget(self) -> set[Labels]:
        """The series that it has written, when it is gone."""
        return {labels for rule in self.rules for labels in rule.written}


def _same(old: Rule, new: Rule) -> bool:
    return type(old) is type(new) and old.name == new.name and dict(old.labels) == dict(new.labels)
