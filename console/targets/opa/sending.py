"""Carries edits out on one replica after the other: modules in dependency order, data in one transaction, all or nothing.

OPA compiles all modules together at every PUT and DELETE and commits each alone (server.go, v1PoliciesPut), so a set of
modules can't be replaced at once, and whether one can be put may depend on another that is still to come. So what is turned
away is tried again after the others. Where two block each other (an old rule calls a function that the new library no longer
has, the new rule one that the old library doesn't have yet) the blocking module is emptied for a moment. When nothing moves
any more, everything is put back, the latest first, and read back: a restore that does not compile leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from console.domain.difference import ABSENT
from console.domain.errors import ConsoleError, Failed, Refused, Unknown
from console.targets.opa.goal import DataEdit, Edit, Goal, Standing
from console.targets.opa.paths import patch_of, put_at, spelled, value_at
from console.targets.opa.rego import in_order, placeholder
from console.targets.opa.replica import Rejected, Replica

if TYPE_CHECKING:
    from console.engine.gateway import Permit
    from console.targets.opa.client import OpaTarget


class Operation(Protocol):
    """One request that changes something. `module` is the id of the module it is about, if it is about one."""

    @property
    def replica(self) -> Replica: ...

    @property
    def name(self) -> str: ...

    @property
    def module(self) -> str: ...

    async def standing(self) -> Standing: ...

    async def send(self, permit: Permit) -> None: ...

    def reversed(self) -> Operation: ...


@dataclass(frozen=True, slots=True)
class ModuleOperation:
    replica: Replica
    edit: Edit

    @property
    def name(self) -> str:
        return f"{self.edit.id} on {self.replica.label}"

    @property
    def module(self) -> str:
        return self.edit.id

    async def standing(self) -> Standing:
        return self.edit.standing(await self.replica.policy(self.edit.id))

    async def send(self, permit: Permit) -> None:
        if self.edit.after is None:
            await self.replica.delete_policy(self.edit.id, permit)
        else:
            await self.replica.put_policy(self.edit.id, self.edit.after, permit)

    def reversed(self) -> ModuleOperation:
        return ModuleOperation(self.replica, self.edit.reversed())

    def emptied(self) -> ModuleOperation | None:
        """The module as it stands with nothing in it, to make room; None where nothing of it stands or would come back."""
        if self.edit.before is None or self.edit.after is None:
            return None
        return ModuleOperation(self.replica, replace(self.edit, after=placeholder(self.edit.before)))


@dataclass(frozen=True, slots=True)
class DataOperation:
    """All documents of one replica."""

    replica: Replica
    edits: tuple[DataEdit, ...]

    @property
    def name(self) -> str:
        return f"data {', '.join(spelled(e.path) for e in self.edits)} on {self.replica.label}"

    @property
    def module(self) -> str:
        return ""

    async def standing(self) -> Standing:
        found = await self._live()
        standings = {edit.standing(value_at(found, edit.path)) for edit in self.edits}
        return "neither" if "neither" in standings else "old" if "old" in standings else "new"

    async def send(self, permit: Permit) -> None:
        found = wanted = await self._live()
        for edit in self.edits:
            wanted = pruned(put_at(wanted, edit.path, edit.after), edit)
        await self.replica.patch_data(patch_of(found, wanted), permit)

    def reversed(self) -> DataOperation:
        return DataOperation(self.replica, tuple(e.reversed() for e in self.edits))

    async def _live(self) -> object:
        return await self.replica.data([e.path for e in self.edits], await self.replica.policies())


def pruned(document: object, edit: DataEdit) -> object:
    """Without the parents that were made for a place that is empty again."""
    if not edit.made or edit.after is not ABSENT:
        return document
    for length in range(len(edit.path) - 1, edit.made - 1, -1):
        if value_at(document, edit.path[:length]) == {}:
            document = put_at(document, edit.path[:length], ABSENT)
    return document


async def carry_out(target: OpaTarget, goal: Goal, permit: Permit) -> list[str]:
    """Sends what is not in place yet; the names of what was sent. Raises Refused, Failed (put back, or not) or Unknown."""
    done: list[Operation] = []
    try:
        for url in goal.replicas:
            await _Sender(permit, done).send(operations(target.replica(url), goal))
    except Refused as error:
        if not done:
            raise
        raise await _taken_back(done, permit, error) from None
    except Failed as error:
        if not done:
            raise Refused(error.message, "nothing was sent") from None
        raise
    return list(dict.fromkeys(operation.name for operation in done))


def operations(replica: Replica, goal: Goal) -> list[Operation]:
    """Data first: new rules find what they ask for. Then modules, needed ones first, and what has to go, needed ones last."""
    edits = {e.id: e for e in goal.edits if e.replica == replica.url}
    data = tuple(d for d in goal.data if d.replica == replica.url)
    puts = in_order({i: e.after for i, e in edits.items() if e.after is not None})
    gone = in_order({i: e.before for i, e in edits.items() if e.after is None and e.before is not None})
    modules = [ModuleOperation(replica, edits[i]) for i in [*puts, *reversed(gone)]]
    return [*([DataOperation(replica, data)] if data else []), *modules]


class _Sender:
    """Sends the operations of one replica and notes in `done` what had an effect."""

    def __init__(self, permit: Permit, done: list[Operation]) -> None:
        self._permit = permit
        self._done = done
        self._emptied: set[str] = set()

    async def send(self, pending: Sequence[Operation]) -> None:
        while pending:
            deferred: list[tuple[Operation, Rejected]] = []
            for operation in pending:
                try:
                    await self._once(operation)
                except Rejected as error:
                    if error.hopeless or error.owned_by_bundle:
                        raise _turned_away(operation, error) from None
                    deferred.append((operation, error))
            if len(deferred) == len(pending) and not await self._make_room(deferred):
                raise _turned_away(*deferred[0])
            pending = [operation for operation, _ in deferred]

    async def _once(self, operation: Operation) -> None:
        standing = await operation.standing()
        if standing == "neither":
            raise Refused(f"{operation.name} was changed by somebody else in between", "preview it again")
        if standing != "new":
            await operation.send(self._permit)
            self._done.append(operation)

    async def _make_room(self, deferred: Sequence[tuple[Operation, Rejected]]) -> bool:
        """Empties one module that others stumble over and that is itself about to be replaced."""
        named = {e.module for operation, error in deferred for e in error.errors if e.module != operation.module}
        waiting = [o for o, _ in deferred if isinstance(o, ModuleOperation) and o.module in named - self._emptied]
        for operation in reversed(waiting):  # the ones that nobody needs first
            empty = operation.emptied()
            if empty is None:
                continue
            try:
                await self._once(empty)
            except Rejected:
                continue
            self._emptied.add(operation.module)
            return True
        return False


def _turned_away(operation: Operation, error: Rejected) -> Refused:
    hint = (
        "the bundle would take it back; restore at the bundle's home: bundle = { … }" if error.owned_by_bundle else ""
    )
    return Refused(f"{operation.name} is turned away: {error.message}", hint or "nothing was changed")


async def _taken_back(done: Sequence[Operation], permit: Permit, cause: Refused) -> ConsoleError:
    """Puts back what was sent and reads it back. What to raise then."""
    reasons = f"{cause.message}; what had been sent"
    effects = _effects(done)
    try:
        for of_replica in effects:
            await _Sender(permit, []).send([operation.reversed() for operation in reversed(of_replica)])
        left = [o.name for of_replica in effects for o in of_replica if await o.standing() != "old"]
    except Unknown as error:
        return Unknown(f"{reasons} is being put back, but: {error.message}", error.hint)
    except (Refused, Failed) as error:
        return Failed(f"{reasons} could not be put back: {error.message}", "go on, or roll it forward")
    if left:
        return Failed(f"{reasons} was put back, but not {', '.join(left)}", "somebody else is changing it too")
    return Failed(f"{reasons} was put back and reads as before: nothing is changed", "put the archive right first")


def _effects(done: Sequence[Operation]) -> list[list[Operation]]:
    """By replica what became of what: a module that was emptied and then put is one effect, from the first to the last."""
    grouped: dict[str, dict[str, Operation]] = {}
    for operation in done:
        of_replica = grouped.setdefault(operation.replica.url, {})
        earlier = of_replica.get(operation.module)
        if isinstance(operation, ModuleOperation) and isinstance(earlier, ModuleOperation):
            operation = ModuleOperation(operation.replica, replace(operation.edit, before=earlier.edit.before))
        of_replica[operation.module] = operation
    return [list(of_replica.values()) for of_replica in grouped.values()]
