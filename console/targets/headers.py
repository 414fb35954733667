"""The headers of a request: plain ones from the file, secret ones by reference. Nothing here shows what a secret is."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, ConfigDict, StringConstraints

from console.config.secrets import Redactor, SecretReference, SecretUnavailable, resolve
from console.domain.errors import Refused
from console.targets.text import clean_line

_OURS: Final = ("content-length", "transfer-encoding", "connection", "accept-encoding")
_SECRET: Final = ("authorization", "proxy-authorization", "cookie")
_CARRIED: Final = re.compile(r"[\t\x20-\x7e]*")

Text: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$", max_length=4000)]
HeaderName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", max_length=100)]


class HeaderSecret(SecretReference):
    """Where the value of a header is kept, and what stands before it: `{ env = "TOKEN", prefix = "Bearer " }`."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 2})

    prefix: Text = ""
    """What is sent before the secret: `"Bearer "`."""


def _sendable(headers: dict[str, str | HeaderSecret]) -> dict[str, str | HeaderSecret]:
    names = [name.lower() for name in headers]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"named twice: {', '.join(twice)}")
    if ours := [name for name in names if name in _OURS]:
        raise ValueError(f"{ours[0]} is set by the console")
    if plain := [name for name, value in headers.items() if name.lower() in _SECRET and isinstance(value, str)]:
        raise ValueError(f'{plain[0]} is a secret, and a secret is never written in the file: {{ env = "…" }}')
    return headers


HeaderTable: TypeAlias = Annotated[dict[HeaderName, Text | HeaderSecret], AfterValidator(_sendable)]


class Headers:
    """The headers of one request. `redactor` learns each secret that is fetched."""

    def __init__(self, headers: Mapping[str, str | HeaderSecret], redactor: Redactor) -> None:
        self._headers = headers
        self._redactor = redactor

    @property
    def hold_secrets(self) -> bool:
        return any(not isinstance(value, str) for value in self._headers.values())

    async def resolved(self) -> dict[str, str]:
        """As they are sent, secrets fetched anew so that a renewed one is found. Refused when one can't be had."""
        return {
            name: value if isinstance(value, str) else await asyncio.to_thread(self._secret, name, value)
            for name, value in self._headers.items()
        }

    def shown(self) -> dict[str, str]:
        """The value of each; of a secret, where it is kept."""
        return {
            name: value if isinstance(value, str) else f"{value.prefix}(secret from {clean_line(str(value))})"
            for name, value in self._headers.items()
        }

    def spelled(self) -> list[str]:
        """As curl takes them from a shell; secrets stay where they are kept."""
        return [
            f"-H {shlex.quote(f'{name}: {value}')}" if isinstance(value, str) else f'-H "{name}: {_spelled(value)}"'
            for name, value in self._headers.items()
        ]

    def _secret(self, name: str, reference: HeaderSecret) -> str:
        try:
            secret = resolve(reference)
        except SecretUnavailable as error:
            raise Refused(f"header {name}: {clean_line(str(error))}", "nothing was sent") from None
        self._redactor.add(secret)
        if not _CARRIED.fullmatch(secret.reveal()):  # the library's own error would quote it
            raise Refused(f"header {name}: its secret holds characters that a header can't carry", "nothing was sent")
        return reference.prefix + secret.reveal()


def _spelled(value: HeaderSecret) -> str:
    prefix = re.sub(r'(["$`\\])', r"\\\1", value.prefix)
    if value.env is not None:
        return f"{prefix}${value.env}"
    inner = f"cat {shlex.quote(str(value.file))}" if value.file else shlex.join(value.command or ())
    return f"{prefix}$({inner})"
