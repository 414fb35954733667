"""The outbox: on disk before a byte leaves, its outcome on disk before anybody is told, and never twice without a word."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from console.domain import commands as c
from console.domain import events as e
from console.domain.errors import Refused, Undelivered, Unknown
from console.domain.incident import NoticeProgress
from console.engine.communicator import LONGEST_SEND_SECONDS
from console.engine.ports import Message
from console.engine.retrying import RETRY_PAUSES_SECONDS
from console.journals.sqlite import SqliteJournal
from tests.engine.simulated import Crash, FaultyJournal, MemoryJournal
from tests.engine.simulated_channel import Console, Room, settled


@pytest.fixture
def room() -> Room:
    return Room(MemoryJournal())


@pytest.fixture
async def console(room: Room) -> Console:
    return await room.declared()


# ---------------------------------------------------------------- once


async def test_a_message_is_sent_once_and_kept_word_for_word(room: Room, console: Console) -> None:
    assert await console.tell("team", "p95 is at 34 s\nwe roll back") == "sent to #team: 200 ok"
    assert console.life("team") == ["sending", "sent"]
    progress = console["team"]
    assert (progress.state, progress.subject, progress.text) == ("sent", "p95", "p95 is at 34 s\nwe roll back")
    assert (progress.to, progress.by, progress.detail, progress.attempt) == ("#team", "kim", "200 ok", 1)
    assert room.channels["team"].delivered == [
        Message(
            op=progress.op,
            notice="team",
            subject="p95",
            text="p95 is at 34 s\nwe roll back",
            incident="INC-0001",
            title="A migration",
            audience="developers",
        )
    ]


async def test_what_was_sent_is_sent_again_only_with_a_reason(room: Room, console: Console) -> None:
    await console.tell("team")
    with pytest.raises(Refused, match="was sent at 22:00:00 UTC by kim"):
        await console.tell("team")
    await console.tell("team", again="two people were not in the channel")
    assert room.delivered() == {"team": 2}
    first, second = room.channels["team"].delivered
    assert first.op != second.op
    assert console.events(e.NoticeSending)[-1].again == "two people were not in the channel"


async def test_nothing_is_sent_before_an_incident_nor_without_a_channel(room: Room) -> None:
    console = room.console()
    with pytest.raises(Refused, match="no incident is declared"):
        await console.tell("team")
    console = await room.declared()
    with pytest.raises(Refused, match="notice briefing has no channel: people give it"):
        await console.tell("briefing")
    with pytest.raises(Refused, match='there is no notice "nobody"'):
        await console.tell("nobody")
    assert not room.delivered()


async def test_an_empty_text_is_no_message(room: Room, console: Console) -> None:
    with pytest.raises(Refused, match="has no text"):
        await console.tell("team", " \n\t\u202e ")
    assert not room.channels["team"].tried


async def test_who_only_observes_sends_nothing(room: Room, console: Console) -> None:
    observer = room.console("ada", mode="observe")
    with pytest.raises(Refused, match="observes"):
        await observer.tell("team")
    assert not room.channels["team"].tried


async def test_a_text_that_the_channel_would_cut_is_refused(room: Room, console: Console) -> None:
    room.channels["team"].longest = 10
    with pytest.raises(Refused, match="11 characters, and #team takes 10"):
        await console.tell("team", "12345678901")
    await console.tell("team", "1234567890")


async def test_what_a_person_pasted_is_clean_when_it_leaves(room: Room, console: Console) -> None:
    await console.tell("team", "one\x1b[2J\r\ntwo\u202e\x07", subject="a\nb\u2028c")
    sent = room.channels["team"].delivered[0]
    assert (sent.subject, sent.text) == ("a b c", "one[2J\ntwo")


async def test_a_drill_can_not_lose_its_mark(room: Room) -> None:
    room.mode = "drill"
    console = await room.declared()
    await console.tell("team", "all is on fire", subject="fire")
    sent = room.channels["team"].delivered[0]
    assert sent.drill
    assert sent.subject == "DRILL: fire"
    assert sent.text.startswith("DRILL - this is an exercise.")


async def test_after_the_end_it_tells_of_the_end(room: Room, console: Console) -> None:
    await console.tell("team")
    await _resolve(console)
    await console.tell("team", "it is over")
    assert [m.resolved for m in room.channels["team"].delivered] == [False, True]


async def _resolve(console: Console) -> None:
    for check in ("health", "complaints"):
        await console.runner.submit(c.Waive(check, "not today"))
    await console.runner.submit(c.Resolve("over"))


# ---------------------------------------------------------------- certainly not delivered


async def test_what_was_not_delivered_is_tried_again_by_itself_word_for_word(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["busy", "busy"]
    assert await console.tell("team") == "not delivered: 503; nothing was delivered; tried again in 2 s"
    assert (console["team"].state, console["team"].attempt) == ("failed", 1)
    await console.tend()
    assert len(room.channels["team"].tried) == 1, "not before its time"
    room.clock.advance(2)
    await console.tend()
    assert (console["team"].state, console["team"].attempt) == ("failed", 2)
    room.clock.advance(10)
    await console.tend()
    assert (console["team"].state, console["team"].attempt) == ("sent", 3)
    assert console.life("team") == ["sending", "failed"] * 2 + ["sending", "sent"]
    assert len({(m.op, m.subject, m.text) for m in room.channels["team"].tried}) == 1
    assert room.delivered() == {"team": 1}


async def test_each_attempt_waits_longer_and_the_last_one_leaves_it_to_a_person(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["busy"] * 20
    await console.tell("team")
    for pause in RETRY_PAUSES_SECONDS:
        assert console.events(e.NoticeFailed)[-1].retry_seconds == pause
        room.clock.advance(pause)
        await console.tend()
    assert console.events(e.NoticeFailed)[-1] == e.NoticeFailed(
        "team", console["team"].op, "503; nothing was delivered; given up after 6 attempts"
    )
    room.clock.advance(3600)
    await console.tend()
    assert len(room.channels["team"].tried) == 6
    assert await console.tell("team") == "not delivered: 503; nothing was delivered; tried again in 2 s"


async def test_a_channel_that_asks_to_wait_is_waited_for(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["busy"]
    room.channels["team"].asks_to_wait = 42.0
    await console.tell("team")
    room.clock.advance(41)
    await console.tend()
    assert len(room.channels["team"].tried) == 1
    room.clock.advance(1)
    await console.tend()
    assert console["team"].state == "sent"


async def test_a_channel_that_asks_to_wait_too_long_is_a_person_s_to_decide(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["busy"]
    room.channels["team"].asks_to_wait = 7200.0
    assert await console.tell("team") == "not delivered: 503; nothing was delivered; it asks to wait 2 h"
    assert console["team"].retry_at is None


async def test_a_plain_no_is_not_tried_again(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["no"]
    assert await console.tell("team") == "not delivered: 404: no such channel"
    room.clock.advance(3600)
    await console.tend()
    assert len(room.channels["team"].tried) == 1


async def test_a_retry_is_carried_out_by_whichever_console_is_there(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["busy"]
    await console.tell("team")
    other = room.console("ada")
    room.clock.advance(2)
    await other.tend()
    await console.tend()
    assert room.delivered() == {"team": 1}
    assert (other["team"].state, other["team"].by) == ("sent", "kim"), "it stays the message of who wrote it"


async def test_two_consoles_at_the_same_retry_send_it_once(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["busy"]
    await console.tell("team")
    consoles = [console, *(room.console(f"ada{n}") for n in range(4))]
    for each in consoles:
        await each.runner.refresh()
    room.clock.advance(2)
    await asyncio.gather(*(each.communicator.tend() for each in consoles))
    await settled()
    assert room.delivered() == {"team": 1}


async def test_an_old_failure_is_not_sent_late_by_a_console_that_was_away(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["busy"]
    await console.tell("team")
    room.clock.advance(3600)
    later = room.console()
    await later.tend()
    assert room.delivered() == {}
    assert later["team"].state == "failed", "and it is not forgotten either"


async def test_a_person_s_new_message_takes_the_place_of_the_retry(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["busy"]
    await console.tell("team", "the old text")
    await console.tell("team", "the new text")
    room.clock.advance(60)
    await console.tend()
    assert [m.text for m in room.channels["team"].delivered] == ["the new text"]


@pytest.mark.parametrize("otherwise", ["acknowledged", "snoozed", "resolved", "elsewhere"])
async def test_what_is_not_awaited_any_more_is_not_tried_again(room: Room, console: Console, otherwise: str) -> None:
    room.channels["team"].faults = ["busy"]
    await console.tell("team")
    if otherwise == "acknowledged":
        await console.runner.submit(c.Acknowledge("team", "called them"))
    elif otherwise == "snoozed":
        await console.runner.submit(c.Snooze("team", room.clock.now().replace(hour=23), "not now"))
    elif otherwise == "resolved":
        await _resolve(console)
    else:
        room.channels["team"].destination = "#another"
    room.clock.advance(2)
    await console.tend()
    assert len(room.channels["team"].tried) == 1


async def test_a_clock_that_is_put_back_does_not_hold_a_retry_up(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["busy"]
    await console.tell("team")
    await console.tend()
    room.clock.step(-10)
    room.clock.advance(2)
    await console.tend()
    assert console["team"].state == "sent"


async def test_a_clock_that_is_put_forward_does_not_hurry_a_retry(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["busy"]
    await console.tell("team")
    await console.tend()
    room.clock.step(+10)
    await console.tend()
    assert len(room.channels["team"].tried) == 1
    room.clock.advance(2)
    await console.tend()
    assert console["team"].state == "sent"


async def test_a_command_that_ends_sees_the_short_retries_through(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["busy", "busy"]
    await console.tell("team")
    await console.communicator.see_through("team", 20)
    assert console["team"].state == "sent"
    assert room.clock.monotonic() == pytest.approx(12, abs=0.5)


async def test_a_command_that_ends_does_not_wait_for_a_retry_beyond_its_time(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["busy"] * 5
    await console.tell("team")
    await console.communicator.see_through("team", 20)
    assert (console["team"].state, console["team"].attempt) == ("failed", 3)
    assert console["team"].retry_at is not None


# ---------------------------------------------------------------- perhaps delivered


@pytest.mark.parametrize("fault", ["lost_before", "lost_after", "explode", "explode_after", "broken_off"])
async def test_whatever_is_not_certain_waits_for_a_person(room: Room, console: Console, fault: Any) -> None:
    room.channels["team"].faults = [fault]
    await console.tell("team")
    assert console["team"].state == "maybe_sent"
    room.clock.advance(3600)
    await console.tend()
    with pytest.raises(Refused, match="may have been sent already"):
        await console.tell("team")
    assert len(room.channels["team"].tried) == 1


async def test_a_person_who_looked_sends_it_again_under_the_same_key(room: Room, console: Console) -> None:
    """The same words are the same message: a channel that knows the key shows it once, whatever became of the first."""
    room.channels["team"].faults = ["lost_after"]
    await console.tell("team")
    await console.tell("team", again="it is not in the channel")
    assert len({m.op for m in room.channels["team"].tried}) == 1
    assert (console["team"].state, console["team"].attempt) == ("sent", 2)


async def test_other_words_are_another_message(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["lost_before"]
    await console.tell("team")
    await console.tell("team", "by now it is at 40 s", again="it is not in the channel")
    assert len({m.op for m in room.channels["team"].tried}) == 2


async def test_a_person_who_looked_may_say_that_it_arrived(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["lost_after"]
    await console.tell("team")
    await console.runner.submit(c.Acknowledge("team", "it is in the channel"))
    assert console["team"].state == "acknowledged"
    assert room.delivered() == {"team": 1}


async def test_a_channel_that_never_answers_is_given_up(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["hangs"]
    telling = asyncio.create_task(console.tell("team"))
    await room.channels["team"].asked.wait()
    await asyncio.sleep(0)
    room.clock.advance(LONGEST_SEND_SECONDS)
    assert await telling == "no answer within 2 m; see whether it arrived"
    assert console["team"].state == "maybe_sent"


# ---------------------------------------------------------------- several consoles


@pytest.mark.parametrize("again", ["", "a person asked for it"])
async def test_of_two_consoles_that_send_it_at_once_exactly_one_wins(room: Room, console: Console, again: str) -> None:
    if again:
        await console.tell("team", "the first")
        room.channels["team"].delivered.clear()
    consoles = [room.console(f"kim{n}") for n in range(5)]
    for each in consoles:
        await each.runner.refresh()
        await each.communicator.draft("team")
    told = await asyncio.gather(
        *(each.communicator.notify("team", "s", f"from {n}", again) for n, each in enumerate(consoles)),
        return_exceptions=True,
    )
    assert room.delivered() == {"team": 1}
    assert sum(isinstance(one, str) for one in told) == 1
    assert all(isinstance(one, str | Refused) for one in told)


async def test_a_word_about_one_message_is_never_taken_for_another(room: Room, console: Console) -> None:
    """Ada saw that it may have been sent and says "again"; Kim has done that while she was writing."""
    room.channels["team"].faults = ["lost_before"]
    await console.tell("team")
    ada = room.console("ada")
    await ada.communicator.draft("team")
    await console.tell("team", again="it did not arrive")
    with pytest.raises(Refused, match="was sent at 22:00:00 UTC by kim meanwhile; look at it again"):
        await ada.communicator.notify("team", "s", "t", "it did not arrive")
    assert room.delivered() == {"team": 1}


async def test_what_another_living_console_is_sending_is_not_left_behind(tmp_path: Path) -> None:
    room = Room(SqliteJournal(tmp_path / "journal"))
    console = await room.declared()
    room.channels["team"].faults = ["hangs"]
    telling = asyncio.create_task(console.tell("team"))
    await room.channels["team"].asked.wait()
    other = room.console("ada", journal=SqliteJournal(tmp_path / "journal"))
    await other.runner.refresh()
    await other.communicator.tend()
    assert other["team"].state == "sending"
    with pytest.raises(Refused, match="is being sent by another console"):
        await other.tell("team", again="now")
    room.channels["team"].answer.set()
    await telling
    await other.tend()
    assert other.life("team") == ["sending", "sent"]
    assert room.delivered() == {"team": 1}


async def test_messages_of_two_consoles_do_not_wait_for_each_other(tmp_path: Path) -> None:
    room = Room(SqliteJournal(tmp_path / "journal"))
    console = await room.declared()
    room.channels["team"].faults = ["hangs"]
    telling = asyncio.create_task(console.tell("team"))
    await room.channels["team"].asked.wait()
    other = room.console("ada", journal=SqliteJournal(tmp_path / "journal"))
    assert await other.tell("boss") == "sent to #boss: 200 ok"
    room.channels["team"].answer.set()
    await telling


async def test_the_same_console_does_not_send_it_twice_at_a_time(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["hangs"]
    telling = asyncio.create_task(console.tell("team"))
    await room.channels["team"].asked.wait()
    with pytest.raises(Refused, match="is being sent just now"):
        await console.tell("team", again="now")
    room.channels["team"].answer.set()
    await telling
    assert room.delivered() == {"team": 1}


# ---------------------------------------------------------------- leaving and dying


async def test_closing_waits_for_the_message_under_way(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["hangs"]
    telling = asyncio.create_task(console.tell("team"))
    await room.channels["team"].asked.wait()
    draining = asyncio.create_task(console.communicator.drain())
    await asyncio.sleep(0)
    assert not draining.done()
    with pytest.raises(Refused, match="this console is closing"):
        await console.tell("boss")
    room.channels["team"].answer.set()
    await draining
    assert console["team"].state == "sent"
    await telling


async def test_who_gives_up_waiting_does_not_stop_the_message(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["hangs"]
    telling = asyncio.create_task(console.tell("team"))
    await room.channels["team"].asked.wait()
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    room.channels["team"].answer.set()
    await console.communicator.drain()
    assert console["team"].state == "sent"


@pytest.mark.parametrize("fault", ["die_before", "die_after"])
async def test_what_a_dead_console_was_sending_may_have_been_sent(room: Room, console: Console, fault: Any) -> None:
    room.channels["team"].faults = [fault]
    with pytest.raises(Crash):
        await console.tell("team")
    later = room.console("ada")
    await later.tend()
    assert later["team"].state == "maybe_sent"
    assert later["team"].detail == "the console that sent it is gone"
    room.clock.advance(600)
    await later.tend()
    assert len(room.channels["team"].tried) == 1
    assert room.delivered()["team"] <= 1


async def test_a_command_settles_what_was_left_behind_before_it_says_again(room: Room, console: Console) -> None:
    room.channels["team"].faults = ["die_before"]
    with pytest.raises(Crash):
        await console.tell("team")
    later = room.console("ada")
    with pytest.raises(Refused, match="may have been sent already: the console that sent it is gone"):
        await later.tell("team")
    assert await later.tell("team", again="it is not in the channel") == "sent to #team: 200 ok"
    assert room.delivered() == {"team": 1}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
async def test_dying_at_any_append_never_sends_twice_and_never_forgets(room: Room, when: Any, number: int) -> None:
    """The message is not delivered at first, and by the retry: sending, failed, sending, sent."""
    await room.declared()
    room.channels["team"].faults = ["busy"]
    dying = room.console(journal=FaultyJournal(room.journal, number, when))
    try:
        await dying.tell("team")
        await dying.communicator.see_through("team", 20)
    except Crash:
        pass
    later = room.console("ada")
    for _ in range(20):
        room.clock.advance(3)
        await later.tend()
    progress: NoticeProgress | None = later.runner.incident.notices.get("team")
    assert room.delivered()["team"] <= 1
    expected = {(1, "before"): None, (1, "after"): "maybe_sent", (2, "before"): "maybe_sent", (2, "after"): "sent"}
    expected |= {(3, "before"): "sent", (3, "after"): "maybe_sent", (4, "before"): "maybe_sent", (4, "after"): "sent"}
    assert (progress.state if progress else None) == expected[number, when]
    assert bool(room.delivered()) is (progress is not None and progress.state == "sent") or number == 4


async def test_an_outcome_that_can_not_be_written_at_first_is_written_later(room: Room) -> None:
    await room.declared()
    full = FaultyJournal(room.journal, 2, "before", Refused("the disk is full"), times=6)
    console = room.console(journal=full)
    assert "this is not in the record: the disk is full" in await console.tell("team")
    assert console["team"].state == "sending"
    await console.communicator.tend()
    await console.communicator.tend()
    await console.communicator.tend()
    assert console.life("team") == ["sending", "sent"]
    assert room.delivered() == {"team": 1}


async def test_a_new_incident_does_not_hide_what_became_of_the_last_word(room: Room, console: Console) -> None:
    await console.tell("team")
    await _resolve(console)
    room.channels["team"].asked.clear()
    room.channels["team"].faults = ["hangs"]
    telling = asyncio.create_task(console.tell("team", "it is over"))
    await room.channels["team"].asked.wait()
    other = room.console("ada")
    await other.runner.submit(c.Declare("again", "live", room.outline, "digest"))
    assert other.life("team") == ["sending", "sent", "sending", "maybesent"]
    room.channels["team"].answer.set()
    assert "this is not in the record" in await telling
    assert not console.runner.incident.notices


# ---------------------------------------------------------------- trying a channel


async def test_a_channel_can_be_tried_before_any_incident_and_counts_for_nothing(room: Room) -> None:
    console = room.console()
    room.channels["team"].on_disk = None
    assert await console.communicator.try_channel("team") == "200 ok"
    sent = room.channels["team"].delivered[0]
    assert sent.subject == "TEST: A migration"
    assert sent.text.startswith("TEST - nothing is wrong")
    assert room.journal.last_seq() == 0


async def test_a_test_message_has_no_place_in_an_incident(room: Room, console: Console) -> None:
    with pytest.raises(Refused, match="INC-0001 is open: a test message is not kept in its record"):
        await console.communicator.try_channel("team")
    assert not room.channels["team"].tried


async def test_the_public_is_not_told_that_something_is_tried(room: Room) -> None:
    with pytest.raises(Refused, match="#page is read by the public"):
        await room.console().communicator.try_channel("page")
    assert not room.channels["page"].tried


async def test_a_channel_that_is_tried_answers_for_itself(room: Room) -> None:
    console = room.console()
    room.channels["team"].on_disk = None
    room.channels["team"].faults = ["no", "lost_before", "broken_off"]
    with pytest.raises(Undelivered, match="404"):
        await console.communicator.try_channel("team")
    for _ in range(2):
        with pytest.raises(Unknown):
            await console.communicator.try_channel("team")
    with pytest.raises(Refused, match="notice briefing has no channel"):
        await console.communicator.try_channel("briefing")
