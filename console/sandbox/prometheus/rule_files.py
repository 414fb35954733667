"""Rule files, read as strictly as Prometheus reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from console.sandbox.prometheus import documents, promql, templates
from console.sandbox.prometheus.documents import Unusable
from console.sandbox.prometheus.rules import AlertingRule, Group, RecordingRule, Rule
from console.sandbox.prometheus.storage import NAME

_GROUP: Final = ("name", "interval", "query_offset", "limit", "labels", "rules")
_RULE: Final = ("record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations")
_METRIC: Final = re.compile(r"[^{}]+")


def load(path: Path, default_interval: int, query_offset: int) -> list[Group]:
    """The groups of a file; raises Unusable in the words of Prometheus' log."""
    text = documents.read(path)
    try:
        return _groups(text, path, (default_interval, query_offset))
    except Unusable as error:
        raise Unusable(f"{path}: {error}") from None


def _groups(text: str, path: Path, defaults: tuple[int, int]) -> list[Group]:
    top = documents.mapping(documents.parsed(text), ("groups",), "rulefmt.RuleGroups", text)
    found: dict[str, Group] = {}
    for value in documents.listed(top.get("groups"), "rulefmt.RuleGroup"):
        table = documents.mapping(value, _GROUP, "rulefmt.RuleGroup", text)
        name = str(table.get("name") or "")
        if not name:
            raise Unusable("Groupname must not be empty")
        if name in found:
            raise Unusable(f'groupname: "{name}" is repeated in the same file')
        found[name] = _group(name, table, path, defaults, text)
    return list(found.values())


def _group(name: str, table: Mapping[str, Any], path: Path, defaults: tuple[int, int], text: str) -> Group:
    interval = documents.duration(table.get("interval"), defaults[0]) or defaults[0]
    offset = documents.duration(table.get("query_offset"), defaults[1])
    shared = documents.strings(table.get("labels"), "labels")
    limit = table.get("limit") or 0
    if not isinstance(limit, int):
        raise Unusable(f'group "{name}": limit must be a number')
    rules = []
    for number, value in enumerate(documents.listed(table.get("rules"), "rulefmt.Rule")):
        one = documents.mapping(value, _RULE, "rulefmt.Rule", text)
        try:
            rules.append(_rule(one, shared))
        except Unusable as error:
            called = one.get("alert") or one.get("record") or ""
            raise Unusable(f'group "{name}", rule {number}, "{called}": {error}') from None
    return Group(name, path, interval, offset, limit, rules)


def _rule(table: Mapping[str, Any], shared: Mapping[str, str]) -> Rule:
    record, alert = str(table.get("record") or ""), str(table.get("alert") or "")
    if record and alert:
        raise Unusable("only one of 'record' and 'alert' must be set")
    if not record and not alert:
        raise Unusable("one of 'record' or 'alert' must be set")
    expr = table.get("expr")
    if expr is None or expr == "":
        raise Unusable("field 'expr' must be set in rule")
    try:
        parsed = promql.parse(str(expr))
    except (promql.BadQuery, promql.CannotExecute) as error:
        raise Unusable(f"could not parse expression: {error}") from None
    labels = {**shared, **documents.strings(table.get("labels"), "labels")}
    for name in labels:
        if name == NAME:
            raise Unusable(f"invalid label name: {name}")
    annotations = documents.strings(table.get("annotations"), "annotations")
    if record:
        return _recording(record, parsed, labels, table)
    for sort, texts in (("label", labels), ("annotation", annotations)):
        for name, template in texts.items():
            try:
                templates.check(template)
            except templates.NoTemplate as error:
                raise Unusable(f'{sort} "{name}": {error}') from None
    hold, keep = documents.duration(table.get("for"), 0), documents.duration(table.get("keep_firing_for"), 0)
    return AlertingRule(alert, parsed, labels, hold=hold, keep_firing=keep, annotations=annotations)


def _recording(record: str, expr: promql.Expr, labels: Mapping[str, str], table: Mapping[str, Any]) -> RecordingRule:
    for field_name in ("annotations", "for", "keep_firing_for"):
        if table.get(field_name):
            raise Unusable(f"invalid field '{field_name}' in recording rule")
    if not _METRIC.fullmatch(record):
        raise Unusable(f"braces present in the recording rule name; should it be in expr?: {record}")
    return RecordingRule(record, expr, labels)
