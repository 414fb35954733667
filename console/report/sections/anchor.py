"""What ties the report to the journal, so that anybody can check that the one was made from the other."""

from __future__ import annotations

from console.report.blocks import Code, Facts, Paragraph, Section, Small
from console.report.model import Record
from console.report.times import Times


def section(record: Record, _: Times) -> Section:
    anchor = record.anchor
    rows = (
        ("This incident", f"events {anchor.first} to {anchor.last}"),
        (f"Hash of event {anchor.last}", Code(anchor.hash)),
        ("The whole journal", f"{anchor.events} events"),
        ("Hash of its last event", Code(anchor.head)),
    )
    words = (
        "Each event's hash (SHA-256) covers the one before it. journal verify checks the whole chain, journal export prints "
        "each event with its hash: where these are the same, the report was made from that journal."
    )
    return Section("record", "The record", (Facts(rows), Paragraph(Small(words))))
