"""The main screen: five panels, the header, the message and the NEXT line. It lays out and repaints; `flows.py` acts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import DescendantFocus
from textual.screen import Screen

from console.ui.actions import ACTIONS, BY_ID, PANELS, Keys, PanelName
from console.ui.flows import Flows
from console.ui.literal import literal
from console.ui.usable import usable
from console.ui.widgets.checklist import Checklist
from console.ui.widgets.communication import Communication
from console.ui.widgets.components import Components
from console.ui.widgets.header import Header
from console.ui.widgets.message import MessageLine
from console.ui.widgets.next_action import NextAction
from console.ui.widgets.panel import Panel
from console.ui.widgets.tabs import Tabs
from console.ui.widgets.timeline import Timeline
from console.ui.widgets.triggers import Triggers

if TYPE_CHECKING:
    from console.engine.view import ViewState
    from console.ui.bridge import Bridge, Problem
    from console.ui.wording import Wording

_HINT_EDGES = 6  # of the border around the hints


class MainScreen(Screen[None]):
    # Every key has priority, so that keys are dealt with strictly in the order in which they come, however fast: the app
    # deals with those itself, while others wait in the queue of the widget with the focus. Nobody types text here.
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(a.key, f"perform('{a.id}')", a.label, id=a.id, show=False, priority=True) for a in ACTIONS),
        Binding("up,k", "move(-1)", "up", show=False, priority=True),
        Binding("down,j", "move(1)", "down", show=False, priority=True),
        Binding("pageup,ctrl+b", "page(-1)", "page up", show=False, priority=True),
        Binding("pagedown,ctrl+f,space", "page(1)", "page down", show=False, priority=True),
        Binding("tab", "turn(1)", "next panel", show=False, priority=True),
        Binding("shift+tab", "turn(-1)", "panel before", show=False, priority=True),
    ]
    AUTO_FOCUS = "#triggers"

    def __init__(self, title: str, wording: Wording, keys: Keys, bridge: Bridge) -> None:
        super().__init__(classes="-ascii" if wording.ascii_only else "")
        self.keys = keys
        self._view: ViewState | None = None
        self.header = Header(title, wording)
        self.message = MessageLine(wording)
        self.next_action = NextAction(keys, wording)
        self.triggers = Triggers(wording)
        self.components = Components(wording)
        self.checklist = Checklist(wording)
        self.communication = Communication(wording)
        self.timeline = Timeline(wording)
        self.panels: Mapping[str, Panel] = dict(
            zip(
                PANELS, (self.triggers, self.components, self.checklist, self.communication, self.timeline), strict=True
            )
        )
        self.tabs = Tabs(tuple(self.panels.values()), wording)
        self.flows = Flows(self, bridge)

    def compose(self) -> ComposeResult:
        yield self.header
        yield self.tabs
        with Container(id="panels"):
            yield from self.panels.values()
        yield self.message
        yield self.next_action

    # ------------------------------------------------------------ new view states, from the app

    def show(self, view: ViewState, changed: frozenset[str], stale: Problem | None) -> None:
        self._view = view
        if changed & {"incident", "clock", "stale"}:
            self.header.stale = f"{stale.message}; {stale.hint}" if stale else ""
            self.header.show(view)
        headings = [panel.heading for panel in self.panels.values()]
        for panel in self.panels.values():
            if changed & panel.PARTS:
                panel.show(view)
        if headings != [panel.heading for panel in self.panels.values()]:
            self.tabs.redraw()
        self.message.show(view)
        if changed & {"next_action", "busy"}:
            self.next_action.show(view)
        if changed & {"triggers", "components", "checks", "notices", "incident"}:
            self._hint()

    # ------------------------------------------------------------ panels

    @property
    def active(self) -> Panel:
        """The panel that has the focus, or had it last."""
        return next((panel for panel in self.panels.values() if panel.has_class("active")), self.triggers)

    @property
    def active_name(self) -> PanelName:
        return next(name for name in PANELS if self.panels[name] is self.active)

    def go_to(self, name: str) -> Panel:
        panel = self.panels[name]
        self._activate(panel)
        self.set_focus(panel)  # now; `panel.focus()` would do it a moment later
        return panel

    def on_mount(self) -> None:
        self._activate(self.triggers)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        if isinstance(event.widget, Panel):
            self._activate(event.widget)

    def _activate(self, active: Panel) -> None:
        for panel in self.panels.values():
            panel.set_class(panel is active, "active")
        self.tabs.activate(active.id or "")
        self._hint()

    def _hint(self) -> None:
        """In the active panel's lower border: the keys that do something with the selected row at this moment."""
        for panel in self.panels.values():
            names = usable(self._view, panel.id or "", panel.selected) if panel.has_class("active") else ()
            words = [literal((self.keys.of(name), "bold $note"), (f" {BY_ID[name].label}  ", "$dim")) for name in names]
            while len(words) > 1 and sum(word.cell_length for word in words) > panel.outer_size.width - _HINT_EDGES > 0:
                words.pop()  # the likeliest come first; the help has them all
            panel.hint(literal(*words))

    # ------------------------------------------------------------ actions

    async def action_perform(self, action_id: str) -> None:
        self.flows.perform(action_id)
        await self.flows.opened()  # so that the key behind goes to what has opened

    def action_move(self, by: int) -> None:
        self.active.move(by)

    def action_page(self, by: int) -> None:
        self.active.page(by)

    def action_turn(self, by: int) -> None:
        self.go_to(PANELS[(PANELS.index(self.active_name) + by) % len(PANELS)])

    @on(Panel.Moved)
    def _on_moved(self) -> None:
        self._hint()

    @on(Panel.Pressed)
    def _on_pressed(self, event: Panel.Pressed) -> None:
        self._activate(event.panel)
        self.flows.perform(event.action_id, event.row_id)
