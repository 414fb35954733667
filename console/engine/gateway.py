"""The one way to any effect. Nothing in the product can change a target without a `Permit`, and only the gateway makes one.

It makes one when all of this holds: the mode allows effects, the step's intent is on disk, the change is the one that was
confirmed, and the command's epoch is the journal's. Targets ask for the permit in each call that changes something.
"""

from __future__ import annotations

from console.domain.errors import Refused
from console.domain.events import Mode
from console.domain.incident import Incident, Operation

_SEAL = object()


class Permit:
    """Proof that the gateway allowed one operation. A target's calls that change something can't be made without one."""

    __slots__ = ("change", "op", "step")

    def __init__(self, *, step: str, op: str, change: str, seal: object) -> None:
        if seal is not _SEAL:
            raise Refused("a permit is made by the gateway alone")
        self.step = step
        self.op = op
        self.change = change

    def __repr__(self) -> str:
        return f"<permit for {self.step}, operation {self.op}>"


class Gateway:
    def __init__(self, mode: Mode) -> None:
        self._mode: Mode = mode

    @property
    def mode(self) -> Mode:
        return self._mode

    def refuse_unless_effects_allowed(self) -> None:
        if self._mode == "observe":
            raise Refused("this console observes: it changes nothing", "open it as the commander to act")

    def permit(self, incident: Incident, component_id: str, step_id: str, operation: Operation, epoch: int) -> Permit:
        """The permit for an operation whose intent and sending are on disk."""
        self.refuse_unless_effects_allowed()
        step = incident.components[component_id].steps[step_id]
        if step.state != "sent" or step.operation != operation:
            raise Refused(f"step {step_id} has no intent on disk for operation {operation.op}")
        if incident.epoch != epoch:
            raise Refused("somebody else has taken command of this incident", "this console may no longer act")
        return Permit(step=step_id, op=operation.op, change=operation.change, seal=_SEAL)

    def permit_notice(self, incident: Incident, notice_id: str, op: str, epoch: int) -> Permit:
        """The permit for a message whose sending is on disk."""
        self.refuse_unless_effects_allowed()
        progress = incident.notices.get(notice_id)
        if progress is None or progress.state != "sending" or progress.op != op:
            raise Refused(f"notice {notice_id} has no message {op} on disk")
        if incident.epoch != epoch:
            raise Refused("somebody else has taken command of this incident", "this console may no longer act")
        return Permit(step=notice_id, op=op, change="", seal=_SEAL)

    def permit_trial(self, incident: Incident, notice_id: str, op: str) -> Permit:
        """The permit for a message that only tries a channel. Never during an incident, which keeps everything on record."""
        self.refuse_unless_effects_allowed()
        if incident.phase == "open":
            raise Refused(f"{incident.id} is open: a test message is not kept in its record", "send the notice itself")
        return Permit(step=notice_id, op=op, change="", seal=_SEAL)
