"""The little that must be known of Rego without OPA: a module's package, what it refers to, and the order that follows.

Not a parser. OPA compiles each module that it is given together with all others (server.go, v1PoliciesPut), so a wrong guess
here costs one refused request, never a wrong result.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from console.targets.opa.paths import DataPath

_PART: Final = r"""(?:\s*\.\s*[A-Za-z_][A-Za-z0-9_]*|\[\s*"[^"\\\n]*"\s*\])"""
_PACKAGE: Final = re.compile(rf"package\s+([A-Za-z_][A-Za-z0-9_]*{_PART}*)")
_REFERENCE: Final = re.compile(rf"\bdata({_PART}+)")
_PARTS: Final = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)|"([^"\\\n]*)"')
_BLANK_OR_COMMENT: Final = re.compile(r"\ufeff?(?:\s+|#[^\n]*)*")

PLACEHOLDER_NOTE: Final = "# rollback-console is replacing this module; going on puts the next version here."


def package_of(text: str) -> DataPath | None:
    """The package's path in `data`, or None where the module doesn't begin with one."""
    start = _BLANK_OR_COMMENT.match(text)
    found = _PACKAGE.match(text, start.end() if start else 0)
    return _path(found[1]) if found else None


def references(text: str) -> set[DataPath]:
    """Every `data.…` that occurs, be it in an import, a rule or a comment."""
    return {_path(found[1]) for found in _REFERENCE.finditer(text)}


def in_order(texts: Mapping[str, str]) -> list[str]:
    """The modules' ids, each after those it refers to; alphabetic where nothing else decides, also within a cycle."""
    needed = _needs(texts)
    done: list[str] = []
    started: set[str] = set()
    for first in sorted(texts):
        stack = [(first, iter(needed[first]))] if first not in started else []
        started.add(first)
        while stack:
            current, remaining = stack[-1]
            following = next((i for i in remaining if i not in started), None)
            if following is None:
                done.append(current)
                stack.pop()
            else:
                started.add(following)
                stack.append((following, iter(needed[following])))
    return done


def _needs(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """For each module the modules of other packages that it refers to, above or below the place that it names."""
    packages = {i: package_of(text) or () for i, text in texts.items()}
    at: dict[DataPath, list[str]] = {}
    below: dict[DataPath, list[str]] = {}
    for i, package in packages.items():
        at.setdefault(package, []).append(i)
        for length in range(len(package) + 1):
            below.setdefault(package[:length], []).append(i)
    needs = {}
    for i, text in texts.items():
        found = {j for ref in references(text) for j in below.get(ref, ())}
        found |= {j for ref in references(text) for n in range(1, len(ref)) for j in at.get(ref[:n], ())}
        needs[i] = sorted(j for j in found if packages[j] != packages[i])
    return needs


def placeholder(text: str) -> str:
    """An empty module of the same package: what stands in a module's place while those that it blocks are put.

    It is recognised by its text, so that a process that dies in between leaves something that tells what it is.
    """
    parts = package_of(text) or ("unknown",)
    rest = "".join(f'["{part}"]' for part in parts[1:])
    return f"package {parts[0]}{rest}\n{PLACEHOLDER_NOTE}\n"


def _path(ref: str) -> DataPath:
    return tuple(name or quoted for name, quoted in _PARTS.findall(ref))
