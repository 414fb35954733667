"""The kinds that this installation has: one module each in the packages of targets, steps, metric sources, checks and notifiers.

A module with a constant `KIND` is a kind. Beside it stand `Options` (its keys in the file), `build`, and where they apply:
`TARGET_KINDS` (the kinds of target that it acts on), `TARGET_OPTIONAL`, `HAS_THRESHOLD` (False for a person's attestation),
`WINDOW_HINT` (of a source that brings the values of a stretch of time together itself: how),
`JUDGED` (of a trigger source that people keep: its samples are in the journal, and it has no `build`).
Kinds are found by reading the modules' text: one that can't be imported breaks whoever names it, and nobody else.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final

from console.config import KindSpec, Options, Section

PACKAGES: Final[Mapping[Section, str]] = {
    "target": "console.targets",
    "source": "console.metrics",
    "step": "console.steps",
    "check": "console.checks",
    "channel": "console.notifiers",
}

_KIND: Final = re.compile(r"""^KIND(?:\s*:[^=\n]+)?\s*=\s*["']([^"'\n]+)["']""", re.MULTILINE)


class ManualChannel(Options):
    """A notice that people give by their own means and acknowledge here."""


_BUILT_IN: Final[Mapping[Section, Mapping[str, Any]]] = {
    "channel": {"manual": SimpleNamespace(KIND="manual", Options=ManualChannel)},
}


class Registry:
    """Implements `console.config.Kinds`. `extra` adds kinds that no file of the packages holds: what tests bring."""

    def __init__(self, extra: Mapping[Section, Sequence[Any]] | None = None) -> None:
        self._extra: dict[Section, dict[str, Any]] = {
            section: {**_BUILT_IN.get(section, {}), **{k.KIND: k for k in (extra or {}).get(section, ())}}
            for section in PACKAGES
        }
        self._found: dict[Section, dict[str, str]] = {}

    def names(self, section: Section) -> Sequence[str]:
        return sorted({*self._extra[section], *self._modules(section)})

    def describe(self, section: Section, kind: str) -> KindSpec:
        module = self.module(section, kind)
        return KindSpec(
            options=module.Options,
            target_kinds=tuple(getattr(module, "TARGET_KINDS", ())),
            target_optional=getattr(module, "TARGET_OPTIONAL", False),
            has_threshold=getattr(module, "HAS_THRESHOLD", True),
            sampled=not hasattr(module, "JUDGED"),
            has_window=hasattr(module, "WINDOW_HINT"),
            window_hint=getattr(module, "WINDOW_HINT", ""),
        )

    def module(self, section: Section, kind: str) -> Any:
        """The module of a kind that `names` gave: `Options`, `build` and the rest."""
        if kind in self._extra[section]:
            return self._extra[section][kind]
        return _imported(self._modules(section)[kind])

    def _modules(self, section: Section) -> dict[str, str]:
        if section not in self._found:
            self._found[section] = dict(_kinds_in(PACKAGES[section]))
        return self._found[section]


def _imported(name: str) -> ModuleType:
    return importlib.import_module(name)


def _kinds_in(package: str) -> list[tuple[str, str]]:
    """Each kind with its module's name, by the text of the files."""
    spec = importlib.util.find_spec(package)
    found: list[tuple[str, str]] = []
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for entry in sorted(Path(folder).iterdir()):
            source = entry / "__init__.py" if entry.is_dir() else entry
            if source.suffix == ".py" and source.is_file() and entry.name != "__init__.py":
                kind = _KIND.search(source.read_text(encoding="utf-8"))
                found += [(kind[1], f"{package}.{entry.stem}")] if kind else []
    return found
