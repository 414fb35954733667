"""Where a bundle-managed OPA gets its bundle from: an address that takes PUT, a file, or a command that publishes.

OPA takes nothing for what a bundle owns, and would put its own version back at the next poll anyway; so the archive is
published there and the replicas are watched until they have it. Neither a file nor most HTTP stores have a precondition worth
trusting: what is there is read again right before it is replaced, and an ETag is sent along where the store gave a strong one.
"""

from __future__ import annotations

import asyncio
import base64
import os
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from console.domain.errors import Failed, Refused, Unknown
from console.engine.gateway import Permit
from console.targets import process
from console.targets.http import excerpt, status_words
from console.targets.opa.archive import LARGEST_PACKED_BYTES
from console.targets.opa.wire import Answer, Lost, NotConnected, Wire
from console.targets.text import clean_line

if TYPE_CHECKING:
    from console.targets.opa.goal import HomeEdit

CONTENT_TYPE: Final = "application/gzip"


class Home(Protocol):
    """`label` names it for people; `readable` tells whether what is there can be read, and so compared and put back."""

    label: str
    readable: bool

    async def read(self) -> bytes | None:
        """What is there; None for nothing."""

    async def publish(self, edit: HomeEdit, permit: Permit) -> None:
        """Replaces what was seen with what is wanted. Raises Refused when something else is there, Failed or Unknown."""

    def command(self, archive: Path | None) -> str:
        """The same for a shell; None as an archive removes it."""


def packed(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def unpacked(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


async def refuse_foreign(home: Home, edit: HomeEdit, permit: Permit) -> bool:
    """Whether there is anything to publish. Refused when what is there is neither what was seen nor what is wanted."""
    if not isinstance(permit, Permit):
        raise Refused(f"{home.label} needs a permit, which the gateway alone gives")
    try:
        now = packed(await home.read())
    except Failed as error:
        raise Refused(error.message, "nothing was published") from None
    if now == edit.after:
        return False
    if now != edit.before:
        raise Refused(
            f"{home.label} was replaced by somebody else in between", "nothing was published; preview it again"
        )
    return True


class FileHome:
    readable = True

    def __init__(self, path: Path) -> None:
        self.label = f"bundle file {path}"
        self._path = path

    async def read(self) -> bytes | None:
        return await asyncio.to_thread(self._read)

    async def publish(self, edit: HomeEdit, permit: Permit) -> None:
        if await refuse_foreign(self, edit, permit):
            await asyncio.to_thread(self._replace, unpacked(edit.after))

    def command(self, archive: Path | None) -> str:
        return shlex.join(["cp", str(archive), str(self._path)] if archive else ["rm", str(self._path)])

    def _read(self) -> bytes | None:
        try:
            with self._path.open("rb") as stream:
                content = stream.read(LARGEST_PACKED_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Failed(f"{self.label} can't be read: {(error.strerror or '').lower()}") from None
        return _bounded(content, self.label)

    def _replace(self, content: bytes | None) -> None:
        """A server that reads it meanwhile gets the old one or the new one, never half of it."""
        try:
            if content is None:
                self._path.unlink()
                return
            descriptor, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
                Path(temporary).chmod(self._path.stat().st_mode & 0o777 if self._path.exists() else 0o644)
                Path(temporary).rename(self._path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise Refused(
                f"{self.label} can't be written: {(error.strerror or '').lower()}", "nothing was published"
            ) from None


class HttpHome:
    readable = True

    def __init__(self, wire: Wire, command: str) -> None:
        self.label = f"bundle at {clean_line(wire.url)}"
        self._wire = wire
        self._command = command
        self._etag = ""

    async def read(self) -> bytes | None:
        try:
            answer = await self._wire.exchange("GET", "")
        except (NotConnected, Lost) as error:
            raise Failed(f"{self.label} can't be read: {self._wire.redact(str(error))}") from None
        if answer.status == 404:
            self._etag = ""
            return None
        if answer.status != 200:
            raise Failed(f"{self.label} can't be read: {self._said(answer)}")
        etag = answer.headers.get("etag", "")
        self._etag = etag if etag.startswith('"') and etag.isascii() and etag.isprintable() else ""
        return _bounded(answer.body, self.label)

    async def publish(self, edit: HomeEdit, permit: Permit) -> None:
        if not await refuse_foreign(self, edit, permit):
            return
        headers = {"If-Match": self._etag} if self._etag else {}
        content = unpacked(edit.after)
        if content is not None:
            headers["Content-Type"] = CONTENT_TYPE
        try:
            answer = await self._wire.exchange("DELETE" if content is None else "PUT", "", content, headers)
        except NotConnected as error:
            raise Refused(f"{self.label}: {self._wire.redact(str(error))}", "nothing was published") from None
        except Lost as error:
            raise Unknown(f"no answer from the {self.label}: {self._wire.redact(str(error))}") from None
        if answer.status >= 500 and answer.status != 501:  # 501: it knows no PUT, or no If-Match
            raise Unknown(f"{self.label} answered {self._said(answer)}")
        if answer.status == 412:
            raise Refused(f"{self.label} was replaced by somebody else in between", "preview it again")
        if answer.status >= 300:
            raise Refused(f"{self.label} does not take it: {self._said(answer)}", "nothing was published")

    def command(self, archive: Path | None) -> str:
        if archive is None:
            return f"{self._command} -X DELETE {shlex.quote(self._wire.url)}"
        return f"{self._command} -X PUT {shlex.join([self._wire.url, '--data-binary', f'@{archive}'])}"

    def _said(self, answer: Answer) -> str:
        shown = excerpt(answer.body)
        return self._wire.redact(f"{status_words(answer.status)}{f': {shown}' if shown else ''}")


class CommandHome:
    """A program that publishes the archive. What it published can't be read here, nor taken back."""

    readable = False

    def __init__(self, command: tuple[str, ...], timeout_seconds: float) -> None:
        self.label = f"command {clean_line(shlex.join(command))}"
        self._command = command
        self._timeout_seconds = timeout_seconds

    async def read(self) -> bytes | None:
        return None

    async def publish(self, edit: HomeEdit, permit: Permit) -> None:
        del edit  # the command knows its archive
        if not isinstance(permit, Permit):
            raise Refused(f"{self.label} needs a permit, which the gateway alone gives")
        code, output = await run(self._command, self._timeout_seconds)
        if code != 0:
            raise Failed(f"{self.label} ended with {code}: {output}", "it may have published all the same")

    def command(self, archive: Path | None) -> str:
        del archive
        return shlex.join(self._command)


async def run(command: tuple[str, ...], timeout_seconds: float) -> tuple[int, str]:
    """The exit code and what it said, in one line. Refused when it can't be started, Unknown when it doesn't end."""
    try:
        ended = await process.run(command, timeout_seconds=timeout_seconds, merged=True)
    except process.NotStarted as error:
        raise Refused(str(error)) from None
    if ended.code is None:
        raise Unknown(f"{clean_line(shlex.join(command))}: {ended.words}")
    return ended.code, clean_line(ended.stdout.text(), 400)


def _bounded(content: bytes, label: str) -> bytes:
    if len(content) > LARGEST_PACKED_BYTES:
        raise Failed(f"{label} is larger than {LARGEST_PACKED_BYTES // 1024**2} MiB: not a bundle that can be kept")
    return content
