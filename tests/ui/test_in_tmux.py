"""What only a real terminal shows: the editor that takes it over and gives it back, and the name of tmux's window."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.program import Console
from tests.real.terminal import Terminal

pytestmark = pytest.mark.tmux

ROOT = Path(__file__).parents[2]
EDITOR = """#!/bin/sh
printf 'EDITING %s\\n' "$(cat "$1" | head -1)"
read -r line
printf '%s\\n' "$line" >> "$1"
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    procedure = tmp_path / "procedure.toml"
    procedure.write_text('[incident]\ntitle = "QEC-SFT migration"\n')
    editor = tmp_path / "an editor"
    editor.write_text(EDITOR)
    editor.chmod(0o700)
    console = Console.beside(procedure, VISUAL=f"'{editor}'", PYTHONPATH=str(ROOT))
    with Terminal(console, 120, 40, program=(sys.executable, "-m", "tests.ui.scripted")) as opened:
        yield opened


def test_the_editor_has_the_terminal_for_itself_and_gives_it_back_whole(terminal: Terminal) -> None:
    terminal.wait("OVERDUE")
    terminal.press("m")
    terminal.wait("eng-managers@example.com", "348 of at most 3,000")
    terminal.press("C-e")
    alone = terminal.wait("EDITING QEC-SFT migration, incident INC-0007")
    assert "Communication" not in alone
    terminal.press("C-z")  # would stop the console too, and the rollback in progress
    terminal.type("written by hand")
    terminal.wait("written by hand", "364 of at most 3,000", "NEXT")
    terminal.press("C-s")
    terminal.wait("sent: accepted for ops@example.com")
    terminal.press("q")
    assert terminal.exit_code() == 0
    assert "written by hand" in terminal.wait("left with 0")


def test_ctrl_c_in_an_editor_ends_the_editor_and_not_the_console(terminal: Terminal) -> None:
    terminal.wait("OVERDUE")
    terminal.press("m")
    terminal.wait("348 of at most 3,000")
    terminal.press("C-e")
    terminal.wait("EDITING")
    terminal.press("C-c")
    terminal.wait("an editor. was ended by a signal .Interrupt", "348 of at most 3,000", "NEXT")
    terminal.press("Escape")
    terminal.wait_without("348 of at most 3,000")
    terminal.press("q")
    assert terminal.exit_code() == 0


def test_the_window_is_called_by_what_is_loud_and_then_by_its_own_name_again(terminal: Terminal) -> None:
    terminal.wait_window("1 FIRING 1 OVERDUE")
    terminal.press("m")
    terminal.wait("348 of at most 3,000")
    terminal.press("C-s")
    terminal.wait_window("war room")
    terminal.press("q")
    assert terminal.exit_code() == 0
    assert terminal.window == "war room"


def test_a_terminal_that_is_closed_while_the_editor_has_it_ends_both(terminal: Terminal) -> None:
    terminal.wait("OVERDUE")
    terminal.press("m")
    terminal.wait("348 of at most 3,000")
    terminal.press("C-e")
    terminal.wait("EDITING")
    terminal.kill_tmux()
    terminal.wait_gone()
