"""Moments for people: in the reader's own time zone, and in UTC. Every section and every writer asks this."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo


@dataclass(frozen=True, slots=True)
class Times:
    """`zone` is None for the machine's own, with the offset that held there at each moment."""

    zone: tzinfo | None = UTC
    name: str = "UTC"

    @property
    def is_utc(self) -> bool:
        return self.zone is UTC

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)

    def differs(self, at: datetime) -> bool:
        """Whether the zone's clock shows another time than UTC."""
        return bool(self.local(at).utcoffset())

    def full(self, at: datetime) -> str:
        """`2026-03-01 23:00:01 CET (22:00:01 UTC)`."""
        if not self.differs(at):
            return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        return f"{self.zoned(at)} ({self.utc(at)} UTC)"

    def zoned(self, at: datetime) -> str:
        local = self.local(at)
        return f"{local:%Y-%m-%d %H:%M:%S} {local.tzname() if self.differs(at) else 'UTC'}"

    def utc(self, at: datetime) -> str:
        """The time of day; with its date where that is not the zone's own."""
        utc, local = at.astimezone(UTC), self.local(at)
        return f"{utc:%H:%M:%S}" if utc.date() == local.date() else f"{utc:%Y-%m-%d %H:%M:%S}"

    def clock(self, at: datetime) -> str:
        """The time of day alone, in the zone."""
        return f"{self.local(at):%H:%M:%S}"

    def day(self, at: datetime) -> str:
        return f"{self.local(at):%Y-%m-%d}"
