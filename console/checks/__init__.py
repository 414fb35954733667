"""The kinds of checks on the checklist: one file each, discovered by its `KIND`."""
