"""The back office's database, as intake uses it: one writer, and what is on disk.

SQLAlchemy Core on SQLite. When `writing` ends without an error its changes are on
disk; with one, nothing of them is.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from sqlalchemy import (
    Connection,
    Engine,
    Row,
    StaticPool,
    bindparam,
    create_engine,
    event,
    insert,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from kiosk.backoffice import tables
from kiosk.backoffice.projection import Projection
from kiosk.records.chain import Entry, Head

# SQLite takes 32,766 parameters in one statement; two for each point.
POINTS_AT_ONCE = 500


class Branch(msgspec.Struct, frozen=True):
    """A run of entries without a gap, and where it ends."""

    branch_id: int
    epoch: str
    start: Head
    held: Head
    new_epoch: str


class Store:
    """The database. Safe to use from several threads."""

    def __init__(self, engine: Engine, reader: Engine) -> None:
        self._engine = engine
        self._reader = reader
        # SQLite before 3.51.3, which Python may bring, can corrupt a WAL file when
        # two connections write or fold it in at once: there is one that does.
        self._lock = threading.Lock()
        with self.writing() as book:
            book.lay_out()

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open the database in a file, made when there is none."""
        url = f"sqlite:///{path}"
        engine = create_engine(
            url, poolclass=StaticPool, connect_args={"check_same_thread": False}
        )
        reader = create_engine(url, connect_args={"check_same_thread": False})
        event.listen(engine, "connect", _set_up_writer)
        event.listen(engine, "begin", _begin_writing)
        event.listen(reader, "connect", _set_up_reader)
        event.listen(reader, "begin", _begin_reading)
        return cls(engine, reader)

    @classmethod
    def in_memory(cls) -> Store:
        """Return a database that is gone with the process: for the simulation."""
        engine = create_engine(
            "sqlite://",
            poolclass=StaticPool,
            connect_args={"check_same_thread": False},
        )
        event.listen(engine, "connect", _set_up_memory)
        event.listen(engine, "begin", _begin_writing)
        return cls(engine, engine)

    @contextmanager
    def writing(self) -> Iterator[Book]:
        """Give the one hold on the database that may change it."""
        with self._lock, self._engine.begin() as connection:
            yield Book(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a view of the database as it is now."""
        if self._reader is self._engine:
            with self._lock, self._engine.begin() as connection:
                yield connection
        else:
            with self._reader.begin() as connection:
                yield connection

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()
        self._reader.dispose()


_BRANCH = select(
    tables.branch.c.branch_id,
    tables.branch.c.epoch,
    tables.branch.c.start_seq,
    tables.branch.c.start_digest,
    tables.branch.c.held_seq,
    tables.branch.c.held_digest,
    tables.branch.c.new_epoch,
)
_BRANCHES_ENDING = _BRANCH.where(
    tables.branch.c.lane_id == bindparam("lane_id"),
    tables.branch.c.held_seq == bindparam("seq"),
    tables.branch.c.held_digest == bindparam("digest"),
)
_EXTEND = (
    update(tables.branch)
    .where(tables.branch.c.branch_id == bindparam("extended"))
    .values(held_seq=bindparam("seq"), held_digest=bindparam("digest"))
)
_LANE_KEY = select(tables.lane.c.public_key).where(
    tables.lane.c.lane_id == bindparam("lane_id")
)
_TAKEN = (
    update(tables.directive)
    .where(tables.directive.c.directive_id == bindparam("taken"))
    .values(taken_seq=bindparam("seq"))
)


class Book:
    """The database while it is being written: everything or nothing lasts."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def lay_out(self) -> None:
        """Make the tables where there are none."""
        tables.metadata.create_all(self.connection)
        for guard in tables.GUARDS:
            self.connection.execute(text(guard))
        if self.connection.execute(select(tables.office.c.id)).first() is None:
            self.connection.execute(
                insert(tables.office).values(id=1, server_epoch=secrets.token_hex(8))
            )

    def server_epoch(self) -> str:
        """Return which database this is."""
        return str(
            self.connection.execute(select(tables.office.c.server_epoch)).scalar_one()
        )

    def lane_key(self, lane_id: str) -> bytes | None:
        """Return the public key of an enrolled lane."""
        key = self.connection.execute(_LANE_KEY, {"lane_id": lane_id}).scalar()
        return None if key is None else bytes(key)

    def enrol(self, lane_id: str, public_key: bytes, now_ms: int) -> None:
        """Make a lane known."""
        self.connection.execute(
            insert(tables.lane).values(
                lane_id=lane_id, public_key=public_key, enrolled_ms=now_ms
            )
        )

    def change_key(self, lane_id: str, public_key: bytes) -> None:
        """Let another machine be a lane that is known."""
        self.connection.execute(
            update(tables.lane)
            .where(tables.lane.c.lane_id == lane_id)
            .values(public_key=public_key)
        )

    def note_machine(self, lane_id: str, slot: str, updater: str) -> None:
        """Keep what the lane's machine last said of itself."""
        known = self.connection.execute(
            update(tables.machine)
            .where(tables.machine.c.lane_id == lane_id)
            .values(slot=slot, updater=updater)
        )
        if not known.rowcount:
            self.connection.execute(
                insert(tables.machine).values(
                    lane_id=lane_id, slot=slot, updater=updater
                )
            )

    def note_contact(self, lane_id: str, **values: str | int) -> None:
        """Keep what the lane last said of itself."""
        self.connection.execute(
            update(tables.lane).where(tables.lane.c.lane_id == lane_id).values(**values)
        )

    def branches_ending(self, lane_id: str, head: Head) -> list[Branch]:
        """Return the branches whose newest entry this is."""
        rows = self.connection.execute(
            _BRANCHES_ENDING,
            {"lane_id": lane_id, "seq": head.seq, "digest": head.digest},
        )
        return [_branch(row) for row in rows]

    def branches(self, lane_id: str) -> list[Branch]:
        """Return all branches of a lane, oldest first."""
        rows = self.connection.execute(
            _BRANCH.where(tables.branch.c.lane_id == lane_id).order_by(
                tables.branch.c.branch_id
            )
        )
        return [_branch(row) for row in rows]

    def newest_known(
        self, lane_id: str, points: Iterable[Head]
    ) -> tuple[Head, Branch] | None:
        """Return the newest of the points that is held, and its branch."""
        branches = {branch.branch_id: branch for branch in self.branches(lane_id)}
        wanted = sorted(points, key=lambda point: -point.seq)
        best: tuple[Head, Branch] | None = None
        for start in range(0, len(wanted), POINTS_AT_ONCE):
            some = [(p.seq, p.digest) for p in wanted[start : start + POINTS_AT_ONCE]]
            row = self.connection.execute(
                select(
                    tables.entry.c.seq, tables.entry.c.digest, tables.entry.c.branch_id
                )
                .where(
                    tables.entry.c.branch_id.in_(list(branches)),
                    tuple_(tables.entry.c.seq, tables.entry.c.digest).in_(some),
                )
                .order_by(tables.entry.c.seq.desc(), tables.entry.c.branch_id)
                .limit(1)
            ).first()
            if row is not None:
                best = Head(row.seq, row.digest), branches[row.branch_id]
                break
        # A branch may begin where no entry is held any more, or none yet.
        for branch in branches.values():
            if branch.start in wanted and (
                best is None or branch.start.seq > best[0].seq
            ):
                best = branch.start, branch
        return best

    def begin_branch(
        self, lane_id: str, epoch: str, start: Head, *, is_fork: bool = False
    ) -> Branch:
        """Begin a run of entries after `start`."""
        result = self.connection.execute(
            insert(tables.branch).values(
                lane_id=lane_id,
                epoch=epoch,
                start_seq=start.seq,
                start_digest=start.digest,
                held_seq=start.seq,
                held_digest=start.digest,
                is_fork=is_fork,
            )
        )
        key = result.inserted_primary_key
        if key is None:
            raise RuntimeError("the database gave a new row no number")
        return Branch(int(key[0]), epoch, start, start, "")

    def give_epoch(self, branch: Branch, new_epoch: str) -> None:
        """Keep which epoch this branch's lane is asked to go on in."""
        self.connection.execute(
            update(tables.branch)
            .where(tables.branch.c.branch_id == branch.branch_id)
            .values(new_epoch=new_epoch)
        )

    def extend(self, branch: Branch, entries: list[Entry], now_ms: int) -> None:
        """Add entries to the end of a branch."""
        self.connection.execute(
            insert(tables.entry),
            [
                {
                    "branch_id": branch.branch_id,
                    "seq": entry.seq,
                    "at_ms": entry.at_ms,
                    "mono_ms": entry.mono_ms,
                    "boot_id": entry.boot_id,
                    "kind": entry.kind,
                    "body": entry.body,
                    "training": entry.training,
                    "digest": entry.digest,
                    "received_ms": now_ms,
                }
                for entry in entries
            ],
        )
        self.connection.execute(
            _EXTEND,
            {
                "extended": branch.branch_id,
                "seq": entries[-1].seq,
                "digest": entries[-1].digest,
            },
        )

    def add_facts(
        self,
        lane_id: str,
        branch: Branch,
        read: list[tuple[Entry, Projection]],
    ) -> None:
        """Keep what entries mean, to be looked up."""
        rows = [
            {
                "branch_id": branch.branch_id,
                "seq": entry.seq,
                "number": number,
                "lane_id": lane_id,
                "at_ms": entry.at_ms,
                "training": entry.training,
                **msgspec.structs.asdict(found),
            }
            for entry, projection in read
            for number, found in enumerate(projection.found)
        ]
        if rows:
            self.connection.execute(insert(tables.fact), rows)
        for entry, projection in read:
            if projection.directive_id:
                self.connection.execute(
                    _TAKEN, {"taken": projection.directive_id, "seq": entry.seq}
                )

    def raise_alarm(self, lane_id: str, subject: str, what: str, now_ms: int) -> None:
        """Tell the owner something, once for each subject."""
        told = self.connection.execute(
            select(tables.alarm.c.alarm_id).where(
                tables.alarm.c.lane_id == lane_id, tables.alarm.c.subject == subject
            )
        ).first()
        if told is None:
            self.connection.execute(
                insert(tables.alarm).values(
                    lane_id=lane_id, subject=subject, at_ms=now_ms, what=what
                )
            )


def _branch(row: Row[int, str, int, str, int, str, str]) -> Branch:
    number, epoch, start_seq, start_digest, held_seq, held_digest, new_epoch = row
    return Branch(
        number,
        epoch,
        Head(start_seq, start_digest),
        Head(held_seq, held_digest),
        new_epoch,
    )


def _set_up_writer(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    # Transactions are begun by us (below), not guessed at by the driver.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("pragma journal_mode = wal")
    # What was answered as held must be on disk after a power cut.
    cursor.execute("pragma synchronous = full")
    cursor.execute("pragma foreign_keys = on")
    cursor.close()


def _set_up_reader(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("pragma query_only = on")
    cursor.close()


def _set_up_memory(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("pragma foreign_keys = on")
    cursor.close()


def _begin_writing(connection: Connection) -> None:
    connection.exec_driver_sql("begin immediate")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("begin")
