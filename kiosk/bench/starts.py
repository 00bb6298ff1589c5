"""How long a lane takes from the start of its process to its first scan."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from hardware.simulated.control import ControlError
from kiosk.bench.play import Part
from kiosk.bench.stand import Stand, await_part, gtin
from kiosk.bench.window import Seen
from kiosk.ui import environment

STARTS = 3


def measure(folder: Path, catalog: Path, tick: Callable[[], None]) -> list[float]:
    """Start the real program again and again; return seconds until it was ready.

    Ready: the screen shows Welcome, card terminal and scanner are there. A scan
    must then be taken, or nothing is returned.
    """
    environment.prepare()
    taken = []
    for number in range(STARTS):
        with Stand(folder / str(number), catalog) as stand:
            lane = Part(
                "lane", stand.command("kiosk", "run"), stand.folder / "lane.log"
            )
            began = time.monotonic()
            lane.start()
            try:
                await_part(lane, lambda: _is_ready(stand), 0.01)
                taken.append(time.monotonic() - began)
                stand.scanner.type(gtin(number))
                await_part(lane, lambda: _mode(stand) == "Scanning")
            finally:
                lane.stop()
        tick()
    return taken


def _is_ready(stand: Stand) -> bool:
    seen = _seen(stand)
    if seen is None or seen.mode != "Idle" or "start" not in seen.controls:
        return False
    devices = seen.state.get("devices", {})
    return all(devices.get(name) == "ready" for name in ("scanner", "terminal"))


def _mode(stand: Stand) -> str:
    seen = _seen(stand)
    return seen.mode if seen else ""


def _seen(stand: Stand) -> Seen | None:
    try:
        return stand.window.state()
    except (OSError, ControlError):
        return None
