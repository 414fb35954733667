"""What tests/real/test_kubernetes_access.py holds of a token and of a file holds of the drill's cluster too."""

from tests.real.test_kubernetes_access import test_a_kubeconfig_that_is_not_one, test_a_wrong_token

__all__ = ["test_a_kubeconfig_that_is_not_one", "test_a_wrong_token"]
