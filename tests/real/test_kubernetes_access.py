"""Every way into a cluster that kubeconfig knows, and every way in which it fails, told in one line."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.domain.errors import ConsoleError, Failed, Refused
from console.targets import kubernetes as targets
from console.targets.kubernetes import KubernetesTarget
from tests.real.servers import ControlPlane
from tests.real.servers.certificates import Authority

ROOT = Path(__file__).parents[2]


def target(kubeconfig: Path, **options: Any) -> KubernetesTarget:
    given = {"kubeconfig": kubeconfig, "timeout": "5s", **options}
    return targets.build("cluster", targets.Options.model_validate(given))


def edited(cluster: ControlPlane, folder: Path, change: Callable[[Any], None], user: str = "admin") -> Path:
    """A user's kubeconfig, changed."""
    document = yaml.safe_load(cluster.kubeconfig(user).read_text())
    change(document)
    path = folder / "edited.kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


def plugin(cluster: ControlPlane, folder: Path, program: str, **exec_options: Any) -> Path:
    """A kubeconfig whose credentials come from this Python program."""
    command = {"command": sys.executable, "args": ["-c", program], "interactiveMode": "IfAvailable", **exec_options}

    def change(document: Any) -> None:
        document["users"] = [{"name": "admin", "user": {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", **command}}}]  # fmt: skip

    return edited(cluster, folder, change)


async def why(target_: KubernetesTarget) -> str:
    """What reading through it says."""
    with pytest.raises(ConsoleError) as error:
        await target_.get("/api/v1/namespaces/default")
    await target_.close()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("user", ["admin", "certificate", "exec"])
async def test_each_way_in(cluster: ControlPlane, user: str) -> None:
    cluster.start()
    inside = target(cluster.kubeconfig(user))
    assert inside.context == ""
    assert (await inside.get("/api/v1/namespaces/default"))["metadata"]["name"] == "default"
    assert inside.context == user
    assert await inside.user() == ("certificate-admin" if user == "certificate" else "admin")
    await inside.close()


async def test_a_plugin_gets_no_terminal_and_its_chatter_stays_inside(
    cluster: ControlPlane, capfd: pytest.CaptureFixture[str]
) -> None:
    before = len(cluster.access.exec_calls())
    inside = target(cluster.kubeconfig("exec"))
    await inside.get("/api/v1/namespaces/default")
    await inside.close()
    assert cluster.access.exec_calls()[before:] == [{"stdin": "null", "read": ""}]
    assert capfd.readouterr() == ("", "")


def test_a_plugin_under_a_terminal_gets_none_of_it(cluster: ControlPlane) -> None:
    """As in the screen: this program's input, output and errors are a terminal, and the plugin touches none of them."""
    program = (
        "import asyncio, pathlib, sys\n"
        "from console.targets import kubernetes as targets\n"
        "options = targets.Options(kubeconfig=pathlib.Path(sys.argv[1]))\n"
        "target = targets.build('cluster', options)\n"
        "asyncio.run(target.get('/api/v1/namespaces/default'))\n"
        "print('DONE')\n"
    )
    before = len(cluster.access.exec_calls())
    ours, theirs = os.openpty()
    command = [sys.executable, "-c", program, str(cluster.kubeconfig("exec"))]
    done = subprocess.run(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, timeout=60, check=False)
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert (done.returncode, shown.split()) == (0, ["DONE"])
    assert cluster.access.exec_calls()[before:] == [{"stdin": "null", "read": ""}]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; print('s3cret'); sys.exit('session expired\\nlog in')", "exited with 1: session expired log in"),
        ("import sys; print('s3cret'); sys.exit(3)", "exited with 3: no message"),
        ("print('s3cret')", "did not print an ExecCredential"),
        ("print('{}')", "did not print an ExecCredential"),
        ('print(\'{"status": {"s3cret": 1}}\')', "printed neither a token nor a client certificate and its key"),
        ("import sys; sys.stdout.buffer.write(b'\\xff')", "did not print an ExecCredential"),
    ],
)
async def test_a_plugin_that_fails_is_one_line_without_its_output(
    cluster: ControlPlane, tmp_path: Path, program: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    text = await why(target(plugin(cluster, tmp_path, program)))
    assert text == f"context admin: the credential plugin failed: {sys.executable} {said}; log in again, then retry"
    assert capfd.readouterr() == ("", "")


async def test_a_plugin_that_is_not_installed(cluster: ControlPlane, tmp_path: Path) -> None:
    text = await why(target(plugin(cluster, tmp_path, "", command="no-such-plugin")))
    assert "the credential plugin failed: no-such-plugin: No such file or directory" in text


async def test_a_plugin_that_hangs_is_given_up(
    cluster: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from console.targets.kubernetes import auth

    monkeypatch.setattr(auth, "_PLUGIN_SECONDS", 0.3)
    text = await why(target(plugin(cluster, tmp_path, "import time; time.sleep(60)")))
    assert "gave no answer within 0.3 s" in text


async def test_a_credential_that_runs_out_is_renewed_and_a_renewal_that_fails_is_told(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    program = (
        f"import json, pathlib, sys; calls = pathlib.Path({str(calls)!r})\n"
        "n = len(calls.read_text()) if calls.exists() else 0; calls.write_text('x' * (n + 1))\n"
        "n < 2 or sys.exit('signed out')\n"
        f"print(json.dumps({{'kind': 'ExecCredential', 'status': {{'token': {cluster.access.tokens['admin']!r},"
        "'expirationTimestamp': '2020-01-01T00:00:00Z'}}))\n"
    )
    inside = target(plugin(cluster, tmp_path, program))
    await inside.connect()
    await inside.get("/api/v1/namespaces/default")
    assert len(calls.read_text()) == 2
    with pytest.raises(Failed, match=r"the credential plugin failed: .* exited with 1: signed out"):
        await inside.get("/api/v1/namespaces/default")
    await inside.close()


async def test_a_plugin_is_told_about_the_cluster_when_it_asks(cluster: ControlPlane, tmp_path: Path) -> None:
    notes = tmp_path / "info.json"
    program = (
        f"import json, os, pathlib; pathlib.Path({str(notes)!r}).write_text(os.environ['KUBERNETES_EXEC_INFO'])\n"
        f"print(json.dumps({{'status': {{'token': {cluster.access.tokens['admin']!r}}}}}))"
    )
    inside = target(plugin(cluster, tmp_path, program, provideClusterInfo=True))
    await inside.get("/api/v1/namespaces/default")
    await inside.close()
    spec = json.loads(notes.read_text())["spec"]
    assert (spec["interactive"], spec["cluster"]["server"]) == (False, cluster.url)


async def test_a_certificate_of_another_authority_is_told_and_nothing_is_sent(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    stranger = base64.b64encode(Authority(tmp_path / "pki").certificate.read_bytes()).decode()

    def change(document: Any) -> None:
        document["clusters"][0]["cluster"]["certificate-authority-data"] = stranger

    text = await why(target(edited(cluster, tmp_path, change)))
    assert text.startswith("context admin can't be reached: its certificate is not accepted: ")


async def test_a_wrong_token(cluster: ControlPlane, tmp_path: Path) -> None:
    def change(document: Any) -> None:
        document["users"][0]["user"]["token"] = "wr0ng"

    text = await why(target(edited(cluster, tmp_path, change)))
    assert text == "context admin does not know this user: Unauthorized; log in again"


async def test_an_unknown_context_lists_those_that_there_are(cluster: ControlPlane) -> None:
    file = cluster.kubeconfig()
    text = await why(target(file, context="prod"))
    assert text == f'{file} has no context "prod"; it has: admin, limited, certificate, exec'


async def test_a_context_is_chosen_beside_the_current_one(cluster: ControlPlane) -> None:
    inside = target(cluster.kubeconfig("admin"), context="certificate")
    assert await inside.user() == "certificate-admin"
    await inside.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No configuration found"),
        ("", "can't be used: "),
        ("a: [", "can't be used: "),
        ("[]", "can't be used: "),
        ("apiVersion: v1\nkind: Config\n", "can't be used: "),
        ("\x00", "can't be used: "),
    ],
)
async def test_a_kubeconfig_that_is_not_one(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    told = await why(target(path))
    assert told.startswith(f"{path} can't be used: ")
    assert told.endswith("; see the target's kubeconfig and context")
    assert said in told


async def test_a_server_that_is_not_one(cluster: ControlPlane, tmp_path: Path) -> None:
    def change(document: Any) -> None:
        document["clusters"][0]["cluster"]["server"] = cluster.url.replace("https", "http")

    text = await why(target(edited(cluster, tmp_path, change)))
    assert text == "context admin answered 400: Client sent an HTTP request to an HTTPS server."


async def test_the_pods_own_service_account(
    cluster: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubernetes.config import incluster_config

    (tmp_path / "token").write_text(cluster.access.tokens["limited"])
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(cluster.folder / "pki" / "ca.crt"))
    host, port = cluster.url.removeprefix("https://").split(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    inside = targets.build("cluster", targets.Options(in_cluster=True))
    assert (await inside.user(), inside.context) == ("limited", "in-cluster")
    await inside.close()


async def test_outside_of_a_pod_there_is_no_service_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    outside = targets.build("cluster", targets.Options(in_cluster=True))
    with pytest.raises(Refused, match=r"the pod's service account can't be used: Service host/port is not set"):
        await outside.connect()
    await outside.close()
