"""Triggers, the soak and evidence on the screen: what they say, what one may do with them, and what may not move."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from console.domain.errors import Refused
from console.ui.curves import one_row, two_rows
from console.ui.widgets.panel import Panel
from console.ui.wording import Wording
from tests.ui import fake_console as fake
from tests.ui import watched
from tests.ui.conftest import Running, Screen


def panel_text(screen: Screen, name: str) -> str:
    """What a panel would show if it were as high as its content."""
    panel = screen.app.main.panels[name]
    return "\n".join(line.plain for _, line in panel._lines)


def selected(screen: Screen) -> str:
    return screen.app.main.active.selected


# ---------------------------------------------------------------- what the panel says


async def test_each_trigger_says_what_it_is_judged_by(running: Running) -> None:
    async with running(watched.FIRING, size=(120, 50)) as screen:
        told = panel_text(screen, "triggers")
        words = ("34.2 s  max 30   for 7:12", "3 of 4 series", "3:10 of 5:00", "2 of 3 in a row", "0:51 old")
        assert [w for w in (*words, "before the migration", "was FIRING", "4 /h  max 10 [ +1 ]") if w not in told] == []


async def test_the_age_of_the_data_is_told_only_when_it_is_older_than_usual(running: Running) -> None:
    slow = replace(watched.ERRORS, verdict="firing", curve_seconds=119 * 60.0, age_seconds=100.0)
    fast = replace(slow, curve_seconds=119 * 15.0)
    for trigger, told in ((slow, False), (fast, True)):
        async with running(replace(watched.FIRING, triggers=(trigger,))) as screen:
            assert ("1:40 old" in panel_text(screen, "triggers")) is told


async def test_the_threshold_is_a_line_that_only_what_is_over_it_interrupts(running: Running) -> None:
    for ascii_only, line, full in ((False, "▁", "█"), (True, "_", "#")):
        upper, lower = two_rows(watched.P95, 20, Wording(ascii_only))
        over = upper.plain.removesuffix(" 30 s").lstrip(line)
        assert 0 < len(over) < 20
        assert line not in over
        assert lower.plain.endswith(full * len(over) + " 30 m")


def test_a_curve_on_one_row_leaves_the_middle_empty_between_under_and_over() -> None:
    for ascii_only, low, high in ((False, "▁▂▃", "▅▆▇█"), (True, ".:-", "+*#")):
        row = one_row(watched.P95, 20, Wording(ascii_only)).plain
        over = row.lstrip(low)
        assert over
        assert set(over) <= set(high)


def test_a_peak_is_seen_however_narrow_the_curve() -> None:
    peak = replace(watched.P95, curve=(4.0,) * 60 + (99.0,) + (4.0,) * 59)
    upper, _ = two_rows(peak, 10, Wording())
    assert "█" in upper.plain


def test_a_curve_without_finite_values_is_no_curve() -> None:
    assert two_rows(replace(watched.P95, curve=(float("nan"), float("inf"))), 10, Wording()) == ()


async def test_what_is_quiet_takes_one_line_when_there_is_much_and_what_fires_keeps_its_curve(running: Running) -> None:
    async with running(watched.MANY) as screen:
        rows = {row.ids[0]: row for row in screen.app.main.triggers._rows}
        assert len(rows["latency-p95"].lines) >= 4
        assert {len(rows[f"e{n}"].lines) for n in range(12)} == {1}
        assert "FIRING   API response time" in screen.text()


async def test_attestations_that_do_not_hold_share_a_line_and_each_can_be_selected(running: Running) -> None:
    async with running(watched.FIRING, size=(80, 40)) as screen:
        shared = next(row for row in screen.app.main.triggers._rows if row.places)
        assert shared.ids == ("security", "data", "compliance")
        seen = []
        for _ in range(len(watched.TRIGGERS)):
            seen.append(selected(screen))
            await screen.pilot.press("j")
        assert sorted(seen) == sorted(t.id for t in watched.TRIGGERS)
        await screen.settle()
        assert "[Compliance breach]" in screen.text()
        await screen.press("k")
        assert "[Data integrity]" in screen.text()
        await screen.press("enter")
        assert "nobody has said so" in screen.text()


async def test_the_mouse_selects_one_of_those_that_share_a_line(running: Running) -> None:
    async with running(watched.FIRING, size=(80, 40)) as screen:
        lines = screen.text().splitlines()
        y = next(n for n, line in enumerate(lines) if "Data integrity" in line)
        for title, trigger_id in (("Data integrity", "data"), ("Security", "security"), ("Compliance", "compliance")):
            await screen.pilot.click(offset=(lines[y].index(title) + 2, y))
            await screen.settle()
            assert selected(screen) == trigger_id


async def test_an_attestation_that_holds_has_its_own_lines_and_its_reason(running: Running) -> None:
    state = replace(watched.FIRING, triggers=(watched.SECURITY, watched.DATA_HOLDS, watched.COMPLIANCE))
    async with running(state, size=(80, 40)) as screen:
        told = panel_text(screen, "triggers")
        assert "▲ FIRING   Data integrity" in told
        assert "attested by ana" in told
        assert "clear    Security incident  Compliance breach" in told


# ---------------------------------------------------------------- counting and attesting


async def test_one_more_is_counted_from_anywhere_where_there_is_one_counter(running: Running) -> None:
    async with running(watched.FIRING) as screen:
        await screen.press("2", "plus")
        assert screen.calls == [("count", "complaints", 1)]
        assert "User complaints: one more is counted." in screen.text()
        assert selected(screen) == "complaints"
        await screen.press("minus")
        assert screen.calls[1:] == [("count", "complaints", -1)]


async def test_of_several_counters_the_selected_one_is_meant(running: Running) -> None:
    other = replace(watched.COMPLAINTS, id="tickets", title="Tickets", value=0.0)
    async with running(replace(watched.FIRING, triggers=(watched.P95, watched.COMPLAINTS, other))) as screen:
        await screen.press("plus")
        assert screen.calls == []
        assert "Select which one to count first: User complaints, Tickets." in screen.text()
        await screen.press("j", "j", "minus")
        assert "nothing to take back" in screen.text()
        await screen.press("plus")
        assert screen.calls == [("count", "tickets", 1)]


async def test_the_mouse_counts(running: Running) -> None:
    async with running(watched.FIRING, size=(120, 50)) as screen:
        lines = screen.text().splitlines()
        y = next(n for n, line in enumerate(lines) if "[ +1 ]" in line)
        await screen.pilot.click(offset=(lines[y].index("[ +1 ]") + 2, y))
        await screen.settle()
        assert screen.calls == [("count", "complaints", 1)]


async def test_attesting_needs_words_and_says_what_it_brings(running: Running) -> None:
    async with running(watched.FIRING) as screen:
        screen.app.main.triggers.select("compliance")
        await screen.press("h", "enter")
        assert screen.calls == []
        assert "It also says: compliance is touched." in screen.text()
        await screen.type("rows gone")
        await screen.press("enter")
        assert screen.calls == [("attest", "compliance", True, "rows gone")]
        assert "Attested: Compliance breach. It fires." in screen.text()


async def test_what_holds_is_withdrawn_by_the_same_key(running: Running) -> None:
    async with running(replace(watched.FIRING, triggers=(watched.DATA_HOLDS,))) as screen:
        await screen.press("h")
        assert "No longer so: Data integrity" in screen.text()
        await screen.type("restored")
        await screen.press("enter")
        assert screen.calls == [("attest", "data", False, "restored")]


async def test_a_refused_word_keeps_what_was_typed(running: Running) -> None:
    console = fake.FakeConsole(watched.FIRING, errors={"attest": Refused("already attested", "nothing to do")})
    async with running(console=console) as screen:
        screen.app.main.triggers.select("data")
        await screen.press("h")
        await screen.type("gone")
        await screen.press("enter")
        assert "Refused: already attested" in screen.text()
        assert screen.app.screen.query_one("#text").value == "gone"


async def test_what_is_measured_is_not_attested(running: Running) -> None:
    async with running(watched.FIRING) as screen:
        await screen.press("h")
        assert "not attested. Select one of these first: Security incident" in screen.text()
        assert screen.app.screen is screen.app.main


async def test_a_watching_console_neither_counts_nor_attests_but_looks(running: Running) -> None:
    state = replace(watched.SOAKING, incident=replace(fake.OPEN, mode="observe"))
    async with running(state) as screen:
        await screen.press("plus", "h")
        assert screen.calls == []
        assert "only watches" in screen.text()
        assert "[ +1 ]" not in screen.text()
        await screen.press("o")
        assert "Did it help?" in screen.text()


async def test_the_border_names_the_keys_of_the_selected_trigger(running: Running) -> None:
    async with running(watched.FIRING) as screen:
        for trigger_id, words in (
            ("complaints", "+ one more  - one less  p plot"),
            ("data", "h attest  Enter details"),
        ):
            screen.app.main.triggers.select(trigger_id)
            await screen.settle()
            assert words in screen.text()


# ---------------------------------------------------------------- looking closer


async def test_details_tell_series_hysteresis_window_and_query(running: Running) -> None:
    async with running(watched.FIRING, size=(120, 50)) as screen:
        await screen.press("enter")
        told = screen.text()
        words = (
            "above 30 s, for 5:00",
            "below 25 s",
            "3 of 4 cross",
            "worst service=policy-validator",
            "histogram_quantile",
        )
        assert [w for w in words if w not in told] == []


async def test_details_tell_what_was_there_before_the_migration(running: Running) -> None:
    async with running(watched.FIRING) as screen:
        screen.app.main.triggers.select("availability")
        await screen.press("enter")
        assert "before the migration" in screen.text()
        assert "below 99 %, 3 times in a row" in screen.text()


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_the_large_curve_names_its_threshold_and_its_minutes(running: Running, ascii_only: bool) -> None:
    async with running(watched.FIRING, ascii_only=ascii_only) as screen:
        await screen.press("p")
        told = screen.text()
        assert [w for w in ("max 30 s", "clear 25 s", "30 m ago", "now", "34.2 s", "for 7:12") if w not in told] == []
        assert told.isascii() or not ascii_only
        assert "?" not in told.replace("? help", "").replace("?? ", "") or not ascii_only
        await screen.press("p")
        assert screen.app.screen is screen.app.main


async def test_the_large_curve_follows_the_news(running: Running) -> None:
    async with running(watched.FIRING) as screen:
        await screen.press("p")
        grown = replace(watched.P95, value=96.0, curve=(*watched.P95.curve[1:], 96.0))
        assert " 80┤" not in screen.text()
        await screen.show(replace(watched.FIRING, triggers=(grown, *watched.TRIGGERS[1:])))
        assert " 80┤" in screen.text()
        await screen.show(replace(watched.FIRING, triggers=watched.TRIGGERS[1:]))
        assert "not part of the procedure any more" in screen.text()


@pytest.mark.parametrize("curve", [(), (float("nan"),), (30.0,), (0.0, 0.0), (-5.0, -1.0), (1e12, 3e12)])
async def test_the_large_curve_draws_whatever_the_source_gives(running: Running, curve: tuple[float, ...]) -> None:
    odd = replace(watched.P95, curve=curve, title=fake.EVIL, unit=fake.EVIL)
    async with running(replace(watched.FIRING, triggers=(odd,))) as screen:
        await screen.press("p")
        assert screen.app.is_running
        assert "[/oops]" in screen.text()
        assert "\x1b" not in screen.text()


async def test_a_persons_word_has_no_curve(running: Running) -> None:
    async with running(watched.FIRING) as screen:
        screen.app.main.triggers.select("data")
        await screen.press("p")
        assert "a person's word: it has no curve" in screen.text()


def test_the_plotting_library_is_loaded_only_when_a_plot_opens() -> None:
    program = "import sys; import console.ui.app; print([m for m in sys.modules if 'plotext' in m])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------- advice and the soak


async def test_what_is_suggested_says_why_and_in_which_order(running: Running) -> None:
    before = fake.component("base", "Base", state="untouched")
    after = replace(fake.DASHBOARD, suggested_by=("p95", "Memory"))
    state = replace(
        watched.FIRING,
        components=(before, after, replace(fake.OPA, suggested_by=("p95",))),
        advised=("base", "dashboard"),
    )
    async with running(state) as screen:
        told = panel_text(screen, "components").splitlines()
        assert [
            words in line
            for words, line in zip(
                ("▹ suggested ", "goes after it", "▹ suggested next", "p95 and Memory point"), told, strict=False
            )
        ] == [True] * 4
        assert "▹ named by p95" in told[4]


async def test_the_component_that_soaks_shows_before_and_now(running: Running) -> None:
    async with running(watched.SOAKING) as screen:
        told = panel_text(screen, "components")
        words = ("✔ rolled back  soak 2:40", "34.2 → 11.8 s", "↘ falling", "▲ FIRING  Memory", "→ as before")
        assert [w for w in (*words, "API response time (p95) cleared; Memory still fires") if w not in told] == []
        assert "Error rate" not in told


async def test_did_it_help_shows_every_trigger_and_what_is_next(running: Running) -> None:
    async with running(watched.SOAKING) as screen:
        await screen.press("o")
        told = screen.text()
        words = (
            "1.2 → 0.9 %",
            "Memory still fires",
            "Soak for 2 m 40 s",
            "Dashboard components, because p95 points to it",
        )
        assert [w for w in words if w not in told] == []
        over = replace(watched.SOAKING.soak, left_seconds=0.0, helped="Memory and API response time (p95) cleared")
        await screen.show(
            replace(watched.SOAKING, soak=over, advised=(), next_action=fake.NextAction("Stop here.", key="run_checks"))
        )
        assert "soak over" in screen.text()
        assert "Stop here.  press n" in screen.text()


async def test_the_page_leads_to_what_it_names(running: Running) -> None:
    stop_here = replace(watched.SOAKING, next_action=fake.NextAction("Stop here. Run the checks.", key="run_checks"))
    for key, calls in (("n", [("run_checks", ())]), ("b", [("preview", "dashboard", "back")]), ("1", []), ("o", [])):
        async with running(stop_here) as screen:
            await screen.press("2", "o", key)
            assert screen.calls == calls
            assert "Did it help?" not in screen.text()
            assert screen.app.main.active.id == {"1": "triggers", "n": "components"}.get(key, "components")


async def test_while_it_soaks_the_next_key_opens_the_page_and_leads_nowhere_from_there(running: Running) -> None:
    async with running(watched.SOAKING) as screen:
        await screen.press("n")
        assert "Did it help?" in screen.text()
        assert "clears.  press n" not in screen.text()
        await screen.press("n")
        assert "Did it help?" in screen.text()
        assert screen.calls == []


async def test_before_any_rollback_there_is_nothing_to_compare(running: Running) -> None:
    async with running(watched.FIRING) as screen:
        await screen.press("o")
        assert "no before and after" in screen.text()


async def test_falling_is_good_news_only_where_the_threshold_is_above(running: Running) -> None:
    from console.engine.view import BeforeAfter
    from console.ui.widgets.soak import movement

    for above, style in ((True, "$good"), (False, "$attention")):
        trigger = replace(watched.P95, above=above)
        row = BeforeAfter(trigger.id, trigger.title, "s", 60.0, 20.0, "firing", "ok")
        sign = movement(row, (trigger,), Wording())
        assert sign is not None
        assert (sign.word, sign.style) == ("falling", style)
    assert movement(replace(row, now=None), (trigger,), Wording()) is None


# ---------------------------------------------------------------- evidence


async def test_the_checklist_tells_evidence_and_its_age_by_groups(running: Running) -> None:
    async with running(watched.FIRING, size=(80, 40)) as screen:
        await screen.press("3")
        lines = screen.text().splitlines()

        def line(words: str) -> str:
            return next(line for line in lines if words in line)

        assert "3 of 4" in line("health  ")
        assert "8 of 8 ready" in line("pods in acgs-pgp")
        assert line("pods in acgs-pgp").rstrip(" │").endswith("3 m")
        assert "◌ stale" in line("p95 against")
        assert line("p95 against").rstrip(" │").endswith("26 m")
        assert "~ waived" in line("disaster recovery")
        assert "● running" in line("audit record")


async def test_a_check_tells_its_detail_its_time_and_that_it_is_stale(running: Running) -> None:
    async with running(watched.FIRING) as screen:
        screen.app.main.checklist.select("pods-monitoring")
        await screen.press("3", "enter")
        assert "CrashLoopBackOff" in screen.text()
        assert "03:07:06 UTC, 3 m ago, took 0.4 s" in screen.text()
        await screen.press("escape")
        screen.app.main.checklist.select("latency")
        await screen.press("enter")
        assert "older than the last change" in screen.text()


# ---------------------------------------------------------------- nothing moves that means nothing


async def test_the_same_triggers_a_moment_later_are_neither_worded_nor_painted_again(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = tuple(replace(watched.ERRORS, id=f"e{n}", title=f"Error rate {n}") for n in range(200))
    state = replace(watched.FIRING, triggers=many)
    async with running(state) as screen:
        painted: list[int] = []
        before = [line for _, line in screen.app.main.triggers._lines]
        monkeypatch.setattr(Panel, "refresh_line", lambda self, y: painted.append(y) if self.id == "triggers" else None)
        older = tuple(replace(t, age_seconds=5.0, curve=tuple(t.curve)) for t in many)
        await screen.show(watched.later(replace(state, triggers=older), 0.25))
        after = [line for _, line in screen.app.main.triggers._lines]
        assert len(after) == 200
        assert all(a is b for a, b in zip(before, after, strict=True))
        assert painted == []
        moved = (replace(older[0], value=1.3), *older[1:])
        await screen.show(watched.later(replace(state, triggers=moved), 0.5))
        assert painted == [0]


async def test_one_clear_look_survives_every_size(running: Running) -> None:
    for size in ((120, 40), (80, 24), (180, 50), (60, 20)):
        for state in (watched.FIRING, watched.SOAKING, watched.MANY):
            async with running(state, size=size) as screen:
                width = screen.app.main.triggers.scrollable_content_region.width
                assert all(line.cell_length <= width for _, line in screen.app.main.triggers._lines)


@pytest.mark.parametrize("key", ["", "o", "p", "enter", "h", "3,enter"])
async def test_hostile_words_stay_words(running: Running, key: str) -> None:
    evil = fake.EVIL
    row = watched.SOAKING.soak.triggers[0]
    state = replace(
        watched.SOAKING,
        triggers=(
            replace(watched.P95, title=evil, unit=evil, reason=evil, query=evil, warnings=(evil,)),
            replace(watched.DATA, title=evil),
            replace(watched.SECURITY, title=evil),
        ),
        soak=replace(watched.SOAKING.soak, title=evil, helped=evil, triggers=(replace(row, title=evil, unit=evil),)),
        checks=(replace(watched.CHECKS[0], title=evil, group=evil, evidence=evil, detail=(evil, evil)),),
    )
    async with running(state) as screen:
        if key == "h":
            screen.app.main.triggers.select("data")
        await screen.press(*[k for k in key.split(",") if k])
        told = screen.text()
        assert "[/oops] [@click=app.quit]x" in told
        assert [c for c in told if c != "\n" and not c.isprintable()] == []


async def test_names_that_differ_at_their_end_stay_apart_on_one_line(running: Running) -> None:
    async with running(watched.MANY) as screen:
        told = panel_text(screen, "triggers")
        assert [n for n in range(12) if f"Error rate of service {n} " not in told] == []
        assert "Health checks  was FIRING" in told


async def test_attestations_are_named_by_their_first_words_where_those_tell_them_apart(running: Running) -> None:
    titles = ("Security vulnerability", "Data integrity issue", "Compliance audit failure")
    attested = [replace(watched.DATA, id=title, title=title) for title in titles]
    twins = [replace(watched.DATA, id=f"d{n}", title=f"Integrity of the trail, part {n}") for n in range(2)]
    for triggers, lines in ((attested, ["Security  Data  Compliance"]), (twins, [t.title for t in twins])):
        async with running(replace(watched.FIRING, triggers=tuple(triggers))) as screen:
            told = panel_text(screen, "triggers").splitlines()
            assert [line[11:].strip() for line in told] == lines
