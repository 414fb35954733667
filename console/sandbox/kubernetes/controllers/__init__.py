"""What moves a cluster by itself: each controller looks at one object at a time and takes one step towards what it asks for.

A controller is told of every write that may concern it, as the name of the object to look at; it reads the store anew and never
trusts what it remembers. `Controllers` keeps the names that are waiting and calls one controller after the other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from console.sandbox.kubernetes.clock import Clock
from console.sandbox.kubernetes.errors import ApiError
from console.sandbox.kubernetes.storage import Event, Store

Name = tuple[str, str]
"""Namespace and name."""

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0
_MOST_STEPS_AT_ONCE = 500


class Controller(Protocol):
    def concerns(self, event: Event) -> Iterable[Name]:
        """The objects to look at after this write."""

    def reconcile(self, namespace: str, name: str) -> float | None:
        """One step; the seconds after which to look again by itself, or None."""


class Controllers:
    """Runs controllers while they are not held. Held, they miss nothing: what happened meanwhile waits."""

    def __init__(self, store: Store, clock: Clock, controllers: Sequence[Controller]) -> None:
        self._clock = clock
        self._controllers = controllers
        self._waiting: dict[tuple[Controller, Name], None] = {}
        self._due: dict[tuple[Controller, Name], float] = {}
        self._called = False
        self.held = False
        self.fault: Exception | None = None
        """What a controller stumbled over last, which is a defect of ours; it was logged, and the controller goes on."""
        self._stop = store.listen(self._heard)

    def stop(self) -> None:
        self._stop()
        self._waiting.clear()

    def hold(self) -> None:
        """Nothing moves any more: no rollout gets on, nothing is collected."""
        self.held = True

    def release(self) -> None:
        self.held = False
        self._call()

    def look_at(self, controller: Controller, namespace: str, name: str) -> None:
        self._waiting[controller, (namespace, name)] = None
        self._call()

    def _heard(self, event: Event) -> None:
        for controller in self._controllers:
            for name in controller.concerns(event):
                self._waiting[controller, name] = None
        self._call()

    def _call(self) -> None:
        if self._waiting and not self._called and not self.held:
            self._called = True
            self._clock.later(0, self._run)

    def _run(self) -> None:
        self._called = False
        for _ in range(_MOST_STEPS_AT_ONCE):
            if self.held or not self._waiting:
                return
            controller, name = next(iter(self._waiting))
            del self._waiting[controller, name]
            self._step(controller, name)
        self._call()

    def _step(self, controller: Controller, name: Name) -> None:
        try:
            again = controller.reconcile(*name)
        except ApiError as error:  # somebody was faster, or the namespace is going away
            _log.debug("%s %s: %s", type(controller).__name__, name, error)
            again = _RETRY_SECONDS if error.code not in (403, 404) else None
        except Exception as fault:  # noqa: BLE001 - one object must not stop the whole cluster
            _log.exception("%s %s", type(controller).__name__, name)
            self.fault, again = fault, _RETRY_SECONDS
        if again is not None:
            self._again(controller, name, again)

    def _again(self, controller: Controller, name: Name, seconds: float) -> None:
        due = self._clock.elapsed() + seconds
        if self._due.get((controller, name), float("inf")) <= due:
            return
        self._due[controller, name] = due

        def look() -> None:
            if self._due.get((controller, name)) == due:
                del self._due[controller, name]
            self.look_at(controller, *name)

        self._clock.later(seconds, look)
