"""Between a client and PostgreSQL: passes bytes on until the client's COMMIT, and loses what a test wants lost.

The COMMIT is delivered whole before its answer is thrown away, so that "sent, and no answer" is exactly that.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from types import TracebackType
from typing import Literal, Self

Fate = Literal[
    "pass",
    "lose",  # the COMMIT is never delivered, both connections break
    "swallow",  # delivered, answered, and the client's connection breaks instead of an answer
    "abandon",  # delivered; the client's connection breaks at once, the server's stays
]


class PostgresProxy:
    """Serves while the `with` block lasts; `fate` is what becomes of the next COMMITs, `commits` counts those that came."""

    def __init__(self, port: int) -> None:
        self.fate: Fate = "pass"
        self.commits = 0
        self._upstream = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._kept: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.release()

    def release(self) -> None:
        """Ends the server's ends of abandoned connections."""
        for one in self._kept:
            one.close()
        self._kept.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        server = socket.create_connection(self._upstream)
        keep = False
        with contextlib.suppress(OSError):
            keep = self._pass_on(client, server)
        client.close()
        if keep:
            self._kept.append(server)
        else:
            server.close()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> bool:
        """Until either end closes or a COMMIT meets its fate; True when the server's end is to stay."""
        while True:
            for ready in select.select([client, server], [], [])[0]:
                data = ready.recv(65_536)
                if not data:
                    return False
                if ready is client and b"COMMIT" in data:
                    self.commits += 1
                    if self.fate != "pass":
                        return self._lose(data, server)
                (server if ready is client else client).sendall(data)

    def _lose(self, data: bytes, server: socket.socket) -> bool:
        if self.fate == "lose":
            return False
        server.sendall(data)
        if self.fate == "swallow":
            server.recv(65_536)
            return False
        return True
