"""A machine for the caretaker that behaves: sticks that fill up and are pulled, a log,
a network and a restart. Keeps what was done to it; can be told what goes wrong.
"""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from kiosk.caretaker.outside import Mounted, StickAt

VFAT = StickAt("/dev/sdb1", "vfat")
NOON_MS = 1_795_000_000_000


class Stick:
    """A USB stick: its files, its room, and after how many bytes it is pulled."""

    def __init__(
        self,
        files: dict[str, bytes] | None = None,
        *,
        room: int = 10_000_000,
        at: StickAt = VFAT,
    ) -> None:
        self.at = at
        self.files = dict(files or {})
        self.room = room
        self.is_locked = False
        self.is_broken = False
        self.pulled_after: int | None = None
        self.moved = 0
        # What is written is on the stick once it is settled or unmounted.
        self.settled: set[str] = set()

    @property
    def is_pulled(self) -> bool:
        return self.pulled_after is not None and self.moved >= self.pulled_after

    def move(self, count: int) -> None:
        """Bytes go over the wire; the stick may go in their middle."""
        self.touch()
        self.moved += count
        self.touch()

    def touch(self) -> None:
        if self.is_pulled:
            raise OSError(errno.EIO, "the stick is gone")

    @property
    def used(self) -> int:
        return sum(map(len, self.files.values()))


class _Writing(io.BytesIO):
    """A file that is being written: every byte goes to the stick at once."""

    def __init__(self, stick: Stick, name: str) -> None:
        super().__init__()
        self._stick, self.name = stick, name
        stick.files[name] = b""

    def write(self, content: object) -> int:
        data = bytes(content)  # type: ignore[call-overload]  # whatever gzip hands over
        self._stick.move(len(data))
        if self._stick.used + len(data) > self._stick.room:
            raise OSError(errno.ENOSPC, "no room on the stick")
        self._stick.files[self.name] += data
        return super().write(data)


class _Reading(io.BytesIO):
    def __init__(self, stick: Stick, content: bytes) -> None:
        super().__init__(content)
        self._stick = stick

    def read(self, size: int | None = -1, /) -> bytes:
        # In small pieces, so that a stick can be pulled within a file.
        chunk = super().read(min(size or -1, 1000) if size and size > 0 else 1000)
        self._stick.move(len(chunk))
        return chunk


class _MountedStick:
    def __init__(self, stick: Stick, writable: bool) -> None:
        self._stick, self._writable = stick, writable

    def names(self) -> list[str]:
        self._stick.touch()
        return list(self._stick.files)

    def size(self, name: str) -> int:
        return len(self._stick.files[name])

    def open(self, name: str) -> BinaryIO:
        self._stick.touch()
        return _Reading(self._stick, self._stick.files[name])

    def create(self, name: str) -> BinaryIO:
        if not self._writable:
            raise OSError(errno.EROFS, "mounted read-only")
        self._stick.touch()
        return _Writing(self._stick, name)

    def settle(self, file: BinaryIO) -> None:
        self._stick.touch()
        self._stick.settled.add(file.name)

    def rename(self, old: str, new: str) -> None:
        self._stick.touch()
        self._stick.files[new] = self._stick.files.pop(old)

    def remove(self, name: str) -> None:
        self._stick.touch()
        self._stick.files.pop(name, None)

    def free_bytes(self) -> int:
        self._stick.touch()
        return self._stick.room - self._stick.used


class SimulatedOutside:
    """Keeps the promises of `Outside`."""

    def __init__(self, *sticks: Stick) -> None:
        self.plugged = list(sticks)
        self.mounts: list[str] = []
        self.is_mounted = False
        self.are_let_in = False
        self.log = [
            json.dumps({"MESSAGE": f"line {n}", "PRIORITY": "6"}).encode() + b"\n"
            for n in range(300)
        ]
        self.log_size = 100_000
        self.network_cards: tuple[str, ...] = ("enp1s0", "enp2s0")
        self.reloads = 0
        self.restarts = 0
        self.is_networkd_broken = False

    @contextmanager
    def sticks(self) -> Iterator[tuple[StickAt, ...]]:
        self.are_let_in = True
        try:
            yield tuple(stick.at for stick in self.plugged)
        finally:
            self.are_let_in = False

    @contextmanager
    def mounted(self, stick: StickAt, *, writable: bool) -> Iterator[Mounted]:
        assert self.are_let_in
        assert not self.is_mounted
        (found,) = (plugged for plugged in self.plugged if plugged.at == stick)
        if found.is_broken:
            raise OSError(errno.EIO, "wrong fs type, bad superblock")
        if writable and found.is_locked:
            raise OSError(errno.EROFS, "the stick is read-only")
        self.mounts.append("rw" if writable else "ro")
        self.is_mounted = True
        try:
            yield _MountedStick(found, writable)
        finally:
            self.is_mounted = False
            if found.is_pulled:
                raise OSError(errno.EIO, "the stick was not unmounted in order")

    def log_lines(self) -> Iterator[bytes]:
        yield from self.log

    def log_bytes(self) -> int:
        return self.log_size

    def cards(self) -> tuple[str, ...]:
        return self.network_cards

    def reload_network(self) -> None:
        if self.is_networkd_broken:
            raise OSError(errno.EIO, "networkctl: no answer")
        self.reloads += 1

    def restart(self) -> None:
        self.restarts += 1

    def now_ms(self) -> int:
        return NOON_MS
