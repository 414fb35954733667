"""One or more OPA servers that answer the same questions: target kind `opa`.

`replica.py` speaks to one of them and `wire.py` under it makes one exchange; `archive.py` (with `contents.py`) opens a bundle,
`rego.py` and `paths.py` say what modules and data are about, `scope.py` what belongs to an archive, `goal.py` is a change on
disk, `sending.py` carries it out and takes it back, `proof.py` reads back, `questions.py` is how the file asks for decisions,
`home.py` is where a bundle-managed OPA gets its bundle from, `wording.py` shows all that. Importing this package does not
import httpx.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.config.secrets import SecretReference
from console.targets.http import HttpUrl
from console.targets.opa.client import OpaTarget

KIND = "opa"


class Options(TableOptions):
    """The OPA servers behind one service. A restore is proven on each of them."""

    urls: Annotated[tuple[HttpUrl, ...], Field(min_length=1, max_length=64)]
    """Every replica: `["http://opa-0:8181", "http://opa-1:8181"]`. A load balancer would answer for one of them at a time."""
    token: SecretReference | None = None
    """A bearer token to send."""
    ca: FilePath | None = None
    """A PEM file with the authorities to trust instead of the usual ones."""
    timeout_seconds: PositiveDuration = 10.0
    """How long a replica may be silent before a call counts as unanswered."""

    @field_validator("urls")
    @classmethod
    def _each_once(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        if len({url.rstrip("/") for url in urls}) != len(urls):
            raise ValueError("each replica once")
        return urls


def build(name: str, options: Options) -> OpaTarget:
    return OpaTarget(name, options.urls, token=options.token, ca=options.ca, timeout_seconds=options.timeout_seconds)
