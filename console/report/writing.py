"""A report in the format that is asked for, as one text. The command `report` and the drill call it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, Literal, get_args

from console.report.contents import hand_over, whole
from console.report.document import to_brief_document, to_document
from console.report.html import to_html
from console.report.markdown import to_markdown
from console.report.model import Record
from console.report.times import Times

Format = Literal["md", "html", "json"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)


def written(record: Record, format_: Format, times: Times, *, brief: bool = False, debrief: Sequence[str] = ()) -> str:
    """`brief`: the hand-over alone. `debrief`: how the drill went that the record is of."""
    if format_ == "json":
        document = to_brief_document(record) if brief else to_document(record, debrief)
        return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    report = hand_over(record, times) if brief else whole(record, times, debrief)
    return to_html(report, times) if format_ == "html" else to_markdown(report)
