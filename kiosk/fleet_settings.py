"""fleet.toml -> frozen settings: where a kiosk's back office and its releases are.

In the image's root, the same for every kiosk of a fleet; what makes one a certain
lane comes by enrolment. Without the file, or without an office, a kiosk has no fleet.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from kiosk.settings import ConfigError

FLEET_TOML = Path("/etc/stillopen/fleet.toml")
_KEY = re.compile(r"[0-9a-f]{64}")
# Below a minute a thousand kiosks are a load; above a week a fix comes late.
_SHORTEST_POLL, _LONGEST_POLL = 60.0, 7 * 86_400.0


class FleetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fleet as a kiosk is told of it.

    `office_key` pins the back office; without it the claim code, compared by an
    admin, proves it. `release_keys` are the keys that may sign releases: none, and
    none is taken.
    """

    office: str = ""
    office_key: str = ""
    releases: str = ""
    release_keys: tuple[str, ...] = ()
    # Spread from zero to twice as long, so that no two kiosks ask together.
    poll_seconds: float = 3600.0

    @property
    def pinned_key(self) -> bytes:
        """Return the back office's key, or nothing where it is not pinned."""
        return bytes.fromhex(self.office_key)

    @property
    def trusted_keys(self) -> tuple[bytes, ...]:
        """Return the keys that may sign releases."""
        return tuple(bytes.fromhex(key) for key in self.release_keys)


def load(path: Path = FLEET_TOML) -> FleetSettings:
    """Read fleet.toml; no file is no fleet; `ConfigError` says what is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        settings = msgspec.convert(table, FleetSettings)
    except FileNotFoundError:
        return FleetSettings()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from error
    faults = [
        f"{name}: {url!r} is no address; expected http:// or https:// and a host"
        for name, url in (("office", settings.office), ("releases", settings.releases))
        if url and not _is_address(url)
    ]
    keys = [settings.office_key] if settings.office_key else []
    faults += [
        f"{key!r} is no key; expected 64 hexadecimal digits, as `kiosk fleet key new`"
        " shows them"
        for key in (*keys, *settings.release_keys)
        if not _KEY.fullmatch(key)
    ]
    if not _SHORTEST_POLL <= settings.poll_seconds <= _LONGEST_POLL:
        faults.append("poll_seconds: expected a minute to a week")
    if faults:
        raise ConfigError("\n".join(f"{path}: {fault}" for fault in faults))
    return settings


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
