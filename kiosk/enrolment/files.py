"""What enrolment keeps on disk: the machine's key, and what made it a lane.

All or nothing through a power cut: lane.toml is put in place last, and without it
nothing of the rest counts. Never talks to anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from kiosk.records.disk import replace_file
from kiosk.records.keys import SigningKey
from kiosk.settings import Settings
from kiosk.sync.claim import Grant

# The lane's user reads them by its group; nobody but root writes.
FOR_THE_LANE = 0o640
FOR_ROOT = 0o600
FOR_EVERYBODY = 0o644

Put = Callable[[Path, bytes, int], None]


class Places(msgspec.Struct, frozen=True):
    """Where enrolment keeps what: over a factory reset, until one, until power-off."""

    state: Path = Path("/state/identity")
    config: Path = Path("/var/lib/stillopen-config")
    run: Path = Path("/run/stillopen-enrol")

    @property
    def lane_toml(self) -> Path:
        """The settings that make this kiosk a lane."""
        return self.config / "lane.toml"

    @property
    def pins_secret(self) -> Path:
        """What this shop hashes its staff's PINs with, where the grant had it."""
        return self.config / "pins.secret"

    @property
    def claim(self) -> Path:
        """What the screen shows while the kiosk is none."""
        return self.run / "claim.json"


class Identity(msgspec.Struct, frozen=True):
    """Which lane this machine was made: kept over a factory reset, as a hint."""

    lane_id: str
    office_key: str


class Enrolled(msgspec.Struct, frozen=True):
    """Where the lane's back office is, and the token that makes the lane known."""

    lane_id: str
    office: str
    office_key: str
    token: str


class Shown(msgspec.Struct, frozen=True):
    """What the screen says: the claim code, and what is wrong, in staff's words."""

    code: str = ""
    trouble: str = ""


def machine_key(places: Places) -> SigningKey:
    """Return the machine's key, made when there is none."""
    places.state.mkdir(parents=True, exist_ok=True)
    return SigningKey.load_or_create(places.state / "machine.key")


def former_lane(places: Places) -> str:
    """Return the lane this machine was before a factory reset, or nothing."""
    try:
        content = (places.state / "identity.json").read_bytes()
        return msgspec.json.decode(content, type=Identity).lane_id
    except (OSError, msgspec.DecodeError):
        return ""


def adopt(grant: Grant, office: str, places: Places, put: Put = replace_file) -> None:
    """Write down what makes this kiosk a lane; it is one when lane.toml is there."""
    office_key = grant.office_key.hex()
    identity = Identity(grant.lane_id, office_key)
    enrolled = Enrolled(grant.lane_id, office, office_key, grant.token)
    # After a factory reset the folder may be gone with the rest of DATA.
    places.config.mkdir(parents=True, exist_ok=True)
    put(places.state / "identity.json", msgspec.json.encode(identity), FOR_ROOT)
    put(places.config / "office.pub", f"{office_key}\n".encode(), FOR_THE_LANE)
    put(places.config / "enrolled.json", msgspec.json.encode(enrolled), FOR_THE_LANE)
    if grant.pin_secret:
        put(places.pins_secret, grant.pin_secret, FOR_THE_LANE)
    else:
        # Another back office's would fit no PIN of this one.
        places.pins_secret.unlink(missing_ok=True)
    put(places.lane_toml, grant.settings.encode(), FOR_THE_LANE)


def enrolled(places: Places) -> Enrolled | None:
    """Return how this kiosk was enrolled; None where it was not, or not to the end."""
    if not places.lane_toml.exists():
        return None
    try:
        content = (places.config / "enrolled.json").read_bytes()
        return msgspec.json.decode(content, type=Enrolled)
    except (OSError, msgspec.DecodeError):
        return None


def with_office(settings: Settings, places: Places) -> Settings:
    """Return a lane's settings, with its back office where they name none.

    What an admin wrote into lane.toml holds; enrolment fills what is left open.
    """
    found = enrolled(places)
    if found is None or found.lane_id != settings.lane_id:
        return settings
    sync = settings.sync
    if not sync.server_url:
        sync = replace(
            sync,
            server_url=found.office,
            server_key=str(places.config / "office.pub"),
            enrol_token=found.token,
        )
    if not sync.pins_secret and places.pins_secret.exists():
        # Also where lane.toml names an address of its own, as with a proxy before it.
        sync = replace(sync, pins_secret=str(places.pins_secret))
    return replace(settings, sync=sync)


def show(shown: Shown, places: Places, put: Put = replace_file) -> None:
    """Tell the screen; it looks once a second."""
    places.run.mkdir(parents=True, exist_ok=True)
    put(places.claim, msgspec.json.encode(shown), FOR_EVERYBODY)


def what_is_shown(places: Places) -> Shown:
    """Return what the screen is to say; nothing yet is an empty code."""
    try:
        return msgspec.json.decode(places.claim.read_bytes(), type=Shown)
    except (OSError, msgspec.DecodeError):
        return Shown()
