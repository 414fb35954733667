"""Did it help? One page after a rollback: every trigger before and now, how long the soak lasts, and what may be done next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from console.ui.actions import Keys, can_be_next
from console.ui.literal import fit, hung, literal
from console.ui.screens.modal import Modal
from console.ui.widgets.components import because
from console.ui.widgets.soak import before_after, soak_time
from console.ui.wording import Wording, limit

if TYPE_CHECKING:
    from console.engine.view import NextAction, SoakView, ViewState

_LIMIT = 16


class HelpedScreen(Modal):
    FIRST = ".frame"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,q", "close", show=False)]

    def __init__(self, view: ViewState, keys: Keys, wording: Wording, lead_to: Callable[[str, str], None]) -> None:
        """`lead_to` carries an action out on the main screen: it is called once the page has closed."""
        super().__init__()
        self._view = view
        self._keys = keys
        self._wording = wording
        self._lead_to = lead_to
        self._shown = Content("")

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="frame wide") as frame:
            frame.border_title = literal(("Did it help?", "bold"))
            frame.border_subtitle = literal(("Esc closes", "$dim"))
            yield Static(Content(""), markup=False, id="story")

    def on_mount(self) -> None:
        super().on_mount()
        self.show(self._view)

    def on_resize(self) -> None:
        self.call_after_refresh(self.show, self._view)

    def show(self, view: ViewState) -> None:
        self._view = view
        width = self.query_one(".frame").scrollable_content_region.width or 76
        told = Content("\n").join(list(self._lines(view, width - 1)))
        if not told.is_same(self._shown):
            self._shown = told
            self.query_one("#story", Static).update(told)

    def on_key(self, event: events.Key) -> None:
        """The keys that the page names do here what they do on the main screen."""
        if event.key in self._keys.all_of("helped"):
            event.stop()
            self.dismiss()
            return
        for action_id, target in self._leads():
            if event.key in self._keys.all_of(action_id):
                event.stop()
                self.dismiss()
                self.call_after_refresh(self._lead_to, action_id, target)
                return

    # ------------------------------------------------------------ what it says

    def _lines(self, view: ViewState, width: int) -> Iterator[Content]:
        soak = view.soak
        if soak is None:
            yield literal("What was rolled back has been rolled forward again, or the incident has ended.")
            return
        yield literal((soak.title, "bold"), "  rolled back   ", soak_time(soak, self._wording))
        yield Content("")
        yield from self._rows(soak, view, width)
        yield Content("")
        yield from hung(Content(""), literal((soak.helped, "bold")), width)
        yield Content("")
        yield from self._ways(view, width)

    def _rows(self, soak: SoakView, view: ViewState, width: int) -> Iterator[Content]:
        """What fires or fired comes first: the others are here to show that nothing broke."""
        limits = {t.id: limit(t.threshold, "", t.above) for t in view.triggers}
        loud = {"firing": 0, "pending": 1}
        for row in sorted(soak.triggers, key=lambda r: min(loud.get(r.verdict_now, 3), loud.get(r.verdict_before, 3))):
            told = before_after(row, view.triggers, width - _LIMIT, self._wording)
            yield literal(fit(told, width - _LIMIT), (limits.get(row.id, ""), "$dim"))

    def _ways(self, view: ViewState, width: int) -> Iterator[Content]:
        """What may be done now, the advised way first."""
        advice = view.next_action
        key = self._keys.of("next") if _leads_on(advice) else ""
        yield from self._way(self._wording.cursor, literal((advice.text, "bold")), key, width)
        components = {c.id: c for c in view.components}
        for place, component_id in enumerate(view.advised, 1):
            if component := components.get(component_id):
                told = literal(f"{component.title}, ", (because(component), "$dim"))
                yield from self._way(str(place), told, self._keys.of("roll_back") if place == 1 else "", width)
        another = literal(("Something else is wrong: attest or count it among the triggers.", "$dim"))
        yield from self._way(" ", another, self._keys.of("triggers"), width)

    def _way(self, mark: str, told: Content, key: str, width: int) -> Iterator[Content]:
        if key:
            told = literal(told, "  ", (f"press {key}", "$note"))
        yield from hung(fit(literal((mark, "bold $focus")), 2), told, width)

    def _leads(self) -> Iterator[tuple[str, str]]:
        yield "triggers", ""
        if _leads_on(self._view.next_action):
            yield "next", ""
        if self._view.advised:
            yield "roll_back", self._view.advised[0]


def _leads_on(advice: NextAction) -> bool:
    """Whether one key does it, and it is not this page that it leads to."""
    return advice.key != "helped" and can_be_next(advice.key)
