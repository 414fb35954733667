"""What the five panels share: rows of lines, a cursor, scrolling, and repainting only the lines that differ.

Each panel is one widget that draws its own lines, so that a long list costs what is visible and the first paint costs little.
A subclass says what its rows are, in `rows`, and what its heading says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual

from console.ui.literal import fit, literal

if TYPE_CHECKING:
    from textual import events

    from console.engine.view import ViewState
    from console.ui.wording import Wording


_HIDDEN_WIDTH = 60  # of a panel that isn't shown: its rows are known all the same, so that its keys work


class Place(NamedTuple):
    """One of several things that share a line: where its name begins and ends, in characters. A blank is on either side."""

    id: str
    start: int
    end: int


class Row(NamedTuple):
    """One thing of a panel on one or more lines. `id` is empty when it can't be selected (a group's name).

    `places` is for a line that several things share: each can be selected, though none has a line of its own.
    """

    id: str
    lines: tuple[Content, ...]
    places: tuple[Place, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(place.id for place in self.places) or ((self.id,) if self.id else ())


class Heading(NamedTuple):
    """What a panel's border says beside its name, the same for a narrow tab, and a style: the colour of the worst news in it."""

    text: str = ""
    short: str = ""
    worst: str = ""


def press(action_id: str) -> Style:
    """A style that makes text a mouse target for an action on its row."""
    return Style.from_meta({"press": action_id})


class Panel(ScrollView, can_focus=True):
    PARTS: ClassVar[frozenset[str]] = frozenset()
    """The parts of the view state that it shows."""

    ALLOW_SELECT = False

    class Pressed(Message):
        """A row was asked to do something, by Enter or by the mouse."""

        def __init__(self, panel: Panel, action_id: str, row_id: str) -> None:
            super().__init__()
            self.panel = panel
            self.action_id = action_id
            self.row_id = row_id

    class Moved(Message):
        """The cursor is on another row."""

    def __init__(self, name: str, title: str, digit: str, wording: Wording, tab: str = "") -> None:
        super().__init__(id=name)
        self.title = title
        self.tab = tab or title
        self.digit = digit
        self.wording = wording
        self.selected = ""
        self.heading = Heading()
        self._rows: tuple[Row, ...] = ()
        self._lines: list[tuple[int, Content]] = []
        self._view: ViewState | None = None
        self._hints = Content("")
        self._entitle()

    # ------------------------------------------------------------ what a subclass says

    def rows(self, view: ViewState, width: int) -> Iterable[Row]:
        raise NotImplementedError

    def headline(self, view: ViewState) -> Heading:
        raise NotImplementedError

    def follow(self, old: ViewState, new: ViewState) -> str:
        """The row that must come into sight because of what changed; empty for none."""
        del old, new
        return ""

    # ------------------------------------------------------------ new view states

    def show(self, view: ViewState) -> None:
        old, self._view = self._view, view
        heading = self.headline(view)
        if heading != self.heading:
            self.heading = heading
            self._entitle()
        self.lay_out()
        if old is not None and (row_id := self.follow(old, view)):
            self._into_sight(row_id)

    def lay_out(self) -> None:
        """Makes the rows anew and repaints those lines that are not what they were."""
        width = self.scrollable_content_region.width or _HIDDEN_WIDTH
        if self._view is None:
            return
        self._rows = tuple(self.rows(self._view, max(width - 1, 20)))
        self._keep_a_selection()
        lines = [(index, line) for index, row in enumerate(self._rows) for line in row.lines]
        old, self._lines = self._lines, lines
        if len(old) != len(lines) or self.virtual_size.width != width:
            self.virtual_size = Size(width, len(lines))
            self.refresh()
            return
        for y, (before, after) in enumerate(zip(old, lines, strict=True)):
            if before[0] != after[0] or not before[1].is_same(after[1]):
                self.refresh_line(y)

    def hint(self, hints: Content) -> None:
        """What can be done with the selected row, in the lower border."""
        if not hints.is_same(self._hints):
            self._hints = hints
            self.border_subtitle = hints

    def _entitle(self) -> None:
        title = literal((f"{self.digit} ", "$dim"), (self.title, "bold"))
        if self.heading.text:
            title = literal(title, "  ", (self.heading.text, self.heading.worst or "$dim"))
        self.border_title = title

    # ------------------------------------------------------------ the cursor

    def select(self, row_id: str) -> None:
        if row_id and row_id != self.selected:
            self.selected = row_id
            self.refresh()
            self.post_message(self.Moved())
        self._into_sight(row_id)

    def move(self, by: int) -> None:
        ids = [row_id for row in self._rows for row_id in row.ids]
        if not ids:
            self.scroll_to(y=self.scroll_y + by, animate=False)
            return
        at = ids.index(self.selected) if self.selected in ids else 0
        self.select(ids[max(0, min(len(ids) - 1, at + by))])
        if at + by < 0:
            self.scroll_to(y=0, animate=False)

    def page(self, by: int) -> None:
        for _ in range(max(1, self.scrollable_content_region.height // 2)):
            self.move(by)

    def _press(self, action_id: str) -> None:
        self.post_message(self.Pressed(self, action_id, self.selected))

    def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self)
        line = at.y + self.scroll_offset.y if at is not None else -1
        if not 0 <= line < len(self._lines):
            return
        row_id = _under(self._rows[self._lines[line][0]], self._lines[line][1], at.x - 1) if at is not None else ""
        if not row_id:
            return
        self.select(row_id)
        if action_id := event.style.meta.get("press"):
            self._press(str(action_id))
        elif event.chain == 2:
            self._press("details")

    def _keep_a_selection(self) -> None:
        ids = [row_id for row in self._rows for row_id in row.ids]
        if self.selected not in ids:
            self.selected = ids[0] if ids else ""
            self.post_message(self.Moved())

    def _into_sight(self, row_id: str) -> None:
        ys = [y for y, (index, _) in enumerate(self._lines) if row_id in self._rows[index].ids]
        height = self.scrollable_content_region.height
        if not ys or not height:
            return
        top, bottom = ys[0], ys[-1]
        if bottom >= self.scroll_offset.y + height:
            self.scroll_to(y=min(top, bottom - height + 1), animate=False)
        if top < self.scroll_offset.y:
            self.scroll_to(y=0 if top <= 1 else top, animate=False)

    # ------------------------------------------------------------ painting

    def on_resize(self) -> None:
        self.lay_out()

    def on_focus(self) -> None:
        self.post_message(self.Moved())

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        base = self.visual_style
        at = y + self.scroll_offset.y
        if at >= len(self._lines):
            return Strip.blank(width, base.rich_style)
        index, line = self._lines[at]
        row = self._rows[index]
        chosen = self.selected in row.ids
        mark = (
            (self.wording.cursor, "bold $focus" if self.has_focus else "$dim")
            if chosen and line is row.lines[0]
            else " "
        )
        if chosen and row.places:
            line = self._marked(line, next(place for place in row.places if place.id == self.selected))
        content = fit(literal(mark, line), width)
        if chosen and self.has_focus and not row.places:
            content = content.stylize_before("on $selection")
        return Visual.to_strips(self, content, width, 1, base, apply_selection=False, pad=True)[0]

    def _marked(self, line: Content, place: Place) -> Content:
        """The selected one of those that share the line: in brackets, which need no colour."""
        name = literal("[", line[place.start : place.end], "]")
        if self.has_focus:
            name = name.stylize("bold on $selection")
        return literal(line[: place.start - 1], name, line[place.end + 1 :])


def _under(row: Row, line: Content, x: int) -> str:
    """The id of what is at a cell of a row's line; of a shared line the last that begins before it."""
    if not row.places:
        return row.id
    before = [place.id for place in row.places if line[: place.start - 1].cell_length <= x]
    return before[-1] if before else row.places[0].id
