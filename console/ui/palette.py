"""The command palette's provider: the actions of the registry by name, and each component's rollback by its title."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from console.ui.actions import ACTIONS
from console.ui.literal import clean, literal
from console.ui.screens.main import MainScreen


class Actions(Provider):
    """Names are shown as literal content: the palette would read markup in a plain string."""

    async def discover(self) -> Hits:
        for name, help_line, act in self._entries():
            yield DiscoveryHit(literal((name, "bold")), act, text=name, help=help_line)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, help_line, act in self._entries():
            if (score := matcher.match(name)) > 0:
                yield Hit(score, literal((name, "bold")), act, text=name, help=help_line)

    def _entries(self) -> Iterator[tuple[str, str, Callable[[], None]]]:
        main = self.screen
        if not isinstance(main, MainScreen):
            return
        for action in ACTIONS:
            if action.id != "palette":
                name = f"{action.label.capitalize()}  ({main.keys.of(action.id)})"
                yield name, action.help, partial(main.flows.perform, action.id)
        for component_id, title in main.flows.components_by_title():
            yield (
                f"Roll back: {clean(title)}",
                "Shows what would change, then asks for the name",
                partial(main.flows.perform, "roll_back", component_id),
            )
