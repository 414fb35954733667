"""Networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from console.sandbox.opa.builtins.given import Undefined, string
from console.sandbox.opa.values import Set, Value

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_LARGEST: Final = 65536


def _network(value: Value) -> Network:
    try:
        return ipaddress.ip_network(string(value), strict=False)
    except ValueError:
        raise Undefined from None


def _contains(network: Value, other: Value) -> bool:
    outer, inner = _network(network), _network(other)
    return outer.version == inner.version and inner.network_address in outer and inner.broadcast_address in outer


def _intersects(one: Value, other: Value) -> bool:
    a, b = _network(one), _network(other)
    return a.version == b.version and (a.network_address in b or b.network_address in a)


def _expand(value: Value) -> Set:
    network = _network(value)
    if network.num_addresses > _LARGEST:
        raise Undefined
    return Set(str(address) for address in network)


def _is_valid(value: Value) -> bool:
    try:
        return isinstance(value, str) and "/" in value and ipaddress.ip_network(value, strict=False) is not None
    except ValueError:
        return False


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "net.cidr_contains": _contains,
    "net.cidr_intersects": _intersects,
    "net.cidr_expand": _expand,
    "net.cidr_is_valid": _is_valid,
}
