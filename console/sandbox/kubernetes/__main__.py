"""A cluster to play with by hand: `python -m console.sandbox.kubernetes [--speed 5] [manifest.yaml …]`. Ctrl-C ends it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import tempfile
from pathlib import Path

import yaml

from console.sandbox.kubernetes.api import KubernetesApi
from console.sandbox.kubernetes.errors import ApiError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m console.sandbox.kubernetes", description=__doc__)
    parser.add_argument("manifests", nargs="*", type=Path, help="what is in the cluster at the beginning")
    parser.add_argument("--speed", type=float, default=1.0, help="seconds of the cluster that pass in one second")
    parser.add_argument("--port", type=int, default=0, help="a port of loopback; a free one when left out")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the folder with the tokens goes
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(options))
    except (ApiError, LookupError, OSError, ValueError, yaml.YAMLError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _serve(options: argparse.Namespace) -> None:
    documents = [d for file in options.manifests for d in yaml.safe_load_all(file.read_text(encoding="utf-8")) if d]
    with tempfile.TemporaryDirectory(prefix="rollback-console-drill-") as folder:
        async with KubernetesApi(Path(folder), speed=options.speed, port=options.port) as api:
            api.cluster.load(documents)
            sys.stdout.write(f"export KUBECONFIG={api.kubeconfig()}\n")
            sys.stdout.flush()
            await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
