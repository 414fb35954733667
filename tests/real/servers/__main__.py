"""A playground for trying the console by hand: `python -m tests.real.servers [--prometheus | --whole]`.

Starts a control plane with the scene, writes a procedure file for it, and ends everything on Ctrl-C or SIGTERM. With --whole
it starts everything that sample-config.toml acts on: OPA, Prometheus, PostgreSQL and a git remote too.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.real import scene
from tests.real.servers import ControlPlane, NotBuilt, PrometheusServer, binaries


def main() -> int:
    """Runs the playground; 2 when the servers are not built."""
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        binaries.require()
    except NotBuilt as absent:
        sys.stderr.write(f"{absent}\n")
        return 2
    with contextlib.suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="rollback-console-") as name:
        if options.whole:
            _play_the_whole(Path(name))
        else:
            _play(Path(name), with_prometheus=options.prometheus, user=options.user)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.real.servers", description=__doc__.partition("\n")[0])
    parser.add_argument("--prometheus", action="store_true", help="with a Prometheus in which two triggers fire")
    parser.add_argument("--whole", action="store_true", help="the whole procedure, with every server that it acts on")
    parser.add_argument("--user", choices=("admin", "limited", "certificate", "exec"), default="admin",
                        help="whom the procedure file signs in as")  # fmt: skip
    return parser.parse_args()


def _play(folder: Path, *, with_prometheus: bool, user: str) -> None:
    with contextlib.ExitStack() as running:
        started = time.monotonic()
        cluster = running.enter_context(ControlPlane(folder / "cluster"))
        up = time.monotonic()
        scene.seed(cluster)
        _say(f"control plane up in {up - started:.1f} s, scene in {time.monotonic() - up:.1f} s")
        prometheus = running.enter_context(PrometheusServer(folder / "prometheus")) if with_prometheus else None
        url = None if prometheus is None else prometheus.url
        file = scene.write_procedure(folder / "procedure", cluster.kubeconfig(user), user, url)
        _say(f"kubeconfig  {cluster.kubeconfig(user)}")
        _say(f"procedure   {file}")
        if prometheus is not None:
            scene.breach(prometheus)
            _say(f"Prometheus  {prometheus.url}")
            _say("Type a series and its new value, as in `qec_p95_seconds 3.5`. Ctrl-C ends the playground.")
            _take_metrics(prometheus)
        else:
            _say("Ctrl-C ends the playground.")
        while True:
            signal.pause()


def _play_the_whole(folder: Path) -> None:
    from tests.real.whole import Whole

    started = time.monotonic()
    with ControlPlane(folder / "cluster") as cluster, Whole(folder / "whole", cluster) as whole:
        whole.reset()
        console = whole.console(folder / "procedure")
        _say(f"everything up in {time.monotonic() - started:.1f} s, as the migration left it")
        _say(f"kubeconfig  {cluster.kubeconfig()}")
        _say(f"Prometheus  {whole.prometheus.url}")
        _say(f"OPA         {', '.join(opa.url for opa in whole.opas)}")
        _say(f"PostgreSQL  port {whole.postgres.port}, database audit, user postgres")
        _say(f"git         {whole.clone}, a clone of {whole.git.url}/policies.git")
        _say(f"procedure   {console.procedure}")
        _say(f'export AUDIT_DB_PASSWORD="$(cat {whole.postgres.password})"')
        _say("Ctrl-C ends the playground.")
        while True:
            signal.pause()


def _take_metrics(prometheus: PrometheusServer) -> None:
    for line in sys.stdin:
        series, _, value = line.strip().rpartition(" ")
        try:
            prometheus.metrics[series.strip()] = float(value)
        except ValueError:
            _say("a series, a space, a number")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
