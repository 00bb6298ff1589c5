"""`kiosk run`, with a stop-watch at three seams: emit, append and flip.

`python -m kiosk.bench.probe run --settings FILE ...` is the real lane and the real
screen. For each scan it writes two lines of JSON: once it is journaled, and once a
frame that shows it is on the glass. The line "draw" on its input lets the screen
draw every frame anew until the line "rest". The product knows nothing of it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from kivy.base import EventLoop
from kivy.clock import Clock

import kiosk.ui.app
from hardware.ports import Scan
from kiosk import cli, health
from kiosk.bench.probe_lines import Drawn, Journaled
from kiosk.records.journal import Entry, Journal


class Watch:
    """Follows each scan through the lane. Scans come and are written in order."""

    def __init__(self) -> None:
        self._emitted: deque[int] = deque()
        self._written: deque[tuple[int, int]] = deque()

    def listener(
        self, real: Callable[..., Callable[[Any], None]], *args: Any
    ) -> Callable[[Any], None]:
        """Make what a driver calls, and note when it calls with a scan."""
        tell = real(*args)

        def noted(told: Any) -> None:
            if isinstance(told, Scan):
                self._emitted.append(time.perf_counter_ns())
            tell(told)

        return noted

    def append(
        self,
        real: Callable[..., Entry],
        journal: Journal,
        kind: str,
        *args: Any,
        **rest: Any,
    ) -> Entry:
        """Append, and note when a scanned item is on disk."""
        began_ns = time.perf_counter_ns()
        entry = real(journal, kind, *args, **rest)
        if kind == "ItemFound" and self._emitted:
            done_ns = time.perf_counter_ns()
            emitted_ns = self._emitted.popleft()
            self._written.append((entry.seq, emitted_ns))
            _say(Journaled(_ms(emitted_ns, began_ns), _ms(emitted_ns, done_ns)))
        return entry

    def drawn(self, seq: int) -> None:
        """Hear that the state of an entry is on the glass."""
        while self._written and self._written[0][0] <= seq:
            _, emitted_ns = self._written.popleft()
            _say(Drawn(_ms(emitted_ns, time.perf_counter_ns())))


class Restless:
    """Keeps the screen drawing, as a shop's animations at their worst would."""

    def __init__(self) -> None:
        self._tick: Any = None

    def obey(self) -> None:
        """Do what the lines on the input say, on a thread of its own."""
        for line in sys.stdin:
            # Kivy's clock takes jobs from any thread.
            Clock.schedule_once(partial(self._turn, line.strip() == "draw"), 0)

    def _turn(self, is_on: bool, _dt: float) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        if is_on:
            canvas = EventLoop.window.canvas
            self._tick = Clock.schedule_interval(lambda _: canvas.ask_update(), 0)


def _ms(since_ns: int, until_ns: int) -> float:
    return (until_ns - since_ns) / 1e6


def _say(what: Journaled | Drawn) -> None:
    os.write(1, msgspec.json.encode(what) + b"\n")


def main() -> None:
    """Put the watch in place, then run the lane as its command does."""
    watch = Watch()
    real_append = Journal.append

    def append(journal: Journal, kind: str, *args: Any, **rest: Any) -> Entry:
        return watch.append(real_append, journal, kind, *args, **rest)

    health.listener = partial(watch.listener, health.listener)
    Journal.append = append  # type: ignore[assignment,method-assign]  # the seam
    real_app = kiosk.ui.app.LaneApp

    def lane_app(
        *args: Any, on_drawn: Callable[[int], None], **rest: Any
    ) -> kiosk.ui.app.LaneApp:
        def drawn(seq: int) -> None:
            watch.drawn(seq)
            on_drawn(seq)

        return real_app(*args, on_drawn=drawn, **rest)

    kiosk.ui.app.LaneApp = lane_app  # type: ignore[assignment,misc]  # the seam
    threading.Thread(target=Restless().obey, daemon=True).start()
    cli.app(sys.argv[1:])


if __name__ == "__main__":
    main()
