"""What is made anew at each start: the lane's settings and the network's file.

What enrolment or a technician set comes first; where that cannot be used the root's
own defaults do, and the log says so. A machine must start whatever is in its files.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from kiosk.caretaker import network
from kiosk.caretaker.places import Places
from kiosk.records.disk import replace_file
from kiosk.settings import ConfigError, parse

log = logging.getLogger(__name__)


def render(places: Places, group: int = -1) -> bool:
    """Write /run's files; return whether all that was set could be used.

    `group` may read the lane's settings; -1 leaves it as it is.
    """
    places.run.mkdir(parents=True, exist_ok=True)
    places.networkd.mkdir(parents=True, exist_ok=True)
    is_whole = _lane(places, group)
    return _network(places) and is_whole


def _lane(places: Places, group: int) -> bool:
    own, default = places.config / "lane.toml", places.defaults / "lane.toml"
    text = _usable(own)
    is_whole = True
    if text is None:
        is_whole = not own.exists()
        log.log(
            logging.INFO if is_whole else logging.ERROR,
            "the lane is run by %s",
            default,
        )
        text = default.read_text(encoding="utf-8")
    replace_file(places.lane_toml, text.encode(), 0o640)
    if group >= 0:
        os.chown(places.lane_toml, -1, group)
    return is_whole


def _usable(path: Path) -> str | None:
    """Return the settings in a file, if a lane can be run by them."""
    if not path.exists():
        return None
    try:
        text = path.read_text(encoding="utf-8")
        parse(text, str(path))
    except (OSError, UnicodeDecodeError, ConfigError) as error:
        log.error("%s is left aside: %s", path, error)
        return None
    return text


def _network(places: Places) -> bool:
    """Render what was set for a card; without it every card asks by DHCP."""
    try:
        setting = network.from_toml(places.network_toml.read_text(encoding="utf-8"))
    except FileNotFoundError:
        places.network_unit.unlink(missing_ok=True)
        return True
    except (OSError, UnicodeDecodeError, network.NetworkFileError) as error:
        log.error("%s is left aside, DHCP is used: %s", places.network_toml, error)
        places.network_unit.unlink(missing_ok=True)
        return False
    replace_file(places.network_unit, network.to_unit(setting).encode(), 0o644)
    return True
