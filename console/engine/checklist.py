"""Runs the automatic checks side by side, each within its own time, and records the evidence. The session owns one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from console.domain.commands import Record
from console.domain.errors import ConsoleError, Failed, Refused
from console.domain.events import BaselineTaken, CheckRan
from console.domain.outline import Outline
from console.domain.triggers import span
from console.engine.planner import told
from console.engine.ports import Check, Clock, Evidence, Known, Measurement
from console.engine.runner import Runner

DEFAULT_TIMEOUT_SECONDS = 10.0


class Checklist:
    """`running` are the checks under way; `unrecorded` is what was found while no incident was open to keep it."""

    def __init__(
        self,
        runner: Runner,
        outline: Outline,
        checks: Mapping[str, Check],
        timeouts: Mapping[str, float],
        clock: Clock,
        known: Callable[[], Known],
    ) -> None:
        self.running: set[str] = set()
        self.unrecorded: dict[str, Evidence] = {}
        self._runner = runner
        self._outline = outline
        self._checks = checks
        self._timeouts = timeouts
        self._clock = clock
        self._known = known

    async def run(self, ids: Sequence[str] = ()) -> dict[str, Evidence]:
        """Runs the named checks, or all that need no person; those already under way are left to it."""
        wanted = [i for i in self._wanted(ids) if i not in self.running]
        found = await asyncio.gather(*(self._one(i) for i in wanted))
        return dict(zip(wanted, found, strict=True))

    def _wanted(self, ids: Sequence[str]) -> list[str]:
        by_person = [c.id for c in self._outline.checks if c.by_person]
        for check_id in ids:
            if check_id in by_person:
                raise Refused(f"check {check_id} is a person's word", f"sign it: sign {check_id} --note …")
            if check_id not in self._checks:
                known = ", ".join(i for i in self._checks if i not in by_person) or "none"
                raise Refused(f'there is no check "{check_id}"', f"checks to run: {known}")
        return list(dict.fromkeys(ids)) or [i for i in self._checks if i not in by_person]

    async def _one(self, check_id: str) -> Evidence:
        self.running.add(check_id)
        before, started = self._runner.incident.last_change_seq, self._clock.monotonic()
        try:
            evidence = await self._evidence(check_id)
        finally:
            self.running.discard(check_id)
        await self._runner.refresh()  # another console may have sent something meanwhile
        if self._runner.incident.last_change_seq != before:
            text = f"a step was sent while it ran; run it again (it said: {evidence.text})"
            evidence = Evidence("unknown", text, evidence.detail)
        await self._keep(check_id, evidence, self._clock.monotonic() - started)
        return evidence

    async def _evidence(self, check_id: str) -> Evidence:
        seconds = self._timeouts.get(check_id, DEFAULT_TIMEOUT_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                return await self._made(check_id)
        except TimeoutError:
            return Evidence("unknown", f"no answer within {span(seconds)}, its timeout in the procedure")
        except Failed as error:
            return Evidence("fail", str(error))
        except Exception as error:  # noqa: BLE001 - a check that can't be made has not passed, whatever the cause
            return Evidence("unknown", told(error))

    async def _made(self, check_id: str) -> Evidence:
        check = self._checks[check_id]
        if compare := getattr(check, "compare", None):
            compared: Evidence = await compare(check_id, self._known())
            return compared
        return await check.run()

    @property
    def compared(self) -> tuple[str, ...]:
        """The checks that are judged against what the console knows, the triggers' verdicts among it."""
        return tuple(i for i, check in self._checks.items() if hasattr(check, "compare"))

    @property
    def measured(self) -> tuple[str, ...]:
        """The checks whose standard is taken beforehand."""
        return tuple(i for i, check in self._checks.items() if hasattr(check, "measure"))

    async def measure(self, ids: Sequence[str] = ()) -> tuple[BaselineTaken, ...]:
        """What the named checks measure as their standard, or all that take one, side by side. All of it or nothing.

        Raises Refused for a check that takes none, Failed when one can't be measured.
        """
        for check_id in ids:
            if check_id not in self.measured:
                known = ", ".join(self.measured) or "none"
                raise Refused(f'there is no check "{check_id}" that takes a baseline', f"checks that do: {known}")
        if not self.measured:
            raise Refused("no check of the procedure takes a baseline", 'add one of kind = "baseline"')
        wanted = tuple(dict.fromkeys(ids)) or self.measured
        found = await asyncio.gather(*(self._baseline(i, self._checks[i]) for i in wanted), return_exceptions=True)
        taken = []
        for one in found:
            if isinstance(one, BaseException):
                raise one
            taken.append(one)
        return tuple(taken)

    async def _baseline(self, check_id: str, check: Any) -> BaselineTaken:
        seconds = self._timeouts.get(check_id, DEFAULT_TIMEOUT_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                found: Measurement = await check.measure(self._known())
        except TimeoutError:
            raise Failed(f"{check_id}: no answer within {span(seconds)}", "no baseline was taken") from None
        except Failed as error:
            raise Failed(f"{check_id}: {error.message}", error.hint or "no baseline was taken") from None
        return BaselineTaken(check_id, found.value, found.unit, found.of)

    async def _keep(self, check_id: str, evidence: Evidence, seconds: float) -> None:
        """In the journal while an incident is open; a check of the file that the incident doesn't know stays here."""
        self.unrecorded[check_id] = evidence
        incident = self._runner.incident
        if incident.phase != "open" or incident.check_outline(check_id) is None:
            return
        try:
            ran = CheckRan(check_id, evidence.outcome, evidence.text, round(seconds, 3), evidence.detail)
            await self._runner.submit(Record(ran))
        except ConsoleError as error:
            self.unrecorded[check_id] = Evidence("unknown", f"{evidence.text}; not recorded: {error}")
            raise
        self.unrecorded.pop(check_id, None)
