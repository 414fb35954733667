"""What every rule asks first: whether an incident is open, whether a component is known, whether somebody gave their words."""

from __future__ import annotations

from console.domain.errors import Refused
from console.domain.incident import ComponentProgress, Incident


def is_open(incident: Incident) -> None:
    if incident.phase == "none":
        raise Refused("no incident is declared", 'declare one first: declare --reason "…"')
    if incident.phase == "resolved":
        raise Refused(f"incident {incident.id} is resolved", "declare a new one to act again")


def component_of(incident: Incident, component_id: str) -> ComponentProgress:
    is_open(incident)
    if component_id not in incident.components:
        known = ", ".join(incident.components) or "none"
        raise Refused(f'there is no component "{component_id}"', f"components: {known}")
    return incident.components[component_id]


def words_of(text: str, missing: str, option: str = "--note") -> str:
    if not text.strip():
        raise Refused(missing, f"say it with {option}")
    return text.strip()
