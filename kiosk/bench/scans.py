"""From a scan to the journal and to the glass, beside what the machine can do at all.

The lane is the real program, drawing 1080x1920 with software GL; labels come over
a pty. Bare commits on the same disk lie between the scans and, once 200 lines are
in the list, frames of a bare Kivy window.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import msgspec

from kiosk.bench.measured import Spread, spread
from kiosk.bench.play import START_SECONDS, PlayError
from kiosk.bench.probe_lines import Drawn, Journaled
from kiosk.bench.stand import PANEL, Stand, Talker, gtin

LINES = 200
PAIRS = 60
RESTLESS = 60
# The driver drops more than ten labels a second; the rest is chance, so that scans
# meet every moment of a frame.
_PACE_SECONDS = 0.102
_CHANCE_SECONDS = 0.02
# After a label was typed the lane draws it within this time, on any of our machines.
_WHILE_DRAWN_SECONDS = (0.003, 0.025)


class Scans(msgspec.Struct, frozen=True):
    """Milliseconds, as in `Measured`."""

    scan_to_journaled: Spread
    scan_to_journaled_200: Spread
    scan_to_journaled_restless: Spread
    bare_commit: Spread
    scan_to_frame: Spread
    bare_frame: Spread
    bare_flip: Spread


class BareCommit:
    """One row into a table, with the journal's settings and no more."""

    def __init__(self, folder: Path) -> None:
        self._db = apsw.Connection(str(folder / "bare.db"))
        self._db.pragma("journal_mode", "wal")
        self._db.pragma("synchronous", 2)
        self._db.wal_autocheckpoint(0)
        self._db.execute("create table entry (seq integer primary key, body text)")
        # As long as an entry of one scanned item.
        self._body = "x" * 700

    def measure(self) -> float:
        """Write a row; return the milliseconds until it is on disk."""
        began_ns = time.perf_counter_ns()
        self._db.execute("insert into entry (body) values (?)", (self._body,))
        return (time.perf_counter_ns() - began_ns) / 1e6

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def measure(folder: Path, catalog: Path, tick: Callable[[], None]) -> Scans:
    """Fill a list of 200 lines, then add to it; `tick` is called for each scan."""
    with Stand(folder, catalog) as stand:
        width, height = PANEL
        lane = Talker(stand.command("kiosk.bench.probe", "run"), folder / "lane.log")
        bare = Talker(
            [
                *(sys.executable, "-m", "kiosk.bench.bare_window"),
                *(str(width), str(height), str(LINES)),
            ],
            folder / "bare.log",
        )
        commit = BareCommit(stand.state)
        try:
            _await(stand, lane)
            return _Run(stand, lane, bare, commit, tick).measure()
        finally:
            commit.close()
            bare.stop()
            lane.stop()


def _await(stand: Stand, lane: Talker) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not stand.window.is_ready():
        if time.monotonic() > deadline or not lane.is_running:
            lane.hear()
            raise PlayError("the measured lane did not start")
        time.sleep(0.05)


class _Run:
    """The scans of one lane, one after another."""

    def __init__(
        self,
        stand: Stand,
        lane: Talker,
        bare: Talker,
        commit: BareCommit,
        tick: Callable[[], None],
    ) -> None:
        self._stand, self._lane, self._bare = stand, lane, bare
        self._commit, self._tick = commit, tick
        self._chance = random.Random(20_250_601)
        self._scanned = 0
        self._commits: list[float] = []

    def measure(self) -> Scans:
        drawing = [self._couple() for _ in range(LINES // 2)]
        full, frames, flips, shown = [], [], [], []
        for _ in range(PAIRS):
            self._bare.tell()
            flip_ms, shown_ms = self._bare.hear()
            journaled_ms, drawn_ms = self._single()
            flips.append(flip_ms)
            shown.append(shown_ms)
            full.append(journaled_ms)
            frames.append(drawn_ms)
        self._lane.tell("draw")
        restless = [self._single()[0] for _ in range(RESTLESS)]
        return Scans(
            scan_to_journaled=spread(drawing),
            scan_to_journaled_200=spread(full),
            scan_to_journaled_restless=spread(restless),
            bare_commit=spread(self._commits),
            scan_to_frame=spread(frames),
            bare_frame=spread(shown),
            bare_flip=spread(flips),
        )

    def _couple(self) -> float:
        """Scan two items, the second while the first is drawn; until it is on disk."""
        self._rest(2)
        self._scan()
        time.sleep(self._chance.uniform(*_WHILE_DRAWN_SECONDS))
        self._scan()
        return self._hear(2)[1][0]

    def _single(self) -> tuple[float, float]:
        """Scan one item: until it is on disk, until it is on the glass."""
        self._rest(1)
        self._scan()
        (answer,) = self._hear(1)
        return answer

    def _rest(self, scans: int) -> None:
        """Keep the pace, with a bare commit while the lane is idle."""
        time.sleep(scans * _PACE_SECONDS / 2)
        self._commits.append(self._commit.measure())
        time.sleep(scans * _PACE_SECONDS / 2 + self._chance.uniform(0, _CHANCE_SECONDS))

    def _scan(self) -> None:
        self._scanned += 1
        self._stand.scanner.type(gtin(self._scanned * 7))

    def _hear(self, scans: int) -> list[tuple[float, float]]:
        """Wait until so many scans are drawn; return milliseconds for each."""
        journaled: list[float] = []
        drawn: list[float] = []
        while len(drawn) < scans:
            line: Journaled | Drawn = msgspec.convert(
                self._lane.hear(),
                Journaled | Drawn,
            )
            match line:
                case Journaled(done_ms=ms):
                    journaled.append(ms)
                case Drawn(done_ms=ms):
                    drawn.append(ms)
                    self._tick()
        return list(zip(journaled, drawn))
