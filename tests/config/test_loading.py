"""A good file becomes a procedure, cheaply, and its digest follows its content alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from console.config import KindSpec, Options, Procedure, Section, UnknownName, load
from tests.config.kinds import FakeKinds, PatchOptions

COMPLETE = Path(__file__).with_name("complete.toml")


@pytest.fixture(name="procedure")
def complete_procedure() -> Procedure:
    return load(COMPLETE, FakeKinds())


def changed(tmp_path: Path, *replacements: tuple[str, str]) -> Procedure:
    text = COMPLETE.read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "changed.toml"
    file.write_text(text)
    return load(file, FakeKinds())


def test_values_have_their_units_and_defaults(procedure: Procedure) -> None:
    assert procedure.incident.soak_seconds == 300
    trigger = procedure.trigger("latency-p95")
    assert (trigger.for_seconds, trigger.every_seconds, trigger.threshold) == (90, 15, 30)
    assert procedure.step("disable-qec").timeout_seconds == 300
    assert procedure.check("gateway").timeout_seconds == 10
    assert procedure.notice("team").channel == "manual"


def test_a_kinds_options_are_validated_instances(procedure: Procedure) -> None:
    options = procedure.step("disable-qec").options
    assert isinstance(options, PatchOptions)
    assert options.settle_seconds == 0.5
    assert options.containers[0].env == {"QEC_ENABLED": "false"}


def test_a_target_left_out_is_the_only_one_that_fits(procedure: Procedure) -> None:
    assert procedure.step("disable-qec").target == "cluster"
    assert procedure.trigger("latency-p95").target == "metrics"
    assert procedure.step("call").target is None
    assert procedure.trigger("breach").threshold is None


def test_an_optional_target_left_out_stays_out(tmp_path: Path) -> None:
    changed_step = changed(tmp_path, ('kind = "manual"', 'kind = "http.request"\nurl = "http://x"')).step("call")
    assert changed_step.target is None


def test_relative_paths_start_at_the_files_folder(procedure: Procedure) -> None:
    options = procedure.step("fallback").options
    assert isinstance(options, PatchOptions)
    assert options.manifest == COMPLETE.parent / "backup/original-policy-validator.yaml"


def test_lookups_find_by_id_and_suggest_for_a_wrong_one(procedure: Procedure) -> None:
    assert procedure.component_of("fallback").id == "qec-analysis"
    assert procedure.component("dashboard").label == "dashboard"
    assert procedure.target("cluster").kind == "kubernetes"
    with pytest.raises(UnknownName, match='unknown component "dashbord"; did you mean "dashboard"'):
        procedure.component("dashbord")


def test_models_are_frozen_all_the_way(procedure: Procedure) -> None:
    with pytest.raises(ValidationError):
        procedure.incident.title = "other"
    assert isinstance(procedure.components, tuple)
    assert isinstance(procedure.components[0].steps, tuple)


def test_the_digest_ignores_layout_comments_and_order_of_keys(tmp_path: Path, procedure: Procedure) -> None:
    title, soak = 'title = "QEC-SFT migration"', 'soak = "5m"'
    relaid = changed(tmp_path, (f"{title}\n{soak}", f"{soak}   # why\n\n  {title}"), ("# A whole procedure.", ""))
    assert relaid.digest == procedure.digest


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path, procedure: Procedure) -> None:
    file = tmp_path / "windows.toml"
    file.write_bytes(b"\xef\xbb\xbf" + COMPLETE.read_bytes().replace(b"\n", b"\r\n"))
    assert load(file, FakeKinds()).digest == procedure.digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('soak = "5m"', 'soak = "6m"'),
        ('context = "prod"', 'context = "test"'),
        ('"CLUSTER_TOKEN"', '"OTHER_TOKEN"'),
        ('id = "dashboard"', 'id = "dashboards"'),
    ],
)
def test_the_digest_changes_with_the_content(tmp_path: Path, procedure: Procedure, old: str, new: str) -> None:
    assert changed(tmp_path, (old, new)).digest != procedure.digest


def test_the_digest_does_not_depend_on_a_secrets_value(monkeypatch: pytest.MonkeyPatch, procedure: Procedure) -> None:
    monkeypatch.setenv("CLUSTER_TOKEN", "hunter2-in-the-environment")
    again = load(COMPLETE, FakeKinds())
    assert again.digest == procedure.digest
    assert "hunter2" not in again.model_dump_json() + repr(again)


def test_a_kind_whose_options_repeat_a_common_key_is_its_authors_mistake() -> None:
    class Clashing(Options):
        timeout_seconds: float = 1.0

    class ClashingKinds(FakeKinds):
        def describe(self, section: Section, kind: str) -> KindSpec:
            return KindSpec(Clashing) if section == "check" else super().describe(section, kind)

    with pytest.raises(TypeError, match=r"http\.ok repeat keys of every check: timeout"):
        load(COMPLETE, ClashingKinds())


def test_a_good_file_pays_for_nothing_that_only_errors_need() -> None:
    program = f"""
import sys
from pathlib import Path
from console.config import load
from tests.config.kinds import FakeKinds
load(Path({str(COMPLETE)!r}), FakeKinds())
errors_only = ["tree_sitter", "difflib", "console.config.wording", "console.config.excerpts", "console.config.positions"]
print([name for name in [*errors_only, "asyncio", "textual", "rich", "httpx", "yaml"] if name in sys.modules])
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"
