"""The log of everything a machine wrote to its disk, and that disk cut off at any point.

Reads what QEMU's `blklogwrites` writes (the format of Linux's dm-log-writes) and lays it
over the disk as it stood before. A cut: all that a flush covered is there; of what
followed, up to a moment before the next flush, each write is there whole, in part or not
at all, as chance has it. The disk is changed in place and put back. Knows no file system.

What was in flight while a flush began counts as covered by it: the log does not tell.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import random
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

_MAGIC = 0x6A736677736872
_VERSION = 1
_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
# fallocate(2): punch a hole and keep the file's size.
_PUNCH = 0x02 | 0x01
_C = ctypes.CDLL(None, use_errno=True)

Range = tuple[int, int]
"""Where bytes begin, and how many there are."""


class LogError(Exception):
    """The file is no block-write log, or not a whole one."""


@dataclass(frozen=True, slots=True)
class Write:
    """One change of the disk. `at` is where its bytes begin in the log."""

    begin: int
    length: int
    flags: int
    at: int

    @property
    def is_discard(self) -> bool:
        """Whether it only gave the place up."""
        return bool(self.flags & DISCARD)


@dataclass(frozen=True, slots=True)
class Cut:
    """A moment at which the power went. Seed 0: nothing after the boundary was kept."""

    boundary: int
    seed: int

    def __str__(self) -> str:
        return f"{self.boundary}:{self.seed}"


class BlockLog:
    """A whole log. Boundary 0 is its beginning, boundary n its n-th flush of something.

    The last boundary is its end: what was written there was written, flushed or not.
    """

    def __init__(self, path: Path, whole: int = 512) -> None:
        """Read a log. `whole`: bytes that a disk writes all or not at all, aligned."""
        self._whole = whole
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise LogError(f"{path} is empty: nothing was logged")
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if len(self._bytes) < _SUPER.size:
            raise LogError(f"{path} is too short for a log")
        magic, version, self.entries, self.sector = _SUPER.unpack_from(self._bytes)
        if (magic, version) != (_MAGIC, _VERSION):
            raise LogError(f"{path} is no block-write log of version {_VERSION}")
        if self.sector < 512 or self.sector & (self.sector - 1):
            raise LogError(f"{path} has sectors of {self.sector} bytes")
        # What follows each boundary, and where in the log the boundary's flush ends.
        self._windows: list[list[Write]] = [[]]
        self._ends: list[int] = [self.sector]
        for write, end in self._read(path):
            if write.flags & FLUSH and self._windows[-1]:
                self._windows.append([])
                self._ends.append(end)
            if write.length:
                self._windows[-1].append(write)
        if self._windows[-1]:
            self._windows.append([])
            self._ends.append(len(self._bytes))

    def _read(self, path: Path) -> Iterator[tuple[Write, int]]:
        at = self.sector
        for number in range(self.entries):
            if at + self.sector > len(self._bytes):
                raise LogError(f"{path} ends before entry {number} of {self.entries}")
            begin, count, flags, told = _ENTRY.unpack_from(self._bytes, at)
            data = at + self.sector
            length = 0 if flags & MARK else count * self.sector
            write = Write(begin * self.sector, length, flags, data)
            end = data + (told if flags & MARK else 0 if write.is_discard else length)
            end += -end % self.sector
            if end > len(self._bytes):
                raise LogError(f"{path} ends within entry {number} of {self.entries}")
            yield write, data
            at = end

    @property
    def last(self) -> int:
        """The log's end, as a boundary."""
        return len(self._windows) - 1

    def position(self, boundary: int) -> int:
        """Return how long the log was when a boundary's flush had been logged."""
        return self._ends[boundary]

    def window(self, boundary: int) -> list[Write]:
        """Return what was written after a boundary and before the next."""
        return self._windows[boundary]

    def pieces(self, write: Write, sectors: Iterable[int]) -> list[tuple[int, bytes]]:
        """Return some sectors of a write as places and bytes, neighbours in one."""
        size, runs = self.sector, _runs(sectors)
        return [
            (
                write.begin + first * size,
                self._bytes[write.at + first * size : write.at + end * size],
            )
            for first, end in runs
        ]

    def kept(self, cut: Cut) -> list[tuple[Write, list[int]]]:
        """Return what of a window a cut keeps: writes and which sectors of each.

        The same cut keeps the same, always.
        """
        window = self.window(cut.boundary)
        if not (cut.seed and window):
            return []
        chance = random.Random(f"{cut.boundary} {cut.seed}")
        issued = window[: chance.randint(1, len(window))]
        kept = []
        for write in issued:
            every = range(write.length // self.sector)
            units = self._units(write)
            is_sure = write.flags & FUA and write is not issued[-1]
            fate = 0.0 if is_sure else chance.random()
            if fate < 0.45:
                kept.append((write, [*every]))
            elif fate < 0.80:
                pass
            elif fate < 0.90 or write.is_discard:
                some = units[: chance.randint(0, len(units))]
                kept.append((write, [one for unit in some for one in unit]))
            else:
                some = [unit for unit in units if chance.random() < 0.5]
                kept.append((write, [one for unit in some for one in unit]))
        return [(write, sectors) for write, sectors in kept if sectors]

    def _units(self, write: Write) -> list[range]:
        """Divide a write into what a disk writes all or not at all."""
        size = max(1, self._whole // self.sector)
        begin, count = write.begin // self.sector, write.length // self.sector
        edges = [0, *(n for n in range(1, count) if not (begin + n) % size), count]
        return [range(first, end) for first, end in pairwise(edges)]


class Disk:
    """A disk that goes forward boundary by boundary, and aside to a cut and back.

    Changes its file: give it a copy.
    """

    def __init__(self, path: Path, log: BlockLog) -> None:
        self.path = path
        self._log = log
        self._file = os.open(path, os.O_RDWR)
        self._undo: list[tuple[int, int, list[tuple[int, bytes]]]] = []
        self.boundary = 0

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def advance(self, boundary: int) -> list[Range]:
        """Apply all writes before a boundary; return what they touched."""
        if boundary < self.boundary:
            raise ValueError(f"boundary {boundary} is behind {self.boundary}")
        touched = []
        for number in range(self.boundary, boundary):
            for write in self._log.window(number):
                self._apply(write, range(write.length // self._log.sector))
                touched.append((write.begin, write.length))
        self.boundary = boundary
        return touched

    def cut(self, cut: Cut) -> list[Range]:
        """Make the disk what a cut leaves; return what differs from the boundary."""
        if cut.boundary != self.boundary:
            raise ValueError(f"the disk is at boundary {self.boundary}")
        touched = []
        for write, sectors in self._log.kept(cut):
            saved = list(data_in(self._file, write.begin, write.length))
            self._undo.append((write.begin, write.length, saved))
            self._apply(write, sectors)
            touched.append((write.begin, write.length))
        return touched

    def put_back(self) -> None:
        """Undo the last cut."""
        while self._undo:
            begin, length, saved = self._undo.pop()
            punch(self._file, begin, length)
            for at, content in saved:
                os.pwrite(self._file, content, at)

    def _apply(self, write: Write, sectors: Iterable[int]) -> None:
        if write.is_discard:
            size = self._log.sector
            for first, end in _runs(sectors):
                punch(self._file, write.begin + first * size, (end - first) * size)
            return
        for at, content in self._log.pieces(write, sectors):
            os.pwrite(self._file, content, at)


def data_in(file: int, begin: int, length: int) -> Iterator[tuple[int, bytes]]:
    """Yield what a file holds in a range, a megabyte at most at a time, no holes."""
    at, end = begin, min(begin + length, os.fstat(file).st_size)
    while at < end:
        try:
            at = os.lseek(file, at, os.SEEK_DATA)
        except OSError:
            return
        stop = min(os.lseek(file, at, os.SEEK_HOLE), end) if at < end else at
        while at < stop:
            content = os.pread(file, min(1 << 20, stop - at), at)
            yield at, content
            at += len(content)


def punch(file: int, begin: int, length: int) -> None:
    """Make a range of a file read as zeros, and take no room."""
    done = _C.fallocate(file, _PUNCH, ctypes.c_int64(begin), ctypes.c_int64(length))
    if length and done:
        raise OSError(ctypes.get_errno(), "a hole cannot be made in this file system")


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a file's data and leave its holes holes."""
    with source.open("rb") as given, target.open("wb") as made:
        size = os.fstat(given.fileno()).st_size
        made.truncate(size)
        for at, content in data_in(given.fileno(), 0, size):
            os.pwrite(made.fileno(), content, at)


def _runs(sectors: Iterable[int]) -> list[Range]:
    """Join neighbours: first and end (not included) of each run."""
    if isinstance(sectors, range):
        return [(sectors.start, sectors.stop)] if sectors else []
    runs: list[Range] = []
    for one in sectors:
        if runs and runs[-1][1] == one:
            runs[-1] = (runs[-1][0], one + 1)
        else:
            runs.append((one, one + 1))
    return runs
