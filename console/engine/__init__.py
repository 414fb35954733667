"""The engine: the single writer of the journal, the one way to any effect, and the picture that everybody is shown."""
