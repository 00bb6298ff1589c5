"""The back office at the far end of a bad line.

The real intake on its real tables, the real hello and push, and between them a
network that loses requests, loses answers, sends twice, sends tomorrow, and mixes up
what it answers. The server can lose its last hours to an older backup.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from sqlite3 import Connection

from sqlalchemy import bindparam, select

from kiosk.backoffice import tables
from kiosk.backoffice.intake import Intake
from kiosk.backoffice.store import Store
from kiosk.bench.simulation import shop
from kiosk.bench.simulation.machine import FOLDER, KEY, Machine
from kiosk.bench.simulation.schedule import OPENING_MS, Schedule
from kiosk.records.chain import Entry, Head
from kiosk.records.rotation import JournalShelf
from kiosk.sync.push import SyncError, TooLarge, sync
from kiosk.sync.wire import (
    ENROL_DOMAIN,
    HELLO_DOMAIN,
    NOTHING,
    Batch,
    Enrol,
    Held,
    Hello,
    Refusal,
    Welcome,
    make_batch,
    pack,
    seal,
    unpack,
)

_TOKEN = "token"  # noqa: S105  (a shop of memory has no secret)

_ENTRY = select(tables.entry.c.seq).where(
    tables.entry.c.seq == bindparam("seq"),
    tables.entry.c.digest == bindparam("digest"),
)


@cache
def _store() -> Store:
    """One database for all runs of a process: laying it out anew takes longer than
    a shopper takes to buy."""
    return Store.in_memory()


@cache
def _blank() -> bytes:
    return _image(_store())


def _image(store: Store) -> bytes:
    with store.reading() as connection:
        return _sqlite(connection.connection.dbapi_connection).serialize()


def _sqlite(connection: object) -> Connection:
    if not isinstance(connection, Connection):
        raise TypeError("the back office's database is not SQLite")
    return connection


class Trail:
    """The lane's journal as sync reads it, all files of it.

    The growing file is read through the lane's own connection: a simulated disk has
    no shared memory, and sync sees what is committed, no more.
    """

    def __init__(self, machine: Machine) -> None:
        if machine.journal is None:
            raise SyncError("the lane's machine is off", is_online=False)
        self._journal = machine.journal
        self._shelf = JournalShelf(FOLDER, vfs=machine.disk.vfs, folder=machine.disk)

    @property
    def epoch(self) -> str:
        return self._journal.epoch

    @property
    def head(self) -> Head:
        return self._journal.head

    def after(self, seq: int, limit: int) -> list[Entry]:
        if seq + 1 >= self._journal.first_seq:
            return self._journal.after(seq, limit)
        return self._shelf.after(seq, limit)

    def epoch_of(self, seq: int) -> str:
        if seq >= self._journal.first_seq:
            return self._journal.epoch
        return self._shelf.holding(seq).epoch

    def close(self) -> None:
        self._shelf.close()


class Office:
    """The server, its backups, the network to it, and the lane's sync process.

    `trouble` is how likely each message goes wrong. `contact` and `make_intake` are
    seams for the tests of the simulator.
    """

    contact = staticmethod(sync)
    make_intake: Callable[..., Intake] = Intake

    def __init__(self, schedule: Schedule, random: Random, machine: Machine) -> None:
        self.is_cut = False
        self.trouble = 0.0
        self.messages_lost = 0
        self.restores = 0
        self.acknowledged = NOTHING
        self._schedule = schedule
        self._random = random
        self._machine = machine
        self._ids = 0
        self._backups: list[bytes] = []
        self._earlier_helds: list[Held] = []
        self._store = _store()
        self._restore(_blank())
        self._intake = type(self).make_intake(self._store, self._now_ms, self._new_id)
        self._enrol()

    # -- the server ----------------------------------------------------------

    def back_up(self) -> None:
        """Keep a copy of the server as it is now."""
        self._backups.append(_image(self._store))

    def restore(self) -> bool:
        """Put the server back to an earlier copy."""
        if not self._backups:
            return False
        self.restores += 1
        self._restore(self._random.choice(self._backups))
        self._enrol()
        return True

    def entries(self) -> list[tuple[int, int, str]]:
        """Return branch, number and digest of all the server holds."""
        with self._store.reading() as connection:
            found = connection.execute(
                select(
                    tables.entry.c.branch_id, tables.entry.c.seq, tables.entry.c.digest
                ).order_by(tables.entry.c.branch_id, tables.entry.c.seq)
            )
            return [(row[0], row[1], row[2]) for row in found]

    def holds(self, head: Head) -> bool:
        """Say whether the server holds this very entry."""
        with self._store.reading() as connection:
            about = {"seq": head.seq, "digest": head.digest}
            found = connection.execute(_ENTRY, about)
            return found.first() is not None

    def amount_minor(self, kind: str) -> int:
        """Return the sum of one kind of fact, training left out."""
        with self._store.reading() as connection:
            rows = connection.execute(
                select(tables.fact.c.amount_minor).where(
                    tables.fact.c.kind == kind, tables.fact.c.training.is_(False)
                )
            )
            return sum(row[0] for row in rows)

    def alarms(self) -> list[str]:
        """Return what the server would tell the owner."""
        with self._store.reading() as connection:
            return [row[0] for row in connection.execute(select(tables.alarm.c.what))]

    def _restore(self, image: bytes) -> None:
        with self._store.reading() as connection:
            _sqlite(connection.connection.dbapi_connection).deserialize(image)

    def _enrol(self) -> None:
        asked = Enrol(shop.LANE_ID, KEY.public, _TOKEN)
        answer = self._intake.enrol(seal(KEY, ENROL_DOMAIN, asked), _TOKEN)
        if isinstance(answer, Refusal):
            raise RuntimeError(answer.reason)

    def _now_ms(self) -> int:
        return OPENING_MS + self._schedule.now_ms

    def _new_id(self) -> str:
        self._ids += 1
        return f"epoch-{self._ids}"

    # -- one contact ---------------------------------------------------------

    def meet(self) -> bool:
        """Make one contact; return whether the back office answered to the end."""
        trail = Trail(self._machine)
        try:
            type(self).contact(
                trail,
                shop.LANE_ID,
                self.acknowledged,
                self._say_hello,
                lambda before, entries: self._post(before, entries, trail.epoch_of),
                self._save,
            )
        except SyncError:
            return False
        finally:
            trail.close()
        return True

    def _save(self, acknowledged: Head) -> None:
        self.acknowledged = acknowledged

    def _say_hello(self, hello: Hello) -> Welcome:
        self._may_lose()
        if self._strikes(0.2):
            # A server that has gone mad: signed, and wrong.
            wrong = Head(hello.head.seq, "0" * 64)
            return Welcome("?", wrong, wrong)
        answer = self._intake.hello(hello.lane_id, seal(KEY, HELLO_DOMAIN, hello))
        self._may_lose()
        if isinstance(answer, Refusal):
            raise SyncError(answer.reason)
        return answer

    def _post(
        self, before: Head, entries: list[Entry], epoch_of: Callable[[int], str]
    ) -> Held | TooLarge:
        if self._strikes(0.2):
            return TooLarge()
        epoch = epoch_of(entries[0].seq)
        batch = make_batch(KEY, shop.LANE_ID, epoch, before, entries)
        if self._strikes(1.0):
            # As it travels: packed, unpacked, perhaps with a changed byte.
            packed = bytearray(pack(batch))
            if self._strikes(3.0):
                packed[self._random.randrange(len(packed))] ^= 1
            try:
                batch = unpack(bytes(packed))
            except ValueError as error:
                self.messages_lost += 1
                raise SyncError(str(error)) from error
        if self._strikes(0.5):
            self._deliver_late(batch, self._random.uniform(1_000, 4_000_000))
        self._may_lose()
        if self._strikes(0.3) and (strange := self._other_than(entries)):
            return strange
        answer = self._deliver(batch)
        if self._strikes(0.7):
            answer = self._deliver(batch)
        self._may_lose()
        if isinstance(answer, Refusal):
            raise SyncError(answer.reason)
        self._earlier_helds.append(answer)
        return answer

    def _other_than(self, entries: list[Entry]) -> Held | None:
        """Return an answer to another batch than this one."""
        mine = range(entries[0].seq, entries[-1].seq + 1)
        others = [held for held in self._earlier_helds if held.held.seq not in mine]
        return self._random.choice(others) if others else None

    def _deliver_late(self, batch: Batch, delay_ms: float) -> None:
        def deliver() -> None:
            self._deliver(batch)

        self._schedule.after(delay_ms, deliver)

    def _deliver(self, batch: Batch) -> Held | Refusal:
        return self._intake.take(batch)

    def _may_lose(self) -> None:
        if self.is_cut or self._strikes(1.0):
            self.messages_lost += 1
            raise SyncError("the network lost it", is_online=False)

    def _strikes(self, weight: float) -> bool:
        return self._random.random() < self.trouble * weight
