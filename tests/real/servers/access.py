"""Who may talk to the control plane, and how: the token file of the API server and the kubeconfig files of the clients."""

from __future__ import annotations

import base64
import json
import secrets
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.real.servers.certificates import Authority

ADMIN, LIMITED, CERTIFICATE, EXEC = "admin", "limited", "certificate", "exec"
USERS = (ADMIN, LIMITED, CERTIFICATE, EXEC)
LIMITED_GROUP = "rollback-console-observers"
"""The scene's RBAC objects say what this group may do."""


class Access:
    """The users of one control plane; each has a kubeconfig file in which its own context is the current one."""

    def __init__(self, folder: Path, authority: Authority, url: str) -> None:
        self._folder = folder
        self._authority = authority
        self._url = url
        self._client = authority.client("certificate-admin", "system:masters")
        self.tokens = {ADMIN: secrets.token_hex(16), LIMITED: secrets.token_hex(16)}
        self.token_file = self._private("tokens.csv", self._token_lines())
        self._exec_token = self._private("exec-token", self.tokens[ADMIN])
        self._exec_notes = folder / "exec-calls.jsonl"
        for user in USERS:
            self._private(f"{user}.kubeconfig", yaml.safe_dump(self._kubeconfig(user), sort_keys=False))

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """The file with every context (named as the users are), this user's being the current one."""
        if user not in USERS:
            raise LookupError(f"no user {user}: {', '.join(USERS)}")
        return self._folder / f"{user}.kubeconfig"

    def exec_calls(self) -> list[dict[str, str]]:
        """What each call of the `exec` user's plugin found on its input: `stdin` is terminal, null, stream or closed."""
        if not self._exec_notes.exists():
            return []
        return [json.loads(line) for line in self._exec_notes.read_text().splitlines()]

    def _token_lines(self) -> str:
        groups = {ADMIN: "system:masters", LIMITED: LIMITED_GROUP}
        return "".join(f"{token},{user},{user},{groups[user]}\n" for user, token in self.tokens.items())

    def _kubeconfig(self, current: str) -> dict[str, Any]:
        authority = _base64(self._authority.certificate)
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "real", "cluster": {"server": self._url, "certificate-authority-data": authority}},
            ],
            "users": [{"name": user, "user": self._credentials(user)} for user in USERS],
            "contexts": [{"name": user, "context": {"cluster": "real", "user": user}} for user in USERS],
            "current-context": current,
        }

    def _credentials(self, user: str) -> dict[str, Any]:
        if user == CERTIFICATE:
            pair = self._client
            return {"client-certificate-data": _base64(pair.certificate), "client-key-data": _base64(pair.key)}
        if user == EXEC:
            plugin = Path(__file__).with_name("exec_plugin.py").resolve()
            return {
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "command": sys.executable,
                    "args": ["-I", "-S", str(plugin), str(self._exec_token), str(self._exec_notes)],
                    "interactiveMode": "IfAvailable",
                }
            }
        return {"token": self.tokens[user]}

    def _private(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path


def _base64(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
