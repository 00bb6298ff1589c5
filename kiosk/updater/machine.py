"""What the updater asks of the machine: one seam for all that is outside.

The real machine is `real.py`; the tests' one behaves like EFI Boot Guard and SWUpdate
and can be cut off at every call. Every method may be called again after a power cut.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from kiosk.sync.questions import LaneStatus, LeaseAnswer
from kiosk.updater.bootloader import BootState, Slot


class Running(msgspec.Struct, frozen=True):
    """The release that runs, and the hardware it is for (`stillopen-release`)."""

    release: str
    hardware: str
    variant: str = ""


class Written(msgspec.Struct, frozen=True):
    """How SWUpdate ended, and the end of what it logged."""

    is_good: bool
    log: str


class Machine(Protocol):
    """This machine, as far as an update concerns it."""

    def running(self) -> Running:
        """Return what runs."""
        ...

    def running_slot(self) -> Slot | None:
        """Return the slot whose root is mounted, by its verified hash; or nothing
        when that cannot be told for certain."""
        ...

    def boot_state(self) -> BootState | None:
        """Return both environments, or nothing when one cannot be read."""
        ...

    def machine_id(self) -> str:
        """Return the machine's own id, or nothing."""
        ...

    def install(
        self, bundle: Path, slot: Slot, running: Running, *, may_go_back: bool
    ) -> Written:
        """Write a bundle into a slot and have the boot loader start it next.

        Blocks for minutes. May be repeated after it was cut off.
        """
        ...

    def confirm(self) -> bool:
        """Mark the release that runs as good. Harmless when it is."""
        ...

    def start_next(self, environment: int, revision: int) -> bool:
        """Have the boot loader start this environment next, on trial."""
        ...

    def restart(self) -> None:
        """Order a restart. Returns; the machine goes down a little later."""
        ...

    def failed_units(self) -> tuple[str, ...]:
        """Return the systemd units that failed."""
        ...

    def is_mounted(self, path: Path) -> bool:
        """Is a file system mounted there?"""
        ...

    def free_bytes(self, path: Path) -> int:
        """Return how much may still be written there."""
        ...

    def lane_status(self) -> LaneStatus | None:
        """Return how the lane is, or nothing when it does not answer."""
        ...

    def ask_lease(self, release: str) -> LeaseAnswer | None:
        """Ask the lane to close for this release."""
        ...

    def now_ms(self) -> int:
        """Return the wall clock's time."""
        ...

    def uptime(self) -> float:
        """Return the seconds since the machine started."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...
