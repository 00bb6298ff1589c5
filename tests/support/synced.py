"""A lane that sells and syncs without screen and devices, and a back office for it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select

from kiosk.backoffice import tables
from kiosk.backoffice.intake import Intake
from kiosk.backoffice.store import Store
from kiosk.domain import body
from kiosk.domain.effects import Fact, SaleMade
from kiosk.domain.events import Event, HelpPressed, TenderConfirmed
from kiosk.domain.pricing import Figures
from kiosk.domain.tax import TaxLine
from kiosk.domain.tender import CardResult, Outcome, Sale
from kiosk.records.chain import Entry, Head
from kiosk.records.keys import SigningKey
from kiosk.records.rotation import JournalDirectory, JournalShelf, rotate
from kiosk.sync.push import push, sync
from kiosk.sync.wire import (
    ENROL_DOMAIN,
    HELLO_DOMAIN,
    NOTHING,
    Enrol,
    Enrolled,
    Held,
    Hello,
    Refusal,
    Welcome,
    make_batch,
    seal,
)

NOON = 1_700_000_000_000
TOKEN = "shop"  # noqa: S105

T = TypeVar("T")


class Lane:
    """A lane that sells and syncs, without its screen and devices."""

    def __init__(self, folder: Path, name: str, key: SigningKey, epoch: str) -> None:
        self.name = name
        self.key = key
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.directory = JournalDirectory(folder)
        self.journal = self.directory.open_current(key) or self.directory.begin(
            lane_id=name, epoch=epoch, key=key
        )
        self.acknowledged = NOTHING
        self.wanted_epoch = ""

    def write(self, event: Event, *facts: Fact, training: bool = False) -> Entry:
        return self.append(
            type(event).__name__, body.encode(event, facts), training=training
        )

    def append(self, kind: str, content: bytes, *, training: bool = False) -> Entry:
        seq = self.journal.head.seq + 1
        return self.journal.append(
            kind,
            content,
            at_ms=NOON + seq * 1000,
            mono_ms=seq * 1000,
            boot_id="boot",
            training=training,
        )

    def begin_epoch(self, epoch: str) -> None:
        """Close the file and go on in the next, under another epoch."""
        self.journal = rotate(
            self.journal,
            self.directory,
            carry_forward=b"{}",
            at_ms=NOON,
            mono_ms=0,
            boot_id="boot",
            epoch=epoch,
        )
        self.wanted_epoch = ""

    def chat(self, entries: int) -> None:
        """Write so many entries of no weight."""
        for _ in range(entries):
            self.write(HelpPressed("price"))

    def sell(self, total_minor: int = 249, *, training: bool = False) -> Entry:
        """Write the entry of one sale."""
        sale = sale_of(self.journal.head.seq + 1, total_minor)
        return self.write(
            TenderConfirmed(sale.attempt_id), SaleMade(sale), training=training
        )

    def sync_to(self, intake: Intake) -> Head:
        """Make one contact with a back office, without HTTP."""

        def hello(said: Hello) -> Welcome:
            sealed = seal(self.key, HELLO_DOMAIN, said)
            welcome = expect(Welcome, intake.hello(self.name, sealed))
            self.wanted_epoch = welcome.new_epoch
            return welcome

        shelf = JournalShelf(self.folder)
        try:
            return sync(
                shelf,
                self.name,
                self.acknowledged,
                hello,
                self.post(intake, lambda seq: shelf.holding(seq).epoch),
                self.save,
            )
        finally:
            shelf.close()

    def push_to(self, intake: Intake, since: Head) -> Head:
        """Send all that follows `since`, without a hello."""
        return push(self.journal, since, self.post(intake), self.save)

    def post(
        self, intake: Intake, epoch_of: Callable[[int], str] | None = None
    ) -> Callable[[Head, list[Entry]], Held]:
        """Return what sends a batch straight to a back office."""

        def post(before: Head, entries: list[Entry]) -> Held:
            epoch = epoch_of(entries[0].seq) if epoch_of else self.journal.epoch
            batch = make_batch(self.key, self.name, epoch, before, entries)
            held = expect(Held, intake.take(batch))
            self.wanted_epoch = held.new_epoch
            return held

        return post

    def save(self, head: Head) -> None:
        self.acknowledged = head

    def copied_to(self, folder: Path) -> Lane:
        """Return a second lane from a copy of this one's disk, as it is now."""
        folder.mkdir()
        self.journal.checkpoint()
        for path in self.folder.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        return Lane(folder, self.name, self.key, self.journal.epoch)


class Refused(Exception):
    """The server said no."""


def expect(kind: type[T], answer: T | Refusal) -> T:
    if isinstance(answer, Refusal):
        raise Refused(answer.reason)
    assert isinstance(answer, kind)
    return answer


def sale_of(seq: int, total_minor: int) -> Sale:
    tax = round(total_minor * 19 / 119)
    return Sale(
        sale_seq=seq,
        basket_id=f"b{seq}",
        at_ms=NOON,
        lines=(),
        figures=Figures(
            currency="EUR",
            gross_minor=total_minor,
            discounts=(),
            discount_minor=0,
            taxes=(
                TaxLine("standard", 190_000, "A", total_minor - tax, tax, total_minor),
            ),
            tax_minor=tax,
            total_minor=total_minor,
            deposit_minor=0,
            count=1,
        ),
        attempt_id=f"a{seq}",
        card=CardResult(Outcome.APPROVED, total_minor, "EUR", brand="Visa"),
    )


def open_intake(store: Store, lane: Lane) -> Intake:
    ids = count(1)
    intake = Intake(store, lambda: NOON, lambda: f"new-{next(ids)}")
    enrolled(intake, lane)
    return intake


def enrolled(intake: Intake, lane: Lane) -> None:
    """Make a lane known to a back office."""
    enrol = Enrol(lane.name, lane.key.public, TOKEN)
    expect(Enrolled, intake.enrol(seal(lane.key, ENROL_DOMAIN, enrol), TOKEN))


def held_seqs(store: Store) -> list[int]:
    """Return the numbers of all entries held, branch by branch."""
    with store.reading() as connection:
        return list(
            connection.execute(
                select(tables.entry.c.seq).order_by(
                    tables.entry.c.branch_id, tables.entry.c.seq
                )
            ).scalars()
        )


def alarms(store: Store) -> list[str]:
    """Return what the owner was told, oldest first."""
    with store.reading() as connection:
        return list(
            connection.execute(
                select(tables.alarm.c.what).order_by(tables.alarm.c.alarm_id)
            ).scalars()
        )
