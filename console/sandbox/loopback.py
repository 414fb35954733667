"""A drill's process reaches this machine and nothing else: whatever connects anywhere else is stopped before a byte leaves.

Once on it can't be turned off, in this process. It sees Python's own sockets, so what a library connects in C is judged by its
address in the procedure instead.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from console.domain.errors import Refused

_ADDRESS_KEYS: Final = frozenset({"url", "urls", "host", "hosts", "hostaddr", "put", "repository"})
_on = False


class Outside(ConnectionRefusedError):
    """Somebody in a drill tried to reach another machine."""


def stay_here() -> None:
    """From now on this process connects to loopback addresses and local sockets only."""
    global _on
    if not _on:
        _on = True
        sys.addaudithook(_hook)


def refuse_outside(options: Mapping[str, Any]) -> None:
    """Raises Refused when an address of the procedure is not on this machine."""
    for where, address in _addresses(options):
        if not is_here(address):
            raise Refused(f"{where} = {address} is not on this machine", "a drill reaches loopback addresses only")


def is_here(address: str) -> bool:
    """Whether a URL, a host or a path is on this machine by its name alone."""
    if "://" in address:
        address = urlsplit(address).hostname or ("localhost" if address.startswith("file:") else "")
    elif address.startswith("/"):
        return True
    elif ":" in address and not address.startswith("[") and address.count(":") == 1:
        address = address.partition(":")[0]
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        return
    address = arguments[1]
    if isinstance(address, tuple) and address and not is_here(str(address[0])):
        raise Outside(f"a drill does not reach {address[0]}")


def _addresses(options: Any, where: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(options, Mapping):
        for key, value in options.items():
            name = f"{where}.{key}" if where else str(key)
            if key in _ADDRESS_KEYS:
                yield from ((name, text) for text in _texts(value))
            yield from _addresses(value, name)
    elif isinstance(options, Sequence) and not isinstance(options, str | bytes):
        for item in options:
            yield from _addresses(item, where)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        yield from (item for item in value if isinstance(item, str))
