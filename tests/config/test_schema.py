"""The JSON Schema says what the file may hold, with every field described."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from console.config import json_schema
from tests.config.kinds import FakeKinds

Schema = dict[str, Any]


@pytest.fixture(name="schema", scope="module")
def whole_schema() -> Schema:
    return json_schema(FakeKinds())


def kind(schema: Schema, name: str) -> Schema:
    steps = schema["properties"]["component"]["items"]["properties"]["step"]["items"]["oneOf"]
    found: Schema = next(step for step in steps if step["title"] == name)
    return found


def properties(schema: Any, path: str = "") -> Iterator[tuple[str, Schema]]:
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and "type" in schema:
            yield from ((f"{path}.{key}", value) for key, value in schema["properties"].items())
        for key, value in schema.items():
            yield from properties(value, f"{path}.{key}")
    elif isinstance(schema, list):
        for position, value in enumerate(schema):
            yield from properties(value, f"{path}.{position}")


def test_each_kind_is_a_closed_object_with_common_and_own_keys(schema: Schema) -> None:
    patch = kind(schema, "kubernetes.patch")
    assert patch["additionalProperties"] is False
    assert {"id", "kind", "target", "timeout", "namespace", "containers"} <= patch["properties"].keys()
    assert patch["required"] == ["id", "kind", "namespace"]
    assert patch["properties"]["kind"]["const"] == "kubernetes.patch"
    assert patch["description"] == "Changes one object."


def test_a_kind_without_targets_has_no_target(schema: Schema) -> None:
    assert "target" not in kind(schema, "manual")["properties"]


def test_a_trigger_has_exactly_one_threshold_unless_its_source_has_no_numbers(schema: Schema) -> None:
    triggers = {choice["title"]: choice for choice in schema["properties"]["trigger"]["items"]["oneOf"]}
    assert triggers["prometheus"]["oneOf"] == [{"required": ["above"]}, {"required": ["below"]}]
    assert "above" not in triggers["attestation"]["properties"]


def test_a_notices_channel_may_be_left_out_for_the_usual_one(schema: Schema) -> None:
    notices = {choice["title"]: choice for choice in schema["properties"]["notice"]["items"]["oneOf"]}
    assert notices["manual"]["required"] == ["after", "id"]
    assert "channel" in notices["email"]["required"]


def test_durations_are_texts_with_their_defaults_as_written(schema: Schema) -> None:
    soak = schema["properties"]["incident"]["properties"]["soak"]
    assert (soak["type"], soak["default"]) == ("string", "5m")
    assert kind(schema, "kubernetes.patch")["properties"]["settle"]["default"] == "1m30s"


def test_every_field_is_described(schema: Schema) -> None:
    assert [path for path, field in properties(schema) if not field.get("description")] == []


def test_it_is_json_without_null_and_every_reference_leads_somewhere(schema: Schema) -> None:
    text = json.dumps(schema)
    assert "null" not in text
    for name in {part.split('"')[0] for part in text.split("#/definitions/")[1:]}:
        assert name in schema["definitions"]
