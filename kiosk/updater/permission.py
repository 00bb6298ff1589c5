"""A signed permission to go back to one older release, on one machine, for a while.

The owner of the fleet signs it; the updater only reads it. Without one no older
release is ever installed.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from kiosk.records.keys import KeyFileError, load_public_key
from kiosk.sync.wire import Signed, WireError, unseal

DOWNGRADE_DOMAIN = b"stillopen-downgrade-1"


class Downgrade(msgspec.Struct, frozen=True):
    """Which release may follow a newer one, where, and until when."""

    release: str
    machine_id: str
    expires_ms: int


def permits(
    file: Path, key_file: Path, *, release: str, machine_id: str, now_ms: int
) -> tuple[bool, str]:
    """Say whether the file permits this release here and now, and if not, why."""
    try:
        signed = msgspec.json.decode(file.read_bytes(), type=Signed)
        found = unseal(signed, DOWNGRADE_DOMAIN, load_public_key(key_file), Downgrade)
    except FileNotFoundError:
        return False, ""
    except (msgspec.DecodeError, WireError, KeyFileError, OSError) as error:
        return False, f"the permission to go back cannot be used: {error}"
    if found.release != release:
        return False, f"the permission to go back is for release {found.release}"
    if not machine_id or found.machine_id != machine_id:
        return False, "the permission to go back is for another machine"
    if now_ms >= found.expires_ms:
        return False, "the permission to go back has expired"
    return True, ""
