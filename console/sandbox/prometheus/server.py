"""The server without its web interface: configuration, scrapes and rules by one clock, and what a reload does to them.

A reload that fails leaves the old rules and targets in place, as Prometheus does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from console.engine.clock import SystemClock
from console.engine.ports import Clock
from console.sandbox.prometheus import configuration, promql, rule_files
from console.sandbox.prometheus.configuration import Configuration
from console.sandbox.prometheus.documents import Unusable
from console.sandbox.prometheus.rules import Group
from console.sandbox.prometheus.scraping import Feed, Target, targets_of
from console.sandbox.prometheus.storage import Storage

_LOG_LINES: Final = 200
_IDLE_SECONDS: Final = 5.0


@dataclass
class _Due:
    """Something that is done at every so many milliseconds, and when it is next."""

    interval: int
    next: int

    def is_due(self, now: int) -> int | None:
        """The latest of its times that has come; those before it, which nobody saw, are left out as Prometheus does."""
        if self.next - now > self.interval:  # the clock was set back
            self.next = now
        if now < self.next:
            return None
        at = now - (now - self.next) % self.interval
        self.next = at + self.interval
        return at


class PrometheusServer:
    """Call `reload` once, then `tick` whenever time has passed, or let `run` do that."""

    def __init__(
        self,
        config_file: Path,
        feeds: Mapping[str, Feed] | None = None,
        *,
        clock: Clock | None = None,
        storage: Storage | None = None,
    ) -> None:
        self.config_file = config_file
        self.feeds = dict(feeds or {})
        """By the name of the job; a job without a feed is down. May be changed at any time."""
        self.clock = clock or SystemClock()
        self.storage = Storage() if storage is None else storage
        self.targets: list[Target] = []
        self.groups: list[Group] = []
        self.configuration = Configuration(configuration.MINUTE, 0, {}, (), (), "")
        self.started = self.now()
        self.last_reload_ok = False
        self.last_reload_at: int | None = None
        self.log: deque[str] = deque(maxlen=_LOG_LINES)
        """What a Prometheus would write to its log: what could not be loaded or evaluated."""
        self._scrapes: list[tuple[Target, _Due]] = []
        self._evaluations: list[tuple[Group, _Due]] = []

    def now(self) -> int:
        """Milliseconds since 1970."""
        return round(self.clock.now().timestamp() * 1000)

    @property
    def pools(self) -> list[str]:
        """The jobs that are scraped, also those that have no target."""
        return sorted(job.name for job in self.configuration.jobs)

    # ------------------------------------------------------------ configuration

    def reload(self) -> None:
        """Reads all the files again; raises Unusable with the text of the answer, the log tells which file and why."""
        self.last_reload_ok = False
        file = f'(--config.file="{self.config_file}")'
        try:
            found = configuration.load(self.config_file)
        except Unusable as error:
            self.log.append(str(error))
            raise Unusable(f"couldn't load configuration {file}: {error}") from None
        now = self.now()
        self.configuration = found  # all but the rules take it over, whatever the rules are like
        self._take_targets(found, now)
        try:
            groups = self._load_groups(found)
        except Unusable as error:
            self.log.append(f"loading groups failed: {error}")
            raise Unusable(f"one or more errors occurred while applying the new configuration {file}") from None
        self._take_groups(groups, now)
        self.last_reload_ok = True
        self.last_reload_at = now

    def _load_groups(self, found: Configuration) -> list[Group]:
        groups = []
        for path in found.rule_files:
            groups += rule_files.load(path, found.evaluation_interval, found.query_offset)
        return sorted(groups, key=lambda group: (str(group.file), group.name))

    def _take_targets(self, found: Configuration, now: int) -> None:
        before = {id(target): due for target, due in self._scrapes}
        targets = targets_of(found.jobs, self.targets)
        for target in self.targets:
            if target not in targets:
                target.end(self.storage, now)
        self.targets = targets
        self._scrapes = [(one, before.get(id(one)) or _Due(one.job.interval, now)) for one in targets]

    def _take_groups(self, groups: list[Group], now: int) -> None:
        before = {(group.file, group.name): (group, due) for group, due in self._evaluations}
        self._evaluations = []
        for group in groups:
            due = _Due(group.interval, now)
            if (group.file, group.name) in before:
                old, old_due = before.pop((group.file, group.name))
                self._end(group.take_over(old), now)
                due = old_due if old.interval == group.interval else due
            self._evaluations.append((group, due))
        for old, _ in before.values():
            self._end(old.forget(), now)
        self.groups = groups

    def _end(self, series: set[tuple[tuple[str, str], ...]], now: int) -> None:
        for labels in series:
            self.storage.end(labels, now)

    # ------------------------------------------------------------ time

    def tick(self) -> None:
        """Does what has become due: scrapes first, so that the rules see them."""
        now = self.now()
        for target, due in self._scrapes:
            at = due.is_due(now)
            if at is not None:
                target.scrape(self.feeds.get(target.job.name), self.storage, at)
        for group, due in self._evaluations:
            at = due.is_due(now)
            if at is not None:
                self.log.extend(group.evaluate(self.storage, self._query, at, self.configuration.external_labels))

    def seconds_to_next(self) -> float:
        nexts = [due.next for _, due in (*self._scrapes, *self._evaluations)]
        until = (min(nexts) - self.now()) / 1000 if nexts else _IDLE_SECONDS
        return min(max(until, 0.0), _IDLE_SECONDS)

    async def run(self) -> None:
        while True:
            self.tick()
            await self.clock.sleep(self.seconds_to_next())
            await asyncio.sleep(0)  # a clock that does not wait must not starve the rest

    # ------------------------------------------------------------ queries

    @property
    def default_step(self) -> int:
        """Of a subquery that names none."""
        return self.configuration.evaluation_interval

    def _query(self, expr: promql.Expr, at: int) -> promql.Result:
        found = promql.instant(self.storage, expr, at, default_step=self.default_step)
        if found.sort not in ("vector", "scalar"):
            raise promql.CannotExecute("rule result is not a vector or scalar")
        return found
