"""`python -m bench.source`: a metric source that costs little and answers at once, so that a bench measures who asks it.

Speaks as much of Prometheus' query API as triggers need. A query `big…` has a thousand series, of which some three hundred are
beyond 0.7, others at each answer; any other has one, at 0.5. The first line on its output is its port.
"""

from __future__ import annotations

import asyncio
import json
import time
from email.utils import formatdate
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

SERIES = 1000
_VARIETY = 16
_TIME = "987654321.123"


def main() -> None:
    asyncio.run(_serve())


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class _Answering(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, self._received = self._received.split(b"\r\n\r\n", 1)
            body = _answer(head.split(b" ", 2)[1].decode())
            date = formatdate(usegmt=True)
            lines = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n\r\n"
            self._transport.write(lines.encode() + body)


def _answer(path: str) -> bytes:
    parts = urlsplit(path)
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    series = SERIES if asked["query"].startswith("big") else 1
    if parts.path.endswith("query_range"):
        return _range(series, float(asked["start"]), float(asked["end"]), float(asked["step"]))
    ready = _INSTANTS[series]
    return ready[time.time_ns() % len(ready)].replace(_TIME.encode(), f"{time.time():.3f}".encode())


def _instant(series: int, chance: Random) -> bytes:
    return _success(
        "vector",
        [
            {"metric": _labels(i), "value": [float(_TIME), f"{chance.random() if series > 1 else 0.5:.6f}"]}
            for i in range(series)
        ],
    )


def _range(series: int, start: float, end: float, step: float) -> bytes:
    moments = [start + i * step for i in range(int((end - start) / step + 1e-6) + 1)]
    values = ",".join(f'[{moment:.3f},"0.5"]' for moment in moments)
    result = ",".join(f'{{"metric":{metric},"values":[{values}]}}' for metric in _METRICS[:series])
    return f'{{"status":"success","data":{{"resultType":"matrix","result":[{result}]}}}}'.encode()


def _labels(number: int) -> dict[str, str]:
    return {
        "__name__": "http_request_duration_seconds",
        "instance": f"10.1.{number // 250}.{number % 250}:9090",
        "job": "api",
        "namespace": "acgs-pgp",
        "pod": f"acgs-pgp-gateway-6f7d8c9b5-{number:05}",
    }


def _success(kind: str, result: object) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


_METRICS = [json.dumps(_labels(i)) for i in range(SERIES)]
_INSTANTS = {
    1: [_instant(1, Random(0))],  # noqa: S311 - the same at each run
    SERIES: [_instant(SERIES, Random(i)) for i in range(_VARIETY)],  # noqa: S311
}


if __name__ == "__main__":
    main()
