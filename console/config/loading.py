"""Reads the configuration file: `load` gives a valid procedure, or every problem of the file at once.

The command line and wiring call it. A good file costs tomllib and pydantic; what words and places need (`wording.py`,
`excerpts.py`, `positions.py`) is imported when there is something to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from console.config import document as documents
from console.config.flaws import DocumentPath, Flaw, did_you_mean
from console.config.kinds import Kinds, KindSpec, Section
from console.config.models import (
    CheckConfig,
    ComponentConfig,
    FollowUpConfig,
    IncidentConfig,
    NoticeConfig,
    Procedure,
    StepConfig,
    TargetConfig,
    TriggerConfig,
    file_keys,
    key_names,
)
from console.config.options import SLUG_PATTERN, Options
from console.config.problems import ConfigErrors
from console.config.references import TargetChoice, reference_flaws
from console.config.thresholds import threshold_flaws

Model = TypeVar("Model", bound=BaseModel)

TOP_LEVEL: Final = ("incident", "target", "trigger", "component", "check", "notice", "followup")


@dataclass(frozen=True, slots=True)
class Shape:
    """How the tables of one sort name their kind."""

    noun: str
    section: Section
    kind_key: str
    default_kind: str | None = None


TARGET: Final = Shape("target", "target", "kind")
TRIGGER: Final = Shape("trigger", "source", "source")
STEP: Final = Shape("step", "step", "kind")
CHECK: Final = Shape("check", "check", "kind")
NOTICE: Final = Shape("notice", "channel", "channel", default_kind="manual")


def load(source: Path, kinds: Kinds) -> Procedure:
    """Read and validate the file. Raises ConfigErrors, and nothing else for whatever the file holds."""
    text = documents.read(source)
    try:
        parsed = documents.parse(text)
    except documents.SyntaxFlaw as error:
        syntax = error
    else:
        document, flaws = documents.settle(parsed)
        procedure = None
        if not flaws:
            reading = Reading(document, kinds, source)
            procedure, flaws = reading.procedure(), reading.flaws
        if procedure is not None and not flaws:
            return procedure
        from console.config.excerpts import located

        raise ConfigErrors(located(flaws, source, text, document))
    from console.config.excerpts import located_syntax

    # Outside of the handler: an error's context would carry the text that it failed on.
    raise ConfigErrors([located_syntax(syntax, source, text)])


@dataclass
class Reading:
    """One pass over a document: builds the models and collects what is wrong."""

    document: Mapping[str, Any]
    kinds: Kinds
    source: Path
    flaws: list[Flaw] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._context = {"folder": self.source.parent}
        self._names: dict[Section, frozenset[str]] = {}
        self._target_choice = TargetChoice(self._kinds_of_targets())

    def procedure(self) -> Procedure | None:
        """The procedure, or None when there are flaws."""
        self._refuse_unknown_tables()
        self.flaws += reference_flaws(self.document)
        incident = self._incident()
        parts = {
            "targets": self._targets(),
            "triggers": self._listed("trigger", TRIGGER, TriggerConfig),
            "components": self._components(),
            "checks": self._listed("check", CHECK, CheckConfig),
            "notices": self._listed("notice", NOTICE, NoticeConfig),
            "followups": self._followups(),
        }
        if self.flaws or incident is None:
            return None
        digest = documents.digest(dict(self.document))
        return Procedure.model_validate({"source": self.source, "digest": digest, "incident": incident, **parts})

    # ------------------------------------------------------------ tables

    def _refuse_unknown_tables(self) -> None:
        for key in self.document:
            if key not in TOP_LEVEL:
                hint = did_you_mean(key, TOP_LEVEL, "tables")
                self.flaws.append(
                    Flaw((key,), f'unknown table or key "{key}" in the file', hint, at="key", masked=True)
                )

    def _incident(self) -> IncidentConfig | None:
        table = self.document.get("incident")
        if table is None:
            self.flaws.append(
                Flaw((), "the table [incident] is missing", 'add [incident] with title = "…"', at="table")
            )
            return None
        if not isinstance(table, dict):
            self._refuse_shape(("incident",), "[incident]", table)
            return None
        return self._validated(IncidentConfig, table, ("incident",), "[incident]", file_keys(IncidentConfig))

    def _targets(self) -> tuple[TargetConfig, ...]:
        table = self.document.get("target", {})
        if not isinstance(table, dict):
            self._refuse_shape(("target",), "[target.NAME]", table)
            return ()
        models = []
        for name, entry in table.items():
            if not isinstance(entry, dict):
                self._refuse_shape(("target", name), f"[target.{name}]", entry)
                continue
            models.append(self._entry(("target", name), entry, TARGET, TargetConfig, {"name": name}))
        return _complete(models)

    def _components(self) -> tuple[ComponentConfig, ...]:
        models = []
        for path, table in self._tables(self.document, (), "component"):
            steps = tuple(
                self._entry(step_path, step, STEP, StepConfig) for step_path, step in self._tables(table, path, "step")
            )
            who = _words("component", path, table)
            if not table.get("step"):
                self.flaws.append(Flaw(path, f"{who} has no steps", "add [[component.step]]", at="table"))
                continue
            # A step with a flaw is left out, so the component is judged by its own keys.
            own = {**table, "step": _complete(steps) or (_STANDING_IN,)}
            models.append(self._validated(ComponentConfig, own, path, who, file_keys(ComponentConfig)))
        return _complete(models)

    def _followups(self) -> tuple[FollowUpConfig, ...]:
        keys = file_keys(FollowUpConfig)
        return _complete(
            [
                self._validated(FollowUpConfig, table, path, _words("followup", path, table), keys)
                for path, table in self._tables(self.document, (), "followup")
            ]
        )

    def _listed(self, key: str, shape: Shape, model: type[Model]) -> tuple[Model, ...]:
        return _complete(
            [self._entry(path, table, shape, model) for path, table in self._tables(self.document, (), key)]
        )

    def _tables(
        self, table: Mapping[str, Any], prefix: DocumentPath, key: str
    ) -> Iterable[tuple[DocumentPath, dict[str, Any]]]:
        listed = table.get(key, ())
        header = "[[component.step]]" if key == "step" else f"[[{key}]]"
        if not isinstance(listed, tuple):
            self._refuse_shape((*prefix, key), header, listed)
            return
        for position, entry in enumerate(listed):
            if isinstance(entry, dict):
                yield (*prefix, key, position), entry
            else:
                self._refuse_shape((*prefix, key, position), header, entry)

    # ------------------------------------------------------------ one table

    def _entry(
        self,
        path: DocumentPath,
        table: dict[str, Any],
        shape: Shape,
        model: type[Model],
        given: Mapping[str, Any] | None = None,
    ) -> Model | None:
        """One table that has a kind: its own keys by `model`, the rest by the kind's options."""
        keys = file_keys(model)
        who = _words(shape.noun, path, table)
        own = {**(given or {}), **{key: value for key, value in table.items() if key in keys}, "options": _NO_OPTIONS}
        spec = self._spec(path, table, shape, keys)
        if spec is not None:
            rest = {key: value for key, value in table.items() if key not in keys}
            known = [*keys, *key_names(spec.options)]
            own["options"] = self._validated(spec.options, rest, path, who, known) or _NO_OPTIONS
            if "target" in keys:
                own["target"] = self._target(path, table, f"{who} ({_kind(table, shape)})", spec)
            if model is TriggerConfig:
                self.flaws += threshold_flaws(path, table, who, spec)
        return self._validated(model, own, path, who, keys)

    def _spec(self, path: DocumentPath, table: Mapping[str, Any], shape: Shape, keys: Iterable[str]) -> KindSpec | None:
        """What is known of the table's kind; None, with a flaw, when that is nothing."""
        kind = _kind(table, shape)
        if not isinstance(kind, str):
            return None  # missing or no text: the model says so
        names = self._kind_names(shape.section)
        if kind not in names:
            noun = shape.kind_key if shape.kind_key != "kind" else f"kind of {shape.noun}"
            hint = did_you_mean(kind, names, "known")
            at: DocumentPath = (*path, shape.kind_key) if shape.kind_key in table else path
            self.flaws.append(Flaw(at, f'unknown {noun} "{kind}"', hint))
            return None
        spec = self.kinds.describe(shape.section, kind)
        clash = sorted(set(keys) & set(key_names(spec.options)))
        if clash:  # the kind's author hears it, whatever the file says
            raise TypeError(
                f"the options of {shape.section} {kind} repeat keys of every {shape.noun}: {', '.join(clash)}"
            )
        return spec

    def _target(self, path: DocumentPath, table: Mapping[str, Any], who: str, spec: KindSpec) -> Any:
        chosen = self._target_choice.choose(path, table, who, spec)
        if isinstance(chosen, Flaw):
            self.flaws.append(chosen)
            return None
        written = table.get("target")
        # One that was chosen for its kind may have a bad name, which is that target's flaw, not this table's.
        return chosen if written is None and chosen is not None and re.fullmatch(SLUG_PATTERN, chosen) else written

    def _validated(
        self, model: type[Model], table: Mapping[str, Any], path: DocumentPath, who: str, known: Iterable[str]
    ) -> Model | None:
        try:
            return model.model_validate(table, context=self._context)
        except ValidationError as error:
            from console.config.wording import flaws_of

            self.flaws += flaws_of(error, model, table, path, who, tuple(known))
        return None

    def _refuse_shape(self, path: DocumentPath, header: str, value: Any) -> None:
        from console.config.wording import wrong_shape

        self.flaws.append(wrong_shape(path, header, value))

    # ------------------------------------------------------------ kinds

    def _kind_names(self, section: Section) -> frozenset[str]:
        if section not in self._names:
            self._names[section] = frozenset(self.kinds.names(section))
        return self._names[section]

    def _kinds_of_targets(self) -> dict[str, str | None]:
        table = self.document.get("target")
        names = self._kind_names("target")
        found: dict[str, str | None] = {}
        for name, target in table.items() if isinstance(table, dict) else ():
            kind = target.get("kind") if isinstance(target, dict) else None
            found[name] = kind if isinstance(kind, str) and kind in names else None
        return found


_NO_OPTIONS: Final = Options()
_STANDING_IN: Final = StepConfig.model_construct(id="step", kind="", options=_NO_OPTIONS)


def _kind(table: Mapping[str, Any], shape: Shape) -> Any:
    return table.get(shape.kind_key, shape.default_kind)


def _words(noun: str, path: DocumentPath, table: Mapping[str, Any]) -> str:
    """`trigger "latency-p95"`; by its place when it has no id."""
    if noun == "target":
        return f'target "{path[-1]}"'
    table_id = table.get("id")
    if isinstance(table_id, str) and table_id:
        return f'{noun} "{table_id}"'
    position = path[-1]
    return f"{noun} {position + 1}" if isinstance(position, int) else noun


def _complete(models: Iterable[Model | None]) -> tuple[Model, ...]:
    return tuple(model for model in models if model is not None)
