"""How many labels a scanner had to drop, and what that makes of its health.

Time is passed in. It will never tell every drop: a noisy line must not flood the
lane, so health changes at most once per quiet time.
"""

from __future__ import annotations

from collections import Counter, deque

from hardware.ports import DeviceState, Health

# A trained cashier reaches one item a second, a stuck scanner sends hundreds.
MOST_SCANS_PER_SECOND = 10
# So long without a drop and the line is called good again.
QUIET_SECONDS = 10.0


class Tally:
    """Counts drops by cause, and remembers the last second's scans."""

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self._dropped_at: float | None = None
        self._taken: deque[float] = deque(maxlen=MOST_SCANS_PER_SECOND)

    def drop(self, cause: str, now: float) -> None:
        """Count one label that was not passed on."""
        self.dropped[cause] += 1
        self._dropped_at = now

    def may_pass(self, now: float) -> bool:
        """Take one scan, or drop it when this second has had its share."""
        if len(self._taken) == MOST_SCANS_PER_SECOND and now - self._taken[0] < 1.0:
            self.drop("too many in a second", now)
            return False
        self._taken.append(now)
        return True

    def health(self, now: float) -> Health:
        """Return DEGRADED while drops are recent."""
        if self._dropped_at is None or now - self._dropped_at >= QUIET_SECONDS:
            return Health.READY
        return Health.DEGRADED

    def state(self, now: float) -> DeviceState:
        """Return the health of a scanner that is there, with its counts."""
        return DeviceState(self.health(now), self.detail())

    def detail(self) -> str:
        """Return the counts in the technician's words; empty when none was dropped."""
        counts = ", ".join(f"{n} {cause}" for cause, n in sorted(self.dropped.items()))
        return f"labels dropped: {counts}" if counts else ""
