"""Whether what a trigger asks of its numbers can be: threshold, hysteresis, a window over samples. `loading.py` asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeGuard

from console.config.flaws import DocumentPath, Flaw
from console.config.kinds import KindSpec
from console.config.options import parse_duration

_OF_NUMBERS: Final = ("above", "below", "clear", "consecutive", "over", "aggregate")
_OF_SAMPLES: Final = (
    "for",
    "every",
    "consecutive",
    "clear",
    "over",
    "aggregate",
    "stale_after",
    "no_data_after",
    "suggests_by",
)
_EVERY_SECONDS: Final = 15.0


def threshold_flaws(path: DocumentPath, table: Mapping[str, Any], who: str, spec: KindSpec) -> Iterator[Flaw]:
    """Of one `[[trigger]]`; values of a wrong type are the model's to refuse."""
    if not spec.sampled:
        kept = f"{who} is kept by people, and no source is asked"
        idle = (key for key in _OF_SAMPLES if key in table and (spec.has_threshold or key not in _OF_NUMBERS))
        yield from (Flaw((*path, key), f'{kept}: "{key}" has no effect', "take it out", at="key") for key in idle)
    if spec.has_threshold and "impact" in table:
        message = f'{who} has an "impact", which comes with the word of a person alone'
        yield Flaw((*path, "impact"), message, 'take it out, or make it source = "attestation"', at="key")
    if not spec.has_threshold:
        message = f"{who} has no threshold: its source gives no numbers"
        yield from (Flaw((*path, key), message, "take it out", at="key") for key in _OF_NUMBERS if key in table)
        return
    yield from _threshold(path, table, who)
    yield from _hysteresis(path, table, who)
    yield from _window(path, table, who, spec)


def _threshold(path: DocumentPath, table: Mapping[str, Any], who: str) -> Iterator[Flaw]:
    given = [key for key in ("above", "below") if key in table]
    if not given:
        yield Flaw(path, f'{who} needs exactly one of "above" and "below"', "add above = NUMBER", at="table")
    elif len(given) > 1:
        message = f'{who} has both "above" and "below"; exactly one is allowed'
        related = (((*path, "above"), "and here"),)
        yield Flaw((*path, "below"), message, "make it two triggers", at="key", related=related)


def _hysteresis(path: DocumentPath, table: Mapping[str, Any], who: str) -> Iterator[Flaw]:
    clear = table.get("clear")
    for key, side, most in (("above", "over", "at most"), ("below", "under", "at least")):
        threshold = table.get(key)
        if not _is_number(clear) or not _is_number(threshold):
            continue
        if clear > threshold if key == "above" else clear < threshold:
            message = f'{who} would clear {side} its threshold: "clear" is {clear}, "{key}" is {threshold}'
            related = (((*path, key), "the threshold"),)
            yield Flaw((*path, "clear"), message, f"make it {most} {threshold}", related=related)


def _window(path: DocumentPath, table: Mapping[str, Any], who: str, spec: KindSpec) -> Iterator[Flaw]:
    if "aggregate" in table and "over" not in table:
        message = f'{who} has "aggregate" without "over": there is no time whose values count together'
        yield Flaw((*path, "aggregate"), message, 'add over = "5m", or take it out', at="key")
    if "over" not in table:
        return
    if spec.has_window:
        message = f'{who} has "over", but its source has windows of its own'
        yield Flaw((*path, "over"), message, spec.window_hint or "use its own", at="key")
        return
    over, every = _seconds(table["over"]), _seconds(table.get("every", ""), _EVERY_SECONDS)
    if over is not None and every is not None and over < 2 * every:
        message = f'{who} has an "over" that holds less than two of its values'
        hint = 'make "over" longer, or ask more often with "every"'
        yield Flaw((*path, "over"), message, hint)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _seconds(text: Any, otherwise: float | None = None) -> float | None:
    if text == "":
        return otherwise
    try:
        return parse_duration(text)
    except ValueError:  # the model says so
        return None
