"""`kiosk bench`: this machine's figures, each beside its floor from the same run.

One object, or one table. Measures the real programs through their own seams; a
figure that could not be measured is an error, never a zero.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

import apsw
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from kiosk.bench import (
    lookups,
    pricing_load,
    scans,
    soaks,
    stand,
    starts,
    sync_load,
)
from kiosk.bench.measured import (
    Machine,
    Measured,
    Report,
    Soak,
    Spread,
    percentile,
    spread,
    targets,
)

_PRICINGS = 100
_WARM_PRICINGS = 3
# Memory-backed, where there is one: the soak is about memory, not about the disk.
_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it
_SOAK_BYTES = 2**30

Tick: TypeAlias = Callable[[], None]
T = TypeVar("T")


def bench(json: bool) -> None:
    """Measure, and print one JSON object or a table."""
    console = Console(stderr=json)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=json or not console.is_terminal,
    ) as progress:
        report = measure(progress)
    if json:
        sys.stdout.buffer.write(msgspec.json.encode(report.as_object()) + b"\n")
    else:
        console.print(table(report))
        console.print(_about(report))


def measure(progress: Progress) -> Report:
    """Measure everything, one thing at a time, from the quick to the long."""

    def step(words: str, job: Callable[[Tick], T], total: int = 1) -> T:
        task = progress.add_task(words, total=total)
        done = job(lambda: progress.advance(task))
        progress.update(task, completed=total)
        return done

    began = time.monotonic()
    # Not in the system's temporary folder: that may be memory, where a commit is free.
    var = Path("var")
    var.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=var, prefix="bench-") as made:
        folder = Path(made).resolve()
        catalog = step(
            "Building a catalogue of 100,000 items",
            lambda _: stand.build_catalog(folder),
        )
        lookup = step("Looking items up", lambda _: lookups.measure(catalog))
        prices = step("Pricing 200 lines by 50 promotions", lambda _: _prices())
        seconds = step(
            "Starting the lane",
            lambda tick: starts.measure(folder / "starts", catalog, tick),
            starts.STARTS,
        )
        scanned = step(
            "Scanning: to the disk and to the glass",
            lambda tick: scans.measure(folder / "scans", catalog, tick),
            scans.LINES + scans.PAIRS + scans.RESTLESS,
        )
        entries_per_s = step("Syncing over HTTP", lambda _: sync_load.measure())
        soak = step(
            "Selling 10,000 times",
            lambda tick: _soak(folder, catalog, tick),
            (soaks.WARM_SALES + soaks.SALES) // 100,
        )
    measured = Measured(
        scan_to_journaled_ms=scanned.scan_to_journaled,
        scan_to_journaled_200_ms=scanned.scan_to_journaled_200,
        scan_to_journaled_restless_ms=scanned.scan_to_journaled_restless,
        bare_commit_ms=scanned.bare_commit,
        scan_to_frame_ms=scanned.scan_to_frame,
        bare_frame_ms=scanned.bare_frame,
        bare_flip_ms=scanned.bare_flip,
        lookup_us=spread(lookup),
        recalc_200_ms=spread(prices["recalc_200"]),
        recalc_full_ms=spread(prices["recalc_full"]),
        ready_s=round(percentile(seconds, 0.5), 3),
        rss_growth_pct=round(soak.growth_pct, 2),
        sync_entries_per_s=round(entries_per_s, 1),
    )
    took_s = round(time.monotonic() - began, 1)
    return Report(measured, targets(measured), soak, machine(), took_s)


def machine() -> Machine:
    """Say what this was measured on."""
    return Machine(
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        sqlite=apsw.sqlite_lib_version(),
        load=round(os.getloadavg()[0], 2),
    )


def table(report: Report) -> Table:
    """Return the figures as rows: what was measured, its floor or limit, a verdict."""
    found = Table(title="This machine's figures")
    for heading in ("figure", "p50", "p99", "promise", "measured", "limit", "met"):
        found.add_column(heading, justify="left" if heading == "promise" else "right")
    verdicts = {target.figure: target for target in report.targets}
    for name, value in report.measured.by_name().items():
        ends = (
            (f"{value.p50:,.3f}", f"{value.p99:,.3f}")
            if isinstance(value, Spread)
            else (f"{value:,.2f}", "")
        )
        verdict = verdicts.get(name)
        if verdict is None:
            found.add_row(name, *ends, "", "", "", "")
            continue
        found.add_row(
            name,
            *ends,
            verdict.promise,
            f"{verdict.measured:,.3f}",
            f"{verdict.limit:,.3f}",
            "[green]yes[/]" if verdict.is_met else "[red]no[/]",
        )
    return found


def _about(report: Report) -> str:
    soak, it = report.soak, report.machine
    return (
        f"{it.cores} cores, {it.system}, Python {it.python}, SQLite {it.sqlite},"
        f" load {it.load}; measured in {report.seconds:.0f} s.\n"
        f"Memory over {soak.sales:,} sales ({soak.entries:,} entries):"
        f" {soak.warm_mib} MiB, then {soak.end_mib} MiB; {soak.what}."
    )


def _prices() -> dict[str, list[float]]:
    pricing_load.measure(_WARM_PRICINGS)
    return pricing_load.measure(_PRICINGS)


def _soak(folder: Path, catalog: Path, tick: Tick) -> Soak:
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _SOAK_BYTES
    where = _MEMORY if in_memory else folder
    with tempfile.TemporaryDirectory(dir=where, prefix="stillopen-") as made:
        return soaks.measure(Path(made), catalog, tick)
