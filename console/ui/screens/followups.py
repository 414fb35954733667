"""What has to be done after the rollback: open items first, by section, then what is done. There after the incident as well."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar, get_args

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content

from console.domain.outline import Section
from console.ui.literal import literal, spread, wrapped
from console.ui.screens.modal import Modal
from console.ui.widgets.panel import Heading, Panel, Row
from console.ui.wording import Wording

if TYPE_CHECKING:
    from console.engine.view import FollowUpView, ViewState

SECTIONS: tuple[Section, ...] = get_args(Section)


class FollowUpList(Panel):
    def __init__(self, wording: Wording) -> None:
        super().__init__("followups", "Follow-ups", "", wording)

    def rows(self, view: ViewState, width: int) -> Iterable[Row]:
        for section in SECTIONS:
            items = [item for item in view.followups if item.section == section]
            if items:
                yield Row("", (literal((self.wording.section(section), "$dim underline")),))
            for item in sorted(items, key=lambda i: i.done_at is not None):
                yield Row(item.id, tuple(self._item(item, view, width)))
        if not view.followups:
            yield Row("", (literal(("nothing to follow up yet", "$dim")),))

    def headline(self, view: ViewState) -> Heading:
        left = sum(item.done_at is None for item in view.followups)
        return Heading(f"{left} open, {len(view.followups) - left} done") if view.followups else Heading()

    def _item(self, item: FollowUpView, view: ViewState, width: int) -> Iterator[Content]:
        sign = self.wording.followup(item, view.at)
        if item.done_at is not None:
            tail = literal((f"{item.done_by} {item.done_at:%Y-%m-%d}", "$dim"))
        else:
            who = (item.assignee, "bold") if item.assignee else ("nobody yet", "$attention")
            tail = literal(who, (f"  due {item.due_at:%a %Y-%m-%d}" if item.due_at else "", sign.style))
        lead = literal((f"{sign.icon} {sign.word}  ", sign.style))
        room = width - lead.cell_length
        look = "$dim" if item.done_at else ""
        if literal(item.text).cell_length + tail.cell_length + 2 <= room:
            yield spread(literal(lead, (item.text, look)), tail, width)
        else:
            for place, line in enumerate(wrapped(item.text, room, 3)):
                yield literal(lead if place == 0 else " " * lead.cell_length, (line, look))
            yield literal(" " * lead.cell_length, tail)
        for line in wrapped(item.note, room, 2):
            yield literal(" " * lead.cell_length, (line, "$dim"))


class FollowUpsScreen(Modal):
    FIRST = "#followups"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False, priority=True),
        Binding("down,j", "move(1)", show=False, priority=True),
        Binding("pageup,ctrl+b", "page(-1)", show=False, priority=True),
        Binding("pagedown,ctrl+f,space", "page(1)", show=False, priority=True),
        Binding("a", "add", show=False, priority=True),
        Binding("enter,d", "finish", show=False, priority=True),
        Binding("q,F", "close", show=False, priority=True),
    ]

    def __init__(
        self, view: ViewState, wording: Wording, add: Callable[[], None] | None, finish: Callable[[FollowUpView], None]
    ) -> None:
        """`add` is None where this console only watches."""
        super().__init__()
        self._view = view
        self._list = FollowUpList(wording)
        self._add = add
        self._finish = finish

    def compose(self) -> ComposeResult:
        keys = "a add   d done   " if self._add else ""
        with Vertical(classes="frame wide page") as frame:
            frame.border_subtitle = literal((f"{keys}Esc closes", "$dim"))
            yield self._list

    def on_mount(self) -> None:
        super().on_mount()
        self.show(self._view)

    def show(self, view: ViewState) -> None:
        self._view = view
        self._list.show(view)
        title = literal(("After the rollback  ", "bold"), (self._list.heading.text, "$dim"))
        self.query_one(".frame", Vertical).border_title = title
        self.call_after_refresh(self._make_room)

    def on_resize(self) -> None:
        self.call_after_refresh(self._make_room)

    def _make_room(self) -> None:
        """As tall as the list, up to what the terminal has."""
        self._list.styles.height = max(min(self._list.virtual_size.height, self.size.height - 4), 3)

    def _to_begin(self) -> None:
        return None

    def action_move(self, by: int) -> None:
        self._list.move(by)

    def action_page(self, by: int) -> None:
        self._list.page(by)

    def action_add(self) -> None:
        if self._add is not None:
            self._add()

    def action_finish(self) -> None:
        item = next((i for i in self._view.followups if i.id == self._list.selected), None)
        if item is not None and self._add is not None and item.done_at is None:
            self._finish(item)

    @on(Panel.Pressed)
    def _on_pressed(self) -> None:
        self.action_finish()
