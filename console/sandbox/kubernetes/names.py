"""Names, labels and their rules, and the endings that the server makes up."""

from __future__ import annotations

import re
import secrets

from console.sandbox.kubernetes.errors import Cause, wrong

SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
LABEL_KEY = (
    f"{NAME_PART.replace('name part', 'a valid label key', 1)} with an optional DNS subdomain prefix and '/' "
    "(e.g. 'example.com/MyName')"
)
LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
DATA_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NAME_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Without vowels and look-alikes, so that no ending is a word."""


def ending(length: int = 5) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def safe(number: int) -> str:
    """A number in the alphabet of endings, as the hash of a pod template is written."""
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(number))


def subdomain_problems(path: str, name: str) -> list[Cause]:
    return _problems(path, name, _SUBDOMAIN, SUBDOMAIN, 253)


def label_problems(path: str, name: str) -> list[Cause]:
    return _problems(path, name, _LABEL, LABEL, 63)


def data_key_problems(path: str, key: str) -> list[Cause]:
    return _problems(path, key, _DATA_KEY, DATA_KEY, 253)


def qualified_problems(path: str, key: str) -> list[Cause]:
    """A label's or annotation's key: a name, perhaps after a domain and a slash."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        return [wrong(path, key, LABEL_KEY)]
    found = []
    if slash and not prefix:
        found.append(wrong(path, key, "prefix part must be non-empty"))
    elif slash and not _SUBDOMAIN.fullmatch(prefix):
        found.append(wrong(path, key, f"prefix part {SUBDOMAIN}"))
    if not name:
        found.append(wrong(path, key, "name part must be non-empty"))
    elif len(name) > 63:
        found.append(wrong(path, key, "name part must be no more than 63 bytes"))
    if not _NAME_PART.fullmatch(name):
        found.append(wrong(path, key, NAME_PART))
    return found


def label_value_problems(path: str, value: str) -> list[Cause]:
    if len(value) > 63:
        return [wrong(path, value, "must be no more than 63 bytes")]
    return [] if _LABEL_VALUE.fullmatch(value) else [wrong(path, value, LABEL_VALUE)]


def _problems(path: str, name: str, form: re.Pattern[str], said: str, limit: int) -> list[Cause]:
    if len(name) > limit:
        return [wrong(path, name, f"must be no more than {limit} bytes")]
    return [] if form.fullmatch(name) else [wrong(path, name, said)]
