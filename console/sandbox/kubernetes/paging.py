"""Lists: filtered, in pages where somebody asks for pages, each page of the state in which the first one was read."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from console.sandbox.kubernetes.documents import Object
from console.sandbox.kubernetes.errors import bad_request, expired
from console.sandbox.kubernetes.kinds import Kind
from console.sandbox.kubernetes.label_selectors import labels_match
from console.sandbox.kubernetes.requests import number_of
from console.sandbox.kubernetes.selectors import Matches, fields_match

_KEPT_SNAPSHOTS = 32


def matcher(query: Mapping[str, str], kind: Kind, name: str = "") -> Matches:
    """The test that the query's selectors make together."""
    by_label = labels_match(query.get("labelSelector", ""))
    by_field = fields_match(query.get("fieldSelector", ""), kind.kind)

    def matches(obj: Object) -> bool:
        if name and obj["metadata"]["name"] != name:
            return False
        return by_label(obj["metadata"].get("labels") or {}) and by_field(obj)

    return matches


class Pages:
    """Remembers the rest of lists that are being read in pages, for a while."""

    def __init__(self) -> None:
        self._snapshots: dict[str, tuple[list[Object], str]] = {}
        self._count = 0

    def page(self, items: list[Object], version: str, query: Mapping[str, str]) -> tuple[list[Object], Object]:
        """The items of this page and the list's metadata."""
        limit = int(number_of(query, "limit"))
        if token := query.get("continue", ""):
            items, version = self._rest(token)
        if not limit or len(items) <= limit:
            return items, {"resourceVersion": version}
        self._count += 1
        following = str(self._count)
        self._snapshots[following] = (items[limit:], version)
        while len(self._snapshots) > _KEPT_SNAPSHOTS:
            del self._snapshots[next(iter(self._snapshots))]
        left = len(items) - limit
        token = base64.urlsafe_b64encode(json.dumps({"v": "drill", "page": following}).encode()).decode()
        return items[:limit], {"resourceVersion": version, "continue": token, "remainingItemCount": left}

    def forget(self) -> None:
        """Every page token that was given is too old now."""
        self._snapshots.clear()

    def _rest(self, token: str) -> tuple[list[Object], str]:
        try:
            page = json.loads(base64.urlsafe_b64decode(token))["page"]
        except (ValueError, KeyError, TypeError):
            raise bad_request(
                "invalid continue token: continue key is not valid: it is not one of this server's"
            ) from None
        if page not in self._snapshots:
            raise expired()
        return self._snapshots[page]
