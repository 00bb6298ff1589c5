"""What was measured, against what was promised: spreads, targets, verdicts.

Pure values. Measures nothing itself and knows no device.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """The middle of many measurements, and what one in a hundred exceeds."""

    p50: float
    p99: float


class Soak(msgspec.Struct, frozen=True):
    """The memory of a lane that sold for long. RSS in MiB, after warm-up and last."""

    sales: int
    entries: int
    warm_mib: float
    end_mib: float
    seconds: float
    what: str = (
        "the whole lane process: scans posted where drivers post them, catalogue,"
        " runner, journal, presenter and Kivy screen at 1080x1920 on a GL that draws"
        " nothing, payments by the simulated terminal over TCP"
    )

    @property
    def growth_pct(self) -> float:
        """How much larger the process became."""
        return 100 * (self.end_mib / self.warm_mib - 1)


class Measured(msgspec.Struct, frozen=True):
    """One run's figures.

    `scan_to_journaled_ms`: from the driver's emit to append returned, each scan
    coming while the one before is drawn; `..._200_ms`: with 200 lines in the list,
    nothing being drawn; `..._restless_ms`: with 200 lines, and the whole screen
    drawn anew without a pause, which no shop sees. `bare_frame_ms`: to the flip that shows the row; `bare_flip_ms`: to
    the first flip after the append, which Kivy's RecycleView needs to lay it out.
    """

    scan_to_journaled_ms: Spread
    scan_to_journaled_200_ms: Spread
    scan_to_journaled_restless_ms: Spread
    bare_commit_ms: Spread
    scan_to_frame_ms: Spread
    bare_frame_ms: Spread
    bare_flip_ms: Spread
    lookup_us: Spread
    recalc_200_ms: Spread
    recalc_full_ms: Spread
    ready_s: float
    rss_growth_pct: float
    sync_entries_per_s: float

    def by_name(self) -> dict[str, Spread | float]:
        """Return the figures by their names, in order."""
        return msgspec.structs.asdict(self)


class Machine(msgspec.Struct, frozen=True):
    """What was measured on. `load` is the machine's when the run had ended."""

    cores: int
    system: str
    python: str
    sqlite: str
    load: float


class Target(msgspec.Struct, frozen=True):
    """One promise: what was measured, what it may be at most, and whether it is."""

    figure: str
    promise: str
    measured: float
    limit: float
    is_met: bool


class Report(msgspec.Struct, frozen=True):
    """One run: figures, verdicts, and under which circumstances."""

    measured: Measured
    targets: list[Target]
    soak: Soak
    machine: Machine
    seconds: float

    def as_object(self) -> dict[str, object]:
        """Return one flat object: the figures by name, and all that is about them."""
        about = {
            "targets": self.targets,
            "soak": self.soak,
            "machine": self.machine,
            "seconds": self.seconds,
        }
        return {**self.measured.by_name(), **about}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of the values that `share` of them do not exceed."""
    if not values or not 0 < share <= 1:
        raise ValueError("a percentile needs values, and a share from 0 to 1")
    return sorted(values)[ceil(share * len(values)) - 1]


def spread(values: Sequence[float]) -> Spread:
    """Return the middle and the slow end of measurements."""
    return Spread(round(percentile(values, 0.5), 4), round(percentile(values, 0.99), 4))


def targets(measured: Measured) -> list[Target]:
    """Return every promise with its verdict. Floors are of the same run."""
    commit, frame = measured.bare_commit_ms.p50, measured.bare_frame_ms.p50
    return [
        _target(
            "scan_to_journaled_ms",
            "median at most the bare commit + 3 ms",
            measured.scan_to_journaled_ms.p50,
            commit + 3,
        ),
        _target(
            "scan_to_frame_ms",
            "median beyond the commit at most 1.5 x the bare Kivy frame",
            measured.scan_to_frame_ms.p50 - commit,
            frame * 1.5,
        ),
        _target("lookup_us", "median at most 50 us", measured.lookup_us.p50, 50),
        _target("recalc_200_ms", "median at most 2 ms", measured.recalc_200_ms.p50, 2),
        _target(
            "recalc_full_ms", "median at most 20 ms", measured.recalc_full_ms.p50, 20
        ),
        _target("ready_s", "at most 3 s", measured.ready_s, 3),
        _target("rss_growth_pct", "at most 5 %", measured.rss_growth_pct, 5),
    ]


def _target(figure: str, promise: str, measured: float, limit: float) -> Target:
    return Target(
        figure, promise, round(measured, 4), round(limit, 4), measured <= limit
    )
