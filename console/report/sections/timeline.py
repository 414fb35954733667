"""Every event of the incident, in the reader's own time zone and in UTC."""

from __future__ import annotations

from datetime import datetime

from console.report.blocks import Line, Section, Word
from console.report.model import Record
from console.report.moments import Moment
from console.report.sections.wording import timed
from console.report.times import Times


def section(record: Record, times: Times) -> Section:
    rows = (_row(m) for m in record.moments)
    return Section("timeline", "Timeline", (timed(times, ("Event", "Who", "What"), rows, narrow=("Event",)),))


def _row(moment: Moment) -> tuple[datetime, str, str, Line]:
    text, level = moment.told
    told: Line = text if level in ("plain", "good") else Word(text, level)
    return (moment.at, str(moment.recorded.seq), moment.by, told)
