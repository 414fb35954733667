"""What may stand where git expects an address, a branch or a commit. Nothing that git could take for an option or a program.

Names follow git-check-ref-format(1). Addresses are those of file, ssh, http and https: `ext::`, `fd::` and other helpers run
programs of the address's choice, so they are refused here and, by GIT_ALLOW_PROTOCOL, by git itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

PROTOCOLS: Final = ("file", "ssh", "http", "https")
HEADS: Final = "refs/heads/"
TAGS: Final = "refs/tags/"
SHA: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SHORT: Final = 10
"""Characters of a commit that are shown."""

_BAD_IN_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|\.$|/$|^[/.-]|^@$")
_SCP: Final = re.compile(r"(?:(?P<user>[\w.+-]+)@)?(?P<host>[\w.][\w.-]*):(?P<path>(?!:)[^-].*)")


def _ref(text: str) -> str:
    if _BAD_IN_REF.search(text) or not text.isprintable():
        raise PydanticCustomError("git_ref", "a branch, tag or commit by its plain name")
    return text


def _template(text: str) -> str:
    if "{sha}" not in text:
        raise PydanticCustomError("git_backup", 'a name with "{sha}" in it, so that no two backups share one')
    _ref(backup_ref(text, "branch", "0" * 40))
    return text


def _url(text: str) -> str:
    problem = _url_problem(text)
    if problem == "secret":
        raise PydanticCustomError("secret_in_file", "a secret is never written in the file")
    if problem:
        raise PydanticCustomError("git_url", "an https, ssh or file address, or an absolute path")
    return text


def _url_problem(text: str) -> str:
    if not text.isprintable() or " " in text or "::" in text or text.startswith("-"):
        return "odd"
    if "://" not in text:
        return "" if text.startswith(("/", "~/")) or _SCP.fullmatch(text) else "odd"
    try:
        parts = urlsplit(text)
        if parts.scheme not in PROTOCOLS or (parts.scheme != "file" and not parts.hostname):
            return "odd"
        if parts.password is not None:
            return "secret"
    except ValueError:
        return "odd"
    return "odd" if parts.netloc.rpartition("@")[2].startswith("-") else ""


RefName: TypeAlias = Annotated[str, StringConstraints(max_length=200), AfterValidator(_ref)]
"""A branch, a tag or a commit; no revision expression such as `HEAD~1`."""
BackupName: TypeAlias = Annotated[str, StringConstraints(max_length=200), AfterValidator(_template)]
GitUrl: TypeAlias = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_url)]


def is_good_url(text: str) -> bool:
    """For an address that a clone names, which nobody has validated."""
    return not _url_problem(text)


def expanded(url: str) -> str:
    return str(Path(url).expanduser()) if url.startswith("~/") else url


def branch_ref(branch: str) -> str:
    return branch if branch.startswith("refs/") else HEADS + branch


def backup_ref(template: str, branch: str, sha: str) -> str:
    """Derived from the commit that it keeps: a repeat makes the same ref, another state another one."""
    name = template.replace("{branch}", plain(branch)).replace("{sha}", sha[:12])
    return branch_ref(name)


def plain(ref: str) -> str:
    """A ref as people call it."""
    return ref.removeprefix(HEADS).removeprefix(TAGS)


def place(url: str) -> str:
    """An address as people know it: without a user, and a path without the rest."""
    if "://" not in url:
        match = _SCP.fullmatch(url)
        return f"{match['host']}:{match['path']}" if match and not url.startswith("/") else url
    parts = urlsplit(url)
    if parts.scheme == "file":
        return parts.path
    return parts.netloc.rpartition("@")[2] + parts.path


def candidates(name: str) -> tuple[str, ...]:
    """The refs that a name may mean on a remote."""
    return (name,) if name.startswith("refs/") else (TAGS + name, HEADS + name)
