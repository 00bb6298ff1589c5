"""Partitions of a disk that lies in a file, and what is in them when they are opened.

DATA is opened as its owner would after the mainboard died: with the recovery key, by
cryptsetup, and decrypted here sector by sector, since a host may have no device mapper.
Only what changed is decrypted again. A sector whose ciphertext is all zeros was never
written or was given up: it reads as zeros, where a kiosk would see noise. Never writes
to the disk.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from imagebuild.blocklog import Range, data_in, punch
from imagebuild.stage import BuildError, run

_T = TypeVar("_T")
_BLOCK = 4096


class VolumeError(Exception):
    """A partition is not there or cannot be opened. The words say which and why."""


@dataclass(slots=True)
class Region:
    """A part of the disk, and whether anything wrote to it.

    `generation` counts the times it changed for good; `is_cut` while a cut changed it.
    """

    name: str
    begin: int
    length: int
    generation: int = 0
    is_cut: bool = False

    @property
    def end(self) -> int:
        """Where the next one may begin."""
        return self.begin + self.length

    def touched(self, ranges: Iterable[Range]) -> list[Range]:
        """Return the parts of ranges that lie in it."""
        parts = []
        for begin, length in ranges:
            first, end = max(begin, self.begin), min(begin + length, self.end)
            if first < end:
                parts.append((first, end - first))
        return parts


def partitions(disk: Path) -> dict[str, Region]:
    """Return the partitions of a disk by name. Raises `VolumeError`."""
    try:
        table = json.loads(run(["sfdisk", "-J", str(disk)]))["partitiontable"]
    except (BuildError, ValueError) as error:
        raise VolumeError(f"the partition table cannot be read: {error}") from error
    size = int(table.get("sectorsize", 512))
    return {
        one.get("name", one["node"]): Region(
            one.get("name", one["node"]), one["start"] * size, one["size"] * size
        )
        for one in table["partitions"]
    }


class Remembered(Generic[_T]):
    """What an examination of regions found; done again only after one changed."""

    def __init__(self, regions: Sequence[Region], examine: Callable[[], _T]) -> None:
        self._regions = regions
        self._examine = examine
        self._known: tuple[list[int], _T] | None = None

    def get(self) -> _T:
        """Return the finding for the disk as it is now."""
        if any(region.is_cut for region in self._regions):
            return self._examine()
        generations = [region.generation for region in self._regions]
        if self._known is None or self._known[0] != generations:
            self._known = (generations, self._examine())
        return self._known[1]


@dataclass(frozen=True, slots=True)
class Xts:
    """AES-XTS with the sector's number as tweak: plain64, as LUKS2 uses it."""

    key: bytes
    sector: int

    def decrypted(self, content: bytes, first: int) -> bytes:
        """Decrypt whole sectors. `first`: place of the first one, in 512 bytes."""
        algorithm, plain, step = algorithms.AES(self.key), [], self.sector // 512
        nothing = bytes(self.sector)
        for number, at in enumerate(range(0, len(content), self.sector)):
            sector = content[at : at + self.sector]
            if sector != nothing:
                # The tweak counts in 512 bytes whatever the sector's size, unless
                # dm-crypt was told `iv_large_sectors`, which LUKS2 does not do.
                tweak = (first + number * step).to_bytes(16, "little")
                cipher = Cipher(algorithm, modes.XTS(tweak)).decryptor()
                sector = cipher.update(sector)
            plain.append(sector)
        return b"".join(plain)


@dataclass(frozen=True, slots=True)
class Opened:
    """An encrypted partition's payload: where in the partition, and its cipher."""

    offset: int
    cipher: Xts


def open_luks(header: Path, key: str) -> Opened:
    """Open a LUKS2 header (a file that begins with it). Raises `VolumeError`."""
    aside, secret = header.with_suffix(".volume-key"), header.with_suffix(".secret")
    aside.unlink(missing_ok=True)
    secret.touch(0o600)
    secret.write_text(key)
    dump = ["cryptsetup", "luksDump", str(header)]
    try:
        told = json.loads(run([*dump, "--dump-json-metadata"]))
        give = [f"--volume-key-file={aside}", f"--key-file={secret}"]
        run([*dump, "--batch-mode", "--dump-volume-key", *give])
        volume_key = aside.read_bytes()
    except (BuildError, ValueError, OSError) as error:
        raise VolumeError(f"{header.stem} does not open: {error}") from error
    finally:
        aside.unlink(missing_ok=True)
        secret.unlink()
    segment = told["segments"]["0"]
    if segment["encryption"] != "aes-xts-plain64" or segment["iv_tweak"] != "0":
        raise VolumeError(f"{header.stem} is encrypted as {segment['encryption']}")
    return Opened(int(segment["offset"]), Xts(volume_key, int(segment["sector_size"])))


class Volume:
    """The plain content of a partition, kept in a file beside the disk.

    `refresh` takes over what changed; a program may read the file, not write to it.
    """

    def __init__(
        self, disk: Path, region: Region, plain: Path, opened: Opened | None = None
    ) -> None:
        self.region = region
        self.plain = plain
        offset = opened.offset if opened else 0
        self._cipher = opened.cipher if opened else None
        self._sector = self._cipher.sector if self._cipher else 512
        self.payload = Region(
            region.name, region.begin + offset, region.length - offset
        )
        self._disk = os.open(disk, os.O_RDONLY)
        self._file = os.open(plain, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.ftruncate(self._file, self.payload.length)
        self.refresh([(self.payload.begin, self.payload.length)])

    def close(self) -> None:
        """Let go of both files."""
        os.close(self._disk)
        os.close(self._file)

    def refresh(self, ranges: Iterable[Range]) -> None:
        """Take over these ranges of the disk."""
        base = self.payload.begin
        for first, end in self._whole(self.payload.touched(ranges)):
            punch(self._file, first, end - first)
            for at, content in data_in(self._disk, base + first, end - first):
                self._take(at - base, content)

    def _whole(self, ranges: Iterable[Range]) -> list[Range]:
        """Widen to whole sectors, relative to the payload, each only once."""
        size, base = self._sector, self.payload.begin
        spans = sorted(
            ((at - base) // size * size, -(-(at - base + n) // size) * size)
            for at, n in ranges
        )
        joined: list[Range] = []
        for first, end in spans:
            if joined and first <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((first, end))
        return joined

    def _take(self, at: int, content: bytes) -> None:
        if self._cipher:
            content = self._cipher.decrypted(content, at // 512)
        nothing = bytes(_BLOCK)
        for begin in range(0, len(content), _BLOCK):
            block = content[begin : begin + _BLOCK]
            if block != nothing[: len(block)]:
                os.pwrite(self._file, block, at + begin)
