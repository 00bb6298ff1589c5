"""The journal's folder: one file per trading day, one of them the current one.

When the day is closed the next file is made aside with its first entry, renamed into
place, and only then is the old one marked closed: a cut between any two steps leaves
exactly one current file, and numbers and chain run on. When to rotate is the
caller's decision, never with an open basket or payment.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from kiosk.records.chain import Entry, Head
from kiosk.records.disk import sync_folder
from kiosk.records.journal import Journal, JournalDamaged, JournalReader
from kiosk.records.keys import LaneKey

CARRIED_FORWARD = "CarriedForward"

# Acknowledged entries are what heals a back office restored from a backup
# (reliability.md 1.9): no file goes before this age.
KEEP_MS = 90 * 24 * 3600 * 1000

_PREFIX = "journal-"
_SUFFIX = ".db"
_ASIDE = ".new"


class Folder(Protocol):
    """The names in one folder of a disk, real or simulated."""

    def names(self) -> list[str]:
        """Return the names of the files in it."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in one step."""

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""

    def sync(self) -> None:
        """Return when all of that would survive a power cut."""


class DiskFolder:
    """A folder of this machine's disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        """Return the names of the files in it."""
        return os.listdir(self._path)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in one step."""
        (self._path / old).rename(self._path / new)

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        (self._path / name).unlink(missing_ok=True)

    def sync(self) -> None:
        """Return when all of that would survive a power cut."""
        sync_folder(self._path)


class JournalDirectory:
    """The lane's hold on its journal folder. Only the lane may use it: readers take
    `JournalShelf`, which changes nothing."""

    def __init__(
        self, path: Path, *, vfs: str | None = None, folder: Folder | None = None
    ) -> None:
        self.path = path
        self.vfs = vfs
        self.folder = folder if folder is not None else DiskFolder(path)

    def files(self) -> list[Path]:
        """Return the journal's files, oldest first."""
        return _files(self.path, self.folder)

    def current(self) -> Path | None:
        """Return the one file that grows, or None before the first.

        Clears away what a cut left half made.
        """
        # A rename seen may not be on disk yet; nothing is built on it before.
        self.folder.sync()
        self._remove_strays()
        files = self.files()
        return files[-1] if files else None

    def open_current(self, key: LaneKey) -> Journal | None:
        """Open the file that grows, and close the one before if a cut prevented it."""
        path = self.current()
        if path is None:
            return None
        journal = Journal.open(path, key, self.vfs)
        try:
            self._finish_closing(journal)
        except BaseException:
            journal.close()
            raise
        return journal

    def begin(self, *, lane_id: str, epoch: str, key: LaneKey) -> Journal:
        """Begin the journal of a lane that has none."""
        if (found := self.current()) is not None:
            raise FileExistsError(f"{found} is there: the lane has a journal")
        name = file_name(1)
        aside = self.path / (name + _ASIDE)
        with Journal.create(
            aside, lane_id=lane_id, epoch=epoch, key=key, vfs=self.vfs
        ) as made:
            # The rename takes the file without its log: all must be in the file.
            made.checkpoint()
        put_in_place(self, aside)
        return Journal.open(self.path / name, key, self.vfs)

    def delete_closed(self, acknowledged_seq: int, today_ms: int) -> list[Path]:
        """Delete closed files, oldest first, and return which.

        Only those of which every entry is acknowledged and that were closed 90 days
        ago or more; the first that must stay keeps all after it.
        """
        deleted = []
        for path in self.files()[:-1]:
            with JournalReader(path, self.vfs) as reader:
                closing = reader.closing
            if (
                closing is None
                or closing.seq > acknowledged_seq
                or today_ms - closing.at_ms < KEEP_MS
            ):
                break
            # The file first: a log without its file is nothing, and is cleared away.
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                self.folder.remove(name)
            deleted.append(path)
        if deleted:
            self.folder.sync()
        return deleted

    def _finish_closing(self, journal: Journal) -> None:
        earlier = [path for path in self.files() if path.name < journal.path.name]
        if not earlier:
            return
        with JournalReader(earlier[-1], self.vfs) as reader:
            if reader.closing is not None:
                return
        first = next(journal.entries(), None)
        with Journal.open(earlier[-1], journal.key, self.vfs) as old:
            if journal.first_seq != old.head.seq + 1 or first is None:
                raise JournalDamaged(
                    f"{journal.path.name} does not go on where {old.path.name} ends"
                )
            old.mark_closed(first.at_ms)

    def _remove_strays(self) -> None:
        names = set(self.folder.names())
        strays = [
            name
            for name in names
            if name.startswith(_PREFIX)
            and (
                _ASIDE in name
                or (name.endswith(("-wal", "-shm")) and name[:-4] not in names)
            )
        ]
        for name in strays:
            self.folder.remove(name)
        if strays:
            self.folder.sync()


class JournalShelf:
    """All files of a journal as one, for sync and reports. Changes nothing.

    Follows a rotation by itself. Used from one thread; `close` it.
    """

    def __init__(
        self, path: Path, *, vfs: str | None = None, folder: Folder | None = None
    ) -> None:
        self.path = path
        self._vfs = vfs
        self._folder = folder if folder is not None else DiskFolder(path)
        self._open: dict[Path, JournalReader] = {}

    @property
    def lane_id(self) -> str:
        """Return whose journal this is."""
        return self.newest().lane_id

    @property
    def epoch(self) -> str:
        """Return the life of the lane's journal that is going on."""
        return self.newest().epoch

    @property
    def head(self) -> Head:
        """Return the newest entry's number and digest, as of now."""
        return self.newest().head

    def newest(self) -> JournalReader:
        """Return the reader of the file that grows; `FileNotFoundError` before it."""
        files = _files(self.path, self._folder)
        if not files:
            raise FileNotFoundError(f"there is no journal in {self.path}")
        return self._reader(files[-1])

    def holding(self, seq: int) -> JournalReader:
        """Return the reader of the file that holds entry `seq`, or would hold it."""
        files = _files(self.path, self._folder)
        older = [path for path in files if first_seq_of(path) <= seq]
        if not older:
            raise FileNotFoundError(f"entry {seq} is no longer kept in {self.path}")
        return self._reader(older[-1])

    def after(self, seq: int, limit: int) -> list[Entry]:
        """Return up to `limit` entries that follow `seq`, all of one file and epoch.

        Empty only when nothing follows.
        """
        return self.holding(seq + 1).after(seq, limit)

    def close(self) -> None:
        """Let go of every file."""
        for reader in self._open.values():
            reader.close()
        self._open.clear()

    def _reader(self, path: Path) -> JournalReader:
        if path not in self._open:
            # Two at most: the one being caught up with and the one that grows.
            while len(self._open) > 1:
                self._open.pop(next(iter(self._open))).close()
            self._open[path] = JournalReader(path, self._vfs)
        return self._open[path]


def rotate(
    journal: Journal,
    directory: JournalDirectory,
    *,
    carry_forward: bytes,
    at_ms: int,
    mono_ms: int,
    boot_id: str,
    epoch: str | None = None,
) -> Journal:
    """Close `journal` with its day and return the next file, open.

    `carry_forward` is the body of its first entry. A new `epoch` is the back
    office's answer to a fork.
    """
    directory.current()
    aside = prepare_next(
        journal,
        carry_forward=carry_forward,
        at_ms=at_ms,
        mono_ms=mono_ms,
        boot_id=boot_id,
        epoch=epoch,
    )
    path = put_in_place(directory, aside)
    journal.mark_closed(at_ms)
    journal.close()
    return Journal.open(path, journal.key, journal.vfs)


def prepare_next(
    journal: Journal,
    *,
    carry_forward: bytes,
    at_ms: int,
    mono_ms: int,
    boot_id: str,
    epoch: str | None = None,
) -> Path:
    """Sign the old file's head and make the next file aside, with its first entry."""
    journal.sign_head()
    head = journal.head
    aside = journal.path.with_name(file_name(head.seq + 1) + _ASIDE)
    with Journal.create(
        aside,
        lane_id=journal.lane_id,
        epoch=epoch if epoch is not None else journal.epoch,
        first_seq=head.seq + 1,
        previous_digest=head.digest,
        key=journal.key,
        vfs=journal.vfs,
    ) as following:
        following.append(
            CARRIED_FORWARD,
            carry_forward,
            at_ms=at_ms,
            mono_ms=mono_ms,
            boot_id=boot_id,
            sign=True,
        )
        # The rename takes the file without its log: all must be in the file.
        following.checkpoint()
    return aside


def put_in_place(directory: JournalDirectory, aside: Path) -> Path:
    """Make the file made aside the current one: from here on the old one is done."""
    path = aside.with_name(aside.name.removesuffix(_ASIDE))
    directory.folder.rename(aside.name, path.name)
    directory.folder.sync()
    return path


def file_name(first_seq: int) -> str:
    """Return the name of the file whose first entry is `first_seq`: sorted by age."""
    return f"{_PREFIX}{first_seq:012d}{_SUFFIX}"


def first_seq_of(path: Path) -> int:
    """Return the number that a journal file's name gives its first entry."""
    return int(path.name.removeprefix(_PREFIX).removesuffix(_SUFFIX))


def journal_files(path: Path) -> list[Path]:
    """Return the journal's files in a folder, oldest first."""
    return _files(path, DiskFolder(path))


def _files(path: Path, folder: Folder) -> list[Path]:
    return sorted(path / name for name in folder.names() if _is_journal(name))


def _is_journal(name: str) -> bool:
    number = name.removeprefix(_PREFIX).removesuffix(_SUFFIX)
    return name == f"{_PREFIX}{number}{_SUFFIX}" and number.isdecimal()
