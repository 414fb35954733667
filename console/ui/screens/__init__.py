"""One file a screen or modal. Only `main.py` is needed for the first paint; the others are imported when they open."""
