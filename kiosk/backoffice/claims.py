"""Blank kiosks that ask to be lanes: kept, approved or refused by an admin, spent once.

A code is worked out here from the keys, never taken from the kiosk; an approval is
written to the one claim with that code, sealed to it, and can be spent once. Never
approves anything by itself.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Row

from kiosk.backoffice import tables
from kiosk.backoffice.store import Book, Store
from kiosk.records.keys import SigningKey
from kiosk.sync.claim import (
    CLAIM_DOMAIN,
    KEY_BYTES,
    Approval,
    Claim,
    Grant,
    claim_id_of,
    code_of,
    seal_grant,
    typed,
)
from kiosk.sync.wire import Refusal, Signed, WireError, read, unseal

# A row's columns have no types where all of a table's are asked for.
_Row: TypeAlias = Row[*tuple[Any, ...]]

# As in lane.toml: it stands on receipts and in addresses.
LANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
HOUR_MS = 3_600_000
# Long enough for a delivery in the morning and an admin in the evening.
CLAIM_LIVES_MS = 24 * HOUR_MS
# A kiosk asks every few seconds; one not heard of for so long was switched off.
GONE_MS = 10 * 60_000
# A store opens with some tens of kiosks behind one address; each may draw a new
# code a few times. Working a code out costs 40 ms of a core.
NEW_PER_ADDRESS = 60
NEW_IN_ALL = 300
MOST_WAITING = 200
LONGEST_WORD = 80
# A long lane.toml with offers; a sealed answer stays far below what sync reads.
LARGEST_SETTINGS = 64 * 1024


class ClaimError(ValueError):
    """An approval that is not given, in the admin's words."""


class ClaimSeen(msgspec.Struct, frozen=True):
    """A claim as an admin sees it. The code is not in it: it is on the kiosk."""

    claim_id: str
    hardware: str
    release: str
    was: str
    address: str
    made_ms: int
    seen_ms: int
    is_gone: bool


class Approved(msgspec.Struct, frozen=True):
    """Which claim was approved for which lane."""

    claim_id: str
    lane_id: str


class Claims:
    """The claims of one back office. Safe to use from several threads."""

    def __init__(
        self,
        store: Store,
        key: SigningKey,
        now_ms: Callable[[], int],
        new_token: Callable[[], str],
        pin_secret: bytes = b"",
    ) -> None:
        self._store = store
        self._key = key
        self._now_ms = now_ms
        self._new_token = new_token
        self._pin_secret = pin_secret
        self._new: deque[tuple[int, str]] = deque()

    def take(self, signed: Signed, address: str) -> Approval | Refusal:
        """Keep a kiosk's claim, or say how things stand with it."""
        try:
            asked = read(signed.text, Claim)
            unseal(signed, CLAIM_DOMAIN, asked.machine_key, Claim)
        except WireError as error:
            return Refusal(400, str(error))
        if asked.office_key != self._key.public:
            return Refusal(409, "the claim is for another back office")
        if {len(asked.machine_key), len(asked.box_key)} != {KEY_BYTES}:
            return Refusal(400, "a key in the claim is no key")
        now_ms = self._now_ms()
        claim_id = claim_id_of(asked)
        with self._store.writing() as book:
            known = _find(book, claim_id)
            if known is not None:
                book.connection.execute(
                    update(tables.claim)
                    .where(tables.claim.c.claim_id == claim_id)
                    .values(seen_ms=now_ms)
                )
                return _standing(known, now_ms)
            if not self._may_begin(book, address, now_ms):
                return Refusal(429, "too many kiosks asked in the last hour")
        # Outside the transaction: it is slow, and lanes wait for the one writer.
        code = code_of(asked.machine_key, self._key.public, asked.box_key)
        with self._store.writing() as book:
            if _find(book, claim_id) is not None:
                # Asked twice at once, since working the code out is slow.
                return Approval("waiting")
            # A machine has one claim that may be approved: the code on its screen.
            book.connection.execute(
                update(tables.claim)
                .where(
                    tables.claim.c.machine_key == asked.machine_key,
                    tables.claim.c.state.in_(("waiting", "approved")),
                )
                .values(state="withdrawn", sealed=b"")
            )
            book.connection.execute(
                insert(tables.claim).values(
                    claim_id=claim_id,
                    machine_key=asked.machine_key,
                    box_key=asked.box_key,
                    code=code,
                    hardware=_word(asked.hardware),
                    release=_word(asked.release),
                    was=_word(asked.was),
                    address=_word(address),
                    made_ms=now_ms,
                    seen_ms=now_ms,
                )
            )
        return Approval("waiting")

    def _may_begin(self, book: Book, address: str, now_ms: int) -> bool:
        while self._new and self._new[0][0] <= now_ms - HOUR_MS:
            self._new.popleft()
        from_there = sum(1 for _, other in self._new if other == address)
        if len(self._new) >= NEW_IN_ALL or from_there >= NEW_PER_ADDRESS:
            return False
        waiting = book.connection.execute(
            select(func.count())
            .select_from(tables.claim)
            .where(
                tables.claim.c.state == "waiting",
                tables.claim.c.made_ms > now_ms - CLAIM_LIVES_MS,
            )
        ).scalar_one()
        if waiting >= MOST_WAITING:
            return False
        self._new.append((now_ms, address))
        return True

    def waiting(self) -> list[ClaimSeen]:
        """Return the kiosks that wait for an admin, the longest first."""
        now_ms = self._now_ms()
        with self._store.reading() as connection:
            rows = connection.execute(
                select(tables.claim)
                .where(
                    tables.claim.c.state == "waiting",
                    tables.claim.c.made_ms > now_ms - CLAIM_LIVES_MS,
                )
                .order_by(tables.claim.c.made_ms)
            )
            return [
                ClaimSeen(
                    row.claim_id,
                    row.hardware,
                    row.release,
                    row.was,
                    row.address,
                    row.made_ms,
                    row.seen_ms,
                    now_ms - row.seen_ms > GONE_MS,
                )
                for row in rows
            ]

    def approve(
        self, code: str, lane_id: str, settings: str, *, replace: bool = False
    ) -> Approved:
        """Let the kiosk with this code on its screen become a lane.

        `replace` lets it take the place of a machine that is a lane already.
        """
        wanted = typed(code)
        if not wanted:
            raise ClaimError(
                "a claim code is 8 letters and digits, as the kiosk's screen shows it"
            )
        _check_settings(lane_id, settings)
        now_ms = self._now_ms()
        with self._store.writing() as book:
            rows = book.connection.execute(
                select(tables.claim).where(
                    tables.claim.c.code == wanted, tables.claim.c.state == "waiting"
                )
            ).all()
            claim = _only_one(rows, now_ms)
            if book.lane_key(lane_id) is not None and not replace:
                raise ClaimError(
                    f"{lane_id} is a lane already. Choose another name, or say that"
                    " this kiosk replaces it"
                )
            # Of two kiosks approved for one lane, the earlier has not come yet.
            book.connection.execute(
                update(tables.claim)
                .where(
                    tables.claim.c.lane_id == lane_id,
                    tables.claim.c.state == "approved",
                )
                .values(state="withdrawn", sealed=b"")
            )
            token = self._new_token()
            grant = Grant(lane_id, settings, self._key.public, token, self._pin_secret)
            try:
                sealed = seal_grant(grant, claim.box_key)
            except WireError as error:
                raise ClaimError(str(error)) from error
            book.connection.execute(
                update(tables.claim)
                .where(tables.claim.c.claim_id == claim.claim_id)
                .values(
                    state="approved",
                    lane_id=lane_id,
                    replaces=replace,
                    token_hash=_hash(token),
                    sealed=sealed,
                    decided_ms=now_ms,
                )
            )
        return Approved(claim.claim_id, lane_id)

    def refuse(self, claim_id: str) -> None:
        """Send a kiosk away; its code is never good again."""
        with self._store.writing() as book:
            done = book.connection.execute(
                update(tables.claim)
                .where(
                    tables.claim.c.claim_id == claim_id,
                    tables.claim.c.state == "waiting",
                )
                .values(state="refused", decided_ms=self._now_ms())
            )
            if not done.rowcount:
                raise ClaimError("no kiosk with this claim waits any more")


class Spent(msgspec.Struct, frozen=True):
    """An approved claim's token that was good. `replaces`: a lane gets a new key."""

    replaces: bool


def spend(
    book: Book, lane_id: str, token: str, public_key: bytes, now_ms: int
) -> Spent | None:
    """Use a token up for this lane's key; None when it is not good, or not any more.

    Spent again by the same key it does nothing and is no error: an answer was lost.
    """
    if not token:
        return None
    row = book.connection.execute(
        select(tables.claim).where(
            tables.claim.c.lane_id == lane_id,
            tables.claim.c.token_hash == _hash(token),
            tables.claim.c.state.in_(("approved", "taken")),
        )
    ).first()
    if row is None:
        return None
    if row.state == "taken":
        return Spent(False) if book.lane_key(lane_id) == public_key else None
    if now_ms - row.decided_ms > CLAIM_LIVES_MS:
        return None
    book.connection.execute(
        update(tables.claim)
        .where(tables.claim.c.claim_id == row.claim_id)
        .values(state="taken", sealed=b"")
    )
    if row.replaces:
        book.raise_alarm(
            lane_id,
            f"claim {row.claim_id}",
            "another machine is this lane from now on, as an admin approved",
            now_ms,
        )
    return Spent(row.replaces)


def _find(book: Book, claim_id: str) -> _Row | None:
    return book.connection.execute(
        select(tables.claim).where(tables.claim.c.claim_id == claim_id)
    ).first()


def _standing(row: _Row, now_ms: int) -> Approval:
    match row.state:
        case "approved" if now_ms - row.decided_ms <= CLAIM_LIVES_MS:
            return Approval("approved", bytes(row.sealed))
        case "waiting" if now_ms - row.made_ms <= CLAIM_LIVES_MS:
            return Approval("waiting")
        case "refused":
            return Approval("refused")
        case _:
            return Approval("expired")


def _only_one(rows: Sequence[_Row], now_ms: int) -> _Row:
    alive = [row for row in rows if now_ms - row.made_ms <= CLAIM_LIVES_MS]
    if not alive:
        raise ClaimError(
            "no kiosk waits with this code. Compare it with the kiosk's screen: it"
            " changes after a restart and once a day"
        )
    if len(alive) > 1:
        raise ClaimError(
            "two kiosks claim with this code, which cannot be by chance: neither is"
            " approved. Refuse both and restart the kiosk"
        )
    if now_ms - alive[0].seen_ms > GONE_MS:
        raise ClaimError(
            "the kiosk with this code has not asked for ten minutes. Switch it on and"
            " compare the code again"
        )
    return alive[0]


def _check_settings(lane_id: str, settings: str) -> None:
    """Refuse what no kiosk could use. The kiosk checks them whole, by its release."""
    if not LANE_ID.fullmatch(lane_id):
        raise ClaimError(
            f"{lane_id!r} is no name for a lane: expected letters, digits, - and _,"
            " like lane-3"
        )
    if len(settings.encode()) > LARGEST_SETTINGS:
        raise ClaimError("the settings are longer than any lane.toml: over 64 KiB")
    try:
        table = tomllib.loads(settings)
    except tomllib.TOMLDecodeError as error:
        raise ClaimError(f"the settings are not TOML: {error}") from error
    if table.get("lane_id") != lane_id:
        raise ClaimError(
            f"the settings are for lane_id = {table.get('lane_id')!r}, and the kiosk"
            f" is to be {lane_id!r}: make them the same"
        )


def _word(text: str) -> str:
    return "".join(char for char in text if char.isprintable())[:LONGEST_WORD]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
