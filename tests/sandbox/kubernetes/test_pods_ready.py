"""What tests/real/test_kubernetes_pods_ready.py holds of the real control plane holds of the drill's cluster too."""

from tests.real.test_kubernetes_pods_ready import *  # noqa: F403 - every test of it
