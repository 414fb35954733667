"""The replicas of one OPA service, as the step kinds know them. Nothing is connected before somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from console.config.secrets import SecretReference
from console.domain.errors import Refused
from console.targets.opa.replica import Replica
from console.targets.opa.wire import Wire


class OpaTarget:
    def __init__(
        self,
        name: str,
        urls: Sequence[str],
        *,
        token: SecretReference | None = None,
        ca: Path | None = None,
        timeout_seconds: float = 10.0,
    ) -> None:
        self.name = name
        self.ca = ca
        self.token_variable = token.env if token is not None and token.env else "OPA_TOKEN" if token is not None else ""
        """The shell variable that equivalent commands take the token from; empty without a token."""
        self.timeout_seconds = timeout_seconds
        self.replicas = tuple(Replica(Wire(url, ca=ca, token=token, timeout_seconds=timeout_seconds)) for url in urls)

        self._others: list[Wire] = []

    def adopt(self, wire: Wire) -> Wire:
        """Closes this one too when the target is closed."""
        self._others.append(wire)
        return wire

    def replica(self, url: str) -> Replica:
        """The replica that a change was planned for."""
        found = next((r for r in self.replicas if r.url == url), None)
        if found is None:
            raise Refused(f"target {self.name} no longer names {url}", "put it back into the file to act on it")
        return found

    async def close(self) -> None:
        for replica in self.replicas:
            await replica.close()
        for wire in self._others:
            await wire.close()
