"""`report`: the record of an incident as a document. From the journal alone: no target is asked, no configuration needed."""

from __future__ import annotations

import difflib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from console.commands import exits
from console.commands.invocation import Invocation, UsageProblem
from console.commands.journal import journal_of

if TYPE_CHECKING:
    from console.report.model import Chained
    from console.report.times import Times
    from console.report.writing import Format

_BY_ENDING: dict[str, Format] = {".md": "md", ".markdown": "md", ".html": "html", ".htm": "html", ".json": "json"}


async def report(invocation: Invocation) -> int:
    from console.report.file import save
    from console.report.model import record
    from console.report.writing import written

    args, out = invocation.args, invocation.out
    format_, times = _format(invocation), times_of(args.timezone)
    found = record(chained(journal_of(invocation)), args.incident)
    text = written(found, format_, times, brief=args.brief)
    if not args.output:
        _printed(invocation, text)
        return exits.DONE
    save(Path(args.output), text, force=args.force)
    what = "brief" if args.brief else "report"
    out.line(f"{args.output}: the {what} of {found.incident.id}, as of {times.full(found.at)}", "good")
    out.json({"path": args.output, "format": format_, "incident": found.incident.id, "brief": args.brief})
    return exits.DONE


def _printed(invocation: Invocation, text: str) -> None:
    if invocation.out.as_json:
        invocation.out.document(json.loads(text), indent=2)
    else:
        invocation.out.line(text.rstrip("\n"))


def chained(path: Path) -> list[Chained]:
    """The journal's events with their hashes; raises as the journal does where it is damaged or not there."""
    from console.journals import codec
    from console.journals.sqlite import SqliteJournal
    from console.report.model import Chained

    journal = SqliteJournal(path, create=False)
    try:
        return [
            Chained(codec.recorded(entry.seq, entry.at, entry.actor, entry.epoch, entry.body), entry.hash)
            for entry in journal.entries()
        ]
    finally:
        journal.close()


def times_of(zone: str) -> Times:
    """The zone of this name; the machine's own where none is given."""
    from console.report.times import Times

    if not zone:
        return Times(None, "local") if time.timezone or time.daylight else Times()
    if zone.upper() in ("UTC", "Z"):
        return Times()
    try:
        return Times(ZoneInfo(zone), zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(zone, available_timezones(), 1)
        hint = f'did you mean "{near[0]}"?' if near else "zones are named as in the IANA database: Europe/Berlin, UTC"
        raise UsageProblem(f'there is no time zone "{zone}"', hint) from None


def _format(invocation: Invocation) -> Format:
    """--format, then the file's ending, then --json, then Markdown."""
    args = invocation.args
    by_ending = _BY_ENDING.get(Path(args.output).suffix.lower()) if args.output else None
    if args.format:
        given: Format = args.format
        if invocation.out.as_json and given != "json" and not args.output:
            raise UsageProblem(f"--json and --format {given} contradict each other", "name a file with -o, or drop one")
        return given
    if by_ending:
        return by_ending
    return "json" if invocation.out.as_json else "md"
