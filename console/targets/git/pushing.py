"""What `git push --porcelain` says, and what it means: pure, so that every line of it is a test.

git-push(1): one line a ref, `flag TAB from:to TAB summary (reason)`; the flag is blank, `+`, `-`, `*` or `=` when it is as asked,
`!` when it is not. Exit 0 is success; 1 comes with rejected refs; 128 is the transport, before or after the refs were sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from console.targets.git.names import plain
from console.targets.text import clean_line

Outcome = Literal["done", "stale", "rejected", "not_sent", "unknown"]

_LINE: Final = re.compile(r"(?P<flag>[ +\-*=!])\t(?P<source>[^\t:]*):(?P<ref>[^\t]+)\t(?P<summary>.*)")
_SAID: Final = 400
_NOT_SENT: Final = (
    (r"could not resolve host(name)?|name or service not known|temporary failure in name resolution", "no such host"),
    (r"connection refused|couldn't connect to server", "connection refused"),
    (r"no route to host|network is unreachable", "it can't be reached"),
    (r"could not read (username|password)|terminal prompts disabled", "it asks for credentials"),
    (r"authentication failed|permission denied \(|invalid credentials", "it does not accept these credentials"),
    (r"host key verification failed", "its host key is not known here"),
    (r"ssl certificate problem|server certificate verification failed", "its certificate is not accepted"),
    (r"the requested url returned error: 40[13]", "these credentials may not write there"),
    (
        r"repository '?.*'? ?not found|does not appear to be a git repository|project you were looking for",
        "no such repository",
    ),
    (r"does not support --atomic|does not support push options|service not enabled", "it can't do that"),
    (r"transport '.*' not allowed", "its protocol is not allowed"),
)
_NOISE: Final = re.compile(
    r"^(error: failed to push some refs|fatal: the remote end hung up|fatal: could not read from remote|error: atomic push"
    r"|please make sure you have|and the repository exists|send-pack: |error: rpc failed|everything up-to-date|hint:|to |done$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Pushed:
    outcome: Outcome
    reason: str = ""
    refs: Mapping[str, str] = field(default_factory=dict)
    """Each ref with what was said about it."""


def judge(code: int | None, stdout: str, stderr: str) -> Pushed:
    """What became of a push. `code` is None when it was ended by us."""
    found = [m for line in stdout.splitlines() if (m := _LINE.fullmatch(line))]
    refs = {m["ref"]: m["summary"] for m in found}
    refused = {m["ref"]: m["summary"] for m in found if m["flag"] == "!"}
    if code == 0 and found and not refused:
        return Pushed("done", refs=refs)
    if code is None or any("[remote failure]" in text for text in refused.values()):
        return Pushed("unknown", said(stderr), refs)
    if code == 1 and refused:
        if any("stale info" in text for text in refused.values()):
            return Pushed("stale", _first(refused, "stale info"), refs)
        return Pushed("rejected", _rejection(refused, stderr), refs)
    if not found and (words := not_sent(stderr)):
        return Pushed("not_sent", f"{words}: {said(stderr)}", refs)
    return Pushed("unknown", said(stderr), refs)


def not_sent(stderr: str) -> str:
    """In a few words why nothing was sent, if that is certain; empty otherwise. A broken connection is never certain."""
    text = " ".join(stderr.split())
    if re.search(r"rpc failed|unexpected disconnect|broken pipe|timed out", text, re.IGNORECASE):
        return ""
    return next((words for pattern, words in _NOT_SENT if re.search(pattern, text, re.IGNORECASE)), "")


def said(stderr: str, limit: int = _SAID) -> str:
    """What git and the remote's hooks said, without git's own refrains, as one clean line."""
    lines = [line.strip() for line in stderr.splitlines()]
    told = [line for line in lines if line and not _NOISE.match(line)] or [line for line in lines if line][:2]
    words = [re.sub(r"^(fatal|error|remote): ?", "", line).strip() for line in told]
    return clean_line("; ".join(word for word in words if word), limit) or "git said nothing"


def _rejection(refused: Mapping[str, str], stderr: str) -> str:
    """The hook's own words, where it had any, behind what git says about the ref."""
    ref, summary = next(((r, s) for r, s in refused.items() if "atomic" not in s), next(iter(refused.items())))
    hook = [line for line in stderr.splitlines() if line.startswith("remote:") and line[7:].strip()]
    words = f"{plain(ref)}: {clean_line(summary)}"
    return f"{words}: {said(chr(10).join(hook))}" if hook else words


def _first(refused: Mapping[str, str], text: str) -> str:
    return next(plain(ref) for ref, summary in refused.items() if text in summary)
