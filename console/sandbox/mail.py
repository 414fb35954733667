"""The drill's SMTP server: takes every message, delivers none, and hands it to the sinks."""

from __future__ import annotations

import asyncio
import email
import email.policy
from types import TracebackType
from typing import Any, Final, Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from console.sandbox.web import LOOPBACK, Sinks

LARGEST_MESSAGE_BYTES: Final = 1024 * 1024


class MailServer:
    """Listens on a free port of the loopback interface while the `with` block lasts."""

    def __init__(self, sinks: Sinks) -> None:
        self.port = 0
        self._sinks = sinks
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="localhost", data_size_limit=LARGEST_MESSAGE_BYTES, loop=loop), LOOPBACK, 0
        )
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        del server, session
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        message = email.message_from_bytes(content, policy=email.policy.default)
        to = ", ".join(envelope.rcpt_tos)
        body = message.get_body(preferencelist=("plain", "html"))
        text = body.get_content() if body is not None else ""
        self._sinks.take("email", f"To: {to}\nSubject: {message.get('Subject', '')}\n\n{text}")
        return "250 OK"
