"""The environment in which git runs here: as its user has it set up, but for what could ask, leak, or point it elsewhere."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from console.config.secrets import Redactor, SecretReference, SecretUnavailable, resolve
from console.domain.errors import Refused
from console.targets.git.names import PROTOCOLS
from console.targets.text import clean_line

_DROPPED: Final = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE", "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_REPLACE_REF_BASE", "GIT_IMPLICIT_WORK_TREE",
    "GIT_CEILING_DIRECTORIES", "GIT_PROTOCOL", "GIT_REDIRECT_STDERR",
)  # fmt: skip
"""What `git rev-parse --local-env-vars` lists, and its like: set when the console is started from a hook."""
_FIXED: Final[Mapping[str, str]] = {
    "LC_ALL": "C",  # its words are read
    "LANGUAGE": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_ALLOW_PROTOCOL": ":".join(PROTOCOLS),
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
}
_USERNAME: Final = "ROLLBACK_CONSOLE_GIT_USERNAME"
_PASSWORD: Final = "ROLLBACK_CONSOLE_GIT_PASSWORD"  # noqa: S105 -- the name of a variable
_HELPER: Final = f"""!printf 'username=%s\\npassword=%s\\n' "${_USERNAME}" "${_PASSWORD}"; :"""
"""A credential helper (gitcredentials(7)) that reads the environment: no argument, no file and no log ever holds the secret."""


@dataclass(frozen=True, slots=True)
class Access:
    """As whom a repository is entered. All empty: as git itself would, by its helpers, ssh agent and ~/.netrc."""

    username: str | None = None
    password: SecretReference | None = None
    token: SecretReference | None = None
    ssh_key: Path | None = None
    ca: Path | None = None


class Environments:
    def __init__(self, access: Access) -> None:
        self._access = access
        self._redactor = Redactor()

    def redact(self, text: str) -> str:
        return self._redactor.redact(text)

    def offline(self, **more: str) -> dict[str, str]:
        """For commands that speak to nobody."""
        kept = {
            k: v for k, v in os.environ.items() if k not in _DROPPED and not k.startswith(("GIT_TRACE", "GIT_CONFIG_"))
        }
        kept |= {
            k: os.environ[k]
            for k in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
            if k in os.environ
        }
        return {**kept, **_FIXED, **_config({"core.hooksPath": os.devnull, "gc.auto": "0"}), **more}

    def online(self, url: str) -> dict[str, str]:
        """With credentials. Blocks while a secret is fetched: call it in a thread. Refused when there is none."""
        access = self._access
        env = self.offline()
        settings = [("core.hooksPath", os.devnull), ("gc.auto", "0")]
        if access.ca is not None:
            settings.append(("http.sslCAInfo", str(access.ca)))
        if access.ssh_key is not None:
            words = ["ssh", "-i", str(access.ssh_key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
            env["GIT_SSH_COMMAND"] = shlex.join(words)
        if access.password is not None or access.token is not None:
            # The user's own helpers would be asked first, and told to keep what was accepted.
            settings += [("credential.helper", ""), ("http.followRedirects", "false")]
        if access.password is not None:
            env[_USERNAME] = access.username or "git"
            env[_PASSWORD] = self._secret(access.password, url)
            settings.append(("credential.helper", _HELPER))
        if access.token is not None:
            settings.append((f"http.{url}.extraHeader", f"Authorization: Bearer {self._secret(access.token, url)}"))
        return {**env, **_config(settings)}

    def _secret(self, reference: SecretReference, url: str) -> str:
        try:
            secret = resolve(reference)
        except SecretUnavailable as error:
            raise Refused(f"git {url}: {clean_line(str(error))}", "nothing was changed") from None
        self._redactor.add(secret)
        text = secret.reveal()
        if not text.isprintable():
            raise Refused(f"git {url}: its secret holds characters that git can't pass on", "nothing was changed")
        return text


def _config(settings: Mapping[str, str] | list[tuple[str, str]]) -> dict[str, str]:
    """Settings for one command, by environment (git-config(1), GIT_CONFIG_COUNT): arguments are seen by every user."""
    pairs = list(settings.items()) if isinstance(settings, Mapping) else settings
    found = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for number, (key, value) in enumerate(pairs):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found
