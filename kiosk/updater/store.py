"""Where an update stands, on disk: the updater's own state, and what others may read.

Both files are replaced in one step, so that a power cut leaves the old or the new one.
Decides nothing.
"""

from __future__ import annotations

import logging
from enum import Enum
from pathlib import Path

import msgspec

from kiosk.records.disk import replace_file
from kiosk.updater.bootloader import Slot
from kiosk.updater.words import Reason

log = logging.getLogger(__name__)


class Phase(Enum):
    """How far an update is."""

    IDLE = "idle"
    WRITING = "writing"
    WRITTEN = "written"
    LEASE = "lease"
    REBOOTING = "rebooting"
    TESTING = "testing"
    KEPT = "kept"
    FALLEN_BACK = "fallen_back"
    REFUSED = "refused"

    @property
    def is_over(self) -> bool:
        """May the next bundle be looked at?"""
        return self in (Phase.IDLE, Phase.KEPT, Phase.FALLEN_BACK, Phase.REFUSED)


class Failed(msgspec.Struct, frozen=True):
    """A release that did not work here, and how often it was tried."""

    reason: Reason
    times: int = 1


class State(msgspec.Struct, frozen=True):
    """One update, from taking its bundle to its end, and what failed before.

    `baseline` are the devices that were ready before the restart. `is_rescue`: no
    bundle was written, but a release that no longer starts gives way to the other.
    `home` is the slot that was last seen to run as the newest good one.
    """

    phase: Phase = Phase.IDLE
    release: str = ""
    from_release: str = ""
    from_slot: Slot | None = None
    to_slot: Slot | None = None
    # The bundle's name in the inbox, until it is gone from there.
    inbox_name: str = ""
    may_go_back: bool = False
    is_rescue: bool = False
    baseline: tuple[str, ...] = ()
    tries: int = 0
    reason: Reason | None = None
    detail: str = ""
    # When the new release was last known to be only written: no later clock is behind.
    written_ms: int = 0
    at_ms: int = 0
    failed: dict[str, Failed] = {}
    home: Slot | None = None
    home_release: str = ""


class Status(msgspec.Struct, frozen=True):
    """What the service screen shows and sync reports. Fields are only ever added.

    `waits_for` is why the lane does not close yet: starting, basket, suspended,
    payment, obligation, service, battery, or silent when the lane does not answer.
    """

    phase: Phase
    release: str
    running_release: str
    running_slot: Slot | None
    reason: Reason | None
    words: str
    detail: str
    waits_for: str
    other_slot_is_good: bool
    failed: dict[str, str]
    at_ms: int


class Folders(msgspec.Struct, frozen=True):
    """Where the updater keeps things, and where it finds what others put there."""

    own: Path = Path("/var/lib/stillopen-updater")
    state: Path = Path("/state")
    fleet_key: Path = Path("/etc/stillopen/fleet-key.pub")
    data: Path = Path("/var")

    @property
    def inbox(self) -> Path:
        return self.own / "inbox"

    @property
    def bundle(self) -> Path:
        """The bundle that is being installed: the updater's own copy."""
        return self.own / "bundle.swu"

    @property
    def permission(self) -> Path:
        return self.inbox / "downgrade.json"

    @property
    def attempts(self) -> Path:
        return self.state / "boot-attempts"


class Store:
    """The two documents in the updater's folder."""

    def __init__(self, folder: Path) -> None:
        self._state = folder / "state.json"
        self._status = folder / "status.json"

    def load(self) -> State:
        """Return where the update stood; a file that cannot be read is none."""
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=State)
        except FileNotFoundError:
            return State()
        except (OSError, msgspec.DecodeError) as error:
            log.error("the update's state cannot be read, begun anew: %s", error)
            return State()

    def save(self, state: State) -> None:
        """Put the state on disk."""
        replace_file(self._state, msgspec.json.encode(state), 0o600)

    def tell(self, status: Status) -> None:
        """Put the status where others read it, if it says anything new."""
        text = msgspec.json.format(msgspec.json.encode(status)) + b"\n"
        try:
            if self._status.read_bytes() == text:
                return
        except OSError:
            pass
        replace_file(self._status, text, 0o644)


class Attempts:
    """Counts the starts in a row that came to nothing, on the STATE partition."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def count(self) -> int:
        try:
            return int(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

    def add(self) -> int:
        """Count this start; return how many it makes."""
        count = self.count + 1
        replace_file(self._path, f"{count}\n".encode(), 0o644)
        return count

    def clear(self) -> None:
        """This start came to something."""
        if self.count:
            replace_file(self._path, b"0\n", 0o644)
