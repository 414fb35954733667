"""Every event of the incident, in the reader's own time zone and in UTC."""

from __future__ import annotations

from console.report.blocks import Line, Section, Table, Word
from console.report.model import Record
from console.report.moments import Moment
from console.report.times import Times


def section(record: Record, times: Times) -> Section:
    rows = tuple(_row(m, times) for m in record.moments)
    zone = f"Time ({times.name})" if times.name != "UTC" else "Time"
    return Section("timeline", "Timeline", (Table(("#", zone, "UTC", "Who", "What"), rows, narrow=(0, 1, 2)),))


def _row(moment: Moment, times: Times) -> tuple[Line, ...]:
    text, level = moment.told
    told: Line = text if level in ("plain", "good") else Word(text, level)
    return (str(moment.recorded.seq), times.zoned(moment.at), times.utc(moment.at), moment.by, told)
