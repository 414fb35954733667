"""A mail server that takes our messages: target kind `smtp`. Nothing is sent unencrypted, or to one that can't prove itself.

RFC 5321 says when a message is whose: until the line with the single dot nothing is delivered, the answer to it says whether
the server has taken it, and between the two nobody can say. aiosmtplib speaks the commands one by one, so each error is met
knowing which of the three it is. Used by the `email` channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, model_validator

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.config.secrets import Redactor, SecretReference
from console.domain.errors import ConsoleError, Undelivered, Unknown
from console.engine.gateway import Permit
from console.engine.ports import Message
from console.targets.delivery import MAYBE, NOTHING, fetched, is_loopback, must_be_permitted
from console.targets.http import why
from console.targets.text import clean_line
from console.targets.web import authorities

if TYPE_CHECKING:
    from aiosmtplib import SMTP, SMTPResponse

KIND: Final = "smtp"

Security: TypeAlias = Literal["starttls", "tls", "plain"]
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,200}[A-Za-z0-9])?")


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ValueError("not an e-mail address alone, in ASCII, such as managers@example.com")
    return text


Address: TypeAlias = Annotated[str, AfterValidator(_address), WithJsonSchema({"type": "string", "format": "email"})]
"""An e-mail address alone, in ASCII: `managers@example.com`."""

PORTS: Final[dict[Security, int]] = {"starttls": 587, "tls": 465, "plain": 25}
QUIT_SECONDS: Final = 2.0
REPLY_LIMIT: Final = 160
_START_INPUT: Final = 354
_TAKEN: Final = 250
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")
_LINE_STARTS_WITH_DOT: Final = re.compile(rb"^\.", re.MULTILINE)
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


class Options(TableOptions):
    """A mail server that takes messages from us."""

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]+$", max_length=253)]
    """Its name or address: `smtp.example.com`."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Its port; left out: 587 for `starttls`, 465 for `tls`, 25 for `plain`."""
    security: Security = "starttls"
    """`starttls` or `tls`, either with a certificate that is checked. `plain` is for a drill, and reaches this machine alone."""
    username: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """The user to log in as; left out: without logging in."""
    password: SecretReference | None = None
    """Where that user's password is kept."""
    sender: Annotated[Address, Field(validation_alias="from")]
    """The address that messages come from."""
    ca: FilePath | None = None
    """A PEM file with the authorities to trust instead of the usual ones."""
    timeout_seconds: PositiveDuration = 30.0
    """How long handing a message over may take, all in all."""

    @model_validator(mode="after")
    def _safe(self) -> Options:
        if (self.username is None) != (self.password is None):
            raise ValueError('"username" and "password" go together')
        if self.security == "plain" and not is_loopback(self.host):
            raise ValueError('"plain" reaches this machine alone: write security = "starttls" or "tls"')
        return self


class SmtpTarget:
    def __init__(self, name: str, options: Options) -> None:
        self.name = name
        self.sender = options.sender
        self._options = options
        self._redactor = Redactor()

    async def deliver(self, message: Message, permit: Permit, recipients: Sequence[str], content: bytes) -> str:
        """Hands the message over once, to all recipients that the server takes; its answer and those refused, in a line.

        Raises Undelivered when it takes none or does not take the message, Unknown when it broke off before saying.
        """
        must_be_permitted(message, permit)
        password = await self._password()
        handover = _Handover(self._client(await self._context()))
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                await handover.begin(self._options, password)
                refused = await handover.address(self.sender, recipients)
                answer = await handover.content(content)
        except Exception as error:  # noqa: BLE001 -- sockets, TLS, the library: what it means depends on when it came
            handover.broken = not isinstance(error, ConsoleError)
            raise self._meant(error, handover) from None
        finally:
            await handover.end()
        taken = len(recipients) - len(refused)
        lines = [f"taken for {taken} of {len(recipients)}: {answer}", *(f"refused: {said}" for said in refused)]
        return self._redactor.redact("; ".join(lines))

    def _meant(self, error: Exception, handover: _Handover) -> ConsoleError:
        if isinstance(error, ConsoleError):
            return type(error)(self._told(error.message), error.hint, **_retrying(error))
        if handover.left:
            return Unknown(self._told(f"the message is sent, and then: {_words(error)}"), MAYBE)
        code = getattr(error, "code", None)
        if isinstance(code, int):  # its own answer: 4xx for now, 5xx for good (RFC 5321 §4.2.1)
            return Undelivered(
                self._told(_said(code, str(getattr(error, "message", "")))), NOTHING, retry=_for_now(code)
            )
        return Undelivered(self._told(_words(error)), NOTHING, retry=True)

    def _client(self, context: ssl.SSLContext | None) -> SMTP:
        from aiosmtplib import SMTP

        security = self._options.security
        return SMTP(
            hostname=self._options.host,
            port=self._options.port or PORTS[security],
            use_tls=security == "tls",
            start_tls=False,  # done by hand: the library's way goes on without where a server offers none
            tls_context=context,
            local_hostname=_own_name(),
            timeout=self._options.timeout_seconds,
        )

    async def _context(self) -> ssl.SSLContext | None:
        if self._options.security == "plain":
            return None
        try:
            return await asyncio.to_thread(authorities, self._options.ca)
        except OSError as error:
            told = self._told(f"the authorities in {self._options.ca} can't be used: {why(error)}")
            raise Undelivered(told, NOTHING) from None

    async def _password(self) -> str:
        if self._options.password is None:
            return ""
        password = await fetched(f"mail server {self.name}: password", self._options.password, self._redactor)
        if _CONTROLS.search(password):
            raise Undelivered(self._told("the password holds a control character"), NOTHING)
        return password

    def _told(self, text: str) -> str:
        return self._redactor.redact(f"mail server {self.name} ({self._options.host}): {text}")


class _Handover:
    """One connection, for one message. `left`: the dot that ends it may be on its way, and only the answer can tell. `broken`:
    nobody knows what the server would say next.
    """

    def __init__(self, client: SMTP) -> None:
        self.left = False
        self.broken = False
        self._client = client

    async def begin(self, options: Options, password: str) -> None:
        await self._client.connect()
        await self._client.ehlo()
        if options.security == "starttls":
            if not self._client.supports_extension("starttls"):
                raise Undelivered("it offers no STARTTLS, and nothing is sent unencrypted", NOTHING)
            await self._client.starttls()
            await self._client.ehlo()
        if options.username is not None:
            await self._log_in(options.username, password)

    async def _log_in(self, username: str, password: str) -> None:
        from aiosmtplib import SMTPAuthenticationError

        if not self._client.supports_extension("auth"):
            raise Undelivered(
                "it takes no log-in, and one was asked for", f"{NOTHING}; leave username and password out"
            )
        try:
            await self._one_attempt(username, password)
        except SMTPAuthenticationError as error:
            told = f"it refuses user {clean_line(username)}: {_said(error.code, error.message)}"
            raise Undelivered(told, f"{NOTHING}; renew the password", retry=_for_now(error.code)) from None

    async def _one_attempt(self, username: str, password: str) -> None:
        """By one method: the library's `login` tries all that there are, and a few wrong passwords lock an account."""
        methods = self._client.supported_auth_methods
        if "plain" in methods:
            await self._client.auth_plain(username, password)
        elif "login" in methods:
            await self._client.auth_login(username, password)
        elif "cram-md5" in methods:
            await self._client.auth_crammd5(username, password)
        else:
            raise Undelivered("it takes no log-in by a password (PLAIN, LOGIN or CRAM-MD5)", NOTHING)

    async def address(self, sender: str, recipients: Sequence[str]) -> list[str]:
        """Who is refused, each with the server's reason. Raises Undelivered when that is everybody."""
        from aiosmtplib import SMTPRecipientRefused

        await self._client.mail(sender)
        refusals: list[SMTPRecipientRefused] = []
        for recipient in recipients:
            try:
                await self._client.rcpt(recipient)
            except SMTPRecipientRefused as error:
                refusals.append(error)
        refused = [f"{one.recipient}: {_said(one.code, one.message)}" for one in refusals]
        if len(refusals) == len(recipients):
            raise Undelivered("; ".join(refused), NOTHING, retry=all(_for_now(one.code) for one in refusals))
        return refused

    async def content(self, content: bytes) -> str:
        started = await self._client.execute_command(b"DATA")
        if started.code != _START_INPUT:
            raise Undelivered(_said(*started), NOTHING, retry=_for_now(started.code))
        protocol = self._client.protocol
        if protocol is None:
            raise ConnectionResetError
        self.left = True
        protocol.write(_LINE_STARTS_WITH_DOT.sub(b"..", content) + b".\r\n")
        return self._judged(await protocol.read_response())

    def _judged(self, answer: SMTPResponse) -> str:
        if answer.code == _TAKEN:
            return _said(*answer)
        if 400 <= answer.code <= 599:  # it did not take the message (RFC 5321 §4.2.5)
            raise Undelivered(_said(*answer), NOTHING, retry=_for_now(answer.code))
        raise Unknown(f"it answers {_said(*answer)} to the message", MAYBE)

    async def end(self) -> None:
        """Politely where that works; what became of the message is settled."""
        if not self.broken:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(QUIT_SECONDS):
                    await self._client.quit()
        self._client.close()


def _for_now(code: int) -> bool:
    return 400 <= code <= 499


def _said(code: int, text: str) -> str:
    if code < 0:  # the library's code for what is no answer of SMTP
        return f"it does not speak SMTP: {clean_line(text, REPLY_LIMIT)}"
    return f"{code} {clean_line(text, REPLY_LIMIT)}".rstrip()


def _words(error: Exception) -> str:
    code = getattr(error, "code", None)
    if isinstance(code, int):
        return _said(code, str(getattr(error, "message", "")))
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return why(error.__cause__ or error)  # the library's own classes are all "connection errors"


def _retrying(error: ConsoleError) -> dict[str, bool]:
    return {"retry": error.retry} if isinstance(error, Undelivered) else {}


def _own_name() -> str:
    """What we call ourselves: the library would ask the DNS for it, and some servers refuse a name without a dot."""
    name = socket.gethostname()
    return name if _HOST_NAME.fullmatch(name) else "[127.0.0.1]"


def build(name: str, options: Options) -> SmtpTarget:
    return SmtpTarget(name, options)
