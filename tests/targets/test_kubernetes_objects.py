"""What of an object counts, what a person may see of it, and the patch between two of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.difference import ABSENT
from console.targets.kubernetes.objects import (
    FIELD_MANAGER,
    LAST_APPLIED,
    MOST_LINES_OF_ONE,
    REVISION,
    Ref,
    content,
    diff_lines,
    differ,
    encoded,
    last_writer,
    made_by_others,
    managers,
    merge_patch,
    named_by,
    same,
    seen,
    visible,
)

SECRET = {"kind": "Secret", "metadata": {"name": "db"}, "data": {"mode": "czNjcmV0", "user": "cm9vdA=="}}


def with_env(name: str, value: str) -> dict[str, Any]:
    return {"kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"template": {"spec": {"containers": [{"name": "c", "env": [{"name": name, "value": value}]}]}}}}  # fmt: skip


def managed(*entries: tuple[str, str, str]) -> dict[str, Any]:
    fields = [{"manager": m, "operation": o, "time": t, "fieldsV1": {}} for m, o, t in entries]
    return {"metadata": {"name": "x", "managedFields": fields}}


# ---------------------------------------------------------------- what counts


def test_content_is_what_people_asked_for() -> None:
    obj = {
        "apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3}, "status": {"replicas": 3},
        "metadata": {
            "name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 4, "labels": {"a": "b"},
            "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{}], "finalizers": ["f"],
            "annotations": {REVISION: "3", "note": "n"},
        },
    }  # fmt: skip
    assert content(obj) == {
        "apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3},
        "metadata": {"name": "web", "annotations": {"note": "n"}, "namespace": "shop", "labels": {"a": "b"},
                     "finalizers": ["f"]},
    }  # fmt: skip
    assert content(content(obj)) == content(obj)
    assert content(None) is None


def test_replicas_are_left_out_of_what_was_seen_and_the_uid_is_in_it() -> None:
    one = {"kind": "Deployment", "metadata": {"name": "web", "uid": "1"}, "spec": {"replicas": 1, "paused": False}}
    scaled = {**one, "spec": {"replicas": 9, "paused": False}}
    anew = {**one, "metadata": {"name": "web", "uid": "2"}}
    assert seen(one).fingerprint == seen(scaled).fingerprint != seen(anew).fingerprint
    assert seen(None).content is None


# ---------------------------------------------------------------- what a person may see


@pytest.mark.parametrize("name", ["DB_PASSWORD", "db-passwd", "API_KEY", "apikey", "GITHUB_TOKEN", "PG_DSN", "client_secret",
                                  "SSH_PRIVATE_KEY", "AWS_CREDENTIALS", "CONNECTION_STRING"])  # fmt: skip
def test_variables_and_keys_that_are_named_like_secrets_are_masked(name: str) -> None:
    assert "s3cret" not in str(visible(with_env(name, "s3cret")))
    assert "s3cret" not in str(visible({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {name: "s3cret"}}))


def test_other_variables_and_keys_are_shown() -> None:
    assert visible(with_env("LOG_LEVEL", "info")) == with_env("LOG_LEVEL", "info")
    plain = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"features": "on"}}
    assert visible(plain) == plain


def test_every_value_of_a_secret_is_masked_and_two_values_can_be_told_apart() -> None:
    shown = visible(SECRET)
    assert set(shown["data"]) == {"mode", "user"}
    assert all(value.startswith("••• (") for value in shown["data"].values())
    assert shown["data"]["mode"] != shown["data"]["user"]
    assert visible(shown) == shown
    assert SECRET["data"] == {"mode": "czNjcmV0", "user": "cm9vdA=="}


def test_what_kubectl_applied_last_is_masked_for_it_repeats_everything() -> None:
    obj = {
        "kind": "Secret",
        "metadata": {"name": "x", "annotations": {LAST_APPLIED: '{"data": "s3cret"}', "note": "n"}},
    }
    shown = visible(obj)["metadata"]["annotations"]
    assert "s3cret" not in str(shown)
    assert shown["note"] == "n"


def test_a_diff_never_holds_a_secret() -> None:
    changed = {**SECRET, "data": {"mode": "bmV3", "user": "cm9vdA=="}}
    assert [d.where for d in differ(SECRET, changed)] == ["data.mode"]
    lines = "\n".join(
        [
            *diff_lines("Secret db", SECRET, changed),
            *diff_lines("s", None, SECRET, SECRET),
            *diff_lines("s", SECRET, None),
        ]
    )
    assert not any(value in lines for value in ("czNjcmV0", "bmV3", "cm9vdA=="))


def test_a_diff_is_read_by_path_and_harmless_on_a_terminal() -> None:
    old, new = with_env("A", "1"), with_env("A", "\x1b[2J\n2")
    assert diff_lines("Deployment web", old, new) == [
        "Deployment web",
        "  spec.template.spec.containers[c].env[A].value:",
        "-     1",
        '+     "\\u001b[2J"',
        "+     2",
    ]
    assert diff_lines("x", None, {"kind": "X", "spec": {"a": [1, {}]}, "metadata": {"name": "x"}}) == [
        "x", "+ created", "+ spec.a[0]: 1", "+ spec.a[1]: {}",
    ]  # fmt: skip
    assert diff_lines("x", {"a": 1}, None) == ["x", "- deleted"]


def rules(*lines: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": "rules"}, "data": {"rules.yml": "".join(f"{x}\n" for x in lines)}}


def test_a_file_in_a_config_map_is_compared_line_by_line_with_its_indentation() -> None:
    file = ["groups:", "- name: qec", "  rules:", *(f"  - alert: A{n}" for n in range(9)), "  # end"]
    changed = [*file[:2], "  interval: 30s", *file[2:10], "  - alert: Late\t", *file[11:]]
    assert diff_lines("ConfigMap rules", rules(*file), rules(*changed)) == [
        "ConfigMap rules",
        "  data['rules.yml']:",
        "      groups:",
        "      - name: qec",
        "+       interval: 30s",
        "        rules:",
        "        - alert: A0",
        "      …",
        "        - alert: A5",
        "        - alert: A6",
        "-       - alert: A7",
        '+     " - alert: Late\\t"',
        "        - alert: A8",
        "        # end",
    ]
    made = diff_lines("ConfigMap rules", None, rules("groups:", "- name: qec"), rules("groups:", "- name: qec"))
    assert made == ["ConfigMap rules", "+ created", "+ data.rules.yml:", "+     groups:", "+     - name: qec"]


def test_a_diff_of_a_long_file_is_bounded() -> None:
    old, new = rules(*(f"a{n}" for n in range(200))), rules(*(f"b{n}" for n in range(200)))
    lines = diff_lines("ConfigMap rules", old, new)
    assert len(lines) == 2 + MOST_LINES_OF_ONE + 1
    assert lines[-1] == "      … 360 more lines"


def test_a_secret_of_several_lines_stays_masked() -> None:
    old, new = ({"kind": "ConfigMap", "data": {"db_password": f"{x}\ns3cret\n"}} for x in "ab")
    lines = diff_lines("ConfigMap db", old, new)
    assert [line[:23] for line in lines] == ["ConfigMap db", '- data.db_password: "••', '+ data.db_password: "••']
    assert "s3cret" not in "".join(lines)


def test_plain_text_for_a_secret_is_encoded_as_the_server_does() -> None:
    patch = {"data": {"a": "eA=="}, "stringData": {"b": "y", "c": None}}
    assert encoded(patch) == {"data": {"a": "eA==", "b": "eQ==", "c": None}}
    assert encoded({"data": {}}) == {"data": {}}


# ---------------------------------------------------------------- who


def test_the_last_writer_is_a_person_or_a_tool_and_not_the_controllers() -> None:
    obj = managed(
        ("kubectl-edit", "Update", "2026-01-01T00:00:01Z"),
        ("helm", "Apply", "2026-01-01T00:00:02Z"),
        ("kube-controller-manager", "Update", "2026-01-01T00:00:03Z"),
        (FIELD_MANAGER, "Update", "2026-01-01T00:00:04Z"),
    )
    obj["metadata"]["managedFields"].append(
        {"manager": "kubelet", "time": "2026-01-01T00:00:05Z", "subresource": "status"}
    )
    assert last_writer(obj) == "helm (Apply, 2026-01-01T00:00:02Z)"
    assert last_writer({}) == ""


def test_an_object_of_which_others_own_everything_was_not_made_here() -> None:
    assert made_by_others(managed(("helm", "Apply", "2026-01-01T00:00:02Z")))
    assert not made_by_others(managed(("helm", "Apply", "1"), (FIELD_MANAGER, "Apply", "2")))
    assert not made_by_others(managed())
    assert not made_by_others(managed(("kube-controller-manager", "Update", "2026-01-01T00:00:02Z")))


@pytest.mark.parametrize(
    ("labels", "annotations", "who"),
    [
        ({}, {"argocd.argoproj.io/tracking-id": "x"}, ["Argo CD"]),
        ({"app.kubernetes.io/instance": "shop"}, {}, ["perhaps Argo CD or Helm (instance shop)"]),
        ({"kustomize.toolkit.fluxcd.io/name": "apps"}, {}, ["Flux"]),
        ({"helm.toolkit.fluxcd.io/name": "x"}, {"meta.helm.sh/release-name": "shop"}, ["Flux", "Helm (release shop)"]),
        ({"app": "web"}, {}, []),
    ],
)
def test_who_puts_it_back(labels: dict[str, str], annotations: dict[str, str], who: list[str]) -> None:
    assert managers({"metadata": {"labels": labels, "annotations": annotations}}) == who


# ---------------------------------------------------------------- patches

values = st.recursive(
    st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from("abcd"), values, max_size=4)


def patched(target: Any, patch: Any) -> Any:
    """RFC 7386, as it is written there."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = patched(result.get(key), value)
    return result


@given(documents, documents)
def test_the_merge_patch_turns_the_old_document_into_the_new_one(old: Any, new: Any) -> None:
    assert same(patched(old, merge_patch(old, new)), new)


@given(documents)
def test_the_merge_patch_of_nothing_changed_is_empty(document: Any) -> None:
    assert merge_patch(document, document) == {}


def test_one_is_not_true_and_absent_is_only_absent() -> None:
    assert not same(1, True)
    assert not same({"a": [0]}, {"a": [False]})
    assert same({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert same(ABSENT, ABSENT)
    assert not same(ABSENT, None)


@given(documents)
def test_a_manifest_that_says_everything_names_everything(document: Any) -> None:
    assert named_by(document, document) == document


def test_what_the_server_adds_is_not_named_by_the_manifest() -> None:
    manifest = {
        "spec": {"ports": [{"port": 80}], "selector": {}, "containers": [{"name": "c", "image": "c:1"}], "gone": 1}
    }
    served = {
        "spec": {
            "clusterIP": "10.0.0.1", "ports": [{"port": 80, "nodePort": 30000}], "selector": {"uid": "x"},
            "containers": [{"name": "sidecar"}, {"name": "c", "image": "c:1", "pull": "Always"}],
        },
        "status": {},
    }  # fmt: skip
    assert named_by(manifest, served) == {
        "spec": {"ports": [{"port": 80}], "selector": {}, "containers": [{"name": "c", "image": "c:1"}]}
    }


def test_a_reference_survives_the_journal() -> None:
    ref = Ref("apps/v1", "Deployment", "shop", "web", "/apis/apps/v1/namespaces/shop/deployments/web")
    assert Ref.from_json(ref.to_json()) == ref
    assert str(ref) == "Deployment shop/web"
