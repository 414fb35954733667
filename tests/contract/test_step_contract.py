"""The promises of the step kinds that need no real server, and that no kind of the registry is left without a case."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import console
from console.config.schema import field_docstrings
from console.domain.errors import Refused
from console.engine.ports import Json
from console.kinds import Registry
from console.targets import opa as opa_target
from tests.contract.cases import by_hand, command, git, http, kubernetes, opa, postgres, prometheus
from tests.contract.step_contract import CODES, PROMISES, Case, Scene, StepContract

HERE = (*by_hand.CASES, *command.CASES)
CASES = (*HERE, *http.CASES, *git.CASES, *kubernetes.CASES, *opa.CASES, *postgres.CASES, *prometheus.CASES)
KINDS = Registry().names("step")


@pytest.mark.parametrize("case", HERE, ids=str)
class TestOnThisMachine(StepContract):
    @pytest.fixture
    def scene(self, case: Case, tmp_path: Path) -> Scene:
        return case.open(tmp_path)


@pytest.mark.parametrize("case", http.CASES, ids=str)
class TestHttp(StepContract):
    @pytest.fixture
    async def scene(self, case: Case, tmp_path: Path) -> AsyncIterator[Scene]:
        flag: Any = case.open(tmp_path)
        with flag.server:
            yield flag


# ---------------------------------------------------------------- every kind of the registry


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_under_the_contract(kind: str) -> None:
    there = {case.kind for case in CASES}
    assert kind in there, f"{kind} keeps no promise yet: write its cases in tests/contract/cases and list them here"


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_explains_itself_and_each_of_its_options(kind: str) -> None:
    module = Registry().module("step", kind)
    assert kind == module.KIND
    assert isinstance(module.TARGET_KINDS, tuple)
    assert set(module.TARGET_KINDS) <= set(Registry().names("target"))
    assert callable(module.build)
    assert (module.__doc__ or "").startswith(f"`{kind}`: ")
    assert (module.Options.__doc__ or "").strip()
    described = field_docstrings(module.Options)
    for name in module.Options.model_fields:
        key = module.Options.model_fields[name].validation_alias or name
        assert any(key == d or name.removesuffix("_seconds") == d for d in described), (
            f"{kind}: {name} has no docstring"
        )


COMMAND = {"command": ("./restore.sh",)}
REQUEST = {"method": "POST", "url": "http://127.0.0.1:9/restore"}
PUBLISHED = {"archive": "original-policies.tar.gz", "bundle": {"command": ("./publish.sh",)}}


@pytest.mark.parametrize(
    ("kind", "options", "pre_image"),
    [
        ("command.run", COMMAND, {}),
        ("http.request", REQUEST, {}),
        ("opa.restore", PUBLISHED, {"home": ["", "", "authz"]}),
    ],
)
async def test_what_can_not_be_taken_back_says_why_beforehand_and_refuses(
    kind: str, options: dict[str, Any], pre_image: Json
) -> None:
    module = Registry().module("step", kind)
    target = opa_target.build("opa", opa_target.Options(urls=("http://127.0.0.1:9",))) if module.TARGET_KINDS else None
    step = module.build("step", module.Options.model_validate(options), target)
    assert step.irreversible
    assert "\n" not in step.irreversible
    with pytest.raises(Refused, match="can't be taken back"):
        await step.plan_undo([pre_image])


def test_every_finding_that_is_written_anywhere_uses_a_known_word() -> None:
    written = {
        call.args[2].value
        for file in Path(console.__file__).parent.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Finding"
        if len(call.args) > 2 and isinstance(call.args[2], ast.Constant)
    }
    assert written == CODES


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case_that_differs_says_why_and_in_which_promise(case: Case) -> None:
    assert set(case.differs) <= PROMISES, f"no such promise: {', '.join(set(case.differs) - PROMISES)}"
    assert all(differs.why.strip() for differs in case.differs.values())
