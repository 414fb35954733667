"""Kinds made up for these tests, so that the configuration is tested without any adapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from console.config import (
    Duration,
    FilePath,
    KindSpec,
    Options,
    PositiveDuration,
    SecretReference,
    Section,
)


class Nothing(Options):
    """No options."""


class ClusterOptions(Options):
    """A Kubernetes cluster."""

    context: str | None = None
    """The kubeconfig's context."""
    token: SecretReference | None = None
    """The bearer token."""


class DatabaseOptions(Options):
    """A database."""

    host: str
    """Its host name."""
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    """Its port."""
    password: SecretReference
    """The role's password."""


class QueryOptions(Options):
    """A query of a metric source."""

    query: str
    """The expression."""
    window_seconds: PositiveDuration | None = None
    """How far back it looks."""


class Container(Options):
    """A container of the patched object."""

    name: str
    """Its name."""
    env: dict[str, str] = Field(default_factory=dict)
    """Variables to set."""
    password: SecretReference | None = None
    """A nested secret."""


class PatchOptions(Options):
    """Changes one object."""

    namespace: str
    """The object's namespace."""
    replicas: int | None = None
    """How many."""
    strategy: Literal["merge", "json", "strategic"] = "strategic"
    """How the patch is applied."""
    containers: tuple[Container, ...] = ()
    """Containers to change."""
    restart: bool = False
    """Restart the readers."""
    manifest: FilePath | None = None
    """A file to apply."""
    settle_seconds: Duration = 90.0
    """How long to wait."""
    only: str | tuple[str, ...] = ()
    """One name or several."""

    @model_validator(mode="after")
    def _not_both(self) -> PatchOptions:
        if self.manifest is not None and self.containers:
            raise ValueError("manifest and containers exclude each other")
        return self


class RequestOptions(Options):
    """A request."""

    url: str
    """Where to."""
    retries: int = 0
    """How often again."""


class FakeKinds:
    """Implements Kinds."""

    SPECS: dict[Section, dict[str, KindSpec]] = {  # noqa: RUF012 -- read only
        "target": {
            "kubernetes": KindSpec(ClusterOptions),
            "prometheus": KindSpec(RequestOptions),
            "postgres": KindSpec(DatabaseOptions),
        },
        "source": {
            "prometheus": KindSpec(
                QueryOptions, ("prometheus",), has_window=True, window_hint="write it into the query"
            ),
            "pods": KindSpec(Nothing),
            "counter": KindSpec(Nothing, sampled=False),
            "attestation": KindSpec(Nothing, has_threshold=False, sampled=False),
        },
        "step": {
            "kubernetes.patch": KindSpec(PatchOptions, ("kubernetes",)),
            "http.request": KindSpec(RequestOptions, ("prometheus",), target_optional=True),
            "manual": KindSpec(Nothing),
        },
        "check": {"http.ok": KindSpec(RequestOptions), "sql.equal": KindSpec(QueryOptions, ("postgres",))},
        "channel": {"manual": KindSpec(Nothing), "email": KindSpec(RequestOptions)},
    }

    def names(self, section: Section) -> Sequence[str]:
        return tuple(self.SPECS[section])

    def describe(self, section: Section, kind: str) -> KindSpec:
        return self.SPECS[section][kind]
