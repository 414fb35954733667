"""`http.request`: one request to an API without a kind of its own. Its answer decides, its `probe` tells what became of it.

It is sent once, with the operation's id as its idempotency key, never again by itself, and never after a redirect. A lost
answer is settled by the probe, a GET that only looks; without one the outcome is unknown, which is said before it is confirmed
(docs/decisions/0014).
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shlex
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import model_validator

from console.config.options import FilePath, PositiveDuration
from console.config.secrets import Redactor
from console.domain.errors import ConsoleError, Failed, Refused, Unknown
from console.engine.gateway import Permit
from console.engine.ports import Change, Description, Finding, Json, Probe, Progress, Proof, Receipt, Seen
from console.targets.calls import Call, Look, as_tuple, body_for_curl, body_of, too_long
from console.targets.headers import HeaderName, Headers
from console.targets.http import excerpt, status_words, why
from console.targets.json_values import matched, wrong_values
from console.targets.text import clean, clean_line
from console.targets.web import Answer, Lost, NotSent, exchange, open_client

if TYPE_CHECKING:
    from console.targets.headers import HeaderSecret

KIND: Final = "http.request"
TARGET_KINDS: Final[tuple[str, ...]] = ()

_LOOK_AGAIN_SECONDS: Final = 1.0
_EXCERPT_FROM: Final = 100_000  # characters of a body in which secrets are looked for before it is cut
_NO_PROBE: Final = "there is no probe to read its effect back with"
_NOT_CARRIED_OUT: Final = (401, 403, 405, 407, 411, 413, 414, 415, 429)
"""Statuses by which a server turns a request away before it looks at what is asked (RFC 9110 §15.5, RFC 6585)."""
_CHANGED_MEANWHILE: Final = (HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED)
_STRONG_ETAG: Final = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
"""A weak one never matches in If-Match (RFC 9110 §13.1.1)."""
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class Options(Call):
    """A request, what must be answered, and the requests that look at its effect and take it back."""

    answer_within_seconds: PositiveDuration = 30.0
    """How long an answer may take, to this request and to the others."""
    ca: FilePath | None = None
    """A PEM file with the authorities to trust instead of the usual ones."""
    idempotency_key: HeaderName | Literal[""] = "Idempotency-Key"
    """The header that carries the operation's id, by which a server knows a request that it has had; `""`: none."""
    if_match: bool = True
    """Send the ETag that the probe saw as a precondition, where both have the same address."""
    probe: Look | None = None
    """A GET that tells whether the effect is there. `{ url = "…", expect_json = { enabled = false } }`."""
    undo: Call | None = None
    """The request that takes it back; left out: it can't be taken back."""

    @model_validator(mode="after")
    def _one_key(self) -> Options:
        undo = self.undo.headers if self.undo else None
        named = {name.lower() for name in [*(self.headers or {}), *(undo or {})]}
        if self.idempotency_key.lower() in named:
            raise ValueError(f'{self.idempotency_key} carries the operation\'s id; name another as "idempotency_key"')
        return self


@dataclass(frozen=True, slots=True)
class _Goal:
    """`present`: whether the probe is to find the effect there or gone. `condition` is the header of the precondition."""

    token: str
    body_sha256: str
    present: bool = True
    condition: tuple[str, str] | None = None

    def to_json(self) -> Json:
        return {**asdict(self), "condition": list(self.condition) if self.condition else None}

    @classmethod
    def from_json(cls, goal: Json) -> _Goal:
        condition = goal["condition"]
        return cls(**{**goal, "condition": tuple(condition) if condition else None})


@dataclass(frozen=True, slots=True)
class _Looked:
    """What the probe found. `there` is None where it can't tell."""

    there: bool | None
    why: str
    etag: str = ""


class HttpRequest:
    def __init__(self, step_id: str, options: Options) -> None:
        self.irreversible = None if options.undo else 'its step names no "undo" request'
        self._id = step_id
        self._options = options
        self._redactor = Redactor()
        self._answered: dict[str, str] = {}

    def describe(self) -> Description:
        return Description(self._line(self._options), (self._spelled(self._options),))

    # ------------------------------------------------------------ before

    async def preflight(self) -> Sequence[Finding]:
        findings = []
        for call in self._calls():
            headers = self._headers(call)
            try:
                await headers.resolved()
            except Refused as error:
                findings.append(Finding("block", error.message, "secret"))
            parts = urlsplit(call.url)
            if headers.hold_secrets and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
                findings.append(Finding("warn", f"a secret goes unencrypted to {parts.netloc}", "secret"))
        if self._options.probe is None:
            lost = "no probe: if its answer is lost, only a person can tell what it did"
            findings.append(Finding("warn", lost, "no_probe"))
        return findings

    async def plan(self, pin: Json = None) -> Change:  # noqa: ARG002 - nothing is chosen here
        return await self._plan(self._options, present=True)

    async def plan_undo(self, pre_images: Sequence[Json]) -> Change:  # noqa: ARG002 - the file says how
        if self._options.undo is None:
            raise Refused(f"{self._line(self._options)} can't be taken back: {self.irreversible}")
        return await self._plan(self._options.undo, present=False)

    async def _plan(self, call: Call, *, present: bool) -> Change:
        body = await body_of(call)
        looked = await self._looked()
        if looked is not None and looked.there is None:
            raise Refused(f"the probe can't tell: {looked.why}", "nothing was sent")
        already = looked is not None and looked.there == present
        condition = None if looked is None or already else self._condition(call, looked)
        goal = _Goal(secrets.token_hex(8), body.sha256, present, condition)
        line = self._line(call)
        state = "there" if present else "gone"
        return Change(
            summary=f"{line}: its effect is {state} already" if already else line,
            identity={
                "method": call.method,
                "url": call.url,
                "headers": self._headers(call).shown(),
                "body": body.sha256,
                "send": not already,
            },
            goal=goal.to_json(),
            lines=() if already else tuple(map(self._shown, self._lines(call, body.label, body.lines, goal, looked))),
            commands=(self._spelled(call),),
            already=already,
            seen=self._seen(looked) if condition and looked else {},
        )

    def _lines(self, call: Call, label: str, body: Sequence[str], goal: _Goal, looked: _Looked | None) -> list[str]:
        expected = "any 2xx" if call.expect is None else " or ".join(map(str, as_tuple(call.expect)))
        values = f", and {matched(call.expect_json)}" if call.expect_json else ""
        found = f"  the probe finds it {'there' if looked.there else 'not there'}: {looked.why}" if looked else ""
        return [
            f"+ {call.method} {call.url}",
            *(f"  {name}: {value}" for name, value in self._headers(call).shown().items()),
            *([f"  {': '.join(goal.condition)} (as the probe saw it)"] if goal.condition else []),
            f"  body: {label}",
            *(f"  | {line}" for line in body),
            f"  success is {expected}{values}",
            found or "  no probe: if its answer is lost, only a person can tell what it did",
        ]

    def _condition(self, call: Call, looked: _Looked) -> tuple[str, str] | None:
        probe = self._options.probe
        if not self._options.if_match or probe is None or probe.url != call.url:
            return None
        return ("If-Match", looked.etag) if looked.etag else None

    def _seen(self, looked: _Looked) -> dict[str, Seen]:
        probe = self._options.probe
        return {self._where(probe.url): Seen({"etag": looked.etag})} if probe else {}

    async def capture(self, change: Change) -> Json:
        return {"goal": change.goal}

    # ------------------------------------------------------------ the effect, and what became of it

    async def apply(self, goal: Json, permit: Permit) -> Receipt:
        if not isinstance(permit, Permit):
            raise Refused(f"step {self._id} needs a permit, which the gateway alone gives", "nothing was sent")
        wanted = _Goal.from_json(goal)
        call = self._call(wanted)
        body = await body_of(call)
        if body.sha256 != wanted.body_sha256:
            raise Refused(f"{call.file} was changed since the preview", "nothing was sent; preview it again")
        looked = await self._looked()  # once more: whoever is asked to do what is done must not do it again
        if looked is not None and looked.there == wanted.present:
            return Receipt(f"nothing is sent: {looked.why}")
        headers = await self._headers(call).resolved()
        headers |= self._content_type(call)
        if self._options.idempotency_key:
            headers[self._options.idempotency_key] = permit.op
        if wanted.condition:
            headers |= dict([wanted.condition])
        try:
            answer = await self._exchange(call.method, call.url, headers, body.content)
        except NotSent as error:
            raise Refused(self._told(call, str(error)), "nothing was sent") from None
        except Lost as error:
            raise Unknown(self._told(call, f"sent, and then: {error}")) from None
        detail = self._judged(call, answer, wanted)
        self._answered[wanted.token] = detail
        return Receipt(detail, await self._left(wanted))

    def _judged(self, call: Call, answer: Answer, wanted: _Goal) -> str:
        """What it answered, where that is success; Refused or Failed otherwise."""
        told = status_words(answer.status)
        if call.unexpected(answer):
            if answer.location and 300 <= answer.status <= 399:
                where = clean_line(self._redactor.redact(clean_line(answer.location)))
                raise Failed(self._told(call, f"{told}: it redirects to {where}"), "redirects are not followed")
            said = self._excerpt(answer.body)
            told = f"{told}: {said}" if said else told
            if wanted.condition and answer.status in _CHANGED_MEANWHILE:
                raise Refused(self._told(call, f"somebody changed it since it was read: {told}"), "preview it again")
            if answer.status in _NOT_CARRIED_OUT:
                raise Refused(self._told(call, told), "it was not carried out")
            raise Failed(self._told(call, told))
        if call.expect_json:
            wrong = too_long() if not answer.complete else self._wrong(answer.body, call.expect_json)
            if wrong:
                raise Failed(self._told(call, f"{told}, but {wrong}"))
            return f"{told}; {matched(call.expect_json)}"
        return told

    async def _left(self, wanted: _Goal) -> dict[str, Seen]:
        """Where a precondition was sent: the resource as our own request left it, so that a later step knows it."""
        if not wanted.condition:
            return {}
        try:
            looked = await self._looked()
        except ConsoleError:  # it was done; a later step of this address will then want a new preview
            return {}
        return self._seen(looked) if looked else {}

    async def probe(self, goal: Json) -> Probe:
        wanted = _Goal.from_json(goal)
        looked = await self._looked()
        if looked is None:
            return Probe("unknown", f"{_NO_PROBE}: only a person can tell")
        if looked.there is None:
            return Probe("unknown", f"the probe can't tell: {looked.why}")
        detail = f"the probe finds it {'there' if looked.there else 'not there'}: {looked.why}"
        return Probe("done" if looked.there == wanted.present else "not_done", detail)

    async def watch(self, goal: Json) -> AsyncIterator[Progress | Proof]:
        answered = self._answered.get(_Goal.from_json(goal).token, "")
        if self._options.probe is None:
            yield Proof(f"{answered or 'it answered as expected'}; {_NO_PROBE}")
            return
        while True:
            found = await self.probe(goal)
            if found.answer == "done":
                yield Proof("; ".join(filter(None, [answered, found.detail])))
                return
            yield Progress(found.detail)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _looked(self) -> _Looked | None:
        """Asks the probe, if there is one. Only a secret that can't be had is Refused."""
        probe = self._options.probe
        if probe is None:
            return None
        headers = await self._probe_headers(probe).resolved()
        try:
            answer = await self._exchange("GET", probe.url, headers, None)
        except (NotSent, Lost) as error:
            return _Looked(None, self._shown(f"{self._where(probe.url)}: {error}"))
        there, reason = probe.judge(self._without_secrets(answer))
        said = self._excerpt(answer.body) if there is None else ""
        etag = answer.headers.get("etag", "")
        etag = etag if _STRONG_ETAG.fullmatch(etag) else ""
        return _Looked(there, self._shown(f"{self._where(probe.url)}: {reason}{f' ({said})' if said else ''}"), etag)

    # ------------------------------------------------------------ small things

    async def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        try:
            client = await asyncio.to_thread(open_client, self._options.ca)
        except OSError as error:
            raise NotSent(f"the authorities in {self._options.ca} can't be used: {why(error)}") from None
        async with client:
            seconds = self._options.answer_within_seconds
            return await exchange(client, method, url, seconds=seconds, headers=headers, body=body)

    def _calls(self) -> list[Call]:
        return [self._options] + ([self._options.undo] if self._options.undo else [])

    def _call(self, goal: _Goal) -> Call:
        if goal.present:
            return self._options
        if self._options.undo is None:
            raise Refused('the step no longer names an "undo" request', "put it back into the file")
        return self._options.undo

    def _headers(self, call: Call) -> Headers:
        return self._or_own(call.headers, call.url)

    def _probe_headers(self, probe: Look) -> Headers:
        return self._or_own(probe.headers, probe.url)

    def _or_own(self, headers: Mapping[str, str | HeaderSecret] | None, url: str) -> Headers:
        """The headers of the request itself serve the others too, but never another server."""
        if headers is None:
            headers = self._options.headers or {} if _origin(url) == _origin(self._options.url) else {}
        return Headers(headers, self._redactor)

    def _content_type(self, call: Call) -> dict[str, str]:
        """The header for what the body is, unless the file sets one."""
        named = {name.lower() for name in self._headers(call).shown()}
        return {"Content-Type": call.content_type} if call.content_type and "content-type" not in named else {}

    def _spelled(self, call: Call) -> str:
        key = self._options.idempotency_key
        words = [
            f"curl -f -X {call.method}",
            *([f"--cacert {shlex.quote(str(self._options.ca))}"] if self._options.ca else []),
            *self._headers(call).spelled(),
            *([f'-H "{key}: $(uuidgen)"'] if key else []),
            *(f"-H '{name}: {value}'" for name, value in self._content_type(call).items()),
            *body_for_curl(call),
            shlex.quote(call.url),
        ]
        return self._shown(" ".join(words))

    def _line(self, call: Call) -> str:
        return self._shown(f"{call.method} {self._where(call.url)}")

    def _told(self, call: Call, text: str) -> str:
        return self._redactor.redact(f"{self._line(call)}: {text}")

    def _where(self, url: str) -> str:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"  # a query string may hold a key

    def _shown(self, text: str) -> str:
        return self._redactor.redact(clean(text))

    def _excerpt(self, body: bytes) -> str:
        """The start of a body. Secrets go before it is cut, for half of one would not be found, and again once it is clean."""
        text = clean(self._masked(body[:_EXCERPT_FROM]).decode(), _EXCERPT_FROM)
        return excerpt(self._masked(text.encode()))

    def _wrong(self, body: bytes, expected: Mapping[str, Any]) -> str:
        return self._redactor.redact(wrong_values(self._masked(body), expected))

    def _without_secrets(self, answer: Answer) -> Answer:
        return Answer(answer.status, self._masked(answer.body), answer.complete, answer.headers)

    def _masked(self, body: bytes) -> bytes:
        return self._redactor.redact(body.decode("utf-8", "replace")).encode()


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def build(step_id: str, options: Options, target: None = None) -> HttpRequest:  # noqa: ARG001 - kinds are built alike
    return HttpRequest(step_id, options)
