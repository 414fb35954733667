"""The drill's SMTP server: takes every message, delivers none, and hands it to the sinks.

Without a certificate it speaks plainly, as nobody outside this machine reaches it. With one it is as the real ones are: nothing
before STARTTLS, and where it has users, nothing before a log-in.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import hmac
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from console.sandbox.web import LOOPBACK, Sinks

LARGEST_MESSAGE_BYTES: Final = 1024 * 1024


class MailServer:
    """Listens on a free port of the loopback interface while the `with` block lasts."""

    def __init__(
        self, sinks: Sinks, *, tls: ssl.SSLContext | None = None, users: Mapping[str, str] | None = None
    ) -> None:
        self.port = 0
        self._sinks = sinks
        self._tls = tls
        self._users = users or {}
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(self._session, LOOPBACK, 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def _session(self) -> SMTP:
        return SMTP(
            self,
            hostname="localhost",
            data_size_limit=LARGEST_MESSAGE_BYTES,
            tls_context=self._tls,
            require_starttls=self._tls is not None,
            authenticator=self._authenticated,
            auth_required=bool(self._users),
            auth_require_tls=self._tls is not None,
            loop=asyncio.get_running_loop(),
        )

    def _authenticated(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        del server, session, envelope, mechanism
        known = isinstance(data, LoginPassword) and hmac.compare_digest(
            self._users.get(data.login.decode("utf-8", "replace"), "").encode(), data.password
        )
        return AuthResult(success=known and bool(data.password), handled=False)

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        del server, session
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        message = email.message_from_bytes(content, policy=email.policy.default)
        to = ", ".join(envelope.rcpt_tos)
        body = message.get_body(preferencelist=("plain", "html"))
        text = body.get_content() if body is not None else ""
        self._sinks.take("email", f"To: {to}\nSubject: {message.get('Subject', '')}\n\n{text}")
        return "250 2.0.0 OK: queued"
