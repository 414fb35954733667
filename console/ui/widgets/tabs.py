"""The line of panel names for small terminals, where one panel is shown at a time: each with its count and worst news."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content

from console.ui.literal import literal
from console.ui.widgets.line import Line
from console.ui.widgets.panel import Panel, press
from console.ui.wording import Wording


class Tabs(Line):
    def __init__(self, panels: Sequence[Panel], wording: Wording) -> None:
        super().__init__("tabs", wording)
        self._panels = panels
        self._active = ""

    def activate(self, panel_id: str) -> None:
        self._active = panel_id
        self.redraw()

    def words(self, width: int) -> Content:
        for names in (
            [(p.title, p.heading.text) for p in self._panels],
            [(p.tab, p.heading.short) for p in self._panels],
            [(p.tab[:5], p.heading.short) for p in self._panels],
        ):
            joined = self._joined(names)
            if joined.cell_length <= width:
                return joined
        return self._joined([("", p.heading.short) for p in self._panels])

    def _joined(self, names: Sequence[tuple[str, str]]) -> Content:
        parts: list[Content] = []
        for panel, (title, count) in zip(self._panels, names, strict=True):
            active = panel.id == self._active
            left, right = ("[", "]") if active else (" ", " ")
            name = literal(left, (f"{panel.digit} ", "$dim"), (title, "bold underline" if active else ""))
            if count:
                name = literal(name, " ", (count, panel.heading.worst or "$dim"))
            parts.append(literal(name, right).stylize(press(panel.id or "")))
        return literal(*parts)

    async def on_click(self, event: events.Click) -> None:
        if panel_id := event.style.meta.get("press"):
            await self.screen.run_action(f"perform('{panel_id}')")
