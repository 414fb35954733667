"""The check kinds as cases of their contract: what each finds when all is well, when it is not, and when nobody answers."""

from __future__ import annotations

from typing import Final

from tests.contract.check_contract import Case, migrated, taken
from tests.contract.worlds import Cluster, Monitoring, Replicas, Trail, Web

HERE: Final = {"namespace": "<namespace>"}
POD: Final = r"web-[a-z0-9]+-[a-z0-9]{5}"
REFUSED: Final = "connection refused"

# ---------------------------------------------------------------- kubernetes.pods_ready


def _pods(name: str, outcome: str, says: str, arrange: object, shows: str = "", **options: object) -> Case:
    return Case("kubernetes.pods_ready", name, Cluster, outcome, says, HERE | options, arrange, shows)  # type: ignore[arg-type]


def _restarted_just_now(world: Cluster) -> None:
    world.serves()
    world.restarted(7, seconds_ago=5)


def _restarted_long_ago(world: Cluster) -> None:
    world.serves()
    world.restarted(7, seconds_ago=900)


def _serves_beside_nothing(world: Cluster) -> None:
    world.serves()
    world.serves("idle", replicas=0)


def _releases_beside_another(world: Cluster) -> None:
    world.serves("api")
    world.releases_unseen()


UNSEEN: Final = "1/1 ready, but rolling out: web: waiting for the controller to see the change"
KUBERNETES: Final = (
    _pods("all ready", "pass", "2/2 ready", lambda w: w.serves(replicas=2), f"pod {POD}: ready, 0 restarts\n"),
    _pods("empty namespace", "fail", "0 found in <namespace>", lambda w: None),
    _pods("none with the label", "fail", "0 found in <namespace>", lambda w: w.serves(), selector="app=other"),
    _pods("fewer than wanted", "fail", "2 ready, 3 wanted", lambda w: w.serves(replicas=2), at_least=3),
    _pods("one scaled to nothing", "pass", "1/1 ready", _serves_beside_nothing),
    _pods(
        "crash loop", "fail", rf"0/1 ready; {POD} CrashLoopBackOff, 5 restarts", lambda w: w.crashes(),
        rf"rolling out: web: 0 of 1 ready\npod {POD}: not ready, 5 restarts; CrashLoopBackOff; "
        r"back-off \S+ restarting failed container=web",
    ),
    _pods(
        "stalled release beside an old pod that serves", "fail", rf"1/2 ready; {POD} CrashLoopBackOff, 5 restarts",
        lambda w: w.releases_what_crashes(),
        rf"rolling out: web: 1 old still running\n(.*\n)?pod {POD}: ready, 0 restarts; of revision 1, and the present one is 2",
    ),
    _pods(
        "release beyond its deadline", "fail", rf"1/2 ready; {POD} CrashLoopBackOff, 5 restarts",
        lambda w: w.gives_up_a_release(), r"rolling out: web: 1/1 ready: its progress deadline has passed",
    ),
    _pods("release that no controller has seen", "fail", UNSEEN, lambda w: w.releases_unseen()),
    _pods("selected of two", "fail", UNSEEN, _releases_beside_another, selector="app=web"),
    _pods("not selected of two", "pass", "1/1 ready", _releases_beside_another, selector="app=api"),
    _pods("release that is paused", "fail", "1/1 ready, but rolling out: web: 0 of 1 updated", lambda w: w.releases_paused()),
    _pods(
        "old pod that drains", "fail",
        rf"1/1 ready, but an old pod is still there: {POD} \(of revision 1, and the present one is 2\)",
        lambda w: w.keeps_an_old_pod(), rf"pod {POD}: ending, 0 restarts; of revision 1",
    ),
    _pods(
        "ready between two crashes", "fail",
        rf"1/1 ready, but {POD} restarted [\d.]+ s ago after Error, exit code 1, 7 restarts", _restarted_just_now,
    ),
    _pods("restarted long ago", "pass", "1/1 ready", _restarted_long_ago, f"pod {POD}: ready, 7 restarts"),
    _pods(
        "who may not look", "unknown",
        r'\S+ is forbidden: User "limited" cannot list resource .* in the namespace "<namespace>"',
        lambda w: w.seen_by_a_stranger(),
    ),
    _pods(
        "label that is none", "unknown",
        r"context admin answered 400: unable to parse requirement: found '', expected: ',', '\)' or identifier",
        lambda w: w.serves(), selector="app in (",
    ),
    _pods("server away", "fail", f"context admin can't be reached: {REFUSED}; is the API server up[?]", lambda w: w.goes_away()),
    _pods(
        "server silent", "fail", "context admin does not answer: timed out; is the API server reachable[?]",
        lambda w: w.falls_silent(),
    ),
)  # fmt: skip

# ---------------------------------------------------------------- opa.decision

ADA: Final = {"path": "acgs/authz/allow", "input": {"user": "ada"}, "expect": True}


def _decided(name: str, outcome: str, says: str, arrange: object = lambda w: None, **options: object) -> Case:
    return Case("opa.decision", name, Replicas, outcome, says, ADA | options, arrange, "expected: |^$")  # type: ignore[arg-type]


OPA: Final = (
    _decided("as expected", "pass", "acgs/authz/allow is true on 2 replicas"),
    _decided("a document", "pass", "acgs/authz/limits is .* on 2 replicas", path="acgs/authz/limits",
             expect={"a": 1, "b": 2.5}),
    Case("opa.decision", "undefined as expected", Replicas, "pass", "acgs/qec/fast is undefined on 2 replicas",
         {"path": "acgs/qec/fast", "input": {}, "undefined": True}),
    _decided("another on both", "fail",
             "acgs/authz/allow, expected true: <one> says false; <other> says false; 0 of 2 replicas as expected",
             input={"user": "eve"}),
    _decided("one of two replicas wrong", "fail",
             "acgs/authz/allow, expected true: <other> says false; 1 of 2 replicas as expected",
             lambda w: w.one_has_other_data()),
    _decided("one without a policy", "fail",
             "acgs/authz/allow, expected true: <one> says undefined; 1 of 2 replicas as expected",
             lambda w: w.one_has_no_policy()),
    _decided("that conflicts with itself", "fail",
             r"acgs/authz/both, expected true: <one> can't be asked \(OPA <one> answered 500 Internal Server Error: "
             r"authz\.rego:11: rule data\.acgs\.authz\.both produced conflicting values: .*; 0 of 2 replicas as expected",
             path="acgs/authz/both", input={"user": "ada", "role": "admin"}),
    _decided("one of two away", "fail",
             rf"acgs/authz/allow, expected true: <other> can't be asked \(.*{REFUSED}.*\); 1 of 2 replicas as expected",
             lambda w: w.one_goes_away()),
    _decided("both away", "fail", rf".*<one> can't be asked \(.*{REFUSED}.*<other> .*0 of 2 replicas as expected",
             lambda w: w.goes_away()),
)  # fmt: skip

# ---------------------------------------------------------------- Prometheus

P95: Final = {"query": "max(p95)", "at_most": 30.0, "unit": "s"}


def _query(name: str, outcome: str, says: str, arrange: object = lambda w: None, **options: object) -> Case:
    return Case("prometheus.query", name, Monitoring, outcome, says, P95 | options, arrange, "query: ")  # type: ignore[arg-type]


def _three_routes(world: Monitoring) -> None:
    for route, value in (("/a", 1.0), ("/b", 31.0), ("/c", 2.0)):
        world.showed("p95", (2, value), route=route)


def _a_gauge(world: Monitoring) -> None:
    world.showed("p95", *((ago, 100.0 - ago) for ago in range(0, 60, 5)))


BY_ROUTE: Final = "max by (route) (p95)"
QUERY: Final = (
    _query("within its bound", "pass", r"0\.4 s, at most 30 s", lambda w: w.shows(p95=0.4)),
    _query("beyond its bound", "fail", r"34\.2 s, at most 30 s", lambda w: w.shows(p95=34.2)),
    _query("nothing found", "unknown", "the query finds nothing"),
    _query("one of three beyond", "fail", r"31 s \(route=/b\), at most 30 s; 1 of 3 series beyond", _three_routes,
           query=BY_ROUTE),
    _query("one series too few", "fail", "3 series, 4 wanted at least", _three_routes, query=BY_ROUTE, at_most=31.0,
           series_at_least=4),
    _query("no number", "unknown", r"1 of 1 series is no number \(NaN\)", query="0/0"),
    _query("no end", "fail", r"\+?(∞|inf|Inf).*, at most 30 s", query="1/0"),
    _query("no longer scraped", "unknown", "the query finds nothing", lambda w: w.showed("p95", (60, 0.4)),
           lookback="30s"),
    _query("with a remark", "pass", ".*; Prometheus warns: PromQL info: metric might not be a counter.*", _a_gauge,
           query="rate(p95[1m])", at_least=0),
    _query("that is none", "unknown", "Prometheus prom .*it refuses the query: .*parse error: unclosed left paren.*",
           query="rate((("),
    _query("that gives no single value", "unknown", "Prometheus prom .*one value for each series.*", _a_gauge,
           query="p95[1m]"),
    _query("that matches many with many", "unknown", "Prometheus prom .*found duplicate series for the match group.*",
           _three_routes, query="p95 * on () p95"),
    _query("server away", "unknown", f"Prometheus prom .*{REFUSED}", lambda w: w.goes_away()),
)  # fmt: skip

SLOW: Final = "groups: [{name: slo, rules: [{alert: Slow, expr: p95 > 0.5}, {record: 'p95:max', expr: max(p95)}]}]"
LASTING: Final = SLOW.replace("0.5}", "0.5, for: 1h}")
KEPT: Final = SLOW.replace("0.5}", "0.5, keep_firing_for: 1h}")
BROKEN: Final = "groups: [{name: slo, rules: [{alert: Slow, expr: 'p95 * on() group_left() sides > 0'}]}]"
RECORDS: Final = "groups: [{name: slo, rules: [{record: 'p95:max', expr: max(p95)}]}]"


def _rules(name: str, outcome: str, says: str, arrange: object, shows: str = "", **options: object) -> Case:
    return Case("prometheus.rules", name, Monitoring, outcome, says, options, arrange, shows)  # type: ignore[arg-type]


def _fires(world: Monitoring) -> None:
    world.shows(p95=0.9)
    world.loads(SLOW, Slow=("firing", "ok"))


def _pends(world: Monitoring) -> None:
    world.shows(p95=0.9)
    world.loads(LASTING, Slow=("pending", "ok"))


def _fires_on(world: Monitoring) -> None:
    """What it fired for is over, and it is kept firing."""
    world.shows(p95=0.9)
    world.loads(KEPT, Slow=("firing", "ok"))
    world.shows(p95=0.1)


def _breaks(world: Monitoring) -> None:
    world.showed("sides", (1, 1.0), side="a")
    world.showed("sides", (1, 1.0), side="b")
    world.shows(p95=1.0)
    world.loads(BROKEN, Slow=("inactive", "err"))


RULES: Final = (
    _rules("missing", "fail", "rule Slow is not loaded", lambda w: None, rules=("Slow",)),
    _rules("loaded and quiet", "pass", "2 rules loaded and healthy, none fires",
           lambda w: w.loads(SLOW, Slow=("inactive", "ok")),
           r"rule Slow: inactive, health ok: p95 > 0\.5\nrule p95:max: health ok: max\(p95\)", rules=("slo",), quiet=True),
    _rules("firing", "fail", "rule Slow is FIRING", _fires, r"rule Slow: firing, health ok: p95 > 0\.5", quiet=True),
    _rules("firing and only to be there", "pass", "1 rule loaded and healthy", _fires, rules=("Slow",)),
    _rules("pending", "fail", "rule Slow is PENDING", _pends, rules=("Slow",), quiet=True),
    _rules("kept firing", "fail", "rule Slow is FIRING", _fires_on, quiet=True),
    _rules("that can't be evaluated", "fail", "rule Slow can't be evaluated: found duplicate series for the match group .*",
           _breaks, "rule Slow: inactive, health err", quiet=True),
    _rules("none that alerts", "fail", "no alerting rule is loaded",
           lambda w: w.loads(RECORDS, **{"p95:max": ("", "ok")}), quiet=True),
    _rules("job up", "pass", "1 job up", lambda w: w.is_scraped(), "job qec loaded, 1 of 1 targets up", jobs=("qec",)),
    _rules("job missing", "fail", "job absent is not loaded", lambda w: w.is_scraped(), jobs=("absent",)),
    _rules("job down", "fail", r"job qec loaded, 0 of 1 targets up \(server returned HTTP status 503 Service Unavailable\)",
           lambda w: w.is_down(), jobs=("qec",)),
    _rules("server away", "fail", f"Prometheus prom .*{REFUSED}.*", lambda w: w.goes_away(), rules=("Slow",)),
)  # fmt: skip

USUAL: Final = {"query": "max(p95)", "unit": "s", "tolerance_percent": 20.0}
BEFORE: Final = r"average of 1 h up to .* UTC, before the migration"
BASELINE: Final = (
    Case("baseline", "worse than before", Monitoring, "fail",
         r"2\.08 × baseline \(1\.2 s then, 2\.5 s now\), tolerance 20 %", USUAL,
         lambda w: w.was_then_is(1.2, 2.5), rf"then: 1\.2 s \({BEFORE}\)", migrated),
    Case("baseline", "as before", Monitoring, "pass",
         r"1\.08 × baseline \(1\.2 s then, 1\.3 s now\), tolerance 20 %", USUAL,
         lambda w: w.was_then_is(1.2, 1.3), "", migrated),
    Case("baseline", "as taken", Monitoring, "pass", r"1\.1 × baseline \(2 s then, 2\.2 s now\), tolerance 20 %", USUAL,
         lambda w: w.shows(p95=2.2), r"then: 2 s \(as it was\)", taken(2.0)),
    Case("baseline", "of a fixed value", Monitoring, "fail", r"3 × baseline \(1 s then, 3 s now\), tolerance 20 %",
         USUAL | {"value": 1.0}, lambda w: w.shows(p95=3.0)),
    Case("baseline", "without a past", Monitoring, "unknown", r"no baseline: 0 of 61 values are known of the .*", USUAL,
         lambda w: w.shows(p95=2.2), "", migrated),
    Case("baseline", "without a value now", Monitoring, "unknown", "the query finds nothing now", USUAL,
         known=taken(2.0)),
    Case("baseline", "server away", Monitoring, "unknown", f"Prometheus prom .*{REFUSED}", USUAL,
         lambda w: w.goes_away(), "", migrated),
)  # fmt: skip

# ---------------------------------------------------------------- postgres.query

COUNT: Final = "SELECT count(*) AS entries FROM entry WHERE source = %(source)s"
GATEWAY: Final = {"query": COUNT, "parameters": {"source": "gateway"}, "expect": 10}


def _select(name: str, outcome: str, says: str, arrange: object = lambda w: None, **options: object) -> Case:
    return Case("postgres.query", name, Trail, outcome, says, options or GATEWAY, arrange, "query: |^$")  # type: ignore[arg-type]


POSTGRES: Final = (
    _select("as expected", "pass", "entries 10"),
    _select("wrong count", "fail", "entries 7; expected 10", lambda w: w.loses("id <= 6")),
    _select("beyond its bound", "fail", r"max 5\.0+, at most 4\.5", query="SELECT max(took) FROM entry", at_most=4.5),
    _select("no number", "unknown", "max NULL, which is no number", query="SELECT max(took) FROM entry WHERE id > 20",
            at_least=0.0),
    _select("rows", "pass", "2 rows: gateway, 10; qec, 10",
            query="SELECT source, count(*) FROM entry GROUP BY 1 ORDER BY 1", expect=(("gateway", 10), ("qec", 10))),
    _select("that writes by a function", "unknown",
            "PostgreSQL trail@<server>: .*cannot execute DELETE in a read-only transaction.*", query="SELECT lost()",
            expect=1),
    _select("that takes a number", "unknown",
            r"PostgreSQL trail@<server>: .*cannot execute nextval\(\) in a read-only transaction.*",
            query="SELECT nextval('ticket')", expect=1),
    _select("that is wrong", "unknown", 'PostgreSQL trail@<server>: column "nothing" does not exist.*',
            query="SELECT nothing FROM entry", expect=1),
    _select("that takes too long", "unknown", "PostgreSQL trail@<server>: it took longer than statement_timeout.*",
            query="SELECT count(*) FROM pg_sleep(60)", expect=1, statement_timeout="100ms"),
    _select("password not accepted", "unknown", "PostgreSQL trail@<server>: user or password is not accepted",
            lambda w: w.changes_its_password()),
    _select("server away", "unknown", f"PostgreSQL trail@<server>: {REFUSED}", lambda w: w.goes_away()),
)  # fmt: skip

# ---------------------------------------------------------------- http.ok

HEALTH: Final = "http://<server>/health"


def _asked(name: str, outcome: str, says: str, arrange: object, shows: str = "", **options: object) -> Case:
    return Case("http.ok", name, Web, outcome, says, {"url": HEALTH} | options, arrange, shows)  # type: ignore[arg-type]


HTTP: Final = (
    _asked("well", "pass", r"200 in \d+ ms", lambda w: w.answers("/health", {"database": "ok"}),
           f"GET {HEALTH}\nHTTP/1.1 200 OK\ncomplete after", json={"database": "ok"}),
    _asked("ill", "fail", rf"{HEALTH}: 503 Service Unavailable in \d+ ms, expected 200: .*",
           lambda w: w.answers("/health", {"error": "pool exhausted"}, 503), "pool exhausted"),
    _asked("another value", "fail", rf'{HEALTH}: 200 in \d+ ms, but database is "failing", expected "ok"',
           lambda w: w.answers("/health", {"database": "failing"}), json={"database": "ok"}),
    _asked("not there", "fail", rf"{HEALTH}: 404 Not Found in \d+ ms, expected 200: .*", lambda w: None),
    _asked("server away", "fail", f"{HEALTH}: .*{REFUSED}", lambda w: w.goes_away()),
    Case("http.ok", "OPA that is well", Replicas, "pass", r"200 in \d+ ms", {"url": "http://<one>/health"}),
    Case("http.ok", "OPA without a policy is well", Replicas, "pass", r"200 in \d+ ms",
         {"url": "http://<one>/health?bundles"}, lambda w: w.one_has_no_policy()),
    Case("http.ok", "a decision of OPA", Replicas, "pass", r"200 in \d+ ms",
         {"url": "http://<one>/v1/data/acgs/authz/limits", "json": {"result.a": 1}}),
    Case("http.ok", "a policy that OPA has not", Replicas, "fail",
         r"http://<one>/v1/policies/x: 404 Not Found in \d+ ms, expected 200: .*",
         {"url": "http://<one>/v1/policies/x"}, shows="resource_not_found"),
    Case("http.ok", "OPA away", Replicas, "fail", f"http://<other>/health: .*{REFUSED}", {"url": "http://<other>/health"},
         lambda w: w.one_goes_away()),
    Case("http.ok", "Prometheus that is ready", Monitoring, "pass", r"200 in \d+ ms",
         {"url": "http://<server>/-/ready"}),
    Case("http.ok", "a rule file that Prometheus has loaded", Monitoring, "pass", r"200 in \d+ ms",
         {"url": "http://<server>/api/v1/rules", "json": {"data.groups.0.rules.0.state": "inactive"}},
         lambda w: w.loads(SLOW, Slow=("inactive", "ok"))),
    Case("http.ok", "a query that Prometheus refuses", Monitoring, "fail",
         r"http://<server>/api/v1/query: 400 Bad Request in \d+ ms, expected 200: .*parse error: unclosed left parenthesis.*",
         {"url": "http://<server>/api/v1/query?query=(("}, shows='"errorType":"bad_data"'),
    Case("http.ok", "an address that Prometheus has not", Monitoring, "fail",
         r"http://<server>/-/nowhere: 404 Not Found in \d+ ms, expected 200: .*", {"url": "http://<server>/-/nowhere"},
         shows="404 page not found"),
)  # fmt: skip

CASES: Final = (*KUBERNETES, *OPA, *QUERY, *RULES, *BASELINE, *POSTGRES, *HTTP)
