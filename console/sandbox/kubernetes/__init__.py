"""The drill's Kubernetes: one small cluster in this process that answers as a real API server does.

`api.py` is the way in. `server.py` speaks HTTP, `registry.py` carries every write out, `storage.py` remembers, `controllers/`
moves.
What a type's fields are is said once, in `schema.json`, and everything that needs to know asks `schema.py`: decoding and strict
fields, strategic merge, server-side apply and OpenAPI. `docs/drill-kubernetes.md` says what is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from console.sandbox.kubernetes.api import KubernetesApi

__all__ = ["KubernetesApi"]


def __getattr__(name: str) -> Any:
    """`api.py` brings an HTTP server with it; it is imported when somebody asks for it."""
    if name == "KubernetesApi":
        from console.sandbox.kubernetes.api import KubernetesApi

        return KubernetesApi
    raise AttributeError(name)
