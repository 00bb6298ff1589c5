"""What a technician is shown of this machine, as values.

Read by `kiosk.servicing`, drawn by the screen, in no journal. Touches no file.
"""

from __future__ import annotations

import msgspec

DEVELOPMENT = "development"


class Release(msgspec.Struct, frozen=True):
    """What /usr/lib/stillopen-release and the kernel's command line say."""

    release: str = ""
    variant: str = ""
    build: str = ""
    hardware: str = ""
    root_hash: str = ""


class Update(msgspec.Struct, frozen=True):
    """The updater's last word: its phase, the release it is about, and why not.

    As it stands in status.json; `words` is the reason in English.
    """

    phase: str = ""
    release: str = ""
    reason: str | None = None
    words: str = ""
    at_ms: int = 0
    running_slot: str | None = None


class NetworkCard(msgspec.Struct, frozen=True):
    """One network interface as it is now, and whether its address was set by hand."""

    name: str
    address: str = ""
    gateway: str = ""
    names: tuple[str, ...] = ()
    has_link: bool = False
    is_fixed: bool = False


class DeviceLook(msgspec.Struct, frozen=True):
    """One device: its driver, how it is, and what was last the matter with it."""

    name: str
    driver: str = ""
    health: str = ""
    trouble: str = ""
    trouble_ms: int = 0


class Queue(msgspec.Struct, frozen=True):
    """What the back office is not yet known to hold.

    `entries` is -1 where it could not be counted; `sales` are those among them that
    moved money. Times are epoch milliseconds, 0 for none.
    """

    entries: int = -1
    sales: int = -1
    oldest_ms: int = 0
    contact_ms: int = 0
    has_office: bool = False


class TrialStep(msgspec.Struct, frozen=True):
    """One step of a card terminal's trial. `code`: earlier, nothing_taken, answers,
    amount, card, pin, take_card, approved, told, given_back.
    """

    code: str
    terminal_id: str = ""
    amount_minor: int = 0
    currency: str = ""


class Machine(msgspec.Struct, frozen=True):
    """Everything the service screen shows that is not the lane's own state.

    `done_bytes` is how far the deed in hand has come, 0 where that is not known;
    `trial` the steps of the card terminal's trial so far.
    """

    release: Release = Release()
    lane_id: str = ""
    catalog_ms: int = 0
    update: Update = Update()
    cards: tuple[NetworkCard, ...] = ()
    devices: tuple[DeviceLook, ...] = ()
    queue: Queue = Queue()
    done_bytes: int = 0
    trial: tuple[TrialStep, ...] = ()
    now_ms: int = 0


NOTHING_KNOWN = Machine()
