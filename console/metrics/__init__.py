"""Where a trigger's samples come from: one file a kind of source, discovered by its `KIND`."""
