"""One file of the journal as SQLite keeps it: schema, settings, rows. All its SQL.

The schema is the guard: no update, no delete, no gap, nothing after the closing
mark, whatever the code above does. Text is read as bytes and decoded here, so that
a damaged row is always found by its digest and never by an accident of typing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import apsw

from kiosk.records.chain import (
    Closing,
    Entry,
    Head,
    Origin,
    Signature,
    closing_text,
    follows,
    head_text,
    origin_text,
)
from kiosk.records.keys import is_signed

# 3.7.0 to 3.51.2 can corrupt a WAL database when two connections checkpoint and
# write at the same moment (sqlite.org/wal.html, "The WAL-Reset Bug").
LEAST_SQLITE = (3, 51, 3)

APPLICATION_ID = 0x534F4A31  # "SOJ1", so that file(1) can tell
SCHEMA_VERSION = 1

# How long one process waits for the other while it recovers or folds in the log.
BUSY_MS = 5_000

SCHEMA = """
create table origin (
    id              integer primary key check (id = 1),
    lane_id         text    not null,
    epoch           text    not null,
    first_seq       integer not null check (first_seq > 0),
    previous_digest text    not null check (length(previous_digest) in (0, 64)),
    public_key      blob    not null check (length(public_key) = 32),
    signature       blob    not null check (length(signature) = 64)
) strict;

create table entry (
    seq      integer primary key check (seq > 0),
    at_ms    integer not null,
    mono_ms  integer not null,
    boot_id  text    not null,
    kind     text    not null check (kind <> ''),
    body     text    not null check (json_valid(body)),
    training integer not null check (training in (0, 1)),
    digest   text    not null check (length(digest) = 64)
) strict;

create table signature (
    seq       integer primary key references entry (seq),
    digest    text    not null check (length(digest) = 64),
    signature blob    not null check (length(signature) = 64)
) strict;

create table closing (
    id        integer primary key check (id = 1),
    seq       integer not null references entry (seq),
    digest    text    not null check (length(digest) = 64),
    at_ms     integer not null,
    signature blob    not null check (length(signature) = 64)
) strict;

create trigger entry_follows before insert on entry
    when new.seq <> coalesce((select max(seq) + 1 from entry),
                             (select first_seq from origin))
    begin select raise(abort, 'journal entries have no gaps'); end;
create trigger entry_is_closed before insert on entry
    when exists (select 1 from closing)
    begin select raise(abort, 'this journal file is closed'); end;

create trigger entry_is_final before update on entry
    begin select raise(abort, 'journal entries are final'); end;
create trigger entry_is_kept before delete on entry
    begin select raise(abort, 'journal entries are kept'); end;
create trigger signature_is_final before update on signature
    begin select raise(abort, 'signatures are final'); end;
create trigger signature_is_kept before delete on signature
    begin select raise(abort, 'signatures are kept'); end;
create trigger origin_is_final before update on origin
    begin select raise(abort, 'the origin is final'); end;
create trigger origin_is_kept before delete on origin
    begin select raise(abort, 'the origin is kept'); end;
create trigger closing_is_final before update on closing
    begin select raise(abort, 'the closing mark is final'); end;
create trigger closing_is_kept before delete on closing
    begin select raise(abort, 'the closing mark is kept'); end;
"""

INSERT_ENTRY = "insert into entry values (?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_SIGNATURE = "insert into signature values (?, ?, ?)"
INSERT_CLOSING = "insert into closing values (1, ?, ?, ?, ?)"
INSERT_ORIGIN = "insert into origin values (1, ?, ?, ?, ?, ?, ?)"

_ENTRY = (
    "select seq, at_ms, mono_ms, cast(boot_id as blob), cast(kind as blob),"
    " cast(body as blob), training, cast(digest as blob) from entry"
)
_AFTER = f"{_ENTRY} where seq > ? order by seq limit ?"
_SIGNATURES = (
    "select seq, cast(digest as blob), signature from signature"
    " where seq > ? order by seq"
)
_LAST_SIGNATURE = (
    "select seq, cast(digest as blob), signature from signature"
    " order by seq desc limit 1"
)
_ORIGIN = (
    "select cast(lane_id as blob), cast(epoch as blob), first_seq,"
    " cast(previous_digest as blob), public_key, signature from origin"
)
_CLOSING = "select seq, cast(digest as blob), at_ms, signature from closing"
_SCHEMA = (
    "select cast(type as blob), cast(name as blob), cast(tbl_name as blob),"
    " cast(sql as blob) from sqlite_schema"
)

# What SQLite raises over a damaged file; its words may quote bytes that are no text.
DAMAGE = (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, UnicodeDecodeError)


class JournalDamaged(OSError):
    """The file is not the journal it should be. The words are the technician's."""


def connect(
    path: Path | str, vfs: str | None = None, *, create: bool = False
) -> apsw.Connection:
    """Open a file for the one connection that writes, with every setting read back.

    Everything that must last goes through SQLite's file layer: with `vfs`, a
    simulation puts the file on a disk of its own.
    """
    db = _open(path, vfs, create=create)
    try:
        if vfs is not None:
            # A simulated disk has no shared memory; alone, WAL does without.
            _set(db, "locking_mode", "exclusive")
        _set(db, "journal_mode", "wal")
        # WAL alone may lose the last commits on power loss; FULL (2) may not.
        _set(db, "synchronous", 2)
        # Folding in is the lane's decision, taken when it is idle.
        db.wal_autocheckpoint(0)
    except BaseException:
        db.close()
        raise
    return db


def connect_to_read(path: Path | str, vfs: str | None = None) -> apsw.Connection:
    """Open a file for reading beside the lane, or after it, or instead of it.

    Opened for writing with `query_only`: a read-only connection can neither recover
    a log that a cut left behind nor open a cleanly closed file. Never checkpoints.
    """
    path = Path(path)
    log = path.with_name(path.name + "-wal")
    if vfs is None and not os.access(path.parent, os.W_OK) and not _has_content(log):
        # A copy on a medium that is write-protected; nobody else changes it.
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        db = _open(uri, None, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    else:
        db = _open(path, vfs)
    try:
        if vfs is not None:
            _set(db, "locking_mode", "exclusive")
        db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        db.wal_autocheckpoint(0)
        _set(db, "query_only", 1)
    except BaseException:
        db.close()
        raise
    return db


def lay_out(db: apsw.Connection, origin: Origin, signature: bytes) -> None:
    """Make an empty file a journal; the caller holds the transaction."""
    db.execute(SCHEMA)
    db.pragma("application_id", APPLICATION_ID)
    db.pragma("user_version", SCHEMA_VERSION)
    db.execute(
        INSERT_ORIGIN,
        (
            origin.lane_id,
            origin.epoch,
            origin.first_seq,
            origin.previous_digest,
            origin.public_key,
            signature,
        ),
    )


def read_origin(db: apsw.Connection) -> Origin:
    """Return where the file begins; raise when it is no whole journal."""
    if schema_of(db) != _schema_expected():
        if not schema_of(db):
            raise JournalDamaged("this is no journal: it has no tables")
        raise JournalDamaged("the tables of this file are not those of a journal")
    rows = list(db.execute(_ORIGIN))
    if len(rows) != 1:
        raise JournalDamaged("this file does not say which lane it belongs to")
    lane_id, epoch, first_seq, previous, public_key, signature = rows[0]
    origin = Origin(
        _text(lane_id, "the lane"),
        _text(epoch, "the epoch"),
        _number(first_seq, "the first number"),
        _text(previous, "the previous digest"),
        _bytes(public_key, "the public key"),
    )
    if not is_signed(
        origin.public_key, origin_text(origin), _bytes(signature, "a signature")
    ):
        raise JournalDamaged("the file's first page was changed: lane, epoch or key")
    return origin


def schema_of(db: apsw.Connection) -> list[tuple[object, ...]]:
    """Return the file's own account of its tables and triggers."""
    return list(db.execute(_SCHEMA))


def entries_after(db: apsw.Connection, seq: int, limit: int = -1) -> Iterator[Entry]:
    """Yield the entries that follow `seq`, oldest first, as they stand."""
    try:
        for row in db.execute(_AFTER, (seq, limit)):
            yield _entry(row)
    except DAMAGE as error:
        raise JournalDamaged(f"the journal cannot be read: {error}") from error


def last_entry(db: apsw.Connection) -> Entry | None:
    """Return the newest entry."""
    row = db.execute(f"{_ENTRY} order by seq desc limit 1").fetchone()
    return None if row is None else _entry(row)


def signatures_after(db: apsw.Connection, seq: int) -> Iterator[Signature]:
    """Yield the signed heads that follow `seq`, oldest first, as they stand."""
    for row in db.execute(_SIGNATURES, (seq,)):
        yield _signature(row)


def last_signature(db: apsw.Connection) -> Signature | None:
    """Return the newest signed head."""
    row = db.execute(_LAST_SIGNATURE).fetchone()
    return None if row is None else _signature(row)


def read_closing(db: apsw.Connection) -> Closing | None:
    """Return the closing mark, or None while the file may still grow."""
    row = db.execute(_CLOSING).fetchone()
    if row is None:
        return None
    seq, digest, at_ms, signature = row
    return Closing(
        _number(seq, "the closing mark"),
        _text(digest, "the closing mark"),
        _number(at_ms, "the closing mark"),
        _bytes(signature, "the closing mark"),
    )


def structure_problem(db: apsw.Connection) -> str:
    """Return what SQLite's own check finds wrong with the file, or nothing."""
    finding = db.execute("pragma integrity_check(1)").fetchone()
    return "" if finding == ("ok",) else str(finding[0] if finding else "no answer")


def check_chain(db: apsw.Connection, origin: Origin) -> Head:
    """Return the head after checking numbers, chain and the newest signature.

    What a lane does before it goes on; `verify` checks every signature besides.
    """
    head = origin.before
    signed = last_signature(db)
    for entry in entries_after(db, -1):
        if problem := follows(entry, head):
            raise JournalDamaged(problem)
        head = Head(entry.seq, entry.digest)
        if signed is not None and signed.seq == entry.seq:
            if problem := signature_problem(origin, signed, entry.digest):
                raise JournalDamaged(problem)
            signed = None
    if signed is not None:
        raise JournalDamaged(
            f"entry {signed.seq} was signed, but the file ends at {head.seq}"
        )
    return head


def signature_problem(origin: Origin, signed: Signature, digest: str) -> str:
    """Say what is wrong with a signed head, given its entry's digest."""
    text = head_text(origin.lane_id, origin.epoch, signed.seq, signed.digest)
    if signed.digest != digest or not is_signed(
        origin.public_key, text, signed.signature
    ):
        return f"the signature of entry {signed.seq} is not the lane's"
    return ""


def closing_problem(origin: Origin, closing: Closing, head: Head) -> str:
    """Say what is wrong with a closing mark, given the file's last entry."""
    text = closing_text(origin, closing.seq, closing.digest, closing.at_ms)
    if not is_signed(origin.public_key, text, closing.signature):
        return "the closing mark is not the lane's"
    if (closing.seq, closing.digest) != (head.seq, head.digest):
        return f"the file was closed at entry {closing.seq}, but ends at {head.seq}"
    return ""


def _open(
    path: Path | str,
    vfs: str | None,
    *,
    create: bool = False,
    flags: int = apsw.SQLITE_OPEN_READWRITE,
) -> apsw.Connection:
    version = apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")) < LEAST_SQLITE:
        least = ".".join(map(str, LEAST_SQLITE))
        raise RuntimeError(f"SQLite {version} can corrupt a journal: need {least}")
    if create:
        flags |= apsw.SQLITE_OPEN_CREATE
    db = apsw.Connection(str(path), flags=flags, vfs=vfs)
    try:
        db.set_busy_timeout(BUSY_MS)
        db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        db.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        db.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1)
        _set(db, "trusted_schema", 0)
        _set(db, "foreign_keys", 1)
        _set(db, "cell_size_check", 1)
        db.pragma("mmap_size", 0)
    except BaseException:
        db.close()
        raise
    return db


def _set(db: apsw.Connection, name: str, value: str | int) -> None:
    db.pragma(name, value)
    if (found := db.pragma(name)) != value:
        raise JournalDamaged(f"SQLite keeps {name} at {found!r}, needed {value!r}")


@cache
def _schema_expected() -> list[tuple[object, ...]]:
    db = apsw.Connection(":memory:")
    db.execute(SCHEMA)
    return schema_of(db)


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _entry(row: tuple[object, ...]) -> Entry:
    seq = _number(row[0], "an entry's number")
    what = f"entry {seq}"
    training = _number(row[6], what)
    if training not in (0, 1):
        raise JournalDamaged(f"{what} holds a value that cannot be")
    return Entry(
        seq,
        _number(row[1], what),
        _number(row[2], what),
        _text(row[3], what),
        _text(row[4], what),
        _bytes(row[5], what),
        training == 1,
        _text(row[7], what),
    )


def _signature(row: tuple[object, ...]) -> Signature:
    seq = _number(row[0], "a signature's number")
    what = f"the signature of entry {seq}"
    return Signature(seq, _text(row[1], what), _bytes(row[2], what))


def _number(value: object, what: str) -> int:
    if not isinstance(value, int):
        raise JournalDamaged(f"{what} holds a value that cannot be")
    return value


def _bytes(value: object, what: str) -> bytes:
    if not isinstance(value, bytes):
        raise JournalDamaged(f"{what} holds a value that cannot be")
    return value


def _text(value: object, what: str) -> str:
    try:
        return _bytes(value, what).decode()
    except UnicodeDecodeError as error:
        raise JournalDamaged(f"{what} holds text that cannot be read") from error
