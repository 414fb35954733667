"""What the replicas themselves say: where a change stands, and whether all that was claimed can be read back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from console.domain.difference import ABSENT, say
from console.domain.errors import ConsoleError, Failed
from console.domain.triggers import span
from console.engine.ports import Probe
from console.targets.opa.client import OpaTarget
from console.targets.opa.goal import Claims, Decision, Goal, Standing, document_hash, text_hash
from console.targets.opa.paths import equal, spelled, value_at
from console.targets.opa.replica import Replica
from console.targets.opa.scope import Scope
from console.targets.opa.views import Policy
from console.targets.text import clean_line

_SHOWN = 4


async def where_it_stands(target: OpaTarget, goal: Goal) -> Probe:
    """Every edit against what is there now, replica by replica. One that can't be read leaves the whole unknown."""
    replicas = [target.replica(url) for url in goal.replicas]
    found = await asyncio.gather(*(_standings(r, goal) for r in replicas), return_exceptions=True)
    words, kinds = [], set()
    for replica, outcome in zip(replicas, found, strict=True):
        if isinstance(outcome, ConsoleError):
            words.append(f"{replica.label} can't be read: {outcome.message}")
            kinds.add("unread")
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            words.append(f"{replica.label}: {_told(outcome)}")
            kinds.update(outcome.values())
    detail = clean_line("; ".join(words), 1000)
    if "neither" in kinds:
        return Probe("diverged", detail)
    if "unread" in kinds:
        return Probe("unknown", detail)
    if kinds <= {"new"}:
        return Probe("done", detail)
    return Probe("not_done" if kinds == {"old"} else "partial", detail)


async def _standings(replica: Replica, goal: Goal) -> dict[str, Standing]:
    edits = [e for e in goal.edits if e.replica == replica.url]
    data = [d for d in goal.data if d.replica == replica.url]
    policies = await replica.policies()
    live = await replica.data([d.path for d in data], policies) if data else {}
    return {e.id: e.standing(_text(policies, e.id)) for e in edits} | {
        f"data {spelled(d.path)}": d.standing(value_at(live, d.path)) for d in data
    }


def _told(standings: Mapping[str, str]) -> str:
    """`5 as wanted, 2 as before`, and by name what is neither."""
    words = {
        "new": "as wanted",
        "old": "as before",
        "gap": "emptied and not filled again",
        "neither": "somebody else's",
    }
    counts = []
    for kind, text in words.items():
        names = [name for name, standing in standings.items() if standing == kind]
        if names:
            named = f" ({', '.join(names[:_SHOWN])})" if kind in ("gap", "neither") else ""
            counts.append(f"{len(names)} {text}{named}")
    return ", ".join(counts) or "nothing to change"


# ---------------------------------------------------------------- reading back


async def unproven(target: OpaTarget, goal: Goal) -> list[str]:
    """What speaks against the claims, on every replica; empty when all of them hold. Raises Failed for one that can't be read."""
    replicas = [target.replica(url) for url in goal.replicas]
    found = await asyncio.gather(*(_against(r, goal.claims[r.url], goal.closed, goal.decisions) for r in replicas))
    return [f"{replica.label}: {text}" for replica, texts in zip(replicas, found, strict=True) for text in texts]


async def _against(replica: Replica, claims: Claims, closed: Scope | None, decisions: Sequence[Decision]) -> list[str]:
    policies = await replica.policies()
    wrong = [text for i, wanted in claims.modules.items() if (text := _module_wrong(i, wanted, policies))]
    if closed is not None:
        others = [i for i in closed.within(policies) if i not in claims.modules]
        wrong += [f"module {clean_line(i)} is there and does not belong" for i in others]
    if claims.documents:
        live = await replica.data(claims.documents, policies)
        wrong += [
            f"data {spelled(path)} is not as it should be"
            for path, wanted in claims.documents.items()
            if document_hash(value_at(live, path)) != wanted
        ]
    return wrong + await _decisions_wrong(replica, decisions)


async def proof_words(target: OpaTarget, goal: Goal) -> str:
    """What the proof says once nothing speaks against it; for a bundle with the revision that is active."""
    count = len(goal.replicas)
    text = f"{goal.says} on {count} replica{'' if count == 1 else 's'}"
    if goal.home is not None:
        found = await asyncio.gather(*(target.replica(url).bundles() for url in goal.replicas))
        revisions = sorted({b.revision for of in found for b in of if b.name == goal.home.bundle and b.revision})
        text += (
            f" (bundle {goal.home.bundle}, revision {', '.join(revisions) or 'unnamed'})" if goal.home.bundle else ""
        )
    if not goal.decisions:
        return text
    return f"{text}; {len(goal.decisions)} decision{'' if len(goal.decisions) == 1 else 's'} as expected"


async def decisions_wrong(target: OpaTarget, goal: Goal) -> list[str]:
    """The decisions that are not as expected, by replica, in words."""
    replicas = [target.replica(url) for url in goal.replicas]
    found = await asyncio.gather(*(_decisions_wrong(r, goal.decisions) for r in replicas))
    return [f"{replica.label}: {text}" for replica, texts in zip(replicas, found, strict=True) for text in texts]


async def asked_everywhere(target: OpaTarget, decision: Decision, seconds: float) -> list[tuple[Replica, Any]]:
    """What each replica of the target decides, side by side: the answer, ABSENT for an undefined one, or the ConsoleError."""
    answers = await asyncio.gather(*(_asked(replica, decision, seconds) for replica in target.replicas))
    return list(zip(target.replicas, answers, strict=True))


async def _asked(replica: Replica, decision: Decision, seconds: float) -> Any:
    try:
        async with asyncio.timeout(seconds):
            return await replica.decide(decision.path, decision.given)
    except TimeoutError:
        return Failed(f"no answer within {span(seconds)}")
    except ConsoleError as error:
        return error


async def _decisions_wrong(replica: Replica, decisions: Sequence[Decision]) -> list[str]:
    answers = await asyncio.gather(*(replica.decide(d.path, d.given) for d in decisions))
    return [
        f"decision {spelled(d.path)} is {shown(answer)}, expected {shown(d.expected)}"
        for d, answer in zip(decisions, answers, strict=True)
        if not equal(answer, d.expected)
    ]


def _module_wrong(policy_id: str, wanted: str | None, policies: Mapping[str, Policy]) -> str:
    text = _text(policies, policy_id)
    if (None if text is None else text_hash(text)) == wanted:
        return ""
    state = "is missing" if text is None else "is still there" if wanted is None else "is another one"
    return f"module {clean_line(policy_id)} {state}"


def shown(value: Any) -> str:
    """A decision for people."""
    return "undefined" if value is ABSENT else clean_line(say(value), 80)


def _text(policies: Mapping[str, Policy], policy_id: str) -> str | None:
    policy = policies.get(policy_id)
    return None if policy is None else policy.text
