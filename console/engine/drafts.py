"""The text of a notice, from a template and the facts of this moment. `communicator.py` asks; nothing is sent here.

A draft follows from the template, the picture and the channel's limit alone: the same moment gives the same words. What a
person makes of it goes through `as_sent` before it leaves, so that a drill can't lose its mark and nothing unclean goes out.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from console.domain.outline import Audience, NoticeOutline
from console.engine.audiences import VOICES, audience_of
from console.engine.facts import facts, plain, plain_line
from console.engine.view import ViewState

SUBJECT_LIMIT: Final = 200
TEXT_LIMIT: Final = 20_000
"""Characters, for channels that set no limit of their own: nobody reads more."""

DRILL_SUBJECT: Final = "DRILL: "
DRILL_TEXT: Final = "DRILL - this is an exercise. Nothing is wrong, nothing has to be done.\n\n"
TEST_SUBJECT: Final = "TEST: "

_SHORTENED: Final = "(shortened: the rest did not fit)"
_EMPTY_LINES: Final = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Template:
    """As the procedure gives it; an empty part is the audience's own."""

    subject: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Wording:
    subject: str
    text: str


def drafted(template: Template, notice: NoticeOutline, view: ViewState, longest: int | None) -> Wording:
    """The words for a notice at this moment; `longest` is what the channel takes."""
    known = facts(view, notice)
    subject, text = _words(template, audience_of(notice), view.incident.state == "resolved")
    drill = view.incident.mode == "drill"
    wording = as_sent(filled(subject, known), filled(text, known), drill=drill)
    return Wording(wording.subject, shortened(wording.text, longest or TEXT_LIMIT))


def _words(template: Template, audience: Audience, resolved: bool) -> tuple[str, str]:
    """The procedure's own words are for the time while it is open; the end is told in front of them."""
    voice = VOICES[audience].resolved if resolved else VOICES[audience].open
    subject, text = template.subject or voice.subject, template.text or voice.text
    if resolved and template.subject:
        subject = f"Resolved: {template.subject}"
    if resolved and template.text:
        text = f"Resolved after $elapsed.\n\n{template.text}"
    return subject, text


def as_sent(subject: str, text: str, *, drill: bool) -> Wording:
    """Clean, the subject one line, and a drill marked first in both, whoever wrote them."""
    subject, text = plain_line(subject, SUBJECT_LIMIT), plain(text, TEXT_LIMIT).strip()
    if drill and not subject.startswith(DRILL_SUBJECT):
        subject = plain_line(DRILL_SUBJECT + subject, SUBJECT_LIMIT)
    if drill and text and not text.startswith(DRILL_TEXT.strip()):
        text = DRILL_TEXT + text
    return Wording(subject, text)


def trial(title: str, notice: str, actor: str, moment: str) -> Wording:
    """Says that it is a test in its first word, and names nothing that could be taken for an incident."""
    text = (
        f"TEST - nothing is wrong, nothing has to be done.\n\n"
        f'{plain_line(actor)} tries at {moment} whether messages of the notice "{plain_line(notice)}" '
        f"arrive here, in case {plain_line(title)} has to be rolled back."
    )
    return Wording(plain_line(f"{TEST_SUBJECT}{title}", SUBJECT_LIMIT), text)


def filled(template: str, known: Mapping[str, str]) -> str:
    """Each `$name` replaced; a line whose names all have nothing to say is left out, with the heading over it."""
    lines: list[str] = []
    for line in template.splitlines():
        names = _names(line)
        if names and not any(known.get(name) for name in names):
            if lines and lines[-1].endswith(":"):
                lines.pop()
            continue
        lines.append(string.Template(line).safe_substitute(known))
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()


def _names(line: str) -> list[str]:
    found = (match["named"] or match["braced"] for match in string.Template.pattern.finditer(line))
    return [name for name in found if name]


def shortened(text: str, longest: int) -> str:
    """At most `longest` characters: cut behind a whole line, or a whole word where one line is too long, and it says so."""
    if len(text) <= longest:
        return text
    room = longest - len(_SHORTENED) - 1
    if room <= 0:
        return text[:longest]
    cut = next((at for sign in "\n " if (at := text.rfind(sign, 0, room + 1)) > room // 2), room)
    return f"{text[:cut].rstrip()}\n{_SHORTENED}"
