"""An incident console for taking a migration back, component by component."""

__version__ = "0.2.0"
