"""`journal verify|show|export`: the record itself, whatever became of the configuration file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from console.commands import exits
from console.commands.glance import document_of
from console.commands.invocation import Invocation
from console.domain.errors import JournalDamaged
from console.journals.places import default_path

if TYPE_CHECKING:
    from pathlib import Path

    from console.journals.sqlite import SqliteJournal


async def verify(invocation: Invocation) -> int:
    path = journal_of(invocation)
    try:
        count = len(_opened(path).read())
    except JournalDamaged as error:
        invocation.out.json({"path": str(path), "intact": False, "error": error.message})
        invocation.out.aside(f"rollback-console: {path} is damaged: {error}")
        return exits.FAILED
    invocation.out.line(f"{path}: intact, {count} events", "good")
    invocation.out.json({"path": str(path), "intact": True, "events": count})
    return exits.DONE


async def show(invocation: Invocation) -> int:
    from console.domain.evolve import evolve
    from console.domain.incident import Incident
    from console.engine.status import rfc3339
    from console.engine.wording import told_event

    incident = Incident()
    for recorded in _opened(journal_of(invocation)).read():
        incident = evolve(incident, recorded)
        text, level = told_event(recorded.event, recorded.actor, incident.outline)
        invocation.out.line(f"{recorded.seq:>5}  {recorded.at:%Y-%m-%d %H:%M:%S}  {text}", level)
        invocation.out.json(
            {
                "seq": recorded.seq,
                "at": rfc3339(recorded.at),
                "actor": recorded.actor,
                "event": recorded.event.type,
                "text": text,
            }
        )
    return exits.DONE


async def export(invocation: Invocation) -> int:
    """One JSON object a line, each with its hash and the hash before it; documents of the vault stay where they are."""
    from console.journals.codec import GENESIS

    previous = GENESIS
    for entry in _opened(journal_of(invocation)).entries():
        line = {**entry._asdict(), "event": json.loads(entry.body), "previous": previous}
        del line["body"]
        invocation.out.document(line)
        previous = entry.hash
    return exits.DONE


def journal_of(invocation: Invocation) -> Path:
    """Where the journal is; without --journal the title in the file says it, valid or not."""
    if invocation.journal:
        return invocation.journal
    incident = document_of(invocation.config).get("incident")
    title = incident.get("title") if isinstance(incident, dict) else None
    return default_path(title if isinstance(title, str) else invocation.config.stem)


def _opened(path: Path) -> SqliteJournal:
    from console.journals.sqlite import SqliteJournal

    return SqliteJournal(path, create=False)
