"""The whole of the procedure on real servers: everything that it acts on, as the migration left it."""

from tests.real.whole.systems import Whole

__all__ = ["Whole"]
