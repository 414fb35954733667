"""Secrets are fetched from where the reference says, and shown by nothing."""

from __future__ import annotations

import copy
import json
import pickle
import sys
import time
from pathlib import Path

import pytest

from console.config import Redactor, SecretReference, SecretUnavailable, SecretValue, resolve, secrets

VALUE = 'hunter2/"ü'


def reference(**kwargs: object) -> SecretReference:
    return SecretReference.model_validate(kwargs)


def python(program: str) -> SecretReference:
    return reference(command=(sys.executable, "-c", program))


def why(of: SecretReference) -> str:
    with pytest.raises(SecretUnavailable) as caught:
        resolve(of)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", VALUE)
    assert resolve(reference(env="TOKEN")).reveal() == VALUE


def test_from_a_file_without_its_last_line_break(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(VALUE + "\r\n", newline="")
    assert resolve(reference(file=file)).reveal() == VALUE


def test_from_a_command() -> None:
    assert resolve(python("print('hunter2 from a command')")).reveal() == "hunter2 from a command"


def test_a_command_has_no_terminal_to_ask_on() -> None:
    program = "import os, sys; print('alone', sys.stdin.read() == '', os.getsid(0) == os.getpid())"
    assert resolve(python(program)).reveal() == "alone True True"


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (reference(env="NO_SUCH_VARIABLE"), "secret from environment variable NO_SUCH_VARIABLE: it is not set"),
        (reference(file=Path("/nowhere/token")), "secret from file '/nowhere/token': no such file or directory"),
        (reference(file=Path("/")), "secret from file '/': is a directory"),
        (
            reference(command=("no-such-program",)),
            "secret from command 'no-such-program': can't be started: no such file or directory",
        ),
    ],
)
def test_what_is_missing_is_named(of: SecretReference, expected: str) -> None:
    assert why(of) == expected


def test_an_empty_secret_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "")
    assert why(reference(env="TOKEN")).endswith(": it is empty")


def test_a_failing_command_says_so_without_what_it_printed() -> None:
    program = "import sys; print('hunter' + '2'); sys.stderr.write('hunter' + '2'); sys.exit(3)"
    message = why(python(program))
    assert message.endswith(": exit code 3, 7 bytes of error output (run it yourself to read them)")
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("import sys; sys.stdout.buffer.write(bytes([255]))", "it is not UTF-8 text"),
        ("print('x' * 70_000)", "longer than 64 KiB: not a secret"),
        ("\nwhile True: print('x' * 1000)", "longer than 64 KiB: not a secret"),
    ],
)
def test_what_is_no_secret_is_refused(program: str, expected: str) -> None:
    assert why(python(program)).endswith(f": {expected}")


def test_a_command_that_hangs_is_stopped_with_its_children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(secrets, "COMMAND_TIMEOUT_SECONDS", 0.5)
    mark = tmp_path / "alive"
    child = f"import time, pathlib; time.sleep(1.5); pathlib.Path({str(mark)!r}).touch()"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    started = time.monotonic()
    assert why(python(program)).endswith(": no answer within 0.5 s")
    assert time.monotonic() - started < 1.4
    assert not mark.exists()


# ---------------------------------------------------------------- a value


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        "{}".format,
        "{:>20}".format,
        lambda v: f"{v!r}",
        lambda v: json.dumps(v, default=str),
        lambda v: str([v]),
    ],
)
def test_a_value_is_masked_however_it_is_shown(show: object) -> None:
    assert callable(show)
    text = show(SecretValue(VALUE))
    assert "hunter2" not in text
    assert "•••" in text.encode().decode("unicode_escape" if text.isascii() else "utf-8")


def test_a_value_does_not_leave_by_pickle_json_or_its_attributes() -> None:
    value = SecretValue(VALUE)
    with pytest.raises(TypeError, match="can't be pickled"):
        pickle.dumps(value)
    with pytest.raises(TypeError):
        json.dumps(value)
    with pytest.raises(TypeError):
        vars(value)
    with pytest.raises(AttributeError):
        value.other = 1  # type: ignore[attr-defined]


def test_values_compare_and_copy() -> None:
    value = SecretValue(VALUE)
    assert value == SecretValue(VALUE)
    assert value != SecretValue("other")
    assert value != VALUE
    assert copy.deepcopy(value) is value
    assert len({value, SecretValue(VALUE)}) == 1


# ---------------------------------------------------------------- redaction


@pytest.mark.parametrize(
    "form",
    [VALUE, "hunter2%2F%22%C3%BC", 'hunter2/\\"\\u00fc', 'hunter2/\\"ü', "aHVudGVyMi8iw7w="],
    ids=["plain", "percent-encoded", "JSON in ASCII", "JSON", "base64"],
)
def test_every_form_of_a_secret_is_masked(form: str) -> None:
    assert Redactor([SecretValue(VALUE)]).redact(f"before {form} after") == "before ••• after"


def test_the_longest_secret_wins() -> None:
    redactor = Redactor([SecretValue("hunter2"), SecretValue("hunter2-and-more")])
    assert redactor.redact("hunter2-and-more hunter2") == "••• •••"


def test_a_short_value_is_left_alone_and_said_so() -> None:
    redactor = Redactor()
    assert not redactor.add(SecretValue("abc"))
    assert redactor.add(SecretValue("abcd"))
    assert redactor.redact("abc abcd") == "abc •••"


def test_a_line_of_a_longer_secret_is_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----"
    assert Redactor([SecretValue(key)]).redact("bad line: MIIEvQIBADANBg") == "bad line: •••"


def test_a_redactor_keeps_its_secrets_to_itself() -> None:
    redactor = Redactor([SecretValue(VALUE)])
    assert "hunter2" not in repr(redactor) + str(redactor)
    assert Redactor().redact("nothing known") == "nothing known"
