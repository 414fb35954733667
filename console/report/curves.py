"""What each trigger did over the incident: the excerpts that the journal kept at the decisions, joined to one curve.

The journal holds no samples, only the recent curve of every trigger at each decision and each change of a verdict. Where two
excerpts don't meet, the curve has a gap: nothing is drawn that nobody recorded. `plots.py` draws it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from string import ascii_uppercase

from console.domain import events as e
from console.domain.events import SeenTrigger, Verdict
from console.domain.incident import Incident, SeenThen
from console.domain.outline import TriggerOutline
from console.report.moments import Moment

Point = tuple[datetime, float]


@dataclass(frozen=True, slots=True)
class Mark:
    """A decision, by its letter in the tables and the plots."""

    letter: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Stretch:
    """From when to when a verdict held."""

    verdict: Verdict
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Curve:
    """`pieces`: stretches of the curve without a gap, oldest first, each with at least one point."""

    trigger: str
    title: str
    unit: str
    threshold: float
    above: bool
    start: datetime
    end: datetime
    pieces: tuple[tuple[Point, ...], ...]
    stretches: tuple[Stretch, ...]
    marks: tuple[Mark, ...]

    @property
    def points(self) -> tuple[Point, ...]:
        return tuple(point for piece in self.pieces for point in piece)


def letter(number: int) -> str:
    """A, B, … Z, AA, AB …; from 0."""
    high, low = divmod(number, len(ascii_uppercase))
    return (letter(high - 1) if high else "") + ascii_uppercase[low]


def marks(incident: Incident) -> tuple[Mark, ...]:
    return tuple(Mark(letter(number), then.at) for number, then in enumerate(incident.seen))


def curves(incident: Incident, moments: Sequence[Moment], until: datetime) -> tuple[Curve, ...]:
    """Of every trigger that has values, in the order of the procedure, all on the same stretch of time."""
    known = {t.id: t for t in incident.outline.triggers}
    joined = {i: _joined(incident.seen, i) for i in known}
    starts = [pieces[0][0][0] for pieces in joined.values() if pieces]
    if not starts:
        return ()
    start = min(starts)
    end = max(until, start + timedelta(seconds=1))
    drawn = marks(incident)
    return tuple(
        _curve(known[i], pieces, tuple(_stretches(moments, i, start, end)), drawn, start, end)
        for i, pieces in joined.items()
        if pieces
    )


def _curve(
    outline: TriggerOutline,
    pieces: tuple[tuple[Point, ...], ...],
    stretches: tuple[Stretch, ...],
    drawn: tuple[Mark, ...],
    start: datetime,
    end: datetime,
) -> Curve:
    return Curve(
        outline.id,
        outline.title,
        outline.unit,
        outline.threshold,
        outline.above,
        start,
        end,
        pieces,
        stretches,
        drawn,
    )


def _joined(seen: Iterable[SeenThen], trigger: str) -> tuple[tuple[Point, ...], ...]:
    """Of two excerpts that overlap, the earlier one counts as far as it goes."""
    pieces: list[tuple[Point, ...]] = []
    known_until: datetime | None = None
    for then in seen:
        for one in then.event.triggers:
            excerpt = _excerpt(one, then.at) if one.trigger == trigger else ()
            new = tuple(p for p in excerpt if known_until is None or p[0] > known_until)
            if not new:
                continue
            if known_until is not None and excerpt[0][0] <= known_until:
                pieces[-1] = (*pieces[-1], *new)
            else:
                pieces.append(new)
            known_until = then.at
    return tuple(pieces)


def _excerpt(seen: SeenTrigger, at: datetime) -> tuple[Point, ...]:
    """The values of a curve, evenly over its seconds, the last one at the moment itself."""
    values = [v for v in seen.curve if v - v == 0]
    if not values and seen.value is not None and seen.value - seen.value == 0:
        values = [seen.value]
    step = seen.curve_seconds / (len(values) - 1) if len(values) > 1 else 0.0
    return tuple((at - timedelta(seconds=step * (len(values) - 1 - i)), v) for i, v in enumerate(values))


def _stretches(moments: Iterable[Moment], trigger: str, start: datetime, end: datetime) -> Iterable[Stretch]:
    """The verdicts one after the other; each lasts until the next. The first one began when it says that it began."""
    current: Verdict | None = None
    since = start
    for moment in moments:
        event = moment.event
        if not isinstance(event, e.VerdictChanged) or event.trigger != trigger:
            continue
        begins = moment.at
        if current is None:
            begins = min(max(event.since or moment.at, start), moment.at)
        elif since < begins:
            yield Stretch(current, since, begins)
        current, since = event.verdict, begins
    if current is not None and since < end:
        yield Stretch(current, since, end)
