"""Colour only for a person's terminal, signs only where they can be shown, and no failure that stops the work."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest

from console.commands.output import Output


class Terminal(io.TextIOWrapper):
    def __init__(self, encoding: str = "utf-8") -> None:
        self.raw_bytes = io.BytesIO()
        super().__init__(self.raw_bytes, encoding=encoding)

    def isatty(self) -> bool:
        return True


@pytest.fixture
def as_stdout(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Terminal]:
    """Puts a terminal in the place of standard output; called inside of the test, where pytest's own stands."""

    def put(encoding: str = "utf-8", **environment: str) -> Terminal:
        for variable in ("NO_COLOR", "TERM"):
            monkeypatch.delenv(variable, raising=False)
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        made = Terminal(encoding)
        monkeypatch.setattr("sys.stdout", made)
        return made

    return put


def test_a_terminal_gets_colour(as_stdout: Callable[..., Terminal]) -> None:
    terminal = as_stdout()
    Output().line("FIRING", "alarm")
    assert terminal.raw_bytes.getvalue() == b"\x1b[1;31mFIRING\x1b[0m\n"


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_unless_it_is_not_wanted(as_stdout: Callable[..., Terminal], environment: dict[str, str]) -> None:
    terminal = as_stdout(**environment)
    Output().line("FIRING", "alarm")
    assert terminal.raw_bytes.getvalue() == b"FIRING\n"


def test_a_terminal_without_unicode_gets_ascii(as_stdout: Callable[..., Terminal]) -> None:
    terminal = as_stdout("latin-1")
    Output().line("✔ 34 s ≤ 30 s … é")
    assert terminal.raw_bytes.getvalue() == b"ok 34 s <= 30 s ... e\n"


def test_text_that_is_none_is_shown_and_stops_nothing(as_stdout: Callable[..., Terminal]) -> None:
    terminal, out = as_stdout(), Output()
    out.line("a\udcffb")
    out.line("c")
    assert terminal.raw_bytes.getvalue() == b"a?b\nc\n"


def test_json_escapes_what_a_terminal_obeys(as_stdout: Callable[..., Terminal]) -> None:
    terminal = as_stdout()
    Output(as_json=True).json({"text": "a\x9b2Jb\u202ec"})
    printed = terminal.raw_bytes.getvalue().decode()
    assert printed == '{"text": "a\\u009b2Jb\\u202ec"}\n'
    assert json.loads(printed) == {"text": "a\x9b2Jb\u202ec"}


def test_a_reader_that_is_gone_is_noticed_once_and_never_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Gone())
    out = Output()
    out.line("nobody reads this")
    assert out.gone
    out.line("nor this")
