"""`email`: a message by mail, as plain text and as HTML that holds nothing but the same text.

The Message-ID is the message's own, the same for every attempt: where a mail arrives twice after all, programs and people see
that it is one.
"""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from console.config.options import Options as TableOptions
from console.engine.ports import Message, Notifier
from console.targets.delivery import harmless
from console.targets.smtp import Address

if TYPE_CHECKING:
    from console.engine.gateway import Permit
    from console.targets.smtp import SmtpTarget

KIND: Final = "email"
TARGET_KINDS: Final = ("smtp",)

LONGEST: Final = 200_000
_SHOWN_ADDRESSES: Final = 3
_NOT_IN_ID: Final = re.compile(r"[^A-Za-z0-9._-]+")


def _listed(addresses: Any) -> Any:
    return (addresses,) if isinstance(addresses, str) else addresses


Addresses: TypeAlias = Annotated[
    tuple[Address, ...],
    Field(max_length=100),
    BeforeValidator(_listed, json_schema_input_type=Address | tuple[Address, ...]),
]


class Options(TableOptions):
    """A mail."""

    to: Annotated[Addresses, Field(min_length=1)]
    """Whom it is for: an address, or a list of them."""
    cc: Addresses = ()
    """Who gets a copy."""

    @model_validator(mode="after")
    def _each_once(self) -> Options:
        addresses = [address.lower() for address in (*self.to, *self.cc)]
        if twice := sorted({address for address in addresses if addresses.count(address) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")
        return self


class EmailNotifier:
    longest: int | None = LONGEST

    def __init__(self, options: Options, target: SmtpTarget) -> None:
        self._target = target
        self._to = options.to
        self._cc = options.cc
        self.destination = _shown((*self._to, *self._cc))

    async def send(self, message: Message, permit: Permit) -> str:
        content = self._composed(harmless(message, LONGEST)).as_bytes()
        return await self._target.deliver(message, permit, (*self._to, *self._cc), content)

    def _composed(self, message: Message) -> EmailMessage:
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self._target.sender
        mail["To"] = ", ".join(self._to)
        if self._cc:
            mail["Cc"] = ", ".join(self._cc)
        mail["Subject"] = message.subject.replace("=?", "= ?")  # a fact that looks encoded would be decoded (RFC 2047)
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<{_NOT_IN_ID.sub('-', message.op)}@{self._target.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # nobody's holiday greeting answers it (RFC 3834 §5)
        mail.set_content(f"{message.text}\n", cte="quoted-printable")
        mail.add_alternative(_as_html(message), subtype="html", cte="quoted-printable")
        return mail


def _as_html(message: Message) -> str:
    subject, text = html.escape(message.subject), html.escape(message.text)
    return (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{subject}</title></head>\n'
        f'<body><h1 style="font-size: 1.2em">{subject}</h1>\n'
        f'<div style="white-space: pre-wrap">{text}</div></body></html>\n'
    )


def _shown(addresses: tuple[str, ...]) -> str:
    more = len(addresses) - _SHOWN_ADDRESSES
    return ", ".join(addresses[:_SHOWN_ADDRESSES]) + (f" and {more} more" if more > 0 else "")


def build(options: Options, target: SmtpTarget) -> Notifier:
    return EmailNotifier(options, target)
