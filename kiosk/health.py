"""Watches what the lane stands on and tells it changes: devices, disk, clock.

Polls are not events: only a change becomes one. Decides nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from hardware.ports import DeviceState, Power
from kiosk.domain.events import DeviceChanged, Event, PowerChanged
from kiosk.records.disk import room_for_a_basket

log = logging.getLogger(__name__)

_DISK_SECONDS = 5.0


def device_states(
    name: str, post: Callable[[Event], None]
) -> Callable[[DeviceState], None]:
    """Return what a device's driver calls with its state; only changes are posted."""
    last: list[DeviceState] = []

    def tell(state: DeviceState) -> None:
        if last != [state]:
            last[:] = [state]
            log.info("%s is %s %s", name, state.health.value, state.detail)
            post(DeviceChanged(name, state.health.value, state.detail[:200]))

    return tell


def power_states(
    post: Callable[[Event], None],
) -> Callable[[Power | DeviceState], None]:
    """Return what the UPS driver calls with power and its own state."""
    tell_device = device_states("ups", post)

    def tell(state: Power | DeviceState) -> None:
        if isinstance(state, Power):
            post(PowerChanged(state.source.value))
        else:
            tell_device(state)

    return tell


class DiskWatch:
    """Tells the lane when there is no room left for another basket."""

    def __init__(self, folder: Path, post: Callable[[Event], None]) -> None:
        self._folder = folder
        self._post = post
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="disk", daemon=True)

    def start(self) -> None:
        """Look now, and then every few seconds."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        had_room = True
        while True:
            has_room = room_for_a_basket(self._folder)
            if has_room != had_room:
                health = "ready" if has_room else "absent"
                detail = "" if has_room else f"the disk of {self._folder} is full"
                self._post(DeviceChanged("disk", health, detail))
                had_room = has_room
            if self._stop.wait(_DISK_SECONDS):
                return
