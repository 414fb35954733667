"""`prometheus.reload`: has Prometheus read its files again, and proves by name what it has loaded then.

"Reloaded" proves nothing: a ConfigMap's volume lags by minutes, and a broken file leaves the old rules running. So it reloads
until what is expected is loaded. Steps are undone from the last to the first, while a reload has to come after its files in
both directions: that takes two steps, one for each direction (docs/decisions/0015).
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from console.config.options import Duration, OneLine
from console.config.options import Options as TableOptions
from console.domain.errors import ConsoleError, Failed, Refused, Unknown
from console.domain.triggers import span
from console.engine.gateway import Permit
from console.engine.ports import Change, Description, Finding, Json, Probe, Progress, Proof, Receipt
from console.targets.prometheus import PrometheusTarget
from console.targets.prometheus_admin import LIFECYCLE_HINT, NO_LIFECYCLE, PrometheusAdmin
from console.targets.prometheus_loaded import Expectation, Loaded, read_loaded

KIND = "prometheus.reload"
TARGET_KINDS = ("prometheus",)

_RELOAD_AGAIN_SECONDS = 10.0
_FIRST_AGAIN_SECONDS = (
    1.0  # then twice as long each time, up to the above: most volumes lag for seconds, some for minutes
)
"""Between two reloads; also how long a new job may take to get its scrape pool (5 s by default)."""
_LOOK_AGAIN_SECONDS = 0.5
_SHOWN: Final = 4
_FILES_COME_LATER: Final = (
    "rolling forward reloads nothing at this step, for its files come back after it; a second prometheus.reload with "
    'direction = "forward", listed before the files, is the last step then and reloads them'
)

Work: TypeAlias = Literal["reload", "note", "nothing"]
Names = tuple[OneLine, ...]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=10_000, pattern=r"^[^\x00]*$")]


class Options(TableOptions):
    """What has to be loaded after the reload, and what must not be loaded any more. At least one of these is named."""

    rules_present: Names = ()
    """Rules or groups of rules that must be loaded: `["HighLatency"]`."""
    rules_absent: Names = ()
    """Rules or groups of rules that must be gone."""
    expressions: Annotated[dict[OneLine, Expression], Field(default_factory=dict)]
    """Rules with the expression that they must have: `{ HighLatency = "p95 > 0.5" }`. For a rule that keeps its name."""
    jobs_present: Names = ()
    """Scrape jobs that must be loaded."""
    jobs_absent: Names = ()
    """Scrape jobs that must be gone."""
    wait_seconds: Duration = 180.0
    """How long the files may take to arrive; a ConfigMap's volume lags 1–2 minutes. It is reloaded every 10 s until then."""
    send: bool = True
    """False: something else reloads it, such as the operator or a sidecar; then this only waits and proves."""
    direction: Literal["back", "forward"] = "back"
    """When it reloads. `"back"`: list it after the steps that change the files. `"forward"`: list one more before them. Rolling
    back, that one notes how what it names is loaded; rolling forward, it is the last and reloads until it is so again."""

    @model_validator(mode="after")
    def _something_is_expected(self) -> Options:
        there, gone = {*self.rules_present, *self.expressions}, set(self.rules_absent)
        if not (there or gone or self.jobs_present or self.jobs_absent):
            raise ValueError("name at least one rule or job that tells whether the right files are loaded")
        if both := sorted(there & gone | set(self.jobs_present) & set(self.jobs_absent)):
            raise ValueError(f"present and absent at once: {', '.join(both)}")
        return self

    def expectations(self) -> tuple[Expectation, ...]:
        present = [name for name in self.rules_present if name not in self.expressions]
        return (
            *(Expectation("rule", name, loaded=True) for name in present),
            *(Expectation("rule", name, loaded=True, expression=text) for name, text in self.expressions.items()),
            *(Expectation("rule", name, loaded=False) for name in self.rules_absent),
            *(Expectation("job", name, loaded=True) for name in self.jobs_present),
            *(Expectation("job", name, loaded=False) for name in self.jobs_absent),
        )


class PrometheusReload:
    irreversible: str | None = None

    def __init__(self, step_id: str, options: Options, target: PrometheusTarget) -> None:
        self._id = step_id
        self._options = options
        self._target = target
        self._admin = target.adopt(PrometheusAdmin(target))
        self._wishes = options.expectations()

    def describe(self) -> Description:
        if self._options.direction == "forward":
            return Description(f"note what Prometheus {self._target.name} has loaded, for rolling forward")
        verb = "reload" if self._options.send else "wait for the reload of"
        return Description(f"{verb} Prometheus {self._target.name}", self._commands())

    # ------------------------------------------------------------ before

    async def preflight(self) -> Sequence[Finding]:
        findings = []
        if self._options.send:
            flags = await self._admin.read("/api/v1/status/flags") or {}
            enabled = flags.get("web.enable-lifecycle")
            if enabled == "false":
                findings.append(Finding("block", f"{self._target.told(NO_LIFECYCLE)}; {LIFECYCLE_HINT}", "forbidden"))
            elif enabled != "true":
                findings.append(Finding("warn", "it does not tell whether it takes reloads", "lifecycle"))
            else:
                findings.append(Finding("ok", f"Prometheus {self._target.name} takes reloads", "lifecycle"))
        loaded = await read_loaded(self._admin, ())
        if not loaded.reload_ok:
            text = "its last reload failed: what it runs is not what its files say; its log tells why"
            findings.append(Finding("warn", text, "reload_failed"))
        if self._options.direction == "back":
            findings.append(Finding("info", _FILES_COME_LATER, "undo_order"))
        return findings

    async def plan(self, pin: Json = None) -> Change:
        if self._options.direction == "back":
            return await self._reload(self._wishes)
        if pin is not None:
            return self._quiet("note", _from_json(pin), "what was loaded has been noted", pin=pin)
        loaded = await read_loaded(self._admin, self._wishes)
        noted = tuple(loaded.as_is(wish) for wish in self._wishes)
        return Change(
            summary="note what is loaded; rolling forward reloads until it is so again",
            identity=self._identity("note", self._wishes),
            goal={"work": "note", "expected": _to_json(noted), "unmet": []},
            lines=tuple(f"  {loaded.words(wish)}" for wish in self._wishes),
            pin=_to_json(noted),
        )

    async def plan_undo(self, pre_images: Sequence[Json]) -> Change:
        noted = next((image["expected"] for image in pre_images if image["work"] == "note"), None)
        if noted is None:
            return self._quiet("nothing", (), "nothing is reloaded here: its files come back after this step")
        return await self._reload(_from_json(noted))

    async def _reload(self, wishes: tuple[Expectation, ...]) -> Change:
        loaded = await read_loaded(self._admin, wishes)
        problems = loaded.problems(wishes)
        if not problems:
            text = "nothing will be reloaded; where an earlier step changes the files, name what differs then"
            change = self._quiet(
                "reload", wishes, f"Prometheus {self._target.name} has loaded what is expected already"
            )
            return replace(change, lines=_lines(loaded, wishes), findings=(Finding("info", text, "already"),))
        verb = "reload" if self._options.send else "wait until something reloads"
        return Change(
            summary=f"{verb} Prometheus {self._target.name}: {_words(wishes, 2)}",
            identity=self._identity("reload", wishes),
            goal={"work": "reload", "expected": _to_json(wishes), "unmet": sorted(problems)},
            lines=_lines(loaded, wishes),
            commands=self._commands(),
        )

    def _quiet(self, work: Work, wishes: tuple[Expectation, ...], summary: str, pin: Json = None) -> Change:
        """A change for which nothing is done."""
        return Change(
            summary=summary,
            identity=self._identity("nothing", wishes),
            goal={"work": work, "expected": _to_json(wishes), "unmet": []},
            already=True,
            pin=pin,
        )

    def _identity(self, work: Work, wishes: Sequence[Expectation]) -> Json:
        names = [[wish.label, wish.words] for wish in wishes]
        return {"prometheus": self._target.url, "work": work, "send": self._options.send, "expected": names}

    async def capture(self, change: Change) -> Json:
        return {"work": change.goal["work"], "expected": change.goal["expected"]}

    # ------------------------------------------------------------ the effect, and what became of it

    async def apply(self, goal: Json, permit: Permit) -> Receipt:
        if not isinstance(permit, Permit):
            raise Refused(f"step {self._id} needs a permit, which the gateway alone gives", "nothing was sent")
        wishes = _from_json(goal["expected"])
        if goal["work"] != "reload":
            return Receipt("noted; nothing is sent")
        if not self._options.send:
            return Receipt("nothing is sent: something else reloads it")
        if not (await self._found(wishes))[0]:
            return Receipt("nothing is sent: it is all loaded already")
        return await self._reload_until(wishes, permit)

    async def _reload_until(self, wishes: Sequence[Expectation], permit: Permit) -> Receipt:
        """Reloads until all of it is loaded: the files may arrive late, and a broken one may be about to be replaced."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._options.wait_seconds
        reloads = 0
        while True:
            trouble = await self._reload_once(wishes, permit, again=reloads > 0)
            reloads += 1
            pause = _FIRST_AGAIN_SECONDS * 2 ** (reloads - 1)
            wrong = await self._settled(wishes, max(0.0, min(pause, deadline - loop.time())))
            if not wrong:
                return Receipt(f"reloaded {_times(reloads)}" + (f"; the last time {trouble}" if trouble else ""))
            if loop.time() >= deadline:
                told = "; ".join([*wrong[:_SHOWN], trouble]).removesuffix("; ")
                raise Failed(f"reloaded {_times(reloads)}, and {told}", "look at its files and its log")

    async def _reload_once(self, wishes: Sequence[Expectation], permit: Permit, *, again: bool) -> str:
        """The answer is what went wrong in a way that may pass."""
        try:
            await self._admin.reload(permit)
        except Refused as error:
            if again:  # the earlier ones had their effect
                raise Failed(error.message, error.hint) from None
            raise
        except Unknown:
            await self._settled(wishes, _RELOAD_AGAIN_SECONDS)  # it may be loading still; then the probe tells
            raise
        except Failed as error:
            return str(error)
        return ""

    async def _settled(self, wishes: Sequence[Expectation], seconds: float) -> list[str]:
        """What is wrong still when it is time to reload again; a new job's pool is made some seconds after the reload."""
        loop = asyncio.get_running_loop()
        patience = _RELOAD_AGAIN_SECONDS
        if not any(wish.what == "job" and wish.loaded for wish in wishes):
            patience = min(patience, seconds)
        until = loop.time() + patience
        while wrong := (await self._found(wishes))[0]:
            if loop.time() >= until:
                return wrong
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return []

    async def _found(self, wishes: Sequence[Expectation]) -> tuple[list[str], str]:
        """What is wrong, and in words what is loaded."""
        try:
            loaded = await read_loaded(self._admin, wishes)
        except ConsoleError as error:  # it may be away for a moment
            return [error.message], ""
        return list(loaded.problems(wishes).values()), _proof_words(loaded, wishes)

    async def probe(self, goal: Json) -> Probe:
        if goal["work"] != "reload":
            return Probe("done", "nothing is sent by this step")
        wishes = _from_json(goal["expected"])
        loaded = await read_loaded(self._admin, wishes)
        problems = loaded.problems(wishes)
        if not problems:
            return Probe("done", _proof_words(loaded, wishes))
        answer: Literal["not_done", "partial"] = "not_done" if set(problems) == set(goal["unmet"]) else "partial"
        return Probe(answer, "; ".join(list(problems.values())[:_SHOWN]))

    async def watch(self, goal: Json) -> AsyncIterator[Progress | Proof]:
        wishes = _from_json(goal["expected"])
        if goal["work"] == "note":
            yield Proof(f"noted: {_words(wishes)}")
            return
        if goal["work"] == "nothing":
            yield Proof(
                "nothing was reloaded: its files come back after this step, and the reload has to come after them"
            )
            return
        loop = asyncio.get_running_loop()
        seconds = _RELOAD_AGAIN_SECONDS if self._options.send else self._options.wait_seconds
        deadline = loop.time() + seconds
        while True:
            wrong, proof = await self._found(wishes)
            if not wrong:
                yield Proof(proof)
                return
            told = "; ".join(wrong[:_SHOWN])
            if loop.time() >= deadline:
                raise Failed(f"after {span(seconds)}: {told}", "look at its files, its log and what else reloads it")
            yield Progress(told)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    # ------------------------------------------------------------ small things

    def _commands(self) -> tuple[str, ...]:
        curl = f"curl -fsS{self._target.credentials_shown}"
        curl += f" --cacert {shlex.quote(str(self._target.ca))}" if self._target.ca else ""
        reload = (f"{curl} -X POST {shlex.quote(self._target.url + '/-/reload')}",) if self._options.send else ()
        paths = [
            path
            for what, path in (("rule", "/api/v1/rules"), ("job", "/api/v1/targets"))
            if any(wish.what == what for wish in self._wishes)
        ]
        return (*reload, *(f"{curl} {shlex.quote(self._target.url + path)}" for path in paths))


def _lines(loaded: Loaded, wishes: Sequence[Expectation]) -> tuple[str, ...]:
    lines = []
    for wish in wishes:
        now = loaded.words(wish).removeprefix(f"{wish.label} ")
        changes = bool(loaded.problem(wish))
        lines += [f"- {wish.label}: {now}", f"+ {wish.label}: {wish.words}"] if changes else [f"  {wish.label}: {now}"]
    return tuple(lines)


def _proof_words(loaded: Loaded, wishes: Sequence[Expectation]) -> str:
    when = f"; configuration of {loaded.reloaded_at}" if loaded.reloaded_at else ""
    doubt = "" if loaded.reload_ok else "; but its last reload failed, its log tells why"
    return "; ".join(loaded.told(wish) for wish in wishes) + when + doubt


def _words(wishes: Sequence[Expectation], most: int = 1000) -> str:
    more = f" and {len(wishes) - most} more" if len(wishes) > most else ""
    return "; ".join(f"{wish.label} {wish.words}" for wish in wishes[:most]) + more


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _to_json(wishes: Sequence[Expectation]) -> Json:
    return [wish.to_json() for wish in wishes]


def _from_json(documents: Json) -> tuple[Expectation, ...]:
    return tuple(Expectation.from_json(document) for document in documents)


def build(step_id: str, options: Options, target: PrometheusTarget) -> PrometheusReload:
    return PrometheusReload(step_id, options, target)
