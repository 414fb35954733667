"""Archives: what a good one means, and every way in which a bad one is refused before anything of it is believed."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from console.domain.errors import Refused
from console.targets.opa import archive as archives
from console.targets.opa.archive import Archive, open_archive

Opened = Callable[[bytes], Archive]
AUTHZ = "package acgs.authz\n\nallow if data.acgs.roles.admin\n"
MANIFEST = json.dumps({"revision": "r1", "roots": ["acgs"]})


def packed(*entries: tuple[str, str | bytes] | tarfile.TarInfo) -> bytes:
    """A gzipped tar of plain files, and of whatever else a test makes of an entry."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry, io.BytesIO(b"\0" * entry.size) if entry.isreg() else None)
                continue
            name, content = entry
            body = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    def open_(content: bytes) -> Archive:
        file = tmp_path / "policies.tar.gz"
        file.write_bytes(content)
        return open_archive(file)

    return open_


# ---------------------------------------------------------------- good ones


@pytest.mark.parametrize("root", ["", "./", "/"], ids=["plain", "as tar spells it", "as opa build spells it"])
def test_modules_data_and_manifest(opened: Opened, root: str) -> None:
    archive = opened(
        packed(
            (f"{root}acgs/authz.rego", AUTHZ),
            (f"{root}acgs/roles/data.json", '{"admin": ["ada"]}'),
            (f"{root}acgs/limits/data.yaml", "most: 3\n"),
            (f"{root}.manifest", MANIFEST),
            (f"{root}README.md", "read me"),
        )
    )
    [module] = archive.modules
    assert (module.path, module.entry, module.package) == (
        "acgs/authz.rego",
        f"{root}acgs/authz.rego",
        ("acgs", "authz"),
    )
    assert module.text == AUTHZ
    assert archive.data == {"acgs": {"roles": {"admin": ["ada"]}, "limits": {"most": 3}}}
    assert archive.documents == (("acgs", "limits"), ("acgs", "roles"))
    assert (archive.roots, archive.revision, archive.signed) == ((("acgs",),), "r1", False)
    assert archive.ignored == ("README.md",)


def test_data_at_the_root_speaks_of_its_keys(opened: Opened) -> None:
    archive = opened(packed(("data.json", '{"acgs": {"roles": {}}, "limits": 1.0}')))
    assert archive.documents == (("acgs",), ("limits",))
    assert archive.data["limits"] == 1
    assert archive.roots is None


def test_a_signature_is_told_and_not_believed(opened: Opened) -> None:
    assert opened(packed(("a.rego", AUTHZ), (".signatures.json", "{}"))).signed


@pytest.mark.parametrize("roots", ['{"roots": [""]}', '{"revision": "1"}'])
def test_roots_of_everything_are_no_roots(opened: Opened, roots: str) -> None:
    assert opened(packed(("a.rego", AUTHZ), (".manifest", roots))).roots is None


# ---------------------------------------------------------------- hostile ones


def _named(value: object) -> str:
    """A test's name, the same in every process: a member of an archive shows its address otherwise."""
    return f"{value.name} of type {value.type!r}" if isinstance(value, tarfile.TarInfo) else str(value)[:60]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (("../../etc/evil.rego", AUTHZ), "leads out of the archive"),
        (("acgs/../../evil.rego", AUTHZ), "leads out of the archive"),
        (("//etc/evil.rego", AUTHZ), "leads out of the archive"),
        (("acgs//evil.rego", AUTHZ), "leads out of the archive"),
        (("C:/evil.rego", AUTHZ), "leads out of the archive"),
        (("acgs\\..\\evil.rego", AUTHZ), "leads out of the archive"),
        (("acgs/\x1b[2Jevil.rego", AUTHZ), "nobody can read"),
        (("a" * 600 + ".rego", AUTHZ), "nobody can read"),
        (special("authz.rego", tarfile.SYMTYPE, "/etc/passwd"), "is a link"),
        (special("authz.rego", tarfile.LNKTYPE, "other.rego"), "is a link"),
        (special("authz.rego", tarfile.CHRTYPE), "is a device or pipe"),
        (special("authz.rego", tarfile.FIFOTYPE), "is a device or pipe"),
        (special("authz.rego", b"Z"), "neither a plain file nor a folder"),
        (("authz.rego", AUTHZ), "holds authz.rego twice"),
        (("./authz.rego", AUTHZ), "holds authz.rego twice"),
        (("policy.wasm", b"\0asm"), "compiled policies"),
        (("plan.json", "{}"), "a compiled plan"),
        (("patch.json", "{}"), "a delta"),
        (("broken.rego", "allow := true"), "no package line"),
        (("latin.rego", b"package a\n# \xe9"), "not UTF-8"),
        (("data.json", "{"), "not JSON"),
        (("data.json", "[1]"), "two values"),
        (("data.json", '{"a": NaN}'), "not a number in JSON"),
        (("data.json", '{"a": 0.1234567890123456789}'), "more digits"),
        (("data.json", '{"a": 1e999}'), "more digits"),
        (("data.json", "[" * 100_000), "nests too deep"),
        (("data.json", '{"a": ' + "[" * 300 + "]" * 300 + "}"), "nests deeper"),
        (("data.yaml", "a: &x [1]\nb: [*x, *x]"), "aliases"),
        (("data.yaml", "a: 2024-01-01"), "put it in quotes"),
        (("data.yaml", "1: a"), "not text"),
        (("data.yaml", "a: .inf"), "not a number in JSON"),
        (("data.yaml", "a: [1"), "not YAML"),
        ((".manifest", "[]"), "not an object"),
        ((".manifest", '{"roots": "acgs"}'), "not a list"),
        ((".manifest", '{"roots": ["billing"]}'), "outside of the roots"),
        ((".manifest", '{"wasm": [{"entrypoint": "x"}]}'), "compiled policies"),
    ],
    ids=_named,
)
def test_refused(opened: Opened, entry: object, reason: str) -> None:
    with pytest.raises(Refused, match=reason) as refused:
        opened(packed(("authz.rego", AUTHZ), entry))  # type: ignore[arg-type]
    assert "nothing was unpacked" in refused.value.message
    assert refused.value.message.isprintable()


def test_a_gigabyte_of_zeros_is_refused_early(opened: Opened) -> None:
    member = tarfile.TarInfo("data.json")
    member.size = 1 << 30
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as stream:
        stream.write(member.tobuf())
        for _ in range(256):
            stream.write(b"\0" * (1 << 20))
    tracemalloc.start()
    with pytest.raises(Refused, match="unpacks to more than 64 MiB"):
        opened(buffer.getvalue())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200 * 1024 * 1024


def test_too_many_entries(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_ENTRIES", 10)
    with pytest.raises(Refused, match="more than 10 entries"):
        opened(packed(*((f"{n}.rego", AUTHZ) for n in range(11))))


def test_a_sparse_file_that_claims_a_terabyte(opened: Opened) -> None:
    member = special("data.json", tarfile.GNUTYPE_SPARSE)
    with pytest.raises(Refused):
        opened(packed(("authz.rego", AUTHZ), member))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"package a", "not a gzipped archive"),
        (gzip.compress(b"not a tar" * 200), "not a tar archive"),
        (packed(("README.md", "hello")), "neither a .rego module nor data"),
        (packed(), "neither a .rego module nor data"),
    ],
    ids=["empty", "text", "gzip of text", "nothing of use", "no entry"],
)
def test_what_is_no_archive(opened: Opened, content: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        opened(content)


def test_an_archive_that_is_cut_off_is_never_read_as_a_smaller_one(opened: Opened) -> None:
    """tarfile itself takes both for complete: the restore would then remove what was cut off."""
    whole = packed(*((f"m{n}.rego", f"package m{n}\n") for n in range(5)))
    with pytest.raises(Refused, match=r"cut off|damaged"):
        opened(whole[: len(whole) - 40])
    unpacked = gzip.decompress(whole)
    with pytest.raises(Refused, match=r"breaks off|broken one"):
        opened(gzip.compress(unpacked[: 1024 * 2]))
    damaged = bytearray(unpacked)
    damaged[1024 * 2 : 1024 * 2 + 100] = b"\xff" * 100
    with pytest.raises(Refused, match=r"breaks off|broken one"):
        opened(gzip.compress(bytes(damaged)))


def test_an_archive_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no such file"):
        open_archive(tmp_path / "absent.tar.gz")
