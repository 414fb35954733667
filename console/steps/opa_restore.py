"""`opa.restore`: puts the policies and data of an archive back into every replica of an OPA, and proves it by hash and decision.

A curl that PUTs the archive as one policy is answered with 400 and exits 0; nothing is restored and nobody is told. Here the
archive is opened, compared, put module by module in an order that compiles, or taken back whole (docs/decisions/0010). Where
a bundle owns the policies, the archive is published where that bundle comes from.
"""

from __future__ import annotations

import asyncio
import shlex
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from console.config.options import FilePath, OneLine, PositiveDuration
from console.config.options import Options as TableOptions
from console.config.secrets import SecretReference
from console.domain.errors import ConsoleError, Failed, Refused
from console.engine.ports import Change, Description, Finding, Json, Probe, Progress, Proof, Receipt
from console.targets.git.names import SHORT, RefName
from console.targets.git.snapshot import Snapshots
from console.targets.http import HttpUrl
from console.targets.opa.archive import Archive, open_archive, read_archive
from console.targets.opa.client import OpaTarget
from console.targets.opa.goal import Goal, stored
from console.targets.opa.home import CommandHome, FileHome, Home, HttpHome, run
from console.targets.opa.paths import path_of
from console.targets.opa.proof import proof_words, unproven, where_it_stands
from console.targets.opa.published import Published, where_home_stands
from console.targets.opa.pushed import Pushed
from console.targets.opa.questions import DecisionProbe
from console.targets.opa.scope import Scope, outside, scope_of
from console.targets.opa.sending import carry_out
from console.targets.opa.survey import AT_HOME, left_by, owned, survey
from console.targets.opa.wire import Wire

if TYPE_CHECKING:
    from console.engine.gateway import Permit

KIND = "opa.restore"
TARGET_KINDS = ("opa",)

_CHECK_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 0.5
_SHOWN = 4

Root = Annotated[str, StringConstraints(pattern=r"^[^\s]*$", max_length=300)]
Command = Annotated[tuple[Annotated[str, StringConstraints(min_length=1)], ...], Field(min_length=1)]


class BundleHome(TableOptions):
    """Where a bundle-managed OPA gets its bundle from: exactly one of `put`, `file` and `command`."""

    put: HttpUrl | None = None
    """An address that answers GET and takes PUT: `https://bundles.example.com/original.tar.gz`."""
    file: FilePath | None = None
    """The file that the bundle server serves, or that OPA itself reads."""
    command: Command | None = None
    """A program and its arguments that publish the archive. It can't be taken back."""
    token: SecretReference | None = None
    """A bearer token for `put`."""
    name: OneLine | None = None
    """The bundle's name in OPA's configuration; left out: the one that owns what the archive holds."""
    wait_seconds: PositiveDuration = 60.0
    """How long the replicas may take to fetch and activate it."""

    @model_validator(mode="after")
    def _exactly_one(self) -> BundleHome:
        if sum(way is not None for way in (self.put, self.file, self.command)) != 1:
            raise ValueError('exactly one of "put", "file" and "command"')
        return self


class Repository(TableOptions):
    """A commit of a clone on this machine, whose files are restored as an archive's would be."""

    clone: FilePath
    """The clone, or a bare repository: `/policy-repository`. It is read as it is; nothing is fetched."""
    ref: RefName
    """The tag, branch or commit: `backup/pre-migration-state`. The preview pins the commit that it stands for."""
    folder: Annotated[str, StringConstraints(pattern=r"^\.?[A-Za-z0-9_][^\s:]*$", max_length=300)] = ""
    """The folder of policies in it; left out: all of it."""

    def tree(self, commit: str) -> str:
        return f"{commit}:{self.folder}" if self.folder else commit


class Options(TableOptions):
    """Which archive, what of OPA it answers for, and how to tell that it works again."""

    archive: FilePath | None = None
    """The bundle, as `opa build` or tar makes it: `backup/original-policies.tar.gz`."""
    repository: Repository | None = None
    """Instead of an archive: `{ clone = "/policy-repository", ref = "backup/pre-migration-state", folder = "policies" }`."""
    prefix: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_-][A-Za-z0-9._-]*(/|$))*$", max_length=200)] = ""
    """What the ids of its modules begin with: `original-bundle/`. Everything else so named goes."""
    owns: tuple[Root, ...] | None = None
    """What of `data` it answers for, packages included; what is there and not in the archive goes. Left out: the manifest's
    roots, or what the archive holds where it names none."""
    decisions: tuple[DecisionProbe, ...] = ()
    """Questions with known answers, asked of every replica."""
    check_with: Command | None = None
    """An opa program of the same version as the server, to compile the archive before anything is planned: `["opa"]`."""
    bundle: BundleHome | None = None
    """For an OPA that gets these policies as a bundle: where that comes from."""
    allow_missing: bool = False
    """Restore the replicas that answer, although others do not."""

    @model_validator(mode="after")
    def _one_source(self) -> Options:
        if (self.archive is None) == (self.repository is None):
            raise ValueError('either "archive" or "repository"')
        return self

    @property
    def source(self) -> Path | Repository:
        source = self.archive or self.repository
        if source is None:
            raise ValueError('neither "archive" nor "repository"')
        return source

    @model_validator(mode="after")
    def _what_a_bundle_decides(self) -> Options:
        if self.bundle is not None and (self.prefix or self.allow_missing):
            raise ValueError(
                'with "bundle", OPA names the modules and every replica has to be seen: no "prefix", no "allow_missing"'
            )
        return self


class OpaRestore:
    irreversible: str | None = None

    def __init__(self, step_id: str, options: Options, target: OpaTarget) -> None:
        self._id = step_id
        self._options = options
        self._target = target
        self._source = options.source
        self._home = _home(options.bundle, target) if options.bundle else None
        self._wait_seconds = options.bundle.wait_seconds if options.bundle else 0.0
        self._decisions = tuple(probe.decision() for probe in options.decisions)
        if self._home is not None and not self._home.readable:
            self.irreversible = f"what the {self._home.label} published can't be read back"

    def describe(self) -> Description:
        labels = ", ".join(r.label for r in self._target.replicas)
        where = f"{self._home.label} for OPA {labels}" if self._home else f"OPA {labels}"
        source = self._source
        if isinstance(source, Path):
            return Description(f"restore {source.name} to {where}", (shlex.join(["tar", "-tzvf", str(source)]),))
        return Description(
            f"restore the policies of {source.ref} in {source.clone} to {where}",
            (shlex.join(["git", "-C", str(source.clone), "ls-tree", "-r", "--name-only", source.tree(source.ref)]),),
        )

    # ------------------------------------------------------------ before

    async def preflight(self) -> Sequence[Finding]:
        try:
            archive, scope = await self._opened(await self._commit())
        except Refused as error:  # planning says so too, and rolling forward needs no archive
            return [*await self._reachable(Scope("", (), ())), Finding("warn", str(error), "archive")]
        return [*await self._reachable(scope), *_about(archive, scope)]

    async def _reachable(self, scope: Scope) -> list[Finding]:
        found = await survey(self._target, scope.documents)
        fine = ", ".join(s.replica.label for s in found.snapshots)
        level: Literal["warn", "block"] = (
            "warn" if self._options.allow_missing and found.snapshots and self._home is None else "block"
        )
        findings = [Finding("ok", f"OPA answers: {fine}", "reachable")] if fine else []
        findings += [Finding(level, reason, "replica_missing") for reason in found.missing.values()]
        trouble = owned(found, scope)
        if self._home is None:
            return findings + [Finding("block", f"{text}; {AT_HOME}", "bundle_managed") for text in trouble]
        try:
            await self._home.read()
        except Failed as error:
            findings.append(Finding("block", error.message, "unreadable_home"))
        return findings + [Finding("info", text, "bundle_managed") for text in trouble]

    async def plan(self, pin: Json = None) -> Change:
        commit = str(pin) if pin else await self._commit()
        archive, scope = await self._opened(commit)
        await self._compiled(archive)
        if self._home is not None:
            change = await self._published(self._home).plan(archive, scope, self._decisions)
        else:
            change = await self._pushed().plan(archive, scope, self._options.prefix, self._decisions)
        source = self._source
        if isinstance(source, Path):
            return change
        packing = () if change.already else (_snapshots(source).shown(commit),)
        found = Finding("info", f"from commit {commit[:SHORT]} of {source.clone}", "commit")
        return replace(change, pin=commit, commands=(*packing, *change.commands), findings=(found, *change.findings))

    async def plan_undo(self, pre_images: Sequence[Json]) -> Change:
        if any(image.get("home") for image in pre_images):
            if self._home is None:
                raise Refused(
                    "it was published at a bundle's home, which the file no longer names", "put bundle = { … } back"
                )
            return await self._published(self._home).plan_undo(pre_images)
        return await self._pushed().plan_undo(pre_images)

    async def capture(self, change: Change) -> Json:
        goal = Goal.from_json(change.goal)
        return {**stored(goal.edits, goal.data), "home": goal.home and goal.home.to_json()}

    # ------------------------------------------------------------ carrying out

    async def apply(self, goal: Json, permit: Permit) -> Receipt:
        wanted = Goal.from_json(goal)
        if wanted.home is not None:
            home = self._at_home()
            await home.publish(wanted.home, permit)
            return Receipt(f"published to the {home.label}")
        done = await carry_out(self._target, wanted, permit)
        return Receipt(f"sent: {', '.join(done)}", left_by(self._target, wanted.edits, wanted.data))

    async def probe(self, goal: Json) -> Probe:
        wanted = Goal.from_json(goal)
        if wanted.home is None:
            return await where_it_stands(self._target, wanted)
        return await where_home_stands(self._at_home(), wanted.home, lambda: unproven(self._target, wanted))

    async def watch(self, goal: Json) -> AsyncIterator[Progress | Proof]:
        wanted = Goal.from_json(goal)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self._wait_seconds if wanted.home else 0.0)
        while wrong := await self._wrong(wanted, last=loop.time() >= deadline):
            told = "; ".join(wrong[:_SHOWN]) + (f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else "")
            if loop.time() >= deadline:
                raise Failed(told, await self._why_not(wanted))
            yield Progress(f"waiting for the replicas: {told}")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        yield Proof(await proof_words(self._target, wanted))

    async def _wrong(self, wanted: Goal, *, last: bool) -> list[str]:
        """A replica that is fetching its bundle may be away for a moment; at the end that is the reason."""
        try:
            return await unproven(self._target, wanted)
        except ConsoleError as error:
            if last:
                raise
            return [error.message]

    async def _why_not(self, wanted: Goal) -> str:
        if wanted.home is None:
            return "somebody or something put it back; look at who else writes policies"
        replicas = [self._target.replica(url) for url in wanted.replicas]
        said = {t for r in replicas if (t := await r.bundle_trouble(wanted.home.bundle))}
        return f"OPA says: {'; '.join(sorted(said))}" if said else "published, but not active: look at OPA's log"

    # ------------------------------------------------------------ small things

    async def _commit(self) -> str:
        """The commit that the repository's name stands for now; empty for an archive."""
        source = self._source
        return "" if isinstance(source, Path) else await _snapshots(source).resolved(source.ref)

    async def _archive(self, commit: str) -> Archive:
        if isinstance(self._source, Path):
            return await asyncio.to_thread(open_archive, self._source)
        snapshots = _snapshots(self._source)
        packed = await snapshots.packed(commit)
        return await asyncio.to_thread(read_archive, Path(snapshots.name(commit)), packed)

    async def _opened(self, commit: str) -> tuple[Archive, Scope]:
        archive = await self._archive(commit)
        owns = self._options.owns
        scope = scope_of(archive, self._options.prefix, None if owns is None else [path_of(root) for root in owns])
        if left_out := outside(archive, scope):
            raise Refused(
                f"{archive.file.name} holds what the step does not own: {', '.join(left_out[:_SHOWN])}",
                "add it to owns, or leave owns out",
            )
        return archive, scope

    async def _compiled(self, archive: Archive) -> None:
        """Asks the opa program that the file names, if it names one; OPA's server has no way to try a module out."""
        if self._options.check_with is None:
            return
        with tempfile.TemporaryDirectory(prefix="rollback-console-") as folder:
            file = Path(folder) / "policies.tar.gz"
            await asyncio.to_thread(file.write_bytes, archive.packed)
            code, output = await run((*self._options.check_with, "check", "--bundle", str(file)), _CHECK_SECONDS)
        if code != 0:
            raise Refused(f"{archive.file.name} does not compile: {output}", "nothing was changed")

    def _pushed(self) -> Pushed:
        return Pushed(self._target, allow_missing=self._options.allow_missing)

    def _published(self, home: Home) -> Published:
        return Published(self._target, home, self._options.bundle.name if self._options.bundle else None)

    def _at_home(self) -> Home:
        if self._home is None:
            raise Refused("the file no longer names the bundle's home", "put bundle = { … } back to act on it")
        return self._home


def _about(archive: Archive, scope: Scope) -> list[Finding]:
    """What is worth knowing about the archive before it is trusted."""
    found = [Finding("info", f"answers for {scope.words}: what is there and not in the archive goes", "scope")]
    if archive.signed:
        text = f"{archive.file.name} is signed; the signature is not verified here"
        found.append(Finding("warn", text, "signature_not_verified"))
    if archive.rego_version == 0:
        text = f"{archive.file.name} says that it is written in Rego v0, which OPA 1.x takes only with --v0-compatible"
        found.append(Finding("warn", text, "rego_v0"))
    if archive.ignored:
        names = ", ".join(archive.ignored[:_SHOWN])
        found.append(Finding("info", f"{len(archive.ignored)} other files are not restored: {names}", "ignored"))
    return found


def _home(bundle: BundleHome, target: OpaTarget) -> Home:
    if bundle.file is not None:
        return FileHome(bundle.file)
    if bundle.command is not None:
        return CommandHome(bundle.command, bundle.wait_seconds)
    wire = target.adopt(
        Wire(bundle.put or "", ca=target.ca, token=bundle.token, timeout_seconds=target.timeout_seconds)
    )
    variable = bundle.token.env if bundle.token and bundle.token.env else "BUNDLE_TOKEN"
    token = f' -H "Authorization: Bearer ${variable}"' if bundle.token else ""
    authorities = f" --cacert {shlex.quote(str(target.ca))}" if target.ca else ""
    return HttpHome(wire, f"curl -f{token}{authorities}")


def _snapshots(source: Repository) -> Snapshots:
    return Snapshots(source.clone, source.tree)


def build(step_id: str, options: Options, target: OpaTarget) -> OpaRestore:
    return OpaRestore(step_id, options, target)
