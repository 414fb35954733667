"""The types of the file's values."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from console.config import FilePath, Options, format_duration
from console.config.options import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("90s", 90), ("1h30m", 5400), ("500ms", 0.5), ("0s", 0), ("1.5s", 1.5), ("1d2h3m4s5ms", 93784.005)],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "m", "-5m", "5m ", "5 m", "1m1m", "1s1m", "٣m", "5M", "1e3s", "5m\n", 5, True, None]
)
def test_anything_else_is_no_duration(text: object) -> None:
    with pytest.raises(PydanticCustomError):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=366 * 86_400_000))
def test_a_written_duration_reads_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


class WithPath(Options):
    path: FilePath


@pytest.mark.parametrize(
    ("written", "meant"),
    [("a/b", "/etc/rollback/a/b"), ("/abs", "/abs"), ("../x", "/etc/rollback/../x"), ("~/x", "/home/me/x")],
)
def test_paths_start_at_the_files_folder(monkeypatch: pytest.MonkeyPatch, written: str, meant: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    parsed = WithPath.model_validate({"path": written}, context={"folder": Path("/etc/rollback")})
    assert parsed.path == Path(meant)
