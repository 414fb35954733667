"""What each action does: which question it asks, which command it then gives. One method an id of `actions.py`.

Called by the main screen (keys, mouse, NEXT) and by the palette. Modals are imported when they open: the first paint needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from console.ui.actions import PANELS, can_be_next
from console.ui.telling import Telling
from console.ui.watching import Watching
from console.ui.widgets.components import waits_for_person

if TYPE_CHECKING:
    from console.domain.events import Direction
    from console.engine.view import ComponentView, Preview, StepView

_WATCHING = "This console only watches; the commander's console acts."
_GO_TO = frozenset(PANELS)
_ONLY_LOOKS = _GO_TO | {
    "followups",
    "plot",
    "helped",
    "details",
    "steps",
    "dismiss",
    "theme",
    "help",
    "palette",
    "leave",
}


class Flows(Telling, Watching):
    def perform(self, action_id: str, target: str = "") -> None:
        """Does it, or says in the screen why not. `target` is the id of its object; empty for the selected one."""
        if action_id in _GO_TO:
            self._screen.go_to(action_id)
            return
        if action_id not in _ONLY_LOOKS:
            if self._bridge.view is None:
                self._say("The procedure is still being read.")
                return
            if self._view.incident.mode == "observe":
                self._say(_WATCHING)
                return
        act: Callable[[str], None] = getattr(self, action_id)
        act(target)

    # ------------------------------------------------------------ the incident

    def next(self, _: str) -> None:
        action_id, _colon, target = self._view.next_action.key.partition(":")
        if can_be_next(self._view.next_action.key):
            self.perform(action_id, target)
        else:
            self._say("What is next needs no key: the NEXT line says it.")

    def declare(self, _: str) -> None:
        from console.ui.screens.prompt import Question

        if self._view.incident.state == "open":
            self._say(f"The incident is declared already: {self._view.incident.id}.")
            return
        question = Question(
            "Declare the incident", "Why? One line, for the record and for those who are told.", "Declare"
        )
        self._ask(question, lambda console, why: console.declare(why), "Declared. The communication plan's clocks run.")

    def resolve(self, _: str) -> None:
        from console.ui.screens.prompt import Question

        if self._view.incident.state != "open":
            self._say("No incident is open, so there is nothing to resolve.")
            return
        question = Question("Resolve the incident", "A closing note; may be empty.", "Resolve", may_be_empty=True)
        self._ask(question, lambda console, note: console.resolve(note), "Resolved.")

    # ------------------------------------------------------------ components

    def roll_back(self, target: str) -> None:
        self._preview(self._component(target), "back")

    def roll_forward(self, target: str) -> None:
        self._preview(self._component(target), "forward")

    def go_on(self, target: str) -> None:
        half = next((c.id for c in self._view.components if c.state in ("stopped", "failed")), "")
        component = self._component(target)
        if not target and component and component.state not in ("stopped", "failed"):
            component = self._component(half) if half else None
        if component is None:
            self._say("No component is half done, so there is nothing to go on with.")
            return
        self._preview(component, component.direction)

    def steps(self, target: str) -> None:
        if component := self._component(target):
            self._screen.components.fold_or_unfold(component.id)

    def stop(self, target: str) -> None:
        running = [c for c in self._view.components if c.state == "running"]
        chosen = target or self._screen.components.selected
        component = next((c for c in running if c.id == chosen), running[0] if len(running) == 1 else None)
        if component is None:
            self._say("Select which component to stop." if running else "No component is running: nothing to stop.")
            return
        component_id = component.id
        again = component.stop_requested
        said = (
            "It no longer waits for the proof."
            if again
            else "It stops before the next step; the one under way is finished."
        )
        self._give(lambda console: console.stop(component_id), f"{component.title}: {said}")

    def recover(self, _: str) -> None:
        self._say("Reading the targets of what was left behind.")
        found = "Nothing was left behind."
        self._bridge.run(
            lambda console: console.recover(),
            lambda told: self._say("; ".join(told) or found),
            self._screen.message.report,
        )

    def settle(self, target: str) -> None:
        step = next(self._doubtful(target), None)
        if step is None:
            self._say("No step is in doubt: nothing to settle.")
            return
        from console.ui.screens.settle import SettleScreen

        def send(counts_as: str, note: str) -> None:
            as_done = counts_as == "done"
            self._send(
                screen,
                lambda console: console.settle(step.id, "done" if as_done else "not_done", note),
                f"{step.title} counts as {'done' if as_done else 'not done'}.",
            )

        screen = SettleScreen(step, send)
        self._open(screen)

    # ------------------------------------------------------------ checklist

    def sign(self, target: str) -> None:
        what, title = self._to_sign(target)
        if what is None:
            self._say(title)
            return
        from console.ui.screens.prompt import Question

        question = Question(f"Sign: {title}", "What did you see or do? Your name goes with it.", "Sign")
        self._ask(question, lambda console, note: console.sign(what, note), f"Signed: {title}.")

    def waive(self, target: str) -> None:
        if (check := self._selected(self._view.checks, "checklist", target)) is None:
            return
        from console.ui.screens.prompt import Question

        question = Question(f"Waive: {check.title}", "Why may this be let go? The reason stays in the record.", "Waive")
        self._ask(question, lambda console, why: console.waive(check.id, why), f"Waived: {check.title}.")

    def run_checks(self, _: str) -> None:
        self._say("Running the checks.")
        self._give(lambda console: console.run_checks(), "The checks have run.")

    def run_check(self, target: str) -> None:
        if check := self._selected(self._view.checks, "checklist", target):
            self._say(f"Running: {check.title}.")
            self._give(lambda console: console.run_checks([check.id]), f"Has run: {check.title}.")

    # ------------------------------------------------------------ the screen itself

    def details(self, target: str) -> None:
        panel = self._screen.active
        row = target or panel.selected
        if self._bridge.view is None or not row or panel.id == "timeline":
            return
        from console.ui.screens.detail import DetailScreen

        self._open(DetailScreen(panel.id or "", row, self._view, panel.wording))

    def dismiss(self, _: str) -> None:
        self._screen.message.clear()

    def theme(self, _: str) -> None:
        from console.domain.errors import Refused
        from console.ui.theming import after, load

        app = self._screen.app
        for name in after(app.theme):
            try:
                app.register_theme(load(name))
            except Refused as refused:
                self._say(str(refused))
                continue
            app.theme = name
            self._say(f"Theme: {name}")
            return

    def help(self, _: str) -> None:
        from console.ui.screens.help import HelpScreen

        self._open(HelpScreen(self._screen.keys, self._screen.triggers.wording))

    def palette(self, _: str) -> None:
        from textual.command import CommandPalette

        from console.ui.palette import Actions

        self._opening = self._screen.app.push_screen(CommandPalette(providers=[Actions], placeholder="What to do?"))

    def leave(self, _: str) -> None:
        view = self._bridge.view
        running = [c.title for c in view.components if c.state == "running"] if view else []
        if not running:
            self._screen.app.exit(0)
            return
        from console.ui.screens.leave import LeaveScreen

        if not isinstance(self._screen.app.screen, LeaveScreen):
            self._open(LeaveScreen(running))

    def components_by_title(self) -> list[tuple[str, str]]:
        """For the palette: id and title of what may be rolled back now."""
        view = self._bridge.view
        return [(c.id, c.title) for c in view.components if c.can_roll_back] if view else []

    # ------------------------------------------------------------ which one is meant

    def _component(self, target: str) -> ComponentView | None:
        return self._selected(self._view.components, "components", target)

    def _doubtful(self, target: str) -> Iterator[StepView]:
        """Steps in doubt: the named one, else those of the selected component, else any."""
        chosen = self._screen.components.selected
        for component in sorted(self._view.components, key=lambda c: c.id != chosen):
            for step in component.steps:
                if step.state in ("unknown", "diverged") and target in ("", step.id):
                    yield step

    def _to_sign(self, target: str) -> tuple[str | None, str]:
        """The id and title of what a signature is for; without an id the title says why there is nothing."""
        view = self._view
        steps = [(c, s) for c in view.components for s in c.steps if s.by_person]
        waiting = [s for c, s in steps if waits_for_person(s, c)]
        if named := next((s for _, s in steps if s.id == target), None):
            return named.id, named.title
        if not target and self._screen.active.id == "components" and waiting:
            return waiting[0].id, waiting[0].title
        check = self._selected(view.checks, "checklist", target)
        if check is None:
            return None, "There is nothing to sign."
        if not check.by_person:
            run = self._screen.keys.of("run_check")
            return None, f"{check.title} is proven by running it ({run}), not by a signature."
        return check.id, check.title

    def _preview(self, component: ComponentView | None, direction: Direction) -> None:
        if component is None:
            return
        from console.ui.screens.preview import PreviewScreen

        component_id, verb = component.id, "Roll back" if direction == "back" else "Roll forward"

        def send(preview: Preview, typed: str) -> None:
            self._send(
                screen,
                lambda console: console.confirm(preview, typed),
                f"Confirmed. {component.title} is under way.",
                of=component,
            )

        screen = PreviewScreen(
            component,
            verb,
            self._view.incident,
            self._screen.components.wording,
            lambda came, failed: self._bridge.run(
                lambda console: console.preview(component_id, direction), came, failed
            ),
            send,
        )
        self._open(screen)
