"""Putting small files on disk so that a power cut leaves the old one or the new one.

Also the room that is kept free: a ballast file, given up when the disk is full, and
the question whether there is room for one more basket.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

# A basket of 200 lines with everything around it is about 1 MiB of journal and its
# write-ahead log up to 16 MiB before it is folded in; twice that is room enough.
ROOM_FOR_A_BASKET = 32 * 1024 * 1024

# What one sale in hand still writes once the disk is full: the payment's entries,
# the receipt, the closing of the lane. 8 MiB is fifty times as much.
BALLAST_MIB = 8

# With less than this left the next fold of the journal's log may find no room.
NEARLY_FULL = 2 * 1024 * 1024


def sync_folder(folder: Path) -> None:
    """Make names in a folder (new, renamed, removed) survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes, mode: int = 0o660) -> None:
    """Write `content` aside, flush it, and put it in the place of `path`."""
    aside = path.with_name(path.name + ".new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
    sync_folder(path.parent)


def room_for_a_basket(path: Path, needed: int = ROOM_FOR_A_BASKET) -> bool:
    """Say whether the disk that holds `path` has room to begin one more basket."""
    return free_bytes(path) >= needed


def is_nearly_full(path: Path) -> bool:
    """Say whether the sale in hand needs the ballast's room to be finished."""
    return free_bytes(path) < NEARLY_FULL


def free_bytes(path: Path) -> int:
    """Return how many bytes this process may still write where `path` is."""
    return shutil.disk_usage(path if path.exists() else path.parent).free


class Ballast:
    """A file of zeros that keeps room for the sale in hand.

    Held from the start; released when a write finds the disk full, so that the lane
    can finish what it told the shopper and close. `size` is in bytes.
    """

    def __init__(self, path: Path, mib: int = BALLAST_MIB) -> None:
        self._path = path
        self.size = mib * 1024 * 1024

    @property
    def is_held(self) -> bool:
        """Say whether the whole room is kept."""
        try:
            return self._path.stat().st_blocks * 512 >= self.size
        except FileNotFoundError:
            return False

    def hold(self) -> bool:
        """Take the room; False when the disk does not have it."""
        if self.is_held:
            return True
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o660)
        try:
            # Real blocks, not a hole: a hole keeps no room.
            os.posix_fallocate(descriptor, 0, self.size)
            os.fsync(descriptor)
        except OSError:
            self._path.unlink()
            return False
        finally:
            os.close(descriptor)
        sync_folder(self._path.parent)
        return True

    def release(self) -> None:
        """Give the room up, so that the sale in hand can be written."""
        self._path.unlink(missing_ok=True)
        sync_folder(self._path.parent)
