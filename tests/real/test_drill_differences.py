"""The same requests to the real API server and to the drill's: each answer must be the same, but for what is explained here.

Objects are compared without what a server makes up: uids, versions, times. Managed fields are compared, and so is every word of
every refusal. What differs is printed; a difference that stands in `EXPLAINED` says why it may.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.real.servers import ControlPlane, poll
from tests.real.servers.kubernetes import CRASH_LABEL, NODE
from tests.sandbox.kubernetes.cluster import DrillCluster

JSON, MERGE = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
CORE, APPS = "/api/v1/namespaces/{ns}", "/apis/apps/v1/namespaces/{ns}"
CMS, CM, NEW = f"{CORE}/configmaps", f"{CORE}/configmaps/c", f"{CORE}/configmaps/new"
DEPLOYMENTS, WEB = f"{APPS}/deployments", f"{APPS}/deployments/web"
SERVICES, SECRETS, PODS = f"{CORE}/services", f"{CORE}/secrets", f"{CORE}/pods"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/drill.rollback/v1/namespaces/{ns}/widgets"

EXPLAINED: dict[str, str] = {
    "others: a pod's command": "the real server shows the difference of the two specs as Go prints its inner types",
}
"""Label of a request to why its answer may differ."""


@dataclass(frozen=True)
class Ask:
    label: str
    method: str
    path: str
    body: Any = None
    kind: str = "application/json"
    query: dict[str, str] = field(default_factory=dict)
    user: str = "admin"


def post(label: str, path: str, body: Any, **query: str) -> Ask:
    return Ask(label, "POST", path, body, query=query)


def put(label: str, path: str, body: Any, **query: str) -> Ask:
    return Ask(label, "PUT", path, body, query=query)


def patch(label: str, path: str, body: Any, kind: str = MERGE, **query: str) -> Ask:
    return Ask(label, "PATCH", path, body, kind, query)


def apply(label: str, path: str, body: Any, manager: str = "applier", **query: str) -> Ask:
    return Ask(label, "PATCH", path, body, APPLY, {"fieldManager": manager, **query} if manager else query)


def get(label: str, path: str, **query: str) -> Ask:
    return Ask(label, "GET", path, query=query)


def delete(label: str, path: str, body: Any = None, **query: str) -> Ask:
    return Ask(label, "DELETE", path, body, query=query)


def config_map(name: str = "c", **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"a": "b"}},
            "data": {"x": "1"}, **more}  # fmt: skip


def named(name: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}}


def deployment(name: str = "web", **spec: Any) -> dict[str, Any]:
    container = {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                 "ports": [{"containerPort": 80}]}  # fmt: skip
    template = {"metadata": {"labels": {"app": name}}, "spec": {"nodeName": NODE, "containers": [container]}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template, **spec}}  # fmt: skip


def of_template(**spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


def containers(*items: dict[str, Any]) -> dict[str, Any]:
    return of_template(containers=list(items))


CONFIG_MAPS = [
    post("create", CMS, config_map(), fieldManager="migration"),
    post("create again", CMS, config_map()),
    get("read what is not there", f"{CMS}/nope"),
    post("create in no namespace", "/api/v1/namespaces/nope/configmaps", config_map()),
    post("a number for a text", CMS, {**named("d"), "data": {"x": 1}}),
    post("a list for a map", CMS, {**named("d"), "data": ["x"]}),
    post("unknown field, strict", CMS, {**named("d"), "dta": {"x": "1"}}, fieldValidation="Strict"),
    post("unknown fields, warned", CMS, {**named("d", foo=1), "dta": {"x": "1"}}, dryRun="All"),
    post("unknown fields, ignored", CMS, {**named("d", foo=1), "dta": {}}, dryRun="All", fieldValidation="Ignore"),
    post("a bad name", CMS, named("D_")),
    post("no name", CMS, {"metadata": {}}),
    post("a generated name", CMS, {"metadata": {"generateName": "g-"}}),
    post("bad labels", CMS, named("q", labels={"a b": "c d"})),
    post("a bad key", CMS, {**named("q"), "data": {"a b": "c"}}),
    post("another namespace", CMS, named("q", namespace="other")),
    post("another kind", CMS, {"kind": "Secret", "apiVersion": "v1", **named("q")}),
    post("another version", CMS, {"kind": "ConfigMap", "apiVersion": "v2", **named("q")}),
    post("empty values", CMS, {**named("empty", labels={}, annotations={}), "data": {}, "immutable": False}),
    put("replace under another name", CM, config_map("zz")),
    put("replace what is not there", f"{CMS}/zz", config_map("zz")),
    put("replace a stale one", CM, {**config_map(), **named("c", resourceVersion="1")}),
    put("replace another uid", CM, {**config_map(), **named("c", uid="1-2-3")}),
    put("replace", CM, {**config_map(), "data": {"x": "2"}}, fieldManager="put"),
    patch("merge", CM, {"data": {"y": "2"}}, fieldManager="patcher"),
    patch("merge nothing", CM, {"data": {"y": "2"}}, fieldManager="idler"),
    patch("merge with a stale version", CM, {"metadata": {"resourceVersion": "1"}, "data": {"y": "3"}}),
    patch("merge with another uid", CM, {"metadata": {"uid": "1-2"}, "data": {"y": "3"}}),
    patch("merge with both", CM, {"metadata": {"uid": "1-2", "resourceVersion": "1"}, "data": {"y": "3"}}),
    patch("merge an unknown field", CM, {"dta": {"y": "3"}}, fieldValidation="Strict"),
    patch("merge an unknown field, warned", CM, {"dta": {"y": "3"}}),
    patch("strategic with an unknown field", CM, {"dta": {"y": "3", "l": [1, None]}}, STRATEGIC, fieldValidation="Strict"),
    patch("merge a number", CM, {"data": {"y": 3}}),
    patch("merge another name", CM, {"metadata": {"name": "other"}}),
    patch("merge away", CM, {"data": {"y": None}}, fieldManager="remover"),
    patch("merge labels", CM, {"metadata": {"labels": {"c": "d"}, "annotations": {"n": "v"}}}, fieldManager="labeller"),
    patch("merge a list", CM, [1]),
    patch("a failed test", CM, [{"op": "test", "path": "/data/x", "value": "9"}], JSON),
    patch("a test of what is not there", CM, [{"op": "test", "path": "/data/zzz", "value": "9"}], JSON),
    patch("a test that holds", CM, [{"op": "test", "path": "/data/x", "value": "2"},
                                    {"op": "replace", "path": "/data/x", "value": "5"}], JSON),
    patch("remove what is not there", CM, [{"op": "remove", "path": "/data/zzz"}], JSON),
    patch("replace what is not there by path", CM, [{"op": "replace", "path": "/data/zzz", "value": "9"}], JSON),
    patch("add below what is not there", CM, [{"op": "add", "path": "/nope/a", "value": "9"}], JSON),
    patch("copy and move", CM, [{"op": "copy", "from": "/data/x", "path": "/data/k"},
                                {"op": "move", "from": "/data/k", "path": "/data/m"}], JSON),
    patch("an unknown operation", CM, [{"op": "frob", "path": "/data/zzz"}], JSON),
    patch("no list of operations", CM, {"op": "frob"}, JSON),
    patch("an unknown patch type", CM, {}, "application/json"),
    patch("patch what is not there", f"{CMS}/nope", {"data": {}}),
    patch("an unknown rehearsal", CM, {}, dryRun="Some"),
    patch("an unknown strictness", CM, {}, fieldValidation="Some"),
    patch("force without apply", CM, {}, force="true"),
    apply("apply without a manager", CM, config_map(), manager=""),
    apply("apply with one conflict", CM, {**config_map(), "data": {"x": "7"}}),
    apply("apply with two conflicts", CM, {**config_map(), "data": {"x": "7", "m": "8"}}),
    apply("apply by force", CM, {**config_map(), "data": {"x": "7", "m": "8"}}, force="true"),
    apply("apply fewer fields", CM, {**config_map(), "data": {"x": "7"}}),
    apply("apply the same again", CM, {**config_map(), "data": {"x": "7"}}),
    apply("apply the same by another", CM, {**config_map(), "data": {"x": "7"}}, manager="second"),
    apply("apply without labels", CM, {**config_map(), **named("c"), "data": {"x": "7"}}),
    apply("apply nothing any more", CM, {"apiVersion": "v1", "kind": "ConfigMap", **named("c")}),
    apply("apply by the second a change", CM, {**config_map(), "data": {"x": "9"}}, manager="second"),
    apply("apply an unknown field", CM, {**config_map(), "dta": {"x": "7"}}, fieldValidation="Strict"),
    apply("apply a number", CM, {**config_map(), "data": {"x": 7}}),
    apply("apply another kind", CM, {**config_map(), "kind": "Secret"}),
    apply("apply no kind", CM, {"data": {"x": "7"}}),
    apply("apply under another name", f"{CMS}/d", config_map()),
    apply("apply managed fields", CM, {**config_map(), **named("c", managedFields=[])}),
    apply("apply a stale version", CM, {**config_map(), **named("c", resourceVersion="1")}, force="true"),
    apply("apply another uid", CM, {**config_map(), **named("c", uid="1-1")}, force="true"),
    apply("apply a uid that is not there", NEW, {**config_map(), **named("new", uid="1-1")}),
    apply("rehearse a creation", NEW, {**config_map(), **named("new")}, dryRun="All"),
    get("after the rehearsal", NEW),
    apply("create by apply", NEW, {**config_map(), **named("new")}),
    apply("create by apply again", NEW, {**config_map(), **named("new")}),
    apply("apply in no namespace", "/api/v1/namespaces/nope/configmaps/c", config_map()),
    delete("delete another uid", CM, {"preconditions": {"uid": "1-1"}}),
    delete("delete another version", CM, {"preconditions": {"resourceVersion": "1"}}),
    delete("rehearse a delete", CM, dryRun="All"),
    delete("delete", CM),
    delete("delete again", CM),
    delete("delete with an unknown policy", NEW, {"propagationPolicy": "Sideways"}),
    post("make immutable", CMS, {**named("imm"), "data": {"a": "1"}, "immutable": True}),
    patch("change the immutable", f"{CMS}/imm", {"data": {"a": "2"}}),
    patch("make it mutable", f"{CMS}/imm", {"immutable": False}),
    get("list", CMS, labelSelector="a!=b"),
    get("list by a set", CMS, labelSelector="a notin (b,c),!z"),
    get("list by name", CMS, fieldSelector="metadata.name=imm"),
    get("list by an unknown field", CMS, fieldSelector="data.x=1"),
    get("list pods by an unknown field", PODS, fieldSelector="spec.foo=1"),
    get("list by half a set", CMS, labelSelector="a in b"),
    get("a method on no object", "/apis/nope.example/v1"),
    get("an unknown resource", f"{CORE}/nopes"),
    post("create an object at an object", CM, config_map()),
    post("a finalizer", CMS, named("held", finalizers=["drill.rollback/hold"])),
    delete("delete what is held", f"{CMS}/held"),
    patch("change what is being deleted", f"{CMS}/held", {"data": {"z": "1"}}),
    patch("let it go", f"{CMS}/held", {"metadata": {"finalizers": None}}),
    get("gone", f"{CMS}/held"),
    post("two finalizers", CMS, named("two", finalizers=["drill.rollback/a", "drill.rollback/b"])),
    patch("one out and one in", f"{CMS}/two", {"metadata": {
        "$deleteFromPrimitiveList/finalizers": ["drill.rollback/a"], "finalizers": ["drill.rollback/c"]}}, STRATEGIC),
    patch("in an order", f"{CMS}/two", {"metadata": {
        "$setElementOrder/finalizers": ["drill.rollback/d", "drill.rollback/b", "drill.rollback/c"],
        "finalizers": ["drill.rollback/d"]}}, STRATEGIC),
    apply("a set is shared", f"{CMS}/two", {"apiVersion": "v1", "kind": "ConfigMap",
                                            **named("two", finalizers=["drill.rollback/e", "drill.rollback/b"])}),
    apply("and left", f"{CMS}/two", {"apiVersion": "v1", "kind": "ConfigMap", **named("two")}),
    patch("nothing holds it", f"{CMS}/two", {"metadata": {"finalizers": []}}),
    patch("null deep inside", CM, {"data": {"n": None, "x": None}, "metadata": {"labels": None}}),
]  # fmt: skip

WORKLOADS = [
    post("create", DEPLOYMENTS, deployment(paused=True), fieldManager="migration"),
    post("no containers", DEPLOYMENTS, deployment("x", template={"metadata": {"labels": {"app": "x"}}, "spec": {}})),
    post("labels that do not match", DEPLOYMENTS, deployment("x", selector={"matchLabels": {"app": "y"}})),
    post("no selector", DEPLOYMENTS, deployment("x", selector=None)),
    post("negative replicas", DEPLOYMENTS, deployment("x", replicas=-1)),
    post("text for replicas", DEPLOYMENTS, deployment("x", replicas="two")),
    post("an unknown field deep inside", DEPLOYMENTS,
         deployment("x", template={"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [
             {"name": "a", "image": "b", "imagee": "c", "env": [{"name": "X", "valeu": "1"}]}]}}),
         fieldValidation="Strict"),
    post("containers of one name", DEPLOYMENTS,
         deployment("x", template={"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [
             {"name": "a", "image": "b"}, {"name": "a", "image": "c"}]}})),
    post("a mount of no volume", DEPLOYMENTS,
         deployment("x", template={"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [
             {"name": "a", "image": "b", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]}})),
    post("odd values", DEPLOYMENTS,
         deployment("x", template={"metadata": {"labels": {"app": "x"}}, "spec": {"restartPolicy": "Never", "containers": [
             {"name": "A_", "image": "", "ports": [{"containerPort": 99999}], "imagePullPolicy": "Now"}]}})),
    post("all kinds of fields", DEPLOYMENTS, deployment(
        "full", paused=True, strategy={"type": "Recreate"}, minReadySeconds=3, replicas=0,
        template={"metadata": {"labels": {"app": "full"}, "annotations": {}}, "spec": {
            "terminationGracePeriodSeconds": 0, "hostNetwork": False, "serviceAccountName": "robot",
            "nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "k", "operator": "Exists"}],
            "imagePullSecrets": [{"name": "pull"}],
            "volumes": [{"name": "c", "configMap": {"name": "c"}}, {"name": "e"}, {"name": "s", "secret": {"secretName": "s"}},
                        {"name": "p", "projected": {"sources": [{"configMap": {"name": "c"}}]}},
                        {"name": "h", "hostPath": {"path": "/x"}}],
            "initContainers": [{"name": "i", "image": "i"}],
            "containers": [{
                "name": "a", "image": "r.example/a", "stdin": False, "command": [], "args": ["x"],
                "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": "0.5"}},
                "livenessProbe": {"httpGet": {"port": 80}}, "readinessProbe": {"tcpSocket": {"port": "web"}},
                "env": [{"name": "E", "value": ""}, {"name": "F", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "envFrom": [{"configMapRef": {"name": "c"}}],
                "volumeMounts": [{"name": "c", "mountPath": "/c", "readOnly": False}],
                "ports": [{"containerPort": 80, "name": "web"}, {"containerPort": 53, "protocol": "UDP"}]}]}})),
    patch("a container's variable", WEB, containers({"name": "web", "env": [{"name": "A", "value": "9"}]}), STRATEGIC),
    patch("another variable before it", WEB,
          containers({"name": "web", "env": [{"name": "Z", "value": "0"}, {"name": "A", "value": "8"}]}), STRATEGIC),
    patch("a variable away", WEB, containers({"name": "web", "env": [{"name": "B", "$patch": "delete"}]}), STRATEGIC),
    patch("a container more", WEB, containers({"name": "side", "image": "s:1"}), STRATEGIC, fieldManager="injector"),
    patch("a container with no name", WEB, containers({"image": "s:2"}), STRATEGIC),
    patch("in another order", WEB, {"spec": {"template": {"spec": {"$setElementOrder/containers": [
        {"name": "side"}, {"name": "web"}], "containers": [{"name": "side", "image": "s:2"}]}}}}, STRATEGIC),
    patch("all containers replaced", WEB, containers({"$patch": "replace"}, {"name": "only", "image": "o:1"}), STRATEGIC,
          dryRun="All"),
    patch("a strategy with its keys", WEB, {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}, STRATEGIC),
    patch("back to rolling", WEB, {"spec": {"strategy": {"type": "RollingUpdate"}}}, STRATEGIC),
    patch("an unknown directive", WEB, {"spec": {"$patch": "frob"}}, STRATEGIC),
    patch("volumes", WEB, of_template(volumes=[{"name": "v", "emptyDir": {}}]), STRATEGIC),
    patch("another source of the volume", WEB,
          of_template(volumes=[{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}]), STRATEGIC),
    patch("a port of the same number", WEB, containers({"name": "web", "ports": [{"containerPort": 80, "name": "http"}]}),
          STRATEGIC),
    patch("tolerations are replaced", WEB, of_template(tolerations=[{"key": "a", "operator": "Exists"}]), STRATEGIC),
    patch("a template's annotation", WEB, {"spec": {"template": {"metadata": {"annotations": {"r": "1"}}}}}),
    patch("another selector", WEB, {"spec": {"selector": {"matchLabels": {"app": "other"}}}}),
    patch("labels that no longer match", WEB, {"spec": {"template": {"metadata": {"labels": {"app": "other"}}}}}),
    patch("a misspelt field", WEB, {"spec": {"replcas": 2}}, STRATEGIC, fieldValidation="Strict"),
    patch("a misspelt field of a container", WEB, containers({"name": "web", "imagee": "x"}), STRATEGIC,
          fieldValidation="Strict"),
    patch("containers as a whole", WEB, containers({"name": "web", "image": "web:2"}), MERGE, fieldManager="merger"),
    patch("not paused any more, but in rehearsal", WEB, {"spec": {"paused": False}}, MERGE, dryRun="All"),
    patch("by path", WEB, [{"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "j", "image": "j:1"}},
                           {"op": "test", "path": "/spec/template/spec/containers/0/name", "value": "web"}], JSON),
    apply("apply an image", WEB, {"apiVersion": "apps/v1", "kind": "Deployment", **named("web"),
                                  **containers({"name": "web", "image": "web:3"})}),
    apply("apply an image by force", WEB, {"apiVersion": "apps/v1", "kind": "Deployment", **named("web"),
                                           **containers({"name": "web", "image": "web:3"})}, force="true"),
    apply("apply a variable and a port", WEB, {"apiVersion": "apps/v1", "kind": "Deployment", **named("web"), **containers(
        {"name": "web", "image": "web:3", "env": [{"name": "S", "value": "1"}], "ports": [{"containerPort": 81}]})}),
    apply("apply neither any more", WEB, {"apiVersion": "apps/v1", "kind": "Deployment", **named("web"),
                                          **containers({"name": "web", "image": "web:3"})}),
    apply("apply a container of one's own", WEB, {"apiVersion": "apps/v1", "kind": "Deployment", **named("web"), **containers(
        {"name": "web", "image": "web:3"}, {"name": "mine", "image": "m:1"})}),
    apply("and give it up", WEB, {"apiVersion": "apps/v1", "kind": "Deployment", **named("web"),
                                  **containers({"name": "web", "image": "web:3"})}),
    apply("apply replicas as another", WEB, {"apiVersion": "apps/v1", "kind": "Deployment", **named("web"),
                                             "spec": {"replicas": 5}}, manager="scaler"),
    apply("apply an unknown field", WEB, {"apiVersion": "apps/v1", "kind": "Deployment", **named("web"),
                                          **containers({"name": "web", "imagee": "x"})}),
    apply("apply a container with no name", WEB, {"apiVersion": "apps/v1", "kind": "Deployment", **named("web"),
                                                  **containers({"image": "x"})}),
    apply("apply two containers of one name", WEB, {"apiVersion": "apps/v1", "kind": "Deployment", **named("web"),
                                                    **containers({"name": "w", "image": "x"}, {"name": "w", "image": "y"})}),
    apply("apply a new one", f"{DEPLOYMENTS}/fresh", {**deployment("fresh"), "spec": {**deployment("fresh")["spec"],
                                                                                     "paused": True}}),
    get("its scale", f"{WEB}/scale"),
    patch("scale it", f"{WEB}/scale", {"spec": {"replicas": 2}}, MERGE, fieldManager="kubectl"),
    get("after it", WEB),
    put("write its status", f"{WEB}/status", {**deployment(), "status": {"replicas": 7}}, fieldManager="someone"),
    get("in the end", WEB),
    delete("delete", WEB, propagationPolicy="Background"),
    post("a stateful set", f"{APPS}/statefulsets", {**named("s"), "spec": {
        "serviceName": "s", "replicas": 0, "selector": {"matchLabels": {"app": "s"}},
        "template": {"metadata": {"labels": {"app": "s"}}, "spec": {"containers": [{"name": "s", "image": "s:1"}]}},
        "volumeClaimTemplates": [{**named("d"), "spec": {"accessModes": ["ReadWriteOnce"],
                                                         "resources": {"requests": {"storage": "1Gi"}}}}]}}),
    patch("its service name", f"{APPS}/statefulsets/s", {"spec": {"serviceName": "t"}}),
    post("a daemon set", f"{APPS}/daemonsets", {**named("d"), "spec": {
        "selector": {"matchLabels": {"app": "d"}},
        "template": {"metadata": {"labels": {"app": "d"}}, "spec": {"nodeSelector": {"no": "node"},
                                                                    "containers": [{"name": "d", "image": "d:1"}]}}}}),
]  # fmt: skip

OTHERS = [
    post("a service", SERVICES, {**named("web"), "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
    post("a node port", SERVICES, {**named("np"), "spec": {"type": "NodePort", "ports": [{"port": 80, "targetPort": "http"}]}}),
    post("a service with no port", SERVICES, {**named("none"), "spec": {"selector": {"app": "web"}}}),
    post("a port too large", SERVICES, {**named("big"), "spec": {"ports": [{"port": 99999}]}}),
    post("two ports without names", SERVICES, {**named("two"), "spec": {"ports": [{"port": 80}, {"port": 81}]}}),
    post("a service's bad name", SERVICES, {**named("9lives"), "spec": {"ports": [{"port": 80}]}}),
    patch("a service's port", f"{SERVICES}/web", {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}, STRATEGIC),
    patch("a port more", f"{SERVICES}/web", {"spec": {"ports": [{"name": "b", "port": 81}]}}, STRATEGIC),
    patch("names for both", f"{SERVICES}/web",
          {"spec": {"ports": [{"name": "b", "port": 81}, {"name": "a", "port": 80}]}}, STRATEGIC),
    apply("apply a service", f"{SERVICES}/web", {"apiVersion": "v1", "kind": "Service", **named("web"),
                                                 "spec": {"ports": [{"name": "c", "port": 82}]}}),
    put("a service that is not there", f"{SERVICES}/put", {**named("put"), "spec": {"ports": [{"port": 80}]}}),
    put("a service that is", f"{SERVICES}/put", {**named("put"), "spec": {"ports": [{"port": 81}]}}),
    put("a role that is not there", f"{RBAC}/roles/put", {**named("put"), "rules": []}),
    patch("another address", f"{SERVICES}/web", {"spec": {"clusterIP": "10.96.0.77"}}),
    post("a secret in plain words", SECRETS, {**named("s"), "stringData": {"a": "b"}}),
    post("a secret that is no base64", SECRETS, {**named("t"), "data": {"a": "%%%"}}),
    patch("a secret's type", f"{SECRETS}/s", {"type": "other"}),
    patch("a secret in plain words again", f"{SECRETS}/s", {"stringData": {"a": "c"}}),
    post("a role", f"{RBAC}/roles", {**named("r"), "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
    post("a role of nothing", f"{RBAC}/roles", named("empty")),
    post("a rule without verbs", f"{RBAC}/roles", {**named("v"), "rules": [{"apiGroups": [""], "resources": ["pods"]}]}),
    post("a binding", f"{RBAC}/rolebindings", {**named("b"), "roleRef": {"kind": "Role", "name": "r"},
                                               "subjects": [{"kind": "User", "name": "limited"}]}),
    patch("another role", f"{RBAC}/rolebindings/b", {"roleRef": {"name": "q"}}),
    post("an autoscaler", "/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers", {
        **named("a"), "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment",
                                                                    "name": "web"}}}),
    post("an autoscaler of none", "/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers", {
        **named("b"), "spec": {"maxReplicas": 0, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}}),
    post("a disruption budget", "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets", {
        **named("p"), "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}),
    post("a network policy", "/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies", {
        **named("n"), "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}}),
    post("an ingress", "/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses", {
        **named("i"), "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}}),
    post("a job", "/apis/batch/v1/namespaces/{ns}/jobs", {**named("j"), "spec": {"suspend": True, "template": {
        "spec": {"restartPolicy": "Never", "containers": [{"name": "j", "image": "j:1"}]}}}}),
    post("a job that restarts", "/apis/batch/v1/namespaces/{ns}/jobs", {**named("k"), "spec": {"template": {
        "spec": {"containers": [{"name": "j", "image": "j:1"}]}}}}),
    post("a cron job", "/apis/batch/v1/namespaces/{ns}/cronjobs", {**named("cj"), "spec": {
        "schedule": "0 0 * * *", "suspend": True, "jobTemplate": {"spec": {"template": {
            "spec": {"restartPolicy": "Never", "containers": [{"name": "j", "image": "j:1"}]}}}}}}),
    post("a pod", PODS, {**named("p"), "spec": {"nodeName": "nowhere", "containers": [{"name": "p", "image": "p:1"}]}}),
    patch("a pod's command", f"{PODS}/p", {"spec": {"containers": [{"name": "p", "command": ["x"]}]}}, STRATEGIC),
    patch("a pod's image", f"{PODS}/p", {"spec": {"containers": [{"name": "p", "image": "p:2"}]}}, STRATEGIC),
    get("pods by phase", PODS, fieldSelector="status.phase=Pending,spec.nodeName=nowhere"),
    get("pods by another phase", PODS, fieldSelector="status.phase!=Pending"),
    post("may I", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "patch", "group": "apps", "resource": "deployments", "namespace": "x"}}}),
    Ask("may the limited user", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "{ns}"}}}, user="limited"),
    Ask("may it patch", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "patch", "resource": "pods", "namespace": "{ns}"}}}, user="limited"),
    post("who am I", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}),
    Ask("the limited user reads", "GET", f"{PODS}/p", user="limited"),
    Ask("the limited user lists", "GET", PODS, user="limited"),
    Ask("the limited user patches", "PATCH", WEB, {"spec": {}}, MERGE, user="limited"),
    Ask("the limited user lists nodes", "GET", "/api/v1/nodes", user="limited"),
    Ask("the limited user reads its namespace", "GET", CORE, user="limited"),
    post("a namespace", "/api/v1/namespaces", named("{ns}-more", labels={"team": "x"}), fieldManager="me"),
    post("a namespace's bad name", "/api/v1/namespaces", named("a.b")),
    get("a namespace's finalizers", "/api/v1/namespaces/{ns}-more/finalize"),
    delete("all namespaces away", "/api/v1/namespaces"),
    delete("a namespace away", "/api/v1/namespaces/{ns}-more"),
    get("what versions there are", "/api"),
    get("whether it is well", "/readyz"),
    get("nowhere", "/nope"),
]  # fmt: skip

DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", **named("widgets.drill.rollback"),
    "spec": {
        "group": "drill.rollback", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
            "type": "object", "properties": {"spec": {"type": "object", "properties": {
                "size": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "flag": {"type": "boolean", "default": True}}}}}}}],
    },
}  # fmt: skip
WIDGET = {"apiVersion": "drill.rollback/v1", "kind": "Widget", **named("w"), "spec": {"size": 3, "tags": ["a", "b"]}}

CUSTOM = [
    post("create", WIDGETS, WIDGET, fieldManager="migration"),
    post("an unknown field", WIDGETS, {**WIDGET, **named("x"), "spec": {"sizes": 1}}, fieldValidation="Strict"),
    post("an unknown field, warned", WIDGETS, {**WIDGET, **named("x"), "spec": {"sizes": 1}}, dryRun="All"),
    post("a text for a number", WIDGETS, {**WIDGET, **named("x"), "spec": {"size": "three"}}),
    patch("merge", f"{WIDGETS}/w", {"spec": {"size": 1, "tags": ["c"], "free": {"a": {"b": 1}}}}, fieldManager="patcher"),
    patch("merge an unknown field", f"{WIDGETS}/w", {"spec": {"sizes": 1}}, fieldValidation="Strict"),
    patch("strategic", f"{WIDGETS}/w", {"spec": {"size": 1}}, STRATEGIC),
    apply("apply", f"{WIDGETS}/w", {**WIDGET, "spec": {"size": 2}}),
    apply("apply by force", f"{WIDGETS}/w", {**WIDGET, "spec": {"size": 2, "free": {"a": {"c": 2}}}}, force="true"),
    apply("apply fewer", f"{WIDGETS}/w", {**WIDGET, "spec": {"size": 2}}),
    apply("apply an unknown field", f"{WIDGETS}/w", {**WIDGET, "spec": {"size": 2, "sizes": 3}}, fieldValidation="Strict"),
    get("read", f"{WIDGETS}/w"),
    get("list", WIDGETS),
    delete("delete", f"{WIDGETS}/w"),
    delete("delete again", f"{WIDGETS}/w"),
]  # fmt: skip

LABELLED = [
    post(f"one with {labels}", CMS, named(name, labels=labels))
    for name, labels in {
        "a": {"app": "web"},
        "b": {"app": "api", "n": "7"},
        "c": {"n": "12"},
        "d": {"in": "in"},
    }.items()
]
SELECTORS = [
    *LABELLED,
    post("a key of three parts", CMS, named("e", labels={"a/b/c": "d", "/x": "y", "z.io/": ""})),
    *(get(f"selected by {text!r}", CMS, labelSelector=text) for text in (
        "app=web", "app==web", "app!=web", "app = web , n", "app", "!app", "! app", "app in (web,api)", "app in (web)",
        "app notin (web)", "app in ( web , api )", "app in (,web)", "app in (web,)", "app in (,,)", "app in ()", "app=",
        "n>7", "n<8", "n>-1", "n > 7,app", "in=in", "in in (in)", "notin", "in", "app,", ",app", "app,,n", "", ",",
        "app in (", "app in web", "app in", "app in (web", "app in (web api)", "app in (web=api)", "app in (=)", "app web",
        "app=(web)", "app=web api", "app=!", "!", "!!app", "!app=web", "=web", "(app)", "app)", "app=>3", "app><3", "app=!web",
        "n>x", "n>", "n>1.5", "a b", "-a=b", "a/b/c=d", "A/b=d", "a=-b", "a=b/c", "a in (b,-c)", "a=" + "x" * 64,
        "x" * 64, "example.com/=b", "/a=b", "app===web", "app!==web", "app!web", "é=b", "app=é", "app\t=\tweb",
    )),
]  # fmt: skip

SUITES = {
    "ConfigMaps": CONFIG_MAPS,
    "workloads": WORKLOADS,
    "others": OTHERS,
    "custom resources": CUSTOM,
    "selectors": SELECTORS,
}


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrillCluster]:
    with DrillCluster(tmp_path_factory.mktemp("drill")) as running:
        running.controllers.pause()
        yield running


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_both_answer_the_same(cluster: ControlPlane, drill: DrillCluster, suite: str) -> None:
    cluster.start()
    sides = (_Side(cluster.url, cluster._trust, cluster.access.tokens), _Side(drill.url, True, drill.tokens))
    namespace = f"differences-{re.sub('[^a-z]', '-', suite.lower())}"
    differences = []
    with_definition = suite == "custom resources"
    drill.controllers.resume()
    for side in sides:
        side.ask(post("", "/api/v1/namespaces", named(namespace)), namespace)
        if with_definition:
            side.ask(post("", CRDS, DEFINITION), namespace)
            poll("served", lambda s=side: s.ask(get("", WIDGETS), namespace)[0] == 200)
    if not with_definition:
        for controllers in (cluster.controllers, cluster.kwok, drill.controllers):
            controllers.pause()
    for ask in SUITES[suite]:
        real, ours = (side.ask(ask, namespace) for side in sides)
        if real != ours and f"{suite}: {ask.label}" not in EXPLAINED:
            differences.append(f"--- {suite}: {ask.label}\n" + "\n".join(_told(real, ours)))
    for controllers in (cluster.controllers, cluster.kwok, drill.controllers):
        controllers.resume()
    for side in sides:
        side.ask(delete("", f"/api/v1/namespaces/{namespace}"), namespace)
        if with_definition:
            side.ask(delete("", f"{CRDS}/widgets.drill.rollback"), namespace)
    print("\n".join(differences))
    assert not differences, f"{len(differences)} of {len(SUITES[suite])} answers differ"


CRASH = {CRASH_LABEL: "true"}


def release(image: str, **template: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}, **template}}}


ROLLOUTS: list[tuple[str, dict[str, Any], str]] = [
    ("the second release", release("web:2"), "rolled out"),
    ("the third release", release("web:3"), "rolled out"),
    ("more pods", {"spec": {"replicas": 5}}, "rolled out"),
    ("back to the first", release("web:1"), "rolled out"),
    ("an annotation", {"metadata": {"annotations": {"note": "x"}}}, "observed"),
    ("a release that crashes", {"spec": {**release("web:4", metadata={"labels": CRASH})["spec"], "progressDeadlineSeconds": 1}},
     "timed out"),
    ("fewer pods meanwhile", {"spec": {"replicas": 3}}, "observed"),
    ("back from it", release("web:1", metadata={"labels": {CRASH_LABEL: None}}), "rolled out"),
    ("a pause", {"spec": {"paused": True}}, "observed"),
    ("a release meanwhile", release("web:5"), "observed"),
    ("on again", {"spec": {"paused": None}}, "rolled out"),
    ("a shorter history", {"spec": {"revisionHistoryLimit": 1}}, "cleaned up"),
    ("another strategy", {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}, "observed"),
    ("all at once", release("web:6"), "rolled out"),
    ("to nothing", {"spec": {"replicas": 0}}, "rolled out"),
]  # fmt: skip
"""What is patched, and what is waited for before the two are compared."""


def test_rollouts_end_alike(cluster: ControlPlane, drill: DrillCluster) -> None:
    """The Deployment, its ReplicaSets and what its events say, after each step of a long history."""
    cluster.start()
    drill.start()
    sides = (_Side(cluster.url, cluster._trust, cluster.access.tokens), _Side(drill.url, True, drill.tokens))
    namespace = "differences-rollouts"
    for side in sides:
        side.ask(post("", "/api/v1/namespaces", named(namespace)), namespace)
        side.ask(post("", DEPLOYMENTS, deployment(replicas=3), fieldManager="migration"), namespace)
        poll("the first release", lambda s=side: _settled(s, namespace, "rolled out"))
    differences = []
    for label, body, until in [("the first release", {}, "rolled out"), *ROLLOUTS]:
        for side in sides:
            side.ask(patch("", WEB, body, STRATEGIC, fieldManager="migration"), namespace)
            poll(label, lambda s=side, u=until: _settled(s, namespace, u))
        real, ours = (_history(side, namespace) for side in sides)
        if real != ours:
            differences.append(f"--- {label}\n" + "\n".join(_told(real, ours)))
    for side in sides:
        side.ask(delete("", f"/api/v1/namespaces/{namespace}"), namespace)
    print("\n".join(differences))
    assert not differences


def test_what_is_served_is_served_alike(cluster: ControlPlane, drill: DrillCluster) -> None:
    """Every resource that the drill lists is listed by the real server with the same names, verbs and subresources."""
    cluster.start()
    drill.start()
    real, ours = (_Side(cluster.url, cluster._trust, cluster.access.tokens), _Side(drill.url, True, drill.tokens))
    versions = [v["groupVersion"] for g in ours.raw(get("", "/apis"), "")["groups"] for v in g["versions"]]
    differences = []
    for prefix in ("/api/v1", *(f"/apis/{version}" for version in versions)):
        listed = {entry["name"]: _listed(entry) for entry in real.raw(get("", prefix), "")["resources"]}
        differences += [
            f"{prefix} {entry['name']}\n   {listed.get(entry['name'])}\n   {_listed(entry)}"
            for entry in ours.raw(get("", prefix), "")["resources"]
            if listed.get(entry["name"]) != _listed(entry)
        ]
    print("\n".join(differences))
    assert not differences


def _listed(entry: dict[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in entry.items() if key != "storageVersionHash"}
    return found | {key: sorted(found[key]) for key in ("verbs", "shortNames", "categories") if key in found}


def _settled(side: _Side, namespace: str, until: str) -> bool:
    web = side.raw(get("", WEB), namespace)
    status, wanted = web["status"], web["spec"]["replicas"]
    sets = side.raw(get("", f"{APPS}/replicasets"), namespace)["items"]
    pods = side.raw(get("", PODS), namespace)["items"]
    if status.get("observedGeneration") != web["metadata"]["generation"] or any(
        p["metadata"].get("deletionTimestamp") for p in pods
    ):
        return False
    if status.get("terminatingReplicas") or len(pods) != sum(one["spec"]["replicas"] for one in sets):
        return False
    reasons = {condition["reason"] for condition in status.get("conditions", ())}
    if until == "timed out":
        return "ProgressDeadlineExceeded" in reasons
    if until == "cleaned up":
        return len(sets) == 2
    counts = [status.get(name, 0) for name in ("updatedReplicas", "replicas", "availableReplicas")]
    return until == "observed" or (counts == [wanted] * 3 and "NewReplicaSetAvailable" in reasons)


def _history(side: _Side, namespace: str) -> Any:
    """Everything of the Deployment by the images of its sets instead of by their hashes."""
    sets = side.raw(get("", f"{APPS}/replicasets"), namespace)["items"]
    web = side.raw(get("", WEB), namespace)
    events = side.raw(get("", f"{CORE}/events", fieldSelector="involvedObject.kind=Deployment"), namespace)["items"]
    images = {one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]["image"] for one in sets}
    hashes = {name.rpartition("-")[2]: image for name, image in images.items()}
    documents = {
        "deployment": {**web, "metadata": _without_managers(web)},
        "sets": {images[one["metadata"]["name"]]: {**one, "metadata": _without_managers(one)} for one in sets},
        "events": sorted(
            {(e["reason"], e["message"], e["type"]) for e in events if any(name in e["message"] for name in images)}
        ),
    }
    text = json.dumps(documents)
    for name, image in hashes.items():
        text = text.replace(name, f"<{image}>")
    found = _comparable(json.loads(text))
    for condition in found["deployment"]["status"].get("conditions", ()):
        condition["lastUpdateTime"] = _MADE
    found["deployment"]["status"]["conditions"].sort(key=lambda one: one["type"])
    for one in found["sets"].values():  # in how many steps a set grew depends on when which pod was ready
        one["metadata"]["generation"] = one["status"]["observedGeneration"] = _MADE
    found["events"].sort()
    if int(web["metadata"]["annotations"]["deployment.kubernetes.io/revision"]) > 2:
        del found["events"]  # from the tenth on the real recorder joins what is alike, and drops some
    if web["spec"]["strategy"]["type"] == "Recreate":
        for condition in found["deployment"]["status"]["conditions"]:
            condition["message"] = _MADE  # the real controller keeps an older one when two of its writes collide
    return found


def _without_managers(obj: Any) -> Any:
    return {key: value for key, value in obj["metadata"].items() if key != "managedFields"}


class _Side:
    def __init__(self, url: str, verify: Any, tokens: dict[str, str]) -> None:
        self._http = httpx.Client(base_url=url, verify=verify, trust_env=False, timeout=30)
        self._tokens = tokens

    def raw(self, ask: Ask, namespace: str) -> Any:
        path = ask.path.replace("{ns}", namespace)
        headers = {"Authorization": f"Bearer {self._tokens[ask.user]}"}
        return self._http.get(path, params=ask.query, headers=headers).json()

    def ask(self, ask: Ask, namespace: str) -> tuple[int, Any, str]:
        headers = {
            "Authorization": f"Bearer {self._tokens[ask.user]}",
            "Content-Type": ask.kind,
            "User-Agent": "tests/1",
        }
        path = ask.path.replace("{ns}", namespace)
        content = None if ask.body is None else json.dumps(ask.body).replace("{ns}", namespace)
        answer = self._http.request(ask.method, path, params=ask.query, headers=headers, content=content)
        try:
            document = answer.json()
        except ValueError:
            document = answer.text
        return answer.status_code, _comparable(document), answer.headers.get("warning", "")


_MADE_UP = ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "lastTransitionTime", "time", "serverAddress",
            "clusterIP", "clusterIPs", "nodePort", "controller-uid", "batch.kubernetes.io/controller-uid",
            "startTime")  # fmt: skip


def _comparable(document: Any) -> Any:
    """Without what a server makes up by itself, and with what has no order in an order."""
    if isinstance(document, dict):
        found = {key: _MADE if key in _MADE_UP and value else _comparable(value) for key, value in document.items()}
        if "managedFields" in found:
            found["managedFields"] = sorted(found["managedFields"], key=lambda e: json.dumps(e, sort_keys=True))
        if isinstance(found.get("causes"), list):
            found["causes"] = sorted(found["causes"], key=lambda c: json.dumps(c, sort_keys=True))
        if len((found.get("details") or {}).get("causes") or []) > 1:
            found["message"] = _in_any_order(found["message"])
        return found
    if isinstance(document, list):
        return [_comparable(one) for one in document]
    if isinstance(document, str):
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", _MADE, document)
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", _MADE, text)
        text = re.sub(r'(resourceVersion\\*": ?\\*")\d+', rf"\g<1>{_MADE}", text)
        text = re.sub(r'(patch: )?Invalid value: "\{.*\}": (?=strict|json)', rf"\g<1>Invalid value: {_MADE}: ", text)
        text = re.sub(r"in record \(\d+\)", f"in record ({_MADE})", text)
        return re.sub(r"\bg-[a-z0-9]{5}\b", f"g-{_MADE}", text)
    return document


def _in_any_order(message: str) -> list[str]:
    """Several causes are told in the order in which they were come upon, and conflicts in none at all."""
    beginning, _, rest = message.partition(": [" if "is invalid: [" in message else ":")
    return [beginning, *sorted(re.split(r", (?=[a-z][a-zA-Z.\[\]0-9]*: )|\n", rest.removesuffix("]").strip()))]


_MADE = "…"


def _told(real: Any, ours: Any, path: str = "") -> Iterator[str]:
    if isinstance(real, dict) and isinstance(ours, dict):
        for key in [*real, *(k for k in ours if k not in real)]:
            yield from _told(real.get(key, "(nothing)"), ours.get(key, "(nothing)"), f"{path}.{key}")
    elif isinstance(real, list | tuple) and isinstance(ours, list | tuple) and len(real) == len(ours):
        for index, (one, other) in enumerate(zip(real, ours, strict=True)):
            yield from _told(one, other, f"{path}[{index}]")
    elif real != ours:
        yield f"{path}\n   real: {_short(real)}\n   ours: {_short(ours)}"


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:1500]
