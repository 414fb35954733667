"""A change of refs in words: the lines of the preview, and what is remarked about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from console.engine.ports import Finding
from console.targets.git.commits import Told, Way
from console.targets.git.goal import Clone, Goal, Move, at
from console.targets.git.names import SHORT, plain

_MOST_NAMED = 5


def lines(goal: Goal, way: Way | None) -> Iterator[str]:
    """Each commit that leaves and that comes, bounded and then counted; each backup; the clone."""
    if way is not None and goal.moves:
        branch = plain(goal.moves[0].ref)
        yield from (f"- {branch}: {commit}" for commit in way.leaving)
        if way.leaving_count > len(way.leaving):
            yield f"  … and {way.leaving_count - len(way.leaving):,} more leave"
        yield from (f"+ {branch}: {commit}" for commit in way.coming)
        if way.coming_count > len(way.coming):
            yield f"  … and {way.coming_count - len(way.coming):,} more come"
    yield from (_kept("", move) for move in goal.moves[1:])
    if goal.clone is not None:
        yield f"- {goal.clone.path}: {at(goal.clone.branch.before)}"
        yield f"+ {goal.clone.path}: {at(goal.clone.branch.after)}"
        if goal.clone.kept is not None:
            yield _kept(f"{goal.clone.path}: ", goal.clone.kept)


def _kept(where: str, move: Move) -> str:
    sign, sha = ("+", move.after) if move.after else ("-", move.before)
    return f"{sign} {where}{plain(move.ref)}: {at(sha)}"


def reset(name: str, wanted: str, to: str, goal: Goal, way: Way) -> str:
    """The summary of a reset."""
    if not goal.moves:
        clone = f"; {goal.clone.path} goes there" if goal.clone else ""
        return f"{name} is at {to[:SHORT]} ({wanted}) already{clone}"
    counted = [_verb(way.leaving_count, "leave"), _verb(way.coming_count, "come") if way.coming_count else ""]
    kept = f", kept as {plain(goal.moves[1].ref)}" if len(goal.moves) > 1 else ""
    start = (goal.moves[0].before or "")[:SHORT]
    return f"{name} from {start} to {to[:SHORT]} ({wanted}): {', '.join(filter(None, counted))}{kept}"


def remarks(goal: Goal, way: Way, wanted: str) -> list[Finding]:
    if not goal.moves:
        return []
    found = []
    branch = plain(goal.moves[0].ref)
    if not way.related:
        found.append(Finding("warn", f"{wanted} and {branch} have no common history", "unrelated"))
    if not way.leaving_count:
        found.append(Finding("info", f"nothing leaves {branch}: it goes forward", "fast_forward"))
    if len(goal.moves) == 1:
        found.append(Finding("info", "what leaves is kept by an earlier backup already", "kept"))
    return found


def unpushed(count: int, clone: Clone) -> list[Finding]:
    if not count or clone.kept is None:
        return []
    commits = "1 commit was" if count == 1 else f"{count:,} commits were"
    return [Finding("warn", f"{clone.path}: {commits} never pushed; kept there as {clone.kept.ref}", "unpushed")]


def moved(name: str, way: Way, last: Told) -> str:
    """Who is seen to have moved a branch, and what it holds now that it did not hold."""
    more = f" and {way.coming_count - _MOST_NAMED:,} more" if way.coming_count > _MOST_NAMED else ""
    came = "; ".join(str(commit) for commit in way.coming[:_MOST_NAMED])
    parts = [f"{_verb(way.coming_count, 'come')} ({came}{more})" if way.coming_count else ""]
    parts.append(_verb(way.leaving_count, "leave") if way.leaving_count else "")
    return f"{name} was moved in between, its last commit is by {last.author}: {', '.join(filter(None, parts))}"


def still_kept(attempts: Sequence[Move]) -> list[Finding]:
    return [Finding("warn", f"{plain(m.ref)} keeps an earlier state, and stays", "kept") for m in attempts]


def _verb(count: int, verb: str) -> str:
    return f"1 commit {verb}s" if count == 1 else f"{count:,} commits {verb}"
