"""JSON, YAML, base64, hex, query strings, and digests."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import math
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs, quote_plus, unquote_plus

from console.sandbox.opa.builtins.given import Undefined, obj, string, strings
from console.sandbox.opa.values import Obj, Value, dumps, from_json, to_json


def _finite(text: str) -> float:
    found = float(text)
    if math.isinf(found):
        raise ValueError(text)
    return found


def _no_number(text: str) -> float:
    raise ValueError(text)


def _json(value: Value) -> Value:
    try:
        return from_json(json.loads(string(value), parse_constant=_no_number, parse_float=_finite))
    except ValueError:
        raise Undefined from None


def _yaml(value: Value) -> Value:
    import yaml

    try:
        return from_json(yaml.safe_load(string(value)))
    except yaml.YAMLError:
        raise Undefined from None


def _yaml_dump(value: Value) -> str:
    import yaml

    return str(yaml.safe_dump(to_json(value), allow_unicode=True))


def _valid(parse: Callable[[Value], Value]) -> Callable[[Value], bool]:
    def valid(value: Value) -> bool:
        try:
            parse(value)
        except Undefined:
            return False
        return True

    return valid


def _from_base64(value: Value) -> str:
    try:
        return base64.b64decode(string(value), validate=True).decode(errors="replace")
    except binascii.Error:
        raise Undefined from None


def url_bytes(value: Value) -> bytes:
    """Of base64 as it is in URLs, padded or not."""
    text = string(value).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise Undefined from None


def _from_hex(value: Value) -> str:
    try:
        return bytes.fromhex(string(value)).decode(errors="replace")
    except ValueError:
        raise Undefined from None


def _decoded_query(value: Value) -> Obj:
    found = parse_qs(string(value), keep_blank_values=True, strict_parsing=False)
    return Obj((k, tuple(v)) for k, v in found.items())


def _encoded_query(value: Value) -> str:
    pairs = [(string(k), item) for k, v in obj(value).items() for item in strings(v)]
    return "&".join(f"{quote_plus(k)}={quote_plus(v)}" for k, v in pairs)


def _digest(name: str) -> Callable[[Value], str]:
    return lambda value: hashlib.new(name, string(value).encode(), usedforsecurity=False).hexdigest()


def _hmac(name: str) -> Callable[[Value, Value], str]:
    return lambda text, key: hmac.new(string(key).encode(), string(text).encode(), name).hexdigest()


_DIGESTS: Final = ("md5", "sha1", "sha256")
_HMACS: Final = ("md5", "sha1", "sha256", "sha512")

FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "json.marshal": lambda a: dumps(to_json(a)),
    "json.unmarshal": _json,
    "json.is_valid": _valid(_json),
    "yaml.marshal": _yaml_dump,
    "yaml.unmarshal": _yaml,
    "yaml.is_valid": _valid(_yaml),
    "base64.encode": lambda a: base64.b64encode(string(a).encode()).decode(),
    "base64.decode": _from_base64,
    "base64.is_valid": _valid(_from_base64),
    "base64url.encode": lambda a: base64.urlsafe_b64encode(string(a).encode()).decode(),
    "base64url.encode_no_pad": lambda a: base64.urlsafe_b64encode(string(a).encode()).decode().rstrip("="),
    "base64url.decode": lambda a: url_bytes(a).decode(errors="replace"),
    "hex.encode": lambda a: string(a).encode().hex(),
    "hex.decode": _from_hex,
    "urlquery.encode": lambda a: quote_plus(string(a)),
    "urlquery.decode": lambda a: unquote_plus(string(a)),
    "urlquery.encode_object": _encoded_query,
    "urlquery.decode_object": _decoded_query,
    **{f"crypto.{name}": _digest(name) for name in _DIGESTS},
    **{f"crypto.hmac.{name}": _hmac(name) for name in _HMACS},
    "crypto.hmac.equal": lambda a, b: hmac.compare_digest(string(a), string(b)),
}
