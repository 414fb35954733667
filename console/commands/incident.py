"""The commands of one decision each: declare, resolve, sign, waive, ack, settle, recover. Each says what the incident is now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from console.commands import exits
from console.commands.invocation import Invocation, one_line

if TYPE_CHECKING:
    from console.engine.session import Session


async def declare(invocation: Invocation) -> int:
    async with invocation.session(acts=True, creates=True) as session:
        await session.look()
        await session.declare(one_line(invocation.args.reason))
        return _now(invocation, session, f"{session.runner.incident.id} is declared")


async def resolve(invocation: Invocation) -> int:
    note = one_line(invocation.args.note)
    return await decided(invocation, lambda s: s.resolve(note), "the incident is resolved")


async def sign(invocation: Invocation) -> int:
    args = invocation.args
    return await decided(invocation, lambda s: s.sign(args.id, one_line(args.note)), f"{args.id} is signed")


async def waive(invocation: Invocation) -> int:
    args = invocation.args
    return await decided(invocation, lambda s: s.waive(args.check, one_line(args.reason)), f"{args.check} is waived")


async def acknowledge(invocation: Invocation) -> int:
    args = invocation.args
    return await decided(
        invocation, lambda s: s.acknowledge(args.notice, one_line(args.note)), f"{args.notice} is acknowledged"
    )


async def settle(invocation: Invocation) -> int:
    args = invocation.args
    counts_as = "done" if args.counts_as == "done" else "not_done"

    async def decide(session: Session) -> None:
        await session.settle(args.step, "done" if counts_as == "done" else "not_done", one_line(args.note))

    return await decided(invocation, decide, f"{args.step} counts as {counts_as.replace('_', ' ')}")


async def stop(invocation: Invocation) -> int:
    """Asks whichever console carries the component out; it stops before its next step."""
    component = invocation.args.component
    return await decided(invocation, lambda s: s.stop(component), f"{component} stops before its next step")


async def recover(invocation: Invocation) -> int:
    """Exit 3 when something stays unknown."""
    async with invocation.session(acts=True) as session:
        found = await session.recover()
        for line in found:
            invocation.out.line(line)
        doubtful = [c.id for c in session.runner.incident.components.values() if c.in_doubt]
        doubtful += [n.id for n in session.view().notices if n.state == "maybe_sent"]
        if not found:
            invocation.out.line("nothing was left behind")
        invocation.out.json({"recovered": list(found), "in_doubt": doubtful})
        _next(invocation, session)
        return exits.UNKNOWN if doubtful else exits.DONE


async def decided(
    invocation: Invocation, decision: Callable[[Session], Awaitable[None]], said: str, *, creates: bool = False
) -> int:
    """A command of one decision: made, recorded, and said with what comes next."""
    async with invocation.session(acts=True, creates=creates) as session:
        await session.revise()
        await session.look()
        await decision(session)
        return _now(invocation, session, said)


def _now(invocation: Invocation, session: Session, said: str) -> int:
    from console.engine.status import to_status_json

    invocation.out.line(said, "good")
    invocation.out.json(to_status_json(session.view()))
    _next(invocation, session)
    return exits.DONE


def _next(invocation: Invocation, session: Session) -> None:
    from console.commands.looking import next_lines

    for line in next_lines(session.view()):
        invocation.out.line(line)
