"""The migration of the seed's procedure, as objects on a real control plane, and a procedure file that takes it back."""

from tests.real.scene.breach import breach
from tests.real.scene.objects import DASHBOARD, DASHBOARD_IMAGES, GATEWAY, MONITORING, NAMESPACE, create, reset, seed
from tests.real.scene.procedure import write_procedure

__all__ = [
    "DASHBOARD",
    "DASHBOARD_IMAGES",
    "GATEWAY",
    "MONITORING",
    "NAMESPACE",
    "breach",
    "create",
    "reset",
    "seed",
    "write_procedure",
]
