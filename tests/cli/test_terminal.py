"""Writing to a terminal that hangs or is gone: nobody waits, nothing is raised."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from console.ui.terminal import TerminalWriter

MORE_THAN_A_PIPE_HOLDS = "x" * 1_000_000


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:  # the test closed it
            continue


def read_all(reader: int, size: int) -> bytes:
    content = b""
    while len(content) < size:
        content += os.read(reader, 65_536)
    return content


def test_what_is_written_arrives_in_order(pipe: tuple[int, int]) -> None:
    reader, descriptor = pipe
    writer = TerminalWriter(descriptor)
    writer.start()
    for number in range(100):
        writer.write(f"{number} ✔\n")
    writer.stop()
    expected = "".join(f"{number} ✔\n" for number in range(100)).encode()
    assert read_all(reader, len(expected)) == expected


def test_a_terminal_that_hangs_makes_nobody_wait(pipe: tuple[int, int]) -> None:
    reader, descriptor = pipe
    writer = TerminalWriter(descriptor)
    writer.start()
    started = time.monotonic()
    for _ in range(100):
        writer.write(MORE_THAN_A_PIPE_HOLDS)
    writer.stop()
    assert time.monotonic() - started < 10
    os.close(reader)  # lets the writer's thread go
    writer.join(10)
    assert not writer.is_alive()


def test_a_terminal_that_is_gone_is_written_to_in_peace(pipe: tuple[int, int]) -> None:
    reader, descriptor = pipe
    os.close(reader)
    writer = TerminalWriter(descriptor)
    writer.start()
    for _ in range(100):
        writer.write("nobody reads this")
    writer.stop()
    assert not writer.is_alive()
