"""JSON web tokens: reading them, and the signatures that need a shared secret only."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any, Final

from console.sandbox.opa.builtins.encodings import url_bytes
from console.sandbox.opa.builtins.given import Undefined, string
from console.sandbox.opa.values import Obj, Value, from_json


def _decode(token: Value) -> Value:
    parts = string(token).split(".")
    if len(parts) != 3:
        raise Undefined
    try:
        header = from_json(json.loads(url_bytes(parts[0])))
        said = url_bytes(parts[1]).decode()
        nested = isinstance(header, Obj) and header.get("cty") == "JWT"
        payload = said.strip('"') if nested else from_json(json.loads(said))
    except ValueError:
        raise Undefined from None
    if nested:
        return _decode(payload)
    return (header, payload, url_bytes(parts[2]).hex())


def _verify(digest: str) -> Callable[[Value, Value], bool]:
    def verify(token: Value, secret: Value) -> bool:
        signed, _, signature = string(token).rpartition(".")
        if signed.count(".") != 1:
            raise Undefined
        made = hmac.new(string(secret).encode(), signed.encode(), digest).digest()
        return hmac.compare_digest(made, url_bytes(signature))

    return verify


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "io.jwt.decode": _decode,
    **{f"io.jwt.verify_hs{bits}": _verify(f"sha{bits}") for bits in (256, 384, 512)},
}
