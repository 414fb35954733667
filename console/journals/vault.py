"""Changes and pre-images, beside the journal: they may hold what the target holds, so they stay out of it.

One file a document, named by the SHA-256 of its canonical JSON, readable by its owner alone. A document is on disk, its name
in the directory included, before `put` returns: the journal's intent names it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path

from console.domain.errors import JournalDamaged, Refused
from console.engine.ports import Json, canonical

_NAME = re.compile(r"[0-9a-f]{64}")


class FolderVault:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, document: Json) -> str:
        body = canonical(document).encode()
        name = hashlib.sha256(body).hexdigest()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._holds(name, body):
                self._write(name, body)
            self._sync()
        except OSError as error:
            raise Refused(
                f"the pre-image can't be kept in {self._folder}: {error.strerror}", "nothing was sent"
            ) from None
        return name

    def get(self, name: str) -> Json:
        if not _NAME.fullmatch(name):
            raise JournalDamaged(f'"{name[:80]}" is not the name of a document')
        try:
            body = (self._folder / name).read_bytes()
        except OSError as error:
            raise JournalDamaged(
                f"document {name[:12]}… is not in {self._folder}: {error.strerror}",
                "without it this step can't be probed or undone by the console",
            ) from None
        if hashlib.sha256(body).hexdigest() != name:
            raise JournalDamaged(f"document {name[:12]}… in {self._folder} was changed after it was written")
        return json.loads(body)

    def _holds(self, name: str, body: bytes) -> bool:
        try:
            return (self._folder / name).read_bytes() == body
        except FileNotFoundError:
            return False

    def _write(self, name: str, body: bytes) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self._folder)  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).rename(self._folder / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _sync(self) -> None:
        """The folder's own names, on disk; also after a process that died between a rename and this."""
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
