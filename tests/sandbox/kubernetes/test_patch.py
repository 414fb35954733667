"""What tests/real/test_kubernetes_patch.py holds of the real control plane holds of the drill's cluster too."""

from tests.real.test_kubernetes_patch import *  # noqa: F403 - every test of it
