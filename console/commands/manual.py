"""`count`, `attest` and `withdraw`: the manual triggers. What people say counts before an incident too."""

from __future__ import annotations

from console.commands.incident import decided
from console.commands.invocation import Invocation, one_line


async def count(invocation: Invocation) -> int:
    args = invocation.args
    note = one_line(args.note)
    said = f"{args.trigger}: counted {args.count:+d}"
    return await decided(invocation, lambda s: s.count(args.trigger, args.count, note), said, creates=True)


async def attest(invocation: Invocation) -> int:
    return await _word(invocation, holds=True)


async def withdraw(invocation: Invocation) -> int:
    return await _word(invocation, holds=False)


async def _word(invocation: Invocation, *, holds: bool) -> int:
    args = invocation.args
    reason = one_line(args.reason)
    said = f"{args.trigger} {'is attested' if holds else 'holds no more'}"
    return await decided(invocation, lambda s: s.attest(args.trigger, holds, reason), said, creates=True)
