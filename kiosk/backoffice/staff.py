"""Who may help at the lanes: a fleet's attendants and technicians, as an admin sets them.

Every change is a new roster for all lanes, signed, with a higher version. A PIN is
hashed with the shop's secret as it comes; it is never kept, logged or sent on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from kiosk.backoffice.orders import Orders
from kiosk.domain.attending import ROLES
from kiosk.records import pins
from kiosk.records.documents import Attendant, Roster, sign_roster
from kiosk.records.keys import SigningKey
from kiosk.sync.wire import Document, Signed, read

KIND = "roster"
# What a lane's pad takes.
LONGEST_NUMBER = 8
LONGEST_NAME = 40
# Every lane keeps all of them and sends none back; far more than a shop employs.
MOST = 2_000


class StaffError(ValueError):
    """A change that is not made, in the admin's words."""


class Colleague(msgspec.Struct, frozen=True):
    """One who may help, as an admin sees them: never a PIN or its hash."""

    attendant_id: str
    name: str
    roles: tuple[str, ...]


class Staff:
    """The roster that is given out. Safe to use from several threads."""

    def __init__(
        self,
        orders: Orders,
        key: SigningKey,
        secret: bytes,
        now_ms: Callable[[], int],
    ) -> None:
        self._orders = orders
        self._key = key
        self._secret = secret
        self._now_ms = now_ms
        # A hash takes 64 MiB: however many ask, one at a time.
        self._hashing = threading.Lock()

    def all(self) -> list[Colleague]:
        """Return who may help, by number."""
        found = _attendants(self._orders.newest(KIND, 0))
        return sorted(map(_seen, found), key=lambda one: one.attendant_id)

    def put(
        self, number: str, name: str, roles: tuple[str, ...], pin: str
    ) -> Colleague:
        """Add one, or change the one with this number; no PIN keeps the former.

        Takes a fifth of a second with a PIN.
        """
        name = " ".join(name.split())
        _check(number, name, roles)
        pin_hash = self._hash(pin) if pin else ""
        ordered = tuple(role for role in ROLES if role in roles)

        def change(staff: dict[str, Attendant]) -> None:
            former = staff.get(number)
            kept = pin_hash or (former.pin_hash if former else "")
            if not kept:
                raise StaffError(
                    f"nobody has number {number} yet: a new one needs a PIN"
                )
            if former is None and len(staff) >= MOST:
                raise StaffError(f"there are {MOST:,} already: remove who has left")
            staff[number] = Attendant(number, name, ordered, kept)

        self._revise(change)
        return Colleague(number, name, ordered)

    def remove(self, number: str) -> Colleague:
        """Take one away: no lane that hears of it lets them sign on any more."""
        gone: list[Attendant] = []

        def change(staff: dict[str, Attendant]) -> None:
            if number not in staff:
                raise StaffError(f"nobody has number {number!r}")
            gone.append(staff.pop(number))

        self._revise(change)
        return _seen(gone[0])

    def _revise(self, change: Callable[[dict[str, Attendant]], None]) -> None:
        def revised(newest: Document | None) -> tuple[int, bytes]:
            held = _roster(newest)
            staff = {one.attendant_id: one for one in held.attendants}
            change(staff)
            # Above what any lane has, even when this database came from a backup.
            version = max(held.version + 1, self._now_ms() // 1000)
            roster = sign_roster(version, tuple(staff.values()), self._key)
            return version, msgspec.json.encode(roster)

        self._orders.revise(KIND, revised)

    def _hash(self, pin: str) -> str:
        with self._hashing:
            try:
                return pins.hash_pin(self._secret, pin)
            except pins.WeakPin as error:
                raise StaffError(str(error)) from None


def _check(number: str, name: str, roles: tuple[str, ...]) -> None:
    is_number = number.isascii() and number.isdigit()
    if not is_number or len(number) > LONGEST_NUMBER:
        raise StaffError(
            f"a number is 1 to {LONGEST_NUMBER} digits, as they are typed at the kiosk"
        )
    if not name or not name.isprintable() or len(name) > LONGEST_NAME:
        raise StaffError(f"a name has 1 to {LONGEST_NAME} characters")
    for role in roles:
        if role not in ROLES:
            raise StaffError(f"{role!r} is no role: expected {', '.join(ROLES)}")
    if not roles:
        raise StaffError(f"one who helps has a role: {', '.join(ROLES)}")


def _attendants(signed: Signed | None) -> tuple[Attendant, ...]:
    return _roster(None if signed is None else read(signed.text, Document)).attendants


def _roster(document: Document | None) -> Roster:
    if document is None:
        return Roster(0, ())
    roster = read(bytes(document.content), Roster)
    # The document's version counts for what is given out.
    return msgspec.structs.replace(roster, version=document.version)


def _seen(one: Attendant) -> Colleague:
    return Colleague(one.attendant_id, one.name, one.roles)
