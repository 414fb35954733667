"""A scenario: what the migration broke, what else happens meanwhile, and what the debrief says of it. A data file each.

A symptom lasts as long as its component is in place: rolling that one back heals it, rolling another back doesn't.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, StringConstraints, ValidationError, model_validator

from console.config.options import Duration, OneLine, Options, PositiveDuration
from console.domain.errors import Refused

FOLDER: Final = "console.sandbox.scenarios"
DEFAULT: Final = "slow-analysis"

Component: TypeAlias = Literal[
    "qec-analysis", "dashboard", "opa-policies", "monitoring", "audit-trail", "policy-repository"
]
System: TypeAlias = Literal["metrics", "opa", "opa-2", "database", "cluster"]
Text: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class Symptom(Options):
    """What a component does to the service while it is in place. What is left out it does not touch."""

    of: Component
    p95_seconds: PositiveDuration | None = None
    """The response time that 5 % of the requests exceed."""
    errors_percent: Annotated[float, Field(gt=0, le=100)] | None = None
    memory_percent: Annotated[float, Field(gt=0, le=100)] | None = None
    complaints_per_hour: Annotated[float, Field(gt=0)] | None = None
    health_fails: bool = False
    """The gateway's health endpoint answers 503."""


class Happening(Options):
    """Something that happens whatever the commander does. `at` and `lasts` count in the drill's own minutes."""

    at_seconds: Duration
    what: Literal["down", "colleague", "selfheal"]
    """`down`: a system goes away. `colleague`: somebody else changes an object. `selfheal`: Argo CD puts things back."""
    system: System | None = None
    lasts_seconds: PositiveDuration | None = None
    says: OneLine | None = None
    """What is said in the war room about it."""

    @model_validator(mode="after")
    def _complete(self) -> Happening:
        if (self.what == "down") != (self.system is not None):
            raise ValueError('"down" names its "system", and nothing else does')
        return self


class Scenario(Options):
    """One drill."""

    title: OneLine
    story: Text
    """What the commander is told at the beginning: what can be seen, not what causes it."""
    lesson: Text
    """What was behind it, for the debrief."""
    since_seconds: PositiveDuration = 420.0
    """How long it has been going on when the console is opened."""
    symptoms: Annotated[tuple[Symptom, ...], Field(validation_alias="symptom")] = ()
    happenings: Annotated[tuple[Happening, ...], Field(validation_alias="happening")] = ()

    @property
    def guilty(self) -> tuple[str, ...]:
        """The components that have to go, in the order of the file."""
        return tuple(dict.fromkeys(s.of for s in self.symptoms))


def names() -> list[str]:
    return sorted(f.name.removesuffix(".toml") for f in resources.files(FOLDER).iterdir() if f.name.endswith(".toml"))


def load(name: str) -> Scenario:
    """Raises Refused with the names that there are."""
    if name not in names():
        raise Refused(f"there is no scenario {name!r}", f"one of: {', '.join(names())}")
    text = resources.files(FOLDER).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    try:
        return Scenario.model_validate(_tuples(tomllib.loads(text)))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise Refused(f"scenario {name}: {error}", "this is a mistake of the program's own data") from None


def _tuples(value: Any) -> Any:
    """Lists as the strict models take them."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
