"""Every theme is legible, complete, and keeps LIVE and DRILL apart."""

from __future__ import annotations

import pytest

from console.domain.errors import Refused
from console.ui import theming

THEMES = sorted(path.stem for path in theming.PRODUCT.glob("*.toml"))
TEXTS = ("text", "dim", "alarm", "attention", "good", "running", "note", "added", "removed", "focus")
GROUNDS = ("background", "surface", "selection")
PAIRS = [
    *((text, ground) for text in TEXTS for ground in GROUNDS),
    ("live-text", "live-background"),
    ("drill-text", "drill-background"),
    ("drill-text", "surface"),
    ("next-text", "next-background"),
    ("surface", "note"),  # a button with the focus
]


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_five_themes_are_there() -> None:
    assert {"dark", "light", "high-contrast", "colour-blind", "monochrome"} <= set(THEMES)


@pytest.mark.parametrize("name", THEMES)
def test_every_text_stands_out_from_its_ground(name: str) -> None:
    colours = theming.load(name).variables
    least = 7.0 if name == "high-contrast" else 4.5
    weak = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in PAIRS}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < least} == {}


@pytest.mark.parametrize("name", THEMES)
def test_live_is_a_solid_block_and_drill_is_not(name: str) -> None:
    colours = theming.load(name).variables
    assert contrast(colours["live-background"], colours["background"]) >= 3
    assert colours["drill-background"] == colours["background"]


def test_monochrome_has_no_hue() -> None:
    colours = theming.load("monochrome").variables
    greys = [colours[name] for name in theming.COLOURS]
    assert [c for c in greys if not c[1:3] == c[3:5] == c[5:7]] == []


def test_a_users_own_theme_is_found_and_a_wrong_one_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    own = tmp_path / "rollback-console" / "themes"
    own.mkdir(parents=True)
    (own / "mine.toml").write_text((theming.PRODUCT / "dark.toml").read_text(encoding="utf-8"), encoding="utf-8")
    (own / "odd.toml").write_text('[colours]\nalarm = "red"\n', encoding="utf-8")
    assert theming.load("mine").name == "mine"
    assert list(theming.files())[-2:] == ["mine", "odd"]
    with pytest.raises(Refused, match=r"odd\.toml.*alarm"):
        theming.load("odd")
    with pytest.raises(Refused, match="there is no theme"):
        theming.load("nothing")
