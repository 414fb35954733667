"""Why a query has no answer: the types of error that the API tells apart."""

from __future__ import annotations


class BadQuery(Exception):
    """The query is none (`bad_data`)."""


class CannotExecute(Exception):
    """The query is one, but has no answer here (`execution`)."""


class TimedOut(Exception):
    """The answer would take longer than it may (`timeout`)."""
