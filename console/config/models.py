"""The file's tables as frozen models: what wiring builds the console from, and what `check` and the JSON Schema describe.

Fields that end in `_seconds` are written without the ending in the file (`soak = "5m"`). References between tables are already
resolved: `target` names an existing target of a fitting kind, or is None for a kind that takes none.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, SerializeAsAny

from console.config.facts import known_names
from console.config.flaws import did_you_mean
from console.config.options import Duration, OneLine, Options, PositiveDuration, Slug


class UnknownName(LookupError):
    """The procedure has nothing of this name."""


class IncidentConfig(Options):
    """The incident that the procedure is for."""

    title: OneLine
    """What is rolled back, in words: stands at the top of every screen, notice and report."""
    soak_seconds: Duration = 300.0
    """How long the triggers are watched after a component, before the next one is advised."""
    id: Slug | None = None
    """Fixed id of the incident; left out, one is made when it is declared."""
    migrated_at: AwareDatetime | None = None
    """When the migration went live: `2026-03-01T14:00:00Z`. A trigger that was broken before is marked so."""
    drill: bool = False
    """True for an exercise: every screen says so, and no other machine can be reached."""


class TargetConfig(Options):
    """A system that is acted on or asked."""

    name: Slug
    """The name in `[target.NAME]`, used by `target` elsewhere."""
    kind: str
    """What it is."""
    options: SerializeAsAny[BaseModel]
    """The kind's own options, validated."""


class TriggerConfig(Options):
    """A rule that says when to roll back."""

    id: Slug
    """Unique among the triggers."""
    title: OneLine | None = None
    """What is measured, in words."""
    source: str
    """The kind of metric source that is asked."""
    target: Slug | None = None
    """The target that is asked; left out when only one fits."""
    above: float | None = None
    """Fires above this value."""
    below: float | None = None
    """Fires below this value."""
    unit: OneLine | None = None
    """Unit of the values, as shown."""
    for_seconds: Duration = 0.0
    """How long it must be so before it fires."""
    every_seconds: PositiveDuration = 15.0
    """How often it is asked."""
    consecutive: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many times in a row it must be so, asked every so often, before it fires."""
    clear: float | None = None
    """Hysteresis: once crossed, it counts as healthy again only beyond this value. Left out: the threshold itself."""
    over_seconds: PositiveDuration | None = None
    """For sources without a history of their own: the values of this time count together, by `aggregate`."""
    aggregate: Literal["avg", "min", "max", "sum", "increase"] | None = None
    """How the values of `over` count together; left out: `avg`. `increase` is for counters, which may start again at 0."""
    impact: Literal["user_facing", "compliance", "security"] | None = None
    """What is touched when a person attests this trigger: its external notices fall due."""
    suggests: tuple[Slug, ...] = ()
    """Ids of the components that a firing trigger suggests to roll back."""
    suggests_by: dict[OneLine, dict[OneLine, tuple[Slug, ...]]] = Field(default_factory=dict)
    """The same where the labels of a series tell which: `{ service = { dashboard = ["dashboard"] } }`."""
    stale_after_seconds: PositiveDuration | None = None
    """A newest sample older than this is stale."""
    no_data_after_seconds: PositiveDuration | None = None
    """Without any sample for this long, there is no data."""
    options: SerializeAsAny[BaseModel]
    """The source's own options, validated."""

    @property
    def label(self) -> str:
        """The title, or else the id."""
        return self.title or self.id

    @property
    def threshold(self) -> float | None:
        """The value to compare with; None for a source that is no number."""
        return self.above if self.above is not None else self.below


class StepConfig(Options):
    """One change to one target."""

    id: Slug
    """Unique among all steps of the file."""
    title: OneLine | None = None
    """What it does, in words."""
    kind: str
    """What is done."""
    target: Slug | None = None
    """The target that is changed; left out when only one fits."""
    timeout_seconds: PositiveDuration = 300.0
    """How long it may take until it is proven."""
    options: SerializeAsAny[BaseModel]
    """The kind's own options, validated."""

    @property
    def label(self) -> str:
        """The title, or else the id."""
        return self.title or self.id


class ComponentConfig(Options):
    """A unit of rollback: its steps in order."""

    id: Slug
    """Unique among the components; what people type to confirm."""
    title: OneLine | None = None
    """Its name in words."""
    description: str | None = None
    """What rolling it back means, for the person who decides."""
    after: tuple[Slug, ...] = ()
    """Ids of components that have to be rolled back before this one."""
    steps: tuple[StepConfig, ...] = Field(validation_alias="step", min_length=1)
    """The steps, carried out in this order."""

    @property
    def label(self) -> str:
        """The title, or else the id."""
        return self.title or self.id


class CheckConfig(Options):
    """An item of the checklist."""

    id: Slug
    """Unique among the checks."""
    title: OneLine | None = None
    """What must be so, in words."""
    group: OneLine = "health"
    """The heading that it stands under."""
    kind: str
    """How it is checked."""
    target: Slug | None = None
    """The target that is asked; left out when only one fits."""
    timeout_seconds: PositiveDuration = 10.0
    """How long it may take."""
    criterion: bool = False
    """It has to hold before the incident can be resolved."""
    options: SerializeAsAny[BaseModel]
    """The kind's own options, validated."""

    @property
    def label(self) -> str:
        """The title, or else the id."""
        return self.title or self.id


class NoticeConfig(Options):
    """An item of the communication plan."""

    id: Slug
    """Unique among the notices."""
    title: OneLine | None = None
    """Who is told what, in words."""
    after_seconds: Duration
    """When it is due, counted from the declaration."""
    channel: str = "manual"
    """The kind of channel that it goes through."""
    target: Slug | None = None
    """The target that the channel goes through, for channels that have one."""
    repeat_seconds: PositiveDuration | None = None
    """Due again so long after it was given, until the incident is resolved."""
    impact: Literal["user_facing", "compliance", "security"] | None = None
    """Given only if this applies; `after` then counts from when that was said."""
    audience: (
        Literal["developers", "management", "tracker", "executives", "public", "compliance", "security"] | None
    ) = None
    """Who it is for: the voice of its draft."""
    subject: Annotated[OneLine, AfterValidator(known_names)] | None = None
    """The subject to start from, with `$names` of facts (`$title`, `$stage`, …); `$$` is a `$`. Left out: the audience's."""
    text: Annotated[str, AfterValidator(known_names)] | None = None
    """The text to start from, with `$names` of facts (`$firing`, `$rolled_back`, …). A line whose names have nothing to say
    is left out. Left out altogether: the audience's."""
    options: SerializeAsAny[BaseModel]
    """The channel's own options, validated."""

    @property
    def label(self) -> str:
        """The title, or else the id."""
        return self.title or self.id


class FollowUpConfig(Options):
    """Something that has to be done after the rollback."""

    id: Slug
    """Unique among the follow-up items."""
    title: OneLine
    """What has to be done, in words."""
    section: Literal["root_cause", "prevention", "recovery"]
    """The part of the review that it belongs to."""
    assignee: OneLine | None = None
    """Who does it."""
    due_seconds: PositiveDuration | None = None
    """How long after the resolution it has to be done."""


class Procedure(Options):
    """The whole file, valid in itself."""

    source: Path
    """The file that it was read from."""
    digest: str
    """SHA-256 of the file's content: the same for another layout, order of keys or comment, another for any other change.
    Secrets count by their reference alone, and relative paths as they are written."""
    incident: IncidentConfig
    """The incident that the procedure is for."""
    targets: tuple[TargetConfig, ...] = ()
    """The systems that are acted on or asked."""
    triggers: tuple[TriggerConfig, ...] = ()
    """The rules that say when to roll back."""
    components: tuple[ComponentConfig, ...] = ()
    """The units of rollback, in the order of the file."""
    checks: tuple[CheckConfig, ...] = ()
    """The checklist."""
    notices: tuple[NoticeConfig, ...] = ()
    """The communication plan."""
    followups: tuple[FollowUpConfig, ...] = ()
    """What has to be done afterwards."""

    def target(self, name: str) -> TargetConfig:
        """The target of this name; raises UnknownName."""
        return _found({target.name: target for target in self.targets}, name, "target")

    def trigger(self, trigger_id: str) -> TriggerConfig:
        """The trigger of this id; raises UnknownName."""
        return _found(_by_id(self.triggers), trigger_id, "trigger")

    def component(self, component_id: str) -> ComponentConfig:
        """The component of this id; raises UnknownName."""
        return _found(_by_id(self.components), component_id, "component")

    def step(self, step_id: str) -> StepConfig:
        """The step of this id, whichever component it belongs to; raises UnknownName."""
        return _found(_by_id(step for component in self.components for step in component.steps), step_id, "step")

    def component_of(self, step_id: str) -> ComponentConfig:
        """The component that the step belongs to; raises UnknownName."""
        owners = {step.id: component for component in self.components for step in component.steps}
        return _found(owners, step_id, "step")

    def check(self, check_id: str) -> CheckConfig:
        """The check of this id; raises UnknownName."""
        return _found(_by_id(self.checks), check_id, "check")

    def notice(self, notice_id: str) -> NoticeConfig:
        """The notice of this id; raises UnknownName."""
        return _found(_by_id(self.notices), notice_id, "notice")


Item = TypeVar("Item")
Identified = TypeVar("Identified", TriggerConfig, ComponentConfig, StepConfig, CheckConfig, NoticeConfig)


def _by_id(items: Iterable[Identified]) -> dict[str, Identified]:
    return {item.id: item for item in items}


def _found(items: dict[str, Item], name: str, noun: str) -> Item:
    if name not in items:
        raise UnknownName(f'unknown {noun} "{name}"; {did_you_mean(name, items, noun + "s")}')
    return items[name]


def key_names(model: type[BaseModel]) -> dict[str, str]:
    """Every key of a model as the file writes it, each with its field's name."""
    return {
        (field.validation_alias if isinstance(field.validation_alias, str) else field.alias or name): name
        for name, field in model.model_fields.items()
    }


def file_keys(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys that a table of this model may have in the file, without the kind's own options."""
    outside_the_file = {"options", "name"} if model is TargetConfig else {"options"}
    return tuple(key for key, name in key_names(model).items() if name not in outside_the_file)
