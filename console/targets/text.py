"""The one place where text from outside becomes harmless. Every target calls it before a text enters the console.

What a server, a label, an error message or a program's output says ends up on a terminal, in a report and in the journal.
Terminals obey control characters wherever they stand (OSC 52 writes the clipboard, CSI 2J clears the screen), bidi controls
reorder what a person reads, and invisible characters let two different names look the same. Markup is not this module's
business: whoever draws text must not parse it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

TEXT_LIMIT: Final = 2000
"""Characters that `clean` keeps unless told otherwise: a page, not a flood."""
LINE_LIMIT: Final = 200
"""Characters that `clean_line` keeps unless told otherwise."""

_ELLIPSIS: Final = "…"
_KEPT_CONTROLS: Final = "\n\t"
_LINE_BREAKS: Final = re.compile("\r\n?|[\u2028\u2029]")

_SEQUENCES: Final = re.compile(
    r"(?:\x1b+\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor, clearing (ECMA-48 §5.4)
    r"|(?:\x1b+[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, SOS, PM, APC strings
    r"|\x1b+[ -/]*[0-~]"  # every other escape: character sets, keypad, reset
)
_INTRODUCERS: Final = frozenset("\x07\x1b\x90\x98\x9b\x9c\x9d\x9e\x9f")
"""Needed to see where a sequence begins and ends; removed after the sequences are."""

_DROPPED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Cn"})
"""Controls, formats (bidi, zero-width, tags), lone surrogates, and what no Unicode version has assigned."""
_INVISIBLE: Final = frozenset(
    chr(code)
    for first, last in (
        (0x034F, 0x034F),  # combining grapheme joiner
        (0x115F, 0x1160),  # Hangul fillers
        (0x17B4, 0x17B5),  # Khmer inherent vowels
        (0x180B, 0x180F),  # Mongolian variation selectors
        (0x3164, 0x3164),  # Hangul filler
        (0xFE00, 0xFE0F),  # variation selectors: they also change how many cells an emoji takes
        (0xFFA0, 0xFFA0),  # half-width Hangul filler
        (0xE0100, 0xE01EF),  # more variation selectors
    )
    for code in range(first, last + 1)
)
"""Default_Ignorable_Code_Point (Unicode DerivedCoreProperties) outside of the categories that are dropped anyway."""


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """The text without anything that a terminal obeys or that hides from the eye; at most `limit` characters, "…" where cut.

    Terminal sequences go as a whole, so that no "[31m" is left of a colour. Lines and tabs stay.
    """
    return _bounded(_harmless(text, limit), limit)


def clean_line(text: str, limit: int = LINE_LIMIT) -> str:
    """The same as one line: every run of white space is one blank."""
    return _bounded(" ".join(_harmless(text, limit).split()), limit)


def clean_lines(text: str, lines: int = 12, limit: int = LINE_LIMIT) -> tuple[str, ...]:
    """The same, line by line: the first `lines` that are not blank, and a last "…" where there are more."""
    found = [clean_line(line, limit) for line in clean(text, (lines + 1) * limit).split("\n")]
    told = [line for line in found if line]
    return (*told[:lines], _ELLIPSIS) if len(told) > lines else tuple(told)


def _harmless(text: str, limit: int) -> str:
    # Nobody reads more than the limit, so a flood is cut before it is looked at, with room for what will be dropped.
    room = 4 * limit + 1000
    flooded = len(text) > room
    text = text[:room]
    if not (text.isascii() and text.isprintable()):
        text = _LINE_BREAKS.sub("\n", text)
        text = "".join(c for c in text if c in _INTRODUCERS or _is_kept(c))
        text = _SEQUENCES.sub("", text)
        text = "".join(c for c in text if c not in _INTRODUCERS)
    return text + _ELLIPSIS if flooded else text


def _is_kept(character: str) -> bool:
    if character in _KEPT_CONTROLS:
        return True
    if character.isascii():
        return character.isprintable()
    return unicodedata.category(character) not in _DROPPED_CATEGORIES and character not in _INVISIBLE


def _bounded(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + _ELLIPSIS
