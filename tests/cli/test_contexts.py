"""Where it acts, by name: the top of the screen names the procedure's clusters, a preview where its own component acts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.engine.clock import SystemClock
from console.engine.session import Parts
from console.kinds import Registry
from console.wiring import Request, assemble
from tests.cli.conftest import Cli

CLUSTER = """
[target.cluster]
kind = "kubernetes"
kubeconfig = "kubeconfig"
"""
PROCEDURE = """
[incident]
title = "A migration"

[target.audit]
kind = "postgres"
dsn = "postgresql://rollback@db.example:5432/audit"

[target.opa]
kind = "opa"
urls = ["http://opa.example:8181"]

[[component]]
id = "trail"
[[component.step]]
id = "restore-trail"
kind = "postgres.restore"
target = "audit"
table = "log"
backup = "log_backup"
key = ["id"]
[[component.step]]
id = "restore-policies"
kind = "opa.restore"
target = "opa"
archive = "policies.tar.gz"

[[component]]
id = "provider"
[[component.step]]
id = "call-provider"
kind = "manual"
instruction = "Call them."
"""
GATEWAY = """
[[component]]
id = "gateway"
[[component.step]]
id = "disable-qec"
kind = "kubernetes.patch"
target = "cluster"
namespace = "acgs"
object = "ConfigMap/gateway"
patch = { data = { qec = "off" } }
[[component.step]]
id = "restore-requests"
kind = "postgres.restore"
target = "audit"
table = "requests"
backup = "requests_backup"
key = ["id"]
"""
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "prod-eu-1",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
    "contexts": [{"name": "prod-eu-1", "context": {"cluster": "c", "user": "u"}}],
}


def parts_of(folder: Path, text: str) -> Parts:
    (folder / "procedure.toml").write_text(text)
    (folder / "kubeconfig").write_text(json.dumps(KUBECONFIG))
    request = Request(folder / "procedure.toml", folder / "journal")
    return assemble(request, Registry(), SystemClock())


@pytest.fixture
def with_cluster(tmp_path: Path) -> Iterator[Parts]:
    parts = parts_of(tmp_path, PROCEDURE + CLUSTER + GATEWAY)
    yield parts
    asyncio.run(parts.close())


def test_the_top_names_the_cluster_alone_and_never_anything_in_its_place(with_cluster: Parts) -> None:
    assert with_cluster.contexts() == (), "kubeconfig has not been read yet"
    asyncio.run(with_cluster.connect())
    assert with_cluster.contexts() == ("prod-eu-1",)


def test_a_component_names_its_own_targets_in_the_order_of_its_steps(with_cluster: Parts) -> None:
    asyncio.run(with_cluster.connect())
    assert with_cluster.contexts_of("gateway") == ("prod-eu-1", "audit@db.example:5432")
    assert with_cluster.contexts_of("trail") == ("audit@db.example:5432", "opa"), "OPA goes by its name in the file"
    assert with_cluster.contexts_of("provider") == ()
    assert with_cluster.contexts_of("no longer in the file") == ()


def test_a_procedure_without_a_cluster_names_its_other_systems(tmp_path: Path) -> None:
    assert parts_of(tmp_path, PROCEDURE).contexts() == ("audit@db.example:5432",)


def test_a_plan_names_the_targets_of_each_component(cli: Cli) -> None:
    plan = cli.done("plan", "dashboard", "provider", "--json").document
    assert [c["contexts"] for c in plan["components"]] == [["sim-1"], []]
