"""Who is asking and what they may do: users by token, and the rules of the cluster's own Roles and bindings (RBAC)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from console.sandbox.kubernetes.documents import Object
from console.sandbox.kubernetes.errors import ApiError, unauthorized
from console.sandbox.kubernetes.registry import Registry

MASTERS = "system:masters"
_AUTHENTICATED, _UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
_OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_DISCOVERY = ("/api", "/apis", "/openapi")


@dataclass(frozen=True)
class User:
    """`groups` decide, by the bindings that name them; members of `system:masters` may do everything."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""

    @property
    def all_groups(self) -> tuple[str, ...]:
        return (*self.groups, _UNAUTHENTICATED if self == ANONYMOUS else _AUTHENTICATED)


ANONYMOUS = User("system:anonymous")


@dataclass(frozen=True)
class Attempt:
    """What somebody wants to do: a verb on a resource, or on a path that is none."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


class Access:
    """The users of one cluster. A token is made for each; it is a secret like any other."""

    def __init__(self, registry: Registry, users: Iterable[User]) -> None:
        self._registry = registry
        self._users = {user.name: user for user in users}
        self.tokens = {name: secrets.token_hex(16) for name in self._users}

    def by_token(self, token: str | None) -> User:
        """The user, the anonymous one without a token. Raises 401 for a token that is nobody's."""
        if token is None:
            return ANONYMOUS
        for name, known in self.tokens.items():
            if secrets.compare_digest(known.encode(), token.encode()):
                return self._users[name]
        raise unauthorized()

    def allowed(self, user: User, attempt: Attempt) -> bool:
        return self.why(user, attempt) is not None

    def why(self, user: User, attempt: Attempt) -> str | None:
        """By which binding somebody may do something; "" by being who they are, None when they may not."""
        if MASTERS in user.groups or (attempt.path and _is_open(user, attempt)):
            return ""
        if attempt.group in ("authorization.k8s.io", "authentication.k8s.io") and user != ANONYMOUS:
            return "" if attempt.verb == "create" else None  # everybody may ask about themselves
        for words, rule in self._grants(user, attempt.namespace):
            if _covers(rule, attempt):
                return words
        return None

    def check(self, user: User, attempt: Attempt) -> None:
        """Raises 403 in the words of the real server."""
        if not self.allowed(user, attempt):
            raise _forbidden(user, attempt)

    def rules(self, user: User, namespace: str) -> Iterator[Object]:
        """The rules that count for the user in a namespace; without one, those that count everywhere."""
        return (rule for _, rule in self._grants(user, namespace))

    def _grants(self, user: User, namespace: str) -> Iterator[tuple[str, Object]]:
        bindings = [("", binding) for binding in self._registry.all("ClusterRoleBinding")]
        if namespace:
            bindings += [(namespace, binding) for binding in self._registry.all("RoleBinding", namespace)]
        for where, binding in bindings:
            subject = _named_by(binding, user)
            if subject is None:
                continue
            name = f"{binding['metadata']['name']}/{where}" if where else binding["metadata"]["name"]
            role = f'{binding["roleRef"]["kind"]} "{binding["roleRef"]["name"]}"'
            words = f'RBAC: allowed by {binding["kind"]} "{name}" of {role} to {subject}'
            yield from ((words, rule) for rule in self._rules_of(binding, where))

    def _rules_of(self, binding: Object, namespace: str) -> list[Object]:
        reference = binding["roleRef"]
        where = namespace if reference["kind"] == "Role" else ""
        role = self._registry.find(reference["kind"], where, reference["name"])
        return list((role or {}).get("rules") or [])


def _is_open(user: User, attempt: Attempt) -> bool:
    if attempt.verb != "get":
        return False
    if attempt.path in _OPEN_PATHS:
        return True
    discovers = any(attempt.path == one or attempt.path.startswith(f"{one}/") for one in _DISCOVERY)
    return discovers and user != ANONYMOUS


def _named_by(binding: Object, user: User) -> str | None:
    """As whom the binding names the user, or None."""
    for subject in binding.get("subjects") or []:
        kind, name = subject.get("kind"), subject.get("name")
        if kind == "User" and name == user.name:
            return f'User "{name}"'
        if kind == "Group" and name in user.all_groups:
            return f'Group "{name}"'
        if kind == "ServiceAccount" and f"system:serviceaccount:{subject.get('namespace')}:{name}" == user.name:
            return f'ServiceAccount "{name}/{subject.get("namespace")}"'
    return None


def _covers(rule: Object, attempt: Attempt) -> bool:
    def within(values: list[str] | None, wanted: str) -> bool:
        return bool(values) and ("*" in values or wanted in values)  # type: ignore[operator] # not None when true

    if not within(rule.get("verbs"), attempt.verb):
        return False
    if attempt.path:
        patterns = rule.get("nonResourceURLs") or []
        return any(attempt.path == p or (p.endswith("*") and attempt.path.startswith(p[:-1])) for p in patterns)
    resource = f"{attempt.resource}/{attempt.subresource}" if attempt.subresource else attempt.resource
    wild = f"*/{attempt.subresource}" if attempt.subresource else ""
    resources = rule.get("resources") or []
    if not (within(resources, resource) or (wild and wild in resources)):
        return False
    named = rule.get("resourceNames") or []
    return within(rule.get("apiGroups"), attempt.group) and (not named or attempt.name in named)


def _forbidden(user: User, attempt: Attempt) -> ApiError:
    if attempt.path:
        said = f'User "{user.name}" cannot {attempt.verb} path "{attempt.path}"'
        return ApiError(403, "Forbidden", f"forbidden: {said}", {})
    qualified = f"{attempt.resource}.{attempt.group}" if attempt.group else attempt.resource
    what = f'{qualified} "{attempt.name}"' if attempt.name else qualified
    resource = f"{attempt.resource}/{attempt.subresource}" if attempt.subresource else attempt.resource
    where = f'in the namespace "{attempt.namespace}"' if attempt.namespace else "at the cluster scope"
    said = f'User "{user.name}" cannot {attempt.verb} resource "{resource}" in API group "{attempt.group}" {where}'
    details = ({"name": attempt.name} if attempt.name else {}) | ({"group": attempt.group} if attempt.group else {})
    return ApiError(403, "Forbidden", f"{what} is forbidden: {said}", {**details, "kind": attempt.resource})


# ------------------------------------------------------------ reviews


def access_review(access: Access, user: User, document: Object) -> Object:
    """The answer to a SelfSubjectAccessReview. It does not look whether the resource exists; neither does the real one."""
    spec = document.get("spec") or {}
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None:
        attempt = Attempt(
            resource.get("verb", ""),
            resource.get("group", ""),
            resource.get("resource", ""),
            resource.get("subresource", ""),
            resource.get("namespace", ""),
            resource.get("name", ""),
        )
    else:
        attempt = Attempt((path or {}).get("verb", ""), path=(path or {}).get("path", ""))
    why = access.why(user, attempt)
    return {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": spec,
        "status": {"allowed": why is not None} | ({"reason": why} if why else {}),
    }


def rules_review(access: Access, user: User, document: Object) -> Object:
    namespace = (document.get("spec") or {}).get("namespace", "")
    everything: list[Object] = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    rules = everything if MASTERS in user.groups else list(access.rules(user, namespace))
    own = {"verbs": ["create"], "apiGroups": ["authorization.k8s.io"],
           "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]}  # fmt: skip
    paths = [{"verbs": ["get"], "nonResourceURLs": [*_OPEN_PATHS, "/api", "/api/*", "/apis", "/apis/*", "/openapi/*"]}]
    return {
        "kind": "SelfSubjectRulesReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": {},
        "status": {
            "resourceRules": [own, *(rule for rule in rules if rule.get("resources"))],
            "nonResourceRules": [*paths, *(rule for rule in rules if rule.get("nonResourceURLs"))],
            "incomplete": False,
        },
    }


def who_am_i(user: User) -> Object:
    info: Object = {"username": user.name} | ({"uid": user.uid} if user.uid else {})
    return {
        "kind": "SelfSubjectReview",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {},
        "status": {"userInfo": {**info, "groups": list(user.all_groups)}},
    }
