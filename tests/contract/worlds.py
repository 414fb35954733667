"""The worlds that a check or a trigger source asks about, as its contract arranges them; which server answers they don't know.

A world is opened over a server. Servers come in twos with the same hands: the drill's (`drill_servers.py`) and the real one
(tests/real). What only a running server knows, an address or the name of a namespace, is `<server>` or `<namespace>` in the
cases: filled in where it is asked for, and put back into what was said.
"""

from __future__ import annotations

import abc
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

import pytest

from console.config.secrets import SecretReference
from console.engine.ports import Json
from console.targets import opa as opa_targets
from console.targets import prometheus as prometheus_targets
from console.targets.postgres.client import PostgresTarget
from console.targets.postgres.login import Login
from tests.real.room import CRASHING, MERGE, Room, deployment
from tests.real.servers import poll

SILENCE_SECONDS: Final = 0.5
"""After which a target that says nothing is given up."""
_rooms = itertools.count(1)


class World(abc.ABC):
    """`server` is the fixture that it is opened over; `names` are what only it knows, by the words of the cases."""

    server: ClassVar[str]
    names: Mapping[str, str]
    secrets: Sequence[str] = ()

    @abc.abstractmethod
    def target(self) -> Any:
        """What a kind that acts on a target is built with."""

    @abc.abstractmethod
    def goes_away(self) -> None:
        """From now on connections are refused; the next world over the same server finds it up again."""

    async def close(self) -> None:  # noqa: B027 - there may be nothing
        """Drops what was built here."""

    def filled(self, options: Any) -> Any:
        """Options with what only this world knows."""
        if isinstance(options, Mapping):
            return {key: self.filled(value) for key, value in options.items()}
        if isinstance(options, tuple):
            return tuple(map(self.filled, options))
        return _replaced(options, {f"<{k}>": v for k, v in self.names.items()}) if isinstance(options, str) else options

    def known_as(self, text: str) -> str:
        """A text of the product with the words of the cases."""
        return _replaced(text, {v: f"<{k}>" for k, v in self.names.items()})


def _replaced(text: str, words: Mapping[str, str]) -> str:
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, words[word])
    return text


@contextlib.asynccontextmanager
async def opened(kind: type[World], request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[World]:
    """The world of a case over the server that the test module has for it."""
    world: World = kind(request.getfixturevalue(kind.server), folder)  # type: ignore[call-arg] # each takes these
    yield world
    await world.close()


# ---------------------------------------------------------------- Kubernetes


class Cluster(World):
    """An empty namespace, and the hands of whoever deploys there."""

    server = "cluster"

    def __init__(self, cluster: Any, folder: Path) -> None:
        cluster.start()
        self._cluster = cluster
        self._user, self._timeout = "admin", "10s"
        self._room = Room(cluster, f"world-{next(_rooms)}", folder)
        self._room.open()
        self.names = {"namespace": self._room.name, "server": str(cluster.url)}
        self.secrets = tuple(_tokens(cluster))

    def target(self) -> Any:
        return self._room.target(self._user, timeout=self._timeout)

    def goes_away(self) -> None:
        self._cluster.apiserver.kill()

    async def close(self) -> None:
        self._cluster.start()
        await self._room.close()

    def falls_silent(self) -> None:
        """It takes connections and answers nothing."""
        self._timeout = f"{SILENCE_SECONDS}s"
        self._cluster.apiserver.pause()

    def seen_by_a_stranger(self) -> None:
        """Who asks has no right to look into this namespace."""
        self._user = "limited"

    # ------------------------------------------------------------ what runs

    def serves(self, name: str = "web", **spec: Any) -> None:
        self._room.deployment(name, f"{name}:1", **spec)

    def crashes(self, name: str = "web", replicas: int = 1) -> None:
        self._room.create(deployment(name, f"{name}:1", labels=CRASHING, replicas=replicas))
        self._until_crashing(replicas)

    def releases_what_crashes(self, name: str = "web", **spec: Any) -> None:
        """Beside pods of the release before, which serve on."""
        self.serves(name, **spec)
        self._room.release(f"{name}:2", name, metadata={"labels": CRASHING})
        self._until_crashing(1)

    def gives_up_a_release(self) -> None:
        """The new release made no progress within its deadline."""
        self.releases_what_crashes(progressDeadlineSeconds=1)
        poll("the deadline is over", lambda: "ProgressDeadlineExceeded" in str(self._status()))

    def releases_unseen(self, name: str = "web", **beside: Any) -> None:
        """No controller has looked at the new release yet."""
        self.serves(name, **beside)
        self._cluster.controllers.pause()
        self._room.release(f"{name}:2", name)

    def releases_paused(self) -> None:
        self.serves()
        self._room.change("Deployment", "web", {"spec": {"paused": True}})
        self._room.release("web:2")
        poll("the controller has seen it", self._is_seen)

    def keeps_an_old_pod(self) -> None:
        """A pod of the release before is draining."""
        self.serves()
        (old,) = self.pods()
        self._room.change("Pod", old["metadata"]["name"], {"metadata": {"finalizers": ["example.com/draining"]}})
        self._room.release("web:2")
        self._room.rolled_out()
        poll("the old pod is ending", lambda: sum("deletionTimestamp" in p["metadata"] for p in self.pods()) == 1)

    def replaces(self) -> None:
        """Somebody deletes the only pod; another comes in its place, as it came."""
        (old,) = self.pods()
        self._room.cluster.api("DELETE", self._room.path("Pod", old["metadata"]["name"]))
        poll("it is gone", lambda: all(p["metadata"]["uid"] != old["metadata"]["uid"] for p in self.pods()))
        self._until_crashing(1)

    def restarted(self, count: int, seconds_ago: float | None = None) -> None:
        """The kubelet's word: the one container of the one pod was restarted so often, and runs since then if it runs."""
        (pod,) = self.pods()
        container = {**pod["status"]["containerStatuses"][0], "restartCount": count}
        if seconds_ago is not None:
            crashed = {"exitCode": 1, "reason": "Error", "startedAt": _ago(600 + seconds_ago), "finishedAt": _ago(300)}
            container |= {"state": {"running": {"startedAt": _ago(seconds_ago)}}, "lastState": {"terminated": crashed}}
        path = f"{self._room.path('Pod', pod['metadata']['name'])}/status"
        self._room.cluster.api("PATCH", path, {"status": {"containerStatuses": [container]}}, content_type=MERGE)

    def pods(self) -> list[Json]:
        found: list[Json] = self._room.cluster.api("GET", self._room.path("Pod"))["items"]
        return found

    def _until_crashing(self, pods: int) -> None:
        poll("it crashes", lambda: str([p["status"] for p in self.pods()]).count("'CrashLoopBackOff'") == pods)

    def _status(self) -> Json:
        return self._room.get("Deployment", "web").get("status", {})

    def _is_seen(self) -> bool:
        live = self._room.get("Deployment", "web")
        return bool(live["status"]["observedGeneration"] == live["metadata"]["generation"])


def _tokens(cluster: Any) -> Iterable[str]:
    access = getattr(cluster, "access", cluster)
    return dict(access.tokens).values()


def _ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


# ---------------------------------------------------------------- OPA

POLICY: Final = """package acgs.authz

default allow := false

allow if input.user in data.acgs.roles.admins

limits := {"a": 1, "b": 2.5}

both := 1 if input.user == "ada"

both := 2 if input.role == "admin"
"""


class Replicas(World):
    """Two OPAs with the same policy: ada is an admin, eve is not."""

    server = "opas"

    def __init__(self, opas: Sequence[Any], folder: Path) -> None:
        del folder
        self._opas = opas
        for opa in opas:
            opa.reset()
            opa.put("authz.rego", POLICY)
            opa.put_data("acgs/roles", {"admins": ["ada"]})
        self.names = {"one": opas[0].address, "other": opas[1].address}
        self._targets: list[Any] = []

    def target(self) -> Any:
        urls = tuple(opa.url for opa in self._opas)
        self._targets.append(opa_targets.build("opa", opa_targets.Options.model_validate({"urls": urls})))
        return self._targets[-1]

    def goes_away(self) -> None:
        for opa in self._opas:
            opa.stop()

    async def close(self) -> None:
        for target in self._targets:
            await target.close()

    def one_goes_away(self) -> None:
        self._opas[1].stop()

    def one_has_other_data(self) -> None:
        self._opas[1].put_data("acgs/roles", {"admins": ["eve"]})

    def one_has_no_policy(self) -> None:
        self._opas[0].reset()

    def tells(self, path: str, value: object) -> None:
        """A document that anybody may read."""
        self._opas[0].put_data(path, value)


# ---------------------------------------------------------------- Prometheus


class Monitoring(World):
    """A Prometheus that has seen nothing yet and scrapes the job `qec` five times a second."""

    server = "prometheus_server"

    def __init__(self, server: Any, folder: Path) -> None:
        del folder
        server.reset()
        self._server = server
        self.names = {"server": server.address}
        self._targets: list[Any] = []
        self.migrated_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)

    def target(self) -> Any:
        given = prometheus_targets.Options.model_validate({"url": self._server.url})
        self._targets.append(prometheus_targets.build("prom", given))
        return self._targets[-1]

    def goes_away(self) -> None:
        self._server.stop()

    async def close(self) -> None:
        for target in self._targets:
            await target.close()

    def shows(self, **series: float) -> None:
        """What is scraped from now on, and was scraped once."""
        self._server.metrics.update(series)
        for name, value in series.items():
            self._server.wait_value(name, value)

    def showed(self, name: str, *samples: tuple[float, float], **labels: str) -> None:
        """Seconds ago, and the value then."""
        self._server.backfill(name, samples, labels)

    def was_then_is(self, then: float, now: float) -> None:
        """Two hours of one value up to the migration an hour ago, and what it is now."""
        ago = (datetime.now(UTC) - self.migrated_at).total_seconds()
        self.showed("p95", *((ago + 60 * minutes, then) for minutes in range(120)), (2, now))

    def is_scraped(self) -> None:
        poll("it is scraped", lambda: self._up() == ["1"])

    def is_down(self) -> None:
        """What is scraped answers 503."""
        self.is_scraped()
        self._server.up = False
        poll("it is down", lambda: self._up() == ["0"])

    def loads(self, rules: str, **states: tuple[str, str]) -> None:
        """Rules, and in what state and health each is in the end."""
        (self._server.rules / "slo.yaml").write_text(rules)
        assert self._server.reload().is_success
        for name, state in states.items():
            poll(f"{name} is {state}", lambda name=name, state=state: self._state(name) == state)

    def _up(self) -> list[str]:
        return [series["value"][1] for series in self._server.query("up")]

    def _state(self, name: str) -> tuple[str, str]:
        rules = [r for g in self._server.get("/api/v1/rules")["groups"] for r in g["rules"] if r["name"] == name]
        return (rules[0].get("state", ""), rules[0]["health"]) if rules else ("", "")


# ---------------------------------------------------------------- PostgreSQL


class Trail(World):
    """A database with a table of twenty entries, the even ones of the gateway."""

    server = "database"
    name: Final = "trail"

    def __init__(self, database: Any, folder: Path) -> None:
        database.start()
        database.create_database(self.name)
        self._database = database
        self._folder = folder
        self._password = database.password
        self.names = {"server": f"127.0.0.1:{database.port}"}
        self.secrets = (database.password.read_text(),)
        with self.connection() as connection:
            connection.execute(_TRAIL)

    def target(self) -> Any:
        fields = {"host": "127.0.0.1", "port": str(self._database.port), "dbname": self.name}
        login = Login("", {**fields, "user": self._database.user})
        return PostgresTarget("trail", login, SecretReference(file=self._password))

    def goes_away(self) -> None:
        self._database.stop()

    def changes_its_password(self) -> None:
        """What the file says is no longer true."""
        self._password = self._folder / "old-password"
        self._password.write_text("once it was this")

    def loses(self, where: str) -> None:
        with self.connection() as connection:
            connection.execute(f"DELETE FROM entry WHERE {where}".encode())  # noqa: S608 - a case's own words

    def connection(self) -> Any:
        return self._database.connect(self.name)

    def entries(self) -> int:
        with self.connection() as connection:
            return int(connection.execute("SELECT count(*) FROM entry").fetchone()[0])


_TRAIL: Final = b"""
CREATE TABLE entry (id int PRIMARY KEY, source text NOT NULL, at timestamptz NOT NULL, took numeric);
INSERT INTO entry SELECT i, CASE WHEN i % 2 = 0 THEN 'gateway' ELSE 'qec' END, '2024-01-01 00:00+00', i / 4.0
FROM generate_series(1, 20) i;
CREATE SEQUENCE ticket;
CREATE FUNCTION lost() RETURNS int LANGUAGE sql AS $$ DELETE FROM entry; SELECT 1 $$"""


# ---------------------------------------------------------------- the web


class Site(Protocol):
    """A web server of which the test says what it answers: a status and a JSON document by path, 404 for any other."""

    address: str
    pages: dict[str, tuple[int, Any]]

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Web(World):
    """Addresses that answer with JSON."""

    server = "site"

    def __init__(self, site: Site, folder: Path) -> None:
        del folder
        site.start()
        site.pages.clear()
        self._site = site
        self.names = {"server": site.address}

    def target(self) -> None:
        """None: an address is an option of its own."""

    def goes_away(self) -> None:
        self._site.stop()

    def answers(self, path: str, document: Any, status: int = 200) -> None:
        self._site.pages[path] = (status, document)
