"""Runs the soaked lane and says how its memory grew."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from kiosk.bench.measured import Soak
from kiosk.bench.soak import Sold
from kiosk.bench.stand import Stand, Talker

SALES = 10_000
# By then every screen was shown and the caches of words and pictures are in use.
WARM_SALES = 500


def measure(
    folder: Path, catalog: Path, tick: Callable[[], None], sales: int = SALES
) -> Soak:
    """Sell so much; `tick` is called every hundred sales.

    `folder` should be in memory: what is measured here is not the disk.
    """
    with Stand(folder, catalog) as stand:
        lane = Talker(
            stand.command("kiosk.bench.soak", "run"),
            folder / "lane.log",
            KIVY_GL_BACKEND="mock",
        )
        try:
            while (warm := _hear(lane, tick)).sales < WARM_SALES:
                pass
            began = time.monotonic()
            while (end := _hear(lane, tick)).sales < WARM_SALES + sales:
                pass
            seconds = time.monotonic() - began
        finally:
            lane.stop()
    return Soak(
        sales=end.sales - warm.sales,
        entries=end.entries - warm.entries,
        warm_mib=round(warm.rss_mib, 1),
        end_mib=round(end.rss_mib, 1),
        seconds=round(seconds, 1),
    )


def _hear(lane: Talker, tick: Callable[[], None]) -> Sold:
    sold = msgspec.convert(lane.hear(), Sold)
    tick()
    return sold
