"""`kubernetes.apply`: server-side apply of every document of a file or folder, with strict fields and owners respected."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.config.options import FilePath, OneLine
from console.config.options import Options as TableOptions
from console.domain.errors import Failed, Refused
from console.engine.ports import Change, Description, Finding, Json
from console.targets.kubernetes.client import APPLY, Conflict, KubernetesTarget, NotFound
from console.targets.kubernetes.edits import Edit, Goal
from console.targets.kubernetes.objects import Ref, content, encoded, named_by
from console.targets.kubernetes.resources import WORKLOAD_KINDS, Resource, resource_from_definition
from console.targets.kubernetes.step import KubernetesStep, managed_by, paused
from console.targets.text import clean_line

KIND = "kubernetes.apply"
TARGET_KINDS = ("kubernetes",)

_SUFFIXES = (".yaml", ".yml", ".json")
_LARGEST_FILE_BYTES = 10 * 1024 * 1024
_FIELDS_NAMED = 6  # of those that are taken over from one owner
_FIRST = ("Namespace", "CustomResourceDefinition")  # what the other documents of a file may need


class Options(TableOptions):
    """Which manifests are applied, and where."""

    path: FilePath
    """A file with one or more documents, or a folder of such files."""
    namespace: OneLine | None = None
    """The namespace of documents that name none, as with `kubectl apply -n`."""
    force_conflicts: bool = False
    """Take over fields that somebody else owns; the preview names them with their owners. Left false, that is refused."""


@dataclass(frozen=True, slots=True)
class Document:
    ref: Ref
    resource: Resource
    manifest: Json

    def needs(self, missing: Sequence[Document]) -> bool:
        """Whether its namespace or its kind is created by one of these, so that the server can't rehearse it before."""
        namespaces = {d.ref.name for d in missing if d.ref.kind == "Namespace"}
        return self.ref.namespace in namespaces or any(_defines(d.manifest, self.manifest) for d in missing)


class KubernetesApply(KubernetesStep):
    def __init__(self, step_id: str, options: Options, target: KubernetesTarget) -> None:
        super().__init__(step_id, target)
        self._options = options

    def describe(self) -> Description:
        return Description(f"apply {self._options.path.name}", (self._command(),))

    async def preflight(self) -> Sequence[Finding]:
        documents = await self._documents()
        resources = {(d.resource.qualified, d.ref.namespace): d for d in documents}
        checked = await asyncio.gather(
            *(self._permitted(["get", "create", "patch"], d.resource, d.ref.namespace) for d in resources.values())
        )
        findings = [finding for found in checked for finding in found]
        if any(f.level == "block" for f in findings):
            return [f for f in findings if f.level == "block"]
        for live in await asyncio.gather(*(self._live(d) for d in documents)):
            findings += [*managed_by(live), *paused(live)] if live is not None else []
        return findings

    async def plan(self, pin: Json = None) -> Change:  # noqa: ARG002 - nothing is chosen here
        documents = await self._documents()
        lives = await asyncio.gather(*(self._live(d) for d in documents))
        missing = [d for d, live in zip(documents, lives, strict=True) if live is None]
        planned = await asyncio.gather(
            *(self._edit(d, live, missing) for d, live in zip(documents, lives, strict=True))
        )
        edits = [edit for edit, _ in planned]
        rollouts = tuple(d.ref for d in documents if d.ref.kind in WORKLOAD_KINDS)
        count = f"{len(documents)} object{'s' if len(documents) != 1 else ''}"
        name = self._options.path.name
        goal = Goal(tuple(e for e in edits if e.changes), (), rollouts, (), (f"{count} as in {name}",))
        created, changed = _count(edits)
        return self._change(
            f"{name}: {created} created, {changed} changed, {len(edits) - created - changed} already so",
            goal,
            lives={str(d.ref): live for d, live in zip(documents, lives, strict=True)},
            commands=[self._command()],
            findings=[*_unrehearsed(missing), *(finding for _, taken in planned for finding in taken)],
        )

    async def _edit(self, document: Document, live: Json, missing: Sequence[Document]) -> tuple[Edit, list[Finding]]:
        after, taken = document.manifest, list[Finding]()
        if live is not None or not document.needs(missing):
            after, taken = await self._rehearsed(document)
        edit = Edit(
            document.ref,
            content(live),
            content(after) if live is not None else named_by(content(document.manifest), content(after)),
            content_type=APPLY,
            body=document.manifest,
            uid=live["metadata"]["uid"] if live else "",
            force=self._options.force_conflicts,
        )
        return edit, taken

    async def _rehearsed(self, document: Document) -> tuple[Json, list[Finding]]:
        """The object as it will be, and whose fields are taken over. Without force first: with it the server names no owner."""
        path, manifest = document.ref.path, document.manifest
        try:
            try:
                return await self._target.rehearse(path, manifest, APPLY), []
            except Conflict as error:
                if not (self._options.force_conflicts and error.owners):
                    raise
                return await self._target.rehearse(path, manifest, APPLY, force=True), _takes_over(document, error)
        except Conflict as error:
            raise Refused(
                f"{document.ref}: {error.message}", "set force_conflicts = true to take the field over"
            ) from None
        except NotFound as error:
            raise Refused(f"{document.ref} can't be rehearsed: {error.message}", "does its namespace exist?") from None
        except (Refused, Failed) as error:
            raise type(error)(f"{document.ref} in {self._options.path.name}: {error.message}", error.hint) from None

    # ------------------------------------------------------------ reading the files

    async def _documents(self) -> list[Document]:
        manifests = await asyncio.to_thread(read_manifests, self._options.path)
        documents = [await self._document(encoded(m) if m["kind"] == "Secret" else m, manifests) for m in manifests]
        documents.sort(key=lambda d: _FIRST.index(d.ref.kind) if d.ref.kind in _FIRST else len(_FIRST))
        for ref, times in Counter(str(d.ref) for d in documents).items():
            if times > 1:
                raise Refused(f"{self._options.path} has {ref} {times} times", "which one is meant?")
        return documents

    async def _document(self, manifest: dict[str, Any], manifests: Sequence[Any]) -> Document:
        api_version, kind = manifest["apiVersion"], manifest["kind"]
        defined = (resource_from_definition(m, api_version, kind) for m in manifests)
        resource = next((r for r in defined if r), None) or await self._target.resource(api_version, kind)
        metadata = manifest["metadata"]
        name, namespace = str(metadata["name"]), str(metadata.get("namespace") or "")
        if resource.namespaced:
            namespace = self._namespace(f"{manifest['kind']} {name}", namespace)
            manifest = {**manifest, "metadata": {**metadata, "namespace": namespace}}
        return Document(resource.ref(namespace, name), resource, manifest)

    def _namespace(self, what: str, written: str) -> str:
        wanted = self._options.namespace or ""
        if written and wanted and written != wanted:
            raise Refused(f"{what} names namespace {written}, the step says {wanted}", "make them agree")
        if not (written or wanted):
            raise Refused(f"{what} names no namespace", 'give the step namespace = "…"')
        return written or wanted

    async def _live(self, document: Document) -> Json:
        return await self._target.get_or_none(document.ref.path)

    def _command(self) -> str:
        force = ("--force-conflicts",) if self._options.force_conflicts else ()
        words = ("apply", "--server-side", "--field-manager=rollback-console", *force, "-f", str(self._options.path))
        return self._kubectl(*words, namespace=self._options.namespace or "")


def read_manifests(path: Path) -> list[dict[str, Any]]:
    """Every document of a file or folder, lists opened. Raises Refused naming file, line and what is wrong."""
    found = [manifest for file in _files(path) for manifest in _read(file)]
    if not found:
        raise Refused(f"{path} holds no manifest", "is it the right file?")
    return found


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise Refused(f"there is no {path}", "a path that is not absolute starts at the configuration file's folder")
    if path.is_dir():
        return sorted(f for f in path.iterdir() if f.suffix in _SUFFIXES and f.is_file())
    return [path]


def _read(file: Path) -> Iterator[dict[str, Any]]:
    import yaml

    try:
        if file.stat().st_size > _LARGEST_FILE_BYTES:
            raise Refused(f"{file} is larger than {_LARGEST_FILE_BYTES // 1024**2} MiB", "is it the right file?")
        documents = list(yaml.load_all(file.read_text(encoding="utf-8"), _loader()))
        documents = json.loads(json.dumps(documents))  # as it will be sent: every key a text
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{file} can't be read: {clean_line(str(error))}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise Refused(f"{file}{where} is not YAML: {clean_line(str(problem))}") from None
    except (TypeError, ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else clean_line(str(error))
        raise Refused(f"{file} is not a manifest: {reason}") from None
    for number, document in enumerate(documents, start=1):
        if document is not None:
            yield from _opened(document, f"{file}, document {number}")


def _loader() -> Any:
    """YAML as kubectl reads it: a date stays text, and a key that stands twice is a mistake."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {  # noqa: RUF012 - the name and shape that PyYAML wants
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            names = Counter(
                key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"
            )
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and names[key.value] > 1:
                    raise yaml.constructor.ConstructorError(
                        None, None, f'the key "{key.value}" stands twice', key.start_mark
                    )
            return super().construct_mapping(node, deep)

    return Loader


def _opened(document: Any, where: str) -> Iterator[dict[str, Any]]:
    if (
        isinstance(document, dict)
        and isinstance(document.get("items"), list)
        and str(document.get("kind", "")).endswith("List")
    ):
        for index, item in enumerate(document["items"], start=1):
            yield from _opened(item, f"{where}, item {index}")
        return
    if not isinstance(document, dict):
        raise Refused(f"{where} is not a Kubernetes object")
    metadata = document.get("metadata")
    missing = [k for k in ("apiVersion", "kind") if not isinstance(document.get(k), str)]
    missing += [] if isinstance(metadata, dict) and metadata.get("name") else ["metadata.name"]
    if missing:
        raise Refused(f"{where} has no {', '.join(missing)}", "is it a Kubernetes object?")
    yield document


def _defines(definition: Json, manifest: Json) -> bool:
    return resource_from_definition(definition, manifest["apiVersion"], manifest["kind"]) is not None


def _unrehearsed(missing: Sequence[Document]) -> list[Finding]:
    waiting = [d for d in missing if d.needs(missing)]
    text = "can't be rehearsed before its namespace or its kind is there"
    return [Finding("info", f"{document.ref} {text}", "not_rehearsed") for document in waiting]


def _takes_over(document: Document, conflict: Conflict) -> list[Finding]:
    found = []
    for owner, fields in conflict.owners.items():
        more = f" and {len(fields) - _FIELDS_NAMED} more" if len(fields) > _FIELDS_NAMED else ""
        text = f"{document.ref}: takes over {', '.join(fields[:_FIELDS_NAMED])}{more} from {owner}"
        found.append(Finding("warn", text, "takes_over"))
    return found


def _count(edits: Sequence[Edit]) -> tuple[int, int]:
    created = sum(1 for e in edits if e.before is None)
    return created, sum(1 for e in edits if e.changes) - created


def build(step_id: str, options: Options, target: KubernetesTarget) -> KubernetesApply:
    return KubernetesApply(step_id, options, target)
