"""Generated series, and the alerting rules over them: what a metric may do to a rule, two hundred times and the same each time.

A shape is a value for each series and second, None where the series is not there. The threshold is 30, hysteresis clears at 25.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from console.domain.triggers import TriggerRule

THRESHOLD: Final = 30.0
CLEAR_ABOVE: Final = 25.0
CLEAR_BELOW: Final = 35.0
LOW: Final = 12.0
HIGH: Final = 42.0
FORS: Final = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0)
VARIANTS: Final = 15

Values = list[float | None]
Shape = dict[str, Values]
Made = Callable[[Random, int], Shape]


@dataclass(frozen=True)
class Case:
    """One alert of the server, the trigger that should be the same, and what its series do."""

    name: str
    kind: str
    rule: TriggerRule
    shape: Shape

    @property
    def selector(self) -> str:
        return f'seen{{case="{self.name}"}}'

    def alert(self) -> dict[str, str]:
        """As the rule file has it. Hysteresis as people write it there, by the alert's own past."""
        sign = ">" if self.rule.above else "<"
        expression = f"{self.selector} {sign} {self.rule.threshold:g}"
        if self.rule.clear is not None:
            own = f'ALERTS{{alertname="{self.name}"}}'
            held = f"{self.selector} {sign} {self.rule.clear:g} and ignoring (alertname, alertstate) {own}"
            expression = f"({expression}) or ({held})"
        seconds = self.rule.for_seconds or float(self.rule.consecutive - 1)
        return {"alert": self.name, "expr": expression, "for": f"{seconds:g}s"}


def cases(seconds: int, seed: int = 20260301) -> list[Case]:
    """Each kind of shape with every sort of rule."""
    chance = Random(seed)  # noqa: S311 - the same for everybody
    made = []
    for kind, make in KINDS.items():
        for variant in range(VARIANTS):
            name = f"{kind}_{variant}"
            made.append(Case(name, kind, _rule(name, variant, chance), make(chance, seconds)))
    return made


def _rule(name: str, variant: int, chance: Random) -> TriggerRule:
    """Above and below; `for` of every length, or `consecutive`, a fifth of them with hysteresis."""
    above = variant % 4 != 3
    consecutive = chance.choice((2, 3, 5)) if variant % 5 == 4 else 1
    clear = (CLEAR_ABOVE if above else CLEAR_BELOW) if variant % 5 == 2 else None
    held = 0.0 if consecutive > 1 else chance.choice(FORS)
    return TriggerRule(
        name, name, THRESHOLD, above=above, for_seconds=held, every_seconds=1.0, consecutive=consecutive, clear=clear
    )


# ---------------------------------------------------------------- one series


def _stretches(chance: Random, seconds: int, choices: tuple[float | None, ...], longest: int) -> Values:
    values: Values = []
    while len(values) < seconds:
        values += [chance.choice(choices)] * chance.randint(1, longest)
    return values[:seconds]


def _flaps(chance: Random, seconds: int) -> Shape:
    return {"a": _stretches(chance, seconds, (LOW, HIGH), 7)}


def _gaps(chance: Random, seconds: int) -> Shape:
    return {"a": _stretches(chance, seconds, (HIGH, HIGH, None, LOW), 8)}


def _resets(chance: Random, seconds: int) -> Shape:
    """A counter that starts again at nothing."""
    values, count = Values(), 0.0
    for _ in range(seconds):
        count = 0.0 if chance.random() < 0.06 else count + chance.uniform(0, 6)
        values.append(count)
    return {"a": values}


def _spikes(chance: Random, seconds: int) -> Shape:
    return {"a": [HIGH if chance.random() < 0.15 else LOW for _ in range(seconds)]}


def _dips(chance: Random, seconds: int) -> Shape:
    return {"a": [LOW if chance.random() < 0.08 else HIGH for _ in range(seconds)]}


def _ends(chance: Random, seconds: int) -> Shape:
    end = chance.randint(10, seconds - 5)
    return {"a": [HIGH if t < end else None for t in range(seconds)]}


def _restarts(chance: Random, seconds: int) -> Shape:
    """A series that goes and another that comes, as when a pod is replaced."""
    change, pause = chance.randint(10, seconds - 20), chance.randint(0, 6)
    return {
        "old": [HIGH if t < change else None for t in range(seconds)],
        "new": [HIGH if t >= change + pause else None for t in range(seconds)],
    }


def _nans(chance: Random, seconds: int) -> Shape:
    return {"a": _stretches(chance, seconds, (HIGH, math.nan, LOW, HIGH), 7)}


def _infinities(chance: Random, seconds: int) -> Shape:
    return {"a": _stretches(chance, seconds, (math.inf, -math.inf, HIGH, LOW), 6)}


def _ramps(chance: Random, seconds: int) -> Shape:
    step = chance.uniform(0.3, 2.0) * chance.choice((1, -1))
    start = THRESHOLD - step * chance.randint(8, 30)
    turn = chance.randint(20, seconds)
    return {"a": [start + step * (t if t < turn else 2 * turn - t) for t in range(seconds)]}


def _at_the_threshold(chance: Random, seconds: int) -> Shape:
    near = (THRESHOLD, math.nextafter(THRESHOLD, 99), math.nextafter(THRESHOLD, 0), CLEAR_ABOVE, CLEAR_BELOW)
    return {"a": _stretches(chance, seconds, near, 6)}


def _between(chance: Random, seconds: int) -> Shape:
    """Where hysteresis decides."""
    return {"a": [chance.uniform(22, 38) if t % 3 else chance.choice((24.0, 28.0, 33.0)) for t in range(seconds)]}


def _silences(chance: Random, seconds: int) -> Shape:
    """A breach, silence, and then a value at which hysteresis has not cleared it."""
    return {"a": _stretches(chance, seconds, (HIGH, None, math.nan, 28.0), 5)}


def _begins_empty(chance: Random, seconds: int) -> Shape:
    begin = chance.randint(5, seconds - 10)
    return {"a": [None if t < begin else HIGH for t in range(seconds)]}


# ---------------------------------------------------------------- several


def _never(chance: Random, seconds: int) -> Shape:
    del chance
    return {"a": [None] * seconds}


def _several(chance: Random, seconds: int) -> Shape:
    return {name: _stretches(chance, seconds, (LOW, HIGH, None, math.nan, 28.0), 9) for name in "abcd"}


def _turns(chance: Random, seconds: int) -> Shape:
    """Two that break the rule in turn: together always, each of them never for long."""
    length = chance.randint(1, 6)
    first = [(t // length) % 2 == 0 for t in range(seconds)]
    return {"a": [HIGH if one else LOW for one in first], "b": [LOW if one else HIGH for one in first]}


def _crowds(chance: Random, seconds: int) -> Shape:
    """A dozen walk on their own; some pass the threshold."""
    shape: Shape = {}
    for number in range(12):
        value, values = chance.uniform(10, 32), Values()
        for _ in range(seconds):
            value = max(0.0, value + chance.uniform(-3, 3))
            values.append(value)
        shape[f"p{number}"] = values
    return shape


KINDS: Final[dict[str, Made]] = {
    "flaps": _flaps,
    "gaps": _gaps,
    "resets": _resets,
    "spikes": _spikes,
    "dips": _dips,
    "ends": _ends,
    "restarts": _restarts,
    "nans": _nans,
    "infinities": _infinities,
    "ramps": _ramps,
    "at_the_threshold": _at_the_threshold,
    "between": _between,
    "silences": _silences,
    "begins_empty": _begins_empty,
    "never": _never,
    "several": _several,
    "turns": _turns,
    "crowds": _crowds,
}
