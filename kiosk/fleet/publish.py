"""A release folder that any static web server serves: the bundle, and its document.

The document is put in place last and in one step, so that no kiosk ever sees a
release whose bundle is not there. Signs nothing but the document: the bundle has its
own signature, made when it was built.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import msgspec

from kiosk.records.disk import replace_file, sync_folder
from kiosk.records.keys import SigningKey
from kiosk.sync.wire import WireError, seal
from kiosk.updater.fetch import sha256_of
from kiosk.updater.release import (
    LARGEST_BUNDLE,
    RELEASE_DOMAIN,
    RELEASE_JSON,
    Release,
    open_release,
    version_of,
)

# A .swu is a cpio archive in the "new ASCII" format, with or without checksums; its
# first file is sw-description (cpio(5), swupdate's "Update image format").
MAGIC = (b"070701", b"070702")
HEADER_BYTES = 110
LARGEST_DESCRIPTION = 256 * 1024
_VERSION = re.compile(r'^\s*version\s*=\s*"([^"]+)"', re.MULTILINE)
_HARDWARE = re.compile(r'hardware-compatibility\s*[=:]\s*\[\s*"([^"]+)"\s*\]')


class PublishError(ValueError):
    """A release that is not published, in the admin's words."""


class Described(msgspec.Struct, frozen=True):
    """What a bundle says of itself; empty words were not found."""

    release: str
    hardware: str


def described(bundle: Path) -> Described:
    """Return what the bundle's sw-description says."""
    try:
        with bundle.open("rb") as file:
            header = file.read(HEADER_BYTES)
            if header[:6] not in MAGIC:
                raise PublishError(f"{bundle} is no update bundle (.swu)")
            size, name_size = int(header[54:62], 16), int(header[94:102], 16)
            name = file.read(_padded(HEADER_BYTES + name_size) - HEADER_BYTES)
            if name.rstrip(b"\0") != b"sw-description" or size > LARGEST_DESCRIPTION:
                raise PublishError(f"{bundle} does not begin with sw-description")
            text = file.read(size).decode("utf-8", "replace")
    except OSError as error:
        raise PublishError(f"{bundle}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        if isinstance(error, PublishError):
            raise
        raise PublishError(f"{bundle} is no update bundle (.swu)") from error
    version, hardware = _VERSION.search(text), _HARDWARE.search(text)
    return Described(version[1] if version else "", hardware[1] if hardware else "")


def publish(
    bundle: Path,
    folder: Path,
    key: SigningKey,
    *,
    release: str,
    hardware: str,
    notes: str,
    now_ms: int,
) -> Release:
    """Put a release into its folder; return what kiosks will read."""
    if version_of(release) is None:
        raise PublishError(f"{release!r} is no release: expected one like 1.2.3")
    if not hardware:
        raise PublishError("for which hardware? The bundle does not say: --hardware")
    size = bundle.stat().st_size
    if not 0 < size <= LARGEST_BUNDLE:
        raise PublishError(f"{bundle} has {size} bytes: no bundle can")
    folder.mkdir(parents=True, exist_ok=True)
    before = _before(folder, key)
    sha256 = sha256_of(bundle)
    announced = Release(
        release,
        hardware,
        sha256,
        size,
        notes,
        now_ms,
        # By the clock it rises even where the folder, and its last number, was lost.
        max(before.sequence + 1 if before else 1, now_ms // 1000),
    )
    if before is not None and before.hardware != hardware:
        raise PublishError(
            f"{folder} holds releases for {before.hardware}: publish those for"
            f" {hardware} to a folder of their own"
        )
    target = folder / announced.file_name
    if not target.exists() or sha256_of(target) != sha256:
        _copy(bundle, target)
    document = msgspec.json.encode(seal(key, RELEASE_DOMAIN, announced))
    replace_file(folder / RELEASE_JSON, document, 0o644)
    return announced


def _before(folder: Path, key: SigningKey) -> Release | None:
    try:
        content = (folder / RELEASE_JSON).read_bytes()
        return open_release(content, (key.public,))
    except FileNotFoundError:
        return None
    except WireError as error:
        raise PublishError(
            f"{folder / RELEASE_JSON} is not signed with this key: {error}. Kiosks"
            " trust the keys in their fleet.toml; is this the fleet's key?"
        ) from error


def _copy(bundle: Path, target: Path) -> None:
    aside = target.with_name(f".{target.name}.new")
    shutil.copyfile(bundle, aside)
    aside.chmod(0o644)
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    aside.rename(target)
    sync_folder(target.parent)


def _padded(length: int) -> int:
    return (length + 3) // 4 * 4
