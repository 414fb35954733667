"""`http.request`: sent once, judged by its answer, settled by its probe, and no secret of it anywhere."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from console.domain.errors import Failed, Refused, Unknown
from console.engine.ports import Json, Proof
from console.steps import http_request
from console.steps.http_request import HttpRequest, Options
from tests.contract.certificates import Certificates
from tests.contract.loopback import Loopback, Reply, Request
from tests.real.room import AtWork, permit

SECRET = "hunter2-and-more"
WRONG_VALUE = {"state": "on"}


class Flags:
    """An API with one resource, `/flags/qec`, as such APIs are: ETags, 404, 412, and what a test wants to go wrong."""

    def __init__(self, folder: Path) -> None:
        self.state: Json = {"enabled": True}
        self.version = 1
        self.etags = True
        self.strict = True
        self.fate = "pass"
        self.reply: Reply | None = None
        self.server = Loopback(self.answer)
        self.url = f"{self.server.url}/flags/qec"
        self.probe = {"url": self.url, "expect_json": {"enabled": False}, "absent": 404}
        self._folder = folder
        self._consoles: list[AtWork] = []

    @property
    def changes(self) -> list[Request]:
        return [request for request in self.server.requests if request.method != "GET"]

    def answer(self, request: Request) -> Reply:
        if request.method == "GET":
            return self.shown()
        if self.fate == "lose":
            return Reply(hang_up=True)
        if self.reply is not None:
            return self.reply
        expected = request.headers.get("If-Match")
        if self.strict and expected not in (None, self.etag):
            return Reply(b'{"error": "changed by ada"}', 412)
        self.change(json.loads(request.body) if request.body else None)
        return Reply(hang_up=True) if self.fate == "swallow" else self.shown()

    def change(self, state: Json) -> None:
        self.state, self.version = state, self.version + 1

    @property
    def etag(self) -> str:
        return f'"v{self.version}"'

    def shown(self) -> Reply:
        if self.state is None:
            return Reply(b"", 404)
        return Reply(json.dumps(self.state).encode(), headers={"ETag": self.etag} if self.etags else {})

    def step(self, **options: Any) -> HttpRequest:
        given = {"method": "PUT", "url": self.url, "json": {"enabled": False}, **options}
        return http_request.build("step", Options.model_validate(given))

    async def console(self, step: HttpRequest, **more: HttpRequest) -> AtWork:
        steps = {"step": step, **more}
        folder = self._folder / f"console-{len(self._consoles)}"
        made = AtWork(folder, steps, 20, dict.fromkeys(steps, "http.request"))
        self._consoles.append(made)
        await made.declare()
        return made

    async def close(self) -> None:
        for console in self._consoles:
            await console.close()
        self.server.stop()


@pytest.fixture
async def flags(tmp_path: Path) -> AsyncIterator[Flags]:
    made = Flags(tmp_path)
    with made.server:
        yield made
        await made.close()


async def applied(step: HttpRequest) -> str:
    """The receipt of a change that went through the vault, as the engine's do."""
    goal = json.loads(json.dumps((await step.plan()).goal))
    return (await step.apply(goal, permit())).detail


async def proof(step: HttpRequest, goal: Json) -> str:
    async for seen in step.watch(goal):
        if isinstance(seen, Proof):
            return seen.text
    raise AssertionError("no proof")


def content_of(folder: Path) -> bytes:
    """Every byte that was written below it: journal, vault and all."""
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


# ------------------------------------------------------------ the whole life, by the real engine


async def test_sent_proven_not_sent_again_and_taken_back(flags: Flags) -> None:
    undo = {"method": "PUT", "url": flags.url, "json": {"enabled": True}}
    console = await flags.console(flags.step(probe=flags.probe, undo=undo))
    outcome = await console.roll_back()
    assert outcome.states == ["proven"], outcome.step.reason
    assert outcome.step.reason == f"200 OK; the probe finds it there: {flags.url}: enabled is false"
    assert (flags.state, len(flags.changes)) == ({"enabled": False}, 1)
    again = await flags.console(flags.step(probe=flags.probe, undo=undo))
    assert (await again.roll_back()).states == ["already"]
    assert len(flags.changes) == 1
    forward = await console.roll_forward()
    assert forward.component.state == "rolled_forward", forward.step.reason
    assert (flags.state, len(flags.changes)) == ({"enabled": True}, 2)


async def test_the_preview_shows_the_whole_request(flags: Flags) -> None:
    step = flags.step(probe=flags.probe, headers={"X-Reason": "rollback"}, expect=(200, 204))
    change = await step.plan()
    assert change.summary == f"PUT {flags.url}"
    assert change.lines == (
        f"+ PUT {flags.url}",
        "  X-Reason: rollback",
        '  If-Match: "v1" (as the probe saw it)',
        "  body: JSON",
        "  | {",
        '  |   "enabled": false',
        "  | }",
        "  success is 200 or 204",
        f"  the probe finds it not there: {flags.url}: enabled is true, expected false",
    )
    assert change.commands == (
        "curl -f -X PUT -H 'X-Reason: rollback' -H \"Idempotency-Key: $(uuidgen)\" "
        f"-H 'Content-Type: application/json' --data-raw '{{\"enabled\": false}}' {flags.url}",
    )


async def test_what_is_sent(flags: Flags) -> None:
    await applied(flags.step(headers={"X-Reason": "rollback"}))
    sent = flags.changes[0]
    assert (sent.method, sent.path, json.loads(sent.body)) == ("PUT", "/flags/qec", {"enabled": False})
    assert (sent.headers["X-Reason"], sent.headers["Idempotency-Key"]) == ("rollback", "op")
    assert sent.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "content_type", "sent"),
    [
        ({"text": "ä\n"}, "text/plain; charset=utf-8", "ä\n".encode()),
        ({"file": "body.bin"}, "application/octet-stream", b"\x00\xff"),
        ({"headers": {"content-type": "a/b"}, "text": "x"}, None, b"x"),
        ({}, None, b""),
    ],
    ids=["text", "file", "type of the file's own", "none"],
)
async def test_bodies(
    flags: Flags, tmp_path: Path, body: dict[str, Any], content_type: str | None, sent: bytes
) -> None:
    (tmp_path / "body.bin").write_bytes(b"\x00\xff")
    flags.reply = Reply(b"", 204)
    given = {"method": "POST", "url": flags.url, "idempotency_key": "X-Request-Id", **body}
    step = HttpRequest("step", Options.model_validate(given, context={"folder": tmp_path}))
    assert await applied(step) == "204 No Content"
    request = flags.changes[0]
    assert (request.headers.get("Content-Type"), request.body) == (content_type, sent)
    assert request.headers["X-Request-Id"] == "op"
    assert "Idempotency-Key" not in request.headers


async def test_a_body_file_that_was_changed_since_the_preview_is_not_sent(flags: Flags, tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_text("one")
    step = flags.step(json=None, file=str(file))
    change = await step.plan()
    file.write_text("two")
    with pytest.raises(Refused, match="was changed since the preview"):
        await step.apply(change.goal, permit())
    file.unlink()
    with pytest.raises(Refused, match="No such file"):
        await step.plan()
    assert flags.changes == []


async def test_without_a_permit_nothing_is_sent(flags: Flags) -> None:
    step = flags.step()
    change = await step.plan()
    with pytest.raises(Refused, match="needs a permit"):
        await step.apply(change.goal, None)  # type: ignore[arg-type]
    assert flags.server.requests == []


# ------------------------------------------------------------ answers


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (Reply(b"flag is locked\n", 500), Failed, "500 Internal Server Error: flag is locked"),
        (Reply(b"", 409), Failed, "409 Conflict"),
        (Reply(b"\x1b]52;c;aGk=\x07\x1b[31mno\x00\n\xe2\x80\xaeway", 422), Failed, "422 Unprocessable Entity: no way"),
        (Reply(b"x" * 5_000_000, 500), Failed, f"500 Internal Server Error: {'x' * 159}…"),
        (Reply(b"<html><title>Log in</title>", 403), Refused, '403 Forbidden: a web page titled "Log in"; it was not'),
        (Reply(b"slow down", 429), Refused, "429 Too Many Requests: slow down; it was not carried out"),
        (
            Reply(b"", 307, {"Location": "https://elsewhere.example/"}),
            Failed,
            "307 Temporary Redirect: it redirects to https://elsewhere.example/; redirects are not followed",
        ),
    ],
    ids=["500", "409", "control characters", "huge", "403", "429", "redirect"],
)
async def test_an_answer_that_is_not_the_expected_one(
    flags: Flags, reply: Reply, error: type[Exception], said: str
) -> None:
    flags.reply = reply
    with pytest.raises(error) as raised:
        await applied(flags.step())
    assert f"PUT {flags.url}: {said}" in str(raised.value)
    assert str(raised.value).isprintable()
    assert len(flags.changes) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"state": "off"}', '200 OK, but state is "off", expected "on"'),
        (b"fine", "200 OK, but its body is not JSON: fine"),
        (b" " * 2_000_000, "200 OK, but its body is longer than 1024 KiB"),
    ],
    ids=["other value", "no JSON", "huge"],
)
async def test_an_answer_with_other_values_is_a_failure(flags: Flags, body: bytes, said: str) -> None:
    flags.reply = Reply(body)
    with pytest.raises(Failed) as raised:
        await applied(flags.step(expect_json=WRONG_VALUE))
    assert str(raised.value) == f"PUT {flags.url}: {said}"


async def test_the_expected_values_are_the_proof_where_there_is_no_probe(flags: Flags) -> None:
    flags.reply = Reply(b'{"state": "on", "more": 1}', 202)
    console = await flags.console(flags.step(expect=202, expect_json=WRONG_VALUE))
    planned = await console.planned()
    assert "no_probe" in {finding.code for finding in planned.findings}
    outcome = await console.roll_back()
    assert outcome.states == ["proven"]
    assert outcome.step.reason == '202 Accepted; state is "on"; there is no probe to read its effect back with'


# ------------------------------------------------------------ lost answers


async def test_nobody_listening_means_that_nothing_was_sent(flags: Flags) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        step = flags.step(url=f"http://127.0.0.1:{closed.getsockname()[1]}/")
        with pytest.raises(Refused, match="connection refused; nothing was sent"):
            await applied(step)


async def test_an_unknown_host_means_that_nothing_was_sent(flags: Flags) -> None:
    with pytest.raises(Refused, match="no such host; nothing was sent"):
        await applied(flags.step(url="http://nowhere.invalid/"))


async def test_a_certificate_that_is_not_trusted_means_that_nothing_was_sent(
    flags: Flags, tmp_path_factory: pytest.TempPathFactory
) -> None:
    certificates = Certificates(tmp_path_factory.mktemp("pki"))
    with Loopback(lambda _: Reply(b"", 204), certificates.context("good")) as server:
        with pytest.raises(Refused, match="its certificate is not accepted"):
            await applied(flags.step(url=server.url))
        assert server.requests == []
        assert await applied(flags.step(url=server.url, ca=str(certificates.authority))) == "204 No Content"
    with pytest.raises(Refused, match=r"authorities in .* can't be used"):
        await applied(flags.step(url=server.url, ca="/nowhere.pem"))


async def test_a_host_that_never_answers_to_tls_means_that_nothing_was_sent(flags: Flags) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # it accepts, and never says a word of TLS
        url = f"https://127.0.0.1:{deaf.getsockname()[1]}/"
        with pytest.raises(Refused, match="no answer in time; nothing was sent"):
            await applied(flags.step(url=url, answer_within="200ms"))


async def test_a_lost_answer_is_settled_by_the_probe(flags: Flags) -> None:
    flags.fate = "swallow"
    outcome = await (await flags.console(flags.step(probe=flags.probe))).roll_back()
    assert (outcome.states, len(flags.changes)) == (["proven"], 1)


async def test_a_request_without_effect_is_found_not_done_and_not_sent_again(flags: Flags) -> None:
    flags.fate = "lose"
    outcome = await (await flags.console(flags.step(probe=flags.probe))).roll_back()
    assert (outcome.states, len(flags.changes)) == (["failed"], 1)
    assert "the probe finds it not there" in outcome.step.reason


async def test_without_a_probe_a_lost_answer_waits_for_a_person(flags: Flags) -> None:
    flags.fate = "swallow"
    console = await flags.console(flags.step())
    outcome = await console.roll_back()
    assert (outcome.states, len(flags.changes)) == (["unknown"], 1)
    assert "there is no probe to read its effect back with: only a person can tell" in outcome.step.reason
    await console.settle("done")
    assert console.state() != "unknown"


async def test_an_answer_that_does_not_come_in_time_is_unknown(flags: Flags) -> None:
    flags.reply = Reply(flags.server.never())
    with pytest.raises(Unknown, match="sent, and then: no answer in time"):
        await applied(flags.step(answer_within="200ms"))


async def test_half_an_answer_is_unknown(flags: Flags) -> None:
    flags.reply = Reply(iter([b"12", b""]), headers={"Content-Length": "10"})
    with pytest.raises(Unknown, match="sent, and then: it broke off its answer"):
        await applied(flags.step())


async def test_what_was_done_meanwhile_is_not_sent(flags: Flags) -> None:
    step = flags.step(probe=flags.probe)
    change = await step.plan()
    flags.change({"enabled": False})
    assert (await step.apply(change.goal, permit())).detail.startswith("nothing is sent: ")
    assert flags.changes == []


# ------------------------------------------------------------ the probe


@pytest.mark.parametrize(
    ("state", "answer"),
    [({"enabled": False}, "done"), ({"enabled": True}, "not_done"), (None, "not_done")],
    ids=["there", "other value", "absent"],
)
async def test_the_probe_tells_what_became_of_it(flags: Flags, state: Json, answer: str) -> None:
    step = flags.step(probe=flags.probe)
    goal = (await step.plan()).goal
    flags.state = state
    assert (await step.probe(goal)).answer == answer


async def test_a_probe_that_can_not_tell_stops_before_anything_is_sent(flags: Flags) -> None:
    step = flags.step(probe={**flags.probe, "absent": 410})
    flags.state = None
    with pytest.raises(Refused, match=r"the probe can't tell: .* it answers 404"):
        await step.plan()
    flags.server.answer = lambda _: Reply(b"<html><title>Log in</title>")
    with pytest.raises(Refused, match="its body is not JSON: a web page"):
        await step.plan()
    flags.server.stop()
    with pytest.raises(Refused, match="connection refused"):
        await step.plan()
    assert flags.changes == []


async def test_an_effect_that_takes_its_time_is_waited_for(flags: Flags, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_request, "_LOOK_AGAIN_SECONDS", 0.01)
    step = flags.step(probe=flags.probe)
    change = await step.plan()
    states = iter([{"enabled": True}, {"enabled": True}, {"enabled": False}])
    flags.server.answer = lambda _: Reply(json.dumps(next(states)).encode())
    assert "enabled is false" in await proof(step, change.goal)


async def test_taking_back_is_done_when_the_probe_finds_it_gone(flags: Flags) -> None:
    flags.state = None
    probe = {"url": flags.url, "absent": 404}
    step = flags.step(probe=probe, undo={"method": "DELETE", "url": flags.url, "expect": (200, 404)})
    console = await flags.console(step)
    assert (await console.roll_back()).states == ["proven"]
    flags.fate = "swallow"
    forward = await console.roll_forward()
    assert forward.component.state == "rolled_forward", forward.step.reason
    assert [request.method for request in flags.changes] == ["PUT", "DELETE"]


async def test_without_an_undo_it_says_that_it_can_not_be_taken_back(flags: Flags) -> None:
    step = flags.step()
    assert step.irreversible == 'its step names no "undo" request'
    with pytest.raises(Refused, match="can't be taken back"):
        await step.plan_undo([{}])


# ------------------------------------------------------------ somebody else


async def test_a_foreign_change_in_the_last_moment_is_refused_by_the_server(flags: Flags) -> None:
    step = flags.step(probe=flags.probe)
    change = await step.plan()
    flags.change({"enabled": True, "by": "ada"})
    with pytest.raises(Refused, match=r"somebody changed it since it was read: 412 .*changed by ada"):
        await step.apply(change.goal, permit())
    assert flags.state == {"enabled": True, "by": "ada"}


async def test_a_foreign_change_after_the_preview_is_refused_before_anything_is_sent(flags: Flags) -> None:
    console = await flags.console(flags.step(probe=flags.probe))
    preview = await console.preview()
    flags.change({"enabled": True, "by": "ada"})
    outcome = await console.confirm(preview)
    assert (outcome.states, flags.changes) == (["failed"], [])
    assert "was changed since the preview" in outcome.step.reason


async def test_two_steps_on_one_resource_know_of_each_other(flags: Flags) -> None:
    first = flags.step(json={"enabled": False, "one": 1}, probe={"url": flags.url, "expect_json": {"one": 1}})
    second = flags.step(
        json={"enabled": False, "one": 1, "two": 2}, probe={"url": flags.url, "expect_json": {"two": 2}}
    )
    outcome = await (await flags.console(first, second=second)).roll_back()
    assert outcome.states == ["proven", "proven"], [s.reason for s in outcome.component.steps.values()]
    assert [request.headers["If-Match"] for request in flags.changes] == ['"v1"', '"v2"']


@pytest.mark.parametrize("how", ["asked not to", "weak", "another address"])
async def test_no_precondition_where_none_fits(flags: Flags, how: str) -> None:
    options: dict[str, Any] = {"probe": flags.probe}
    if how == "asked not to":
        options["if_match"] = False
    elif how == "weak":
        flags.server.answer = lambda r: (
            Reply(b'{"enabled": true}', headers={"ETag": 'W/"1"'}) if r.method == "GET" else flags.answer(r)
        )
    else:
        options["probe"] = {**flags.probe, "url": f"{flags.url}?full=1"}
    await applied(flags.step(**options))
    assert "If-Match" not in flags.changes[0].headers


# ------------------------------------------------------------ secrets


async def test_a_secret_is_sent_and_shown_nowhere(
    flags: Flags, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLAGS_TOKEN", SECRET)
    headers = {"Authorization": {"env": "FLAGS_TOKEN", "prefix": "Bearer "}}
    padding = "x" * 150  # the excerpt ends within the secret

    def echo(request: Request) -> Reply:
        told = request.headers.get("Authorization", "none")
        if request.method == "GET":
            return Reply(json.dumps({"enabled": True, "you": told}).encode())
        return Reply(f"{padding} {told}".encode(), 500)

    flags.server.answer = echo
    probe = {"url": flags.url, "expect_json": {"enabled": False, "you": "nobody"}}
    step = flags.step(headers=headers, probe=probe)
    console = await flags.console(step)
    preview = await console.preview()
    outcome = await console.confirm(preview)
    assert [request.headers["Authorization"] for request in flags.server.requests] == [f"Bearer {SECRET}"] * len(
        flags.server.requests
    )
    assert 'expected "nobody"' in outcome.step.reason
    everything = repr((step.describe(), preview, outcome, console.incident))
    written = content_of(tmp_path)
    assert b"nobody" in written
    for part in (SECRET, SECRET[:8]):
        assert part not in everything
        assert part.encode() not in written
    change = preview.steps[0].change
    assert change is not None
    assert "  Authorization: Bearer (secret from environment variable FLAGS_TOKEN)" in change.lines
    assert '-H "Authorization: Bearer $FLAGS_TOKEN"' in change.commands[0]


async def test_a_secret_never_goes_to_another_server(flags: Flags, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAGS_TOKEN", SECRET)
    with Loopback(lambda _: Reply(b'{"enabled": true}')) as other:
        probe = {"url": other.url, "expect_json": {"enabled": False}}
        await flags.step(headers={"Authorization": {"env": "FLAGS_TOKEN"}}, probe=probe).plan()
        assert "Authorization" not in other.requests[0].headers


@pytest.mark.parametrize("value", ["a\nX-Evil: 1", "sch\u00f6n-geheim"], ids=["two lines", "not ASCII"])
async def test_a_secret_that_a_header_can_not_carry_is_refused_unquoted(
    flags: Flags, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("FLAGS_TOKEN", value)
    step = flags.step(headers={"Authorization": {"env": "FLAGS_TOKEN"}})
    with pytest.raises(Refused, match="a header can't carry") as raised:
        await applied(step)
    assert value not in str(raised.value)
    assert [f.level for f in await step.preflight() if f.code == "secret"] == ["block"]


async def test_a_secret_that_is_missing_or_goes_unencrypted_is_told_in_time(flags: Flags) -> None:
    step = flags.step(url="http://api.example.com/", headers={"X-Key": {"env": "NO_SUCH_VARIABLE_HERE"}})
    assert [(f.level, f.text) for f in await step.preflight() if f.code == "secret"] == [
        ("block", "header X-Key: secret from environment variable NO_SUCH_VARIABLE_HERE: it is not set"),
        ("warn", "a secret goes unencrypted to api.example.com"),
    ]


async def test_a_query_string_is_in_no_error(flags: Flags) -> None:
    flags.reply = Reply(b"", 500)
    with pytest.raises(Failed) as raised:
        await applied(flags.step(url=f"{flags.url}?key=abcdef"))
    assert "abcdef" not in str(raised.value)


# ------------------------------------------------------------ the file


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"method": "GET"}, "'POST', 'PUT', 'PATCH' or 'DELETE'"),
        ({"method": "HEAD"}, "'POST', 'PUT', 'PATCH' or 'DELETE'"),
        ({"text": "x"}, "at most one of"),
        ({"headers": {"Authorization": "Bearer abc"}}, "a secret is never written in the file"),
        ({"headers": {"Content-Length": "1"}}, "is set by the console"),
        ({"headers": {"X": "a", "x": "b"}}, "named twice: x"),
        ({"headers": {"X": "a\r\nY: b"}}, "headers"),
        ({"headers": {"idempotency-key": "1"}}, "carries the operation's id"),
        ({"probe": {"url": "http://x/"}}, 'name "expect_json" or "absent"'),
        ({"probe": {"url": "http://x/", "absent": 200}}, "in expect and in absent: 200"),
        ({"url": "http://kim:pw@x/"}, "a secret is never written in the file"),
    ],
    ids=[
        "GET", "HEAD", "two bodies", "plain Authorization", "Content-Length", "a header twice", "header injection",
        "the key twice", "a probe that tells nothing", "a status both ways", "a password in the address",
    ],
)  # fmt: skip
def test_options_that_can_not_work_are_refused(options: dict[str, Any], told: str) -> None:
    given = {"method": "PUT", "url": "http://x/", "json": {"a": 1}, **options}
    with pytest.raises(ValidationError) as raised:
        Options.model_validate(given)
    assert told in str(raised.value)
