"""A disk that forgets: what was not flushed is lost, torn or kept when the power goes.

SQLite reaches it through a VFS of its own, the journal's folder through `Folder`.
Everything is in memory; nothing here is ever on this machine's disk. What a flush
or a folder's flush has confirmed survives, always: that is the promise of the disk
under test, and `LyingDisk` in the tests breaks it on purpose.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import TypeAlias

import apsw

# The unit in which a drive writes whole or not at all.
SECTOR = 512
# What SQLite assumes of disks on Linux as well: a write never harms its neighbours.
_CHARACTERISTICS = apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE
# SQLite's own file layer flushes the folder for a log it made.
_LOGS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL

Change: TypeAlias = tuple[int, bytes | None]


class PowerCut(BaseException):
    """The power is gone: whatever runs, stops here. Not an error of the program."""


class _Inode:
    """A file's bytes: as a reader sees them, and as they are on the disk for sure."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.stable = bytearray()
        self.pending: list[Change] = []

    def change(self, offset: int, data: bytes | None) -> None:
        _apply(self.content, offset, data)
        self.pending.append((offset, data))

    def keep(self) -> None:
        """Let all of it survive."""
        for offset, data in self.pending:
            _apply(self.stable, offset, data)
        self.pending.clear()

    def lose(self, random: Random, fate: str) -> None:
        """Keep of what was not flushed what the drive happened to have written."""
        kept = {"all": 1.0, "none": 0.0}.get(fate, 0.5)
        for offset, data in self.pending:
            if data is None:
                if random.random() < kept:
                    _apply(self.stable, offset, None)
                continue
            start = 0
            while start < len(data):
                end = min(start + SECTOR - (offset + start) % SECTOR, len(data))
                if random.random() < kept:
                    _apply(self.stable, offset + start, data[start:end])
                start = end
        self.pending.clear()
        self.content = bytearray(self.stable)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        if offset < len(content):
            del content[offset:]
        else:
            content.extend(bytes(offset - len(content)))
        return
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


class SimulatedDisk:
    """One folder of files. `vfs` is the name under which SQLite finds it.

    `capacity` bounds what all files may hold. `before_write` and `before_sync` are
    called first and may raise: `PowerCut`, or an error of `apsw`.
    """

    def __init__(self, vfs: str) -> None:
        self.vfs = vfs
        self.capacity: int | None = None
        self.before_write: Callable[[], None] = _nothing
        self.before_sync: Callable[[], None] = _nothing
        self.is_dead = False
        self._names: dict[str, _Inode] = {}
        self._stable_names: dict[str, _Inode] = {}
        self._steps: list[dict[str, _Inode]] = []
        self._held = 0
        self._life = 0
        self._layer = _FileLayer(self)

    # -- power -------------------------------------------------------------

    def cut(self, random: Random, fate: str) -> None:
        """Lose the power. `fate` of what was not flushed: all, none, torn."""
        self._life += 1
        if fate == "all":
            names = self._names
        elif fate == "none" or not self._steps:
            names = self._stable_names
        else:
            names = random.choice([self._stable_names, *self._steps])
        for inode in self._names.values():
            if inode not in names.values():
                inode.pending.clear()
        self._names = dict(names)
        for name in sorted(self._names):
            self._names[name].lose(random, fate)
        self._settle()

    def kill(self) -> None:
        """End the program, not the power: what was written is seen by the next."""
        self._life += 1
        self.is_dead = False

    def _settle(self) -> None:
        self.is_dead = False
        self._stable_names = dict(self._names)
        self._steps.clear()
        self._held = sum(len(inode.content) for inode in self._names.values())

    # -- the folder --------------------------------------------------------

    def names(self) -> list[str]:
        """Return the names of the files in it."""
        return list(self._names)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in one step."""
        with _as_folder():
            self.before_write()
        self._names[new] = self._names.pop(old)
        self._step()

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        with _as_folder():
            self.before_write()
        self.forget(name)

    def forget(self, name: str) -> None:
        """Take a name out of the folder."""
        inode = self._names.pop(name, None)
        if inode is not None:
            self._held -= len(inode.content)
            self._step()

    def sync(self) -> None:
        """Return when all of that would survive a power cut."""
        with _as_folder():
            self.before_sync()
        self.keep_names()

    def flush(self, inode: _Inode) -> None:
        """Return when a file's bytes would survive a power cut."""
        self.before_sync()
        inode.keep()

    def keep_names(self) -> None:
        """Let the folder as it is survive."""
        if self._steps:
            self._stable_names = dict(self._names)
            self._steps.clear()

    def _step(self) -> None:
        self._steps.append(dict(self._names))

    # -- for the simulation ------------------------------------------------

    @property
    def free_bytes(self) -> int:
        """Return how much may still be written."""
        return 1 << 40 if self.capacity is None else self.capacity - self._held

    @property
    def held_bytes(self) -> int:
        """Return how much all files hold."""
        return self._held

    def read(self, name: str) -> bytes:
        """Return a file as a reader sees it."""
        return bytes(self._names[name].content)

    def open(self, name: str | None, flags: int) -> _OpenFile:
        """Open a file for SQLite; without a name one that nobody else sees."""
        if name is None:
            return _OpenFile(self, _Inode(), self._life, is_log=False)
        inode = self._names.get(name)
        if inode is None:
            if not flags & apsw.SQLITE_OPEN_CREATE:
                raise apsw.CantOpenError(name)
            inode = self._names[name] = _Inode()
            self._step()
        return _OpenFile(self, inode, self._life, is_log=bool(flags & _LOGS))

    def is_alive(self, life: int) -> bool:
        """Was this file opened since the power came back?"""
        return life == self._life and not self.is_dead

    def grow(self, more: int) -> None:
        """Take room, or raise when there is none."""
        if more > 0 and self.capacity is not None and more > self.free_bytes:
            raise apsw.FullError("no space left")
        self._held += more


@contextmanager
def _as_folder() -> Iterator[None]:
    """Let a failure look as the operating system words it."""
    try:
        yield
    except apsw.Error as error:
        raise OSError(errno.EIO, str(error)) from error


def _nothing() -> None:
    return None


class _OpenFile:
    """A file as SQLite holds it. After a power cut nothing it does has any effect."""

    def __init__(
        self, disk: SimulatedDisk, inode: _Inode, life: int, *, is_log: bool
    ) -> None:
        self._disk = disk
        self._inode = inode
        self._life = life
        self._is_log = is_log

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._inode.content[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        disk = self._disk
        if not disk.is_alive(self._life):
            return
        disk.before_write()
        more = offset + len(data) - len(self._inode.content)
        if more > 0:
            disk.grow(more)
        self._inode.change(offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:
        if not self._disk.is_alive(self._life):
            return
        self._disk.before_write()
        self._disk.grow(newsize - len(self._inode.content))
        self._inode.change(newsize, None)

    def xSync(self, flags: int) -> None:
        if not self._disk.is_alive(self._life):
            return
        self._disk.flush(self._inode)
        if self._is_log:
            self._disk.keep_names()

    def xFileSize(self) -> int:
        return len(self._inode.content)

    def xLock(self, level: int) -> None:
        return None

    def xUnlock(self, level: int) -> None:
        return None

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, ptr: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return SECTOR

    def xDeviceCharacteristics(self) -> int:
        return _CHARACTERISTICS

    def xClose(self) -> None:
        return None


class _FileLayer(apsw.VFS):
    """SQLite's way to one simulated disk."""

    def __init__(self, disk: SimulatedDisk) -> None:
        super().__init__(disk.vfs, base="", maxpathname=0)
        self._disk = disk

    def xFullPathname(self, name: str) -> str:
        return name

    def xAccess(self, pathname: str, flags: int) -> bool:
        return _name(pathname) in self._disk.names()

    def xOpen(  # type: ignore[override]  # Our files need no file beneath them.
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> _OpenFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        flags[1] = flags[0]
        return self._disk.open(None if path is None else _name(path), flags[0])

    def xDelete(self, filename: str, syncdir: bool) -> None:
        if self._disk.is_dead:
            return
        if _name(filename) not in self._disk.names():
            raise apsw.IOError("nothing to delete")
        self._disk.before_write()
        self._disk.forget(_name(filename))
        if syncdir:
            self._disk.keep_names()


def _name(path: str) -> str:
    return path.rpartition("/")[2]
