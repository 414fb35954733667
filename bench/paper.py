"""The paper procedure beside this console: each line as it is written and the same line here, and what was true afterwards.

`python -m bench paper` starts the real servers of the tests, runs every changing line of the procedure in every situation,
and writes docs/paper-runbook.md from what the lines reported and what the servers said. It takes some minutes.

The lines are given to `sh -c` as they stand on paper. Only names are mapped: `curl` finds opa-service on loopback
(--connect-to), `cd /policy-repository` goes to the clone, KUBECONFIG and PG* name the servers. kubectl, psql, git and curl are
the real programs. "Killed" is SIGKILL to the line as soon as its first effect shows on the servers, and then the line again,
as people start again; the console is killed right after a step is marked as sent, and its command given again.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.real import scene
from tests.real.dying import Death, Mortal
from tests.real.opa_room import MODULES
from tests.real.servers import ControlPlane, NotBuilt, binaries
from tests.real.servers.git import git
from tests.real.servers.postgres import PASSWORD
from tests.real.servers.postgres import binaries as postgres_binaries
from tests.real.servers.prometheus import JOB
from tests.real.whole import Whole
from tests.real.whole.policies import TAG

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "paper-runbook.md"
SITUATIONS: Final = {
    "first": "first run",
    "twice": "run twice",
    "killed": "killed in the middle, started again",
    "foreign": "somebody else changes it in between",
    "down": "its system is down",
}
_CELL: Final = 170
_SECONDS: Final = 60.0

Truth = Callable[[Whole], str]


@dataclass(frozen=True)
class Line:
    """A line of the paper. `truth` reads from the servers what it was to change, `meant` is what that is to be then.

    `someone` changes the same thing in between, `kept` tells whether that change is still there in any form.
    """

    step: str
    component: str
    paper: str
    truth: Truth
    meant: str
    someone: Callable[[Whole], None]
    kept: Callable[[Whole], bool]
    system: str
    also: tuple[str, ...] = ()
    """Steps that the console has beside it, where the line alone has no effect."""
    without: tuple[str, ...] = ()
    """What the line alone does not bring about, so the step beside it can't ask for it."""
    prepare: Callable[[Whole], None] | None = None
    """What is otherwise than the migration usually leaves it."""
    when: str = ""
    """The same in words."""

    def as_meant(self, truth: str) -> bool:
        """What stands in brackets is worth knowing and was not asked for."""
        return truth.partition(" (")[0] == self.meant


@dataclass(frozen=True)
class Outcome:
    """How one side fared in one situation."""

    code: int
    last: str
    truth: str
    verdict: str


Results = dict[tuple[Line, str], tuple[Outcome, Outcome]]


# ------------------------------------------------------------ what is true


def _object(whole: Whole, kind: str, name: str, namespace: str = scene.NAMESPACE) -> dict[str, Any]:
    """As the server has it, or nothing."""
    done = whole.cluster.kubectl("get", kind, name, "-n", namespace, "-o", "json", check=False)
    found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    return found


def _container(whole: Whole, name: str) -> dict[str, Any]:
    containers: list[dict[str, Any]] = _object(whole, "deployment", name)["spec"]["template"]["spec"]["containers"]
    return containers[0]


def _gateway(whole: Whole) -> str:
    env = _container(whole, scene.GATEWAY)["env"]
    return f"QEC_ENABLED={next(one['value'] for one in env if one['name'] == 'QEC_ENABLED')}"


def _validator(whole: Whole) -> str:
    kinds = [
        kind for kind in ("configmap", "deployment", "service") if _object(whole, kind, "original-policy-validator")
    ]
    data = _object(whole, "configmap", "original-policy-validator").get("data", {})
    mode = f", mode {data['mode']}" if "mode" in data else ""
    return f"{len(kinds)} of 3 objects of the validator are there{mode}"


def _dashboard(whole: Whole) -> str:
    return f"the dashboard runs {_container(whole, scene.DASHBOARD)['image']}"


def _setting(config_map: str, key: str, reader: str) -> Truth:
    def truth(whole: Whole) -> str:
        data = _object(whole, "configmap", config_map)["data"]
        restarted = whole.cluster.deployment(scene.NAMESPACE, reader)["spec"]["template"]["metadata"].get("annotations")
        pods = "restarted with it" if restarted else "still run with the value that they started with"
        return f"{key}={data[key]}; the pods of {reader} {pods}"

    return truth


def _policies(whole: Whole) -> str:
    restored = 0
    for opa in whole.opas:
        if opa.process.running:
            texts = opa.texts()
            restored += {name: texts.get(name) for name in MODULES} == MODULES and "qec" not in texts
    return f"the original policies on {restored} of 2 replicas"


def _rules(whole: Whole) -> str:
    rule = whole.prometheus.rule_names()
    known = {"api_p95_seconds > 5": "the original rules", "api_p95_seconds > 30": "the rules of the migration"}
    return f"Prometheus runs {known.get(rule.get('ApiSlow', ''), str(rule))}"


def _scraped(whole: Whole) -> str:
    data = _object(whole, "configmap", "prometheus-config", scene.MONITORING)["data"]
    return f"scrape_qec={data['scrape_qec']}; Prometheus {'scrapes' if JOB in whole.prometheus.jobs() else 'does not scrape'} QEC"


def _rows(whole: Whole) -> str:
    return f"{whole.missing_rows()} entries are missing"


def _rows_and_doubles(whole: Whole) -> str:
    double = whole.trail.one("SELECT count(*) - count(DISTINCT id) FROM audit_log")
    return f"{whole.missing_rows()} entries are missing, {double} are there twice"


def _repository(whole: Whole) -> str:
    refs = whole.remote.refs
    at = "the original" if refs["refs/heads/main"] == refs[TAG] else "the migration's"
    clone = (
        "as the remote" if git("rev-parse", "HEAD", cwd=whole.clone) == refs["refs/heads/main"] else "not as the remote"
    )
    copies = any(ref.startswith("refs/heads/") and ref != "refs/heads/main" for ref in refs)
    left = f" ({'a branch keeps' if copies else 'nothing keeps'} what left it)" if at == "the original" else ""
    return f"main is at {at} commit; the clone is {clone}{left}"


# ------------------------------------------------------------ somebody else


def _kubectl(*arguments: str) -> Callable[[Whole], None]:
    def someone(whole: Whole) -> None:
        whole.cluster.kubectl(*arguments)

    return someone


def _set(config_map: str, key: str, value: str, namespace: str = scene.NAMESPACE) -> Callable[[Whole], None]:
    return _kubectl("patch", "configmap", config_map, "-n", namespace, "-p", json.dumps({"data": {key: value}}))


def _still(config_map: str, key: str, value: str, namespace: str = scene.NAMESPACE) -> Callable[[Whole], bool]:
    def kept(whole: Whole) -> bool:
        data = _object(whole, "configmap", config_map, namespace).get("data", {})
        return bool(data.get(key) == value)

    return kept


def _someone_makes_a_validator(whole: Whole) -> None:
    whole.cluster.kubectl(
        "create", "configmap", "original-policy-validator", "-n", scene.NAMESPACE, "--from-literal=mode=audit"
    )


_FIX: Final = 'package acgs.lib\n\nquantum_ok(user) if user in {"ada", "grace"}\n'


def _someone_fixes_a_policy(whole: Whole) -> None:
    for opa in whole.opas:
        opa.put("acgs/lib.rego", _FIX)


def _fix_is_there(whole: Whole) -> bool:
    return all(opa.texts().get("acgs/lib.rego") == _FIX for opa in whole.opas)


_RULES: Final = json.dumps(
    {"groups": [{"name": "acgs-pgp", "rules": [{"alert": "ApiSlow", "expr": "api_p95_seconds > 7"}]}]}
)


def _someone_restores_one(whole: Whole) -> None:
    whole.trail.add_by_hand("id = 101")


def _no_key_and_empty(whole: Whole) -> None:
    whole.trail.sql("TRUNCATE audit_log")
    whole.trail.sql("ALTER TABLE audit_log DROP CONSTRAINT audit_log_pkey")


def _someone_pushes(whole: Whole) -> None:
    desk = whole.folder / f"desk-{time.monotonic_ns()}"
    git("clone", "--quiet", str(whole.remote.path), str(desk), cwd=whole.folder)
    (desk / "fix.md").write_text("a fix\n")
    git("add", "--all", cwd=desk)
    git("commit", "--quiet", "--message", "A fix", cwd=desk, author="Grace")
    git("push", "--quiet", "origin", "HEAD:main", cwd=desk)


def _push_is_there(whole: Whole) -> bool:
    branches = [ref for ref in whole.remote.refs if ref.startswith("refs/heads/")]
    return any("A fix" in whole.remote.subjects(ref) for ref in branches)


_SCHEMA_OF_GATEWAY: Final = (
    '{"spec":{"template":{"spec":{"containers":[{"name":"gateway","env":[{"name":"QEC_ENABLED","value":"%s"}]}]}}}}'
)

_INSERT: Final = (
    "INSERT INTO audit_log \nSELECT * FROM audit_log_backup \n"
    "WHERE created_at >= '2024-01-01' \nAND source != 'qec-enhanced';"
)

LINES: Final = (
    Line(
        "disable-qec-analysis",
        "qec-analysis",
        "kubectl patch deployment api-gateway -n acgs-pgp -p='" + _SCHEMA_OF_GATEWAY % "false" + "'",
        _gateway,
        "QEC_ENABLED=false",
        _kubectl("patch", "deployment", scene.GATEWAY, "-n", scene.NAMESPACE, "-p", _SCHEMA_OF_GATEWAY % "canary"),
        lambda whole: _gateway(whole) == "QEC_ENABLED=canary",
        "kubernetes",
    ),
    Line(
        "original-policy-validator",
        "qec-analysis",
        "kubectl apply -f backup/original-policy-validator.yaml",
        _validator,
        "3 of 3 objects of the validator are there, mode strict",
        _someone_makes_a_validator,
        lambda whole: _validator(whole).endswith("mode audit"),
        "kubernetes",
    ),
    Line(
        "undo-dashboard",
        "dashboard",
        "kubectl rollout undo deployment/acgs-pgp-dashboard -n acgs-pgp",
        _dashboard,
        "the dashboard runs dash:1.0",
        _kubectl("set", "image", f"deployment/{scene.DASHBOARD}", "-n", scene.NAMESPACE, "dashboard=dash:2.1-fix"),
        lambda whole: _dashboard(whole).endswith("dash:2.1-fix"),
        "kubernetes",
    ),
    Line(
        "hide-qec-features",
        "dashboard",
        """kubectl patch configmap dashboard-config -n acgs-pgp --patch='{"data":{"show_qec_features":"false"}}'""",
        _setting("dashboard-config", "show_qec_features", scene.DASHBOARD),
        "show_qec_features=false; the pods of acgs-pgp-dashboard restarted with it",
        _set("dashboard-config", "show_qec_features", "beta"),
        _still("dashboard-config", "show_qec_features", "beta"),
        "kubernetes",
    ),
    Line(
        "restore-original-policies",
        "opa-policies",
        "curl -X PUT http://opa-service:8181/v1/policies/original-bundle \\\n  --data-binary @backup/original-policies.tar.gz",
        _policies,
        "the original policies on 2 of 2 replicas",
        _someone_fixes_a_policy,
        _fix_is_there,
        "opa",
    ),
    Line(
        "disable-qec-policies",
        "opa-policies",
        """kubectl patch configmap opa-config -n acgs-pgp --patch='{"data":{"enable_qec_policies":"false"}}'""",
        _setting("opa-config", "enable_qec_policies", "policy-generator"),
        "enable_qec_policies=false; the pods of policy-generator restarted with it",
        _set("opa-config", "enable_qec_policies", "partly"),
        _still("opa-config", "enable_qec_policies", "partly"),
        "kubernetes",
    ),
    Line(
        "original-alerting-rules",
        "monitoring",
        "kubectl apply -f backup/original-prometheus-rules.yaml -n monitoring",
        _rules,
        "Prometheus runs the original rules",
        _set("prometheus-rules", "rules.yaml", _RULES, scene.MONITORING),
        _still("prometheus-rules", "rules.yaml", _RULES, scene.MONITORING),
        "kubernetes",
        also=("reload-prometheus",),
        without=("jobs_absent",),
    ),
    Line(
        "stop-qec-metrics",
        "monitoring",
        """kubectl patch configmap prometheus-config -n monitoring --patch='{"data":{"scrape_qec":"false"}}'""",
        _scraped,
        "scrape_qec=false; Prometheus does not scrape QEC",
        _set("prometheus-config", "scrape_qec", "sampled", scene.MONITORING),
        _still("prometheus-config", "scrape_qec", "sampled", scene.MONITORING),
        "kubernetes",
        also=("reload-prometheus",),
        without=("expressions", "rules_absent"),
    ),
    Line(
        "restore-audit-entries",
        "audit-trail",
        _INSERT,
        _rows,
        "0 entries are missing",
        _someone_restores_one,
        lambda whole: whole.trail.one("SELECT count(*) FROM audit_log WHERE id = 101") == 1,
        "postgres",
    ),
    Line(
        "restore-audit-entries",
        "audit-trail",
        _INSERT,
        _rows_and_doubles,
        "0 entries are missing, 0 are there twice",
        _someone_restores_one,
        lambda whole: whole.trail.one("SELECT count(*) FROM audit_log WHERE id = 101") > 0,
        "postgres",
        prepare=_no_key_and_empty,
        when="audit_log is empty and has no key",
    ),
    Line(
        "reset-policy-repository",
        "policy-repository",
        "cd /policy-repository\ngit reset --hard backup/pre-migration-state\ngit push --force origin main",
        _repository,
        "main is at the original commit; the clone is as the remote",
        _someone_pushes,
        _push_is_there,
        "git",
    ),
    Line(
        "reload-policies",
        "policy-repository",
        "curl -X POST http://opa-service:8181/v1/data/reload",
        _policies,
        "the original policies on 2 of 2 replicas",
        _someone_fixes_a_policy,
        _fix_is_there,
        "opa",
    ),
)


# ------------------------------------------------------------ the paper's side


class Shell:
    """`sh -c` in a folder with the backups, with the names of the paper leading to the servers of a test."""

    def __init__(self, folder: Path, whole: Whole) -> None:
        self._folder = folder
        self._whole = whole
        programs = folder / "bin"
        programs.mkdir(exist_ok=True)
        for link, program in (
            ("kubectl", binaries.find("kubernetes", "kubectl")),
            ("psql", postgres_binaries(whole.postgres.version) / "psql"),
        ):
            (programs / link).unlink(missing_ok=True)
            (programs / link).symlink_to(program)
        there = whole.opas[0].address
        shim = programs / "curl"
        shim.write_text(f'#!/bin/sh\nexec {shutil.which("curl")} -sS --connect-to opa-service:8181:{there} "$@"\n')
        shim.chmod(0o755)
        self._environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "KUBECONFIG": str(whole.cluster.kubeconfig()),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(whole.postgres.port),
            "PGDATABASE": "audit",
            "PGUSER": "postgres",
            "PGPASSWORD": PASSWORD,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
        }

    def run(self, line: Line, *, killed_at_effect: bool = False) -> tuple[int, str]:
        """The exit code and the last line of what it said."""
        began = line.truth(self._whole) if killed_at_effect else ""
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                ["sh", "-c", self._spelled(line)],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            while killed_at_effect and process.poll() is None and line.truth(self._whole) == began:
                time.sleep(0.002)
            if killed_at_effect and process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait(_SECONDS)
            said.seek(0)
            text = said.read().decode(errors="replace").strip()
        return code, _gist(text)

    def _spelled(self, line: Line) -> str:
        if line.system == "postgres":
            return shlex.join(["psql", "-c", line.paper])
        prelude = (
            f"cd() {{ command cd {shlex.quote(str(self._whole.clone))}; }}\n"
            if "/policy-repository" in line.paper
            else ""
        )
        return prelude + line.paper


def _gist(text: str) -> str:
    """The last line; of a JSON document that ends with a bracket, its message."""
    try:
        document = json.loads(text)
    except ValueError:
        return text.splitlines()[-1].strip() if text else ""
    return f"{document['code']}: {document['message']}" if "message" in document else text.splitlines()[-1].strip()


# ------------------------------------------------------------ the console's side


def only(procedure: Path, line: Line) -> None:
    """Leaves of the line's component its own step, and the steps that it needs beside it."""
    parts = re.split(r"(?m)^(?=\[\[(?:component|check)\]\]$)", procedure.read_text())
    kept = []
    for part in parts:
        title, *steps = re.split(r"(?m)^(?=\[\[component\.step\]\]$)", part)
        if f'\nid = "{line.component}"\n' in title:
            steps = [s for s in steps if any(f'\nid = "{step}"\n' in s for step in (line.step, *line.also))]
        kept += [title, *steps]
    text = "".join(kept)
    for key in line.without:
        text = re.sub(rf"(?m)^{key} = .*\n", "", text)
    procedure.write_text(text)


def _last(said: str, err: str, code: int) -> str:
    """What the console's user reads last about the step."""
    if code == 0:
        told = [one for one in said.splitlines() if re.search(r": (proven|already so): ", one)]
        return re.sub(r"^\S+  .*?: (proven|already so): ", r"\1: ", told[-1]) if told else ""
    failed = [one for one in said.splitlines() if re.search(r": (failed|refused)", one) or "can't be planned" in one]
    lines = err.strip().splitlines() or failed or said.strip().splitlines()
    return lines[-1].removeprefix("rollback-console: ").strip()


# ------------------------------------------------------------ the situations


class Trial:
    """All lines in all situations, each on servers as the migration left them."""

    def __init__(self, whole: Whole, folder: Path, mortal: Mortal) -> None:
        self._whole = whole
        self._folder = folder
        self._mortal = mortal
        self._count = 0

    def both(self, line: Line, situation: str) -> tuple[Outcome, Outcome]:
        return self._one(line, situation, self._on_paper), self._one(line, situation, self._in_the_console)

    def _one(self, line: Line, situation: str, side: Callable[[Line, str, Path], tuple[int, str]]) -> Outcome:
        self._whole.reset()
        self._count += 1
        folder = self._folder / str(self._count)
        if line.prepare:
            line.prepare(self._whole)
        before = line.truth(self._whole)
        code, last = side(line, situation, folder)
        self._up(line)
        truth = line.truth(self._whole)
        return Outcome(code, last, truth, self._verdict(line, situation, code, before, truth))

    def _on_paper(self, line: Line, situation: str, folder: Path) -> tuple[int, str]:
        self._whole.console(folder)  # for its backups
        shell = Shell(folder, self._whole)
        if situation == "twice":
            shell.run(line)
        elif situation == "killed":
            shell.run(line, killed_at_effect=True)
        elif situation == "foreign":
            line.someone(self._whole)
        elif situation == "down":
            self._down(line)
        return shell.run(line)

    def _in_the_console(self, line: Line, situation: str, folder: Path) -> tuple[int, str]:
        console = self._whole.console(folder)
        only(console.procedure, line)
        console.declare()
        command = ("rollback", line.component, "--confirm", line.component)
        if situation == "twice":
            console.run(*command)
        elif situation == "killed":
            self._mortal.run(console, Death("after", 3), *command)
        elif situation == "foreign":
            shown = console.run("--json", "plan", line.component).document["hash"]
            line.someone(self._whole)
            command = (*command, "--plan", shown)
        elif situation == "down":
            self._down(line)
        ended = console.run(*command, seconds=120)
        return ended.code, _last(ended.out, ended.err, ended.code)

    def _down(self, line: Line) -> None:
        stops: Mapping[str, Callable[[], object]] = {
            "kubernetes": self._whole.cluster.apiserver.stop,
            "opa": self._whole.opas[0].stop,
            "postgres": self._whole.postgres.process.kill,
            "git": lambda: self._whole.git.__exit__(None, None, None),
        }
        stops[line.system]()

    def _up(self, line: Line) -> None:
        """What can come back without losing what it held."""
        if line.system == "kubernetes":
            self._whole.cluster.start()
        if line.system == "postgres" and not self._whole.postgres.process.running:
            self._whole.postgres.process.start()
            self._whole.trail.connection = self._whole.postgres.connect("audit")

    def _verdict(self, line: Line, situation: str, code: int, before: str, truth: str) -> str:
        if situation == "foreign" and not line.kept(self._whole):
            return "WRONG: theirs is gone, and nobody is told"
        if code == 0:
            return "done" if line.as_meant(truth) else "WRONG: exit 0, and it is not so"
        if situation == "foreign":
            return "stopped, and theirs stands"
        if truth == before:
            return "stopped, nothing was changed"
        return "failed after it was done" if line.as_meant(truth) else "WRONG: half done"


# ------------------------------------------------------------ the document


def main() -> None:
    try:
        binaries.require()
    except NotBuilt as absent:
        sys.exit(str(absent))
    results: Results = {}
    with tempfile.TemporaryDirectory(prefix="rollback-console-paper-") as name, Mortal() as mortal:
        folder = Path(name)
        with ControlPlane(folder / "cluster") as cluster, Whole(folder / "whole", cluster) as whole:
            trial = Trial(whole, folder, mortal)
            for line in LINES:
                for situation in SITUATIONS:
                    results[line, situation] = both = trial.both(line, situation)
                    print(
                        f"{line.step:28} {situation:8} paper: {both[0].verdict:42} console: {both[1].verdict}",
                        flush=True,
                    )
    DOCUMENT.write_text(document(results))
    print(f"written: {DOCUMENT}")


def document(results: Results) -> str:
    parts = [_HEAD, _summary(results)]
    for line in LINES:
        parts.append(f"## {line.step}{f', when {line.when}' if line.when else ''}\n\n```\n{line.paper}\n```\n")
        parts.append(f"Meant: {line.meant}.\n")
        parts.append(
            "| | on paper: reported | true afterwards | here: reported | true afterwards |\n|---|---|---|---|---|"
        )
        parts += [_row(results[line, s], words) for s, words in SITUATIONS.items()]
        parts.append("")
    return "\n".join(parts)


def _summary(results: Results) -> str:
    paper = Counter(_family(a.verdict) for a, _ in results.values())
    here = Counter(_family(b.verdict) for _, b in results.values())
    rows = [f"| {family} | {paper[family]} | {here[family]} |" for family in _FAMILIES if paper[family] or here[family]]
    return "\n".join([f"| of {len(results)} | on paper | here |", "|---|---|---|", *rows, ""])


_FAMILIES: Final = {
    "done, and it is so": "done",
    "stopped, and says so": "stopped",
    "done, and says that it failed": "failed",
    "reported as done and not so, half done, or somebody's work lost": "WRONG",
}


def _family(verdict: str) -> str:
    return next(family for family, word in _FAMILIES.items() if verdict.startswith(word))


def _row(both: tuple[Outcome, Outcome], words: str) -> str:
    cells = [words]
    for side in both:
        shown = side.verdict.replace("WRONG", "**WRONG**")
        cells += [f"exit {side.code}: {_cell(side.last)}", f"{_cell(side.truth)} — {shown}"]
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    """What differs from run to run (ports, folders, commits, times) is left out, so that the document only changes in kind."""
    plain = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", text)
    plain = re.sub(r"/tmp/[^\s:]*/", "…/", plain)  # noqa: S108 - as it is read
    plain = re.sub(r"\bport \d+ after \d+ ms", "port …", plain)
    plain = re.sub(r"; configuration of [\d:]+ UTC|(?<=[0-9a-f])…(?= now|;)", "", plain)
    plain = re.sub(r" \(not evaluated yet\)", "", plain)
    plain = re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,}\b", "‹hash›", plain)
    short = plain if len(plain) <= _CELL else plain[: _CELL - 1] + "…"
    return short.replace("|", "\\|").replace("<", "&lt;") or "(nothing)"


_HEAD: Final = """# The paper procedure beside this console

Written by `python -m bench paper`, which runs every changing line of the paper in every situation on real servers
(Kubernetes, OPA, Prometheus, PostgreSQL, git), as it stands on paper and as the step of
[`sample-config.toml`](../sample-config.toml) that replaces it. "Reported" is the exit code and the last line (of a JSON
answer, its message); "true afterwards" was read from the servers.

- Names lead to loopback: `curl` by `--connect-to`, `cd /policy-repository` to a clone, KUBECONFIG, PG*. The programs are
  real. SQL goes to `psql -c`.
- The migration made two bad releases of the dashboard, 100 of the 1,000 audit entries are still there, and nothing restarts or
  reloads anything by itself.
- Killed: SIGKILL as soon as the line's first effect shows, or here right after the step was marked as sent; then the same again.
- In between: somebody changes the same thing after it was looked at. Here the change that was shown is confirmed by `--plan`.
- The paper's curl talks to one of two OPA replicas, as a service would.
- A verdict follows from the exit code and the servers alone: exit 0 and not as meant is wrong.
"""


if __name__ == "__main__":
    main()
