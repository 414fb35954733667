"""Bundles: opening one, and fetching it again and again from where it comes, a web server or a file.

The format is OPA's; signatures, deltas and compiled policies are refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path as FilePath
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

from console.sandbox.opa.documents import Path
from console.sandbox.opa.errors import Mistaken, NotInDrill
from console.sandbox.opa.parser import parse_module
from console.sandbox.opa.service import ActiveBundle, Opa

LARGEST_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class BundleSource:
    """What OPA's configuration says of a bundle: its name, where it comes from (`http://…` or `file://…`), and how often."""

    name: str
    url: str
    every_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Bundle:
    texts: dict[str, str]
    data: dict[str, Any]
    manifest: dict[str, Any]

    @property
    def roots(self) -> tuple[Path, ...]:
        return tuple(tuple(part for part in root.split("/") if part) for root in self.manifest["roots"])


def opened(packed: bytes) -> Bundle:
    """What is in an archive. Raises ValueError, or Mistaken for a module that does not parse."""
    texts: dict[str, str] = {}
    data: dict[str, Any] = {}
    manifest: dict[str, Any] = {}
    for name, content in _files(packed):
        folder, _, file = name.rpartition("/")
        if file.endswith(".rego"):
            texts[name] = content.decode(errors="replace")
            parse_module(f"/{name}", texts[name])
        elif file in ("data.json", "data.yaml", "data.yml"):
            _put(data, [part for part in folder.split("/") if part], _parsed(file, content), name)
        elif name == ".manifest":
            manifest = json.loads(content)
        elif file in ("policy.wasm", "plan.json", "patch.json") or name == ".signatures.json":
            raise NotInDrill(f"the drill's OPA takes no bundle with {file}")
    roots = manifest.get("roots")
    known: dict[str, Any] = {key: manifest[key] for key in ("metadata", "rego_version") if key in manifest}
    made = Bundle(
        texts,
        data,
        {
            "revision": manifest.get("revision", ""),
            "roots": [""] if roots is None else [r.strip("/") for r in roots],
            **known,
        },
    )
    _refuse_outside(made)
    return made


def _files(packed: bytes) -> list[tuple[str, bytes]]:
    found = []
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            unpacked = stream.read(LARGEST_BYTES)
        with tarfile.open(fileobj=io.BytesIO(unpacked)) as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                if content is not None:
                    found.append((member.name.removeprefix("./").removeprefix("/"), content.read()))
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise ValueError(f"archive read failed: {error}") from None
    return found


def _parsed(file: str, content: bytes) -> Any:
    if file == "data.json":
        return json.loads(content)
    import yaml

    return yaml.safe_load(content)


def _put(data: dict[str, Any], folder: list[str], value: Any, name: str) -> None:
    if not folder:
        if not isinstance(value, dict):
            raise ValueError(f"bundle load failed on {name}: root value must be object")
        for key, inner in value.items():
            _put(data, [key], inner, name)
        return
    for part in folder[:-1]:
        data = data.setdefault(part, {})
    there = data.get(folder[-1])
    if isinstance(there, dict) and isinstance(value, dict):
        for key, inner in value.items():
            _put(there, [key], inner, name)
    else:
        data[folder[-1]] = value


def _refuse_outside(bundle: Bundle) -> None:
    for name, text in bundle.texts.items():
        module = parse_module(name, text)
        package = module.package if module is not None else ()
        if not any(package[: len(root)] == root for root in bundle.roots):
            roots = ", ".join("/".join(root) for root in bundle.roots)
            raise ValueError(
                f"manifest roots [{roots}] do not permit 'package {'.'.join(package)}' in module '/{name}'"
            )


class Follower:
    """Keeps one bundle of an OPA as it is at its source, while the `async with` block lasts."""

    def __init__(self, opa: Opa, source: BundleSource, change: Callable[..., Awaitable[None]]) -> None:
        """`change` calls a function when nothing else is being changed."""
        self.source = source
        self.active = False
        self._opa = opa
        self._change = change
        self._etag = ""
        self._status: dict[str, Any] = {"name": source.name}
        self._task: asyncio.Task[None] | None = None

    @property
    def status(self) -> dict[str, Any]:
        """As `GET /v1/status` shows it."""
        return dict(self._status)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self.source.every_seconds)

    async def look(self) -> None:
        """Fetches it once, and activates it if it is another one."""
        self._status["last_request"] = _now()
        try:
            packed, etag = await self._fetched()
            if not packed:
                return
            self._status["last_successful_download"] = self._status["last_successful_request"] = _now()
            bundle = await asyncio.to_thread(opened, packed)
            await self._change(self._activate, bundle, etag)
        except (Mistaken, ValueError, OSError, NotInDrill) as error:
            self._status |= {"code": "bundle_error", "message": str(error)}
            if isinstance(error, Mistaken):
                self._status["errors"] = [one.to_json() for one in error.errors]
            return
        self._etag = etag
        self.active = True
        for key in ("code", "message", "errors"):
            self._status.pop(key, None)
        self._status |= {
            "active_revision": bundle.manifest["revision"],
            "last_successful_activation": _now(),
            "type": "snapshot",
            "size": len(packed),
        }

    def _activate(self, bundle: Bundle, etag: str) -> None:
        name = self.source.name
        active = ActiveBundle(name, bundle.roots, bundle.manifest["revision"])
        texts = {f"{name}/{path}": text for path, text in bundle.texts.items()}
        self._opa.activate(active, texts, bundle.data, etag, bundle.manifest)

    async def _fetched(self) -> tuple[bytes, str]:
        """The archive and its tag; nothing when it is still the active one."""
        url = urlsplit(self.source.url)
        if url.scheme == "file":
            packed = await asyncio.to_thread(FilePath(unquote(url.path)).read_bytes)
            tag = hashlib.sha256(packed).hexdigest()
            return (b"", tag) if tag == self._etag else (packed, tag)
        from aiohttp import ClientError, ClientSession

        headers = {"If-None-Match": self._etag} if self._etag else {}
        try:
            async with (
                ClientSession(trust_env=False) as session,
                session.get(self.source.url, headers=headers) as answer,
            ):
                if answer.status == 304:
                    return b"", self._etag
                if answer.status != 200:
                    raise ValueError(f"server replied with {answer.reason}")
                etag = answer.headers.get("ETag", "")
                packed = await answer.read()
                return (b"", etag) if etag and etag == self._etag else (packed, etag)
        except ClientError as error:
            raise ValueError(f"request failed: {error}") from None


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
