"""The report's rows: what was wanted, what was measured, and whether that is enough.

Pure: measures nothing, reads nothing. A figure that nobody measured is neither met nor
missed, and says what measures it.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """Whether a figure is as wanted."""

    MET = "met"
    MISSED = "missed"
    NOT_MEASURED = "not measured"
    # Nothing is wanted of it: it is shown.
    SHOWN = ""


class Row(msgspec.Struct, frozen=True):
    """A figure as the report has it; `limit` is the most that is wanted.

    `value` and `limit` are in `unit`; `shown` says the value in another way, and `by`
    names the command that measures it.
    """

    figure: str
    unit: str
    by: str
    value: float | None = None
    limit: float | None = None
    least: float | None = None
    shown: str = ""
    when: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether it is as wanted."""
        if self.value is None:
            return Verdict.NOT_MEASURED
        if self.limit is None and self.least is None:
            return Verdict.SHOWN
        is_within = self.limit is None or self.value <= self.limit
        is_enough = self.least is None or self.value >= self.least
        return Verdict.MET if is_within and is_enough else Verdict.MISSED


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as one table."""
    return grid(
        ("figure", "measured", "wanted", "", "by"),
        [
            (row.figure, _measured(row), _wanted(row), row.verdict, _by(row))
            for row in rows
        ],
    )


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return any table, its columns as wide as what is in them."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def amount(value: float, unit: str) -> str:
    """Return a value in words: `5 min 16 s`, `287.2 MiB`, `1.23`."""
    if unit == "s" and value >= 120:
        minutes, seconds = divmod(round(value), 60)
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    if unit == "s":
        return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s"
    if unit == "MiB":
        return f"{value:.1f} MiB".replace(".0 ", " ")
    return f"{value:.2f}".rstrip("0").rstrip(".") + f" {unit}".rstrip()


def paired_medians(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Return the medians of what was measured in turns, and the median of their ratios.

    Each ratio is of two runs that followed each other: a machine that was busy for a
    while was so for both.
    """
    firsts, seconds = zip(*pairs)
    ratios = [first / second for first, second in pairs]
    median = statistics.median
    return median(firsts), median(seconds), median(ratios)


def _measured(row: Row) -> str:
    if row.value is None:
        return "-"
    return row.shown or amount(row.value, row.unit)


def _wanted(row: Row) -> str:
    if row.limit is not None:
        return f"at most {amount(row.limit, row.unit)}"
    if row.least is not None:
        return f"all {amount(row.least, row.unit)}"
    return "-"


def _by(row: Row) -> str:
    return f"`{row.by}`" + (f", {row.when[:10]}" if row.when else "")
