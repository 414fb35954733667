"""Opens the official client as kubeconfig (or the pod's service account) says. Called once a target, in a thread.

Exec credential plugins never get the terminal: the client would hand them `sys.stdin` and let their stderr through whenever
stdout looks like one, which under a full-screen application steals keys and tears the picture.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.domain.errors import Refused
from console.targets.text import clean_line

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_PLUGIN_SECONDS = 60.0


def open_client(kubeconfig: Path | None, context: str | None, in_cluster: bool) -> tuple[ApiClient, str]:
    """The client and the name of its context. Raises Refused with what is wrong with the kubeconfig."""
    from kubernetes.client import ApiClient, Configuration

    kube: Any = import_module("kubernetes.config")  # ships types for its client, not for this
    kube_config: Any = import_module("kubernetes.config.kube_config")

    if not logging.getLogger().handlers:  # the client logs plugin errors; without a handler they land on the screen
        logging.getLogger().addHandler(logging.NullHandler())
    configuration = Configuration()
    plugin_errors: list[str] = []
    try:
        if in_cluster:
            kube.load_incluster_config(client_configuration=configuration)
            name = "in-cluster"
        else:
            kube_config.ExecProvider = _terminal_blind(kube_config.ExecProvider, plugin_errors)
            name = _context_name(kube, kubeconfig, context)
            kube.load_kube_config(
                config_file=str(kubeconfig) if kubeconfig else None,
                context=context,
                client_configuration=configuration,
                persist_config=False,
            )
    except Exception as error:  # noqa: BLE001 - the client raises many kinds, PyYAML's among them
        where = "the pod's service account" if in_cluster else str(kubeconfig or "the default kubeconfig")
        raise Refused(
            f"{where} can't be used: {clean_line(str(error))}", "see the target's kubeconfig and context"
        ) from None
    if plugin_errors:
        raise Refused(f"context {name}: the credential plugin failed: {plugin_errors[-1]}", "log in again, then retry")
    configuration.retries = False  # what may be repeated is decided here, not below
    return ApiClient(configuration), clean_line(name)


def _context_name(kube: Any, kubeconfig: Path | None, context: str | None) -> str:
    contexts, active = kube.list_kube_config_contexts(config_file=str(kubeconfig) if kubeconfig else None)
    if context is None:
        return str(active["name"])
    names = [str(c["name"]) for c in contexts]
    if context not in names:
        raise Refused(f'there is no context "{context}"; there are: {", ".join(names)}')
    return context


def _terminal_blind(plugin_class: Any, errors: list[str]) -> Any:
    """The client's plugin runner, but with no terminal, its own session, a deadline, and its errors kept."""
    original: Any = getattr(plugin_class, "terminal_aware", plugin_class)

    class TerminalBlindPlugin(original):  # type: ignore[misc] # a class found at run time
        terminal_aware = original

        def run(self, previous_response: Any = None) -> Any:  # noqa: ARG002 - the client's own signature
            try:
                status = _run_plugin(self.args, self.env, self.cwd, self.api_version)
            except Exception as error:
                errors.append(clean_line(str(error)))
                raise
            errors.clear()
            return status

    return TerminalBlindPlugin


def _run_plugin(args: list[str], env: dict[str, str], folder: str | None, api_version: str) -> Any:
    info = {"apiVersion": api_version, "kind": "ExecCredential", "spec": {"interactive": False}}
    try:
        done = subprocess.run(  # noqa: S603 - the command that the user's kubeconfig names, without a shell
            args,
            env={**os.environ, **env, "KUBERNETES_EXEC_INFO": json.dumps(info)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PLUGIN_SECONDS,
            start_new_session=True,
            check=False,
        )
    except OSError as error:
        raise Refused(f"{args[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise Refused(f"{args[0]} gave no answer within {_PLUGIN_SECONDS:g} s") from None
    if done.returncode != 0:
        raise Refused(f"{args[0]} exited with {done.returncode}: {clean_line(done.stderr) or 'no message'}")
    try:
        status = json.loads(done.stdout)["status"]
    except (ValueError, KeyError, TypeError):
        raise Refused(f"{args[0]} did not print an ExecCredential") from None
    if "token" not in status and "clientCertificateData" not in status:
        raise Refused(f"{args[0]} printed neither a token nor a client certificate")
    return status
