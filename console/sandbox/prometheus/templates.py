"""Texts of alerts with values in them: the part of Go's templates that rules use, and nothing that is guessed.

A template that needs more is refused when its rule is loaded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from console.sandbox.prometheus.promql.numbers import general

_ACTION: Final = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_LABEL: Final = re.compile(r"(?:\$labels|\.Labels)\.([a-zA-Z_][a-zA-Z0-9_]*)")
_EXTERNAL: Final = re.compile(r"(?:\$externalLabels|\.ExternalLabels)\.([a-zA-Z_][a-zA-Z0-9_]*)")
_VALUE: Final = ("$value", ".Value")
_PRINTF: Final = re.compile(r'printf\s+"((?:[^"\\%]|%%|%(?:\.\d+)?f|%[vs])*)"(?:\s+(\S+))?')
_VERB: Final = re.compile(r"%%|%(?:\.(\d+))?([fvs])")
_LARGE: Final = "kMGTPEZY"
_SMALL: Final = "munpfazy"
_LARGE_1024: Final = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")

Scope = Callable[[str], str | float | None]


class NoTemplate(ValueError):
    """A text with braces that are not understood."""


@dataclass(frozen=True)
class Alerting:
    """What a template can name."""

    labels: Mapping[str, str]
    external_labels: Mapping[str, str]
    value: float


def check(text: str) -> None:
    """Raises NoTemplate for what `expand` could not do."""
    expand(text, Alerting({}, {}, 1.0))


def expand(text: str, alerting: Alerting) -> str:
    if "{{" not in text:
        return text
    expanded = _ACTION.sub(lambda found: _shown(_pipeline(found.group(1), alerting)), text)
    if "{{" in _ACTION.sub("", text):
        raise NoTemplate(f"unclosed action in {text!r}")
    return expanded


def _pipeline(action: str, alerting: Alerting) -> str | float:
    first, *rest = (part.strip() for part in action.split("|"))
    value = _operand(first, alerting)
    for name in rest:
        value = _applied(name, value, action)
    return value


def _operand(text: str, alerting: Alerting) -> str | float:
    if text in _VALUE:
        return alerting.value
    if found := _LABEL.fullmatch(text):
        return alerting.labels.get(found.group(1), "")
    if found := _EXTERNAL.fullmatch(text):
        return alerting.external_labels.get(found.group(1), "")
    if (found := _PRINTF.fullmatch(text)) and found.group(2):
        return _printf(found.group(1), _operand(found.group(2), alerting))
    name, _, argument = text.partition(" ")
    if argument:
        return _applied(name, _operand(argument.strip(), alerting), text)
    raise NoTemplate(f"the drill's Prometheus does not do the template {{{{ {text} }}}}")


def _applied(name: str, value: str | float, action: str) -> str | float:
    if name in _TEXTS:
        return _TEXTS[name](_shown(value))
    if name in _NUMBERS:
        try:
            return _NUMBERS[name](float(value))
        except ValueError:
            return f"<error expanding template: error calling {name}: strconv.ParseFloat: parsing {value!r}>"
    if found := _PRINTF.fullmatch(name):
        return _printf(found.group(1), value)
    raise NoTemplate(f"the drill's Prometheus does not do the template {{{{ {action} }}}}")


def _printf(template: str, value: str | float) -> str:
    verbs = [found for found in _VERB.finditer(template) if found.group() != "%%"]
    if len(verbs) != 1 or (verbs[0].group(2) == "s") is not isinstance(value, str):
        raise NoTemplate(f"the drill's Prometheus does not do printf {template!r} with such a value")

    def written(found: re.Match[str]) -> str:
        if found.group() == "%%":
            return "%"
        if found.group(2) == "f" and isinstance(value, float):
            return _special(value) or f"{value:.{found.group(1) or 6}f}"
        return _shown(value)

    return _VERB.sub(written, template)


def _shown(value: str | float) -> str:
    return value if isinstance(value, str) else general(value)


def _special(value: float) -> str | None:
    return None if math.isfinite(value) else general(value)


def _four(value: float) -> str:
    return _special(value) or f"{value:.4g}"


def humanize(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return _four(value)
    prefix = ""
    if abs(value) >= 1:
        for letter in _LARGE:
            if abs(value) < 1000:
                break
            prefix, value = letter, value / 1000
    else:
        prefix, value = _small(value)
    return f"{_four(value)}{prefix}"


def _small(value: float) -> tuple[str, float]:
    prefix = ""
    for letter in _SMALL:
        if abs(value) >= 1:
            break
        prefix, value = letter, value * 1000
    return prefix, value


def humanize_1024(value: float) -> str:
    prefix = ""
    if abs(value) > 1 and math.isfinite(value):
        for letters in _LARGE_1024:
            if abs(value) < 1024:
                break
            prefix, value = letters, value / 1024
    return f"{_four(value)}{prefix}"


def humanize_percentage(value: float) -> str:
    return f"{_four(value * 100)}%"


def humanize_duration(value: float) -> str:
    if not math.isfinite(value):
        return _four(value)
    if value == 0:
        return "0s"
    if abs(value) < 1:
        prefix, value = _small(value)
        return f"{_four(value)}{prefix}s"
    sign = "-" if value < 0 else ""
    minutes, seconds = divmod(int(abs(value)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    if minutes:
        return f"{sign}{minutes}m {seconds}s"
    return f"{sign}{_four(abs(value))}s"


_NUMBERS: Final[dict[str, Callable[[float], str]]] = {
    "humanize": humanize,
    "humanize1024": humanize_1024,
    "humanizeDuration": humanize_duration,
    "humanizePercentage": humanize_percentage,
}
_TEXTS: Final[dict[str, Callable[[str], str]]] = {"toLower": str.lower, "toUpper": str.upper}
