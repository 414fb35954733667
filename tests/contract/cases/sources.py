"""The trigger sources as cases of their contract: the number when there is one, nothing where there is none, and why it fails."""

from __future__ import annotations

import math
from typing import Any, Final

from tests.contract.cases.checks import LASTING, POD, REFUSED
from tests.contract.source_contract import Case
from tests.contract.worlds import Cluster, Monitoring, Replicas, Trail, Web, World

# ---------------------------------------------------------------- kubernetes

SILENT: Final = "context admin does not answer: timed out.*"
AWAY: Final = f"context admin can't be reached: {REFUSED}.*"


def _of(measure: str, name: str, arrange: Any, gives: Any = None, warns: str = "", **more: Any) -> Case:
    options = {"measure": measure, "namespace": "<namespace>", **more.pop("options", {})}
    return Case("kubernetes", f"{measure}: {name}", Cluster, options, arrange, gives or {}, warns, **more)


def _two_beside_a_crash(world: Cluster) -> None:
    world.serves("api")
    world.crashes(replicas=2)


def _scaled_to_nothing(world: Cluster) -> None:
    world.serves()
    world.serves("idle", replicas=0)


CRASHING: Final = f"{POD}: CrashLoopBackOff, 5 restarts"
KUBERNETES: Final = (
    _of("not_ready", "all well", lambda w: w.serves(replicas=2), {"web": 0}),
    _of("not_ready", "empty namespace", lambda w: None, warns="there is no pod in <namespace>"),
    _of("not_ready", "crash loop beside another", _two_beside_a_crash, {"api": 0, "web": 2}, f"{CRASHING}\n{CRASHING}"),
    _of("not_ready", "selected of two", _two_beside_a_crash, {"api": 0}, options={"selector": "app=api"}),
    _of("not_ready", "stalled release", lambda w: w.releases_what_crashes(), {"web": 1}, CRASHING),
    _of("unavailable", "all well", lambda w: w.serves(replicas=2), {"web": 0}),
    _of("unavailable", "empty namespace", lambda w: None, warns="there is no workload in <namespace>"),
    _of("unavailable", "one scaled to nothing", _scaled_to_nothing, {"web": 0, "idle": 0}),
    _of("unavailable", "crash loop beside another", _two_beside_a_crash, {"api": 0, "web": 2}, "web: 0 of 2 ready"),
    _of("unavailable", "stalled release beside a pod that serves", lambda w: w.releases_what_crashes(), {"web": 1},
        "web: 1 old still running"),
    _of("unavailable", "release beyond its deadline", lambda w: w.gives_up_a_release(), {"web": 1},
        "web: 1/1 ready: its progress deadline has passed"),
    _of("unavailable", "release that no controller has seen", lambda w: w.releases_unseen(), {"web": 0}),
    _of("restarts", "first look", lambda w: w.crashes(), warns="restarts are counted from now on"),
    _of("restarts", "none since", lambda w: w.crashes(), {"web": 0}, meanwhile=lambda w: None),
    _of("restarts", "two since", lambda w: w.crashes(), {"web": 2}, meanwhile=lambda w: w.restarted(7)),
    _of("restarts", "of the pod in its place", lambda w: w.crashes(), {"web": 5}, meanwhile=lambda w: w.replaces()),
    _of("restarts", "a healthy one restarted", lambda w: w.serves(), {"web": 1},
        meanwhile=lambda w: w.restarted(1, seconds_ago=1)),
    _of("restarts", "empty namespace", lambda w: None, warns="there is no pod in <namespace>", meanwhile=lambda w: None),
    _of("not_ready", "who may not look", lambda w: w.seen_by_a_stranger(),
        fails='pods is forbidden: User "limited" cannot list resource "pods" in API group "" in the namespace "<namespace>".*'),
    _of("not_ready", "label that is none", lambda w: w.serves(), options={"selector": "app in ("},
        fails=r"context admin answered 400: unable to parse requirement: found '', expected: ',', '\)' or identifier"),
    _of("not_ready", "server away", lambda w: w.goes_away(), fails=AWAY),
    _of("unavailable", "server silent", lambda w: w.falls_silent(), fails=SILENT),
)  # fmt: skip

# ---------------------------------------------------------------- prometheus


def _asked(
    name: str, query: str, arrange: Any = lambda w: None, gives: Any = None, warns: str = "", **more: Any
) -> Case:
    options = {"query": query, **more.pop("options", {})}
    return Case("prometheus", name, Monitoring, options, arrange, gives or {}, warns, **more)


def _two_routes(world: Monitoring) -> None:
    for route, value in (("/a", 34.2), ("/b", 1.5)):
        world.showed("p95", (20, 9.0), (2, value), route=route)


def _pends(world: Monitoring) -> None:
    world.shows(p95=0.9)
    world.loads(LASTING, Slow=("pending", "ok"))


PROMETHEUS: Final = (
    _asked("one series each", "p95", _two_routes, {"/a": 34.2, "/b": 1.5}),
    _asked("one number", "max(p95)", _two_routes, {"": 34.2}),
    _asked("scraped", "p95", lambda w: w.shows(p95=0.9), {"": 0.9}),
    _asked("nothing found", "no_such_metric"),
    _asked("no number", "0/0", gives={"": math.nan}),
    _asked("no end", "-1/0", gives={"": -math.inf}),
    _asked("whether it is scraped", "up", lambda w: w.is_down(), {"": 0}),
    _asked("an alert of its own", "ALERTS", _pends, {"Slow/pending": 1}),
    _asked("no longer scraped", "p95", lambda w: w.showed("p95", (60, 0.4)), options={"lookback": "30s"}),
    _asked("with a remark", "rate(p95[1m]) * 0", lambda w: w.showed("p95", *((5 * i, 9.0 - i) for i in range(9))),
           {"": 0}, "PromQL info: metric might not be a counter, name does not end in .*"),
    _asked("that is none", "rate(((", fails="Prometheus prom .*it refuses the query: .*parse error: unclosed left paren.*"),
    _asked("a range", "p95[1m]", _two_routes, fails="Prometheus prom .*one value for each series.*"),
    _asked("a text", '"well"', fails="Prometheus prom .*it must give numbers.*"),
    _asked("server away", "p95", lambda w: w.goes_away(), fails=rf"Prometheus prom \(http://<server>\): {REFUSED}"),
)  # fmt: skip

# ---------------------------------------------------------------- postgres


def _select(
    name: str, query: str, gives: Any = None, warns: str = "", arrange: Any = lambda w: None, **more: Any
) -> Case:
    options = {"query": query, **more.pop("options", {})}
    return Case("postgres", name, Trail, options, arrange, gives or {}, warns, **more)


TRAIL: Final = "PostgreSQL trail@<server>: "
COUNT: Final = "SELECT count(*) FROM entry WHERE source = %(source)s"
GATEWAY: Final = {"parameters": {"source": "gateway"}}
POSTGRES: Final = (
    _select("a number", COUNT, {"": 10}, options=GATEWAY),
    _select("another number", COUNT, {"": 7}, arrange=lambda w: w.loses("id <= 6"), options=GATEWAY),
    _select("rows by their label", "SELECT source, max(took) FROM entry GROUP BY 1", {"gateway": 5, "qec": 4.75}),
    _select("no row", "SELECT id FROM entry WHERE id > 20"),
    _select("no number", "SELECT max(id) FROM entry WHERE id > 20", {"": math.nan}, "1 of 1 rows have no number"),
    _select("rows without a label", "SELECT id FROM entry",
            fails=TRAIL + "the query gives several rows: put a column before the number that tells them apart"),
    _select("that writes", "DELETE FROM entry RETURNING id", fails=TRAIL + ".*"),
    _select("that writes by a function", "SELECT lost()", fails=TRAIL + ".*cannot execute DELETE in a read-only transaction.*"),
    _select("that is wrong", "SELECT nothing FROM entry", fails=TRAIL + 'column "nothing" does not exist'),
    _select("that takes too long", "SELECT 1 FROM pg_sleep(30)", options={"statement_timeout": "100ms"},
            fails=TRAIL + "it took longer than statement_timeout.*"),
    _select("password not accepted", "SELECT 1", arrange=lambda w: w.changes_its_password(),
            fails=TRAIL + "user or password is not accepted"),
    _select("server away", "SELECT 1", arrange=lambda w: w.goes_away(), fails=TRAIL + REFUSED),
)  # fmt: skip

# ---------------------------------------------------------------- http, http_json

HEALTH: Final = "http://<server>/health"
BOTH: Final = {"urls": (HEALTH, "http://<server>/other")}


def _healthy(name: str, world: type[World], options: Any, arrange: Any, gives: Any, warns: str = "") -> Case:
    return Case("http", name, world, options, arrange, gives, warns)


def _one_is_ill(world: Web) -> None:
    world.answers("/health", {"database": "ok"})
    world.answers("/other", {"error": "pool exhausted"}, 503)


ONE: Final = "http://<one>/health"
OTHER: Final = "http://<other>/health"
OF_OPA: Final = {"urls": (ONE, OTHER)}
HTTP: Final = (
    _healthy("well", Web, {"url": HEALTH}, lambda w: w.answers("/health", {}), {HEALTH: 0}),
    _healthy("one of two ill", Web, BOTH, _one_is_ill, {HEALTH: 0, "http://<server>/other": 1},
             r"http://<server>/other: 503 Service Unavailable in \d+ ms, expected 200: .*pool exhausted.*"),
    _healthy("another value", Web, {"url": HEALTH, "json": {"database": "ok"}},
             lambda w: w.answers("/health", {"database": "failing"}), {HEALTH: 1},
             rf'{HEALTH}: 200 in \d+ ms, but database is "failing", expected "ok"'),
    _healthy("server away", Web, {"url": HEALTH}, lambda w: w.goes_away(), {HEALTH: 1}, f"{HEALTH}: .*{REFUSED}"),
    _healthy("both OPAs well", Replicas, OF_OPA, lambda w: w.one_has_no_policy(), {ONE: 0, OTHER: 0}),
    _healthy("one of two OPAs away", Replicas, OF_OPA, lambda w: w.one_goes_away(), {ONE: 0, OTHER: 1},
             f"{OTHER}: .*{REFUSED}"),
    _healthy("Prometheus ready", Monitoring, {"url": "http://<server>/-/ready"}, lambda w: None,
             {"http://<server>/-/ready": 0}),
    _healthy("Prometheus away", Monitoring, {"url": "http://<server>/-/ready"}, lambda w: w.goes_away(),
             {"http://<server>/-/ready": 1}, f"http://<server>/-/ready: .*{REFUSED}"),
)  # fmt: skip

QUEUES: Final = [{"name": "audit", "depth": 7}, {"name": "mail", "depth": "many"}]


def _told(
    name: str, world: type[World], options: Any, arrange: Any, gives: Any = None, warns: str = "", **more: Any
) -> Case:
    return Case("http_json", name, world, options, arrange, gives or {}, warns, **more)


AT: Final = "http://<server>/queues"
HTTP_JSON: Final = (
    _told("a number", Web, {"url": AT, "path": "0.depth"}, lambda w: w.answers("/queues", QUEUES), {"": 7}),
    _told("one each, one of them none", Web, {"url": AT, "each": ("0",), "path": "depth"},
          lambda w: w.answers("/queues", [QUEUES]), {"0": 7, "1": math.nan}, '1: depth .*"many".*'),
    _told("not there", Web, {"url": AT, "path": "0.length"}, lambda w: w.answers("/queues", QUEUES),
          warns="0.length .*"),
    _told("ill", Web, {"url": AT, "path": "0.depth"}, lambda w: w.answers("/queues", {"error": "no"}, 500),
          fails=f'{AT}: it answers 500 Internal Server Error: {{"error": "no"}}'),
    _told("server away", Web, {"url": AT, "path": "0.depth"}, lambda w: w.goes_away(), fails=f"{AT}: .*{REFUSED}.*"),
    _told("a document of OPA", Replicas, {"url": "http://<one>/v1/data/load", "path": "result.queue"},
          lambda w: w.tells("load", {"queue": 12.5}), {"": 12.5}),
    _told("a rule of OPA", Replicas, {"url": "http://<one>/v1/data/acgs/authz/limits", "path": "result.b"},
          lambda w: None, {"": 2.5}),
    _told("an undefined document of OPA", Replicas, {"url": "http://<one>/v1/data/load", "path": "result.queue"},
          lambda w: None, warns="result.queue .*"),
    _told("rule groups of Prometheus", Monitoring,
          {"url": "http://<server>/api/v1/rules", "each": "data.groups", "label": "name", "path": "interval"},
          lambda w: w.loads(LASTING, Slow=("inactive", "ok")), {"slo": 0.2}),
    _told("a query that Prometheus refuses", Monitoring, {"url": "http://<server>/api/v1/query?query=((", "path": "data"},
          lambda w: None, fails='http://<server>/api/v1/query: it answers 400 Bad Request: .*"errorType":"bad_data".*'),
)  # fmt: skip

CASES: Final = (*KUBERNETES, *PROMETHEUS, *POSTGRES, *HTTP, *HTTP_JSON)
