"""`opa.decision`: a known input gives the expected decision on every replica of an OPA.

OPA's own `/health` is 200 without a single policy, and a Service in front of several replicas answers for one of them at a
time: here each one is asked, and the evidence names what each one said.
"""

from __future__ import annotations

from typing import Any, Final

from console.domain.errors import ConsoleError, Failed
from console.domain.events import CheckOutcome
from console.engine.ports import Check, Evidence
from console.targets.opa.client import OpaTarget
from console.targets.opa.paths import equal, spelled
from console.targets.opa.proof import asked_everywhere, shown
from console.targets.opa.questions import DecisionProbe

KIND: Final = "opa.decision"
TARGET_KINDS: Final[tuple[str, ...]] = ("opa",)

LIMIT_SECONDS: Final = 5.0
"""For each replica; less than a check may take by default, so that the one that is silent is named."""
_SHOWN: Final = 3


class Options(DecisionProbe):
    """A decision, an input, and the answer that every replica must give."""


class OpaDecision:
    """Passes when every replica decides as expected; unknown when the only trouble is that one does not let us ask."""

    def __init__(self, options: Options, target: OpaTarget) -> None:
        self._target = target
        self._decision = options.decision()

    async def run(self) -> Evidence:
        expected = self._decision.expected
        answers = await asked_everywhere(self._target, self._decision, LIMIT_SECONDS)
        said = {replica.label: _said(answer) for replica, answer in answers}
        wrong = {r.label: answer for r, answer in answers if not _as_expected(answer, expected)}
        detail = (f"expected: {shown(expected)}", *(f"{label}: {words}" for label, words in said.items()))
        name = spelled(self._decision.path)
        if not wrong:
            return Evidence("pass", f"{name} is {shown(expected)} on {_replicas(len(answers))}", detail)
        told = "; ".join(f"{label} {said[label]}" for label in list(wrong)[:_SHOWN])
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        count = f"{len(answers) - len(wrong)} of {_replicas(len(answers))} as expected"
        text = f"{name}, expected {shown(expected)}: {told}{more}; {count}"
        return Evidence(_outcome(list(wrong.values())), text, detail)


def _as_expected(answer: Any, expected: Any) -> bool:
    return not isinstance(answer, ConsoleError) and equal(answer, expected)


def _said(answer: Any) -> str:
    return f"can't be asked ({answer.message})" if isinstance(answer, ConsoleError) else f"says {shown(answer)}"


def _outcome(wrong: list[Any]) -> CheckOutcome:
    """A replica that is away, or answers otherwise, has not passed; one that refuses the question tells nothing."""
    refused = [isinstance(answer, ConsoleError) and not isinstance(answer, Failed) for answer in wrong]
    return "unknown" if all(refused) else "fail"


def _replicas(count: int) -> str:
    return f"{count} replica{'' if count == 1 else 's'}"


def build(options: Options, target: OpaTarget) -> Check:
    return OpaDecision(options, target)
