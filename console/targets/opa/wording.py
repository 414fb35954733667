"""How a change of modules and data reads: a bounded diff, and shell commands that do the same."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from console.domain.difference import ABSENT, differences, line_differences, say
from console.engine.ports import canonical
from console.targets.opa.client import OpaTarget
from console.targets.opa.goal import DataEdit, Edit
from console.targets.opa.paths import patch_of, put_at, spelled
from console.targets.opa.replica import Replica, policy_path
from console.targets.opa.sending import ModuleOperation, Operation, pruned
from console.targets.text import clean, clean_line

MOST_LINES_OF_ONE: Final = 40
MOST_LINES: Final = 400
LONGEST_LINE: Final = 160
LONGEST_COMMAND: Final = 4000
"""Characters of a text that is written out in a command; beyond, the command names a file."""

Change = TypeVar("Change", Edit, DataEdit)


def diff_lines(target: OpaTarget, edits: Iterable[Edit], data: Iterable[DataEdit]) -> list[str]:
    """What changes; once where it is the same on several replicas."""
    lines: list[str] = []
    for edit, urls in _alike(edits):
        lines += [f"  policy {clean_line(edit.id)} on {_where(target, urls)}: {_fate(edit)}", *_module_lines(edit)]
    for place, urls in _alike(data):
        lines += [f"  data {spelled(place.path)} on {_where(target, urls)}", *_data_lines(place)]
    return _bounded(lines, MOST_LINES)


def _alike(changes: Iterable[Change]) -> list[tuple[Change, list[str]]]:
    grouped: dict[str, tuple[Change, list[str]]] = {}
    for change in changes:
        _, urls = grouped.setdefault(canonical(change.identity[1:]), (change, []))
        urls.append(change.replica)
    return list(grouped.values())


def _where(target: OpaTarget, urls: Sequence[str]) -> str:
    if len(urls) == len(target.replicas) > 1:
        return f"all {len(urls)} replicas"
    return ", ".join(target.replica(url).label for url in urls)


def _fate(edit: Edit) -> str:
    count = (edit.after if edit.after is not None else edit.before or "").count("\n")
    if edit.before is None:
        return f"new, {count} lines"
    return f"removed, {count} lines" if edit.after is None else "changed"


def _module_lines(edit: Edit) -> list[str]:
    found = line_differences(edit.before or "", edit.after or "")
    lines = ["  …" if sign == "…" else f"{sign} {clean(text, LONGEST_LINE)}" for sign, text in found]
    return _bounded(lines, MOST_LINES_OF_ONE)


def _data_lines(edit: DataEdit) -> list[str]:
    lines = []
    for found in differences(edit.before, edit.after):
        where = f"{spelled(edit.path)}.{found.where}".rstrip(".")
        for sign, value in (("-", found.old), ("+", found.new)):
            if value is not ABSENT:
                lines.append(f"{sign} {clean_line(where)}: {clean_line(say(value), LONGEST_LINE)}")
    return _bounded(lines, MOST_LINES_OF_ONE)


def _bounded(lines: list[str], most: int) -> list[str]:
    if len(lines) <= most:
        return lines
    return [*lines[:most], f"  … {len(lines) - most} more lines"]


# ---------------------------------------------------------------- commands


def commands(
    target: OpaTarget, planned: Iterable[Operation], archive: Path | None, entries: Mapping[str, str]
) -> list[str]:
    """Each request as a line for a shell. `entries` names the modules that the archive holds, as it spells them."""
    return [_command(target, operation, archive, entries) for operation in planned]


def _command(target: OpaTarget, operation: Operation, archive: Path | None, entries: Mapping[str, str]) -> str:
    replica = operation.replica
    if not isinstance(operation, ModuleOperation):
        return _curl(target, replica, "PATCH", "/v1/data", "application/json-patch+json", _patch(operation))
    path = policy_path(operation.edit.id)
    text = operation.edit.after
    if text is None:
        return _curl(target, replica, "DELETE", path)
    if archive is not None and operation.edit.id in entries:
        unpack = shlex.join(["tar", "-xzPOf", str(archive), entries[operation.edit.id]])
        return f"{unpack} | {_curl(target, replica, 'PUT', path, 'text/plain', '@-')}"
    shown = text if len(text) <= LONGEST_COMMAND else "@" + operation.edit.id.rpartition("/")[2]
    return _curl(target, replica, "PUT", path, "text/plain", shown)


def _patch(operation: Operation) -> str:
    edits: Sequence[DataEdit] = getattr(operation, "edits", ())
    before: object = {}
    for edit in edits:
        before = put_at(_with_parents(before, edit), edit.path, edit.before)
    after = before
    for edit in edits:
        after = pruned(put_at(after, edit.path, edit.after), edit)
    text = json.dumps(patch_of(before, after), ensure_ascii=False)
    return text if len(text) <= LONGEST_COMMAND else "@data-patch.json"


def _with_parents(document: object, edit: DataEdit) -> object:
    """The parents that are there, as far as the edit knows them."""
    there = edit.path[: edit.made - 1] if edit.made else edit.path[:-1]
    marked = put_at(document, (*there, "\0"), True) if there else document
    return put_at(marked, (*there, "\0"), ABSENT) if there else marked


def _curl(
    target: OpaTarget, replica: Replica, method: str, path: str, content_type: str = "", body: str | None = None
) -> str:
    words = ["curl", "-f", "-X", method]
    token = f' -H "Authorization: Bearer ${target.token_variable}"' if target.token_variable else ""
    words += ["--cacert", str(target.ca)] if target.ca else []
    words += ["-H", f"Content-Type: {content_type}"] if content_type else []
    words += [replica.url + path]
    words += ["--data-binary", body] if body is not None else []
    return f"{shlex.join(words[:2])}{token} {shlex.join(words[2:])}"
