"""Outside text, made harmless: nothing that a terminal obeys, nothing that hides, nothing without end."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from console.targets.text import clean, clean_line

OBEYED = ["\x1b", "\x07", "\x08", "\x0b", "\r", "\x7f", "\x9b", "\x9d", "\x90", "\x85"]
HIDING = ["\u202a", "\u202e", "\u2066", "\u2069", "\u200e", "\u200f", "\u061c", "\u200b", "\u200d", "\ufeff", "\u00ad",
          "\u2060", "\ufe0f", "\u3164", "\U000e0041", "\ud800", "\udfff"]  # fmt: skip

SEQUENCES = [
    "\x1b[31m", "\x1b[38;5;196m", "\x1b[2J", "\x1b[?1049h", "\x1b[1;1H", "\x9b31m", "\x1b]0;title\x07",
    "\x1b]52;c;ZXZpbA==\x07", "\x1b]8;;http://evil\x1b\\", "\x9d52;c;eA==\x9c", "\x1bPq#0\x1b\\", "\x1b_payload\x1b\\",
    "\x1b^private\x07", "\x1b(B", "\x1bc", "\x1b=", "\x1b\x1b[31m", "\x1b\x00[31m", "\x1b[3\u200b1m", "\x1b[31\x00m",
]  # fmt: skip

pieces = st.one_of(
    st.text(), st.sampled_from(OBEYED + HIDING + SEQUENCES), st.characters(categories=["Cs", "Cf", "Cc"])
)
hostile = st.lists(pieces, max_size=30).map("".join)


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_sequence_goes_as_a_whole(sequence: str) -> None:
    assert clean(f"before{sequence}after") == "beforeafter"


@pytest.mark.parametrize("character", OBEYED + HIDING)
def test_a_single_character_that_is_obeyed_or_hides_goes(character: str) -> None:
    assert clean_line(f"a{character}").strip() == "a"


def test_a_sequence_without_an_end_takes_its_own_line_only() -> None:
    assert clean("a\x1b]0;no end\nthe truth") == "a\nthe truth"
    assert clean("a\x1b[31") == "a"


def test_lines_and_tabs_stay_and_every_line_break_is_one() -> None:
    assert clean("a\tb\nc\r\nd\re\u2028f") == "a\tb\nc\nd\ne\nf"
    assert clean_line("  a\tb\nc \u00a0 d ") == "a b c d"


def test_what_people_write_stays() -> None:
    for text in (
        "Größe 90 %",
        "наблюдение",
        "観測",
        "מעקב",
        "👍 ok",
        "naïve é",
        "[bold]not markup[/bold]",
        "1 < 2 & 3",
    ):
        assert clean(text) == text


def test_a_flood_is_cut() -> None:
    assert clean("x" * 10_000_000, 10) == "xxxxxxxxx…"
    assert clean_line("\u200b" * 10_000_000 + "x", 10) == "…"
    assert clean("x" * 10, 10) == "x" * 10


@given(hostile)
@example("\x1b[0m\x1b\x9b[31m")
@example("\x1b" * 50 + "[31m")
def test_nothing_dangerous_is_left(text: str) -> None:
    for cleaned in (clean(text), clean_line(text)):
        assert all(c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Cn") for c in cleaned)
        assert cleaned.encode("utf-8").decode() == cleaned
    assert not set(clean_line(text)) & set("\n\t")


@given(hostile, st.integers(1, 50))
def test_it_is_never_longer_than_asked(text: str, limit: int) -> None:
    assert len(clean(text, limit)) <= limit
    assert len(clean_line(text, limit)) <= limit


@given(hostile)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert clean_line(clean_line(text)) == clean_line(text)


@given(
    st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters=set("\u3164\u115f\u1160\uffa0")))
)
def test_plain_text_is_left_alone(text: str) -> None:
    assert clean(text, 10_000) == text
