"""Sells for long in the whole lane process and watches its memory.

`python -m kiosk.bench.soak run --settings FILE --bench SOCKET`: the real program, its
screen on a GL that draws nothing. In the place of the bench's window stands a
shopper who posts scans where drivers post them and taps where the screen posts
taps. Writes one line of JSON a hundred sales.
"""

from __future__ import annotations

import os
import queue
import random
import resource
import sys
import threading
from pathlib import Path
from typing import Any, Protocol

import msgspec

import kiosk.ui.app
from hardware.ports import Scan
from kiosk import cli
from kiosk.asked import Asked
from kiosk.bench import window
from kiosk.bench.stand import gtin
from kiosk.domain.events import Event, PayPressed, ReceiptChosen
from kiosk.domain.state import Complete, Idle, Lane, Scanning

SALES_A_LINE = 100
_PATIENCE_SECONDS = 60.0
_MOST_ITEMS = 5


class Runner(Protocol):
    """Where drivers and the screen post."""

    def post(self, item: Event | Asked) -> None: ...


class Program(Protocol):
    """What the shopper uses of the running lane."""

    @property
    def runner(self) -> Runner: ...


class Sold(msgspec.Struct, frozen=True):
    """So many sales until now, so many entries, and the process's memory."""

    sales: int
    entries: int
    rss_mib: float


class WatchedApp(kiosk.ui.app.LaneApp):
    """The lane's window, whose states the shopper follows."""

    states: queue.SimpleQueue[Lane] = queue.SimpleQueue()

    def show(self, lane: Lane) -> None:
        """Show a state, and let the shopper see it."""
        super().show(lane)
        self.states.put(lane)


class Shopper:
    """Buys one to five items, pays by card, wants no receipt, and begins again."""

    def __init__(self, program: Program, states: queue.SimpleQueue[Lane]) -> None:
        self._post = program.runner.post
        self._states = states
        self._chance = random.Random(10_000)

    def run(self) -> None:
        """Shop for as long as the lane runs."""
        lane = self._until(Idle)
        sales = 0
        while True:
            items = self._chance.randint(1, _MOST_ITEMS)
            for _ in range(items):
                label = gtin(self._chance.randrange(100_000))
                self._post(Scan(label.encode(), "]E0"))
            lane = self._until(Scanning, items)
            self._post(PayPressed())
            lane = self._until(Complete)
            self._post(ReceiptChosen("none"))
            sales += 1
            if sales % SALES_A_LINE == 0:
                sold = Sold(sales, lane.seq, _rss_mib())
                os.write(1, msgspec.json.encode(sold) + b"\n")

    def _until(self, mode: type[Any], items: int = 0) -> Lane:
        while True:
            lane = self._states.get(timeout=_PATIENCE_SECONDS)
            if not isinstance(lane.mode, mode):
                continue
            if not isinstance(lane.mode, Scanning):
                return lane
            if len(lane.mode.basket.lines) == items:
                return lane


def _rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def serve(_path: Path, _screen: object, program: Program) -> None:
    """Stand in for `kiosk.bench.window.serve`: the shopper comes."""
    shopper = Shopper(program, WatchedApp.states)
    threading.Thread(target=shopper.run, name="shopper", daemon=True).start()


def main() -> None:
    """Run the lane as its command does, with the shopper in it."""
    window.serve = serve  # type: ignore[assignment]  # the seam
    kiosk.ui.app.LaneApp = WatchedApp  # type: ignore[misc]  # the seam
    cli.app(sys.argv[1:])


if __name__ == "__main__":
    main()
