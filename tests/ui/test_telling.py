"""The communication plan on the screen: what is loud, how a message is read, edited and sent, and what is asked beside it."""

from __future__ import annotations

import asyncio
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Static, TextArea

from console.domain.errors import Failed, Refused, Unknown
from console.ui import multiplexer
from console.ui.alarm import Alarm
from console.ui.app import RollbackConsoleApp
from console.ui.editor import editor_command
from console.ui.screens.compose import ComposeScreen
from console.ui.screens.followup import due_moment
from console.ui.telling import Delay, delay_of
from console.ui.widgets.communication import by_urgency
from tests.ui import fake_console as fake
from tests.ui import told
from tests.ui.conftest import Running, Screen
from tests.ui.test_screen import CONTROLS


def console(state: Any = told.VIEW, **more: Any) -> fake.FakeConsole:
    return fake.FakeConsole(state, drafts={"mail-eng": told.DRAFT}, **more)


def body(screen: Screen) -> TextArea:
    return screen.app.screen.query_one("#body", TextArea)


def said(screen: Screen) -> str:
    return str(screen.app.main.message.render())


# ---------------------------------------------------------------- the panel


@pytest.mark.parametrize(
    ("notice", "words"),
    [
        (told.OVERDUE, ("▲ OVERDUE 2:42", "E-mail engineering management", "[ Send ]")),
        (told.DUE, ("▲ DUE NOW", "[ Send ]")),
        (told.DUE_BY_HAND, ("▲ DUE NOW", "[ Told ]")),
        (told.SOON, ("◷ in 4:18", "http")),
        (told.WAITING, ("◷ in 43 min", "by hand")),
        (told.SNOOZED, ("z put off until 03:20", "waiting for legal")),
        (told.SENDING, ("● sending",)),
        (told.SENT, ("✔ sent 02:53", "mira")),
        (told.REPEATS, ("✔ again in 12 min", "mira 03:08")),
        (told.MAYBE, ("⁇ MAYBE SENT", "mail.example.com:587 broke")),
        (told.FAILED, ("✘ NOT SENT", "mail.example.com:587 refuses")),
        (told.RETRIED, ("✘ not sent, again in 0:24",)),
        (told.TOLD, ("✔ told 03:01", "ana")),
        (told.UNASKED, ("○ compliance touched?", "[ Say ]")),
        (told.NOT_NEEDED, ("– not needed", "no sign of it")),
        (told.WITHDRAWN, ("· not given",)),
    ],
    ids=lambda value: value.state if hasattr(value, "state") else "",
)
@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_every_state_of_a_notice_has_its_icon_its_word_and_its_time(
    running: Running, notice: Any, words: tuple[str, ...], size: tuple[int, int]
) -> None:
    async with running(told.view_with(notice), size=size) as screen:
        await screen.press("4")
        text = screen.text()
        assert [word for word in words if word not in text] == []
        assert notice.title[:20] in text


async def test_ascii_says_every_state_in_ascii(running: Running) -> None:
    everything = (*told.ALL, told.MAYBE, told.FAILED, told.RETRIED, told.SENDING, told.WITHDRAWN, told.REPEATS)
    states = tuple(replace(n, id=f"n{place}") for place, n in enumerate(everything))
    async with running(told.view_with(*states), size=(80, 40), ascii_only=True) as screen:
        await screen.press("4")
        text = screen.text()
        assert text.isascii()
        for words in (
            "!! OVERDUE",
            "zz put off",
            "* sending",
            "ok sent 02:53",
            "ok again in 12 min",
            "?? MAYBE SENT",
            "XX NOT SENT",
            "o compliance",
        ):
            assert words in text


async def test_what_needs_somebody_stands_first_and_what_is_done_with_last(running: Running) -> None:
    order = [n.id for n in by_urgency(told.LOUD.notices)]
    assert order == ["mail-eng", "tracker", "exec", "status", "slack-dev", "compliance", "slack-dev"]
    async with running(told.LOUD) as screen:
        text = screen.text()
        assert text.index("MAYBE SENT") < text.index("NOT SENT") < text.index("DUE NOW") < text.index("put off")


async def test_the_cursor_goes_on_once_the_selected_notice_has_been_given(running: Running) -> None:
    async with running(told.view_with(told.OVERDUE, told.SOON, told.SENT)) as screen:
        panel = screen.app.main.communication
        assert panel.selected == "mail-eng"
        await screen.show(told.view_with(told.SENDING, told.SOON, told.SENT))
        assert panel.selected == "mail-eng"
        await screen.show(told.view_with(replace(told.TOLD, id="mail-eng"), told.SOON, told.SENT))
        assert panel.selected == "tracker"
        panel.select("slack-dev")
        await screen.show(told.view_with(replace(told.TOLD, id="mail-eng"), replace(told.SOON, note="x"), told.SENT))
        assert panel.selected == "slack-dev", "whoever looks at what was given may stay there"


async def test_the_heading_says_the_worst_and_counts_what_is_awaited(running: Running) -> None:
    async with running(told.VIEW) as screen:
        panel = screen.app.main.communication
        assert (panel.heading.text, panel.heading.worst) == ("1 OVERDUE", "bold $alarm")
        await screen.show(told.view_with(told.RETRIED, told.DUE))
        assert panel.heading.text == "1 DUE NOW"
        await screen.show(told.view_with(told.FAILED, told.DUE))
        assert panel.heading.text == "1 NOT SENT"
        await screen.show(told.view_with(told.SENT, told.WAITING, told.UNASKED, told.NOT_NEEDED))
        assert panel.heading.text == "1 of 2 told"


async def test_a_watching_console_shows_the_plan_without_buttons(running: Running) -> None:
    watching = replace(told.LOUD, incident=replace(fake.OPEN, mode="observe"))
    async with running(watching) as screen:
        assert "MAYBE SENT" in screen.text()
        assert "[ Send ]" not in screen.text()
        await screen.press("m", "z", "i")
        assert screen.calls == []
        assert "only watches" in screen.text()


# ---------------------------------------------------------------- a message


async def test_the_draft_is_shown_with_its_receiver_and_nothing_is_sent(running: Running) -> None:
    async with running(console=console()) as screen:
        await screen.press("n")
        text = screen.text()
        for words in (
            "eng-managers@example.com",
            "by email",
            "OVERDUE 2:42",
            "prod-eu-1  LIVE",
            "348 of at most 3,000",
        ):
            assert words in text
        assert body(screen).text == told.TEXT
        assert screen.app.focused is not None
        assert screen.app.focused.id == "cancel"
        await screen.press("enter")
        assert screen.app.screen is screen.app.main
        assert screen.calls == [("draft", "mail-eng")]


async def test_one_deliberate_key_sends_what_is_on_the_screen(running: Running) -> None:
    async with running(console=console(outcome=told.view_with(replace(told.SENT, id="mail-eng")))) as screen:
        await screen.press("m", "ctrl+s")
        assert screen.calls == [("draft", "mail-eng"), ("notify", "mail-eng", told.DRAFT.subject, told.TEXT, "")]
        assert screen.app.screen is screen.app.main
        assert "sent: accepted for ops@example.com" in said(screen)


async def test_enter_in_subject_or_text_never_sends(running: Running) -> None:
    async with running(console=console()) as screen:
        await screen.press("m", "tab", "tab", "enter")
        assert screen.app.focused is body(screen)
        await screen.press("enter")
        assert body(screen).text == "\n" + told.TEXT
        assert screen.calls == [("draft", "mail-eng")]


async def test_what_is_written_is_what_is_sent(running: Running) -> None:
    async with running(console=console()) as screen:
        await screen.press("m")
        screen.app.screen.query_one("#subject", Input).value = "All is well"
        body(screen).load_text("p95 is back.\n\nmira")
        await screen.settle()
        await screen.pilot.click("#go")
        await screen.settle()
        assert screen.calls[-1] == ("notify", "mail-eng", "All is well", "p95 is back.\n\nmira", "")


async def test_letters_on_the_cancel_button_do_not_slip_into_the_message(running: Running) -> None:
    async with running(console=console()) as screen:
        await screen.burst("m", *"yes")
        assert screen.app.screen.query_one("#subject", Input).value == told.DRAFT.subject
        assert body(screen).text == told.TEXT


async def test_more_than_the_channel_takes_is_not_sent(running: Running) -> None:
    async with running(console=console()) as screen:
        await screen.press("m")
        body(screen).load_text("x" * 3001)
        await screen.settle()
        assert "3,001 of at most 3,000 characters: 1 too many" in screen.text()
        assert screen.app.screen.query_one("#go").disabled
        await screen.press("ctrl+s")
        assert "shorten the text" in screen.text()
        assert screen.calls == [("draft", "mail-eng")]


async def test_a_refused_message_comes_back_with_every_word_of_it(running: Running) -> None:
    refusing = console(errors={"notify": Refused("mira is not the commander any more", "take over first")})
    async with running(console=refusing) as screen:
        await screen.press("m")
        body(screen).load_text("My own words.")
        await screen.press("ctrl+s")
        assert isinstance(screen.app.screen, ComposeScreen)
        assert "Refused: mira is not the commander any more" in screen.text()
        assert "take over first" in screen.text()
        assert body(screen).text == "My own words."
        assert not body(screen).disabled
        refusing.errors.clear()
        await screen.press("ctrl+s")
        assert screen.calls[-1] == ("notify", "mail-eng", told.DRAFT.subject, "My own words.", "")


async def test_closing_keeps_what_was_written_and_a_key_drafts_anew(running: Running) -> None:
    async with running(console=console()) as screen:
        await screen.press("m")
        body(screen).load_text("Half a thought")
        await screen.press("escape", "m")
        assert body(screen).text == "Half a thought"
        assert "As you left it at 03:10" in screen.text()
        await screen.press("ctrl+r")
        assert body(screen).text == told.TEXT
        await screen.press("escape", "m")
        assert "As you left it" not in screen.text()


async def test_while_it_is_being_sent_the_panel_says_so_and_the_screen_goes_on(running: Running) -> None:
    slow = console(held=asyncio.Event(), outcome=told.view_with(replace(told.SENT, id="mail-eng")))
    async with running(console=slow) as screen:
        await screen.press("m", "ctrl+s")
        await screen.show(told.view_with(told.SENDING))
        assert screen.app.screen is screen.app.main
        assert "● sending" in screen.text()
        assert "Sending: E-mail engineering management" in said(screen)
        await screen.press("m")
        assert "being sent just now" in said(screen)
        await screen.press("3")
        assert screen.app.main.active.id == "checklist"
        slow.held.set()
        await screen.settle()
        assert "sent: accepted for ops@example.com" in said(screen)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (told.MAYBE, ("maybe sent", "a records it, m sends it again")),
        (told.FAILED, ("m opens it again, as you wrote it",)),
        (told.RETRIED, ("the panel shows how far it is",)),
    ],
    ids=["maybe sent", "failed", "tried again"],
)
async def test_what_came_of_it_is_said_above_next(running: Running, after: Any, words: tuple[str, ...]) -> None:
    sends = console(outcome=told.view_with(after), told="mail.example.com:587 answered late")
    async with running(console=sends, size=(180, 50)) as screen:
        await screen.press("m")
        body(screen).load_text("My own words.")
        await screen.press("ctrl+s")
        line = " ".join(said(screen).split())
        assert [w for w in ("mail.example.com:587 answered late", *words) if w not in line] == []
        await screen.press("m")
        assert body(screen).text == "My own words.", "nothing has to be written twice"


@pytest.mark.parametrize("error", [Failed("550 no such user", "mend the address"), Unknown("no answer", "look")])
async def test_an_error_that_comes_after_the_screen_was_closed_is_told_all_the_same(
    running: Running, error: Exception
) -> None:
    slow = console(held=asyncio.Event())
    async with running(console=slow) as screen:
        await screen.press("m", "ctrl+s")
        await screen.show(told.view_with(told.SENDING))
        slow.errors["sending"] = error
        slow.held.set()
        await screen.settle()
        assert f"{type(error).__name__}: {error.args[0]}" in said(screen)


async def test_a_message_in_doubt_is_sent_again_only_with_a_reason(running: Running) -> None:
    doubtful = fake.FakeConsole(told.view_with(told.MAYBE), drafts={"mail-eng": told.AGAIN})
    async with running(console=doubtful) as screen:
        await screen.press("m")
        assert "it may have arrived already" in screen.text()
        assert "Why again" in screen.text()
        await screen.press("ctrl+s")
        assert "Say why it is given again" in screen.text()
        assert screen.calls == [("draft", "mail-eng")]
        await screen.type("not in their inbox")
        assert screen.app.screen.query_one("#again", Input).value == "not in their inbox"
        await screen.press("ctrl+s")
        assert screen.calls[-1] == ("notify", "mail-eng", told.AGAIN.subject, told.TEXT, "not in their inbox")


async def test_what_somebody_else_gives_meanwhile_is_then_given_again(running: Running) -> None:
    async with running(console=console()) as screen:
        await screen.press("m")
        assert "Why again" not in screen.text()
        await screen.show(told.view_with(replace(told.TOLD, id="mail-eng", channel="email")))
        assert "✔ told 03:01" in screen.text()
        await screen.press("ctrl+s")
        assert "Say why it is given again" in screen.text()
        assert screen.calls == [("draft", "mail-eng")]


async def test_after_the_incident_what_is_sent_tells_that_it_is_over(running: Running) -> None:
    async with running(told.RESOLVED) as screen:
        await screen.press("4", "m", "ctrl+s")
        assert screen.calls == [("draft", "slack-dev"), ("notify", "slack-dev", "Subject", "Text", "")]
        await screen.press("a")
        assert "No incident is open" in said(screen)


async def test_a_draft_that_does_not_come_says_why_and_sends_nothing(running: Running) -> None:
    blind = console(errors={"draft": Failed("the template names {p99}, which nobody measures", "mend the template")})
    async with running(console=blind) as screen:
        await screen.press("m", "ctrl+s")
        assert "There is no draft yet" in screen.text()
        await screen.press("ctrl+r")
        assert "which nobody measures" in screen.text()
        assert [call[0] for call in screen.calls] == ["draft", "draft"]


async def test_esc_leaves_while_the_draft_is_still_being_made(running: Running) -> None:
    async with running(console=console(gate=asyncio.Event())) as screen:
        await screen.press("m")
        assert "drafting from what is known" in screen.text()
        await screen.press("escape")
        assert screen.app.screen is screen.app.main


async def test_a_drill_is_marked(running: Running) -> None:
    async with running(console=console(told.DRILL)) as screen:
        await screen.press("m")
        assert "A drill: the message says so." in screen.text()
        assert screen.app.screen.query_one(".frame").has_class("-drill")


async def test_a_notice_without_a_channel_is_drafted_for_copying_and_recorded_as_told(running: Running) -> None:
    async with running(told.view_with(told.DUE_BY_HAND)) as screen:
        await screen.press("m", "ctrl+s")
        assert "the console has no channel for it" in screen.text()
        assert [call[0] for call in screen.calls] == ["draft"]
        await screen.pilot.click("#go")
        await screen.settle()
        assert "Who was told, and how?" in screen.text()
        await screen.type("by phone")
        await screen.press("enter")
        assert screen.calls[-1] == ("acknowledge", "exec", "by phone")


async def test_a_message_in_doubt_that_arrived_is_recorded(running: Running) -> None:
    async with running(told.view_with(told.MAYBE)) as screen:
        await screen.press("a")
        assert "Did it arrive" in screen.text()
        await screen.type("jo has it")
        await screen.press("enter")
        assert screen.calls == [("acknowledge", "mail-eng", "jo has it")]


async def test_without_an_incident_there_is_nobody_to_tell(running: Running) -> None:
    async with running(replace(told.VIEW, incident=fake.NO_INCIDENT)) as screen:
        await screen.press("m", "a", "z", "i")
        assert screen.calls == []
        assert "No incident is open" in said(screen)


async def test_hostile_words_of_a_draft_stay_literal_and_leave_clean(running: Running) -> None:
    evil = replace(
        told.DRAFT,
        subject=fake.EVIL,
        text=f"{fake.EVIL}\n{fake.EVIL}",
        to=fake.EVIL,
        already=fake.EVIL,
        title=fake.EVIL,
    )
    hostile = fake.FakeConsole(
        told.view_with(replace(told.MAYBE, title=fake.EVIL, note=fake.EVIL)), drafts={"mail-eng": evil}
    )
    async with running(console=hostile) as screen:
        await screen.press("m")
        text = screen.text()
        assert CONTROLS.search(text) is None
        assert text.count("[/oops] [@click=app.quit]x") >= 3
        screen.app.screen.query_one("#again", Input).value = fake.EVIL
        await screen.press("ctrl+s")
        _, _, subject, sent, again = screen.calls[-1]
        assert CONTROLS.search(subject + sent + again) is None
        assert "[/oops]" in sent


# ---------------------------------------------------------------- the person's own editor


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The test's terminal can't be handed over; what the app would do around it is noted."""
    noted: list[str] = []

    @contextmanager
    def suspend(_: RollbackConsoleApp) -> Iterator[None]:
        noted.append("suspended")
        yield
        noted.append("resumed")

    monkeypatch.setattr(RollbackConsoleApp, "suspend", suspend)
    return noted


def fake_editor(folder: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = folder / "an editor.py"
    script.write_text(f"import os, pathlib, sys\npath = pathlib.Path(sys.argv[-1])\n{program}\n")
    monkeypatch.setenv("VISUAL", f"'{sys.executable}' '{script}' --wait")


async def edit(screen: Screen) -> None:
    await screen.press("m", "ctrl+e")
    assert isinstance(screen.app.screen, ComposeScreen)
    assert screen.app.screen._editing is not None
    await screen.app.screen._editing
    await screen.settle()


async def test_the_text_goes_through_the_editor_in_a_file_that_nobody_else_reads(
    running: Running, lent: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    fake_editor(
        tmp_path,
        f"pathlib.Path({str(seen)!r}).write_text(f'{{path}}\\n{{path.stat().st_mode:o}}\\n{{path.parent.stat().st_mode:o}}')\n"
        "path.write_text(path.read_text() + 'mira, in vi\\n')",
        monkeypatch,
    )
    async with running(console=console()) as screen:
        await edit(screen)
        assert body(screen).text == f"{told.TEXT}\nmira, in vi"
        path, mode, folder_mode = seen.read_text().split("\n")
        assert stat.S_IMODE(int(mode, 8)) == 0o600
        assert stat.S_IMODE(int(folder_mode, 8)) == 0o700
        assert not Path(path).parent.exists()
        assert lent == ["suspended", "resumed"]
        await screen.press("ctrl+s")
        assert screen.calls[-1] == ("notify", "mail-eng", told.DRAFT.subject, f"{told.TEXT}\nmira, in vi", "")


async def test_an_editor_that_gives_up_leaves_the_text_as_it_was(
    running: Running, lent: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_editor(tmp_path, "path.write_text('gone'); sys.exit(3)", monkeypatch)
    async with running(console=console()) as screen:
        await edit(screen)
        assert body(screen).text == told.TEXT
        assert "ended with 3" in screen.text()
        assert lent == ["suspended", "resumed"]


async def test_what_an_editor_writes_is_cleaned(
    running: Running, lent: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_editor(tmp_path, r"path.write_bytes(b'[/oops]\x1b]52;c;aGk=\x07\xff\nnext')", monkeypatch)
    async with running(console=console()) as screen:
        await edit(screen)
        assert body(screen).text == "[/oops]]52;c;aGk=\N{REPLACEMENT CHARACTER}\nnext"


@pytest.mark.parametrize(
    ("visual", "words"), [("no-such-editor -w", 'no editor "no-such-editor"'), ("vi 'unbalanced", "not a command")]
)
async def test_a_missing_editor_is_told_and_the_screen_stays(
    running: Running, lent: list[str], monkeypatch: pytest.MonkeyPatch, visual: str, words: str
) -> None:
    monkeypatch.setenv("VISUAL", visual)
    async with running(console=console()) as screen:
        await edit(screen)
        assert words in screen.text()
        assert "the text can be written here as well" in screen.text()
        assert lent == []


async def test_a_terminal_that_cannot_be_handed_over_is_told(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", sys.executable)
    async with running(console=console()) as screen:
        await edit(screen)
        assert "can't be handed to an editor" in screen.text()
        assert not screen.app.lent


def test_the_editor_is_an_argument_list_and_visual_comes_first() -> None:
    there = sys.executable
    assert editor_command({"VISUAL": f"{there} -f", "EDITOR": "ed"}) == [there, "-f"]
    assert editor_command({"VISUAL": " ", "EDITOR": f"{there} '; rm -rf ~'"}) == [there, "; rm -rf ~"]


# ---------------------------------------------------------------- beyond the screen


def test_each_way_of_needing_somebody_rings_once_and_each_turn_anew() -> None:
    alarm = Alarm("QEC")
    quiet = replace(told.VIEW, triggers=())
    assert alarm.look(replace(quiet, notices=(told.SOON,)))[0] is False
    assert alarm.look(replace(quiet, notices=(told.OVERDUE,)))[0] is True
    assert alarm.look(replace(quiet, notices=(told.OVERDUE,)))[0] is False
    assert alarm.look(replace(quiet, notices=(told.RETRIED,)))[0] is False, "it goes again by itself"
    assert alarm.look(replace(quiet, notices=(told.MAYBE,)))[0] is True
    assert alarm.look(replace(quiet, notices=(told.FAILED,)))[0] is True
    again = replace(told.OVERDUE, times_given=1)
    assert alarm.look(replace(quiet, notices=(again,)))[0] is True


def test_the_window_is_named_in_a_multiplexer_only_while_something_is_loud() -> None:
    alarm = Alarm("QEC", names_window=True)
    calm, loud = fake.CALM, replace(told.LOUD, triggers=())
    assert "\x1bk" not in alarm.look(calm)[1]
    written = alarm.look(loud)[1]
    assert "\x1b]2;1 MAYBE SENT 1 NOT SENT INC-0007 QEC\x07" in written
    assert "\x1bk1 MAYBE SENT 1 NOT SENT\x1b\\" in written
    assert alarm.look(loud)[1] == ""
    assert "\x1bk\x1b\\" in alarm.look(calm)[1], "its own name again"
    alarm.look(loud)
    alarm.own_name = "war room\x07"
    assert alarm.give_back() == "\x1b[23;2t\x1bkwar room\x1b\\"


def test_outside_a_multiplexer_no_window_is_named() -> None:
    alarm = Alarm("QEC")
    assert "\x1bk" not in alarm.look(told.LOUD)[1] + alarm.give_back()
    assert multiplexer.in_multiplexer({"TMUX": "/run/tmux/default,1,0"})
    assert multiplexer.in_multiplexer({"TERM": "screen-256color"})
    assert multiplexer.in_multiplexer({"TERM": "tmux-direct"})
    assert not multiplexer.in_multiplexer({"TERM": "xterm-256color"})
    assert multiplexer.given_name({"TERM": "screen"}) == ""


# ---------------------------------------------------------------- putting off


async def test_putting_off_takes_minutes_and_a_reason_in_one_line(running: Running) -> None:
    async with running(told.VIEW) as screen:
        await screen.press("z")
        assert "Put off: E-mail engineering management" in screen.text()
        await screen.type("later")
        await screen.press("enter")
        assert "the minutes first" in screen.text()
        assert screen.app.screen.query_one("#text", Input).value == "later"
        screen.app.screen.query_one("#text", Input).value = "10 waiting for legal"
        await screen.press("enter")
        assert screen.calls == [("snooze", "mail-eng", 600.0, "waiting for legal")]
        assert "Put off for 10 min" in said(screen)


@pytest.mark.parametrize(
    ("text", "delay"),
    [
        ("10 waiting for legal", Delay(600.0, "waiting for legal")),
        ("10m: legal", Delay(600.0, "legal")),
        (" 5 min, asleep ", Delay(300.0, "asleep")),
        ("1h the call", Delay(3600.0, "the call")),
        ("2 hours until the call", Delay(7200.0, "until the call")),
        ("10 minutes legal", Delay(600.0, "legal")),
        ("10 monkeys", Delay(600.0, "monkeys")),
        ("10", None),
        ("10 ", None),
        ("0 now", None),
        ("-5 back", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_delay_is_a_number_and_a_reason(text: str, delay: Delay | None) -> None:
    assert delay_of(text) == delay


async def test_what_is_in_doubt_or_done_is_not_put_off(running: Running) -> None:
    async with running(told.view_with(told.MAYBE)) as screen:
        await screen.press("z")
        assert "can't be put off" in said(screen)
        await screen.show(told.view_with(told.SENT))
        await screen.press("z")
        assert "nothing to put off" in said(screen)
        assert screen.calls == []


# ---------------------------------------------------------------- what it touches


async def test_what_it_touches_is_answered_by_a_letter_and_a_note(running: Running) -> None:
    asked = replace(told.VIEW, next_action=replace(told.VIEW.next_action, key="impact"))
    async with running(asked) as screen:
        await screen.press("n")
        assert "Is compliance touched?" in screen.text()
        assert "the dashboard is empty for customers" in screen.text()
        assert screen.app.focused is not None
        assert screen.app.focused.id == "compliance", "the one that nobody has answered"
        await screen.press("y", "y", "enter")
        assert "how is it known?" in screen.text()
        assert screen.calls == []
        await screen.type("audit rows are missing")
        await screen.press("enter")
        assert screen.calls == [
            ("state_impact", "compliance", True, "audit rows are missing"),
            ("state_impact", "security", True, "audit rows are missing"),
        ]
        assert "To be told now: Tell the compliance officer, Tell the security team." in said(screen)


async def test_what_nobody_knows_yet_stays_open(running: Running) -> None:
    nobody = replace(told.VIEW, impacts=tuple(replace(i, applies=None, by="", note="") for i in told.IMPACTS))
    async with running(nobody) as screen:
        await screen.press("i", "u", "n", "u")
        assert screen.app.focused is screen.app.screen.query_one("#text")
        await screen.type("seen nothing")
        await screen.press("enter")
        assert screen.calls == [("state_impact", "compliance", False, "seen nothing")]


async def test_a_refused_answer_keeps_the_note(running: Running) -> None:
    refusing = console(errors={"state_impact": Refused("no incident is open", "")})
    async with running(console=refusing) as screen:
        await screen.press("i", "y")
        screen.app.screen.query_one("#text", Input).value = "seen"
        await screen.pilot.click("#go")
        await screen.settle()
        assert "Refused: no incident is open" in screen.text()
        assert screen.app.screen.query_one("#text", Input).value == "seen"


# ---------------------------------------------------------------- after the rollback


async def test_follow_ups_are_listed_by_section_with_who_and_when(running: Running) -> None:
    async with running(told.RESOLVED) as screen:
        await screen.press("F")
        text = screen.text()
        order = ["Root cause", "validator leaked", "gateway's logs", "Prevention", "Load test", "Recovery", "held Argo"]
        assert [text.index(words) for words in order] == sorted(text.index(words) for words in order)
        for words in ("3 open, 1 done", "ana  due Tue 2026-03-17", "▲ LATE", "nobody yet", "✔ done", "mira 2026-03-14"):
            assert words in text


async def test_a_follow_up_is_done_with_a_word_on_how(running: Running) -> None:
    async with running(told.RESOLVED) as screen:
        await screen.press("F", "j", "d")
        assert "Done: Read the gateway's logs" in screen.text()
        await screen.type("nothing there")
        await screen.press("enter")
        assert screen.calls == [("finish_followup", "f2", "nothing there")]
        assert "3 open" in screen.text(), "back on the list"


async def test_a_follow_up_is_added_with_section_assignee_and_day(running: Running) -> None:
    async with running(told.RESOLVED) as screen:
        await screen.press("F", "a")
        await screen.type("read the logs")
        await screen.press("tab")
        await screen.type("jo")
        await screen.press("tab")
        await screen.type("soon")
        await screen.press("enter")
        assert '"soon" is no date' in screen.text()
        screen.app.screen.query_one("#due", Input).value = "3d"
        screen.app.screen.set_focus(screen.app.screen.query_one("#section"))
        await screen.press("r")
        await screen.pilot.click("#go")
        await screen.settle()
        assert screen.calls == [("add_followup", "recovery", "read the logs", "jo", fake.AT + timedelta(days=3))]


async def test_a_watching_console_reads_the_follow_ups_and_changes_none(running: Running) -> None:
    watching = replace(told.VIEW, incident=replace(fake.OPEN, mode="observe"))
    async with running(watching) as screen:
        await screen.press("F", "a", "d")
        assert "validator leaked" in screen.text()
        assert "a add" not in screen.text()
        assert screen.calls == []


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("3d", fake.AT + timedelta(days=3)),
        ("2w", fake.AT + timedelta(days=14)),
        ("12h", fake.AT + timedelta(hours=12)),
        ("2026-03-20", datetime(2026, 3, 20, 23, 59, 59, tzinfo=UTC)),
        ("20.3.", None),
        ("d", None),
        ("-3d", None),
    ],
)
def test_a_due_day_is_a_span_or_a_date(text: str, moment: datetime | None) -> None:
    assert due_moment(text, fake.AT) == moment


# ---------------------------------------------------------------- the whole story


async def test_the_story_of_a_notice_tells_who_when_what_and_why_it_failed(running: Running) -> None:
    async with running(told.view_with(told.FAILED)) as screen:
        await screen.press("4", "enter")
        story = str(screen.app.screen.query_one("#story", Static).render())
        for words in (
            "NOT SENT",
            "eng-managers@example.com",
            "attempts        3",
            "550 no such user",
            "INC-0007",
            "03:09:06  mira  NOT sent",
        ):
            assert words in story
        await screen.press("escape")
        await screen.show(told.view_with(told.SENT))
        await screen.press("enter")
        story = str(screen.app.screen.query_one("#story", Static).render())
        assert "02:53:06 UTC by mira" in story
        assert "QEC Analysis Service is being rolled back." in story


@pytest.mark.parametrize("key", ["F", "i", "m", "z", "F,d", "F,a"])
async def test_hostile_text_is_shown_literally_beside_the_plan_too(running: Running, key: str) -> None:
    evil = replace(
        told.VIEW,
        notices=(replace(told.OVERDUE, title=fake.EVIL, to=fake.EVIL, note=fake.EVIL),),
        impacts=tuple(replace(i, by=fake.EVIL, note=fake.EVIL) for i in told.IMPACTS[::2]),
        followups=(replace(told.FOLLOWUPS[0], text=fake.EVIL, assignee=fake.EVIL, note=fake.EVIL),),
    )
    async with running(evil) as screen:
        await screen.press(*key.split(","))
        assert CONTROLS.search(screen.text()) is None
        assert "[/oops] [@click=app.quit]x" in screen.text()
