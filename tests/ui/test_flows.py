"""What a person can do with the keys, and what becomes of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from textual.widgets import Static

from console.domain.errors import Failed, Refused
from console.engine.view import NextAction
from console.ui.screens.preview import PreviewScreen
from console.ui.widgets.panel import Panel
from tests.ui import fake_console as fake
from tests.ui.conftest import Running


async def test_declaring_asks_for_a_reason_and_sends_it(running: Running) -> None:
    async with running(fake.CALM) as screen:
        await screen.press("d")
        await screen.press("enter")
        assert screen.calls == []
        await screen.type("p95 is high")
        await screen.press("enter")
        assert screen.calls == [("declare", "p95 is high")]
        assert "Declared" in screen.text()


async def test_a_greeting_stands_above_the_next_line_until_it_is_dismissed(running: Running) -> None:
    async with running(fake.FIRING, greeting="Drill. Since a few minutes the API answers slowly.") as screen:
        assert "Drill. Since a few minutes the API answers slowly." in screen.text()
        await screen.press("escape")
        assert "answers slowly" not in screen.text()


async def test_next_does_what_the_line_says(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        await screen.press("2", "j", "n")
        assert screen.calls == [("preview", "qec-analysis", "back")]
        assert "Roll back: QEC Analysis Service" in screen.text()


async def test_typing_the_id_confirms_exactly_the_preview_on_the_screen(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        await screen.press("2", "j", "b")
        await screen.type("dashboard")
        await screen.press("enter")
        preview = replace(fake.preview_of(), component="dashboard")
        assert screen.calls == [("preview", "dashboard", "back"), ("confirm", preview, "dashboard")]
        assert "Confirmed" in screen.text()


async def test_what_is_said_of_a_component_under_way_ends_with_it(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        await screen.press("b")
        await screen.type("qec-analysis")
        await screen.show(fake.RUNNING_VIEW)
        await screen.press("enter")
        assert "Confirmed. QEC Analysis Service is under way." in screen.text()
        await screen.show(fake.BACK_VIEW)
        assert "under way" not in screen.text()
        assert "QEC Analysis Service: rolled back." in screen.text()


async def test_a_preview_says_where_its_own_component_acts(running: Running) -> None:
    console = fake.FakeConsole(fake.FIRING, gate=asyncio.Event())
    console.planned = replace(fake.preview_of(), contexts=("audit@db.example:5432",))
    async with running(console=console) as screen:
        await screen.press("b")
        where = screen.app.screen.query_one("#where", Static)
        assert "prod-eu-1" not in str(where.render()), "nobody knows yet"
        console.gate.set()
        await screen.settle()
        assert "audit@db.example:5432  LIVE" in str(where.render())


async def test_the_button_is_dim_until_the_word_matches(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        await screen.press("b")
        go = screen.app.screen.query_one("#go")
        assert go.disabled
        await screen.type("qec-analysi")
        assert go.disabled
        await screen.press("enter")
        assert "Nothing was sent" in screen.text()
        await screen.type("s")
        assert not go.disabled
        await screen.type("x")
        assert go.disabled
        assert [call[0] for call in screen.calls] == ["preview"]


async def test_cancel_has_the_focus_and_enter_does_nothing_harmful(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        await screen.press("b")
        assert screen.app.focused is not None
        assert screen.app.focused.id == "cancel"
        await screen.press("enter")
        assert screen.app.screen is screen.app.main
        assert [call[0] for call in screen.calls] == ["preview"]


async def test_a_blocked_preview_cannot_be_confirmed(running: Running) -> None:
    console = fake.FakeConsole(fake.FIRING, planned=fake.blocked_preview())
    async with running(console=console) as screen:
        await screen.press("b")
        assert "BLOCKED" in screen.text()
        assert "403" in screen.text()
        await screen.type("qec-analysis")
        await screen.press("enter", "tab", "enter")
        assert [call[0] for call in screen.calls] == ["preview"]


async def test_a_rollback_that_changes_nothing_says_so(running: Running) -> None:
    console = fake.FakeConsole(fake.FIRING, planned=fake.already_preview())
    async with running(console=console) as screen:
        await screen.press("b")
        assert "already so: nothing to do" in screen.text()


async def test_esc_leaves_a_preview_that_is_still_being_read(running: Running) -> None:
    console = fake.FakeConsole(fake.FIRING, gate=asyncio.Event())
    async with running(console=console) as screen:
        await screen.press("b")
        assert "reading the cluster" in screen.text()
        await screen.type("qec-analysis")
        await screen.press("escape")
        assert screen.app.screen is screen.app.main


async def test_a_preview_that_fails_says_why_and_what_next(running: Running) -> None:
    console = fake.FakeConsole(fake.FIRING, errors={"preview": Failed("the cluster answers 503", "try again: ^r")})
    async with running(console=console) as screen:
        await screen.press("b")
        assert "Failed: the cluster answers 503" in screen.text()
        assert "try again: ^r" in screen.text()
        console.errors.clear()
        await screen.press("ctrl+r")
        assert "1 of 2" in screen.text()


async def test_a_refused_confirmation_shows_the_change_anew(running: Running) -> None:
    console = fake.FakeConsole(fake.FIRING, errors={"confirm": Refused("dash changed meanwhile", "nothing was sent")})
    async with running(console=console) as screen:
        await screen.press("b")
        await screen.type("qec-analysis")
        await screen.press("enter")
        assert isinstance(screen.app.screen, PreviewScreen)
        assert "Refused: dash changed meanwhile" in screen.text()
        assert [call[0] for call in screen.calls] == ["preview", "confirm", "preview"]
        assert screen.app.screen.query_one("#go").disabled


async def test_rolling_forward_and_going_on_are_previewed_in_their_direction(running: Running) -> None:
    async with running(fake.FAILED_VIEW) as screen:
        await screen.press("f", "escape", "g")
        assert screen.calls == [("preview", "qec-analysis", "forward"), ("preview", "qec-analysis", "back")]


async def test_stop_stops_the_running_component_whatever_is_selected(running: Running) -> None:
    async with running(fake.RUNNING_VIEW) as screen:
        await screen.press("2", "j", "j", "x")
        assert screen.calls == [("stop", "qec-analysis")]
        assert "stops before the next step" in screen.text()


async def test_stop_without_a_running_component_says_so(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        await screen.press("x")
        assert screen.calls == []
        assert "nothing to stop" in screen.text()


@pytest.mark.parametrize(("button", "counts_as"), [("#done", "done"), ("#not_done", "not_done")])
async def test_settling_shows_both_sides_and_needs_a_note(running: Running, button: str, counts_as: str) -> None:
    async with running(fake.UNKNOWN_VIEW) as screen:
        await screen.press("t")
        assert "wanted: replicas 2" in screen.text()
        assert "cluster says: 503" in screen.text()
        assert screen.app.screen.query_one(button).disabled
        await screen.type("two pods run")
        await screen.pilot.click(button)
        await screen.settle()
        assert screen.calls == [("settle", "original-validator", counts_as, "two pods run")]


async def test_signing_goes_to_the_selected_check(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        screen.app.main.checklist.select("complaints-back")
        await screen.press("s")
        await screen.type("all quiet")
        await screen.press("enter")
        assert screen.calls == [("sign", "complaints-back", "all quiet")]


async def test_a_check_that_is_proven_by_running_is_not_signed(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        await screen.press("s")
        assert "proven by running it" in screen.text()
        await screen.press("c", "v")
        assert screen.calls == [("run_checks", ("pods-monitoring",)), ("run_checks", ())]


async def test_a_step_that_waits_for_a_person_is_signed_from_the_components(running: Running) -> None:
    manual = fake.step("call-ops", "call operations", "manual", "untouched", by_person=True)
    waiting = fake.component("manual", "By hand", manual, state="stopped", reason="waits for a person")
    async with running(replace(fake.FIRING, components=(waiting,))) as screen:
        assert "a person's turn" in screen.text()
        await screen.press("2", "s")
        await screen.type("done")
        await screen.press("enter")
        assert screen.calls == [("sign", "call-ops", "done")]


async def test_waiving_and_acknowledging_need_words(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        await screen.press("w", "enter")
        assert screen.calls == []
        await screen.type("known")
        await screen.press("enter", "a")
        await screen.type("called")
        await screen.press("enter")
        assert screen.calls == [("waive", "pods-monitoring", "known"), ("acknowledge", "mail-eng", "called")]


async def test_a_refused_resolve_lists_what_is_open_and_keeps_the_note(running: Running) -> None:
    open_ends = Refused("not resolved: criterion load is unknown; component dashboard is running", "mend or waive each")
    console = fake.FakeConsole(fake.FIRING, errors={"resolve": open_ends})
    async with running(console=console) as screen:
        await screen.press("r")
        await screen.type("fine")
        await screen.press("enter")
        assert "criterion load is unknown" in screen.text()
        assert "mend or waive each" in screen.text()
        assert screen.app.screen.query_one("#text").value == "fine"


async def test_a_command_that_fails_stays_on_the_screen_until_esc(running: Running) -> None:
    console = fake.FakeConsole(fake.RUNNING_VIEW, errors={"stop": Refused("it has ended", "nothing to stop")})
    async with running(console=console) as screen:
        await screen.press("x")
        assert "Refused: it has ended" in screen.text()
        await screen.press("j")
        assert "Refused: it has ended" in screen.text()
        await screen.press("escape")
        assert "Refused" not in screen.text()


async def test_an_error_of_the_program_itself_is_a_calm_line_without_its_text(running: Running) -> None:
    console = fake.FakeConsole(fake.RUNNING_VIEW, errors={"stop": ValueError("token=s3cret")})
    async with running(console=console) as screen:
        await screen.press("x")
        assert "the console itself went wrong (ValueError)" in screen.text()
        assert "s3cret" not in screen.text()


async def test_leaving_while_something_runs_asks(running: Running) -> None:
    async with running(fake.RUNNING_VIEW) as screen:
        await screen.press("q")
        assert "finished and recorded" in screen.text()
        await screen.press("enter")
        assert screen.app.is_running
        assert screen.app.screen is screen.app.main
        await screen.press("ctrl+q", "tab", "enter")
        assert screen.app.return_value == 0


async def test_the_question_before_leaving_follows_what_runs(running: Running) -> None:
    async with running(fake.RUNNING_VIEW) as screen:
        await screen.press("q")
        assert "QEC Analysis Service is running." in screen.text()
        await screen.show(fake.BACK_VIEW)
        assert "Nothing is running any more." in screen.text()


async def test_leaving_when_nothing_runs_just_leaves(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        await screen.press("q")
        assert screen.app.return_value == 0


async def test_a_watching_console_does_not_act(running: Running) -> None:
    async with running(fake.OBSERVE_VIEW) as screen:
        for key in ("b", "x", "s", "a", "d", "r", "v"):
            await screen.press(key)
        assert screen.calls == []
        assert "only watches" in screen.text()
        assert "[ Roll back ]" not in screen.text()


async def test_the_mouse_rolls_back_the_row_it_points_at(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        panel = screen.app.main.components
        lines = screen.text().splitlines()
        y = next(n for n, line in enumerate(lines) if "OPA policy" in line)
        await screen.pilot.click(offset=(lines[y].index("[ Roll back ]") + 3, y))
        await screen.settle()
        assert screen.calls == [("preview", "opa", "back")]
        assert panel.selected == "opa"


async def test_keys_are_remapped_by_id_everywhere(running: Running) -> None:
    async with running(fake.FIRING, keymap={"roll_back": "y"}) as screen:
        await screen.press("2", "b")
        assert screen.calls == []
        assert "y roll back" in screen.text()
        await screen.press("y")
        assert screen.calls == [("preview", "qec-analysis", "back")]


async def test_details_tell_the_whole_story_and_follow_the_news(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        await screen.press("enter")
        assert "histogram_quantile" in screen.text()
        assert "points to" in screen.text()
        fell = tuple(replace(t, value=11.8) if t.id == "latency-p95" else t for t in fake.TRIGGERS)
        await screen.show(replace(fake.FIRING, triggers=fell))
        assert "11.8 s" in screen.text()


async def test_the_selection_stays_with_its_row_when_the_order_changes(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        await screen.press("j")
        panel: Panel = screen.app.main.triggers
        assert panel.selected == "health"
        await screen.show(replace(fake.FIRING, triggers=fake.TRIGGERS[::-1]))
        assert panel.selected == "health"


async def test_the_palette_has_the_actions_and_runs_them(running: Running) -> None:
    async with running(fake.RUNNING_VIEW) as screen:
        await screen.press("ctrl+p")
        await screen.type("stop")
        await screen.settle()
        await screen.press("enter")
        await screen.settle()
        assert screen.calls == [("stop", "qec-analysis")]


async def test_a_preview_that_answers_at_once_is_laid_out_at_full_width(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        await screen.press("b")
        assert "deployment acgs-pgp/acgs-pgp-dashboard → revision 1 (dash:1.0, was healthy 6 days)" in screen.text()


async def test_a_command_under_way_is_finished_after_the_screen_has_closed(running: Running) -> None:
    console = fake.FakeConsole(fake.RUNNING_VIEW, held=asyncio.Event())
    async with running(console=console) as screen:
        await screen.press("x", "q", "tab", "enter")
    assert screen.calls == []
    console.held.set()
    await screen.app.bridge.finish()
    assert screen.calls == [("stop", "qec-analysis")]
    assert screen.app.fatal is None


async def test_telling_again_what_was_told_is_not_asked(running: Running) -> None:
    told = tuple(n for n in fake.notices() if n.state == "acknowledged")
    async with running(replace(fake.FIRING, notices=told)) as screen:
        await screen.press("a")
        assert "told already" in screen.text()


async def test_keys_that_come_all_at_once_act_in_their_order(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        await screen.burst("2", "j", "b", "q", "x", "escape", "r", *"ok, q", "enter")
        assert screen.calls == [("preview", "dashboard", "back"), ("resolve", "ok, q")]
        assert screen.app.is_running


async def test_letters_typed_before_the_preview_is_read_do_not_count(running: Running) -> None:
    console = fake.FakeConsole(fake.FIRING, gate=asyncio.Event())
    async with running(console=console) as screen:
        await screen.burst("b", *"qec-analysis")
        console.gate.set()
        await screen.settle()
        assert screen.app.screen.query_one("#go").disabled
        assert screen.app.screen.query_one("#typed").value == ""


async def test_tab_goes_round_the_panels(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        seen = []
        for _ in range(5):
            await screen.press("tab")
            seen.append(screen.app.main.active.id)
        assert seen == ["components", "checklist", "communication", "timeline", "triggers"]


async def test_the_next_key_never_stops_what_the_line_says_to_wait_for(running: Running) -> None:
    waiting = NextAction("Wait for: validator.", "status", "stop:qec-analysis")
    async with running(replace(fake.RUNNING_VIEW, next_action=waiting)) as screen:
        assert "x stops it" in screen.text()
        await screen.press("n")
        assert screen.calls == []


async def test_what_a_dead_console_left_behind_is_recovered_by_key(running: Running) -> None:
    async with running(
        replace(fake.FIRING, next_action=NextAction("See what it left.", "recover", "recover"))
    ) as screen:
        await screen.press("n")
        assert screen.calls == [("recover",)]
        assert "it is done, says the cluster" in screen.text()
