"""Opens an OPA bundle archive without trusting it. Nothing is ever unpacked to disk: what is read stays in memory, bounded.

The format is OPA's (https://www.openpolicyagent.org/docs/management-bundles#bundle-file-format): a gzipped tar with `.rego`
modules, `data.json` or `data.yaml` at the place in `data` that their folder names, and a `.manifest`. Whoever reads fewer
modules than were packed would later *remove* the missing ones, so the archive is read to its very end: gzip's checksum and
tar's end marker must be there.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from console.domain.errors import Refused
from console.engine.ports import Json
from console.targets.opa.contents import NotExact, as_json, as_yaml
from console.targets.opa.paths import DataPath, covers, merged, outermost, path_of, spelled
from console.targets.opa.rego import package_of
from console.targets.text import clean_line

LARGEST_PACKED_BYTES: Final = 32 * 1024 * 1024
LARGEST_BYTES: Final = 64 * 1024 * 1024
"""Unpacked, headers and padding included."""
MOST_ENTRIES: Final = 10_000
LONGEST_NAME: Final = 512

_CHUNK_BYTES: Final = 1024 * 1024
_BLOCK_BYTES: Final = 512
_ANOTHER: Final = "name another archive, or make this one again with opa build"
_DATA_FILES: Final = {"data.json": as_json, "data.yaml": as_yaml, "data.yml": as_yaml}
_NOT_RESTORABLE: Final = {
    "policy.wasm": "compiled policies (policy.wasm), which OPA takes from a bundle server only and nobody can compare",
    "plan.json": "a compiled plan (plan.json), which OPA's server does not take",
    "patch.json": "a delta (patch.json), which says what to change and not what was there",
}


@dataclass(frozen=True, slots=True)
class Module:
    """`path` is its place in the archive, `entry` the same as the archive spells it: `./authz.rego`, `/authz.rego`."""

    path: str
    entry: str
    text: str
    package: DataPath


@dataclass(frozen=True, slots=True)
class Archive:
    """What an archive holds. `roots` is None where its manifest names none, which to OPA means everything."""

    file: Path
    packed: bytes
    modules: tuple[Module, ...]
    data: dict[str, Any]
    documents: tuple[DataPath, ...]
    roots: tuple[DataPath, ...] | None = None
    revision: str = ""
    rego_version: int | None = None
    signed: bool = False
    ignored: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.packed).hexdigest()


def open_archive(file: Path) -> Archive:
    """The archive, all of it understood, or Refused with the reason. Blocks: call it in a thread."""
    try:
        with file.open("rb") as stream:
            packed = stream.read(LARGEST_PACKED_BYTES + 1)
    except OSError as error:
        raise Refused(
            f"{file}: {(error.strerror or type(error).__name__).lower()}", "name the archive to restore"
        ) from None
    if len(packed) > LARGEST_PACKED_BYTES:
        raise _refused(file, f"it is larger than {LARGEST_PACKED_BYTES // 1024**2} MiB")
    return read_archive(file, packed)


def read_archive(file: Path, packed: bytes) -> Archive:
    """The same for an archive that is at hand already; `file` only names it."""
    try:
        entries = list(_entries(_unpacked(packed)))
        return _understood(file, packed, entries)
    except _Bad as bad:
        raise _refused(file, str(bad)) from None


class _Bad(Exception):
    """Why an archive is refused, in words for people."""


def _refused(file: Path, reason: str) -> Refused:
    return Refused(f"{file.name}: {reason}; nothing was unpacked", _ANOTHER)


# ---------------------------------------------------------------- gzip and tar


def _unpacked(packed: bytes) -> bytes:
    """Read bit by bit, so that a gigabyte of zeros is noticed long before it is a gigabyte; to the end, for its checksum."""
    whole = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                whole += chunk
                if len(whole) > LARGEST_BYTES:
                    raise _Bad(f"it unpacks to more than {LARGEST_BYTES // 1024**2} MiB")
    except EOFError:
        raise _Bad("it is cut off") from None
    except (OSError, zlib.error) as error:
        reason = "it is damaged" if packed[:2] == b"\x1f\x8b" else "it is not a gzipped archive"
        raise _Bad(f"{reason} ({clean_line(str(error), 80)})") from None
    return bytes(whole)


def _entries(unpacked: bytes) -> Iterator[tuple[str, str, bytes]]:
    """(path, name as spelled, content) of each file. Refuses whatever is not a plain file or folder."""
    seen: set[str] = set()
    try:
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as tar:
            for count, member in enumerate(tar, 1):
                if count > MOST_ENTRIES:
                    raise _Bad(f"it has more than {MOST_ENTRIES} entries")
                _refuse_kind(member)
                if member.isdir():
                    continue
                path = _safe(member.name)
                if path in seen:
                    raise _Bad(f"it holds {clean_line(path)} twice")
                seen.add(path)
                content = tar.extractfile(member)
                yield path, member.name, content.read() if content else b""
            end = tar.offset
    except (tarfile.TarError, ValueError, OverflowError, OSError) as error:
        raise _Bad(f"it is not a tar archive, or a broken one ({clean_line(str(error), 80)})") from None
    # tarfile takes a broken header for the end of the archive; only zeros are an end.
    if len(unpacked) - end < _BLOCK_BYTES or unpacked[end:].strip(b"\0"):
        raise _Bad("it breaks off before its end marker: some of its files may be missing")


def _refuse_kind(member: tarfile.TarInfo) -> None:
    if member.isdir() or (member.isreg() and not member.issparse()):
        return
    link = member.issym() or member.islnk()
    kind = "a link" if link else "a device or pipe" if member.isdev() else "neither a plain file nor a folder"
    raise _Bad(f"its entry {clean_line(member.name)} is {kind}")


def _safe(name: str) -> str:
    """The entry's place. `opa build` begins each name with "/", meaning the bundle's root; tar with "./"."""
    path = name.removeprefix("./") if name.startswith("./") else name.removeprefix("/")
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in path or path[1:2] == ":":
        raise _Bad(f'its entry "{clean_line(name)}" leads out of the archive')
    if not path.isprintable() or len(path) > LONGEST_NAME:
        raise _Bad(f'its entry "{clean_line(name, 60)}" has a name that nobody can read')
    return path


# ---------------------------------------------------------------- what it means


def _understood(file: Path, packed: bytes, entries: list[tuple[str, str, bytes]]) -> Archive:
    modules: list[Module] = []
    documents: list[tuple[DataPath, Json]] = []
    manifest: dict[str, Any] = {}
    ignored: list[str] = []
    for path, entry, content in entries:
        folder, _, name = path.rpartition("/")
        if name in _NOT_RESTORABLE:
            raise _Bad(f"it holds {_NOT_RESTORABLE[name]}")
        if name.endswith(".rego"):
            modules.append(_module(path, entry, content))
        elif name in _DATA_FILES:
            documents.append((path_of(folder), _parsed(path, name, content)))
        elif path == ".manifest":
            manifest = _manifest(content)
        elif path != ".signatures.json":
            ignored.append(path)
    if not modules and not documents:
        raise _Bad("it holds neither a .rego module nor data")
    archive = Archive(
        file=file,
        packed=packed,
        modules=tuple(sorted(modules, key=lambda m: m.path)),
        data=_joined(documents),
        documents=_units(documents),
        roots=_roots(manifest),
        revision=clean_line(str(manifest.get("revision") or ""), 80),
        rego_version=manifest.get("rego_version"),
        signed=any(path == ".signatures.json" for path, _, _ in entries),
        ignored=tuple(ignored),
    )
    _refuse_outside(archive)
    return archive


def _module(path: str, entry: str, content: bytes) -> Module:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise _Bad(f"{path} is not UTF-8 text") from None
    package = package_of(text)
    if package is None:
        raise _Bad(f"{path} does not compile: it has no package line")
    return Module(path, entry, text, package)


def _parsed(path: str, name: str, content: bytes) -> Json:
    try:
        return _DATA_FILES[name](content)
    except NotExact as error:
        raise _Bad(f"{path}: {error}") from None


def _manifest(content: bytes) -> dict[str, Any]:
    try:
        manifest = as_json(content)
    except NotExact as error:
        raise _Bad(f".manifest: {error}") from None
    if not isinstance(manifest, dict):
        raise _Bad(".manifest is not an object")
    if manifest.get("wasm"):
        raise _Bad(f"it holds {_NOT_RESTORABLE['policy.wasm']}")
    return manifest


def _roots(manifest: dict[str, Any]) -> tuple[DataPath, ...] | None:
    roots = manifest.get("roots")
    if roots is None:
        return None
    if not isinstance(roots, list) or not all(isinstance(root, str) for root in roots):
        raise _Bad("the roots in .manifest are not a list of paths")
    paths = tuple(path_of(root) for root in roots)
    return None if () in paths else paths


def _joined(documents: list[tuple[DataPath, Json]]) -> dict[str, Any]:
    """All data as one document. The folders' order doesn't matter; two files that give one place a value do."""
    data: dict[str, Any] = {}
    for path, value in documents:
        try:
            data = merged(data, path, value)
        except ValueError as error:
            raise _Bad(f"its data files give {error} two values") from None
    return data


def _units(documents: list[tuple[DataPath, Json]]) -> tuple[DataPath, ...]:
    """The places that the data files speak of: a file's folder, or the keys of the file at the root. None within another."""
    places = {p for path, value in documents for p in ([path] if path else [(key,) for key in value])}
    return outermost(places)


def _refuse_outside(archive: Archive) -> None:
    """OPA refuses such a bundle too: what is outside of its roots isn't its own."""
    if archive.roots is None:
        return
    for what, path in [(m.path, m.package) for m in archive.modules] + [("data", p) for p in archive.documents]:
        inside = any(covers(root, path) for root in archive.roots)
        if not inside and not (what == "data" and _only_within(archive, path)):
            raise _Bad(f"{what} ({spelled(path)}) lies outside of the roots in its manifest")


def _only_within(archive: Archive, path: DataPath) -> bool:
    """A document above a root may hold nothing beside it: `{"acgs": {"roles": …}}` with the root `acgs/roles`."""
    roots = archive.roots or ()
    value: Any = archive.data
    for part in path:
        value = value[part]
    if any(covers(root, path) for root in roots):
        return True
    if not isinstance(value, dict) or not any(covers(path, root) for root in roots):
        return False
    return all(_only_within(archive, (*path, key)) for key in value)
