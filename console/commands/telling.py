"""`notify`, `snooze` and `impact`: the communication plan from the command line.

`notify` ends when it knows what became of the message, and says no more than that: sent (0), not delivered (1), or nobody can
say (3). What can be delivered later is tried again while it waits, and after that by any console that stays open.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.commands import exits
from console.commands.incident import decided
from console.commands.interrupts import on_signals
from console.commands.invocation import Invocation, UsageProblem, one_line
from console.domain.errors import Undelivered, Unknown

if TYPE_CHECKING:
    from console.domain.outline import Impact
    from console.engine.session import Session
    from console.engine.view import Draft, NoticeView

SEE_THROUGH_SECONDS: Final = 20.0
"""How long the command stays for retries: long enough for a channel that asks to slow down, not for one that is down."""
_LONGEST_FILE_BYTES: Final = 256 * 1024
_IMPACTS: Final[dict[str, Impact]] = {"user-facing": "user_facing", "compliance": "compliance", "security": "security"}
_WORDS: Final[dict[Impact, tuple[str, str]]] = {
    "user_facing": ("users are touched", "users are not touched"),
    "compliance": ("compliance is touched", "compliance is not touched"),
    "security": ("security is touched", "security is not touched"),
}


async def notify(invocation: Invocation) -> int:
    args = invocation.args
    text = _text(args.text, args.text_file)  # before anything is opened: the file may not be there
    if args.test:
        return await _try_channel(invocation, text)
    async with invocation.session(acts=not args.dry_run) as session:
        if not args.dry_run:
            await session.revise()
        await session.look()  # the draft tells what is so now
        draft = await session.draft(args.notice)
        subject = draft.subject if args.subject is None else args.subject
        text = draft.text if text is None else text
        if args.dry_run:
            return _show(invocation, draft, subject, text)
        return await _send(invocation, session, subject, text)


async def snooze(invocation: Invocation) -> int:
    args = invocation.args
    seconds, reason = _seconds(args.duration), one_line(args.reason)
    return await decided(
        invocation, lambda s: s.snooze(args.notice, seconds, reason), f"{args.notice} is put off for {args.duration}"
    )


async def impact(invocation: Invocation) -> int:
    args = invocation.args
    touched, applies = _IMPACTS[args.impact], args.applies == "yes"
    note = one_line(args.note)
    said = _WORDS[touched][0 if applies else 1]
    return await decided(invocation, lambda s: s.state_impact(touched, applies, note), said)


# ------------------------------------------------------------ sending


async def _send(invocation: Invocation, session: Session, subject: str, text: str) -> int:
    args, out = invocation.args, invocation.out
    leave = asyncio.Event()

    def told(_: object) -> None:
        if not leave.is_set():
            out.aside("rollback-console: waiting for the answer to what is under way; nothing more is tried")
        leave.set()

    with on_signals(told):
        said = await session.notify(args.notice, subject, text, one_line(args.again))
        await session.communicator.see_through(args.notice, SEE_THROUGH_SECONDS, leave)
    notice = next(n for n in session.view().notices if n.id == args.notice)
    return _outcome(invocation, notice, session.runner.incident.notices[notice.id].detail, said)


def _outcome(invocation: Invocation, notice: NoticeView, detail: str, said: str) -> int:
    """By the state that is on record, whoever brought it about. `said` is what was known before it was recorded."""
    from console.engine.status import notice_json, rfc3339

    out = invocation.out
    code = {"maybe_sent": exits.UNKNOWN, "sent": exits.DONE}.get(notice.state, exits.FAILED)
    out.json({"notice": notice_json(notice), "retry_at": rfc3339(notice.retry_at), "exit_code": code})
    if notice.state == "sent":
        out.line(f"{notice.id} is sent to {notice.to}: {detail}", "good")
    elif notice.state == "maybe_sent":
        out.line(f"{notice.id} MAY have been sent to {notice.to}: {detail}", "alarm")
        out.line(f'look there; then: ack {notice.id} --note "it arrived"', "attention")
        out.line(f'              or: notify {notice.id} --again "it did not arrive"', "attention")
    elif notice.state == "failed":
        out.line(f"{notice.id} is NOT sent: {detail}", "alarm")
        out.line(_what_next(notice), "attention")
    else:  # somebody else acts on it, or the record could not be written
        out.line(f"{notice.id} is {notice.state.replace('_', ' ')}: {said}", "alarm")
    return code


def _what_next(notice: NoticeView) -> str:
    if notice.retry_at is None:
        return f"nothing was delivered: mend it and send it again (notify {notice.id}), or tell them by other means and ack"
    return (
        f"a console that stays open tries again at {notice.retry_at:%H:%M:%S} UTC; "
        f"without one: notify {notice.id}, or tell them by other means and ack"
    )


def _show(invocation: Invocation, draft: Draft, subject: str, text: str) -> int:
    out = invocation.out
    document = {"notice": draft.notice, "channel": draft.channel, "to": draft.to, "subject": subject, "text": text}
    out.json({"draft": {**document, "longest": draft.longest, "already": draft.already}})
    to = f" to {draft.to}" if draft.to else ", to be given by a person"
    out.line(f"{draft.title} ({draft.channel}{to}); nothing was sent", "strong")
    if draft.already:
        out.line(f"it would be given again: {draft.already}", "attention")
    if draft.longest is not None and len(text) > draft.longest:
        out.line(f"too long: {len(text):,} characters, and the channel takes {draft.longest:,}", "alarm")
    out.line(f"Subject: {subject}")
    out.line()
    for line in text.splitlines():
        out.line(line)
    return exits.DONE


async def _try_channel(invocation: Invocation, text: str | None) -> int:
    """Needs no incident and no journal, and leaves none behind: it is not part of any record."""
    args, out = invocation.args, invocation.out
    if text is not None or args.subject is not None or args.again:
        raise UsageProblem("--test sends words of its own", "leave --text, --subject and --again out")
    async with invocation.session(acts=True) as session:
        to = session.communicator.destination(args.notice)
        code, state, said = exits.DONE, "sent", ""
        try:
            said = await session.communicator.try_channel(args.notice)
        except Undelivered as error:
            code, state, said = exits.FAILED, "failed", str(error)
        except Unknown as error:
            code, state, said = exits.UNKNOWN, "maybe_sent", str(error)
    out.json({"test": {"notice": args.notice, "to": to, "state": state, "detail": said}, "exit_code": code})
    words = {"sent": "test message sent to", "failed": "test message NOT sent to"}
    level = "good" if state == "sent" else "alarm"
    out.line(f"{args.notice}: {words.get(state, 'the test message MAY have been sent to')} {to}: {said}", level)
    return code


# ------------------------------------------------------------ what was given


def _text(given: str | None, file: str | None) -> str | None:
    """What the person wrote; None for the draft."""
    if file is None:
        return given
    try:
        with sys.stdin.buffer if file == "-" else Path(file).expanduser().open("rb") as stream:
            content = stream.read(_LONGEST_FILE_BYTES + 1)
    except OSError as error:
        raise UsageProblem(f"--text-file {file}: {error.strerror or error}", "nothing was sent") from None
    if len(content) > _LONGEST_FILE_BYTES:
        raise UsageProblem(f"--text-file {file}: longer than any channel takes", "nothing was sent")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageProblem(f"--text-file {file}: not UTF-8 text", "nothing was sent") from None


def _seconds(duration: str) -> float:
    from pydantic_core import PydanticCustomError

    from console.config.options import parse_duration

    try:
        seconds = parse_duration(duration)
    except PydanticCustomError:
        seconds = 0.0
    if seconds <= 0:
        raise UsageProblem(f'--for "{one_line(duration)}" is no duration', 'write "10m" or "1h30m"')
    return seconds
