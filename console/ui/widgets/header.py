"""The top line: which incident, on which cluster, LIVE or DRILL, who commands, for how long."""

from __future__ import annotations

from textual.content import Content

from console.ui.literal import fit, fit_text, literal, spread
from console.ui.widgets.line import Line
from console.ui.wording import Wording, elapsed


def badge(mode: str, contexts: tuple[str, ...], wording: Wording) -> Content:
    """Where it acts. LIVE is a solid block, DRILL is hatched, watching is plain: they differ without any colour."""
    where = fit_text(" + ".join(contexts) or "no cluster", 40)
    if mode == "live":
        return literal((f" {wording.context} {where}  LIVE ", "bold $live-text on $live-background"))
    if mode == "drill":
        hatch = "//" if wording.ascii_only else "╱╱"
        return literal((f"{hatch} {wording.context} {where}  DRILL {hatch}", "bold $drill-text on $drill-background"))
    return literal((f"{wording.context} {where}  ", "bold"), ("(watching only)", "bold $note"))


class Header(Line):
    def __init__(self, title: str, wording: Wording) -> None:
        super().__init__("header", wording)
        self._title = title
        self.stale = ""

    def words(self, width: int) -> Content:
        if self.stale:
            return fit(literal((f" OLD PICTURE: {self.stale}", "bold $alarm")), width)
        if self.view is None:
            return literal(" ", (self._title, "bold"))
        incident = self.view.incident
        where = badge(incident.mode, incident.contexts, self.wording)
        right = literal((self._phase(), "bold"), " ")
        commander = f"commander: {fit_text(incident.commander, 24)}" if incident.commander and width >= 100 else ""
        if commander:
            right = literal((commander, "$dim"), "   ", right)
        title = literal(" ", (incident.title or self._title, "bold"))
        if incident.id:
            title = literal(title, (f" {self.wording.dot} {incident.id}", "$dim"))
        room = width - where.cell_length - right.cell_length - 4
        return literal(spread(literal(fit(title, min(title.cell_length, max(room, 8))), "  ", where), right, width))

    def _phase(self) -> str:
        incident = self.view.incident if self.view else None
        if incident is None or incident.state == "none":
            return "no incident"
        if incident.state == "resolved":
            return "RESOLVED"
        return elapsed(incident.elapsed_seconds)
