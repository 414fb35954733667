"""What the actions of the communication plan do: draft and send, record as told, put off, say what is touched, follow up.

`flows.py` inherits it. A message that was written and not sent is kept while the console is open.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from console.ui.acting import Acting
from console.ui.bridge import Problem
from console.ui.widgets.communication import GIVEN, by_urgency

if TYPE_CHECKING:
    from datetime import datetime

    from console.domain.outline import Section
    from console.engine.view import Console, FollowUpView, NoticeView
    from console.ui.bridge import Bridge
    from console.ui.screens.compose import ComposeScreen, Written
    from console.ui.screens.impact import Said
    from console.ui.screens.main import MainScreen

_CLOSED = "No incident is open: there is nobody to tell."


class Telling(Acting):
    def __init__(self, screen: MainScreen, bridge: Bridge) -> None:
        super().__init__(screen, bridge)
        self._unsent: dict[str, Written] = {}

    # ------------------------------------------------------------ a notice

    def notify(self, target: str) -> None:
        """Shows the draft; it goes when the person says so there. After the incident it tells that it is over."""
        notice = self._notice(target, after_the_end=True)
        if notice is None:
            return
        if notice.state == "sending":
            self._say(f"{notice.title} is being sent just now.")
            return
        from console.ui.screens.compose import ComposeScreen, Ways

        def keep(written: Written | None) -> None:
            if written is None:
                self._unsent.pop(notice.id, None)
            else:
                self._unsent[notice.id] = written

        ways = Ways(
            draft=lambda came, failed: self._bridge.run(lambda console: console.draft(notice.id), came, failed),
            send=lambda subject, text, again: self._hand_over(screen, notice, (subject, text, again)),
            tell=lambda: self.acknowledge(notice.id),
            keep=keep,
        )
        wording = self._screen.communication.wording
        screen = ComposeScreen(notice, self._view, wording, ways, self._unsent.get(notice.id))
        self._open(screen)

    def _hand_over(self, screen: ComposeScreen, notice: NoticeView, message: tuple[str, str, str]) -> None:
        """A refusal goes back into the screen that asked; what came of it later is said above the NEXT line."""
        subject, text, again = message
        self._say(f"Sending: {notice.title}. The panel shows how far it is.")

        def failed(problem: Problem) -> None:
            if screen.is_current:
                self._screen.message.clear()
                screen.refused(problem)
            else:
                self._screen.message.report(problem)

        def done(told: str) -> None:
            if screen.is_current:
                screen.dismiss()
            self._bridge.poll()
            self._outcome(notice, told)

        self._bridge.run(lambda console: console.notify(notice.id, subject, text, again), done, failed)

    def _outcome(self, notice: NoticeView, told: str) -> None:
        now = next((n for n in self._view.notices if n.id == notice.id), notice)
        if now.state == "maybe_sent":
            hint = f"look whether it arrived; then {self._key('acknowledge')} records it, {self._key('notify')} sends it again"
            self._screen.message.report(Problem("Unknown", f"{notice.title}: maybe sent: {told}", hint))
        elif now.state == "failed" and now.retry_at is not None:
            self._screen.message.report(Problem("Failed", f"{notice.title}: {told}", "the panel shows how far it is"))
        elif now.state == "failed":
            hint = f"{self._key('notify')} opens it again, as you wrote it"
            self._screen.message.report(Problem("Failed", f"{notice.title}: {told}", hint))
        else:
            self._unsent.pop(notice.id, None)
            self._say(f"{notice.title}: {told}")

    def acknowledge(self, target: str) -> None:
        """Records that it was given by other means, or that a message in doubt has arrived."""
        notice = self._notice(target, after_the_end=True)
        if notice is None:
            return
        if self._view.incident.state != "open" and notice.state != "maybe_sent":
            self._say(_CLOSED)
            return
        if notice.state in GIVEN and not notice.repeats:
            word = self._screen.communication.wording.notice(notice).word
            self._say(f"{notice.title} is recorded as {word} already.")
            return
        from console.ui.screens.prompt import Question

        ask = "Who was told, and how?"
        if notice.state == "maybe_sent":
            ask = f"Did it arrive, and how do you know? {notice.note}"
        question = Question(f"Told: {notice.title}", ask, "Record")
        self._ask(question, lambda console, note: console.acknowledge(notice.id, note), f"Recorded: {notice.title}.")

    def snooze(self, target: str) -> None:
        notice = self._notice(target)
        if notice is None:
            return
        if notice.state in ("sending", "maybe_sent"):
            self._say(f"{notice.title} is on its way or in doubt: that can't be put off.")
            return
        if notice.due_in_seconds is None:
            self._say(f"{notice.title} is not awaited, so there is nothing to put off.")
            return
        from console.ui.screens.prompt import PromptScreen, Question

        question = Question(
            f"Put off: {notice.title}", "For how many minutes, and why? Such as: 10 waiting for legal", "Put off"
        )

        def send(text: str) -> None:
            delay = delay_of(text)
            if delay is None:
                hint = "such as: 10 waiting for legal"
                screen.refused(Problem("Refused", "this needs the minutes first, and then a reason", hint))
                return
            self._send(
                screen,
                lambda console: console.snooze(notice.id, delay.seconds, delay.reason),
                f"Put off for {delay.seconds // 60:.0f} min: {notice.title}.",
            )

        screen = PromptScreen(question, send)
        self._open(screen)

    # ------------------------------------------------------------ what the incident touches

    def impact(self, _: str) -> None:
        impacts = self._view.impacts
        if self._view.incident.state != "open":
            self._say(_CLOSED)
            return
        if not impacts:
            self._say("No notice of the procedure hangs on what the incident touches.")
            return
        from console.ui.screens.impact import ImpactScreen

        async def record(console: Console, said: Said, note: str) -> None:
            for impact, applies in said:
                await console.state_impact(impact, applies, note)

        def send(said: Said, note: str) -> None:
            brought = [impact for impact, applies in said if applies]
            notices = [n.title for n in self._view.notices if n.impact in brought]
            told = f"Recorded. To be told now: {', '.join(notices)}." if notices else "Recorded."
            self._send(screen, lambda console: record(console, said, note), told)

        screen = ImpactScreen(impacts, self._screen.communication.wording, send)
        self._open(screen)

    # ------------------------------------------------------------ after the rollback

    def followups(self, _: str) -> None:
        if self._bridge.view is None:
            return
        from console.ui.screens.followups import FollowUpsScreen

        acts = self._view.incident.mode != "observe" and self._view.incident.state != "none"
        wording = self._screen.communication.wording
        add = self._add_followup if acts else None
        self._open(FollowUpsScreen(self._view, wording, add, self._finish_followup))

    def _add_followup(self) -> None:
        from console.ui.screens.followup import FollowUpScreen

        def send(section: Section, text: str, assignee: str, due_at: datetime | None) -> None:
            self._send(
                screen, lambda console: console.add_followup(section, text, assignee, due_at), f"To be done: {text}."
            )

        screen = FollowUpScreen(self._screen.communication.wording, self._view.at, send)
        self._open(screen)

    def _finish_followup(self, item: FollowUpView) -> None:
        from console.ui.screens.prompt import Question

        question = Question(f"Done: {item.text}", "How was it done? Your name goes with it.", "Record")
        self._ask(question, lambda console, note: console.finish_followup(item.id, note), f"Done: {item.text}.")

    # ------------------------------------------------------------ which one is meant

    def _notice(self, target: str, *, after_the_end: bool = False) -> NoticeView | None:
        """The named one; in the panel the selected one; from elsewhere the one that is most urgent."""
        phase = self._view.incident.state
        if phase == "none" or (phase == "resolved" and not after_the_end):
            self._say(_CLOSED)
            return None
        chosen = target
        if not chosen and self._screen.active.id != "communication" and self._view.notices:
            chosen = by_urgency(self._view.notices)[0].id
        return self._selected(self._view.notices, "communication", chosen)

    def _key(self, action_id: str) -> str:
        return self._screen.keys.of(action_id)


class Delay(NamedTuple):
    seconds: float
    reason: str


_DELAY = re.compile(r"(\d{1,4})\s*(?:(h|hours?)|m|min|minutes?)?[\s:,]+(\S.*)", re.IGNORECASE)


def delay_of(text: str) -> Delay | None:
    """ "10 waiting for legal", "10 min: …", "1h …": minutes unless hours are said. None without a number or a reason."""
    found = _DELAY.fullmatch(text.strip())
    if found is None or not int(found[1]):
        return None
    return Delay(int(found[1]) * (3600.0 if found[2] else 60.0), found[3])
