"""What the back office is not yet known to hold: entries, and those that moved money.

Reads the journal only. What cannot be proven to be held counts as unsent.
"""

from __future__ import annotations

from pathlib import Path

import apsw
import msgspec

from kiosk.domain import body as bodies
from kiosk.domain.effects import (
    BasketParked,
    MoneyReturned,
    OpenItemMade,
    OpenItemSettled,
    SaleMade,
    SaleUndone,
)
from kiosk.domain.events import TenderStarted
from kiosk.records.chain import Entry, Head
from kiosk.records.rotation import JournalShelf, first_seq_of, journal_files

# What a shop would miss in its books. A body that this release cannot read may be
# any of them.
_MONEY = (
    SaleMade,
    SaleUndone,
    MoneyReturned,
    OpenItemMade,
    OpenItemSettled,
    BasketParked,
)
_BATCH = 500


class Unsent(msgspec.Struct, frozen=True):
    """How many entries follow the last one held, how many of them moved money, and
    when the oldest was written (0 for none)."""

    entries: int = 0
    sales: int = 0
    oldest_ms: int = 0


class CannotCount(OSError):
    """The journal cannot be read to its end. The words are the technician's."""


def count(folder: Path, acknowledged: Head) -> Unsent:
    """Count what follows `acknowledged` in the journal of a folder.

    An acknowledged entry that is not in this journal proves nothing: then everything
    that is kept counts. No journal at all is nothing unsent.
    """
    files = journal_files(folder) if folder.is_dir() else []
    if not files:
        return Unsent()
    shelf = JournalShelf(folder)
    try:
        first = first_seq_of(files[0])
        seq = acknowledged.seq if _holds(shelf, acknowledged, first) else first - 1
        entries = sales = oldest_ms = 0
        while batch := shelf.after(seq, _BATCH):
            oldest_ms = oldest_ms or batch[0].at_ms
            entries += len(batch)
            sales += sum(map(_moved_money, batch))
            seq = batch[-1].seq
    except (OSError, ValueError, apsw.Error) as error:
        raise CannotCount(f"the journal in {folder} cannot be read: {error}") from error
    finally:
        shelf.close()
    return Unsent(entries, sales, oldest_ms)


def _holds(shelf: JournalShelf, head: Head, first: int) -> bool:
    """Is this very entry in the journal, or just before what is still kept?"""
    if head.seq < first:
        return head.seq == first - 1 and head.seq > 0
    found = shelf.after(head.seq - 1, 1)
    return bool(found) and found[0].seq == head.seq and found[0].digest == head.digest


def _moved_money(entry: Entry) -> bool:
    if entry.training:
        return False
    body = bodies.decode(entry.body)
    if body is None:
        return True
    return isinstance(body.event, TenderStarted) or any(
        isinstance(fact, _MONEY) for fact in body.facts
    )
