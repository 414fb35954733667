"""The screen. View states come in through `bridge.py`, commands go out through it; nothing else crosses."""
