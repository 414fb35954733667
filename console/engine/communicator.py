"""Sends the notices of the communication plan, each through an outbox in the journal. The session owns one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from console.domain.errors import Refused
from console.engine.drafts import Template
from console.engine.gateway import Gateway
from console.engine.ports import Clock, Notifier
from console.engine.runner import Runner
from console.engine.view import Draft, ViewState


class Communicator:
    def __init__(
        self,
        runner: Runner,
        gateway: Gateway,
        clock: Clock,
        notifiers: Mapping[str, Notifier],
        templates: Mapping[str, Template],
        view: Callable[[], ViewState],
    ) -> None:
        self._runner = runner
        self._gateway = gateway
        self._clock = clock
        self._notifiers = notifiers
        self._templates = templates
        self._view = view

    async def draft(self, notice: str) -> Draft:
        raise Refused(f"notice {notice} can't be drafted")

    async def notify(self, notice: str, subject: str, text: str, again: str = "") -> str:
        raise Refused(f"notice {notice} can't be sent: {subject}{text}{again}")

    async def tend(self) -> None:
        """Now and then, by a console that acts: what a dead console left under way, and retries whose time has come."""

    async def drain(self) -> None:
        """For leaving: waits for the messages under way."""
