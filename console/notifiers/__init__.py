"""The kinds of channels that a notice goes through: one file each, discovered by its `KIND`."""
