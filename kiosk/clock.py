"""The machine's clocks and its randomness, in the one place that may read them."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """Wall and monotonic time of this machine."""

    def __init__(self) -> None:
        try:
            self.boot_id = _BOOT_ID.read_text().strip()
        except OSError:
            # No such file off Linux: then each start counts as a boot.
            self.boot_id = secrets.token_hex(16)

    def now_ms(self) -> int:
        """Return the wall clock in epoch milliseconds, UTC. May jump."""
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> int:
        """Return milliseconds since the boot. Never goes back."""
        return time.monotonic_ns() // 1_000_000


class RandomIds:
    """Ids that no two lanes share, and draws nobody can foresee."""

    def new(self) -> str:
        """Return a new id."""
        return secrets.token_hex(16)

    def draw(self) -> int:
        """Return a number from 0 to 9999."""
        return secrets.randbelow(10_000)
