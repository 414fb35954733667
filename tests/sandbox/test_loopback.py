"""A drill can't be mistaken for life: it reaches this machine only, says so everywhere, and keeps a record of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from console.domain.errors import Refused
from console.kinds import Registry
from console.sandbox.loopback import is_here, refuse_outside
from console.wiring import Request, open_session

PROCEDURE = """
[incident]
title = "Drill"
drill = true
{more}
[[component]]
id = "notes"
[[component.step]]
id = "note"
kind = "manual"
instruction = "note it"
"""


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:8080/x", "https://localhost", "127.0.0.1", "localhost:80", "http://[::1]:9/", "::1", "/var/run/db",
     "file:///srv/git"],
)  # fmt: skip
def test_what_is_on_this_machine_is_reached(address: str) -> None:
    assert is_here(address)


@pytest.mark.parametrize(
    "address",
    ["http://prometheus:9090", "10.0.0.1", "https://127.0.0.1.example.com/", "git@example.com:a.git", "audit-db", "",
     "http://127.0.0.1@example.com/", "2001:db8::1", "ssh://example.com/x"],
)  # fmt: skip
def test_what_is_elsewhere_is_not(address: str) -> None:
    assert not is_here(address)


def test_an_address_is_found_wherever_it_stands() -> None:
    with pytest.raises(Refused, match=r"probe\.url = http://example\.com"):
        refuse_outside({"url": "http://127.0.0.1:1", "probe": {"url": "http://example.com"}})
    with pytest.raises(Refused, match="urls"):
        refuse_outside({"urls": ["http://127.0.0.1:1", "http://10.1.2.3"]})
    refuse_outside({"url": "http://127.0.0.1:1", "title": "http://example.com"})


_CONNECTS = """
import socket, sys
from console.sandbox.loopback import stay_here
here = socket.create_server(("127.0.0.1", 0))
stay_here()
socket.create_connection(here.getsockname()).close()
try:
    socket.create_connection(("192.0.2.1", 80), timeout=5)
except ConnectionRefusedError as error:
    print(error)
udp = socket.socket(type=socket.SOCK_DGRAM)
try:
    udp.sendto(b"x", ("192.0.2.1", 53))
except ConnectionRefusedError as error:
    print(error)
"""


def test_a_process_of_a_drill_connects_nowhere_else() -> None:
    done = subprocess.run([sys.executable, "-c", _CONNECTS], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("a drill does not reach 192.0.2.1\n" * 2, "")


def procedure(folder: Path, name: str, more: str = "", drill: bool = True) -> Path:
    file = folder / name
    text = PROCEDURE.format(more=more)
    file.write_text(text if drill else text.replace("drill = true\n", ""))
    return file


async def test_a_procedure_of_a_drill_says_so_and_no_other_console_goes_on_in_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.sandbox.loopback.stay_here", lambda: None)  # this process has other tests to run
    journal = tmp_path / "journal"
    drill = await open_session(Request(procedure(tmp_path, "drill.toml"), journal, "ada", creates=True))
    await drill.declare("to learn")
    assert drill.view().incident.mode == "drill"
    await drill.close()
    with pytest.raises(Refused, match="this journal holds a drill, and the file is a live procedure"):
        await open_session(Request(procedure(tmp_path, "live.toml", drill=False), journal, "ada"))


async def test_a_drill_does_not_go_on_in_the_record_of_a_live_incident(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.sandbox.loopback.stay_here", lambda: None)
    journal = tmp_path / "journal"
    live = await open_session(Request(procedure(tmp_path, "live.toml", drill=False), journal, "ada", creates=True))
    await live.declare("it burns")
    await live.close()
    with pytest.raises(Refused, match="this journal holds a live incident, and the file is a drill"):
        await open_session(Request(procedure(tmp_path, "drill.toml"), journal, "ada"))


async def test_a_drill_with_an_address_elsewhere_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    more = '[target.metrics]\nkind = "prometheus"\nurl = "http://prometheus.example.com"\n'
    with pytest.raises(Refused, match=r"url = http://prometheus\.example\.com is not on this machine"):
        await open_session(
            Request(procedure(tmp_path, "drill.toml", more), tmp_path / "journal", "ada", creates=True), Registry()
        )
