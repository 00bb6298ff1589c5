"""The books of a played shop, held against each other: journal, back office, terminal.

Reads only. A difference is a sentence; no difference is an empty list.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from kiosk.backoffice.store import Store
from kiosk.backoffice.tables import branch, entry
from kiosk.domain import body as bodies
from kiosk.domain import report
from kiosk.domain.effects import SaleMade, SaleUndone
from kiosk.records.journal import Entry, JournalReader
from kiosk.records.rotation import journal_files
from kiosk.records.verify import verify_all


class Books(msgspec.Struct, frozen=True):
    """What was compared, and what did not agree."""

    sold: int
    held: int
    missing: int
    twice: int
    sales: int
    sales_minor: int
    terminal_minor: int
    faults: tuple[str, ...]

    @property
    def line(self) -> str:
        """The line every Z report ends with, in entries."""
        return (
            f"sold {self.sold} = held {self.held},"
            f" {self.missing} missing, {self.twice} twice"
        )


def compare(
    journal: Path, office_db: Path, terminal_ledger: list[dict[str, Any]]
) -> Books:
    """Hold a lane's journal against what the others say."""
    files = journal_files(journal)
    faults = [f"{v.problem}" for v in verify_all(files) if not v.ok]
    lane = [one for path in files for one in _entries(path)]
    held = _held(office_db)
    counts = Counter(seq for seq, _ in held)
    twice = sum(1 for count in counts.values() if count > 1)
    missing = [e.seq for e in lane if counts[e.seq] == 0]
    digests = dict(held)
    faults += [
        f"entry {e.seq} differs at the back office"
        for e in lane
        if e.seq in digests and digests[e.seq] != e.digest
    ]
    if missing:
        faults.append(f"the back office lacks entries {missing[:5]} ...")
    if twice:
        faults.append(f"the back office holds {twice} entries twice")
    sales, minor = _sales(lane)
    kept = sum(_kept(one) for one in terminal_ledger)
    if kept != minor:
        faults.append(f"the terminal kept {kept}, the journal sold {minor}")
    return Books(
        len(lane), len(held), len(missing), twice, sales, minor, kept, tuple(faults)
    )


# What the demo's terminal lets slip (the public test number): as text, spaced as on
# receipts, as packed decimals, and its track.
_CARD_DATA = (
    b"4111111111111111",
    b"4111 1111 1111 1111",
    bytes.fromhex("4111111111111111"),
    b"D9912101",
)


def card_data(folder: Path, but: Path) -> tuple[int, list[str]]:
    """Search every file that a played shop wrote, the terminal's own aside.

    Returns how many files were searched, and those that hold card data.
    """
    searched, found = 0, []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith(but.name):
            searched += 1
            content = path.read_bytes()
            if any(secret in content for secret in _CARD_DATA):
                found.append(str(path.relative_to(folder)))
    return searched, found


def totals(journal: Path) -> report.Totals:
    """Fold a lane's journal into X figures."""
    return report.fold(
        (e.kind, e.training, bodies.decode(e.body))
        for path in journal_files(journal)
        for e in _entries(path)
    )


def _entries(path: Path) -> list[Entry]:
    with JournalReader(path) as reader:
        return list(reader.entries(reader.first_seq))


def _held(office_db: Path) -> list[tuple[int, str]]:
    store = Store.open(office_db)
    try:
        with store.reading() as connection:
            rows = connection.execute(
                select(entry.c.seq, entry.c.digest)
                .join(branch, branch.c.branch_id == entry.c.branch_id)
                .where(branch.c.is_fork.is_(False))
            )
            return [(row.seq, row.digest) for row in rows]
    finally:
        store.close()


def _sales(entries: list[Entry]) -> tuple[int, int]:
    count, minor = 0, 0
    for one in entries:
        body = bodies.decode(one.body)
        if one.training or body is None:
            continue
        for fact in body.facts:
            match fact:
                case SaleMade(sale=sale):
                    count += 1
                    minor += sale.figures.total_minor
                case SaleUndone(figures=figures):
                    minor -= figures.total_minor
                case _:
                    pass
    return count, minor


def _kept(one: dict[str, Any]) -> int:
    if one["state"] != "approved" or not one.get("result"):
        return 0
    if one["kind"] == "reversal":
        # The payment itself is marked as reversed.
        return 0
    sign = 1 if one["kind"] == "payment" else -1
    return sign * int(one["result"]["amount_minor"])
