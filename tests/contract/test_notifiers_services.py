"""What is each service's own: Slack's words and limits, a page that is updated, an alert's key, a ticket's document."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from console.domain.errors import Refused, Undelivered, Unknown
from console.engine.ports import Notifier
from console.notifiers import slack, statuspage, webhook
from console.sandbox.loopback import refuse_outside
from console.sandbox.web import STATUSPAGE_KEY, STATUSPAGE_PAGE, Sinks, Site
from console.targets import pagerduty as pagerduty_target
from console.targets import slack as slack_target
from console.targets import smtp
from console.targets import statuspage as statuspage_target
from tests.contract.channels import HOSTILE, SECRETS, Front, channel, message, permit_for, taken, texts_in
from tests.contract.loopback import Reply


@pytest.fixture
def sinks(monkeypatch: pytest.MonkeyPatch) -> Sinks:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return Sinks()


@pytest.fixture
async def front(sinks: Sinks, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Front]:
    async with Site(sinks.app()) as site:
        made = Front(site.url)
        with made.server:
            monkeypatch.setenv("SLACK_WEBHOOK", f"{made.server.url}/slack")
            yield made


async def sent(notifier: Notifier, **changes: Any) -> str:
    told = message(**changes)
    return await notifier.send(told, permit_for(told))


# ------------------------------------------------------------ Slack


@pytest.mark.parametrize("way", ["slack-webhook", "slack-token"])
async def test_slack_reads_no_markup_mention_or_link_in_a_fact(front: Front, sinks: Sinks, way: str) -> None:
    await sent(channel(way, front.server.url), subject=HOSTILE, text=HOSTILE)
    document = taken(sinks)[0]
    assert {block["text"]["type"] for block in document["blocks"]} == {"plain_text"}
    assert (document["mrkdwn"], document["unfurl_links"], document["unfurl_media"]) == (False, False, False)
    for text in texts_in(document):
        assert not set("<>") & set(text)
    assert "&lt;!channel&gt; &lt;@U123&gt;" in document["blocks"][1]["text"]["text"]
    assert "&amp;lt;b&amp;gt;" in document["blocks"][1]["text"]["text"]


@pytest.mark.parametrize(
    "text",
    ["x" * 6000, ("word " * 100 + "\n") * 11, "&" * 1000, "a & b\n" * 800, "\n" * 4000 + "x"],
    ids=["one line", "lines", "entities", "both", "line breaks"],
)
async def test_long_text_is_split_between_lines_and_nothing_is_lost(front: Front, sinks: Sinks, text: str) -> None:
    assert await sent(channel("slack-webhook", front.server.url), text=text) == "ok"
    sections = [block["text"]["text"] for block in taken(sinks)[0]["blocks"][1:]]
    assert max(map(len, sections)) <= 3000
    arrived = "".join(sections).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert arrived == text.strip("\n")


@pytest.mark.parametrize("text", ["<" * 6000, "word\n" * 2000], ids=["entities", "lines"])
async def test_what_does_not_fit_is_left_out_and_that_is_told(front: Front, sinks: Sinks, text: str) -> None:
    answer = await sent(channel("slack-webhook", front.server.url), text=text)
    assert answer == "ok; its end was left out, it was too long"
    assert len(taken(sinks)[0]["blocks"]) <= 4


async def test_a_token_posts_where_the_notice_says(front: Front, sinks: Sinks) -> None:
    made = channel("slack-token", front.server.url)
    await sent(made)
    assert (taken(sinks)[0]["channel"], made.destination) == ("#incidents", "Slack #incidents")
    assert SECRETS["SLACK_TOKEN"] not in json.dumps(taken(sinks))


@pytest.mark.parametrize(
    ("error", "outcome", "retry", "hint"),
    [
        ("not_in_channel", Undelivered, False, "invite the bot"),
        ("token_revoked", Undelivered, False, "renew the bot token"),
        ("missing_scope", Undelivered, False, "chat:write"),
        ("a_word_of_tomorrow", Undelivered, False, "nothing was delivered"),
        ("ratelimited", Undelivered, True, "nothing was delivered"),
        ("internal_error", Unknown, None, "it may have arrived"),
        ("fatal_error", Unknown, None, "it may have arrived"),
    ],
)
async def test_slacks_words_are_understood(
    front: Front, error: str, outcome: type[Exception], retry: bool | None, hint: str
) -> None:
    front.reply = Reply(json.dumps({"ok": False, "error": error}).encode())
    with pytest.raises(outcome, match=error) as raised:
        await sent(channel("slack-token", front.server.url))
    assert getattr(raised.value, "retry", None) == retry
    assert hint in str(raised.value)


async def test_a_revoked_webhook_is_told_with_what_to_do(front: Front) -> None:
    front.reply = Reply(b"no_service", 404)
    with pytest.raises(Undelivered, match=r"404 Not Found: no_service.*make a new one"):
        await sent(channel("slack-webhook", front.server.url))


@pytest.mark.parametrize("body", [b"<html><title>Log in</title></html>", b"", b'{"ok": 1}'])
async def test_200_from_something_that_is_not_slack_is_no_delivery(front: Front, body: bytes) -> None:
    front.reply = Reply(body)
    for way in ("slack-webhook", "slack-token"):
        with pytest.raises(Unknown, match="it does not answer as Slack does"):
            await sent(channel(way, front.server.url))


@pytest.mark.parametrize(
    "address", ["http://hooks.slack.com/services/T0/B0/hunter2", "hunter2-no-address", "file:///hunter2"]
)
async def test_a_webhook_that_is_no_https_address_is_refused_unquoted(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK", address)
    with pytest.raises(Undelivered, match="is not an https address") as raised:
        await sent(channel("slack-webhook", ""))
    assert "hunter2" not in str(raised.value)


def test_a_channel_is_named_exactly_where_one_is_needed() -> None:
    token = slack_target.build("chat", slack_target.Options.model_validate({"token": {"env": "X"}}))
    hook = slack_target.build("chat", slack_target.Options.model_validate({"webhook": {"env": "X"}}))
    with pytest.raises(Refused, match='names no channel as "to"'):
        slack.build(slack.Options(), token)
    with pytest.raises(Refused, match="can't choose its channel"):
        slack.build(slack.Options(to="#incidents"), hook)
    assert slack.build(slack.Options(), hook).destination == "Slack (chat)"


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"webhook": {"env": "X"}, "token": {"env": "Y"}},
        {"webhook": {"env": "X"}, "url": "https://slack.com/api"},
        {"token": {"env": "X"}, "url": "http://slack.example.com/api"},
        {"webhook": "https://hooks.slack.com/services/T0/B0/hunter2"},
    ],
    ids=["neither", "both", "an address too many", "unencrypted", "the secret itself"],
)
def test_a_slack_that_can_not_work_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        slack_target.Options.model_validate(table)
    assert "hunter2" not in str(raised.value)


# ------------------------------------------------------------ Statuspage


async def test_a_page_has_one_incident_which_later_notices_update_and_the_last_resolves(
    front: Front, sinks: Sinks
) -> None:
    assert (
        await sent(channel("statuspage", front.server.url), op="1", notice="public") == "incident drill0000000 opened"
    )
    assert await sent(channel("statuspage", front.server.url), op="2", notice="public", text="Better.") == (
        "incident drill0000000 updated"
    )
    await sent(channel("statuspage", front.server.url), op="3", notice="public-end", text="Over.", resolved=True)
    incidents = [document["incident"] for document in taken(sinks)]
    assert [one.get("status") for one in incidents] == ["investigating", None, "resolved"]
    assert [one.get("name") for one in incidents] == ["p95 is back", None, None]
    assert [one["metadata"]["rollback-console"]["ops"] for one in incidents] == [["1"], ["1", "2"], ["1", "2", "3"]]
    assert (
        await sent(channel("statuspage", front.server.url), incident="inc-8", op="4") == "incident drill0000001 opened"
    )


async def test_a_message_that_the_page_has_is_not_told_again(front: Front, sinks: Sinks) -> None:
    await sent(channel("statuspage", front.server.url))
    again = await sent(channel("statuspage", front.server.url))
    assert again == "incident drill0000000 has it, as the page itself says"
    assert len(sinks.received) == 1


async def test_a_page_shows_no_element_and_no_link_of_a_fact(front: Front, sinks: Sinks) -> None:
    await sent(channel("statuspage", front.server.url), subject=HOSTILE, text=HOSTILE)
    for text in texts_in(taken(sinks)[0]):
        assert not set("<>") & set(text)
        assert "](" not in text


@pytest.mark.parametrize("status", [420, 429])
async def test_a_page_that_asks_to_wait_is_waited_for(front: Front, status: int) -> None:
    front.reply = Reply(b'{"error": "Too many requests"}', status, {"Retry-After": "60"})
    with pytest.raises(Undelivered) as raised:
        await sent(channel("statuspage", front.server.url))
    assert (raised.value.retry, raised.value.after_seconds) == (True, 60.0)


@pytest.mark.parametrize(
    ("listed", "retry"), [(Reply(b"{}", 500), True), (Reply(b"<html>"), False), (Reply(hang_up=True), True)]
)
async def test_a_page_that_can_not_be_read_is_told_nothing(front: Front, listed: Reply, retry: bool) -> None:
    front.server.answer = lambda request: listed if request.method == "GET" else front.answer(request)
    with pytest.raises(Undelivered) as raised:
        await sent(channel("statuspage", front.server.url))
    assert (raised.value.retry, front.sent) == (retry, [])


@pytest.mark.parametrize(
    "listed",
    [
        [None, 1, "x", {}, {"metadata": 1}, {"metadata": {"rollback-console": 1}}],
        [{"id": "../../evil", "metadata": {"rollback-console": {"incident": "inc-7", "ops": []}}}],
        [{"id": {"a": 1}, "metadata": {"rollback-console": {"incident": "inc-7", "ops": 7}}}],
    ],
)
async def test_whatever_else_a_page_holds_is_passed_over(front: Front, sinks: Sinks, listed: Any) -> None:
    answer = Reply(json.dumps(listed).encode())
    front.server.answer = lambda request: answer if request.method == "GET" else front.answer(request)
    assert "opened" in await sent(channel("statuspage", front.server.url))


async def test_a_wrong_key_is_told(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATUSPAGE_KEY", "wrong-key")
    with pytest.raises(Undelivered, match="the API key is not valid"):
        await sent(channel("statuspage", front.server.url))


async def test_a_notice_chooses_what_the_page_says(front: Front, sinks: Sinks) -> None:
    table = {"api_key": {"env": "STATUSPAGE_KEY"}, "page": STATUSPAGE_PAGE, "url": f"{front.server.url}/statuspage"}
    page = statuspage_target.build("page", statuspage_target.Options.model_validate(table))
    page.delivery.pace = None
    options = statuspage.Options(status="identified", impact_override="major", notify_subscribers=False)
    await sent(statuspage.build(options, page))
    told = taken(sinks)[0]["incident"]
    assert (told["status"], told["impact_override"], told["deliver_notifications"]) == ("identified", "major", False)
    assert STATUSPAGE_KEY not in json.dumps(told)


# ------------------------------------------------------------ PagerDuty


async def test_each_message_is_an_alert_of_its_own_and_sending_it_again_is_none(front: Front, sinks: Sinks) -> None:
    for op in ("1", "2", "1"):
        await sent(channel("pagerduty", front.server.url), op=op)
    assert [document["dedup_key"] for document in taken(sinks)] == [
        "inc-7/development-team/1",
        "inc-7/development-team/2",
    ]
    event = taken(sinks)[0]
    assert (event["event_action"], event["payload"]["severity"]) == ("trigger", "critical")
    assert event["payload"]["custom_details"]["text"] == "The dashboard was rolled back.\nSoaking."


async def test_an_answer_lost_three_times_leaves_it_open_with_one_alert(front: Front, sinks: Sinks) -> None:
    front.fates = ["swallow"] * 3
    with pytest.raises(Unknown):
        await sent(channel("pagerduty", front.server.url))
    assert (len(front.sent), len(sinks.received)) == (3, 1)


async def test_once_an_answer_was_lost_a_refusal_does_not_make_it_undelivered(front: Front) -> None:
    replies = iter([Reply(hang_up=True), Reply(b"{}", 400)])
    front.reply = lambda _: next(replies)
    with pytest.raises(Unknown, match=r"the next try: .*400"):
        await sent(channel("pagerduty", front.server.url))


async def test_202_from_something_that_is_not_pagerduty_is_no_delivery(front: Front) -> None:
    front.reply = Reply(b"accepted", 202)
    with pytest.raises(Unknown, match="it does not answer as PagerDuty does"):
        await sent(channel("pagerduty", front.server.url))


# ------------------------------------------------------------ webhook


def hook(front: Front, **options: Any) -> Notifier:
    given = {"url": f"{front.server.url}/tracker", **options}
    return webhook.build(webhook.Options.model_validate(given))


async def test_names_are_filled_in_as_values_and_once(front: Front, sinks: Sinks) -> None:
    body = {
        "fields": {"summary": "[$incident] $subject", "labels": ("rollback", "$notice"), "drill": "$drill", "n": 7},
        "$subject": "costs $$5, ${title}",
        "flag": "drill: $drill",
    }
    await sent(hook(front, json=body), subject='"}, "admin": true, "x": {"$text": "\\', text="$subject")
    assert taken(sinks)[0] == {
        "fields": {
            "summary": '[inc-7] "}, "admin": true, "x": {"$text": "\\',
            "labels": ["rollback", "development-team"],
            "drill": False,
            "n": 7,
        },
        "$subject": "costs $5, QEC-SFT migration",
        "flag": "drill: false",
    }


async def test_without_a_body_of_its_own_all_is_sent(front: Front, sinks: Sinks) -> None:
    await sent(hook(front), resolved=True)
    assert taken(sinks)[0] == {
        "subject": "p95 is back",
        "text": "The dashboard was rolled back.\nSoaking.",
        "incident": "inc-7",
        "title": "QEC-SFT migration",
        "notice": "development-team",
        "op": "op-1f3a",
        "audience": "developers",
        "drill": False,
        "resolved": True,
    }


@pytest.mark.parametrize("text", ["```\n@everyone", "````` ``", "plain", "~~~"])
async def test_a_markdown_block_can_not_be_ended_by_what_is_in_it(front: Front, sinks: Sinks, text: str) -> None:
    await sent(hook(front, json={"body": "$code"}), text=text)
    opening, *inner, closing = taken(sinks)[0]["body"].split("\n")
    assert (opening, "\n".join(inner)) == (f"{closing}text", text)
    assert closing not in text
    assert set(closing) == {"`"}


async def test_headers_the_key_and_the_method_are_as_the_file_says(front: Front) -> None:
    made = hook(
        front,
        method="PUT",
        headers={
            "Authorization": {"env": "TRACKER_TOKEN", "prefix": "Bearer "},
            "Content-Type": "application/vnd.a+json",
        },
        idempotency_key="X-Request-Id",
    )
    front.reply = Reply(b"", 204)
    assert await sent(made) == "204 No Content"
    request = front.sent[0]
    assert (request.method, request.headers["X-Request-Id"]) == ("PUT", "op-1f3a")
    assert request.headers["Authorization"] == f"Bearer {SECRETS['TRACKER_TOKEN']}"
    assert request.headers["Content-Type"] == "application/vnd.a+json"


async def test_an_address_that_is_a_secret_is_in_no_word(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_URL", f"{front.server.url}/hooks/hunter2-of-the-hook")
    made = hook(front, url={"env": "HOOK_URL"})
    front.reply = lambda request: Reply(f"no hook at {request.path}".encode(), 404)
    with pytest.raises(Undelivered, match="no hook at •••") as raised:
        await sent(made)
    assert "hunter2" not in f"{raised.value}{made.destination}"
    assert made.destination == "POST the address from environment variable HOOK_URL"


@pytest.mark.parametrize(
    ("expect", "status", "outcome"),
    [(None, 299, None), (201, 200, Unknown), ((200, 409), 409, None), (None, 409, Unknown)],
)
async def test_the_file_says_which_status_is_success(
    front: Front, expect: Any, status: int, outcome: type[Exception] | None
) -> None:
    front.reply = Reply(b"{}", status)
    made = hook(front, **({} if expect is None else {"expect": expect}))
    if outcome is None:
        assert (await sent(made)).startswith(str(status))
    else:
        with pytest.raises(outcome):
            await sent(made)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"json": {"a": "$subjekt"}}, "unknown name"),
        ({"json": {"a": ({"b": "5 $"},)}}, "unknown name"),
        ({"headers": {"Authorization": "Bearer abc"}}, "a secret is never written in the file"),
        ({"headers": {"idempotency-key": "x"}}, "carries the message's id"),
        ({"url": "ftp://x/"}, "not an address"),
        ({"method": "GET"}, "'POST', 'PUT' or 'PATCH'"),
    ],
)
def test_a_webhook_that_can_not_work_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as raised:
        webhook.Options.model_validate({"url": "https://x.example/", **options})
    assert told in str(raised.value)


# ------------------------------------------------------------ a drill


@pytest.mark.parametrize(
    "options",
    [
        slack_target.Options.model_validate({"token": {"env": "X"}}),
        statuspage_target.Options.model_validate({"api_key": {"env": "X"}, "page": "abc"}),
        pagerduty_target.Options.model_validate({"routing_key": {"env": "X"}}),
        smtp.Options.model_validate({"host": "mail.example.com", "from": "a@b.example"}),
        webhook.Options.model_validate({"url": "https://jira.example.com/"}),
    ],
    ids=["slack", "statuspage", "pagerduty", "smtp", "webhook"],
)
def test_a_drill_refuses_every_address_that_is_not_on_this_machine(options: Any) -> None:
    with pytest.raises(Refused, match="is not on this machine"):
        refuse_outside(options.model_dump())


_IN_A_DRILL = """
import asyncio
from console.domain.errors import Undelivered
from console.sandbox.loopback import stay_here
from tests.contract.channels import channel, message, permit_for
stay_here()
try:
    print(asyncio.run(channel("slack-webhook", "").send(message(), permit_for(message()))))
except Undelivered as error:
    print(error)
"""


def test_an_address_that_only_a_secret_tells_is_not_reached_by_a_drill() -> None:
    """192.0.2.0/24 is nobody's (RFC 5737): without the guard this would end in a time limit."""
    environment = {**os.environ, "SLACK_WEBHOOK": "https://192.0.2.1/services/T0/B0/hunter2"}
    ran = subprocess.run(
        [sys.executable, "-c", _IN_A_DRILL], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "Slack (chat): connection refused; nothing was delivered\n"


def test_a_drill_takes_what_is_on_this_machine() -> None:
    refuse_outside(slack_target.Options.model_validate({"webhook": {"env": "X"}}).model_dump())
    refuse_outside(
        slack_target.Options.model_validate({"token": {"env": "X"}, "url": "http://127.0.0.1:1/"}).model_dump()
    )
    refuse_outside(
        smtp.Options.model_validate({"host": "127.0.0.1", "security": "plain", "from": "a@b.example"}).model_dump()
    )
