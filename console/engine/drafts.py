"""The text of a notice, from a template and the facts of this moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Template:
    """As the procedure gives it; an empty part is the audience's own."""

    subject: str = ""
    text: str = ""
