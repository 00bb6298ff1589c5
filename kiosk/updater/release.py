"""What a fleet's release folder announces: one signed document beside one bundle.

Values and codecs only. The document says which bundle is wanted; whether the bundle
may be installed, its own signature says, to the updater.
"""

from __future__ import annotations

import re

import msgspec

from kiosk.sync.wire import Signed, WireError, read, unseal

RELEASE_DOMAIN = b"stillopen-release-1"
RELEASE_JSON = "release.json"
# ROOT_A and ROOT_B are 1 GiB, BOOT 128 MiB; no bundle for them is larger.
LARGEST_BUNDLE = 2 * 1024**3
_SHA256 = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"\d{1,9}(\.\d{1,9}){0,3}")


class Release(msgspec.Struct, frozen=True):
    """One release for one kind of hardware. Of two, the higher `sequence` holds."""

    release: str
    hardware: str
    sha256: str
    size: int
    notes: str
    published_ms: int
    sequence: int

    @property
    def file_name(self) -> str:
        """Return the bundle's name beside the document."""
        return f"{self.sha256}.swu"


def open_release(content: bytes, keys: tuple[bytes, ...]) -> Release:
    """Return the release that one of these keys signed, or raise `WireError`."""
    signed = read(content, Signed)
    for key in keys:
        try:
            found = unseal(signed, RELEASE_DOMAIN, key, Release)
        except WireError:
            continue
        return _checked(found)
    raise WireError("it is not signed with a key of this fleet (release_keys)")


def _checked(found: Release) -> Release:
    if not _SHA256.fullmatch(found.sha256):
        raise WireError("its sha256 is none")
    if not 0 < found.size <= LARGEST_BUNDLE:
        raise WireError(f"a bundle of {found.size} bytes cannot be")
    if found.sequence < 1 or version_of(found.release) is None:
        raise WireError(f"{found.release!r} is no release: expected one like 1.2.3")
    return found


def version_of(release: str) -> tuple[int, ...] | None:
    """Return a release as numbers that can be compared, or None where it is none."""
    if not _VERSION.fullmatch(release):
        return None
    numbers = [int(part) for part in release.split(".")]
    return tuple(numbers + [0] * (4 - len(numbers)))
