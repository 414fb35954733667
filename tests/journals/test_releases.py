"""Journals of every release so far are read for ever: each is kept as its release wrote it, with the state that it means.

Each file has one row a line. `python -m tests.journals.test_releases VERSION` writes the one of a new release, once.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from console.domain.events import Event
from console.domain.evolve import fold
from console.domain.incident import Incident
from console.journals import codec
from console.journals.sqlite import SqliteJournal
from tests.journals.history import AT, HISTORY, HISTORY_0_1_0

KEPT = Path(__file__).parents[1] / "fixtures" / "journals"
RELEASES = sorted(KEPT.glob("*.jsonl"))

# What each kept journal means. A newer release may know more about an incident, but never something else.
MEANING = {
    "0.1.0": {
        "phase": "resolved",
        "id": "INC-0001",
        "commander": "kim",
        "components": {
            "dashboard": (
                "rolled_back",
                {"undo-dashboard": ("proven", ["op-1", "op-2"]), "call-provider": ("proven", [])},
            ),
            "gateway": ("rolled_forward", {"patch": ("undone", [])}),
        },
        "checks": {"pods": "pass", "complaints": "signed", "nice": "waived"},
        "acknowledged": ["engineering"],
        "verdicts": {"latency-p95": "firing"},
    },
    "0.2.0": {
        "phase": "resolved",
        "id": "INC-0002",
        "commander": "kim",
        "components": {
            "dashboard": ("untouched", {"undo-dashboard": ("untouched", []), "call-provider": ("untouched", [])}),
            "gateway": ("stopped", {"patch": ("untouched", [])}),
        },
        "checks": {"pods": "waived", "complaints": "waived", "nice": "not_run"},
        "acknowledged": [],
        "verdicts": {},
    },
}
BEYOND = {
    "0.2.0": {
        "counted": {"complaints": [2]},
        "attested": {"security": False},
        "impacts": {"security": True},
        "notices": {"team": ("sent", 1, "msg-2")},
        "snoozed": ["engineering"],
        "baselines": {"p95": 1.2},
        "followups": {"logs": True, "f1": False},
        "advised": ("dashboard",),
        "seen": ["declared"],
    }
}
"""What only releases since then know of an incident."""


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def meaning(incident: Incident) -> dict[str, Any]:
    return {
        "phase": incident.phase,
        "id": incident.id,
        "commander": incident.commander,
        "components": {
            k.id: (k.state, {s.id: (s.state, [a.op for a in s.attempts]) for s in k.steps.values()})
            for k in incident.components.values()
        },
        "checks": {k.id: incident.check_state(k.id) for k in incident.outline.checks},
        "acknowledged": list(incident.acknowledged),
        "verdicts": {t: v.verdict for t, v in incident.verdicts.items()},
    }


def read(path: Path, tmp_path: Path) -> Incident:
    """Put into a journal file as its release wrote it, and read by this one."""
    journal_path = tmp_path / "journal.db"
    with closing(SqliteJournal(journal_path)) as journal:
        given = [tuple(row[name] for name in ("seq", "at", "actor", "epoch", "body", "hash")) for row in rows(path)]
        journal._connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", given)
    with closing(SqliteJournal(journal_path, create=False)) as journal:
        return fold(journal.read())


@pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.stem)
def test_a_journal_of_this_release_is_read_and_means_what_it_meant(path: Path, tmp_path: Path) -> None:
    assert meaning(read(path, tmp_path)) == MEANING[path.stem]


@pytest.mark.parametrize("release", list(BEYOND))
def test_what_a_release_added_means_what_it_meant(release: str, tmp_path: Path) -> None:
    incident = read(KEPT / f"{release}.jsonl", tmp_path)
    assert {
        "counted": {t: [one.count for one in kept] for t, kept in incident.counted.items()},
        "attested": {t: word.holds for t, word in incident.attested.items()},
        "impacts": {i: word.applies for i, word in incident.impacts.items()},
        "notices": {n: (p.state, p.times_given, p.op) for n, p in incident.notices.items()},
        "snoozed": list(incident.snoozed),
        "baselines": {c: taken.value for c, taken in incident.baselines.items()},
        "followups": {f.id: f.done_at is not None for f in incident.followups.values()},
        "advised": incident.advised.components if incident.advised else (),
        "seen": [then.event.occasion for then in incident.seen],
    } == BEYOND[release]


@pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.stem)
def test_every_prefix_of_it_folds(path: Path, tmp_path: Path) -> None:
    incident = Incident()
    for row in rows(path):
        recorded = codec.recorded(*(row[name] for name in ("seq", "at", "actor", "epoch", "body")))
        incident = fold([recorded], incident)
        assert incident.seq == row["seq"]


def test_every_release_with_a_kept_journal_is_tested() -> None:
    assert {path.stem for path in RELEASES} == set(MEANING)


@pytest.mark.parametrize(("release", "history"), [("0.1.0", HISTORY_0_1_0), ("0.2.0", HISTORY)])
def test_this_release_still_writes_what_others_wrote(release: str, history: tuple[Event, ...]) -> None:
    """A change here is a change of the format: fields may be added with a default, nothing else."""
    kept = [json.loads(row["body"]) for row in rows(KEPT / f"{release}.jsonl")]
    now = [json.loads(codec.encode(event)) for event in history]
    assert _only_added(kept, now)


def _only_added(old: Any, new: Any) -> bool:
    if isinstance(old, dict) and isinstance(new, dict):
        return all(key in new and _only_added(value, new[key]) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_only_added, old, new))
    return bool(old == new)


def keep(version: str) -> None:
    """Writes the journal of a release. Called once a release; a kept file is never written again."""
    previous, lines = codec.GENESIS, []
    for seq, event in enumerate(HISTORY, start=1):
        at = codec.timestamp(datetime.fromtimestamp(AT.timestamp() + seq, AT.tzinfo))
        row = {"seq": seq, "at": at, "actor": "kim", "epoch": 1, "body": codec.encode(event)}
        previous = codec.chain(previous, *row.values())
        lines.append(json.dumps({**row, "hash": previous}, ensure_ascii=False))
    with (KEPT / f"{version}.jsonl").open("x") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    keep(sys.argv[1])
