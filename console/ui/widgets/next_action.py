"""The bottom line: what to do next, in words, with its key. It is on every screen size, never cut short."""

from __future__ import annotations

from textual.content import Content

from console.ui.actions import BY_ID, Keys, can_be_next
from console.ui.literal import literal, wrapped
from console.ui.widgets.line import Line
from console.ui.wording import Wording


class NextAction(Line):
    def __init__(self, keys: Keys, wording: Wording) -> None:
        super().__init__("next", wording)
        self._keys = keys

    def words(self, width: int) -> Content:
        hints = self._hints()
        label = literal((" NEXT ", "bold $next-text on $next-background"), " ")
        room = width - label.cell_length - hints.cell_length - 2
        text, key = self._next()
        if len(text) + len(key) <= room:
            body = literal((text, "bold"), (key, "$note"))
            gap = width - label.cell_length - body.cell_length - hints.cell_length
            return literal(label, body, " " * gap, hints)
        said = wrapped(text + key, width - label.cell_length - 1, 3)
        rows = [literal(label if n == 0 else " " * label.cell_length, (line, "bold")) for n, line in enumerate(said)]
        last = rows[-1]
        if last.cell_length + hints.cell_length + 2 <= width:
            rows[-1] = literal(last, " " * (width - last.cell_length - hints.cell_length), hints)
        else:
            rows.append(literal(" " * (width - hints.cell_length), hints))
        return Content("\n").join(rows)

    def _next(self) -> tuple[str, str]:
        if self.view is None:
            return f"Reading the procedure{self.wording.ellipsis}", ""
        advice = self.view.next_action
        text = self.view.busy or advice.text or "Nothing to do."
        if self.view.busy:
            return text, ""
        if advice.key.startswith("stop:"):
            return text, f"   {self._keys.of('stop')} stops it"
        return text, f"   press {self._keys.of('next')}" if can_be_next(advice.key) else ""

    def _hints(self) -> Content:
        parts: list[tuple[str, str]] = []
        for action_id in ("help", "palette", "leave"):
            parts += [(self._keys.of(action_id), "bold $note"), (f" {BY_ID[action_id].label}  ", "$dim")]
        return literal(*parts)
