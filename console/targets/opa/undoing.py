"""Edits that take earlier ones back: from what is there now, through all attempts, the latest first, to what was before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from console.domain.errors import Refused
from console.engine.ports import Json
from console.targets.opa.goal import DataEdit, Edit, restored
from console.targets.opa.paths import DataPath, spelled
from console.targets.opa.survey import Survey, data_edit
from console.targets.text import clean_line

_OVERWRITE = "rolling forward would overwrite that; put it right by hand first"

Attempts = Sequence[tuple[tuple[Edit, ...], tuple[DataEdit, ...]]]


def attempts_of(pre_images: Sequence[Json]) -> Attempts:
    return [restored(image) for image in pre_images]


def places_of(attempts: Attempts) -> list[DataPath]:
    return sorted({d.path for _, data in attempts for d in data})


def taken_back(attempts: Attempts, found: Survey) -> tuple[list[Edit], list[DataEdit]]:
    """For every module and place that an attempt touched on a replica that is there, also where nothing is left to do."""
    modules: list[Edit] = []
    data: list[DataEdit] = []
    for snapshot in found.snapshots:
        url = snapshot.replica.url
        ids = {e.id for edits, _ in attempts for e in edits if e.replica == url}
        for i in sorted(ids):
            now = snapshot.policies[i].text if i in snapshot.policies else None
            modules.append(Edit(url, i, now, _module_before(url, i, now, attempts)))
        for path in sorted({d.path for _, places in attempts for d in places if d.replica == url}):
            edit = data_edit(url, snapshot.live, path, None)
            data.append(_document_before(edit, attempts))
    return modules, data


def _module_before(url: str, policy_id: str, now: str | None, attempts: Attempts) -> str | None:
    goal = now
    for edits, _ in reversed(attempts):
        for edit in (e for e in edits if e.replica == url and e.id == policy_id):
            standing = edit.standing(goal)
            if standing == "neither":
                where = f"module {clean_line(policy_id)} on {url}"
                raise Refused(f"{where} was changed by somebody else since it was rolled back", _OVERWRITE)
            goal = edit.before
    return goal


def _document_before(now: DataEdit, attempts: Attempts) -> DataEdit:
    goal: Any = now.before
    made = 0
    for _, data in reversed(attempts):
        for edit in (d for d in data if d.replica == now.replica and d.path == now.path):
            if edit.standing(goal) == "neither":
                where = f"data {spelled(now.path)} on {now.replica}"
                raise Refused(f"{where} was changed by somebody else since it was rolled back", _OVERWRITE)
            goal = edit.before
            made = edit.made or made
    return DataEdit(now.replica, now.path, now.before, goal, made=made or now.made)
