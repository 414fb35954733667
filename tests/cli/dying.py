"""The command line with a channel that posts, in a process that kills itself (SIGKILL) where `DEATH` says.

`append:before:2` is right before the second append that tells of a notice, `send:after:1` right after the first message was
answered. Where the message is on its way, the one that receives it kills the sender, by the process id that is in the request.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from console.config import Options
from console.domain.errors import Undelivered, Unknown
from console.domain.events import Event
from console.engine.ports import Message
from console.kinds import Registry
from tests.cli import simulated

DEATH = tuple(os.environ.get("DEATH", "").split(":"))
_counts = {"append": 0, "send": 0}


class PostOptions(Options):
    url: str


class Post:
    longest: int | None = None

    def __init__(self, options: PostOptions) -> None:
        self.destination = self._url = options.url

    async def send(self, message: Message, permit: Any) -> str:
        _counts["send"] += 1
        _die_if("send", "before")
        answer = await asyncio.to_thread(self._post, message)
        _die_if("send", "after")
        return answer

    def _post(self, message: Message) -> str:
        headers = {"Idempotency-Key": message.op, "Sender": str(os.getpid())}
        request = urllib.request.Request(self._url, message.text.encode(), headers)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                return f"{answer.status}"
        except urllib.error.HTTPError as error:
            raise Undelivered(f"{error.code}", "nothing was delivered", retry=True) from None
        except OSError as error:
            raise Unknown(f"no answer: {error}") from None


def registry() -> Registry:
    post = SimpleNamespace(KIND="sim.post", Options=PostOptions, build=lambda options, _: Post(options))
    return simulated.registry(post)


def _die_if(of: str, when: str) -> None:
    if (of, when, str(_counts[of])) == DEATH:
        os.kill(os.getpid(), signal.SIGKILL)


def _mortal() -> None:
    from console.engine import retrying
    from console.journals.sqlite import SqliteJournal

    retrying.RETRY_PAUSES_SECONDS = (0.05,) * 5  # type: ignore[misc]
    append = SqliteJournal.append

    def dies(self: SqliteJournal, events: Iterable[Event], **words: Any) -> Any:
        written = tuple(events)
        if not any(event.type.startswith("notice_") for event in written):
            return append(self, written, **words)
        _counts["append"] += 1
        _die_if("append", "before")
        recorded = append(self, written, **words)
        _die_if("append", "after")
        return recorded

    SqliteJournal.append = dies  # type: ignore[method-assign]


if __name__ == "__main__":
    from console.cli import run

    _mortal()
    sys.exit(run(sys.argv[1:], registry()))
