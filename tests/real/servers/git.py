"""A git remote: bare repositories on disk, served by git's own http-backend(1) on loopback, with answers lost as a test wants."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

Fate = Literal[
    "pass",
    "lose",  # the push is never delivered, and the connection breaks
    "swallow",  # delivered and carried out, and the connection breaks instead of an answer
]


def git(*arguments: str, cwd: Path, author: str = "Migration", **env: str) -> str:
    """Runs git as somebody does, and gives what it said."""
    done = subprocess.run(
        ["git", "-c", "commit.gpgSign=false", "-c", "protocol.file.allow=always", *arguments],
        cwd=cwd,
        env={
            **os.environ,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": author,
            "GIT_AUTHOR_EMAIL": "someone@example.com",
            "GIT_COMMITTER_NAME": author,
            "GIT_COMMITTER_EMAIL": "someone@example.com",
            **env,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Remote:
    """A bare repository. `commit` is what somebody else pushes; `refs` is all that anybody can see of it."""

    def __init__(self, folder: Path, name: str = "policies.git") -> None:
        self.path = folder / name
        self._desk = folder / f"{name}.desk"
        git("init", "--quiet", "--bare", "--initial-branch=main", str(self.path), cwd=folder)
        git("init", "--quiet", "--initial-branch=main", str(self._desk), cwd=folder)
        git("config", "http.receivepack", "true", cwd=self.path)

    @property
    def refs(self) -> dict[str, str]:
        lines = git("for-each-ref", "--format=%(refname) %(objectname)", cwd=self.path).splitlines()
        return {line.partition(" ")[0]: line.partition(" ")[2] for line in lines}

    @property
    def main(self) -> str:
        return self.refs["refs/heads/main"]

    def commit(self, subject: str, *, author: str = "Migration", onto: str = "main", file: str = "policy.rego") -> str:
        """A commit on top of a branch, pushed; the branch is made when it isn't there."""
        known = self.refs.get(f"refs/heads/{onto}")
        git("checkout", "--quiet", "--orphan", "desk", cwd=self._desk) if known is None else None
        if known is not None:
            git("fetch", "--quiet", str(self.path), f"refs/heads/{onto}", cwd=self._desk)
            git("checkout", "--quiet", "--detach", known, cwd=self._desk)
        (self._desk / file).write_text(f"# {subject}\n")
        git("add", "--all", cwd=self._desk)
        git("commit", "--quiet", "--message", subject, cwd=self._desk, author=author)
        git("push", "--quiet", str(self.path), f"HEAD:refs/heads/{onto}", cwd=self._desk)
        if known is None:
            git("checkout", "--quiet", "--detach", cwd=self._desk)
            git("branch", "--quiet", "-D", "desk", cwd=self._desk)
        return self.refs[f"refs/heads/{onto}"]

    def set(self, ref: str, sha: str) -> None:
        """What an administrator does on the server."""
        git("update-ref", ref, sha, cwd=self.path)

    def hook(self, name: str, script: str) -> None:
        file = self.path / "hooks" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def subjects(self, ref: str = "refs/heads/main") -> list[str]:
        return git("log", "--format=%s", ref, cwd=self.path).splitlines()


class GitServer:
    """Serves the repositories of a folder over HTTP while the `with` block lasts. `fate` is asked about each push."""

    def __init__(self, folder: Path, credentials: str = "", bearer: str = "") -> None:
        self.fate: Callable[[], Fate] = lambda: "pass"
        self.pushes = 0
        """How many pushes came here, delivered or not."""
        self.refused = 0
        self.headers: list[Mapping[str, str]] = []
        self._folder = folder
        self._wanted = f"Basic {base64.b64encode(credentials.encode()).decode()}" if credentials else ""
        self._wanted = f"Bearer {bearer}" if bearer else self._wanted
        self._backend = str(Path(git("--exec-path", cwd=folder)) / "git-http-backend")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def allowed(self, headers: Mapping[str, str]) -> bool:
        self.headers.append(dict(headers))
        given = headers.get("Authorization", "")
        if self._wanted and given != self._wanted:
            self.refused += bool(given)
            return False
        return True

    def run(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """One request through the CGI program: status, headers, body."""
        parts = urlsplit(target)
        env = {
            **os.environ,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_PROJECT_ROOT": str(self._folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": method,
            "REMOTE_USER": "someone",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": headers.get("Git-Protocol", ""),
            "GIT_PROTOCOL": headers.get("Git-Protocol", ""),
        }
        done = subprocess.run([self._backend], input=body, env=env, capture_output=True, check=False)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        return int(fields.pop("Status", "200").split()[0]), fields, answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with contextlib.suppress(OSError):
                    super().handle_one_request()
                    return
                self.close_connection = True

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if not server.allowed(dict(self.headers)):
                    self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
                    return
                fate: Fate = "pass"
                if self.path.endswith("/git-receive-pack"):
                    server.pushes += 1
                    fate = server.fate()
                if fate != "lose":
                    status, fields, answer = server.run(self.command, self.path, dict(self.headers), body)
                if fate == "pass":
                    self._answer(status, fields, answer)
                    return
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            do_GET = do_POST = _pass  # noqa: N815 - the names of http.server

            def _answer(self, status: int, fields: Mapping[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
                """Says nothing."""

        return Handler
