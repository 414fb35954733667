"""Manifests as files: every document of a file or folder, and each mistake with its place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from console.domain.errors import Refused
from console.steps import kubernetes_apply
from console.steps.kubernetes_apply import read_manifests


def config(name: str, **data: Any) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {data or '{}'}\n"


def written(folder: Path, text: str | bytes, name: str = "m.yaml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def names(path: Path) -> list[str]:
    return [m["metadata"]["name"] for m in read_manifests(path)]


def refused(path: Path) -> str:
    with pytest.raises(Refused) as refusal:
        read_manifests(path)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_every_document_of_a_file(tmp_path: Path) -> None:
    text = f"---\n{config('a')}---\n# nothing but a remark\n---\n{config('b')}---\n"
    assert names(written(tmp_path, text)) == ["a", "b"]


def test_json_is_read_too(tmp_path: Path) -> None:
    text = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}'
    assert names(written(tmp_path, text, "a.json")) == ["a"]


def test_a_list_is_opened(tmp_path: Path) -> None:
    inner = "\n".join(f"- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: {n}}}}}" for n in "ab")
    assert names(written(tmp_path, f"apiVersion: v1\nkind: List\nitems:\n{inner}\n")) == ["a", "b"]
    typed = f"apiVersion: v1\nkind: ConfigMapList\nmetadata: {{}}\nitems:\n{inner}\n"
    assert names(written(tmp_path, typed)) == ["a", "b"]


def test_a_folder_is_read_by_name_and_only_its_manifests(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.json", "d.txt", ".hidden"):
        written(tmp_path, config(f"in-{name[0]}") if name != "c.json" else "{}".replace("{}", "null"), name)
    (tmp_path / "sub.yaml").mkdir()
    assert names(tmp_path) == ["in-a", "in-b"]


def test_values_are_read_as_kubectl_reads_them(tmp_path: Path) -> None:
    text = config("a").replace("data: {}", "data: {since: 2024-01-02, 8080: port, size: 1.5}")
    assert read_manifests(written(tmp_path, text))[0]["data"] == {"since": "2024-01-02", "8080": "port", "size": 1.5}


def test_anchors_and_merges_work(tmp_path: Path) -> None:
    text = "x: &x {a: '1'}\n" + config("a").replace("data: {}", "data: {<<: *x, b: '2'}")
    assert read_manifests(written(tmp_path, text))[0]["data"] == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{config('a')}---\n{config('b')}  bad: [\n", r"m\.yaml:10:\d+ is not YAML: "),
        ("a: b: c", r"m\.yaml:1:5 is not YAML: mapping values are not allowed here"),
        ("{apiVersion: v1, kind: A, metadata: {name: x}, data: {a: 1, b: 2, a: 3}}",
         r'm\.yaml:1:\d+ is not YAML: the key "a" stands twice'),
        ("a: \x07", r"m\.yaml is not YAML: .*not allowed"),
        ("!!python/object:os.system {}", r"m\.yaml:1:1 is not YAML: could not determine a constructor"),
        ("? [a]\n: b", r"m\.yaml:1:\d+ is not YAML: found unhashable key"),
        ("[" * 5000, r"m\.yaml is not a manifest: it is nested too deeply"),
        ("kind: ConfigMap\nmetadata: {name: x}", r"m\.yaml, document 1 has no apiVersion; is it a Kubernetes object\?"),
        (f"{config('a')}---\napiVersion: v1\nmetadata: {{}}", r"m\.yaml, document 2 has no kind, metadata\.name"),
        (f"{config('a')}---\njust text", r"m\.yaml, document 2 is not a Kubernetes object"),
        ("apiVersion: v1\nkind: List\nitems: [1]", r"m\.yaml, document 1, item 1 is not a Kubernetes object"),
        ("apiVersion: v1\nkind: A\nmetadata: {generateName: x-}", r"has no metadata\.name"),
        ("apiVersion: 1\nkind: A\nmetadata: {name: x}", r"has no apiVersion"),
        ("", r"m\.yaml holds no manifest; is it the right file\?"),
        ("---\n---\n", r"m\.yaml holds no manifest"),
        (b"\xff\xfe\x00", r"m\.yaml can't be read: .*utf-8"),
        (b"a: \xc3", r"m\.yaml can't be read: .*utf-8"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, str | bytes) else None,
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert re.search(said, refused(written(tmp_path, text)))


def test_a_file_that_is_not_there_or_not_readable(tmp_path: Path) -> None:
    assert refused(tmp_path / "m.yaml") == (
        f"there is no {tmp_path / 'm.yaml'}; a path that is not absolute starts at the configuration file's folder"
    )
    assert "holds no manifest" in refused(tmp_path)
    pipe = tmp_path / "loop.yaml"
    pipe.symlink_to(pipe)
    assert "there is no" in refused(pipe)


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes_apply, "_LARGEST_FILE_BYTES", 1024**2)
    assert "is larger than 1 MiB" in refused(written(tmp_path, b"#" * (1024**2 + 1)))
