"""`kiosk simulate`: lane days from a seed, as many as wanted, and what became of them.

Run number n has the seed S + n, so that a failure names the one seed that repeats
it. Processes share nothing: the outcome does not depend on how many there are.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from kiosk.bench.simulation.day import Day, Tally

# So many days are played at once by a process before it tells how they went.
_CHUNK = 10
_MOST_FAILURES = 5
_LINES = 60


class Failure(msgspec.Struct, frozen=True):
    """A day on which a promise was broken."""

    seed: int
    what: str
    story: tuple[str, ...]


class Played(msgspec.Struct, frozen=True):
    """What became of some days."""

    tally: Tally
    failures: tuple[Failure, ...]


def simulate(
    seed: int, runs: int, verbose: bool, shoppers: int = 20, jobs: int = 1
) -> None:
    """Play `runs` lane days and print the account; exit status 1 on a violation."""
    console = Console()
    started = time.perf_counter()
    total = Tally()
    failures: list[Failure] = []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("Lane days", total=runs)
        for played in _all(seed, runs, shoppers, jobs, verbose):
            total.add(played.tally)
            failures += played.failures
            progress.update(task, completed=total.runs + len(failures))
            if verbose and runs == 1:
                break
            if len(failures) >= _MOST_FAILURES:
                break
    seconds = time.perf_counter() - started
    console.print(_table(total, seconds))
    for failure in sorted(failures, key=lambda failure: failure.seed):
        _print_failure(console, failure, shoppers)
    if failures:
        raise typer.Exit(1)
    console.print(f"No promise was broken in {total.runs} days.")


def play(seeds: range, shoppers: int, verbose: bool) -> Played:
    """Play the days of these seeds in this process."""
    tally = Tally()
    failures = []
    # What the lane would tell its technician is told by the story instead.
    logging.disable(logging.CRITICAL)
    for seed in seeds:
        day = Day(seed, shoppers, kept=1_000_000 if verbose else _LINES)
        try:
            tally.add(day.run())
        except Exception as error:  # Whatever was raised is what this looks for.
            trace = traceback.format_exception(error)[-3:]
            story = (*day.story.lines(), *"".join(trace).splitlines())
            what = f"{type(error).__name__}: {error}"
            failures.append(Failure(seed, what, story))
        else:
            if verbose:
                print("\n".join(day.story.lines()))
    logging.disable(logging.NOTSET)
    return Played(tally, tuple(failures))


def _all(
    seed: int, runs: int, shoppers: int, jobs: int, verbose: bool
) -> Iterator[Played]:
    starts = range(seed, seed + runs, _CHUNK)
    chunks = [range(start, min(start + _CHUNK, seed + runs)) for start in starts]
    if jobs <= 1:
        for chunk in chunks:
            yield play(chunk, shoppers, verbose)
        return
    with ProcessPoolExecutor(jobs) as pool:
        waiting = [pool.submit(play, chunk, shoppers, verbose) for chunk in chunks]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:
            for future in waiting:
                future.cancel()


def _table(total: Tally, seconds: float) -> Table:
    table = Table(title="Lane days in virtual time", show_header=False)
    for name in total.__struct_fields__:
        table.add_row(name.replace("_", " "), f"{getattr(total, name):,}")
    table.add_row("seconds", f"{seconds:.1f}")
    table.add_row("shoppers a second", f"{total.shoppers / max(seconds, 1e-9):.0f}")
    return table


def _print_failure(console: Console, failure: Failure, shoppers: int) -> None:
    console.rule(f"seed {failure.seed}")
    for line in failure.story:
        console.print(escape(line), highlight=False, soft_wrap=True)
    console.print(f"[red]seed {failure.seed}: {escape(failure.what)}[/red]")
    more = f" --shoppers {shoppers}" if shoppers != 20 else ""
    console.print(
        f"again: kiosk simulate --seed {failure.seed} --runs 1{more} --verbose"
    )
