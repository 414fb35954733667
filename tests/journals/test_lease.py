"""The right to cause effects: one process at a time, shared by the components of that process, freed by its death."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.domain.errors import Refused
from console.journals.lease import FileLease

HOLD = (
    "import sys, pathlib; from console.journals.lease import FileLease\n"
    "with FileLease(pathlib.Path(sys.argv[1])).acquire():\n"
    "    print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db.lease"


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "held\n"
        yield program
        program.kill()


def test_it_is_free_until_somebody_takes_it(path: Path) -> None:
    lease = FileLease(path)
    assert not lease.held()
    with lease.acquire():
        assert lease.held()
        assert FileLease(path).held()
    assert not lease.held()
    assert not FileLease(path).held()


def test_looking_makes_no_file(path: Path) -> None:
    FileLease(path).held()
    assert not path.exists()


def test_another_process_is_refused_and_told_who_has_it(path: Path, holder: subprocess.Popen[str]) -> None:
    assert FileLease(path).held()
    with pytest.raises(Refused, match=f"process {holder.pid}"), FileLease(path).acquire():
        pytest.fail("two have it")


def test_it_is_free_once_its_holder_is_dead(path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    lease = FileLease(path)
    assert not lease.held()
    with lease.acquire():
        assert lease.held()


def test_several_components_of_one_process_share_it(path: Path) -> None:
    lease = FileLease(path)
    with lease.acquire():
        with lease.acquire():
            pass
        assert lease.held()
        with pytest.raises(Refused), FileLease(path).acquire():
            pytest.fail("two have it")
    assert not lease.held()


def test_an_error_under_it_frees_it(path: Path) -> None:
    lease = FileLease(path)
    with pytest.raises(KeyError), lease.acquire():
        raise KeyError
    assert not lease.held()


def test_a_refusal_does_not_count_as_holding(path: Path, holder: subprocess.Popen[str]) -> None:
    lease = FileLease(path)
    with pytest.raises(Refused), lease.acquire():
        pytest.fail("two have it")
    holder.kill()
    holder.wait()
    with lease.acquire():
        pass
    assert not lease.held()


def test_a_place_where_it_can_not_be_is_refused_in_words(tmp_path: Path) -> None:
    with (
        pytest.raises(Refused, match="can't be taken: No such file or directory"),
        FileLease(tmp_path / "no" / "x").acquire(),
    ):
        pytest.fail("there is no such folder")
