"""What is on the screen: every state in words, small terminals, hostile texts, and no repaint without news."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from console.domain.errors import Refused
from console.ui import actions
from console.ui.flows import Flows
from console.ui.literal import Guard
from console.ui.widgets.panel import Panel
from tests.ui import fake_console as fake
from tests.ui.conftest import Running

CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


async def test_the_skeleton_is_painted_before_the_console_opens(running: Running) -> None:
    gate = asyncio.Event()

    async def open_console() -> fake.FakeConsole:
        await gate.wait()
        return fake.FakeConsole(fake.FIRING)

    async with running(open_console=open_console) as screen:
        text = screen.text()
        assert "Reading the procedure" in text
        for title in ("Triggers", "Components", "Checklist", "Communication", "Timeline"):
            assert title in text
        await screen.press("b", "d", "n")
        assert "still being read" in screen.text()
        gate.set()
        await screen.settle()
        assert "FIRING" in screen.text()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (fake.CALM, ("no incident", "all 4 ok", "untouched", "LIVE")),
        (fake.FIRING, ("▲ FIRING", "◔ PENDING", "? NO DATA", "STALE", "3:10 of 5:00", "because p95 and", "▲ OVERDUE")),
        (fake.RUNNING_VIEW, ("● rolling back", "step 2 of 2", "1 of 2 ready", "0:08", "✔ patch api-gateway", "proven")),
        (fake.FAILED_VIEW, ("✘ FAILED", "ImagePullBackOff", "stopped at the first failure")),
        (fake.UNKNOWN_VIEW, ("⁇ UNKNOWN", "cluster says: 503")),
        (fake.BACK_VIEW, ("✔ rolled back", "1 of 6 rolled back")),
        (fake.DRILL_VIEW, ("╱╱ ⎈ drill  DRILL ╱╱",)),
        (fake.OBSERVE_VIEW, ("(watching only)",)),
    ],
)
async def test_every_state_has_its_words(running: Running, state, words) -> None:
    async with running(state) as screen:
        text = screen.text()
        assert [word for word in words if word not in text] == []


async def test_no_data_and_stale_never_look_ok(running: Running) -> None:
    async with running(replace(fake.FIRING, triggers=(fake.HEALTH_NO_DATA, fake.QUEUE_STALE))) as screen:
        assert "2 without data" in screen.text()
        assert screen.app.main.triggers.heading.worst == "bold $attention"
        assert "✔" not in "\n".join(line[:48] for line in screen.text().splitlines()[:20])


async def test_a_small_terminal_shows_one_panel_with_the_others_as_tabs(running: Running) -> None:
    async with running(fake.FIRING, size=(80, 24)) as screen:
        tabs = screen.text().splitlines()[1]
        assert all(name in tabs for name in ("Triggers ▲1", "Components", "Checklist ✘1", "Notices ▲1", "Timeline"))
        shown = {
            "1": "Error rate",
            "2": "OPA policy",
            "3": "pods in monitoring",
            "4": "Executive brief",
            "5": "declared:",
        }
        for key, words in shown.items():
            await screen.press(key)
            text = screen.text()
            assert [k for k, w in shown.items() if w in text] == [key], words
            assert "NEXT" in text
            assert "T+ 00:17:42" in text


async def test_a_short_wide_terminal_shows_one_panel_too(running: Running) -> None:
    async with running(fake.FIRING, size=(140, 20)) as screen:
        assert [p.id for p in screen.app.main.panels.values() if p.display and p.region.height] == ["triggers"]


async def test_a_key_of_a_hidden_panel_works_and_brings_it_forward(running: Running) -> None:
    async with running(fake.FIRING, size=(80, 24)) as screen:
        await screen.press("b", "escape")
        assert screen.app.main.active.id == "components"
        assert "OPA policy" in screen.text()


async def test_resizing_goes_back_and_forth(running: Running) -> None:
    async with running(fake.FIRING, size=(120, 40)) as screen:
        await screen.resize(80, 24, until="[1 Triggers", without="Executive brief")
        await screen.resize(200, 50, until="Executive brief", without="[1 Triggers")
        assert all(words in screen.text() for words in ("34.2 s", "OPA policy", "declared:"))


async def test_long_lists_scroll_and_the_selected_row_stays_in_sight(running: Running) -> None:
    async with running(fake.long_view()) as screen:
        await screen.press("2")
        for _ in range(29):
            await screen.pilot.press("j")
        await screen.settle()
        assert "Component number 29" in screen.text()
        assert "Component number 0 " not in screen.text()
        await screen.press("3", "pagedown", "pagedown", "pagedown", "pagedown", "pagedown", "pagedown")
        assert "Check number 39" in screen.text()


async def test_what_begins_to_run_comes_into_sight(running: Running) -> None:
    async with running(fake.long_view()) as screen:
        components = fake.long_view().components
        begun = replace(components[25], state="running", current=1)
        await screen.show(replace(fake.long_view(), components=(*components[:25], begun, *components[26:])))
        assert "rolling back" in screen.text()


@pytest.mark.parametrize("key", ["", "enter", "2,enter", "3,enter", "4,enter", "b", "t", "ctrl+p", "question_mark"])
async def test_hostile_text_is_shown_literally_everywhere(running: Running, key: str) -> None:
    console = fake.FakeConsole(fake.hostile_view())
    console.planned = replace(fake.preview_of(), title=fake.EVIL, contexts=(fake.EVIL,))
    async with running(console=console) as screen:
        await screen.press(*[k for k in key.split(",") if k])
        text = screen.text()
        assert CONTROLS.search(text) is None
        assert key in ("ctrl+p", "question_mark") or "[/oops] [@click=app.quit]x" in text


async def test_hostile_words_of_an_error_are_shown_literally(running: Running) -> None:
    console = fake.FakeConsole(fake.RUNNING_VIEW, errors={"stop": Refused(fake.EVIL, fake.EVIL)})
    async with running(console=console) as screen:
        await screen.press("x")
        assert "[/oops] [@click=app.quit]x" in screen.text()
        assert CONTROLS.search(screen.text()) is None


def test_the_guard_drops_what_a_forgotten_place_lets_through() -> None:
    from rich.segment import Segment
    from textual.color import Color

    evil = [Segment(fake.EVIL), Segment("fine é")]
    assert CONTROLS.search("".join(s.text for s in Guard(False).apply(evil, Color(0, 0, 0)))) is None
    assert "".join(s.text for s in Guard(True).apply(evil, Color(0, 0, 0))).isascii()


async def test_ascii_only_is_ascii_everywhere(running: Running) -> None:
    for size, keys in (
        ((120, 40), ""),
        ((80, 24), "2"),
        ((120, 40), "b"),
        ((120, 40), "t"),
        ((120, 40), "question_mark"),
    ):
        async with running(fake.UNKNOWN_VIEW, ascii_only=True, size=size) as screen:
            await screen.press(*keys.split())
            painted = "\n".join(strip.text for strip in _painted(screen))
            assert painted.isascii(), [c for c in painted if not c.isascii()]
            assert "?" * 3 not in painted


def _painted(screen):
    """The terminal's lines with the guard applied, as the driver gets them: modals and what is behind them."""
    return screen.app.screen._compositor.render_strips()


async def test_no_color_takes_the_monochrome_theme(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(fake.FIRING) as screen:
        assert screen.app.theme == "monochrome"
        assert "▲ FIRING" in screen.text()


async def test_themes_follow_one_another(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        seen = [screen.app.theme]
        for _ in range(4):
            await screen.press("ctrl+t")
            seen.append(screen.app.theme)
        assert sorted(seen) == ["colour-blind", "dark", "high-contrast", "light", "monochrome"]


async def test_nothing_is_repainted_when_nothing_changed(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(fake.FIRING) as screen:
        updates: list[str] = []
        monkeypatch.setattr(Panel, "refresh", lambda self, *a, **k: updates.append(self.id))
        monkeypatch.setattr(Panel, "lay_out", lambda self: updates.append(f"lay out {self.id}"))
        monkeypatch.setattr("textual.widgets.Static.update", lambda self, *a, **k: updates.append(self.id))
        for _ in range(5):
            await screen.show(replace(fake.FIRING))
        assert updates == []


async def test_a_second_later_only_what_shows_the_time_is_repainted(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(fake.FIRING) as screen:
        lines: list[tuple[str | None, int]] = []
        whole: list[str | None] = []
        monkeypatch.setattr(Panel, "refresh_line", lambda self, y: lines.append((self.id, y)))
        monkeypatch.setattr(Panel, "refresh", lambda self, *a, **k: whole.append(self.id))
        later = replace(
            fake.FIRING,
            at=fake.AT + timedelta(seconds=1),
            incident=replace(fake.OPEN, elapsed_seconds=1063.0),
            notices=tuple(
                replace(n, due_in_seconds=n.due_in_seconds - 1) if n.due_in_seconds is not None else n
                for n in fake.notices()
            ),
        )
        await screen.show(later)
        assert whole == []
        assert {panel for panel, _ in lines} == {"triggers", "communication"}
        assert len(lines) <= 4
        assert "T+ 00:17:43" in screen.text()


async def test_a_picture_that_cannot_be_renewed_is_marked_as_old(running: Running) -> None:
    async with running(fake.FIRING) as screen:
        screen.console.view_error = Refused("the journal can't be read", "is the disk there?")
        await screen.show(fake.FIRING)
        assert "OLD PICTURE: the journal can't be read" in screen.text()
        screen.console.view_error = None
        await screen.show(fake.FIRING)
        assert "OLD PICTURE" not in screen.text()


async def test_overdue_rings_once(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(fake.CALM) as screen:
        rung: list[int] = []
        monkeypatch.setattr(type(screen.app), "bell", lambda self: rung.append(1))
        await screen.show(fake.FIRING)
        await screen.show(replace(fake.FIRING, at=fake.AT + timedelta(seconds=1)))
        await screen.show(replace(fake.FIRING, notices=fake.notices()[::-1]))
        assert rung == [1]


class Problems(Exception):
    problems = ("line 3: unknown key",)


@pytest.mark.parametrize(
    ("error", "code"), [(Refused("no such file", ""), 2), (Problems(), 2), (RuntimeError("odd"), 1)]
)
async def test_a_console_that_does_not_open_ends_the_app_and_keeps_the_error(running: Running, error, code) -> None:
    async def open_console() -> fake.FakeConsole:
        raise error

    async with running(open_console=open_console) as screen:
        await screen.settle()
        assert screen.app.fatal is error
        assert screen.app.return_code == code


def test_every_action_has_its_method_and_its_own_key() -> None:
    assert [a.id for a in actions.ACTIONS if a.id not in actions.PANELS and not hasattr(Flows, a.id)] == []
    assert actions.keymap_problems({}) == []


def test_a_wrong_keymap_is_explained() -> None:
    assert actions.keymap_problems({"rollback": "z"}) == ['there is no action "rollback" to give a key to']
    assert actions.keymap_problems({"stop": "q"}) == ['the key "q" is given to both "stop" and "leave"']


def test_a_crash_of_the_screen_prints_no_traceback_and_no_values() -> None:
    program = """
import asyncio
from tests.ui.fake_console import FakeConsole, FIRING
from console.ui.app import RollbackConsoleApp
from console.ui.widgets.triggers import Triggers
def broken(self, view, width):
    token = "s3cret"
    raise KeyError(token)
Triggers.rows = broken
async def open_console():
    return FakeConsole(FIRING)
app = RollbackConsoleApp(open_console, title="t")
app.run(headless=True)
print("fatal:", type(app.fatal).__name__, app.return_code)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "fatal: KeyError 1\n"
    assert "s3cret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_first_paint_needs_neither_the_engine_nor_the_modals() -> None:
    program = "import sys; import console.ui.app; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    late = {
        "console.engine.view", "console.engine.ports", "console.domain.events", "console.ui.screens.preview",
        "console.ui.screens.modal", "console.ui.screens.help", "console.ui.palette",
    }  # fmt: skip
    assert loaded & late == set()
    assert [m for m in loaded if m.split(".")[0] in ("kubernetes", "httpx", "pydantic", "psycopg", "yaml", "git")] == []
