"""JSON Schema of the file for editors: completion, descriptions and red lines while it is written.

Each table with a kind is a choice of closed objects, one a kind, which editors complete from best. The schema can't say
everything that `load` checks (references, ids used once, targets that fit). The command line prints it.
"""

from __future__ import annotations

import ast
import copy
import inspect
import itertools
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from console.config.kinds import Kinds, KindSpec, Section
from console.config.models import (
    CheckConfig,
    ComponentConfig,
    FollowUpConfig,
    IncidentConfig,
    NoticeConfig,
    StepConfig,
    TargetConfig,
    TriggerConfig,
    file_keys,
    key_names,
)
from console.config.options import DURATION_PATTERN, SLUG_PATTERN, format_duration

Schema: TypeAlias = dict[str, Any]

DIALECT: Final = "http://json-schema.org/draft-07/schema#"  # the one that TOML editors read
REFERENCE: Final = "#/definitions/"


@dataclass(frozen=True, slots=True)
class Table:
    """How the tables of one section are written."""

    model: type[BaseModel]
    kind_key: str = "kind"
    default_kind: str | None = None

    def optional_for(self, kind: str) -> set[str]:
        """The kind's key, for the kind that a table has when it names none."""
        return {self.kind_key} if kind == self.default_kind else set()


TABLES: Final[Mapping[Section, Table]] = {
    "target": Table(TargetConfig),
    "source": Table(TriggerConfig, "source"),
    "step": Table(StepConfig),
    "check": Table(CheckConfig),
    "channel": Table(NoticeConfig, "channel", default_kind="manual"),
}


def json_schema(kinds: Kinds) -> Schema:
    """The schema of a whole file, with every kind that `kinds` has."""
    specs: dict[Section, dict[str, KindSpec]] = {
        section: {name: kinds.describe(section, name) for name in sorted(kinds.names(section))} for section in TABLES
    }
    models: list[type[BaseModel]] = [
        IncidentConfig,
        ComponentConfig,
        FollowUpConfig,
        *(table.model for table in TABLES.values()),
    ]
    models += [spec.options for of_section in specs.values() for spec in of_section.values()]
    definitions = Definitions(models)
    tables = {
        section: {"oneOf": [_table(definitions, TABLES[section], name, spec) for name, spec in of_section.items()]}
        for section, of_section in specs.items()
    }
    whole = _document(definitions, tables)
    whole["definitions"] = definitions.used_by(whole)
    simplified: Schema = _simplified(whole)
    return simplified


class Definitions:
    """The schemas that pydantic makes of the models, by model."""

    def __init__(self, models: list[type[BaseModel]]) -> None:
        models = _with_nested(models)
        wanted: list[tuple[type[BaseModel], Literal["validation"]]] = [(model, "validation") for model in models]
        references, collected = models_json_schema(wanted, ref_template=REFERENCE + "{model}")
        self._names = {model: entry["$ref"].removeprefix(REFERENCE) for (model, _), entry in references.items()}
        self._schemas: dict[str, Schema] = collected.get("$defs", {})
        for model in models:
            self._describe(model)

    def of(self, model: type[BaseModel]) -> Schema:
        """A copy of the model's own schema."""
        return copy.deepcopy(self._schemas[self._names[model]])

    def _describe(self, model: type[BaseModel]) -> None:
        """Give each property the docstring of its field."""
        properties = self._schemas[self._names[model]].get("properties", {})
        for key, text in field_docstrings(model).items():
            if key in properties:
                properties[key]["description"] = text

    def used_by(self, schema: Schema) -> dict[str, Schema]:
        """The definitions that a schema refers to, and those that they refer to."""
        used: dict[str, Schema] = {}
        waiting = _references(schema)
        while waiting:
            name = waiting.pop()
            if name not in used:
                used[name] = self._schemas[name]
                waiting |= _references(used[name])
        return dict(sorted(used.items()))


def field_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The text below each field of a model and its parents, by the key that the file uses."""
    texts: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not issubclass(owner, BaseModel) or owner is BaseModel or "__annotations__" not in vars(owner):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
        statements = body.body if isinstance(body, ast.ClassDef) else []
        for statement, below in itertools.pairwise(statements):
            match statement, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                    texts[name] = inspect.cleandoc(text)
    return {key: texts[name] for key, name in key_names(model).items() if name in texts}


def _with_nested(models: Iterable[type[BaseModel]]) -> list[type[BaseModel]]:
    """The models and those that their fields are made of."""
    found: dict[type[BaseModel], None] = {}
    waiting = list(models)
    while waiting:
        model = waiting.pop()
        if model not in found:
            found[model] = None
            waiting += [part for field in model.model_fields.values() for part in _models_in(field.annotation)]
    return list(found)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation is not BaseModel:
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _references(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        here = {schema["$ref"].removeprefix(REFERENCE)} if isinstance(schema.get("$ref"), str) else set()
        return here.union(*(_references(part) for part in schema.values()))
    if isinstance(schema, list):
        return set().union(*(_references(part) for part in schema))
    return set()


def _table(definitions: Definitions, table: Table, name: str, spec: KindSpec) -> Schema:
    """The closed object of one kind: the keys of every such table, then the kind's own."""
    own, options = definitions.of(table.model), definitions.of(spec.options)
    keys = {key: own["properties"][key] for key in file_keys(table.model)}
    keys[table.kind_key] = {"const": name, "description": keys[table.kind_key].get("description", "")}
    required = {key for key in own.get("required", ()) if key in keys} | {table.kind_key} - table.optional_for(name)
    if not spec.target_kinds:
        keys.pop("target", None)
    if not spec.has_threshold:
        keys = {key: value for key, value in keys.items() if key not in ("above", "below")}
    schema: Schema = {
        "title": name,
        "type": "object",
        "properties": {**keys, **options.get("properties", {})},
        "required": sorted(required | set(options.get("required", ()))),
        "additionalProperties": False,
    }
    if options.get("description"):
        schema["description"] = options["description"]
    if "above" in keys:
        schema["oneOf"] = [{"required": ["above"]}, {"required": ["below"]}]
    return schema


def _document(definitions: Definitions, tables: Mapping[Section, Schema]) -> Schema:
    component = definitions.of(ComponentConfig)
    component["properties"]["step"] = {**_list_of(tables["step"], "The steps, in order."), "minItems": 1}
    targets = {
        "type": "object",
        "description": TargetConfig.__doc__,
        "propertyNames": {"pattern": SLUG_PATTERN},
        "additionalProperties": tables["target"],
    }
    return {
        "$schema": DIALECT,
        "title": "rollback-console configuration",
        "type": "object",
        "properties": {
            "incident": definitions.of(IncidentConfig),
            "target": targets,
            "trigger": _list_of(tables["source"], TriggerConfig.__doc__),
            "component": _list_of(component, ComponentConfig.__doc__),
            "check": _list_of(tables["check"], CheckConfig.__doc__),
            "notice": _list_of(tables["channel"], NoticeConfig.__doc__),
            "followup": _list_of(definitions.of(FollowUpConfig), FollowUpConfig.__doc__),
        },
        "required": ["incident"],
        "additionalProperties": False,
    }


def _list_of(schema: Schema, description: str | None) -> Schema:
    return {"type": "array", "description": description, "items": schema}


def _simplified(schema: Any) -> Any:
    """As the file is written: no null, which TOML doesn't have, and durations as text."""
    if isinstance(schema, list):
        return [_simplified(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    simple = {key: _simplified(part) for key, part in schema.items()}
    choices = simple.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        del simple["anyOf"]
        simple = {**rest[0], **simple} if len(rest) == 1 else {**simple, "anyOf": rest}
    if "default" in simple and simple["default"] is None:
        del simple["default"]
    default = simple.get("default")
    if simple.get("pattern") == DURATION_PATTERN and isinstance(default, int | float):
        simple["default"] = format_duration(default)
    return simple
