"""The variables and secrets that a program of this machine gets, and how they are shown. Used by `command.run`."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from console.config.secrets import Redactor, SecretReference, SecretUnavailable, resolve
from console.domain.errors import Refused
from console.targets.text import clean_line


class Environment:
    """The variables that a program gets beside this process's own. Secrets reach it here and in no argument."""

    def __init__(self, variables: Mapping[str, str | SecretReference]) -> None:
        self._variables = variables
        self._redactor = Redactor()

    def redact(self, text: str) -> str:
        """The text without any secret that was resolved."""
        return self._redactor.redact(text)

    async def resolved(self, *argvs: Sequence[str]) -> dict[str, str]:
        """The whole environment, secrets fetched anew so that a renewed one is found.

        Refused when one can't be had, or stands among the given arguments, which every user of the machine can see.
        """
        env = dict(os.environ)
        for name, value in self._variables.items():
            env[name] = value if isinstance(value, str) else await asyncio.to_thread(self._secret, name, value, argvs)
        return env

    def _secret(self, name: str, reference: SecretReference, argvs: Sequence[Sequence[str]]) -> str:
        try:
            secret = resolve(reference)
        except SecretUnavailable as error:
            raise Refused(f"{name}: {clean_line(str(error))}", "nothing was run") from None
        text = secret.reveal()
        if "\0" in text:
            raise Refused(f"the secret for {name} holds a zero byte", "nothing was run")
        if self._redactor.add(secret) and any(text in argument for argv in argvs for argument in argv):
            raise Refused(
                f"an argument holds the secret for {name}, and every user of this machine sees arguments",
                f"let the program read ${name}",
            )
        return text

    def shown(self) -> list[str]:
        """`NAME = value` for each variable; of a secret, where it is kept."""
        return [
            f"{name} = {clean_line(value) if isinstance(value, str) else f'(secret from {clean_line(str(value))})'}"
            for name, value in self._variables.items()
        ]

    def spelled(self, argv: Sequence[str], cwd: Path) -> str:
        """The equivalent line for a shell; secrets stay where they are kept."""
        words = [f"{name}={_spelled(value)}" for name, value in self._variables.items()]
        return self.redact(" ".join(["cd", shlex.quote(str(cwd)), "&&", *words, shlex.join(argv)]))


def _spelled(value: str | SecretReference) -> str:
    if isinstance(value, str):
        return shlex.quote(value)
    if value.env is not None:
        return f'"${value.env}"'
    inner = f"cat {shlex.quote(str(value.file))}" if value.file else shlex.join(value.command or ())
    return f'"$({inner})"'
