"""Questions to a policy whose answers are known, as the file asks them: `opa.restore` some afterwards, `opa.decision` one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from console.config.options import Options
from console.domain.difference import ABSENT
from console.engine.ports import canonical
from console.targets.opa.goal import Decision
from console.targets.opa.paths import normal, path_of


def _nothing() -> Any:
    return ABSENT


class DecisionProbe(Options):
    """A question whose answer is known, asked of every replica."""

    path: Annotated[str, StringConstraints(pattern=r"^[^\s/]+(/[^\s/]+)*$", max_length=300)]
    """The decision: `acgs/authz/allow`."""
    given: Annotated[Any, Field(validation_alias="input", default_factory=_nothing)]
    """The input: `{ user = "alice" }`."""
    expect: Annotated[Any, Field(default_factory=_nothing)]
    """The answer that is expected."""
    undefined: bool = False
    """The decision is expected to have no answer."""

    @model_validator(mode="after")
    def _one_expectation(self) -> DecisionProbe:
        if (self.expect is ABSENT) is not self.undefined:
            raise ValueError('either "expect" or "undefined = true"')
        try:
            canonical([value for value in (self.given, self.expect) if value is not ABSENT])
        except TypeError:
            raise ValueError("a date or time is written as text, in quotes") from None
        return self

    def decision(self) -> Decision:
        given, expected = (v if v is ABSENT else normal(v) for v in (self.given, self.expect))
        return Decision(path_of(self.path), given, expected)
