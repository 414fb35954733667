"""How figures are printed: median with least and most, and ratios of pairs measured one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def row(name: str, values: Sequence[float], unit: str = "s") -> None:
    print(
        f"  {name:<58} median {median(values):7.3f} {unit}   ({min(values):.3f} to {max(values):.3f}, {len(values)} rounds)"
    )


def ratio(name: str, numerators: Sequence[float], denominators: Sequence[float], aim: float | None = None) -> None:
    pairs = [a / b for a, b in zip(numerators, denominators, strict=True)]
    wanted = f"   aim ≤ {aim:g}" if aim is not None else ""
    print(f"  {name:<58} ratio  {median(pairs):7.2f}     ({min(pairs):.2f} to {max(pairs):.2f}){wanted}")
