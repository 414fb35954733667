"""A change of one or more objects as a document: what is sent, what was before, what will be after, what must hold at the end.

The document (`goal`) lives in the vault and survives the process: `probe` and `watch` of a later process read it back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from console.domain.difference import ABSENT, Path, by_name, differences, lookup, say
from console.engine.ports import Json
from console.targets.kubernetes.objects import Ref, content, visible
from console.targets.text import clean_line

Verb = Literal["patch", "delete"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One object's change. `before` is None for an object that is created, `after` for one that is deleted.

    `body` is sent as `content_type`; the precondition (uid, resourceVersion) is added at sending. `identity` replaces the
    path-by-path identity where the paths depend on other steps.
    """

    ref: Ref
    before: Json
    after: Json
    verb: Verb = "patch"
    content_type: str = ""
    body: Json = None
    uid: str = ""
    force: bool = False
    identity: Json = None

    @property
    def changes(self) -> bool:
        return bool(self.before != self.after)

    def identified(self) -> Json:
        if self.identity is not None:
            return [str(self.ref), self.uid, self.identity]
        found = differences(
            ABSENT if self.before is None else visible(self.before),
            ABSENT if self.after is None else visible(self.after),
        )
        return [str(self.ref), self.uid, [[d.where, say(d.old), say(d.new)] for d in found]]

    def to_json(self) -> Json:
        return {
            "ref": self.ref.to_json(),
            "before": self.before,
            "after": self.after,
            "verb": self.verb,
            "content_type": self.content_type,
            "body": self.body,
            "uid": self.uid,
            "force": self.force,
        }

    @classmethod
    def from_json(cls, document: Json) -> Edit:
        return cls(**{**document, "ref": Ref.from_json(document["ref"])})


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that must be read back at the end: at `path` of the object stands `value`; `text` names it in the proof."""

    ref: Ref
    path: Path
    value: Json
    text: str

    def to_json(self) -> Json:
        return [self.ref.to_json(), list(self.path), self.value, self.text]

    @classmethod
    def from_json(cls, document: Json) -> Claim:
        return cls(Ref.from_json(document[0]), tuple(document[1]), document[2], document[3])

    def broken_by(self, obj: Json) -> str:
        """What speaks against the claim in the live object, or ""."""
        if obj is None:
            return f"{self.ref} is gone"
        found = lookup(content(obj), self.path)
        if found == self.value:
            return ""
        shown = visible({"name": str(self.path[-1]) if self.path else "", "value": found})["value"]
        return clean_line(f"{self.ref} no longer has {self.text}: it reads {say(shown)}", limit=300)


@dataclass(frozen=True, slots=True)
class Goal:
    edits: tuple[Edit, ...]
    claims: tuple[Claim, ...] = ()
    rollouts: tuple[Ref, ...] = field(default=())
    gone: tuple[Ref, ...] = ()
    says: tuple[str, ...] = ()  # what the proof says when everything holds, beside the claims' texts

    def to_json(self) -> Json:
        return {
            "edits": [e.to_json() for e in self.edits],
            "claims": [c.to_json() for c in self.claims],
            "rollouts": [r.to_json() for r in self.rollouts],
            "gone": [r.to_json() for r in self.gone],
            "says": list(self.says),
        }

    @classmethod
    def from_json(cls, document: Json) -> Goal:
        return cls(
            tuple(Edit.from_json(e) for e in document["edits"]),
            tuple(Claim.from_json(c) for c in document["claims"]),
            tuple(Ref.from_json(r) for r in document["rollouts"]),
            tuple(Ref.from_json(r) for r in document["gone"]),
            tuple(document["says"]),
        )


def standing(edit: Edit, live: Json) -> tuple[str, str]:
    """Where an object stands between before and after: ("old" | "new" | "neither", what is seen)."""
    now = content(live)
    if edit.after is None:
        return ("new", "gone") if now is None else ("old", "still there")
    if now is None:
        return ("old", "not there") if edit.before is None else ("neither", "it is gone")
    if edit.before is None:
        missing = [d for d in differences(edit.after, now) if d.old is not ABSENT]
        if not missing:
            return "new", "there"
        return "neither", f"{missing[0].where} is {_shown(lookup(visible(now), missing[0].path))}"
    changed = list(differences(edit.before, edit.after))
    read = [(d, lookup(now, d.path)) for d in changed]
    if all(_same(d.new, value) for d, value in read):
        return "new", "as it should be"
    if all(_same(d.old, value) for d, value in read):
        return "old", "as it was"
    odd = next(d for d, value in read if not _same(d.new, value))
    wanted, found = (_shown(lookup(visible(side), odd.path)) for side in (edit.after, now))
    return "neither", f"{odd.where} should be {wanted}, is {found}"


def _same(wanted: Any, found: Any) -> bool:
    return wanted is found if wanted is ABSENT or found is ABSENT else bool(wanted == found)


def _shown(value: Any) -> str:
    return clean_line(say(value), limit=120)


class ChangedSince(Exception):
    """At `path` the object is neither what was there before nor what was left: somebody else changed it."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is neither what this console left there nor what was there before")


def revert(before: Any, after: Any, live: Any, path: str = "") -> Any:
    """`live` with the change from `before` to `after` taken back, and everything else kept as it is now.

    Raises ChangedSince where somebody else changed the very thing that would be taken back.
    """
    if _same(live, after):
        return before
    if _same(before, after):
        return live
    if isinstance(before, dict) and isinstance(after, dict) and isinstance(live, dict):
        return _revert_mapping(before, after, live, path)
    if isinstance(before, list) and isinstance(after, list) and isinstance(live, list):
        return _revert_named(before, after, live, path)
    if _same(live, before):
        return before
    raise ChangedSince(path or "it")


def _revert_mapping(before: dict[str, Any], after: dict[str, Any], live: dict[str, Any], path: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key in [
        *before,
        *(k for k in live if k not in before),
        *(k for k in after if k not in before and k not in live),
    ]:
        where = f"{path}.{key}" if path else key
        value = revert(before.get(key, ABSENT), after.get(key, ABSENT), live.get(key, ABSENT), where)
        if value is not ABSENT:
            result[key] = value
    return result


def _revert_named(before: list[Any], after: list[Any], live: list[Any], path: str) -> list[Any]:
    named = [by_name(items) for items in (before, after, live)]
    if any(items is None for items in named):
        raise ChangedSince(path)
    old, left, now = (items or {} for items in named)
    return list(_revert_mapping(old, left, now, path).values())
