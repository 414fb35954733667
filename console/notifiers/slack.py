"""`slack`: a message in a Slack channel, its facts as plain text that Slack reads no markup, mention or link in.

Plain-text blocks take no mark-up, and `&`, `<` and `>` are escaped besides, as Slack asks for every text
(https://docs.slack.dev/messaging/formatting-message-text#escaping): `<!channel>` in the name of a pod wakes nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import StringConstraints

from console.config.options import Options as TableOptions
from console.domain.errors import Refused
from console.engine.ports import Json, Message, Notifier
from console.targets.delivery import harmless
from console.targets.slack import SlackTarget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.engine.gateway import Permit

KIND: Final = "slack"
TARGET_KINDS: Final = ("slack",)

LONGEST: Final = 6000
SECTION_LIMIT: Final = 3000
"""https://docs.slack.dev/reference/block-kit/blocks/section-block: characters, escaped, in the text of one block."""
MOST_SECTIONS: Final = 3
"""All blocks together must stay well under 12,000 characters, or Slack answers `msg_blocks_too_long` (slackapi/bolt-js#2509)."""
HEADER_LIMIT: Final = 150


class Options(TableOptions):
    """A message in a Slack channel."""

    to: Annotated[str, StringConstraints(pattern=r"^[#@]?[\w.-]{1,80}$")] | None = None
    """The channel, for a target with a bot token: `#incidents`, or its id, which survives renaming."""


class SlackNotifier:
    longest: int | None = LONGEST

    def __init__(self, options: Options, target: SlackTarget) -> None:
        self._target = target
        self._channel = options.to or ""
        self.destination = f"Slack {self._channel}" if self._channel else f"Slack ({target.name})"

    async def send(self, message: Message, permit: Permit) -> str:
        document, whole = _document(harmless(message, LONGEST))
        answer = await self._target.post(message, permit, document, self._channel)
        return answer if whole and len(message.text) <= LONGEST else f"{answer}; its end was left out, it was too long"


def _document(message: Message) -> tuple[dict[str, Json], bool]:
    """What is posted, and whether all of the text is in it. `text` is what notifications and screen readers say."""
    sections = [section for section in _sections(message.text) if section.strip()]  # Slack refuses an empty one
    kept = sections[:MOST_SECTIONS]
    header: Json = {"type": "header", "text": _plain(_cut(message.subject, HEADER_LIMIT))}
    blocks = [header, *({"type": "section", "text": _plain(section)} for section in kept)]
    document = {
        "text": _escaped(message.subject),
        "blocks": blocks,
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }
    return document, len(kept) == len(sections)


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}


def _sections(text: str) -> Iterator[str]:
    """The text, escaped, in pieces that fit into a block each: whole lines as far as possible."""
    section = ""
    for line in text.splitlines(keepends=True):
        for piece in _pieces(line):
            if len(section) + len(piece) > SECTION_LIMIT:
                yield section
                section = ""
            section += piece
    yield section


def _pieces(line: str) -> Iterator[str]:
    """A line, escaped, in pieces of at most a section each; no entity is cut."""
    while line:
        kept = _fitting(line, SECTION_LIMIT)
        yield _escaped(line[:kept])
        line = line[kept:]


def _cut(text: str, limit: int) -> str:
    """The start of a text, escaped, with "…" where its end does not fit."""
    kept = _fitting(text, limit)
    return _escaped(text) if kept == len(text) else f"{_escaped(text[: _fitting(text, limit - 1)])}…"


def _fitting(text: str, limit: int) -> int:
    """How many characters of a text fit, once they are escaped."""
    length = 0
    for position, character in enumerate(text):
        length += len(_escaped(character))
        if length > limit:
            return position
    return len(text)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def build(options: Options, target: SlackTarget) -> Notifier:
    if target.needs_channel and options.to is None:
        raise Refused(
            f'a slack notice through target {target.name} names no channel as "to"',
            "a bot token posts where it is told",
        )
    if not target.needs_channel and options.to is not None:
        raise Refused(
            f'a slack notice through target {target.name} can\'t choose its channel ("to")',
            "a webhook has its own; use a bot token, or another webhook",
        )
    return SlackNotifier(options, target)
