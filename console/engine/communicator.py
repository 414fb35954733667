"""Sends the notices of the communication plan, each through an outbox in the journal. The session owns one.

The only caller of a notifier's `send`. A message is on disk before a byte of it leaves, and its outcome is on disk before
anybody is told of it; what lies in between when the process dies is "maybe sent", and waits for a person. Each message is a
task of its own outside any screen, under its notice's lease, so that another console can tell a message that is being sent from
one that was left behind.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Final, TypeAlias

from console.domain import events as e
from console.domain.commands import Notify, Record, RetryNotice
from console.domain.errors import ConsoleError, Refused, Undelivered, Unknown
from console.domain.incident import Incident, NoticeProgress
from console.domain.notices import given_already, mark, standing_in
from console.domain.outline import NoticeOutline
from console.domain.triggers import span
from console.engine.audiences import audience_of, is_public
from console.engine.drafts import Template, as_sent, drafted, trial
from console.engine.gateway import Gateway, Permit
from console.engine.planner import told
from console.engine.ports import Clock, Message, Notifier
from console.engine.retrying import Waits, undelivered
from console.engine.runner import Runner
from console.engine.view import Draft, ViewState

LONGEST_SEND_SECONDS: Final = 120.0
"""For notifiers without an end: each has a shorter limit of its own."""
_LEASE_PAUSES_SECONDS: Final = (0.0, 0.1, 0.3, 0.6)  # somebody who looks for what was left behind has it for a moment
_RECORD_PAUSES_SECONDS: Final = (
    0.0,
    0.5,
    2.0,
    5.0,
)  # what was sent is not unsent by a journal that is busy for a moment
_LOOK_SECONDS: Final = 0.2
_GONE: Final = "the console that sent it is gone"

Outcome: TypeAlias = e.NoticeSent | e.NoticeMaybeSent | e.NoticeFailed


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
        self._tasks: dict[str, asyncio.Task[str]] = {}
        self._shown: dict[str, str] = {}  # notice → its mark when the draft was made
        self._waits = Waits(clock)
        self._unrecorded: dict[str, Outcome] = {}
        self._leaving = False

    # ------------------------------------------------------------ asked for

    async def draft(self, notice: str) -> Draft:
        """The message as it would be sent now. A notice that people give by other means has one too, for them to read."""
        await self._runner.refresh()
        incident = self._runner.incident
        outline = _outline(incident, notice)
        notifier = self._notifiers.get(notice)
        longest = notifier.longest if notifier else None
        self._shown[notice] = mark(incident.notices.get(notice))
        words = drafted(self._templates.get(notice, Template()), outline, self._view(), longest)
        return Draft(
            notice=notice,
            title=outline.title,
            channel=outline.channel,
            to=notifier.destination if notifier else "",
            subject=words.subject,
            text=words.text,
            longest=longest,
            already=self._already(incident, outline),
        )

    async def notify(self, notice: str, subject: str, text: str, again: str = "") -> str:
        """Sends it as it was seen, and gives what came of it in words, once that is on disk. Refused: nothing was sent.

        The caller may go away; the message does not. Nothing is sent if the notice became another since it was drafted.
        """
        self._may_act()
        await self.settle_left_behind(notice)
        follows = self._shown.pop(notice, mark(self._runner.incident.notices.get(notice)))
        await self._runner.refresh()
        incident = self._runner.incident
        _outline(incident, notice)
        notifier = self._notifier(notice)
        words = as_sent(subject, text, drill=incident.mode == "drill")
        if notifier.longest is not None and len(words.text) > notifier.longest:
            raise Refused(
                f"the text has {len(words.text):,} characters, and {notifier.destination} takes {notifier.longest:,}",
                "shorten it; nothing was sent",
            )
        if self._sends(notice):
            raise Refused(f"notice {notice} is being sent just now", "wait for its outcome")
        held = await self._lease(notice)
        try:
            last = self._runner.incident.notices.get(notice)
            same = last and (last.subject, last.text, last.to) == (words.subject, words.text, notifier.destination)
            may_have_arrived = last is not None and last.state == "maybe_sent"
            op = last.op if last and same and may_have_arrived else secrets.token_hex(8)
            await self._runner.submit(
                Notify(
                    notice,
                    op,
                    words.subject,
                    words.text,
                    notifier.destination,
                    again,
                    at=self._clock.now(),
                    follows=follows,
                )
            )
        except BaseException:
            held.close()
            raise
        return await asyncio.shield(self._begin(notice, notifier, held))

    async def see_through(self, notice: str, seconds: float, leave: asyncio.Event | None = None) -> None:
        """For a command that ends afterwards: carries out the retries that fall due within this time, one after the other."""
        ends = self._clock.monotonic() + seconds
        while (progress := self._to_retry(notice)) and not (leave and leave.is_set()):
            left = self._waits.left_seconds(progress)
            if left is None or left >= ends - self._clock.monotonic():
                return
            await self._clock.sleep(max(0.02, min(_LOOK_SECONDS, left)))
            await self._runner.refresh()  # another console may be faster
            if self._waits.left_seconds(progress) == 0 and (task := await self._retry(notice, progress)):
                await asyncio.shield(task)

    async def try_channel(self, notice: str) -> str:
        """Sends a marked test message outside of any incident: it counts for nothing and is not recorded.

        Raises Undelivered or Unknown, as the channel answers.
        """
        await self._runner.refresh()
        notifier = self._notifier(notice)
        op = secrets.token_hex(8)
        view = self._view()
        title, channel = next(((n.title, n.channel) for n in view.notices if n.id == notice), (notice, ""))
        if is_public(channel):
            raise Refused(
                f"{notifier.destination} is read by the public: a test has no place there", "try it elsewhere"
            )
        drill = self._gateway.mode == "drill"
        words = trial(view.incident.title, title, self._runner.actor, f"{view.at:%Y-%m-%d %H:%M} UTC")
        words = as_sent(words.subject, words.text, drill=drill)
        permit = self._gateway.permit_trial(self._runner.incident, notice, op)
        message = Message(op, notice, words.subject, words.text, "", view.incident.title, None, drill)
        try:
            return await self._sent(notifier, message, permit)
        except ConsoleError:
            raise
        except Exception as error:  # noqa: BLE001 - it may have been sent
            raise Unknown(told(error)) from None

    def destination(self, notice: str) -> str:
        """Where the channel of a notice goes, for people. Refused when it has none."""
        return self._notifier(notice).destination

    # ------------------------------------------------------------ by itself

    async def tend(self) -> None:
        """Now and then, by a console that acts: what a dead console left under way, and retries whose time has come."""
        if self._leaving or self._runner.incident.phase == "none":
            return
        for notice, outcome in list(self._unrecorded.items()):
            await self._record(notice, outcome, pauses=(0.0,))
        await self.settle_left_behind()
        for notice in list(self._runner.incident.notices):
            progress = self._to_retry(notice)
            if progress and self._waits.left_seconds(progress) == 0:
                await self._retry(notice, progress)

    async def settle_left_behind(self, *notices: str) -> tuple[str, ...]:
        """Of the named ones, or of all: a message that nobody alive is sending may have been sent. That is all that anybody
        can say, and it is recorded; a line for each.
        """
        found = notices or tuple(self._runner.incident.notices)
        return tuple([line for notice in found if self._stray(notice) and (line := await self._settle(notice))])

    async def _settle(self, notice: str) -> str:
        with ExitStack() as held:
            if not self._taken(notice, held):
                return ""  # it is being sent
            await self._runner.refresh()  # its outcome may have come with the end of the lease
            progress = self._runner.incident.notices.get(notice)
            if progress is None or not self._stray(notice):
                return ""
            await self._runner.submit(Record(e.NoticeMaybeSent(notice, progress.op, _GONE)))
        return f"notice {notice} may have been sent: {_GONE}"

    async def drain(self) -> None:
        """For leaving: waits for the messages under way; nothing else begins."""
        self._leaving = True
        if self._tasks:
            await asyncio.wait(self._tasks.values())  # not gather: whoever gives up waiting must not cancel a message

    # ------------------------------------------------------------ one message

    def _begin(self, notice: str, notifier: Notifier, held: ExitStack) -> asyncio.Task[str]:
        """The message whose sending is on disk leaves, in a task of its own."""
        task = asyncio.create_task(self._deliver(notice, notifier, held), name=f"send notice {notice}")
        self._tasks[notice] = task
        return task

    async def _deliver(self, notice: str, notifier: Notifier, held: ExitStack) -> str:
        with held:
            progress = self._runner.incident.notices[notice]
            outcome = await self._outcome(notice, progress, notifier)
            return await self._record(notice, outcome)

    async def _outcome(self, notice: str, progress: NoticeProgress, notifier: Notifier) -> Outcome:
        try:
            permit = self._gateway.permit_notice(self._runner.incident, notice, progress.op, self._runner.epoch)
        except Refused as error:
            return e.NoticeFailed(notice, progress.op, str(error))
        try:
            detail = await self._sent(notifier, self._message(notice, progress), permit)
        except Undelivered as error:
            return undelivered(notice, progress, error)
        except Refused as error:
            return e.NoticeFailed(notice, progress.op, str(error))
        except Exception as error:  # noqa: BLE001 - it may have been sent: only a person can find out
            return e.NoticeMaybeSent(notice, progress.op, told(error))
        return e.NoticeSent(notice, progress.op, detail)

    async def _sent(self, notifier: Notifier, message: Message, permit: Permit) -> str:
        sending = asyncio.ensure_future(notifier.send(message, permit))
        too_long = asyncio.ensure_future(self._clock.sleep(LONGEST_SEND_SECONDS))
        try:
            await asyncio.wait((sending, too_long), return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and not sending.cancelled():
                return sending.result()
        finally:
            sending.add_done_callback(_forget)
            sending.cancel()
            too_long.cancel()
        what = "the sending was broken off" if sending.cancelled() else f"no answer within {span(LONGEST_SEND_SECONDS)}"
        raise Unknown(what, "see whether it arrived")

    def _message(self, notice: str, progress: NoticeProgress) -> Message:
        incident = self._runner.incident
        return Message(
            op=progress.op,
            notice=notice,
            subject=progress.subject,
            text=progress.text,
            incident=incident.id,
            title=incident.title,
            audience=audience_of(_outline(incident, notice)),
            drill=incident.mode == "drill",
            resolved=progress.resolved,
        )

    async def _record(self, notice: str, outcome: Outcome, pauses: tuple[float, ...] = _RECORD_PAUSES_SECONDS) -> str:
        """What is known is kept and tried again by `tend`, while this process lives; with its death it becomes "maybe"."""
        self._unrecorded[notice] = outcome
        problem: ConsoleError | None = None
        for pause in pauses:
            await self._clock.sleep(pause)
            try:
                await self._runner.submit(Record(outcome))
            except ConsoleError as error:
                problem = error
                if not self._under_way(notice, outcome.op):
                    break  # somebody else settled it, or another incident has begun
            else:
                del self._unrecorded[notice]
                return self._words(notice, outcome)
        if not self._under_way(notice, outcome.op):
            del self._unrecorded[notice]
        return f"{self._words(notice, outcome)}; this is not in the record: {problem}"

    def _words(self, notice: str, outcome: Outcome) -> str:
        if isinstance(outcome, e.NoticeSent):
            return f"sent to {self._notifiers[notice].destination}: {outcome.detail}"
        if isinstance(outcome, e.NoticeMaybeSent):
            return outcome.reason
        again = "" if outcome.retry_seconds is None else f"; tried again in {span(outcome.retry_seconds)}"
        return f"not delivered: {outcome.reason}{again}"

    # ------------------------------------------------------------ retries

    def _to_retry(self, notice: str) -> NoticeProgress | None:
        """The failed message that is tried again by itself, word for word and to the same place, while it is awaited."""
        incident = self._runner.incident
        progress, outline = incident.notices.get(notice), incident.outline.notice(notice)
        notifier = self._notifiers.get(notice)
        if progress is None or outline is None or notifier is None or progress.retry_at is None:
            return None
        if standing_in(incident, outline, self._clock.now()).state != "failed" or notice in self._unrecorded:
            return None
        return progress if progress.to == notifier.destination else None

    async def _retry(self, notice: str, progress: NoticeProgress) -> asyncio.Task[str] | None:
        """None when another console is faster, or the retry is not wanted any more."""
        if self._leaving:
            return None
        held = ExitStack()
        if not self._taken(notice, held):
            return None
        try:
            await self._runner.submit(RetryNotice(notice, progress.op, progress.attempt + 1))
        except Refused:
            held.close()
            return None
        except BaseException:
            held.close()
            raise
        return self._begin(notice, self._notifiers[notice], held)

    # ------------------------------------------------------------ small things

    def _may_act(self) -> None:
        self._gateway.refuse_unless_effects_allowed()
        if self._leaving:
            raise Refused("this console is closing", "nothing was sent")

    def _notifier(self, notice: str) -> Notifier:
        notifier = self._notifiers.get(notice)
        if notifier is None:
            known = ", ".join(self._notifiers) or "none"
            if self._runner.incident.outline.notice(notice) or any(n.id == notice for n in self._view().notices):
                raise Refused(
                    f"notice {notice} has no channel: people give it", f'tell them, then: ack {notice} --note "…"'
                )
            raise Refused(f'there is no notice "{notice}" with a channel', f"notices with one: {known}")
        return notifier

    async def _lease(self, notice: str) -> ExitStack:
        """Refused when another console is sending this very notice."""
        held = ExitStack()
        for pause in _LEASE_PAUSES_SECONDS:
            await self._clock.sleep(pause)
            if self._taken(notice, held):
                return held
        lease = self._runner.journal.outbox_lease(notice)
        if not lease.held():
            held.enter_context(lease.acquire())  # says why it can't be taken, or can by now
            return held
        raise Refused(f"notice {notice} is being sent by another console", "status shows what came of it")

    def _taken(self, notice: str, held: ExitStack) -> bool:
        """Whether the notice's lease was free and is now in `held`. Never waits for whoever has it."""
        lease = self._runner.journal.outbox_lease(notice)
        if lease.held():
            return False
        try:
            held.enter_context(lease.acquire())
        except Refused:
            return False
        return True

    def _stray(self, notice: str) -> bool:
        progress = self._runner.incident.notices.get(notice)
        mine = self._sends(notice) or notice in self._unrecorded
        return progress is not None and progress.state == "sending" and not mine

    def _sends(self, notice: str) -> bool:
        task = self._tasks.get(notice)
        return task is not None and not task.done()

    def _under_way(self, notice: str, op: str) -> bool:
        progress = self._runner.incident.notices.get(notice)
        return progress is not None and progress.state == "sending" and progress.op == op

    def _already(self, incident: Incident, outline: NoticeOutline) -> str:
        progress = incident.notices.get(outline.id)
        if progress and progress.state == "sending":
            return f"it is being sent since {progress.at:%H:%M:%S} UTC"
        if progress is None or not given_already(incident, outline, self._clock.now()):
            return ""
        at = f"{progress.at:%H:%M:%S} UTC"
        if progress.state == "maybe_sent":
            return f"it may have been sent at {at}: {progress.detail}"
        word = "sent" if progress.state == "sent" else "given by other means"
        note = f": {progress.detail}" if progress.state == "acknowledged" else ""
        return f"it was {word} at {at} by {progress.by}{note}"


def _forget(sending: asyncio.Future[str]) -> None:
    """What comes of a message that nobody waits for any more is of no account, and no defect either."""
    if not sending.cancelled():
        sending.exception()


def _outline(incident: Incident, notice: str) -> NoticeOutline:
    if incident.phase == "none":
        raise Refused("no incident is declared: there is nothing to tell", 'declare one first: declare --reason "…"')
    outline = incident.outline.notice(notice)
    if outline is None:
        known = ", ".join(n.id for n in incident.outline.notices) or "none"
        raise Refused(f'there is no notice "{notice}"', f"notices: {known}")
    return outline
