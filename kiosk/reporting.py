"""`kiosk report x|z`: what the lane's journal adds up to, on a page of the terminal.

Reads the journal and what sync was told; changes nothing. Drawing a Z report here
does not end the trading day: that is an attendant's act at the lane.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import apsw
import msgspec
import typer
from babel.numbers import format_currency
from rich.console import Console
from rich.table import Table

from kiosk.domain import body as bodies
from kiosk.domain.currency import MINOR_DIGITS
from kiosk.domain.events import DayEnded
from kiosk.domain.report import Count, Totals, fold, merge
from kiosk.records.chain import Entry
from kiosk.records.journal import JournalReader
from kiosk.records.rotation import journal_files
from kiosk.sync.state import StateFile

report = typer.Typer(help="Add the journal up: X so far, Z for the last closed day.")

Journal = Annotated[Path, typer.Option(help="The folder that holds the journal.")]
State = Annotated[
    Path | None,
    typer.Option(help="The folder of kiosk-sync's state, for what is held."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]


class Reconciled(msgspec.Struct, frozen=True):
    """What was sold against what the back office said it holds, in entries."""

    sold: int
    held: int
    missing: int
    twice: int
    oldest_unsent_ms: int = 0

    @property
    def line(self) -> str:
        """The line a Z report ends with."""
        return (
            f"sold {self.sold} = held {self.held}, "
            f"{self.missing} missing, {self.twice} twice"
            if not self.missing
            else f"sold {self.sold}, held {self.held}: {self.missing} missing, "
            f"{self.twice} twice"
        )


class Report(msgspec.Struct, frozen=True):
    """An X or Z report: of which entries, what they add up to, what is held."""

    kind: str
    lane_id: str
    trading_day: str
    first_seq: int
    last_seq: int
    from_ms: int
    until_ms: int
    totals: Totals
    reconciled: Reconciled


class NoReport(Exception):
    """There is nothing to report; the words are the attendant's."""


@report.command()
def x(
    journal: Journal = Path("var/journal"),
    state: State = None,
    json: AsJson = False,
) -> None:
    """Show what was sold since the last Z report. Closes nothing."""
    _print("X", journal, state, json)


@report.command()
def z(
    journal: Journal = Path("var/journal"),
    state: State = None,
    json: AsJson = False,
) -> None:
    """Show the last trading day that was closed."""
    _print("Z", journal, state, json)


def make_report(kind: str, journal: Path, state: Path | None) -> Report:
    """Return the X report so far, or the Z report of the last day closed."""
    files = journal_files(journal) if journal.is_dir() else []
    if not files:
        raise NoReport(
            f"there is no journal in {journal}; name its folder with --journal"
        )
    entries: list[Entry] = []
    for path in files:
        with JournalReader(path) as reader:
            lane_id = reader.lane_id
            entries += reader.entries(reader.first_seq)
    ends = [place for place, one in enumerate(entries) if one.kind == DayEnded.__name__]
    if kind == "Z":
        if not ends:
            raise NoReport("no trading day has been closed yet: see `kiosk report x`")
        first = ends[-2] + 1 if len(ends) > 1 else 0
        chosen = entries[first : ends[-1] + 1]
    else:
        first = ends[-1] + 1 if ends else 0
        chosen = entries[first:]
    before = _fold(entries[:first])
    totals = _fold(chosen)
    # Money still to be settled is owed whatever the day it came up on.
    owed = merge(before, totals) if before.currency == totals.currency else totals
    totals = msgspec.structs.replace(totals, open_items=owed.open_items)
    return Report(
        kind,
        lane_id,
        totals.days_ended[-1] if totals.days_ended else "open",
        chosen[0].seq if chosen else 0,
        chosen[-1].seq if chosen else 0,
        chosen[0].at_ms if chosen else 0,
        chosen[-1].at_ms if chosen else 0,
        totals,
        _reconcile(entries, chosen, state or journal.parent / "sync"),
    )


def _fold(entries: list[Entry]) -> Totals:
    return fold((one.kind, one.training, bodies.decode(one.body)) for one in entries)


def _reconcile(entries: list[Entry], chosen: list[Entry], state: Path) -> Reconciled:
    """Count what the back office acknowledged: all up to one entry, each once."""
    acknowledged = StateFile(state / "sync.json").state.acknowledged
    digests = {one.seq: one.digest for one in entries}
    up_to = acknowledged.seq
    if up_to in digests and digests[up_to] != acknowledged.digest:
        up_to = 0
    held = sum(one.seq <= up_to for one in chosen)
    unsent = next((one.at_ms for one in entries if one.seq > up_to), 0)
    return Reconciled(len(chosen), held, len(chosen) - held, 0, unsent)


# -- on the terminal ---------------------------------------------------------


def _print(kind: str, journal: Path, state: Path | None, json: bool) -> None:
    try:
        made = make_report(kind, journal, state)
    except (NoReport, OSError, apsw.Error) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if json:
        sys.stdout.buffer.write(_as_json(made) + b"\n")
    else:
        Console().print(as_table(made, time.time_ns() // 1_000_000))


def _as_json(made: Report) -> bytes:
    return msgspec.json.encode(
        {**msgspec.structs.asdict(made), "line": made.reconciled.line}
    )


def as_table(made: Report, now_ms: int) -> Table:
    """Set a report as people read it."""
    totals, currency = made.totals, made.totals.currency
    title = f"{made.kind} report · {made.lane_id} · trading day {made.trading_day}"
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column("what", min_width=30)
    table.add_column("how often", justify="right")
    table.add_column("amount", justify="right", min_width=12)

    def rows(section: str, counts: dict[str, Count]) -> None:
        for name, count in counts.items():
            table.add_row(f"{section} {name}", str(count.count), money(count))

    def money(count: Count) -> str:
        return _money(count.amount_minor, currency)

    if made.first_seq:
        table.add_row("Entries", f"{made.first_seq}-{made.last_seq}", "")
        table.add_row("From", "", _clock(made.from_ms))
        table.add_row("Until", "", _clock(made.until_ms))
    table.add_section()
    table.add_row("Sales", str(totals.sales.count), money(totals.sales))
    table.add_row("Voided sales", str(totals.voids.count), money(totals.voids))
    table.add_row("Refunds", str(totals.refunds.count), money(totals.refunds))
    table.add_row("Total", "", _money(totals.total_minor, currency), style="bold")
    table.add_section()
    table.add_row("Before offers", "", _money(totals.gross_minor, currency))
    table.add_row("Discounts", "", _money(totals.discount_minor, currency))
    table.add_row("Deposits in it", "", _money(totals.deposit_minor, currency))
    table.add_row("Net of tax", "", _money(totals.net_minor, currency))
    for line in totals.taxes:
        rate = f"{Decimal(line.rate_ppm).scaleb(-4).normalize():f} %"
        table.add_row(
            f"Tax {line.letter} {rate} on {_money(line.net_minor, currency)}",
            "",
            _money(line.tax_minor, currency),
        )
    table.add_section()
    rows("Tender", totals.tenders)
    table.add_row("Approved offline", str(totals.offline.count), money(totals.offline))
    table.add_row("Reversed", str(totals.reversed.count), money(totals.reversed))
    table.add_row(
        "Still to be settled",
        str(len(totals.open_items)),
        _money(sum(item.amount_minor for item in totals.open_items), currency),
    )
    table.add_section()
    struck = totals.lines_struck
    table.add_row("Lines struck out", str(struck.count), money(struck))
    rows("Basket dropped:", totals.dropped)
    rows("Basket put aside:", totals.parked)
    for reason, causes in sorted(totals.interventions.items()):
        table.add_row(
            f"Intervention: {reason.replace('_', ' ')}",
            str(causes.made),
            f"{causes.approved} yes, {causes.refused} no",
        )
    if totals.checks.drawn:
        checks = totals.checks
        table.add_row(
            "Random checks",
            f"{checks.asked} of {checks.drawn}",
            f"{checks.good} good, {checks.bad} not, {checks.unpaid_items} unpaid",
        )
    table.add_row("Training entries", str(totals.training_entries), "in no sum")
    if totals.left_out:
        table.add_row(
            "Entries not understood", str(totals.left_out), "in no sum", style="red"
        )
    for alarm in totals.alarms:
        table.add_row("Alarm", "", alarm, style="red")
    table.add_section()
    unsent = made.reconciled.oldest_unsent_ms
    table.add_row(
        "Oldest unsent entry", "", _age(now_ms - unsent) if unsent else "none"
    )
    table.add_row(made.reconciled.line, "", "", style="bold")
    return table


def _money(minor: int, currency: str) -> str:
    if not currency:
        return str(minor)
    amount = Decimal(minor).scaleb(-MINOR_DIGITS.get(currency, 2))
    return format_currency(amount, currency, locale="en")


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


def _age(milliseconds: int) -> str:
    seconds = max(0, milliseconds // 1000)
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min {seconds % 60:02d} s"
