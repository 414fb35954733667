"""Changes and pre-images: named by what they say, for their owner's eyes alone, and never silently something else."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.domain.errors import JournalDamaged, Refused
from console.journals.vault import FolderVault

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "not" / "there" / "vault"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=DOCUMENTS)
def test_every_document_comes_back_as_it_was(folder: Path, document: Any) -> None:
    vault = FolderVault(folder)
    assert vault.get(vault.put(document)) == document


def test_another_process_finds_it_by_its_name(folder: Path) -> None:
    name = FolderVault(folder).put({"goal": {"image": "v1"}})
    assert FolderVault(folder).get(name) == {"goal": {"image": "v1"}}


def test_the_same_document_has_the_same_name_and_is_kept_once(folder: Path) -> None:
    vault = FolderVault(folder)
    assert vault.put({"a": 1, "b": 2}) == vault.put({"b": 2, "a": 1})
    assert vault.put({"a": 1, "b": 3}) != vault.put({"a": 1, "b": 2})
    assert len(list(folder.iterdir())) == 2


def test_only_its_owner_can_read_it(folder: Path) -> None:
    before = os.umask(0)
    try:
        name = FolderVault(folder).put({"env": "secret"})
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_a_document_is_on_disk_with_its_name_before_put_returns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []

    def fsync(descriptor: int) -> None:
        synced.append(
            "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else f"file of {os.fstat(descriptor).st_size}"
        )

    monkeypatch.setattr(os, "fsync", fsync)
    FolderVault(folder).put("12345678")
    assert synced == ["file of 10", "folder"]
    FolderVault(folder).put("12345678")
    assert synced[2:] == ["folder"]  # who wrote it may have died before this


def test_a_document_that_is_gone_is_named(folder: Path) -> None:
    vault = FolderVault(folder)
    name = vault.put({"a": 1})
    (folder / name).unlink()
    with pytest.raises(JournalDamaged, match=f"document {name[:12]}… is not in"):
        vault.get(name)


@pytest.mark.parametrize("harm", [lambda b: b"", lambda b: b[:-1], lambda b: b + b" ", lambda b: b.replace(b"1", b"2")])
def test_a_document_that_was_changed_is_noticed_and_put_right_by_the_next_put(folder: Path, harm: Any) -> None:
    vault = FolderVault(folder)
    name = vault.put({"a": 1})
    (folder / name).write_bytes(harm((folder / name).read_bytes()))
    with pytest.raises(JournalDamaged, match="was changed after it was written"):
        vault.get(name)
    vault.put({"a": 1})
    assert vault.get(name) == {"a": 1}


@pytest.mark.parametrize("name", ["", "../journal.db", "/etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_what_is_no_name_opens_nothing(folder: Path, name: str) -> None:
    with pytest.raises(JournalDamaged, match="is not the name of a document"):
        FolderVault(folder).get(name)


def test_a_place_where_nothing_can_be_kept_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "vault").touch()
    with pytest.raises(Refused, match="can't be kept") as refused:
        FolderVault(tmp_path / "vault").put({"a": 1})
    assert refused.value.hint == "nothing was sent"


def test_a_full_disk_leaves_no_half_document(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = FolderVault(folder)
    vault.put("first")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refused, match="No space left on device"):
        vault.put("second")
    assert len(list(folder.iterdir())) == 1
