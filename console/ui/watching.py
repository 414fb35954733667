"""What the actions on triggers do: count, attest, look at the curve, see whether a rollback helped. `flows.py` inherits it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.ui.acting import Acting

if TYPE_CHECKING:
    from console.engine.view import TriggerView


class Watching(Acting):
    def count(self, target: str) -> None:
        if counter := self._counter(target):
            self._give(lambda console: console.count(counter.id, 1), f"{counter.title}: one more is counted.")

    def take_back(self, target: str) -> None:
        counter = self._counter(target)
        if counter is None:
            return
        if not counter.value:
            self._say(f"{counter.title}: nothing is counted, so there is nothing to take back.")
            return
        self._give(lambda console: console.count(counter.id, -1), f"{counter.title}: one is taken back.")

    def attest(self, target: str) -> None:
        """A person's word that a manual trigger holds; where it holds already, that it doesn't any more."""
        trigger = self._selected(self._view.triggers, "triggers", target)
        if trigger is None:
            return
        if trigger.judged != "attestation":
            named = ", ".join(t.title for t in self._view.triggers if t.judged == "attestation")
            hint = (
                f" Select one of these first: {named}." if named else " The procedure has none that a person attests."
            )
            self._say(f"{trigger.title} is measured or counted, not attested.{hint}")
            return
        from console.ui.screens.prompt import Question

        holds = trigger.verdict != "firing"
        if holds:
            touched = self._screen.triggers.wording.touched(trigger.impact) if trigger.impact else ""
            brings = f"It also says: {touched}." if touched else "Your name goes with it."
            question = Question(f"It is so: {trigger.title}", f"What was seen, and by whom? {brings}", "Attest")
            said = f"Attested: {trigger.title}. It fires."
        else:
            question = Question(
                f"No longer so: {trigger.title}", "How is that known? Your name goes with it.", "Withdraw"
            )
            said = f"Withdrawn: {trigger.title}."
        self._ask(question, lambda console, reason: console.attest(trigger.id, holds, reason), said)

    def plot(self, target: str) -> None:
        if self._bridge.view is None:
            return
        trigger = self._selected(self._view.triggers, "triggers", target)
        if trigger is None:
            return
        if trigger.judged == "attestation":
            self._say(f"{trigger.title} is a person's word: it has no curve.")
            return
        from console.ui.screens.plot import PlotScreen

        self._open(PlotScreen(trigger.id, self._view, self._screen.triggers.wording))

    def helped(self, _: str) -> None:
        if self._bridge.view is None:
            return
        if self._view.soak is None:
            self._say("No component was rolled back yet, so there is no before and after.")
            return
        from console.ui.screens.helped import HelpedScreen

        wording, lead_to = self._screen.triggers.wording, self._screen.flows.perform
        self._open(HelpedScreen(self._view, self._screen.keys, wording, lead_to))

    def _counter(self, target: str) -> TriggerView | None:
        """The named or the selected counter; the only one where another line is selected."""
        counters = [t for t in self._view.triggers if t.judged == "counter"]
        chosen = target or self._screen.triggers.selected
        found = next((t for t in counters if t.id == chosen), counters[0] if len(counters) == 1 else None)
        if found is not None:
            self._screen.go_to("triggers").select(found.id)
        elif counters:
            self._screen.go_to("triggers")
            self._say(f"Select which one to count first: {', '.join(t.title for t in counters)}.")
        else:
            self._say("The procedure has nothing that people count.")
        return found
