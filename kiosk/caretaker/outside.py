"""What the caretaker does to the machine, as promises: sticks, logs, network, restart.

`real.py` keeps them on the appliance; the tests' simulator keeps them in a folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

import msgspec


class StickAt(msgspec.Struct, frozen=True):
    """A file system on a USB stick: where it is, and which kind (vfat, exfat)."""

    device: str
    kind: str


class Mounted(Protocol):
    """A stick's top folder, while it is mounted. Every call may raise `OSError`: a
    stick can be full, locked or gone at any moment."""

    def names(self) -> list[str]:
        """Return the names of the plain files in it."""

    def size(self, name: str) -> int:
        """Return a file's size in bytes."""

    def open(self, name: str) -> BinaryIO:
        """Open a plain file to read; never follows a link."""

    def create(self, name: str) -> BinaryIO:
        """Make a new file; one of that name is replaced."""

    def settle(self, file: BinaryIO) -> None:
        """Return when what was written to a file is on the stick."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    def free_bytes(self) -> int:
        """Return how much room there is."""


class Outside(Protocol):
    """The machine, as far as the caretaker may touch it."""

    def sticks(self) -> AbstractContextManager[tuple[StickAt, ...]]:
        """Let USB sticks in, find their file systems, and keep them out again after."""

    def mounted(
        self, stick: StickAt, *, writable: bool
    ) -> AbstractContextManager[Mounted]:
        """Mount a stick (nosuid, nodev, noexec) and always unmount it again.

        Raises `OSError` when it cannot be mounted, or unmounted with all on it.
        """

    def log_lines(self) -> Iterator[bytes]:
        """Return the system's log, oldest first: one JSON object a line."""

    def log_bytes(self) -> int:
        """Return how much room the log takes on this disk."""

    def cards(self) -> tuple[str, ...]:
        """Return the names of the wired network cards."""

    def reload_network(self) -> None:
        """Let networkd take up its files; raises `OSError`."""

    def restart(self) -> None:
        """Order a restart of the machine; raises `OSError`."""

    def now_ms(self) -> int:
        """Return the wall clock, in epoch milliseconds."""
