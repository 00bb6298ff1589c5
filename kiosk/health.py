"""Watches what the lane stands on and tells it changes: devices, disk, clock.

Polls are not events: only a change becomes one. Decides nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from hardware.ports import DeviceState, KeypadKey, KeyPress, Power, Scan, Weight
from kiosk.domain.events import (
    BaggingWeight,
    DeviceChanged,
    Event,
    HelpPressed,
    PowerChanged,
    WeightSettled,
)
from kiosk.records.disk import (
    ROOM_FOR_A_BASKET,
    Ballast,
    free_bytes,
    is_nearly_full,
    room_for_a_basket,
)
from kiosk.runner import Post

log = logging.getLogger(__name__)

_DISK_SECONDS = 5.0


def listener(
    name: str, post: Callable[[Post], None]
) -> Callable[[Scan | Weight | Power | KeyPress | DeviceState], None]:
    """Return what a device's driver calls: what it tells becomes what the lane hears.

    A state is posted when it changed, and only then.
    """
    last: list[DeviceState] = []

    def tell(told: Scan | Weight | Power | KeyPress | DeviceState) -> None:
        match told:
            case Scan():
                post(told)
            case Weight(grams=grams) if name == "bagging":
                post(BaggingWeight(grams))
            case Weight(grams=grams):
                post(WeightSettled(grams))
            case Power(source=source):
                post(PowerChanged(source.value))
            case KeyPress(key=KeypadKey.HELP):
                post(HelpPressed())
            case KeyPress():
                pass  # The screens are not walked by keys yet.
            case DeviceState(health=health, detail=detail, cause=cause):
                if last != [told]:
                    last[:] = [told]
                    log.info("%s is %s %s", name, health.value, detail)
                    post(DeviceChanged(name, health.value, detail[:200], cause))

    return tell


class DiskWatch:
    """Tells the lane when there is no room left for another basket.

    Gives the ballast up when the disk is nearly full, so that the sale in hand can be
    written to its end, and holds it again once there is room for both.
    """

    def __init__(
        self,
        folder: Path,
        ballast: Ballast,
        post: Callable[[Event], None],
        seconds: float = _DISK_SECONDS,
    ) -> None:
        self._folder = folder
        self._ballast = ballast
        self._post = post
        self._seconds = seconds
        # Nothing is known yet: the lane may have gone down over a full disk.
        self._had_room: bool | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="disk", daemon=True)

    def start(self) -> None:
        """Look now, and then every few seconds."""
        self._look()
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self._look()

    def _look(self) -> None:
        self._balance()
        has_room = room_for_a_basket(self._folder)
        if has_room == self._had_room:
            return
        self._had_room = has_room
        if has_room:
            self._post(DeviceChanged("disk", "ready", ""))
        else:
            detail = f"the disk of {self._folder} is full"
            log.error("%s: no new basket is begun", detail)
            self._post(DeviceChanged("disk", "absent", detail))

    def _balance(self) -> None:
        if self._ballast.is_held:
            if is_nearly_full(self._folder):
                log.error("the disk is nearly full: its reserve is given up")
                self._ballast.release()
        elif free_bytes(self._folder) >= ROOM_FOR_A_BASKET + self._ballast.size:
            self._ballast.hold()
