"""`http.request` as cases of the contract: a flag of an API, whose server tells its version, or not, or is never asked."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from console.engine.ports import Json, Step
from console.steps import http_request
from tests.contract.cases import differing
from tests.contract.loopback import Loopback, Reply, Request
from tests.contract.step_contract import Case, Differs

SECRET: Final = "hunter2-and-more"
_OFF: Final = {"enabled": False}
_ON: Final = {"enabled": True}


class Flag:
    """An API with one resource. It takes a change whose If-Match is the present version, and knows who asks."""

    place = target = r"127\.0\.0\.1:\d+/flags/qec"
    secrets: tuple[str, ...] = (SECRET,)

    def __init__(self, folder: Path, *, etags: bool = True, probe: bool = True) -> None:
        self.folder = folder
        self._etags = etags
        self._probe = probe
        self._flag: Json = _ON
        self._version = 1
        self._fate = "pass"
        self._token = folder / "token"
        self._token.write_text(SECRET)
        self.server = Loopback(self._answer)
        self.break_down = self.server.stop

    def step(self) -> Step:
        url = f"{self.server.url}/flags/qec"
        given: dict[str, Any] = {
            "method": "PUT",
            "url": url,
            "json": _OFF,
            "headers": {"X-Api-Key": {"file": str(self._token)}},
            "undo": {"method": "PUT", "url": url, "json": _ON},
        }
        given |= {"probe": {"url": url, "expect_json": _OFF}} if self._probe else {}
        return http_request.build("step", http_request.Options.model_validate(given))

    def state(self) -> Json:
        return self._flag

    def writes(self) -> Mapping[str, str]:
        return {"flag": str(self._version)}

    def disturb(self) -> None:
        self._change({**_ON, "by": "ada"})

    def lose_answers(self) -> contextlib.AbstractContextManager[None]:
        return self._on_the_way("swallow")

    def drop_requests(self) -> contextlib.AbstractContextManager[None]:
        return self._on_the_way("lose")

    @contextlib.contextmanager
    def _on_the_way(self, fate: str) -> Iterator[None]:
        self._fate = fate
        yield
        self._fate = "pass"

    def _answer(self, request: Request) -> Reply:
        if request.headers.get("X-Api-Key") != SECRET:
            return Reply(status=401)
        if request.method == "GET":
            return self._shown()
        if self._fate == "lose":
            return Reply(hang_up=True)
        if request.headers.get("If-Match") not in (None, self._etag):
            return Reply(status=412)
        self._change(json.loads(request.body))
        return Reply(hang_up=True) if self._fate == "swallow" else self._shown()

    def _change(self, flag: Json) -> None:
        self._flag, self._version = flag, self._version + 1

    @property
    def _etag(self) -> str:
        return f'"v{self._version}"'

    def _shown(self) -> Reply:
        return Reply(json.dumps(self._flag).encode(), headers={"ETag": self._etag} if self._etags else {})


def _without_etags(folder: Path) -> Flag:
    return Flag(folder, etags=False)


def _without_a_probe(folder: Path) -> Flag:
    return Flag(folder, probe=False)


_NO_PRECONDITION: Final = {
    "test_a_strange_change_since_the_preview_is_told_and_not_overwritten": Differs(
        "no version was read of which it could be told", differing.is_not_seen
    ),
    "test_a_strange_change_in_the_last_moment_is_refused_by_what_is_sent": Differs(
        "no version was read that could be a precondition", differing.is_carried_out_all_the_same
    ),
}
_NOT_MET_BY_PREFLIGHT: Final = {
    "test_a_target_that_is_not_there_is_named_by_every_call": Differs(
        "preflight looks at the secrets alone; planning asks the probe, and refuses", differing.is_met_by_planning
    )
}
_MET_BY_SENDING: Final = {
    "test_a_target_that_is_not_there_is_named_by_every_call": Differs(
        "without a probe nothing is asked before it is sent", differing.is_met_by_sending
    )
}
CASES: Final = (
    Case("http.request", "with a version", Flag, _NOT_MET_BY_PREFLIGHT),
    Case(
        "http.request",
        "without a version",
        _without_etags,
        {**_NOT_MET_BY_PREFLIGHT, **_NO_PRECONDITION},
    ),
    Case(
        "http.request",
        "without a probe",
        _without_a_probe,
        {**differing.WITHOUT_A_PROBE, **_NO_PRECONDITION, **_MET_BY_SENDING},
    ),
)
