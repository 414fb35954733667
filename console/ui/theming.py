"""Themes are TOML files: the product's in `themes/`, a user's own in $XDG_CONFIG_HOME/rollback-console/themes.

A theme names colours by what they mean, not by hue. The app reads the one it starts with; the others when one asks for them.
`console/ui/themes` is a link to the repository's `themes/`, so that a checkout and a wheel find them at the same place.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from textual.theme import Theme

from console.domain.errors import Refused

PRODUCT = Path(__file__).parent / "themes"
DEFAULT, NO_COLOUR = "dark", "monochrome"

COLOURS = (
    "background",  # behind everything
    "surface",  # of modals
    "text",
    "dim",  # what matters less
    "line",  # borders
    "focus",  # the border of the panel with the focus, and its cursor
    "selection",  # behind the selected row
    "alarm",  # needs someone now
    "attention",  # will need someone
    "good",
    "running",
    "note",  # keys, buttons
    "added",
    "removed",
    "live-text",
    "live-background",
    "drill-text",
    "drill-background",
    "next-text",
    "next-background",
)
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


def user_folder() -> Path:
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "rollback-console" / "themes"


def files() -> Mapping[str, Path]:
    """Every theme by its name; a user's own one hides the product's of the same name."""
    return {path.stem: path for folder in (PRODUCT, user_folder()) for path in sorted(folder.glob("*.toml"))}


def load(name: str) -> Theme:
    """Raises Refused, saying what is wrong with the file or which themes there are."""
    path = next((p for p in (user_folder() / f"{name}.toml", PRODUCT / f"{name}.toml") if p.is_file()), None)
    if path is None:
        raise Refused(f'there is no theme "{name}"', "themes: " + ", ".join(files()))
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(f"theme {path} can't be read: {error}", "it is TOML, like the product's own themes") from None
    return _theme(name, path, document)


def after(name: str) -> Iterator[str]:
    """The other themes' names, beginning behind `name`."""
    names = list(files())
    at = names.index(name) + 1 if name in names else 0
    yield from names[at:]
    yield from names[: max(at - 1, 0)]


def _theme(name: str, path: Path, document: Mapping[str, object]) -> Theme:
    given = document.get("colours")
    colours = {str(k): str(v) for k, v in given.items()} if isinstance(given, dict) else {}
    wrong = [c for c in COLOURS if not _HEX.fullmatch(colours.get(c, ""))] + [c for c in colours if c not in COLOURS]
    if wrong:
        raise Refused(f"theme {path}: {', '.join(wrong)}", 'each of the known colours is given, as "#rrggbb"')
    return Theme(
        name=name,
        dark=bool(document.get("dark", True)),
        primary=colours["focus"],
        secondary=colours["line"],
        accent=colours["note"],
        warning=colours["attention"],
        error=colours["alarm"],
        success=colours["good"],
        foreground=colours["text"],
        background=colours["background"],
        surface=colours["surface"],
        panel=colours["surface"],
        text_alpha=1.0,
        variables={**_of_textual(colours), **colours},
    )


def _of_textual(colours: Mapping[str, str]) -> dict[str, str]:
    """Textual's own names for parts of its widgets, so that the palette and inputs follow the theme."""
    return {
        "text": colours["text"],
        "text-muted": colours["dim"],
        "text-disabled": colours["dim"],
        "border": colours["focus"],
        "border-blurred": colours["line"],
        "block-cursor-background": colours["selection"],
        "block-cursor-foreground": colours["text"],
        "block-cursor-text-style": "bold",
        "input-cursor-background": colours["text"],
        "input-cursor-foreground": colours["background"],
        "input-selection-background": colours["selection"],
        "scrollbar": colours["line"],
        "scrollbar-hover": colours["focus"],
        "scrollbar-active": colours["focus"],
        "scrollbar-background": colours["background"],
        "scrollbar-background-hover": colours["background"],
        "scrollbar-background-active": colours["background"],
        "scrollbar-corner-color": colours["background"],
    }
