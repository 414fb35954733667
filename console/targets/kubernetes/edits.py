"""A change of one or more objects as a document: what is sent, what was before, what will be after, what must hold at the end.

The document (`goal`) lives in the vault and survives the process: `probe` and `watch` of a later process read it back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from console.domain.difference import ABSENT, Difference, Path, by_name, differences, lookup, say, spell
from console.engine.ports import Json
from console.targets.kubernetes.objects import Ref, content, same, visible
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
        return not same(self.before, self.after)

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
        now = content(obj)
        if same(lookup(now, self.path), self.value):
            return ""
        return clean_line(f"{self.ref} no longer has {self.text}: it reads {_seen(now, self.path)}", limit=300)


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
        missing = unlike(edit.after, now)
        return ("neither", _apart(edit, now, missing[0])) if missing else ("new", "there")
    changed = list(differences(edit.before, edit.after))
    read = [(d, lookup(now, d.path)) for d in changed]
    if all(same(d.new, value) for d, value in read):
        return "new", "as it should be"
    if all(same(d.old, value) for d, value in read):
        return "old", "as it was"
    return "neither", _apart(edit, now, next(d for d, value in read if not same(d.new, value)))


def unlike(made: Json, now: Json) -> list[Difference]:
    """Where an object that was made is no longer as it was made; what others added beside it doesn't count."""
    return [d for d in differences(made, now) if d.old is not ABSENT]


def _apart(edit: Edit, now: Json, odd: Difference) -> str:
    return f"{odd.where} should be {_seen(edit.after, odd.path)}, is {_seen(now, odd.path)}"


def _seen(document: Json, path: Path) -> str:
    return clean_line(say(lookup(visible(document), path)), limit=120)


class ChangedSince(Exception):
    """At `path` the object is neither what was there before nor what was left: somebody else changed it."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{spell(path)} is neither what this console left there nor what was there before")


def revert(before: Any, after: Any, live: Any, path: Path = ()) -> Any:
    """`live` with the change from `before` to `after` taken back, and everything else kept as it is now.

    Raises ChangedSince where somebody else changed the very thing that would be taken back.
    """
    if same(live, after):
        return before
    if same(before, after) or same(live, before):
        return live
    if all(isinstance(side, dict) or side is ABSENT for side in (before, after, live)):
        return _revert_mapping(before, after, live, path)
    if all(isinstance(side, list) or side is ABSENT for side in (before, after, live)):
        return _revert_named(before, after, live, path)
    raise ChangedSince(path)


def _revert_mapping(before: Any, after: Any, live: Any, path: Path) -> Any:
    """What is kept of a mapping that one of the sides may not have: beside our key, somebody else may have put another."""
    old, left, now = ({} if side is ABSENT else side for side in (before, after, live))
    result: dict[str, Any] = {}
    for key in [*old, *(k for k in now if k not in old), *(k for k in left if k not in old and k not in now)]:
        value = revert(old.get(key, ABSENT), left.get(key, ABSENT), now.get(key, ABSENT), (*path, key))
        if value is not ABSENT:
            result[key] = value
    return ABSENT if before is ABSENT and not result else result


def _revert_named(before: Any, after: Any, live: Any, path: Path) -> Any:
    old, left, now = (ABSENT if side is ABSENT else by_name(side) for side in (before, after, live))
    if old is None or left is None or now is None:
        raise ChangedSince(path)
    result = _revert_mapping(old, left, now, path)
    return ABSENT if result is ABSENT else list(result.values())
