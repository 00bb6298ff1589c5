"""kiosk enrol: asks the back office to take this kiosk, until an admin has.

Whatever goes wrong outside becomes words on the screen and another try. Nothing is
kept of an approval whose settings this release cannot use.
"""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from random import Random

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from kiosk.enrolment.files import Places, Shown, adopt, former_lane, machine_key, show
from kiosk.fleet_settings import FleetSettings
from kiosk.machine import Release as Root
from kiosk.settings import ConfigError, parse
from kiosk.sync.claim import Claim, Grant, code_of, open_grant
from kiosk.sync.claim import shown as in_groups
from kiosk.sync.office import Office
from kiosk.sync.push import SyncError, retry_seconds
from kiosk.sync.wire import WireError

log = logging.getLogger(__name__)

# Somebody stands before the screen and waits; and fifty kiosks ask at once.
ASK_SECONDS = 5.0
# A refused kiosk stands there until somebody thinks again.
REFUSED_SECONDS = 60.0
LONGEST_RETRY_SECONDS = 120.0


class _Asked(msgspec.Struct, frozen=True):
    """One claim, its code, and the box its approval comes in."""

    claim: Claim
    code: str
    box: X25519PrivateKey


class Enroller:
    """Asks until it is told. Used from one thread; `go_round` raises `SyncError`."""

    def __init__(
        self,
        fleet: FleetSettings,
        places: Places,
        release: Root,
        *,
        answer_seconds: float = 10.0,
    ) -> None:
        self._fleet = fleet
        self._places = places
        self._release = release
        self._key = machine_key(places)
        self._answer_seconds = answer_seconds
        self._asked: _Asked | None = None
        self._trouble = ""

    def go_round(self) -> float:
        """Ask once; return how long to wait, or 0 when this kiosk is a lane now."""
        office_key = self._fleet.pinned_key or self._key_of_office()
        asked = self._asked
        if asked is None or asked.claim.office_key != office_key:
            asked = self._asked = self._draw(office_key)
        self.tell(self._trouble)
        with closing(self._office(office_key)) as office:
            approval = office.claim(asked.claim)
        match approval.state:
            case "waiting":
                return ASK_SECONDS
            case "refused":
                self._asked = None
                self._trouble = "the back office refused this kiosk's last code"
                return REFUSED_SECONDS
            case "expired":
                self._asked = None
                return ASK_SECONDS
            case "approved":
                return self._take(asked, approval.sealed)

    def tell(self, trouble: str) -> None:
        """Show the code, and what is wrong."""
        code = in_groups(self._asked.code) if self._asked else ""
        show(Shown(code, trouble), self._places)

    def _take(self, asked: _Asked, sealed: bytes) -> float:
        self._asked = None
        try:
            grant = open_grant(sealed, asked.box)
            self._check(grant, asked.claim.office_key)
        except (WireError, ConfigError) as error:
            # A new code: what was approved cannot be used, and must be mended first.
            self._trouble = f"approved, but not usable: {error}"
            log.error("%s", self._trouble)
            return ASK_SECONDS
        adopt(grant, self._fleet.office, self._places)
        log.info("this kiosk is %s from now on", grant.lane_id)
        return 0.0

    @staticmethod
    def _check(grant: Grant, office_key: bytes) -> None:
        if grant.office_key != office_key:
            raise WireError("the approval is another back office's")
        settings = parse(grant.settings, "lane.toml")
        if settings.lane_id != grant.lane_id:
            raise ConfigError(
                f"lane.toml: lane_id: expected {grant.lane_id!r}, as approved"
            )

    def _draw(self, office_key: bytes) -> _Asked:
        box = X25519PrivateKey.generate()
        box_key = box.public_key().public_bytes_raw()
        claim = Claim(
            self._key.public,
            box_key,
            office_key,
            self._release.hardware,
            self._release.release,
            former_lane(self._places),
        )
        return _Asked(claim, code_of(self._key.public, office_key, box_key), box)

    def _key_of_office(self) -> bytes:
        with closing(self._office(b"")) as office:
            return office.key()

    def _office(self, office_key: bytes) -> Office:
        return Office(
            self._fleet.office,
            "",
            self._key,
            office_key,
            answer_seconds=self._answer_seconds,
        )


def run(enroller: Enroller, stop: threading.Event, random: Random) -> bool:
    """Ask until `stop` is set or this kiosk is a lane; say whether it is one."""
    failures = 0
    while not stop.is_set():
        try:
            wait = enroller.go_round() * random.uniform(0.5, 1.5)
            failures = 0
            if not wait:
                return True
        except SyncError as error:
            failures += 1
            log.warning("enrolment waits: %s", error)
            enroller.tell(str(error))
            again = retry_seconds(failures, random.random(), LONGEST_RETRY_SECONDS)
            wait = max(error.wait_seconds, again)
        stop.wait(wait)
    return False
