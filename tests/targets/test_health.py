"""An address that can't be asked from here is told apart from one that answers badly."""

from __future__ import annotations

import errno
import socket

import httpx
import pytest

from console.targets.health import Healthy, NotAsked, health_of, without_query

URL = "http://api-gateway/health"


async def asked(error: Exception) -> str:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("All connection attempts failed") from error

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        return (await health_of(client, URL, Healthy(), limit_seconds=5)).words


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "network is unreachable"),
        (OSError(errno.EMFILE, "Too many open files"), "too many open files"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "no name server answers"),
        (ExceptionGroup("both", [OSError(errno.ENETUNREACH, "Network is unreachable")]), "network is unreachable"),
    ],
)
async def test_what_is_wrong_with_this_machine_says_nothing_about_the_address(error: Exception, said: str) -> None:
    with pytest.raises(NotAsked, match=said):
        await asked(error)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "connection refused"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no route to host"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "no such host"),
    ],
)
async def test_what_is_wrong_over_there_is_not_healthy(error: Exception, said: str) -> None:
    assert (await asked(error)).startswith(said)


def test_an_address_is_shown_without_its_query() -> None:
    assert without_query("https://api:8443/health?key=s3cret#top") == "https://api:8443/health"
