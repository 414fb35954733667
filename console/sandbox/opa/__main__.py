"""`python -m console.sandbox.opa`: an OPA to play with, on loopback, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from console.sandbox.opa.api import OpaApi
from console.sandbox.opa.bundles import BundleSource


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m console.sandbox.opa", description="The drill's OPA, on loopback.")
    parser.add_argument("--port", type=int, default=8181)
    parser.add_argument("--replicas", type=int, default=1, help="how many, on this port and those after it")
    parser.add_argument("--bundle", metavar="NAME=URL", help="follow a bundle from http://… or file://…")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(given.port, given.replicas, given.bundle))


async def _serve(port: int, replicas: int, bundle: str | None) -> None:
    name, _, url = (bundle or "").partition("=")
    sources = [BundleSource(name, url)] if url else []
    async with contextlib.AsyncExitStack() as stack:
        for number in range(replicas):
            api = await stack.enter_async_context(OpaApi(port=port + number, bundles=sources, status=True))
            print(f"OPA at {api.url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
