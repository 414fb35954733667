"""`email`: by real SMTP servers (aiosmtpd), the drill's own, and one that breaks off wherever a test wants it to."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope
from pydantic import ValidationError

from console.domain.errors import ConsoleError, Refused, Undelivered, Unknown
from console.engine.ports import Message, Notifier
from console.notifiers import email as channel
from console.sandbox.mail import MailServer
from console.sandbox.web import Sinks
from console.targets import smtp
from tests.contract.certificates import Certificates
from tests.contract.channels import FORBIDDEN, HOSTILE, message, permit_for

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # the drill, on loopback

PASSWORD = "hunter2-of-the-mailer"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@dataclass
class Mailbox:
    """A handler of aiosmtpd that keeps what came, as it came. `refused` goes by recipient, `verdict` is said to the message."""

    refused: Mapping[str, str] = field(default_factory=dict)
    verdict: str = "250 2.0.0 Ok: queued as 4XyZ"
    envelopes: list[Envelope] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, server: Any, session: Any, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802 -- the same
        self.envelopes.append(envelope)
        return self.verdict

    def raw(self) -> bytes:
        content = self.envelopes[0].original_content
        assert isinstance(content, bytes)
        return content

    def mail(self) -> EmailMessage:
        parsed = email.message_from_bytes(self.raw(), policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


@asynccontextmanager
async def real_server(box: Mailbox, tls: ssl.SSLContext | None = None, *, wrapped: bool = False) -> AsyncIterator[int]:
    """aiosmtpd on a port: with STARTTLS, with TLS from the first byte, or without either."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(box, hostname="localhost", tls_context=None if wrapped else tls, loop=loop),
        "127.0.0.1",
        0,
        ssl=tls if wrapped else None,
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def odd_server(script: Script) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except OSError:
            pass  # the client has gone
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def talk(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, replies: Mapping[str, bytes | None], heard: list[str]
) -> None:
    """Answers each command as told, everything else with 250; None hangs up. The end of a message is the command `.`."""
    writer.write(replies.get("greeting", b"220 odd ESMTP\r\n") or b"")
    in_message = False
    while line := await reader.readline():
        command = line.decode().strip()
        if in_message and command != ".":
            continue
        word = command.split(" ")[0].upper()
        heard.append(word)
        reply = replies.get(word, b"250 OK\r\n" if word != "DATA" else b"354 go on\r\n")
        if reply is None:
            return
        writer.write(reply)
        in_message = word == "DATA" and reply.startswith(b"354")


@asynccontextmanager
async def scripted(heard: list[str] | None = None, **replies: bytes | None) -> AsyncIterator[int]:
    words = {"END" if word == "end" else word: reply for word, reply in replies.items()}
    words["."] = words.pop("END", b"250 2.0.0 Ok\r\n")
    kept = heard if heard is not None else []
    async with odd_server(lambda reader, writer: talk(reader, writer, words, kept)) as port:
        yield port


def mailer(port: int, to: Any = "managers@example.com", cc: Any = (), **options: Any) -> Notifier:
    table = {"host": "127.0.0.1", "port": port, "from": "console@example.com", "security": "plain", **options}
    target = smtp.build("mail", smtp.Options.model_validate(table))
    return channel.build(channel.Options.model_validate({"to": to, "cc": cc} if cc else {"to": to}), target)


async def sent(made: Notifier, told: Message | None = None) -> str:
    told = told or message()
    return await made.send(told, permit_for(told))


# ------------------------------------------------------------ what arrives


async def test_a_mail_is_taken_once_with_its_fixed_id_as_text_and_as_html() -> None:
    box = Mailbox()
    async with real_server(box) as port:
        answer = await sent(mailer(port, ("a@example.com", "b@example.com"), "c@example.com"))
    assert answer == "taken for 3 of 3: 250 2.0.0 Ok: queued as 4XyZ"
    assert len(box.envelopes) == 1
    assert box.envelopes[0].mail_from == "console@example.com"
    assert box.envelopes[0].rcpt_tos == ["a@example.com", "b@example.com", "c@example.com"]
    headers = {name: box.mail()[name] for name in ("From", "To", "Cc", "Subject", "Message-ID", "Auto-Submitted")}
    assert headers == {
        "From": "console@example.com",
        "To": "a@example.com, b@example.com",
        "Cc": "c@example.com",
        "Subject": "p95 is back",
        "Message-ID": "<op-1f3a@example.com>",
        "Auto-Submitted": "auto-generated",
    }
    assert box.mail()["Date"].datetime.tzinfo is not None
    assert text_of(box.mail(), "plain") == "The dashboard was rolled back.\nSoaking.\n"
    assert "The dashboard was rolled back.\nSoaking.</div>" in text_of(box.mail(), "html")


def text_of(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body(preferencelist=(kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


async def test_the_id_is_the_same_for_every_attempt_at_one_message() -> None:
    box = Mailbox()
    async with real_server(box) as port:
        await sent(mailer(port))
        await sent(mailer(port))
    ids = [re.search(rb"Message-ID: (\S+)", one.original_content or b"") for one in box.envelopes]
    assert len({found[1] for found in ids if found}) == 1


@pytest.mark.parametrize("subject", ["p95 ist zurück – gut", "\U0001f6a8 " * 40, "ünï" * 60, "x" * 200])
async def test_subjects_beyond_ascii_arrive_as_they_are(subject: str) -> None:
    box = Mailbox()
    async with real_server(box) as port:
        await sent(mailer(port), message(subject=subject))
    assert re.sub(r"\s", "", str(box.mail()["Subject"])) == re.sub(r"\s", "", subject)[:200]
    assert box.raw().isascii()
    assert max(map(len, box.raw().split(b"\r\n"))) <= 998  # RFC 5322 §2.1.1


async def test_a_subject_that_looks_encoded_is_not_decoded() -> None:
    box = Mailbox()
    async with real_server(box) as port:
        await sent(mailer(port), message(subject="a =?utf-8?q?=1b=5b2J?= b"))
    assert str(box.mail()["Subject"]) == "a = ?utf-8?q?=1b=5b2J?= b"


async def test_hostile_facts_arrive_harmless() -> None:
    box = Mailbox()
    async with real_server(box) as port:
        await sent(mailer(port), message(subject=HOSTILE, text=HOSTILE, title=HOSTILE, op="op\r\nBcc: x@y.example"))
    assert box.envelopes[0].rcpt_tos == ["managers@example.com"]
    names = {name.lower() for name in box.mail()}
    assert names == {"from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type"}
    for text in (str(box.mail()["Subject"]), text_of(box.mail(), "plain"), text_of(box.mail(), "html")):
        assert not any(bad in text for bad in FORBIDDEN), repr(text)
    assert "<script>" in text_of(box.mail(), "plain")  # as it is, where nothing reads it
    assert "<script" not in text_of(box.mail(), "html")
    assert "<img" not in text_of(box.mail(), "html")
    assert "\n.leading dot\n" in text_of(box.mail(), "plain")
    assert text_of(box.mail(), "plain").endswith("ünï\n")


async def test_100_000_characters_arrive_whole() -> None:
    text = "".join(f".{number:06d} größer <b>\n" for number in range(5_000))
    box = Mailbox()
    async with real_server(box) as port:
        await sent(mailer(port), message(text=text))
    assert text_of(box.mail(), "plain") == text


# ------------------------------------------------------------ only encrypted, only to who can prove itself


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_it_goes_encrypted_to_a_server_that_can_prove_itself(certificates: Certificates, security: str) -> None:
    box = Mailbox()
    async with real_server(box, certificates.context("good"), wrapped=security == "tls") as port:
        await sent(mailer(port, security=security, ca=certificates.authority))
    assert len(box.envelopes) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("name", ["expired", "stranger", "unknown authority"])
async def test_a_certificate_that_does_not_hold_stops_it(certificates: Certificates, security: str, name: str) -> None:
    box = Mailbox()
    unknown = name == "unknown authority"
    context = certificates.context("good" if unknown else name)
    authority = certificates.other_authority if unknown else certificates.authority
    async with real_server(box, context, wrapped=security == "tls") as port:
        with pytest.raises(Undelivered, match="certificate is not accepted") as raised:
            await sent(mailer(port, security=security, ca=authority))
    assert (raised.value.retry, box.envelopes) == (True, [])


async def test_without_starttls_nothing_is_said_that_anybody_could_read(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)
    heard: list[str] = []
    async with scripted(heard, EHLO=b"250-odd\r\n250 AUTH PLAIN LOGIN\r\n") as port:
        with pytest.raises(Undelivered, match="it offers no STARTTLS") as raised:
            await sent(
                mailer(
                    port,
                    security="starttls",
                    ca=certificates.authority,
                    username="console",
                    password={"env": "SMTP_PASSWORD"},
                )
            )
    assert not raised.value.retry
    assert heard == ["EHLO", "QUIT"]


async def test_what_is_slipped_in_before_the_encryption_begins_is_not_believed(certificates: Certificates) -> None:
    """The answers that somebody in between adds to the last plain one (CVE-2011-0411)."""
    after: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 odd\r\n")
        await reader.readline()
        writer.write(b"250-odd\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go on\r\n250-odd\r\n250 AUTH PLAIN\r\n250 OK\r\n")
        after.append(await reader.read(4096))

    async with odd_server(script) as port:
        with pytest.raises(Undelivered):
            await sent(mailer(port, security="starttls", ca=certificates.authority, timeout="1s"))
    assert after[0].startswith(b"\x16\x03")  # a TLS handshake, and no command


def test_plain_is_for_this_machine_alone() -> None:
    table = {"from": "console@example.com", "security": "plain"}
    for host in ("127.0.0.1", "localhost", "::1", "127.8.9.1"):
        smtp.Options.model_validate({"host": host, **table})
    for host in ("mail.example.com", "10.0.0.1", "localhost.example.com"):
        with pytest.raises(ValidationError, match="this machine alone"):
            smtp.Options.model_validate({"host": host, **table})


# ------------------------------------------------------------ logging in


@pytest.fixture(params=["starttls", "plain"])
async def drill(
    request: pytest.FixtureRequest, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Sinks, dict[str, Any]]]:
    """The drill's own mail server, with a user."""
    monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)
    sinks = Sinks()
    tls = certificates.context("good") if request.param == "starttls" else None
    async with MailServer(sinks, tls=tls, users={"console": PASSWORD}) as server:
        options = {"security": request.param, "ca": certificates.authority, "username": "console"}
        yield sinks, {"port": server.port, **options, "password": {"env": "SMTP_PASSWORD"}}


async def test_a_user_logs_in_and_the_drill_takes_the_mail(drill: tuple[Sinks, dict[str, Any]]) -> None:
    sinks, options = drill
    assert await sent(mailer(**options)) == "taken for 1 of 1: 250 2.0.0 OK: queued"
    assert [one.channel for one in sinks.received] == ["email"]
    assert sinks.received[0].text.startswith("To: managers@example.com\nSubject: p95 is back\n\nThe dashboard was")


async def test_a_wrong_password_is_told_and_is_in_no_error(
    drill: tuple[Sinks, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sinks, options = drill
    monkeypatch.setenv("SMTP_PASSWORD", "wrong-password-of-mine")
    with pytest.raises(Undelivered, match="it refuses user console: 535") as raised:
        await sent(mailer(**options))
    assert "renew the password" in raised.value.hint
    assert (raised.value.retry, sinks.received) == (False, [])
    assert "wrong-password" not in str(raised.value)


async def test_without_its_user_the_drill_takes_nothing(drill: tuple[Sinks, dict[str, Any]]) -> None:
    sinks, options = drill
    with pytest.raises(Undelivered, match="530"):
        await sent(mailer(**{name: value for name, value in options.items() if name not in ("username", "password")}))
    assert not sinks.received


async def test_a_password_that_a_server_repeats_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 odd\r\n")
        await reader.readline()
        writer.write(b"250-odd\r\n250 AUTH PLAIN\r\n")
        await reader.readline()
        writer.write(f"535 no such password: {PASSWORD}\r\n".encode())
        await reader.readline()

    async with odd_server(script) as port:
        with pytest.raises(Undelivered, match="535 no such password: •••"):
            await sent(mailer(port, username="console", password={"env": "SMTP_PASSWORD"}))


async def test_a_server_without_log_in_and_a_password_that_is_missing_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)
    async with scripted() as port:
        made = mailer(port, username="console", password={"env": "SMTP_PASSWORD"})
        with pytest.raises(Undelivered, match="it takes no log-in"):
            await sent(made)
    monkeypatch.delenv("SMTP_PASSWORD")
    with pytest.raises(Undelivered, match="password: secret from environment variable SMTP_PASSWORD: it is not set"):
        await sent(made)


# ------------------------------------------------------------ who is refused


async def test_some_recipients_are_refused_the_others_get_it_and_it_is_told() -> None:
    box = Mailbox(refused={"gone@example.com": "550 5.1.1 no such user"})
    async with real_server(box) as port:
        answer = await sent(mailer(port, ("here@example.com", "gone@example.com")))
    assert answer == (
        "taken for 1 of 2: 250 2.0.0 Ok: queued as 4XyZ; refused: gone@example.com: 550 5.1.1 no such user"
    )
    assert box.envelopes[0].rcpt_tos == ["here@example.com"]


@pytest.mark.parametrize(
    ("second", "retry"),
    [("450 4.2.1 greylisted", True), ("550 5.1.1 no such user", False)],
    ids=["for now", "for good"],
)
async def test_all_recipients_are_refused_and_nothing_is_delivered(second: str, retry: bool) -> None:
    box = Mailbox(refused={"a@example.com": "451 4.7.1 later", "b@example.com": second})
    async with real_server(box) as port:
        with pytest.raises(Undelivered, match=r"a@example\.com: 451 4\.7\.1 later; b@example\.com: ") as raised:
            await sent(mailer(port, ("a@example.com", "b@example.com")))
    assert (raised.value.retry, box.envelopes) == (retry, [])


@pytest.mark.parametrize(
    ("verdict", "retry"),
    [("452 4.3.1 no room", True), ("554 5.7.1 looks like spam", False)],
    ids=["for now", "for good"],
)
async def test_a_message_that_the_server_does_not_take_is_not_delivered(verdict: str, retry: bool) -> None:
    async with real_server(Mailbox(verdict=verdict)) as port:
        with pytest.raises(Undelivered, match=verdict[:3]) as raised:
            await sent(mailer(port))
    assert raised.value.retry == retry


# ------------------------------------------------------------ where it breaks off


@pytest.mark.parametrize("word", ["greeting", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_before_the_message_is_handed_over_a_broken_connection_delivers_nothing(word: str) -> None:
    async with scripted(**{word: None if word != "greeting" else b""}) as port:
        with pytest.raises(Undelivered) as raised:
            await sent(mailer(port, timeout="300ms"))
    assert raised.value.retry


async def test_a_server_that_dies_after_the_dot_leaves_it_open() -> None:
    heard: list[str] = []
    async with scripted(heard, end=None) as port:
        with pytest.raises(Unknown, match="the message is sent, and then: it closed the connection") as raised:
            await sent(mailer(port))
    assert raised.value.hint.startswith("it may have arrived")
    assert heard.count(".") == 1


async def test_a_server_that_says_nothing_after_the_dot_leaves_it_open() -> None:
    heard: list[str] = []
    async with scripted(heard, end=b"") as port:
        with pytest.raises(Unknown, match="no answer in time"):
            await sent(mailer(port, timeout="300ms"))
    assert heard[-1] == "."


@pytest.mark.parametrize(
    ("reply", "retry"),
    [(b"421 4.3.2 going down\r\n", True), (b"500 what\r\n", False), (b"999 what\r\n", False)],
    ids=["going away", "no", "a code that is none"],
)
@pytest.mark.parametrize("word", ["greeting", "MAIL", "DATA"])
async def test_what_a_server_refuses_early_is_not_delivered(word: str, reply: bytes, retry: bool) -> None:
    async with scripted(**{word: reply}) as port:
        with pytest.raises(Undelivered, match=reply[:3].decode()) as raised:
            await sent(mailer(port))
    assert raised.value.retry == retry


FLOOD = b"250-" + b"x" * 4000 + b"\r\n"


@pytest.mark.parametrize("word", ["greeting", "EHLO", "RCPT", "end"])
@pytest.mark.parametrize(
    "reply",
    [FLOOD * 1000, b"x" * 3_000_000, b"HTTP/1.1 400 Bad Request\r\n", b"\x16\x03\x01\xff\xff\r\n", b"250\x1b[2J\x00 \xff\r\n"],
    ids=["lines without end", "a line without end", "HTTP", "bytes", "control characters"],
)  # fmt: skip
async def test_whatever_a_server_says_is_bounded_and_one_clean_line(word: str, reply: bytes) -> None:
    async with scripted(**{word: reply}) as port:
        outcome: type[Exception] | None = None
        try:
            said = await sent(mailer(port, timeout="2s"))
        except (Undelivered, Unknown) as error:
            said, outcome = str(error), type(error)
    assert outcome in ({Unknown, None} if word == "end" else {Undelivered, None})
    assert said.isprintable(), repr(said)
    assert len(said) < 500


async def test_a_drip_does_not_outlast_the_limit() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(b"220-wait\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with odd_server(script) as port:
        with pytest.raises(Undelivered) as raised:
            async with asyncio.timeout(5):
                await sent(mailer(port, timeout="300ms"))
    assert raised.value.retry


async def test_where_nobody_listens_nothing_is_delivered_and_it_may_be_tried_again() -> None:
    async with scripted() as port:
        pass
    with pytest.raises(Undelivered, match="connection refused") as raised:
        await sent(mailer(port))
    assert raised.value.retry


@pytest.mark.parametrize("permit", [None, permit_for(message(op="other")), permit_for(message(notice="other"))])
async def test_without_the_gateways_permit_nobody_is_even_greeted(permit: Any) -> None:
    heard: list[str] = []
    async with scripted(heard) as port:
        with pytest.raises(Refused, match="permit"):
            await mailer(port).send(message(), permit)
    assert heard == []


async def test_authorities_that_can_not_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConsoleError, match=r"nowhere\.pem can't be used"):
        await sent(mailer(1, security="starttls", ca=tmp_path / "nowhere.pem"))


# ------------------------------------------------------------ the file


@pytest.mark.parametrize(
    "address",
    [
        "a@b\r\nBcc: c@d.example",
        "a",
        "a@",
        "@b",
        "Ann <a@b.example>",
        "a b@c.example",
        "a@b.example, c@d.example",
        "ä@b.example",
        "a@-",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        channel.Options.model_validate({"to": address})
    with pytest.raises(ValidationError):
        smtp.Options.model_validate({"host": "mail.example.com", "from": address})


def test_options_that_can_not_work_are_refused() -> None:
    for table in ({"username": "console"}, {"password": {"env": "X"}}, {"host": "mail\r\nQUIT"}, {"port": 0}):
        with pytest.raises(ValidationError):
            smtp.Options.model_validate({"host": "mail.example.com", "from": "a@b.example", **table})
    with pytest.raises(ValidationError, match="named twice"):
        channel.Options.model_validate({"to": ("a@b.example",), "cc": "A@b.example"})


def test_the_destination_is_the_people() -> None:
    many = tuple(f"{name}@example.com" for name in "abcde")
    assert mailer(25, many).destination == "a@example.com, b@example.com, c@example.com and 2 more"
