"""A git repository that others push to: target kind `git`.

`client.py` looks at it and pushes, `access.py` is as whom, `names.py` what may stand where git expects a name, `pushing.py` what
git's answer means, `commits.py` reads history, `goal.py` is a change of refs, `working.py` a working clone that goes along.
Importing this package does not import GitPython.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.config.secrets import SecretReference
from console.targets.git.access import Access
from console.targets.git.client import GitTarget
from console.targets.git.names import GitUrl, RefName

KIND = "git"


class Options(TableOptions):
    """A repository by its address, or by a local clone that knows it. Left alone, git enters it as it would by hand."""

    url: GitUrl | None = None
    """Its address: `https://git.example.com/policies.git`, `git@host:policies.git`, `/srv/git/policies.git`."""
    repository: FilePath | None = None
    """A local clone instead; its remote is what is acted on, and names that only the clone knows are understood."""
    remote: RefName = "origin"
    """Which remote of the local clone."""
    username: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The user for http(s); left out: `git`, which servers take with a token as the password."""
    password: SecretReference | None = None
    """That user's password, or an access token."""
    token: SecretReference | None = None
    """A bearer token instead, for servers that take one in a header."""
    ssh_key: FilePath | None = None
    """The private key for ssh; left out: the agent's, as ~/.ssh/config says."""
    ca: FilePath | None = None
    """A PEM file with the authorities to trust instead of the usual ones."""
    timeout_seconds: PositiveDuration = 60.0
    """How long one exchange may take, the first fetch included."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Options:
        if (self.url is None) == (self.repository is None):
            raise ValueError('give either "url" or "repository"')
        if self.token is not None and (self.username is not None or self.password is not None):
            raise ValueError('either "token" or "username" and "password", not both')
        if self.username is not None and self.password is None:
            raise ValueError('"username" needs "password"')
        return self


def build(name: str, options: Options) -> GitTarget:
    access = Access(options.username, options.password, options.token, options.ssh_key, options.ca)
    return GitTarget(
        name,
        url=options.url or "",
        repository=options.repository,
        remote=options.remote,
        access=access,
        timeout_seconds=options.timeout_seconds,
    )
