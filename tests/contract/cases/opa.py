"""`opa.restore` as cases of the contract: pushed to two replicas, and published at a bundle's home."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from console.engine.ports import Json, Step
from tests.contract.step_contract import Case

_EDITED: Final = "acgs/authz.rego"


class Replica(Protocol):
    """As much of an OPA as other people use."""

    def put(self, policy_id: str, text: str) -> None: ...

    def texts(self) -> dict[str, str]: ...


class Room(Protocol):
    """Replicas as a migration left them, and steps on them."""

    folder: Path
    replicas: Any
    """A sequence of `Replica`."""

    def step(self, *, urls: list[str] | None = ..., **options: Any) -> Step: ...

    def fingerprints(self) -> list[str]:
        """Of everything in each replica."""


class Way(Protocol):
    """To one replica, or to the bundle's home. `fate` decides about each change, `effects` are those that were carried out."""

    url: str
    fate: Callable[[int, str], Any]
    effects: list[tuple[str, bytes]]


class OpaScene:
    """`ways` lead to the replicas, or to what `home` names."""

    place = re.escape(_EDITED)
    secrets: tuple[str, ...] = ()

    def __init__(self, room: Room, ways: Sequence[Way], cut: Callable[[], object]) -> None:
        self.folder = room.folder
        self.target = "|".join(re.escape(way.url.removeprefix("http://")) for way in ways)
        self._room = room
        self._ways = ways
        self.break_down = cut

    def step(self) -> Step:
        return self._room.step(urls=[way.url for way in self._ways])

    def state(self) -> Json:
        return self._room.fingerprints()

    def writes(self) -> Mapping[str, str]:
        """How often each policy and document was written, on each replica."""
        effects = Counter(f"{way.url}: {request}" for way in self._ways for request, _ in way.effects)
        return {place: str(times) for place, times in effects.items()}

    def disturb(self) -> None:
        replica = self._room.replicas[-1]
        replica.put(_EDITED, replica.texts()[_EDITED] + "# a hot fix\n")

    def lose_answers(self) -> contextlib.AbstractContextManager[None]:
        return self._on_the_way("swallow")

    def drop_requests(self) -> contextlib.AbstractContextManager[None]:
        return self._on_the_way("lose")

    @contextlib.contextmanager
    def _on_the_way(self, fate: str) -> Iterator[None]:
        for way in self._ways:
            way.fate = lambda _number, _request: fate
        yield
        for way in self._ways:
            way.fate = lambda _number, _request: "pass"


class BundleScene(OpaScene):
    """The room's replicas get their policies as a bundle, from the file that is behind the one way."""

    place = "bundle at"

    def __init__(self, room: Room, ways: Sequence[Way], cut: Callable[[], object], published: Path) -> None:
        super().__init__(room, ways, cut)
        self._published = published

    def step(self) -> Step:
        home = {"put": f"{self._ways[0].url}/{self._published.name}", "wait": "20s"}
        return self._room.step(bundle=home)

    def state(self) -> Json:
        return hashlib.sha256(self._published.read_bytes()).hexdigest()

    def disturb(self) -> None:
        self._published.write_bytes(self._published.read_bytes() + b"\0")


def _pushed(room: Room, ways: Sequence[Way], cut: Callable[[], object], _: Path) -> OpaScene:
    return OpaScene(room, ways, cut)


PUSHED: Final = Case("opa.restore", "pushed", _pushed)
PUBLISHED: Final = Case("opa.restore", "at a bundle's home", BundleScene)
CASES: Final = (PUSHED, PUBLISHED)
