"""Opens the official client as kubeconfig (or the pod's service account) says. Called once a target, in a thread.

Exec credential plugins never get the terminal: the client would hand them `sys.stdin` and let their stderr through whenever
stdout looks like one, which under a full-screen application steals keys and tears the picture.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.domain.errors import Refused
from console.engine.ports import Json
from console.targets.text import clean_line

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_PLUGIN_SECONDS = 60.0


class _Trouble(threading.local):
    """What went wrong with the last plugin that this thread ran: the client only logs it and goes on without credentials."""

    text = ""


_trouble = _Trouble()


def plugin_trouble() -> str:
    """Why the credential plugin that was just run in this thread failed; "" when none did. Told once."""
    text, _trouble.text = _trouble.text, ""
    return text


def open_client(kubeconfig: Path | None, context: str | None, in_cluster: bool) -> tuple[ApiClient, str]:
    """The client and the name of its context. Raises Refused with what is wrong with the kubeconfig."""
    from kubernetes.client import ApiClient, Configuration

    if not logging.getLogger().handlers:  # the client logs plugin errors; without a handler they land on the screen
        logging.getLogger().addHandler(logging.NullHandler())
    configuration = Configuration()
    where = "the pod's service account" if in_cluster else str(kubeconfig or "the default kubeconfig")
    try:
        if in_cluster:
            import_module("kubernetes.config").load_incluster_config(client_configuration=configuration)
            name = "in-cluster"
        else:
            name = _load(configuration, kubeconfig, context)
    except Refused:
        raise
    except Exception as error:  # noqa: BLE001 - the client raises many kinds, PyYAML's among them
        raise Refused(
            f"{where} can't be used: {clean_line(str(error))}", "see the target's kubeconfig and context"
        ) from None
    if trouble := plugin_trouble():
        raise Refused(f"context {name}: the credential plugin failed: {trouble}", "log in again, then retry")
    configuration.retries = False  # what may be repeated is decided here, not below
    return ApiClient(configuration), name


def _load(configuration: Any, kubeconfig: Path | None, context: str | None) -> str:
    """Fills the configuration in; the context's name."""
    kube: Any = import_module("kubernetes.config")  # ships types for its client, not for this
    kube_config: Any = import_module("kubernetes.config.kube_config")
    if not hasattr(kube_config.ExecProvider, "terminal_blind"):
        kube_config.ExecProvider = _terminal_blind(kube_config.ExecProvider)
    file = str(kubeconfig) if kubeconfig else None
    contexts, active = kube.list_kube_config_contexts(config_file=file)
    names = [clean_line(str(c["name"])) for c in contexts]
    if context is not None and context not in names:
        raise Refused(
            f'{kubeconfig or "the default kubeconfig"} has no context "{context}"', f"it has: {', '.join(names)}"
        )
    kube.load_kube_config(config_file=file, context=context, client_configuration=configuration, persist_config=False)
    return context or clean_line(str(active["name"]))


def _terminal_blind(original: Any) -> Any:
    """The client's plugin runner, but with no terminal, its own session, a deadline, and its errors kept."""

    class TerminalBlindPlugin(original):  # type: ignore[misc] # a class found at run time
        terminal_blind = True

        def run(self, previous_response: Any = None) -> Any:  # noqa: ARG002 - the client's own signature
            cluster = self.cluster.value if self.cluster else None
            try:
                return _run_plugin(self.args, self.env, self.cwd, _plugin_info(self.api_version, cluster))
            except Exception as error:
                _trouble.text = clean_line(str(error))
                raise

    return TerminalBlindPlugin


def _plugin_info(api_version: str, cluster: Json) -> Json:
    spec: dict[str, Any] = {"interactive": False}
    if cluster:
        named = {e["name"]: e["extension"] for e in cluster.get("extensions") or []}
        config = named.get("client.authentication.k8s.io/exec")
        spec["cluster"] = cluster | ({"config": config} if config else {})
    return {"apiVersion": api_version, "kind": "ExecCredential", "spec": spec}


def _run_plugin(args: list[str], env: dict[str, str], folder: str | None, info: Json) -> Any:
    try:
        done = subprocess.run(  # noqa: S603 - the command that the user's kubeconfig names, without a shell
            args,
            env={**os.environ, **env, "KUBERNETES_EXEC_INFO": json.dumps(info)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PLUGIN_SECONDS,
            start_new_session=True,
            check=False,
        )
    except OSError as error:
        raise Refused(f"{args[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise Refused(f"{args[0]} gave no answer within {_PLUGIN_SECONDS:g} s") from None
    if done.returncode != 0:
        said = clean_line(done.stderr.decode("utf-8", "replace")) or "no message"
        raise Refused(f"{args[0]} exited with {done.returncode}: {said}")
    return _status(args[0], done.stdout)


def _status(command: str, output: bytes) -> Any:
    """The credentials that a plugin printed; nothing of its output is ever told."""
    try:
        status = json.loads(output)["status"]
        given = {key for key in ("token", "clientCertificateData", "clientKeyData") if status.get(key)}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused(f"{command} did not print an ExecCredential") from None
    if "token" not in given and given != {"clientCertificateData", "clientKeyData"}:
        raise Refused(f"{command} printed neither a token nor a client certificate and its key")
    return status
