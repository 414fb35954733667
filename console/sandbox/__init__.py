"""The systems of a drill, each a small server on loopback that behaves as the real one does."""
