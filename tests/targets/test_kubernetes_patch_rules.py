"""What a patch may name, and what of it is read back: a misspelt name must never "work"."""

from __future__ import annotations

from typing import Any

import pytest

from console.domain.errors import Refused
from console.steps.kubernetes_patch import KubernetesPatch, Options, leaves, refuse_additions
from console.targets.kubernetes.client import KubernetesTarget

LIVE: dict[str, Any] = {
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "replicas": 3,
        "template": {
            "spec": {
                "containers": [
                    {"name": "gateway", "image": "g:1", "env": [{"name": "QEC_ENABLED", "value": "true"}],
                     "ports": [{"containerPort": 80}]},
                    {"name": "sidecar", "image": "s:1", "args": ["-v"]},
                ],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            },
        },
    },
}  # fmt: skip


def container(**patch: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [patch]}}}}


def refused(patch: Any, live: Any = LIVE, *, merge_lists: bool = True) -> str:
    with pytest.raises(Refused) as refusal:
        refuse_additions(patch, live, "Deployment shop/web", merge_lists=merge_lists)
    assert refusal.value.hint == "put it right, or allow additions with may_add = true"
    return refusal.value.message.removeprefix("Deployment shop/web has no ")


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        (container(name="gatewya"), 'container "gatewya" (there: gateway, sidecar); did you mean "gateway"?'),
        (container(name="gateway", env=[{"name": "QEC_ENABLE", "value": "false"}]),
         'variable "QEC_ENABLE" (there: QEC_ENABLED); did you mean "QEC_ENABLED"?'),
        (container(name="gateway", imagee="g:2"),
         'field "imagee" at spec.template.spec.containers[gateway]; did you mean "image"?'),
        ({"spec": {"template": {"spec": {"volumes": [{"name": "data"}]}}}}, 'volume "data" (there: tmp)'),
        ({"spec": {"template": {"spec": {"initContainers": [{"name": "x"}]}}}},
         'field "initContainers" at spec.template.spec; did you mean "containers"?'),
        ({"spec": {"replcas": 1}}, 'field "replcas" at spec; did you mean "replicas"?'),
        ({"sepc": {}}, 'field "sepc"; did you mean "spec"?'),
    ],
)  # fmt: skip
def test_a_name_that_does_not_exist_is_refused_with_a_guess(patch: Any, said: str) -> None:
    assert refused(patch) == said


def test_a_key_of_a_config_map() -> None:
    live = {"data": {f"key_{n}": "" for n in range(20)}}
    text = refused({"data": {"kye_1": "x"}}, live)
    assert text.startswith('key "kye_1" (there: key_0, key_1, ')
    assert text.endswith('did you mean "key_1"?')
    assert "key_12" not in text.partition(")")[0]


@pytest.mark.parametrize(
    "patch",
    [
        container(name="gateway", env=[{"name": "QEC_ENABLED", "value": "false"}]),
        container(name="sidecar", args=["-v", "-v"]),
        {"metadata": {"labels": {"gone": None}}, "nothing": None},
        {"spec": {"template": {"spec": {"$retainKeys": ["x"], "containers": [{"$patch": "replace"}]}}}},
        container(name="gateway", env=[{"name": "ALREADY_GONE", "$patch": "delete"}]),
        container(name="gateway", ports=[{"containerPort": 8080}]),
        {"spec": {"$patch": "replace", "replicas": 1}},
        {"spec": {"template": {"spec": {"$deleteFromPrimitiveList/finalizers": ["x"]}}}},
    ],
)
def test_what_exists_deletions_and_directives_are_no_additions(patch: Any) -> None:
    refuse_additions(patch, LIVE, "it", merge_lists=True)


def test_lists_that_are_replaced_are_left_to_the_diff() -> None:
    refuse_additions(container(name="new"), LIVE, "it", merge_lists=False)


def claimed(patch: Any, after: Any, *, merge_lists: bool = True) -> list[tuple[str, Any]]:
    return [("/".join(str(p) for p in path), value) for path, value in leaves(patch, after, merge_lists=merge_lists)]


def test_each_value_that_is_set_is_claimed_as_the_server_will_have_it() -> None:
    patch = container(name="gateway", image="g:2", env=[{"name": "QEC_ENABLED", "value": "false"}])
    prefix = "spec/template/spec/containers/[gateway]"
    assert claimed(patch, LIVE) == [(f"{prefix}/image", "g:1"), (f"{prefix}/env/[QEC_ENABLED]/value", "true")]
    assert claimed({"spec": {"replicas": 1.0}}, LIVE) == [("spec/replicas", 3)]


def test_lists_without_names_are_claimed_whole() -> None:
    assert claimed(container(name="sidecar", args=["-q"]), LIVE) == [
        ("spec/template/spec/containers/[sidecar]/args", ["-v"])
    ]
    containers = LIVE["spec"]["template"]["spec"]["containers"]
    assert claimed(container(name="sidecar"), LIVE, merge_lists=False) == [
        ("spec/template/spec/containers", containers)
    ]


def test_deletions_directives_and_what_the_server_drops_claim_nothing() -> None:
    patch = {"metadata": {"labels": {"app": None}}, "$patch": "x", "stringData": {"password": "s3cret"}}
    assert claimed(patch, LIVE) == []
    assert claimed(container(name="gateway", env=[{"name": "QEC_ENABLED", "$patch": "delete"}]), LIVE) == []


def step(**options: Any) -> KubernetesPatch:
    target = KubernetesTarget("cluster", kubeconfig=None, context="prod")
    return KubernetesPatch("step", Options.model_validate(options), target)


def test_the_equivalent_command_is_quoted_and_holds_no_secret() -> None:
    patched = step(object="Secret/db", namespace="shop", patch={"stringData": {"mode": "it's s3cret"}})
    [command] = patched.describe().commands
    assert command.startswith('kubectl --context prod -n shop patch secret/db --type strategic -p \'{"data": {"mode": ')
    assert "s3cret" not in command
    plain = step(object="ConfigMap/c", namespace="shop", patch={"data": {"a": "it's"}})
    assert plain.describe().commands == (
        'kubectl --context prod -n shop patch configmap/c --type strategic -p \'{"data": {"a": "it\'"\'"\'s"}}\'',
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"object": "deployment/web", "patch": {"a": 1}}, "object"),
        ({"object": "Deployment", "patch": {"a": 1}}, "object"),
        ({"object": "Deployment/web", "patch": {}}, "patch"),
        ({"object": "Deployment/web", "patch": {"a": 1}, "patch_type": "json"}, "patch_type"),
        ({"object": "Deployment/web", "patch": {"a": 1}, "restart_readers": True}, "nothing reads any other object"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Options.model_validate(options)
