"""Secrets: the file names where one is kept, and only `reveal` ever shows what it is.

Targets resolve a reference when they connect, and hand each value to the console's `Redactor`, which the gateway, the journal
and the log apply to every text that leaves. A value must not reach a repr, a pickle, a JSON text or an error.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn
from urllib.parse import quote, quote_plus

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from console.config.options import FilePath, Options

MASK: Final = "•••"
COMMAND_TIMEOUT_SECONDS: Final = 10.0
LARGEST_SECRET_BYTES: Final = 64 * 1024
TOO_LONG: Final = "longer than 64 KiB: not a secret"
SHORTEST_REDACTED: Final = 4
SHORTEST_LINE_REDACTED: Final = 8


class SecretReference(Options):
    """Where a secret is kept: exactly one of `env`, `file` and `command`. The secret itself never stands in the file."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)] | None = None
    """Name of an environment variable."""
    file: FilePath | None = None
    """A file that holds nothing else; a line break at its end is dropped."""
    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """A program and its arguments that print it: `["pass", "show", "prod/token"]`. No shell is involved."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_the_secret_itself(cls, value: Any) -> Any:
        if not isinstance(value, dict | SecretReference):
            raise PydanticCustomError("secret_in_file", "a secret is never written in the file")
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> SecretReference:
        given = [name for name in ("env", "file", "command") if getattr(self, name) is not None]
        if len(given) != 1:
            raise PydanticCustomError(
                "secret_exactly_one", "exactly one of env, file and command", {"given": " and ".join(given)}
            )
        return self

    def __str__(self) -> str:
        if self.env is not None:
            return f"environment variable {self.env}"
        if self.file is not None:
            return f"file {str(self.file)!r}"
        return f"command {shlex.join(self.command or ())!r}"


class SecretUnavailable(Exception):
    """A reference leads to no secret. Says which reference and why, never what was found there."""

    def __init__(self, reference: SecretReference, why: str) -> None:
        self.reference = reference
        self.why = why
        super().__init__(f"secret from {reference}: {why}")


class SecretValue:
    """A secret in memory. Every way of showing it gives a mask, except `reveal`."""

    __slots__ = ("_value",)
    _value: str

    def __init__(self, value: str) -> None:
        object.__setattr__(self, "_value", value)

    def reveal(self) -> str:
        """The secret itself: for the one call that hands it to its system."""
        return self._value

    def __repr__(self) -> str:
        return f"SecretValue({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, format_spec: str) -> str:
        return MASK

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret can't be changed")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretValue) and other._value == self._value

    def __hash__(self) -> int:
        return hash((SecretValue, self._value))

    def __copy__(self) -> SecretValue:
        return self

    def __deepcopy__(self, memo: object) -> SecretValue:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret can't be pickled")


def resolve(reference: SecretReference) -> SecretValue:
    """Fetch the secret now; raises SecretUnavailable.

    Blocks for up to ten seconds on a command: call it in a thread from asyncio.
    """
    if reference.env is not None:
        text = _from_environment(reference, reference.env)
    elif reference.file is not None:
        text = _from_file(reference, reference.file)
    else:
        text = _from_command(reference, reference.command or ())
    if not text:
        raise SecretUnavailable(reference, "it is empty")
    return SecretValue(text)


def _from_environment(reference: SecretReference, name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise SecretUnavailable(reference, "it is not set")
    return value


def _from_file(reference: SecretReference, path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_SECRET_BYTES + 1)
    except OSError as error:
        raise SecretUnavailable(reference, (error.strerror or type(error).__name__).lower()) from None
    return _decoded(reference, content)


def _from_command(reference: SecretReference, command: tuple[str, ...]) -> str:
    try:
        process = subprocess.Popen(  # noqa: S603 -- an argument list from the operator's own file, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # it can't ask on our terminal, and all of it can be stopped
        )
    except (OSError, ValueError) as error:
        why = (error.strerror or type(error).__name__).lower() if isinstance(error, OSError) else "not a command"
        raise SecretUnavailable(reference, f"can't be started: {why}") from None
    with process:
        try:
            output, error_bytes = _read_output(reference, process)
        finally:
            _stop_group(process)
    if process.returncode != 0:
        detail = f", {error_bytes} bytes of error output (run it yourself to read them)" if error_bytes else ""
        raise SecretUnavailable(reference, f"exit code {process.returncode}{detail}")
    return _decoded(reference, output)


def _read_output(reference: SecretReference, process: subprocess.Popen[bytes]) -> tuple[bytes, int]:
    """What the command printed, and how much it complained; its complaint may quote the secret, so only the size is kept."""
    deadline = time.monotonic() + COMMAND_TIMEOUT_SECONDS
    output, error_bytes = b"", 0
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            if stream is not None:  # both are pipes; the types can't say so
                selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if time.monotonic() >= deadline:
                raise SecretUnavailable(reference, f"no answer within {COMMAND_TIMEOUT_SECONDS:g} s")
            for key, _ in ready:
                chunk = os.read(key.fd, 65_536)
                if not chunk:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    output += chunk
                else:
                    error_bytes += len(chunk)
            if len(output) > LARGEST_SECRET_BYTES:
                raise SecretUnavailable(reference, TOO_LONG)
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise SecretUnavailable(reference, f"no end within {COMMAND_TIMEOUT_SECONDS:g} s") from None
    return output, error_bytes


def _stop_group(process: subprocess.Popen[bytes]) -> None:
    """End the command and its children. Does nothing once it was waited for: its id may be another's by then."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):  # all of it ended in between
        os.killpg(process.pid, signal.SIGKILL)


def _decoded(reference: SecretReference, content: bytes) -> str:
    if len(content) > LARGEST_SECRET_BYTES:
        raise SecretUnavailable(reference, TOO_LONG)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise SecretUnavailable(reference, "it is not UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")


class Redactor:
    """Replaces every known secret in a text by a mask.

    It also knows the forms in which a secret travels: percent-encoded, JSON-escaped, base64, and the lines of a longer one.
    Values shorter than four characters are left alone: masking "on" or "5" everywhere would make every text unreadable,
    and a mask that shows up in place of each "5" gives the secret away. `add` says so by returning False.
    A secret split between two texts is not found: redact whole lines, not chunks.
    """

    def __init__(self, secrets: Iterable[SecretValue] = ()) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: SecretValue) -> bool:
        """Mask this secret from now on. False if it is too short to be masked."""
        forms = {form for form in _forms_of(secret.reveal()) if len(form) >= SHORTEST_REDACTED}
        if not forms:
            return False
        self._forms |= forms
        # The longest first: a secret that holds another one is masked whole, in a single pass.
        longest_first = sorted(self._forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(re.escape(form) for form in longest_first))
        return True

    def redact(self, text: str) -> str:
        """The text without any secret that was added."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def __repr__(self) -> str:
        return f"Redactor({len(self._forms)} forms)"


def _forms_of(value: str) -> Iterable[str]:
    if len(value) < SHORTEST_REDACTED:
        return
    encoded = value.encode("utf-8", "surrogateescape")
    yield value
    yield quote(encoded, safe="")
    yield quote_plus(encoded)
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield base64.b64encode(encoded).decode()
    yield base64.urlsafe_b64encode(encoded).decode()
    lines = [line.strip() for line in value.splitlines()]
    yield from (line for line in lines if len(line) >= SHORTEST_LINE_REDACTED)
