"""The smallest rollback that answers what fires: `advice.py` words it, the picture lists it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations

from console.domain.outline import ComponentOutline
from console.domain.situation import Situation, TriggerSign, soaking, state_of


def smallest_rollback(situation: Situation) -> tuple[str, ...]:
    """Ids of the fewest components that what fires points to, one for each trigger at least, in the order of the file.

    Where several sets are as small, the one whose components more triggers point to, and that the triggers name earlier. What
    has been rolled back already is not named again: a trigger that points to it alone is still clearing, or looks elsewhere.
    A component that goes after others brings those along, in front of it: it can't be rolled back without them.
    """
    chosen = _fewest([_open_to(situation, trigger) for trigger in situation.firing])
    order: list[str] = []
    for component in situation.outline.components:
        if component.id in chosen:
            _with_predecessors(situation, component, order)
    return tuple(order)


def _open_to(situation: Situation, trigger: TriggerSign) -> tuple[str, ...]:
    """What a trigger points to and nobody has touched; nothing while what it names first is gone and may still heal it."""
    open_ = tuple(c for c in trigger.suggests if state_of(situation, c) in ("untouched", "rolled_forward"))
    waiting = soaking(situation)
    return () if waiting and waiting.id in trigger.suggests else open_


_MOST_COMBINED = 10  # components: beyond, the greedy choice is good enough, and nobody waits for the best one


def _fewest(pointed: Iterable[tuple[str, ...]]) -> frozenset[str]:
    """The smallest set that holds one of each group; groups that are empty count for nothing."""
    groups = Counter(group for group in pointed if group)
    names = list(dict.fromkeys(name for group in groups for name in group))
    worth = {name: _worth(name, groups) for name in names}
    if len(names) > _MOST_COMBINED:
        return _greedily(groups, worth)
    wanted = [frozenset(group) for group in groups]
    for size in range(len(names) + 1):
        covering = [c for c in combinations(names, size) if not any(group.isdisjoint(c) for group in wanted)]
        if covering:
            return frozenset(min(covering, key=lambda c: sorted(worth[name] for name in c)))
    return frozenset()


def _worth(name: str, groups: Counter[tuple[str, ...]]) -> tuple[int, int]:
    """Less is better: how few triggers name it, and how late in their lists."""
    naming = [(group, times) for group, times in groups.items() if name in group]
    return -sum(times for _, times in naming), sum(group.index(name) * times for group, times in naming)


def _greedily(groups: Iterable[tuple[str, ...]], worth: Mapping[str, tuple[int, int]]) -> frozenset[str]:
    chosen: set[str] = set()
    for group in sorted(groups, key=len):
        if chosen.isdisjoint(group):
            chosen.add(min(group, key=lambda name: worth[name]))
    return frozenset(chosen)


def _with_predecessors(situation: Situation, component: ComponentOutline, order: list[str]) -> None:
    for required in component.after:
        predecessor = situation.outline.component(required)
        if predecessor and state_of(situation, required) != "rolled_back":
            _with_predecessors(situation, predecessor, order)
    if component.id not in order:
        order.append(component.id)
