"""One OPA without its web server: modules that compile together, data, and what both say. Everything is in memory.

A change is worked out beside what stands and takes its place at once or not at all, as OPA's transactions do. The refusals are
those of OPA's server (1.22, server.go), with its status codes and words.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from console.sandbox.opa import documents
from console.sandbox.opa.compiler import Compiled, compiled, compiled_query, data_conflicts
from console.sandbox.opa.documents import Path
from console.sandbox.opa.errors import Broken, Mistaken, RegoError
from console.sandbox.opa.evaluator import ABSENT, Setting, document, rows
from console.sandbox.opa.parser import parse_module, parse_query
from console.sandbox.opa.queries import captured, is_single_answer
from console.sandbox.opa.syntax import Module, module_json, ref_words
from console.sandbox.opa.values import Obj, Value, from_json, to_json

VERSION: Final = "1.22.2"
_SYSTEM: Final = {
    "version": {"version": VERSION, "build_commit": "", "build_timestamp": "", "build_hostname": ""},
}
_COMPILING: Final = "error(s) occurred while compiling module(s)"
_EVALUATION_SECONDS: Final = 20.0


class ApiError(Exception):
    """OPA's answer to a request that it does not carry out."""

    def __init__(self, status: int, code: str, message: str, errors: Sequence[RegoError] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.document: dict[str, Any] = {"code": code, "message": message}
        if errors:
            self.document["errors"] = [error.to_json() for error in errors]


def invalid(message: str, errors: Sequence[RegoError] = ()) -> ApiError:
    return ApiError(400, "invalid_parameter", message, errors)


@dataclass(slots=True)
class ActiveBundle:
    """A bundle that owns its roots. None for roots means all of `data`."""

    name: str
    roots: tuple[Path, ...]
    revision: str = ""


@dataclass(slots=True)
class State:
    """What stands at one moment. It is replaced, never changed."""

    texts: dict[str, str] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)
    policies: Compiled = field(default_factory=Compiled)
    data: Value = field(default_factory=lambda: from_json({"system": _SYSTEM}))
    bundles: dict[str, ActiveBundle] = field(default_factory=dict)


class Opa:
    def __init__(self) -> None:
        self.state = State()

    def reset(self) -> None:
        """As after a restart: without a disk OPA comes back empty."""
        self.state = State()

    # ------------------------------------------------------------ policies

    def policy(self, policy_id: str) -> dict[str, Any]:
        state = self.state
        if policy_id not in state.texts:
            raise _no_policy(policy_id)
        return _shown(state, policy_id)

    def policies(self) -> list[dict[str, Any]]:
        state = self.state
        return [_shown(state, policy_id) for policy_id in sorted(state.texts)]

    def put_policy(self, policy_id: str, body: bytes) -> None:
        state = self.state
        text = body.decode(errors="surrogateescape")
        if policy_id in state.texts:
            self._refuse_owned(state.modules[policy_id].package)
            if state.texts[policy_id] == text:
                return
        try:
            module = parse_module(policy_id, text)
        except Mistaken as error:
            raise invalid(_COMPILING, error.errors) from None
        if module is None:
            raise invalid(f"{policy_id}:0: rego_parse_error: empty module")
        self._refuse_owned(module.package)
        modules = {**state.modules, policy_id: module}
        try:
            policies = compiled(modules, lambda path: documents.exists(state.data, path))
        except Mistaken as error:
            raise invalid(_COMPILING, error.errors) from None
        self._become(texts={**state.texts, policy_id: text}, modules=modules, policies=policies)

    def delete_policy(self, policy_id: str) -> None:
        state = self.state
        if policy_id not in state.texts:
            raise _no_policy(policy_id)
        self._refuse_owned(state.modules[policy_id].package)
        modules = {i: module for i, module in state.modules.items() if i != policy_id}
        try:
            policies = compiled(modules)
        except Mistaken as error:
            raise ApiError(400, "invalid_operation", _COMPILING, error.errors) from None
        texts = {i: text for i, text in state.texts.items() if i != policy_id}
        self._become(texts=texts, modules=modules, policies=policies)

    # ------------------------------------------------------------ data

    def put_data(self, path: Path, value: Any, only_new: bool = False) -> bool:
        """Whether it was written; with `only_new` nothing that is there is replaced."""
        self._refuse_owned(path)
        data = self.state.data
        try:
            try:
                documents.read(data, path)
                if only_new:
                    return False
            except documents.NotFound:
                data = documents.folders(data, path[:-1])
            data = documents.written(data, "add", path, value)
        except (documents.NotFound, documents.Conflict, documents.InvalidPatch) as error:
            raise _storage(error) from None
        self._take(data)
        return True

    def patch_data(self, operations: Iterable[tuple[documents.Operation, Path, Any]]) -> None:
        data = self.state.data
        for operation, path, value in operations:
            self._refuse_owned(path)
            try:
                data = documents.written(data, operation, path, value)
            except (documents.NotFound, documents.Conflict, documents.InvalidPatch) as error:
                raise _storage(error) from None
        self._take(data)

    def delete_data(self, path: Path) -> None:
        self._refuse_owned(path)
        try:
            documents.read(self.state.data, path)
            data = documents.written(self.state.data, "remove", path, None)
        except (documents.NotFound, documents.Conflict, documents.InvalidPatch) as error:
            raise _storage(error) from None
        self._become(data=data)

    def _take(self, data: Value) -> None:
        errors = data_conflicts(self.state.policies, lambda path: documents.exists(data, path))
        if errors:
            raise invalid(str(Mistaken(errors)))
        self._become(data=data)

    # ------------------------------------------------------------ questions

    def document(self, path: Sequence[Value], given: Any = ABSENT) -> Any:
        """What `data` is at a path, as JSON; ABSENT when it is undefined."""
        names = [str(part) for part in path]
        node = self.state.policies.root.at(names)
        if node is not None and node.is_function:
            message = f"function {ref_words(('data', *names))} used as reference, not called"
            raise ApiError(500, "internal_error", f"1 error occurred: 1:1: rego_type_error: {message}")
        try:
            found = document(self._setting(given), path)
        except Broken as error:
            raise _broken(error) from None
        return ABSENT if found is ABSENT else to_json(found)

    def query(self, text: str, given: Any = ABSENT) -> list[dict[str, Any]]:
        try:
            parsed = parse_query(text)
        except Mistaken as error:
            if error.errors[0].message == "empty query":
                raise ApiError(500, "internal_error", "cannot evaluate empty query") from None
            raise invalid("error(s) occurred while parsing query", error.errors) from None
        single = is_single_answer(parsed)
        try:
            body = compiled_query(self.state.policies, parsed)
        except Mistaken as error:
            errors = sorted([*error.errors, *captured(parsed, error.errors)], key=lambda one: one.order)
            raise invalid("error(s) occurred while compiling query", errors) from None
        try:
            found = list(rows(self._setting(given), body, lenient=single))
        except Broken as error:
            raise _broken(error) from None
        return [{k: to_json(v) for k, v in row.items() if k and k[0] != "$" and k[:7] != "__local"} for row in found]

    def _setting(self, given: Any) -> Setting:
        value = ABSENT if given is ABSENT else from_json(given)
        return Setting(self.state.policies, self.state.data, value, deadline=time.monotonic() + _EVALUATION_SECONDS)

    # ------------------------------------------------------------ bundles

    def activate(self, bundle: ActiveBundle, texts: Mapping[str, str], data: Any, etag: str, manifest: Any) -> None:
        """Replaces everything within the bundle's roots, those of its last version included. Raises Mistaken, or ValueError."""
        state = self.state
        before = state.bundles.get(bundle.name)
        gone = [*bundle.roots, *(before.roots if before else ())]
        modules = {i: m for i, m in state.modules.items() if not _owns(gone, m.package)}
        kept = {i: state.texts[i] for i in modules}
        root = state.data
        for path in sorted({path for path in gone if path} | {path for path in bundle.roots if not path}, key=len):
            root = _without(root, path)  # what a bundle without roots leaves behind stays, as in OPA
        root = _joined(root, data)
        for policy_id, text in texts.items():
            module = parse_module(policy_id, text)
            if module is None:
                raise ValueError(f"{policy_id}: empty module")
            modules[policy_id] = module
        policies = compiled(modules, lambda path: documents.exists(root, path))
        entry: dict[str, Any] = {"manifest": manifest} | ({"etag": etag} if etag else {})
        root = documents.written(
            documents.folders(root, ("system", "bundles")), "add", ("system", "bundles", bundle.name), entry
        )
        self._become(
            texts={**kept, **texts},
            modules=modules,
            policies=policies,
            data=root,
            bundles={**state.bundles, bundle.name: bundle},
        )

    def _refuse_owned(self, path: Path) -> None:
        bundles = self.state.bundles
        if not path and bundles:
            raise invalid("can't write to document root with bundle roots configured")
        for name, bundle in bundles.items():
            if () in bundle.roots:
                raise invalid(f'all paths owned by bundle "{name}"')
            if _owns(bundle.roots, path) or any(path == root[: len(path)] for root in bundle.roots):
                raise invalid(f'path {"/".join(path)} is owned by bundle "{name}"')

    def _become(self, **changed: Any) -> None:
        state = self.state
        kept = {name: getattr(state, name) for name in State.__slots__}
        self.state = State(**{**kept, **changed})


def _shown(state: State, policy_id: str) -> dict[str, Any]:
    return {"id": policy_id, "raw": state.texts[policy_id], "ast": module_json(state.modules[policy_id])}


def _owns(roots: Iterable[Path], path: Path) -> bool:
    return any(path[: len(root)] == root for root in roots)


def _without(root: Value, path: Path) -> Value:
    """The data without what a bundle owned. OPA's own part stays, whatever a bundle owns."""
    if not path:
        system = root.get("system") if isinstance(root, Obj) else None
        return Obj([("system", system)])
    try:
        return documents.written(root, "remove", path, None)
    except documents.NotFound:
        return root


def _joined(root: Value, data: Any) -> Value:
    """The data with a bundle's in it, below what others have."""
    for key, value in data.items():
        there = root.get(key, ABSENT)
        inner = from_json(value)
        if isinstance(there, Obj) and isinstance(value, dict):
            inner = _joined(there, value)
        root = root.with_pair(key, inner)
    return root


def _no_policy(policy_id: str) -> ApiError:
    return ApiError(404, "resource_not_found", f"storage_not_found_error: policy id {json.dumps(policy_id)}")


def _storage(error: Exception) -> ApiError:
    if isinstance(error, documents.Conflict):
        return ApiError(404, "resource_conflict", f"storage_write_conflict_error: {error}")
    if isinstance(error, documents.InvalidPatch):
        return invalid(f"storage_invalid_patch_error: {error}")
    return ApiError(404, "resource_not_found", f"storage_not_found_error: {error}")


def _broken(error: Broken) -> ApiError:
    return ApiError(500, "internal_error", "error(s) occurred while evaluating query", [error.error])
