"""A cluster context: target kind `kubernetes`.

`client.py` speaks to the API server, `wire.py` under it makes one exchange, `auth.py` opens it as kubeconfig says, `objects.py`
says what of an object counts, `edits.py` carries a change of several objects out, `rollout.py` watches workloads, `readers.py`
finds who reads a ConfigMap or Secret, `step.py` is what every step kind of Kubernetes shares. Importing this package does not
import the `kubernetes` client.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.targets.kubernetes.client import TIMEOUT_SECONDS, KubernetesTarget

KIND = "kubernetes"


class Options(TableOptions):
    """A cluster as kubeconfig knows it, or the cluster that the console itself runs in."""

    kubeconfig: FilePath | None = None
    """The kubeconfig file; left out: $KUBECONFIG, then ~/.kube/config."""
    context: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The context in that file; left out: its current one, which is named on every screen."""
    in_cluster: bool = False
    """Use the service account of the pod that the console runs in."""
    timeout_seconds: PositiveDuration = TIMEOUT_SECONDS
    """How long the API server may be silent before a call counts as unanswered."""


def build(name: str, options: Options) -> KubernetesTarget:
    return KubernetesTarget(
        name,
        kubeconfig=options.kubeconfig,
        context=options.context,
        in_cluster=options.in_cluster,
        timeout_seconds=options.timeout_seconds,
    )
