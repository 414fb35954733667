"""A rollout that takes a few seconds, so that there is time for something to happen while the console watches it."""

from __future__ import annotations

from console.domain.errors import ConsoleError
from console.journals.sqlite import SqliteJournal
from tests.real.program import Console
from tests.real.scene import GATEWAY, NAMESPACE
from tests.real.servers import ControlPlane, poll

SECONDS_A_POD = 1


def make_slow(cluster: ControlPlane) -> None:
    """Each of the gateway's three pods is replaced after the one before has been ready for a while."""
    cluster.api(
        "PATCH",
        f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{GATEWAY}",
        {"spec": {"minReadySeconds": SECONDS_A_POD}},
        content_type="application/strategic-merge-patch+json",
        params={"fieldManager": "migration"},
    )
    cluster.wait_rolled_out(NAMESPACE, GATEWAY)


def recorded(console: Console) -> list[str]:
    """The types of the journal's events, read without a process of its own; none while there is no journal."""
    try:
        journal = SqliteJournal(console.journal, create=False)
    except ConsoleError:
        return []
    try:
        return [one.event.type for one in journal.read()]
    finally:
        journal.close()


def wait_watched(console: Console, *, seconds: float = 30) -> None:
    """Until the first step's change has been applied and its rollout is being watched."""
    poll("the first step's rollout is being watched", lambda: recorded(console)[-1] == "step_applied", seconds=seconds)
