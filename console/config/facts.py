"""The `$names` that the subject and the text of a notice may hold, each with what the console puts in its place.

`models.py` refuses any other; the engine fills exactly these (`engine/facts.py`, held to this list by a test).
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic_core import PydanticCustomError

FACTS: Final[Mapping[str, str]] = {
    "title": "the procedure's title",
    "incident": "the incident's id",
    "reason": "why it was declared",
    "commander": "who leads it",
    "status": '"open" or "resolved"',
    "since": "when it was declared, UTC",
    "elapsed": "how long it has been open, or how long it was",
    "now": "this moment, UTC",
    "where": "the clusters or other systems that it is about",
    "stage": "how far it is, in plain words that name nothing internal",
    "progress": "how many of the components are rolled back",
    "firing": "the triggers that fire, a line each: value, threshold, since when",
    "rolled_back": "what was rolled back and proven, a line each",
    "under_way": "what is being carried out, a line each",
    "trouble": "what failed or is in doubt, a line each; empty where nothing did",
    "next": "what comes next",
    "impact": "who is touched, as far as anybody has said",
    "users": "the same of users alone: who said it, when and why",
    "compliance": "of compliance alone",
    "security": "of security alone",
    "next_update": "when this notice is due again; empty for one that does not repeat",
    "notice": "the notice's own title",
}


def known_names(text: str) -> str:
    """The text itself. Raises for a `$name` that is none of the facts, and for a lone `$`."""
    for name in _names(text):
        if name not in FACTS:
            raise PydanticCustomError("unknown_fact", "unknown name ${name}", {"name": name})
    return text


def _names(text: str) -> Iterator[str]:
    for found in string.Template.pattern.finditer(text):
        if found["invalid"] is not None:
            raise PydanticCustomError("lone_dollar", "a lone $")
        if name := found["named"] or found["braced"]:
            yield name
