"""The HTML report in a real browser: it is drawn whole, on a screen, in the dark and on paper, and nothing in it acts."""

from __future__ import annotations

import http.server
import os
import re
import shutil
import struct
import subprocess
import threading
import zlib
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from console.report.model import record
from console.report.times import Times
from console.report.writing import written
from tests.report import evening
from tests.report.test_hostile import poisoned

pytestmark = pytest.mark.real

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 90
_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip
BERLIN = Times(ZoneInfo("Europe/Berlin"), "Europe/Berlin")


class Browser:
    """Each call is a browser of its own, with a profile of its own."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._calls = 0

    def dom(self, page: Path | str) -> str:
        """The page as the browser understood it, after whatever runs in it has run."""
        return self._run("--dump-dom", self._address(page))

    def picture(self, page: Path, width: int, height: int, *flags: str) -> Path:
        path = page.with_suffix(f".{width}{'-'.join(('', *flags)).replace('=', '-')}.png")
        self._run(f"--screenshot={path}", f"--window-size={width},{height}", *flags, self._address(page))
        return path

    def paper(self, page: Path) -> Path:
        path = page.with_suffix(".pdf")
        self._run("--no-pdf-header-footer", f"--print-to-pdf={path}", self._address(page))
        return path

    def _address(self, page: Path | str) -> str:
        return page.as_uri() if isinstance(page, Path) else page

    def _run(self, *arguments: str) -> str:
        self._calls += 1
        profile = self._folder / f"profile-{self._calls}"
        done = subprocess.run(
            [self._program, *_QUIET, f"--user-data-dir={profile}", *arguments],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
        return done.stdout


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        if os.environ.get("ROLLBACK_CONSOLE_REQUIRE_REAL"):
            pytest.fail("no browser: apt-get install chromium")
        pytest.skip("no browser: apt-get install chromium")
    return Browser(program, tmp_path)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(written(record(evening.chained(evening.resolved().history)), "html", BERLIN))
    return path


def pixels(picture: Path) -> tuple[int, int, list[tuple[int, int, int]]]:
    """Width, height and every pixel's colour of an 8-bit PNG without interlacing, which is what the browser writes."""
    data = picture.read_bytes()
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    assert (depth, interlaced) == (8, 0)
    channels = {2: 3, 6: 4}[kind]
    parts, at = [], 8
    while at < len(data):
        (length,), name = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        if name == b"IDAT":
            parts.append(data[at + 8 : at + 8 + length])
        at += length + 12
    raw, stride = zlib.decompress(b"".join(parts)), width * channels
    above, found = bytearray(stride), []
    for row in range(height):
        start = row * (stride + 1)
        line = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), above, channels)
        found += [(line[i], line[i + 1], line[i + 2]) for i in range(0, stride, channels)]
        above = line
    return width, height, found


def _unfiltered(kind: int, line: bytearray, above: bytearray, channels: int) -> bytearray:
    """PNG specification, 9.2: each byte is the difference to its neighbours."""
    for i in range(len(line)):
        left = line[i - channels] if i >= channels else 0
        corner = above[i - channels] if i >= channels else 0
        up = above[i]
        if kind == 4:
            nearest = min((left, up, corner), key=lambda n, e=left + up - corner: abs(e - n))
        line[i] = (line[i] + (0, left, up, (left + up) // 2, nearest if kind == 4 else 0)[kind]) & 0xFF
    return line


def colours(picture: Path) -> dict[tuple[int, int, int], int]:
    _, _, found = pixels(picture)
    counted: dict[tuple[int, int, int], int] = {}
    for colour in found:
        counted[colour] = counted.get(colour, 0) + 1
    return counted


def test_the_browser_understands_it_as_it_was_written(browser: Browser, report: Path) -> None:
    dom = browser.dom(report)
    for tag in ("section", "table", "tr", "figure", "polyline", "pre", "dl"):
        assert len(re.findall(f"<{tag}[ >]", dom)) == len(re.findall(f"<{tag}[ >]", report.read_text())) > 0, tag


def test_it_is_drawn_on_a_screen_with_its_curves_and_thresholds(browser: Browser, report: Path) -> None:
    counted = colours(browser.picture(report, 1000, 2000))
    assert max(counted, key=lambda c: counted[c]) == (255, 255, 255)
    assert counted.get((29, 95, 191), 0) > 500, "the curves, and the links"
    assert counted.get((179, 22, 27), 0) > 500, "the thresholds, and what fired"
    assert counted.get((26, 107, 60), 0) > 200, "what is well"


def test_it_is_dark_where_the_reader_wants_it_dark(browser: Browser, report: Path) -> None:
    counted = colours(browser.picture(report, 1000, 1500, "--blink-settings=preferredColorScheme=0"))
    assert max(counted, key=lambda c: counted[c]) == (20, 23, 26)


def test_on_a_narrow_screen_nothing_but_a_wide_table_needs_scrolling(browser: Browser, report: Path) -> None:
    """A picture as wide as the window shows the right margin of the text: empty, but for tables in their own frame."""
    width, _, found = pixels(browser.picture(report, 600, 900))
    margin = [found[row * width + column] for row in range(900) for column in range(width - 8, width)]
    assert set(margin) == {(255, 255, 255)}


def test_it_prints_on_a_few_pages_with_its_text(browser: Browser, report: Path) -> None:
    paper = browser.paper(report)
    assert paper.read_bytes().startswith(b"%PDF-")
    if not shutil.which("pdftotext"):
        pytest.skip("no pdftotext: apt-get install poppler-utils")
    text = subprocess.run(["pdftotext", "-layout", paper, "-"], capture_output=True, text=True, check=True).stdout
    pages = text.split("\f")[:-1]
    assert 5 <= len(pages) <= 25
    assert "INC-0001 · QEC-SFT migration" in pages[0]
    assert "2026-03-28 23:08:57 CET" in text
    assert "Hash of its last event" in pages[-1] or "Hash of its last event" in pages[-2]


class _Listening(http.server.BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_text_of_an_event_neither_runs_nor_loads_anything(browser: Browser, tmp_path: Path) -> None:
    """Against a server that listens: an image, a style, a link that is fetched ahead, a script that says that it ran."""
    asked: list[str] = []
    handler = type("Handler", (_Listening,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        text = (
            f"<script>document.title='ran'</script><img src={url}/img onerror=\"document.title='ran'\">"
            f"<link rel=stylesheet href={url}/css><iframe src={url}/frame></iframe>"
            f"<style>@import '{url}/import'; body {{ background: url({url}/back) }}</style><svg onload=\"document.title='ran'\">"
        )
        path = tmp_path / "hostile.html"
        path.write_text(written(poisoned(text), "html", BERLIN))
        dom = browser.dom(path)
        assert browser.dom(f"{url}/control") is not None
        server.shutdown()
    assert "/control" in asked, "the listener hears a browser that does ask"
    assert [a for a in asked if a not in ("/control", "/favicon.ico")] == []
    assert "<title>ran" not in dom
    assert "&lt;script&gt;document.title" in dom
