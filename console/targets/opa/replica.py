"""One OPA: its REST API (https://www.openpolicyagent.org/docs/rest-api) with plain values in and out.

Every error becomes Refused (nothing happened), Failed (a read that got no good answer) or Unknown (sent, no good answer). A
call that changes something takes a `Permit`. OPA has no ETag and no other precondition, so callers read right before they
send. Nothing is repeated but a read whose connection broke.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

from console.domain.difference import ABSENT
from console.domain.errors import Failed, Refused, Unknown
from console.engine.gateway import Permit
from console.engine.ports import Json
from console.targets.http import excerpt, status_words
from console.targets.opa.paths import (
    DataPath,
    covers,
    merged,
    normal,
    outermost,
    path_of,
    put_at,
    url_of,
    value_at,
    without,
)
from console.targets.opa.views import Policy, batches, query_of, views_of
from console.targets.opa.wire import Answer, Lost, NotConnected, Wire
from console.targets.text import clean_line

SYSTEM: Final = "system"
"""OPA's own part of `data`: nobody's policy, never restored or removed."""

_LARGE_BYTES: Final = 256 * 1024  # parsed in a thread
_MOST_SHOWN: Final = 3
_IN_TEXT: Final = re.compile(r"([^\s:]+):(\d+): (rego_\w+): ([^\n]*)")
_NEVER_COMPILES: Final = frozenset({"rego_parse_error", "rego_unsafe_var_error"})


@dataclass(frozen=True, slots=True)
class RegoError:
    code: str
    message: str
    module: str = ""
    row: int = 0

    def __str__(self) -> str:
        where = f"{self.module}:{self.row}: " if self.module else ""
        return clean_line(f"{where}{self.message}", 300)


class Rejected(Refused):
    """400: OPA doesn't take it, as a rule because the policies would not compile together. Nothing was changed."""

    def __init__(self, message: str, hint: str = "", errors: Sequence[RegoError] = ()) -> None:
        super().__init__(message, hint)
        self.errors = tuple(errors)

    @property
    def hopeless(self) -> bool:
        """Whether no other order could help: the module itself is wrong."""
        return any(error.code in _NEVER_COMPILES for error in self.errors)

    @property
    def owned_by_bundle(self) -> bool:
        return "owned by bundle" in self.message


class NotFound(Refused):
    """404: there is no such policy, or no such place."""


@dataclass(frozen=True, slots=True)
class ActiveBundle:
    name: str
    roots: tuple[DataPath, ...]
    revision: str


class Replica:
    def __init__(self, wire: Wire) -> None:
        self.url = wire.url
        self.label = clean_line(urlsplit(wire.url).netloc)
        self._wire = wire

    async def close(self) -> None:
        await self._wire.close()

    # ------------------------------------------------------------ reading

    async def policies(self) -> dict[str, Policy]:
        found = (await self._read("GET", "/v1/policies")).get("result") or []
        return {str(p["id"]): _policy(p) for p in found}

    async def policy(self, policy_id: str) -> str | None:
        """The text of one module."""
        try:
            return str((await self._read("GET", policy_path(policy_id)))["result"]["raw"])
        except NotFound:
            return None

    async def data(self, paths: Iterable[DataPath], policies: Mapping[str, Policy]) -> Any:
        """What stands in `data` at these paths and beside them, without what rules make of it; ABSENT for nothing.

        OPA has no call for that: asking for a document evaluates every rule within, which may fail or reach out. So for the
        time of the query rules are replaced by null (`with`), which keeps them from running, and then taken out of it.
        """
        document: Any = {}
        for first in outermost(path[:1] for path in paths):
            document = put_at(document, first, await self._base(first, policies))
        return document

    async def _base(self, first: DataPath, policies: Mapping[str, Policy]) -> Any:
        views = views_of(first, policies.values())
        if len(views) == 1 and not views[0].masked:
            found = (await self._read("GET", f"/v1/data/{url_of(first)}")).get("result", ABSENT)
            return ABSENT if found is ABSENT else normal(found)
        document: Any = {}
        for batch in batches(views):
            results = (await self._read("POST", "/v1/query", {"query": query_of(batch)})).get("result") or [{}]
            for number, view in enumerate(batch):
                for value in results[0].get(f"x{number}") or []:
                    document = merged(document, view.path, view.without_rules(normal(value)))
        found = value_at(document if first else put_at(document, (SYSTEM,), ABSENT), first)
        shells = [p.package for p in policies.values() if covers(first, p.package)]
        left = value_at(without({} if found is ABSENT else put_at({}, first, found), (), shells), first)
        return {} if left is ABSENT and not first else left

    async def decide(self, path: DataPath, given: Any) -> Any:
        """The decision for an input; ABSENT when it is undefined."""
        body = {} if given is ABSENT else {"input": given}
        return normal((await self._read("POST", f"/v1/data/{url_of(path)}", body)).get("result", ABSENT))

    async def bundles(self) -> tuple[ActiveBundle, ...]:
        """The bundles that are active, by OPA's own book: `data.system.bundles`, which stands whatever plugins are on."""
        found = (await self._read("GET", f"/v1/data/{SYSTEM}/bundles")).get("result") or {}
        return tuple(_bundle(str(name), entry) for name, entry in found.items())

    async def configured_bundles(self) -> tuple[str, ...]:
        """The bundles that it is told to fetch, active or not."""
        config = (await self._read("GET", "/v1/config")).get("result") or {}
        return tuple(clean_line(str(name)) for name in config.get("bundles") or {})

    async def bundle_trouble(self, name: str) -> str:
        """What OPA says went wrong with a bundle; empty when it says nothing, as without its status plugin (500)."""
        try:
            status = (await self._read("GET", "/v1/status")).get("result") or {}
        except (Failed, Refused):
            return ""
        said = ((status.get("bundles") or {}).get(name) or {}).get("message") or ""
        return clean_line(str(said), 200)

    # ------------------------------------------------------------ changing

    async def put_policy(self, policy_id: str, text: str, permit: Permit) -> None:
        await self._change("PUT", policy_path(policy_id), text.encode(), "text/plain", permit)

    async def delete_policy(self, policy_id: str, permit: Permit) -> None:
        await self._change("DELETE", policy_path(policy_id), None, "", permit)

    async def patch_data(self, patch: Sequence[Mapping[str, Json]], permit: Permit) -> None:
        """All of it or nothing: OPA carries a patch out in one transaction."""
        body = json.dumps(list(patch), ensure_ascii=False).encode()
        await self._change("PATCH", "/v1/data", body, "application/json-patch+json", permit)

    # ------------------------------------------------------------ inside

    async def _read(self, method: str, path: str, body: Json = None) -> dict[str, Any]:
        content = None if body is None else json.dumps(body).encode()
        try:
            answer = await self._twice(method, path, content)
        except NotConnected as error:
            raise Failed(f"OPA {self.label} can't be reached: {self._wire.redact(str(error))}", "is it up?") from None
        except Lost as error:
            raise Failed(f"OPA {self.label} does not answer: {self._wire.redact(str(error))}") from None
        if answer.status >= 500:
            raise Failed(f"OPA {self.label} answered {status_words(answer.status)}: {self._said(answer)[0]}")
        if answer.status >= 300:
            raise self._refusal(answer)
        document = await _parsed(answer.body)
        if not isinstance(document, dict):
            raise Failed(f"{self.label} did not answer as OPA does: {excerpt(answer.body)}", "is it really an OPA?")
        return document

    async def _twice(self, method: str, path: str, content: bytes | None) -> Answer:
        """A connection that was kept may have been closed in the meantime; asking again changes nothing."""
        headers = {"Content-Type": "application/json"} if content is not None else {}
        try:
            return await self._wire.exchange(method, path, content, headers)
        except Lost as error:
            if "time" in str(error):
                raise
            return await self._wire.exchange(method, path, content, headers)

    async def _change(self, method: str, path: str, body: bytes | None, content_type: str, permit: Permit) -> None:
        if not isinstance(permit, Permit):
            raise Refused(f"{method} {path} needs a permit, which the gateway alone gives")
        headers = {"Content-Type": content_type} if content_type else {}
        try:
            answer = await self._wire.exchange(method, path, body, headers)
        except NotConnected as error:
            reason = self._wire.redact(str(error))
            raise Refused(f"OPA {self.label} can't be reached: {reason}", "nothing was sent to it") from None
        except Lost as error:
            raise Unknown(f"no answer from OPA {self.label}: {self._wire.redact(str(error))}") from None
        if answer.status >= 500:
            raise Unknown(f"OPA {self.label} answered {status_words(answer.status)}: {self._said(answer)[0]}")
        if answer.status >= 300:
            raise self._refusal(answer)

    def _refusal(self, answer: Answer) -> Refused:
        said, errors = self._said(answer)
        if answer.status == 400:
            return Rejected(f"OPA {self.label} says: {said}", errors=errors)
        if answer.status == 404:
            return NotFound(f"OPA {self.label}: {said}")
        if answer.status in (401, 403):
            return Refused(f"OPA {self.label} does not allow it ({answer.status}): {said}", "give the target a token")
        return Refused(f"OPA {self.label} answered {status_words(answer.status)}: {said}")

    def _said(self, answer: Answer) -> tuple[str, list[RegoError]]:
        """OPA's own words, and the places that it names."""
        try:
            document = json.loads(answer.body)
            message, listed = str(document["message"]), document.get("errors") or []
            errors = [_rego_error(e) for e in listed if isinstance(e, dict)]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return self._wire.redact(excerpt(answer.body)) or "nothing more", []
        if not errors:
            named = _IN_TEXT.findall(message)
            errors = [RegoError(code, clean_line(what), module, int(row)) for module, row, code, what in named]
            return self._wire.redact(clean_line(message, 400)), errors
        more = f" and {len(errors) - _MOST_SHOWN} more" if len(errors) > _MOST_SHOWN else ""
        return self._wire.redact("; ".join(str(e) for e in errors[:_MOST_SHOWN]) + more), errors


def policy_path(policy_id: str) -> str:
    return f"/v1/policies/{quote(policy_id, safe='/')}"


async def _parsed(body: bytes) -> Any:
    try:
        if len(body) > _LARGE_BYTES:
            return await asyncio.to_thread(json.loads, body)
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _policy(entry: Json) -> Policy:
    tree = entry.get("ast") or {}
    package = tuple(str(part["value"]) for part in (tree.get("package") or {}).get("path") or [])[1:]
    rules = {
        package + _ground(rule["head"])
        for rule in tree.get("rules") or []
        if "args" not in rule["head"]  # a function is no document
    }
    return Policy(str(entry.get("raw") or ""), package, tuple(sorted(rules)))


def _ground(head: Json) -> DataPath:
    """The part of a rule's name that is fixed: `p.q` of `p.q[x]`."""
    ref = head.get("ref") or [{"type": "var", "value": head.get("name", "")}]
    parts = [str(ref[0]["value"])]
    for term in ref[1:]:
        if term.get("type") != "string":
            break
        parts.append(str(term["value"]))
    return tuple(parts)


def _bundle(name: str, entry: Any) -> ActiveBundle:
    manifest = (entry.get("manifest") if isinstance(entry, dict) else None) or {}
    roots = manifest.get("roots")
    paths = tuple(path_of(str(root)) for root in roots) if isinstance(roots, list) else ((),)
    return ActiveBundle(clean_line(name), paths, clean_line(str(manifest.get("revision") or ""), 80))


def _rego_error(entry: dict[str, Any]) -> RegoError:
    location = entry.get("location") or {}
    return RegoError(
        str(entry.get("code", "")),
        str(entry.get("message", "")),
        str(location.get("file", "")),
        int(location.get("row", 0)),
    )
