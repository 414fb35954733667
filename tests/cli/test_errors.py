"""An error is one line that says what, where and what next; a defect of ours too. What is printed is clean."""

from __future__ import annotations

import pytest

from console.commands.output import Output
from tests.cli.conftest import Cli
from tests.cli.simulated import World


@pytest.mark.parametrize(
    "arguments",
    [
        ("rollback", "dashboard", "--confirm", "dashboard"),
        ("no-such-command",),
        ("rollback", "dashboard"),
        ("--journal", "postgres://db/x", "status"),
        ("--journal", "/proc/nowhere/x.journal", "declare", "--reason", "r"),
        ("plan", "dashbord"),
        ("verify", "no-such-check"),
    ],
)
def test_it_is_one_line_on_standard_error(cli: Cli, arguments: tuple[str, ...]) -> None:
    result = cli(*arguments)
    assert result.code in (2, 4)
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith("rollback-console: ")
    assert result.out == ""


def test_configuration_errors_come_with_the_line_of_the_file(cli: Cli) -> None:
    cli.config.write_text('[incident]\ntitle = "x"\nsoka = "5m"\n')
    result = cli("status")
    assert "procedure.toml:3:1" in result.err
    assert 'did you mean "soak"' in result.err


def test_a_missing_file_names_the_way_to_give_one(cli: Cli) -> None:
    result = cli("-c", "nowhere.toml", "status")
    assert "nowhere.toml" in result.err
    assert "-c FILE" in result.err


def test_a_defect_of_ours_has_no_traceback_but_with_debug(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("token=hunter2")

    monkeypatch.setattr("console.engine.session.project", broken)
    result = cli("status")
    assert result.code == 1
    assert len(result.err.splitlines()) == 1
    assert "RuntimeError" in result.err
    assert "hunter2" not in result.err
    assert "Traceback" in cli("--debug", "status").err


def test_what_a_person_writes_is_kept_without_what_terminals_obey(cli: Cli) -> None:
    cli.done("declare", "--reason", "it is\x1b[2J \x1b]52;c;AAAA\x07 slow\n\nnow\u202e")
    reason = cli.status()["incident"]["reason"]
    assert reason == "it is [2J ]52;c;AAAA slow now"


def test_a_name_with_control_characters_is_cleaned(cli: Cli) -> None:
    cli.done("--as", "mal\x1b[31mlory", "declare", "--reason", "r")
    assert cli.status()["incident"]["commander"] == "mal [31mlory"


def test_options_are_taken_before_and_behind_the_command(cli: Cli) -> None:
    cli.done("declare", "--reason", "r", "--as", "bob")
    assert cli.status()["incident"]["commander"] == "bob"


def test_the_configuration_is_found_by_variable_and_in_the_folder(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from console.cli import run
    from tests.cli.simulated import registry

    monkeypatch.setenv("ROLLBACK_CONSOLE_CONFIG", str(cli.config))
    assert run(["status"], registry()) == 0
    monkeypatch.delenv("ROLLBACK_CONSOLE_CONFIG")
    assert run(["status"], registry()) == 2
    cli.config.rename(cli.folder / "rollback-console.toml")
    assert run(["status"], registry()) == 0


def test_ascii_says_the_same_in_ascii(declared: Cli, world: World) -> None:
    world.change("values", "latency", 34)
    for command in (("status",), ("plan", "dashboard"), ("triggers",), ("status", "--json")):
        result = declared.done(*command, "--ascii")
        assert result.out.isascii(), result.out
    assert "!! FIRING" in declared.done("triggers", "--ascii").out


def test_nothing_that_a_terminal_obeys_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    Output().line("a\x1b[2Jb\x9bc\x07d\u202ee\rf")
    assert capsys.readouterr().out == "a[2Jbcdef\n"


def test_there_is_no_colour_without_a_terminal(declared: Cli) -> None:
    assert "\x1b" not in declared.done("status").out
