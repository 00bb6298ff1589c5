"""The electronic journal: everything the lane did, in order, for good.

When `append` returns, the entry is on disk. Nothing is ever changed or deleted.
A write that failed kills the handle: the lane stops selling, opens the journal
anew, which checks it, and goes on or closes. It never retries on the same handle,
because a second flush after a failed one may succeed without having written.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import apsw

from kiosk.records import journal_file
from kiosk.records.chain import (
    Closing,
    Entry,
    Head,
    Origin,
    Signature,
    closing_text,
    entry_digest,
    head_text,
    origin_text,
)
from kiosk.records.disk import sync_folder
from kiosk.records.journal_file import JournalDamaged
from kiosk.records.keys import LaneKey

__all__ = [
    "Entry",
    "Head",
    "Journal",
    "JournalDamaged",
    "JournalFailed",
    "JournalReader",
    "Signature",
]

# 16 MiB of log at 4 KiB a page: an evening's sales without one idle minute. Above
# it an append folds the log in itself, some 30 ms, rather than let it grow.
LONGEST_LOG_PAGES = 4096


class JournalFailed(OSError):
    """An entry could not be put on disk. The words are the operator's."""


class Journal:
    """One file of the journal, open for the lane, its only writer.

    Used from one thread. `close` it; a killed process may leave it open, the next
    `open` recovers.
    """

    def __init__(
        self,
        db: apsw.Connection,
        path: Path,
        origin: Origin,
        head: Head,
        key: LaneKey,
        vfs: str | None,
    ) -> None:
        self._db = db
        self._origin = origin
        self._head = head
        self._key = key
        self._failure = ""
        self._log_pages = 0
        self.path = path
        self.vfs = vfs
        db.set_wal_hook(self._count_log)

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        lane_id: str,
        epoch: str,
        first_seq: int = 1,
        previous_digest: str = "",
        key: LaneKey,
        vfs: str | None = None,
    ) -> Journal:
        """Begin a file; `FileExistsError` when there is one.

        The group may write: readers under another user share the log's index.
        """
        origin = Origin(lane_id, epoch, first_seq, previous_digest, key.public)
        if vfs is None:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o660)
            os.fchmod(descriptor, 0o660)
            os.close(descriptor)
        try:
            db = journal_file.connect(path, vfs, create=True)
            try:
                with db:
                    signature = key.sign(origin_text(origin))
                    journal_file.lay_out(db, origin, signature)
                if vfs is None:
                    sync_folder(path.parent)
            except BaseException:
                db.close()
                raise
        except apsw.Error as error:
            raise _failed(error) from error
        return cls(db, path, origin, origin.before, key, vfs)

    @classmethod
    def open(cls, path: Path, key: LaneKey, vfs: str | None = None) -> Journal:
        """Open a file to go on in it, after checking its numbers and its chain.

        Raises `JournalDamaged` when the file is not what the lane wrote, and
        `JournalFailed` when the disk does not let it be written.
        """
        try:
            db = journal_file.connect(path, vfs)
        except journal_file.DAMAGE as error:
            raise JournalDamaged(f"{path} is no journal: {error}") from error
        except apsw.Error as error:
            raise _failed(error) from error
        try:
            # After a failed flush the log may be read from memory and yet not be on
            # disk: folding all of it in writes and flushes it once more, elsewhere.
            pages, folded = db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            if folded != pages:
                raise JournalFailed(errno.EBUSY, "another program holds the journal")
            origin = journal_file.read_origin(db)
            if origin.public_key != key.public:
                raise JournalDamaged(f"{path} was written with another lane's key")
            head = journal_file.check_chain(db, origin)
            if journal_file.read_closing(db) is not None:
                raise JournalFailed(
                    errno.EROFS, f"{path} is closed: entries go to the next file"
                )
        except journal_file.DAMAGE as error:
            _let_go(db)
            raise JournalDamaged(f"{path} cannot be read: {error}") from error
        except apsw.Error as error:
            _let_go(db)
            raise _failed(error) from error
        except BaseException:
            _let_go(db)
            raise
        return cls(db, path, origin, head, key, vfs)

    @property
    def lane_id(self) -> str:
        """Return whose journal this is."""
        return self._origin.lane_id

    @property
    def epoch(self) -> str:
        """Return the life of the lane's journal that this file belongs to."""
        return self._origin.epoch

    @property
    def first_seq(self) -> int:
        """Return the number of this file's first entry."""
        return self._origin.first_seq

    @property
    def key(self) -> LaneKey:
        """Return the key that signs this journal."""
        return self._key

    @property
    def head(self) -> Head:
        """Return the newest entry's number and digest."""
        return self._head

    def append(
        self,
        kind: str,
        body: bytes,
        *,
        at_ms: int,
        mono_ms: int,
        boot_id: str,
        training: bool = False,
        sign: bool = False,
    ) -> Entry:
        """Write one entry and return it once it is on disk: one flush.

        With `sign` the new head is signed in the same transaction. `ValueError`
        for a body that is no JSON or an empty kind: then nothing was written.
        """
        self._must_live()
        seq = self._head.seq + 1
        text = body.decode()
        digest = entry_digest(
            self._head.digest,
            seq=seq,
            at_ms=at_ms,
            mono_ms=mono_ms,
            boot_id=boot_id,
            kind=kind,
            body=body,
            training=training,
        )
        row = (seq, at_ms, mono_ms, boot_id, kind, text, int(training), digest)
        try:
            if sign:
                signed = self._signature(seq, digest)
                self._db.execute("begin immediate")
                self._db.execute(journal_file.INSERT_ENTRY, row)
                self._db.execute(
                    journal_file.INSERT_SIGNATURE, (seq, digest, signed.signature)
                )
                self._db.execute("commit")
            else:
                self._db.execute(journal_file.INSERT_ENTRY, row)
        except apsw.ConstraintError as error:
            if str(error).startswith("CHECK"):
                if sign:
                    self._db.execute("rollback")
                raise ValueError(
                    f"an entry needs a kind and a body of JSON: {kind!r}, {body!r}"
                ) from error
            raise self._dead(error) from error
        except BaseException as error:
            raise self._dead(error) from error
        self._head = Head(seq, digest)
        if self._log_pages > LONGEST_LOG_PAGES:
            self.checkpoint()
        return Entry(seq, at_ms, mono_ms, boot_id, kind, body, training, digest)

    def sign_head(self) -> Signature:
        """Sign the newest entry and return the signature once it is on disk."""
        self._must_live()
        if self._head.seq < self.first_seq:
            raise ValueError("there is no entry to sign yet")
        last = journal_file.last_signature(self._db)
        if last is not None and last.seq == self._head.seq:
            return last
        signed = self._signature(self._head.seq, self._head.digest)
        try:
            self._db.execute(
                journal_file.INSERT_SIGNATURE,
                (signed.seq, signed.digest, signed.signature),
            )
        except BaseException as error:
            raise self._dead(error) from error
        return signed

    def mark_closed(self, at_ms: int) -> Closing:
        """Put the closing mark: this file takes no entry any more (`rotation.py`)."""
        self._must_live()
        head = self._head
        text = closing_text(self._origin, head.seq, head.digest, at_ms)
        closing = Closing(head.seq, head.digest, at_ms, self._key.sign(text))
        try:
            self._db.execute(
                journal_file.INSERT_CLOSING,
                (closing.seq, closing.digest, closing.at_ms, closing.signature),
            )
        except BaseException as error:
            raise self._dead(error) from error
        return closing

    def after(self, seq: int, limit: int) -> list[Entry]:
        """Return up to `limit` entries that follow `seq`, oldest first."""
        return _without_gap(self._db, max(seq, self.first_seq - 1), limit)

    def entries(self, first: int = 1) -> Iterator[Entry]:
        """Yield the entries from number `first` on, oldest first."""
        return journal_file.entries_after(self._db, first - 1)

    def checkpoint(self) -> None:
        """Fold the log into the file as far as readers let it; when idle."""
        self._must_live()
        try:
            pages, folded = self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except BaseException as error:
            raise self._dead(error) from error
        if pages == folded:
            self._log_pages = 0

    def close(self) -> None:
        """Let go of the file; after a failure, without writing anything more."""
        try:
            self._db.close()
        except apsw.Error as error:
            raise _failed(error) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _signature(self, seq: int, digest: str) -> Signature:
        text = head_text(self.lane_id, self.epoch, seq, digest)
        return Signature(seq, digest, self._key.sign(text))

    def _count_log(self, db: apsw.Connection, name: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _must_live(self) -> None:
        if self._failure:
            raise JournalFailed(errno.EIO, f"{self._failure}; open it anew")

    def _dead(self, error: BaseException) -> BaseException:
        # Closing must not fold in a log whose flush failed.
        self._db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        if not isinstance(error, apsw.Error):
            self._failure = f"the journal was interrupted: {error!r}"
            return error
        failed = _failed(error)
        self._failure = failed.strerror or str(failed)
        return failed


class JournalReader:
    """One file of the journal, open for sync and reports: beside the lane or after it.

    Sees each entry as soon as it is on disk; changes nothing, but may recover what
    a cut left in the log.
    """

    def __init__(self, path: Path, vfs: str | None = None) -> None:
        self.path = path
        try:
            self._db = journal_file.connect_to_read(path, vfs)
            try:
                self._origin = journal_file.read_origin(self._db)
            except BaseException:
                self._db.close()
                raise
        except apsw.CantOpenError as error:
            raise FileNotFoundError(errno.ENOENT, "no journal", str(path)) from error
        except (apsw.Error, UnicodeDecodeError) as error:
            raise JournalDamaged(f"{path} cannot be read: {error}") from error

    @property
    def lane_id(self) -> str:
        """Return whose journal this is."""
        return self._origin.lane_id

    @property
    def epoch(self) -> str:
        """Return the life of the lane's journal that this file belongs to."""
        return self._origin.epoch

    @property
    def first_seq(self) -> int:
        """Return the number of this file's first entry."""
        return self._origin.first_seq

    @property
    def public_key(self) -> bytes:
        """Return the key that the file's signatures are checked with."""
        return self._origin.public_key

    @property
    def head(self) -> Head:
        """Return the newest entry's number and digest, as of now."""
        last = journal_file.last_entry(self._db)
        return self._origin.before if last is None else Head(last.seq, last.digest)

    @property
    def closing(self) -> Closing | None:
        """Return the closing mark, or None while the file may still grow."""
        return journal_file.read_closing(self._db)

    def after(self, seq: int, limit: int) -> list[Entry]:
        """Return up to `limit` entries that follow `seq`, oldest first."""
        return _without_gap(self._db, max(seq, self.first_seq - 1), limit)

    def entries(self, first: int = 1) -> Iterator[Entry]:
        """Yield the entries from number `first` on, oldest first."""
        return journal_file.entries_after(self._db, first - 1)

    def signatures(self, after: int = 0) -> list[Signature]:
        """Return the signed heads that follow `after`, oldest first."""
        return list(journal_file.signatures_after(self._db, after))

    def last_signature(self) -> Signature | None:
        """Return the newest signed head."""
        return journal_file.last_signature(self._db)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _without_gap(db: apsw.Connection, seq: int, limit: int) -> list[Entry]:
    # A damaged page inside the tree can hide entries from a search: say so, because
    # whoever asked would take silence for the end.
    try:
        found = list(journal_file.entries_after(db, seq, limit))
        last = journal_file.last_entry(db) if len(found) < limit else None
    except journal_file.DAMAGE as error:
        raise JournalDamaged(f"the journal cannot be read: {error}") from error
    for expected, entry in enumerate(found, seq + 1):
        if entry.seq != expected:
            raise JournalDamaged(f"entry {expected} is missing")
    if last is not None and last.seq > seq + len(found):
        raise JournalDamaged(f"entry {seq + len(found) + 1} is missing")
    return found


def _let_go(db: apsw.Connection) -> None:
    db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    db.close()


def _failed(error: apsw.Error) -> JournalFailed:
    match error:
        case apsw.FullError():
            return JournalFailed(errno.ENOSPC, "the disk is full")
        case apsw.ReadOnlyError():
            return JournalFailed(errno.EROFS, "the disk or the journal is read-only")
        case apsw.IOError():
            return JournalFailed(errno.EIO, f"the disk refused a write: {error}")
        case apsw.BusyError() | apsw.LockedError():
            return JournalFailed(errno.EBUSY, "another program holds the journal")
        case apsw.CantOpenError():
            return JournalFailed(errno.ENOENT, "the journal cannot be opened")
        case apsw.ConstraintError():
            return JournalFailed(
                errno.EIO, f"another program writes this journal: {error}"
            )
        case _:
            return JournalFailed(
                errno.EIO, f"the journal could not be written: {error}"
            )
