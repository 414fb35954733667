"""Series of many shapes, the same at every run: counters that reset, gauges with gaps, ends and no numbers, histograms."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

HOURS = 2


@dataclass
class Shape:
    """A series: samples as (seconds before the end, value); None is an end of the series."""

    name: str
    labels: dict[str, str]
    samples: list[tuple[float, float | None]] = field(default_factory=list)


def shapes() -> list[Shape]:
    return [*counters(), *gauges(), *oddities(), *histograms(), *for_matching()]


def _steps(dice: random.Random, every: float, jitter: float = 0.0) -> Iterator[float]:
    ago = HOURS * 3600.0
    while ago >= 0:
        yield round(max(0.0, ago + dice.uniform(-jitter, jitter)), 3)
        ago -= every


def counters() -> Iterator[Shape]:
    dice = random.Random(1)  # noqa: S311 - it makes samples, not secrets
    for route in ("/a", "/b", "/c"):
        for code in ("200", "500"):
            total = dice.uniform(0, 50)
            shape = Shape("requests_total", {"route": route, "code": code})
            for ago in _steps(dice, 15, jitter=4):
                total = 0.0 if dice.random() < 0.01 else total + dice.choice((0, 1, 2.5, 40))
                if 2000 < ago < 2700 and route == "/b":
                    continue  # a gap
                shape.samples.append((ago, total))
            yield shape
    starting = Shape("starting_total", {"route": "/new"})
    starting.samples = [(ago, float(i * 3)) for i, ago in enumerate(range(170, -1, -10))]
    yield starting
    flat = Shape("flat_total", {})
    flat.samples = [(ago, 7.0) for ago in _steps(dice, 30)]
    yield flat


def gauges() -> Iterator[Shape]:
    dice = random.Random(2)  # noqa: S311
    for zone in ("north", "south", "east", "west"):
        shape = Shape("temperature", {"zone": zone, "unit": "°C" if zone == "east" else "C"})
        for i, ago in enumerate(_steps(dice, 10, jitter=1)):
            value: float | None = 20 + 15 * math.sin(i / 30) + dice.gauss(0, 2)
            if zone == "south" and 300 < ago < 1500:
                value = None if ago > 1480 else -1.0
                if value is not None:
                    continue
            if zone == "west" and i % 97 == 0:
                value = dice.choice((math.nan, math.inf, -math.inf))
            shape.samples.append((ago, value))
        yield shape
    sparse = Shape("sparse", {"every": "4m"})
    sparse.samples = [(ago, 1000 - ago / 10) for ago in _steps(dice, 240)]
    yield sparse
    ended = Shape("temperature", {"zone": "ended", "unit": "C"})
    ended.samples = [*((float(ago), 3.25) for ago in range(1000, 180, -10)), (180.0, None)]
    yield ended


def oddities() -> Iterator[Shape]:
    yield Shape("single", {"a": "1"}, [(45.0, 42.0)])
    yield Shape("old", {"a": "1"}, [(299.0, 1.0)])
    yield Shape("too_old", {"a": "1"}, [(300.0, 1.0)])
    yield Shape("two", {}, [(90.0, 10.0), (30.0, 4.0)])
    steps = range(600, -1, -20)
    yield Shape("huge", {"n": "1"}, [(float(ago), 1.5e308) for ago in steps])
    yield Shape("huge", {"n": "2"}, [(float(ago), 1.2e308) for ago in steps])
    yield Shape("tiny", {"n": "1"}, [(float(ago), 3e-300 * (i + 1)) for i, ago in enumerate(steps)])
    yield Shape("cancelling", {"n": "1"}, [(float(ago), (1e16, 1.0, -1e16)[i % 3]) for i, ago in enumerate(steps)])
    for n, value in enumerate((1e16, 1.0, -1e16, 0.1, 0.2)):
        yield Shape("parts", {"n": str(n)}, [(float(ago), value) for ago in steps])
    for n, value in enumerate((0.0, -0.0, 1.5, -1.5, 2.5, 1e21, 1e-7, 123456.789, math.nan, math.inf, -math.inf)):
        yield Shape("numbers", {"n": str(n)}, [(float(ago), value) for ago in steps])
    for n, value in enumerate((0, 951782400, 1709164800, 1735689599.9, 4102444800, -86400)):
        yield Shape("moments", {"n": str(n)}, [(float(ago), float(value)) for ago in steps])


def histograms() -> Iterator[Shape]:
    dice = random.Random(3)  # noqa: S311
    bounds = ("0.1", "0.5", "1", "2.5", "5", "+Inf")
    for route in ("/a", "/b"):
        totals = dict.fromkeys(bounds, 0.0)
        made = {bound: Shape("latency_bucket", {"route": route, "le": bound}) for bound in bounds}
        for ago in _steps(dice, 20, jitter=2):
            for _ in range(dice.randrange(6)):
                seconds = dice.expovariate(1.2)
                for bound in bounds:
                    totals[bound] += seconds <= float(bound)
            for bound in bounds:
                made[bound].samples.append((ago, totals[bound]))
        yield from made.values()
    steps = [float(ago) for ago in range(900, -1, -30)]
    plain = {
        "below_zero": (("-2", 3), ("-1", 5), ("0", 9), ("+Inf", 12)),
        "no_infinity": (("1", 3), ("2", 5)),
        "empty": (("1", 0), ("2", 0), ("+Inf", 0)),
        "only_infinity": (("+Inf", 4),),
        "falling": (("1", 10), ("2", 7), ("3", 12), ("4", 11), ("+Inf", 13)),
        "almost": (("1", 10), ("2", 10 - 1e-13), ("3", 20), ("+Inf", 20)),
        "twice": (("1", 2), ("1.0", 3), ("2", 9), ("+Inf", 9)),
        "malformed": (("one", 2), ("2", 9), ("+Inf", 9)),
        "not_a_bound": (("NaN", 2), ("2", 9), ("+Inf", 9)),
    }
    for shape, buckets in plain.items():
        for bound, count in buckets:
            yield Shape("size_bucket", {"shape": shape, "le": bound}, [(ago, float(count)) for ago in steps])
    yield Shape("size_bucket", {"shape": "unbounded"}, [(ago, 4.0) for ago in steps])


def for_matching() -> Iterator[Shape]:
    steps = [float(ago) for ago in range(900, -1, -15)]
    for node in ("n1", "n2"):
        yield Shape("node_info", {"node": node, "rack": f"r-{node}", "os": "linux"}, [(ago, 1.0) for ago in steps])
        for cpu in ("0", "1", "2"):
            value = float(int(cpu) * 10 + len(node))
            yield Shape("cpu", {"node": node, "cpu": cpu}, [(ago, value + ago / 100) for ago in steps])
        yield Shape("limit", {"node": node}, [(ago, 12.0 if node == "n1" else 25.0) for ago in steps])
    yield Shape("cpu", {"node": "n3", "cpu": "0"}, [(ago, 1.0) for ago in steps if ago > 400])
    yield Shape("duplicate", {"node": "n1", "x": "1"}, [(ago, 1.0) for ago in steps])
    yield Shape("duplicate", {"node": "n1", "x": "2"}, [(ago, 2.0) for ago in steps])
    yield Shape("twin_a", {"x": "1"}, [(ago, 1.0) for ago in steps])
    yield Shape("twin_b", {"x": "1"}, [(ago, 2.0) for ago in steps])
