"""Who reads a ConfigMap or Secret and who must be restarted; where kinds are served; what a restart leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from console.domain.errors import Refused
from console.targets.kubernetes.readers import Reader, readers_of, ways
from console.targets.kubernetes.resources import (
    DEPLOYMENT,
    Resource,
    default_api_version,
    resource_from_definition,
    resource_from_discovery,
    takes_strategic,
)
from console.targets.kubernetes.restarts import bare, stamp_name, version_of, with_restarts_of

MOUNT = {"name": "v", "mountPath": "/x"}
BY_KEY = {"valueFrom": {"configMapKeyRef": {"name": "config", "key": "k"}}}
SECRET_BY_KEY = {"valueFrom": {"secretKeyRef": {"name": "config", "key": "k"}}}


def pod(*containers: dict[str, Any], volumes: Any = None, **spec: Any) -> dict[str, Any]:
    return {"containers": list(containers), "volumes": volumes, **spec}


def volume(**source: Any) -> list[dict[str, Any]]:
    return [{"name": "v", **source}]


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("ConfigMap", pod({"env": [{"name": "A", **BY_KEY}, {"name": "B", "value": "1"}]}), ["env"]),
        ("ConfigMap", pod({"envFrom": [{"configMapRef": {"name": "config"}}]}), ["envFrom"]),
        ("ConfigMap", pod({"volumeMounts": [MOUNT]}, volumes=volume(configMap={"name": "config"})), ["volume"]),
        ("ConfigMap", pod({"volumeMounts": [{**MOUNT, "subPath": "k"}]}, volumes=volume(configMap={"name": "config"})),
         ["subPath"]),
        ("ConfigMap", pod({"volumeMounts": [{**MOUNT, "subPathExpr": "k"}, MOUNT]},
                          volumes=volume(configMap={"name": "config"})), ["subPath", "volume"]),
        ("ConfigMap", pod({"volumeMounts": [MOUNT]}, volumes=volume(
            projected={"sources": [{"secret": {"name": "s"}}, {"configMap": {"name": "config"}}]})), ["volume"]),
        ("ConfigMap", pod({"name": "c"}, initContainers=[{"env": [{"name": "A", **BY_KEY}]}]), ["env"]),
        ("ConfigMap", pod({"name": "c"}, volumes=volume(configMap={"name": "config"})), ["volume"]),
        ("ConfigMap", pod({"env": [{"name": "A", **SECRET_BY_KEY}]}, volumes=volume(secret={"secretName": "config"})), []),
        ("ConfigMap", pod({"envFrom": [{"configMapRef": {"name": "other"}}]}), []),
        ("Secret", pod({"env": [{"name": "A", **SECRET_BY_KEY}]}), ["env"]),
        ("Secret", pod({"envFrom": [{"secretRef": {"name": "config"}}]}), ["envFrom"]),
        ("Secret", pod({"volumeMounts": [MOUNT]}, volumes=volume(secret={"secretName": "config"})), ["volume"]),
        ("Secret", pod({"volumeMounts": [MOUNT]}, volumes=volume(projected={"sources": [{"secret": {"name": "config"}}]})),
         ["volume"]),
        ("Secret", pod({"env": [{"name": "A", **BY_KEY}]}), []),
    ],
)  # fmt: skip
def test_the_ways_in_which_a_pod_reads(kind: str, spec: dict[str, Any], found: list[str]) -> None:
    assert list(ways(spec, kind, "config")) == found


@pytest.mark.parametrize(
    ("by", "notices", "said"),
    [
        (("volume",), True, "notices within a minute or two"),
        (("env",), False, "does not notice before its pods restart"),
        (("volume", "envFrom"), False, "does not notice before its pods restart"),
        (("volume", "subPath"), False, "never notices"),
    ],
)
def test_what_a_change_means_to_a_reader(by: tuple[str, ...], notices: bool, said: str) -> None:
    reader = Reader({"kind": "Deployment", "metadata": {"name": "web"}}, by)
    assert (reader.notices, reader.name) == (notices, "Deployment web")
    assert reader.consequence.startswith(said)


def test_only_workloads_that_read_it_are_readers_and_each_way_is_told_once() -> None:
    def deployment(name: str, spec: dict[str, Any]) -> dict[str, Any]:
        return {"kind": "Deployment", "metadata": {"name": name}, "spec": {"template": {"spec": spec}}}

    twice = pod({"env": [{"name": "A", **BY_KEY}, {"name": "B", **BY_KEY}]})
    found = readers_of("ConfigMap", "config", [deployment("web", twice), deployment("other", pod({}))])
    assert [(r.name, r.ways) for r in found] == [("Deployment web", ("env",))]


# ---------------------------------------------------------------- resources


def test_where_objects_are_served() -> None:
    assert DEPLOYMENT.ref("shop", "web").path == "/apis/apps/v1/namespaces/shop/deployments/web"
    assert Resource("v1", "Node", "nodes", namespaced=False).ref("shop", "n").path == "/api/v1/nodes/n"
    assert (DEPLOYMENT.qualified, DEPLOYMENT.group, DEPLOYMENT.version) == ("deployments.apps", "apps", "v1")


@pytest.mark.parametrize(("kind", "guess"), [("Deploymet", "Deployment"), ("Configmap", "ConfigMap"), ("Rollout", "")])
def test_a_kind_that_is_not_built_in(kind: str, guess: str) -> None:
    with pytest.raises(Refused, match=f'"{kind}" is not a built-in kind') as refused:
        default_api_version(kind)
    assert (f'did you mean "{guess}"?' in refused.value.message) == bool(guess)
    assert refused.value.hint == "name its api_version"


def test_a_kind_is_found_by_discovery_or_guessed_at() -> None:
    served = {"resources": [{"kind": "Widget", "name": "widgets", "namespaced": True},
                            {"kind": "Widget", "name": "widgets/status", "namespaced": True}]}  # fmt: skip
    assert resource_from_discovery(served, "x/v1", "Widget") == Resource("x/v1", "Widget", "widgets")
    with pytest.raises(Refused, match='x/v1 has no kind Widgte; did you mean "Widget"'):
        resource_from_discovery(served, "x/v1", "Widgte")


def test_a_kind_is_known_from_its_definition() -> None:
    spec = {
        "group": "x",
        "scope": "Cluster",
        "names": {"kind": "Widget", "plural": "widgets"},
        "versions": [{"name": "v1"}],
    }
    definition = {"kind": "CustomResourceDefinition", "spec": spec}
    assert resource_from_definition(definition, "x/v1", "Widget") == Resource("x/v1", "Widget", "widgets", False)
    assert resource_from_definition(definition, "x/v2", "Widget") is None
    assert resource_from_definition({"kind": "ConfigMap"}, "x/v1", "Widget") is None


@pytest.mark.parametrize(
    ("api_version", "strategic"),
    [("", True), ("v1", True), ("apps/v1", True), ("policy/v1", True), ("argoproj.io/v1alpha1", False)],
)
def test_whose_lists_the_server_can_merge(api_version: str, strategic: bool) -> None:
    assert takes_strategic(api_version) == strategic


# ---------------------------------------------------------------- restarts


def test_a_stamp_is_a_valid_annotation_however_long_the_name() -> None:
    assert stamp_name("ConfigMap", "config") == "rollback-console/read-config"
    assert stamp_name("Secret", "config") == "rollback-console/read-secret-config"
    long = [stamp_name("ConfigMap", "c" * 200), stamp_name("ConfigMap", "c" * 201)]
    assert all(len(name.partition("/")[2]) == 63 for name in long)
    assert long[0] != long[1]


def test_the_version_is_of_the_data_alone_and_of_this_object() -> None:
    one = {"metadata": {"uid": "1", "resourceVersion": "5"}, "data": {"a": "1"}}
    assert version_of(one) == version_of({**one, "metadata": {"uid": "1", "resourceVersion": "6"}})
    changed = ({**one, "data": {"a": "2"}}, {**one, "binaryData": {"b": ""}}, {**one, "metadata": {"uid": "2"}})
    assert len({version_of(v) for v in (one, *changed)}) == 4


def test_a_restart_is_no_other_template() -> None:
    plain = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}
    stamps = {"kubectl.kubernetes.io/restartedAt": "now", "rollback-console/read-config": "abc"}
    labels = {"app": "web", "pod-template-hash": "xyz"}
    served = {"metadata": {"labels": labels, "annotations": stamps}, "spec": {"containers": []}}
    assert bare(served) == plain
    assert bare(plain) == plain
    assert with_restarts_of(served, plain) == {**plain, "metadata": {"labels": {"app": "web"}, "annotations": stamps}}
    assert with_restarts_of(plain, plain) is plain
    noted = {**plain, "metadata": {"annotations": {"note": "n", **stamps}}}
    assert bare(noted)["metadata"]["annotations"] == {"note": "n"}
