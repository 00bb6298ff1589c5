"""What a bundle says of itself, read before SWUpdate sees it.

A `.swu` is a cpio archive (newc or crc): first `sw-description`, then its signature,
then what it describes. Nothing read here is trusted: it serves to refuse early, and in
words. SWUpdate checks signature and hashes of the same bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec

from kiosk.updater.words import Reason

_MAGIC = (b"070701", b"070702")
_HEADER_BYTES = 110
_END = "TRAILER!!!"
_DESCRIPTION = "sw-description"
_BLOCK = 1024 * 1024
# A description of two slots is some kilobytes.
_LONGEST_DESCRIPTION = 1024 * 1024
_LONGEST_NAME = 4096


class Bundle(msgspec.Struct, frozen=True):
    """A whole bundle: the release it says it is, and how many bytes it has."""

    release: str
    bytes: int


class Unusable(msgspec.Struct, frozen=True):
    """A file that SWUpdate need not see."""

    reason: Reason
    detail: str = ""


class _Broken(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.unusable = Unusable(reason, detail)


Read: TypeAlias = Bundle | Unusable

# What a description says of one file: its name, then what its bytes must hash to.
_HASHED = re.compile(
    r'filename\s*=\s*"([^"\n]+)"\s*;[^{}]*?sha256\s*=\s*"([0-9a-f]{64})"'
)
_VERSION = re.compile(r'^\s*version\s*[=:]\s*"([^"\n]{1,64})"\s*;', re.MULTILINE)


def read(path: Path) -> Read:
    """Walk through a bundle from its first to its last header."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return Bundle(_walk(file, size), size)
    except _Broken as broken:
        return broken.unusable
    except OSError as error:
        return Unusable(Reason.UNREADABLE, error.strerror or str(error))


def altered(path: Path) -> str:
    """Return the first file that is not what the description says; empty: none is.

    SWUpdate (2026.05) refuses such a bundle and does not say why.
    """
    hashes: dict[str, str] = {}
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            for name, length in _members(file, size):
                if name == _DESCRIPTION:
                    told = file.read(min(length, _LONGEST_DESCRIPTION))
                    hashes.update(_HASHED.findall(told.decode("utf-8", "replace")))
                elif name in hashes and _sha256(file, length) != hashes[name]:
                    return name
    except (_Broken, OSError):
        # What is broken so was read as whole before: the disk fails, not the bundle.
        return ""
    return ""


def _sha256(file: BinaryIO, length: int) -> str:
    total = hashlib.sha256()
    while length and (part := file.read(min(length, _BLOCK))):
        total.update(part)
        length -= len(part)
    return total.hexdigest()


def _members(file: BinaryIO, size: int) -> Iterator[tuple[str, int]]:
    """Yield each file's name and length while the archive stands at its first byte."""
    is_first = True
    while True:
        name, length = _header(file, is_first=is_first)
        if name == _END:
            return
        is_first = False
        end = file.tell() + length + -length % 4
        if end > size:
            raise _Broken(Reason.TRUNCATED, f"it ends within {name}")
        yield name, length
        file.seek(end)


def _walk(file: BinaryIO, size: int) -> str:
    names: list[str] = []
    release = ""
    for name, length in _members(file, size):
        names.append(name)
        if name == _DESCRIPTION:
            release = _release(file.read(min(length, _LONGEST_DESCRIPTION)))
    if not names or names[0] != _DESCRIPTION:
        raise _Broken(Reason.NOT_A_BUNDLE, "it begins with no description")
    if names[1:2] != ["sw-description.sig"]:
        raise _Broken(Reason.UNSIGNED, "it holds no signature")
    return release


def _header(file: BinaryIO, *, is_first: bool) -> tuple[str, int]:
    head = file.read(_HEADER_BYTES)
    if is_first and head[:6] not in _MAGIC:
        raise _Broken(Reason.NOT_A_BUNDLE, "it is no cpio archive")
    if len(head) < _HEADER_BYTES:
        raise _Broken(Reason.TRUNCATED, "it ends where a file should begin")
    if head[:6] not in _MAGIC:
        raise _Broken(Reason.TAMPERED, "a file in it does not begin where it should")
    try:
        length, name_length = int(head[54:62], 16), int(head[94:102], 16)
    except ValueError as error:
        raise _Broken(Reason.TAMPERED, "a header in it is no header") from error
    if length < 0 or not 0 < name_length <= _LONGEST_NAME:
        raise _Broken(Reason.TAMPERED, "a header in it is no header")
    # The name is padded so that the data begins at a multiple of four.
    padded = name_length + -(_HEADER_BYTES + name_length) % 4
    name = file.read(padded)
    if len(name) < padded:
        raise _Broken(Reason.TRUNCATED, "it ends within a name")
    return name[: name_length - 1].decode("utf-8", errors="replace"), length


def _release(description: bytes) -> str:
    found = _VERSION.search(description.decode("utf-8", errors="replace"))
    if found is None:
        raise _Broken(Reason.NOT_A_BUNDLE, "its description names no version")
    return found[1]
