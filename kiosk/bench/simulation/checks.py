"""What must be true, whatever happened: during the day, and once it has healed.

Every check names the promise it holds the lane to. They look at the journal on the
simulated disk, at the terminal's ledger and at the server's tables, never at what
the simulation believes.
"""

from __future__ import annotations

from collections.abc import Iterable

from kiosk.bench.simulation.machine import KEY, Machine
from kiosk.bench.simulation.office import Office
from kiosk.bench.simulation.story import Violation
from kiosk.bench.simulation.terminal import Terminal
from kiosk.domain import body as bodies
from kiosk.domain import report
from kiosk.domain.effects import SaleMade, SaleUndone
from kiosk.domain.events import TenderStarted
from kiosk.domain.state import Lane
from kiosk.domain.tender import Sale
from kiosk.records.chain import Entry
from kiosk.records.journal import JournalReader
from kiosk.records.verify import verify_all
from kiosk.runner import recover


class Account:
    """What the journal says of money, folded from its entries."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.sales: dict[int, Sale] = {}
        self.undone: dict[int, int] = {}
        self.baskets: dict[str, str] = {}
        read = [(entry, bodies.decode(entry.body)) for entry in entries]
        # What `kiosk report z` prints.
        self.report = report.fold(
            (entry.kind, entry.training, body) for entry, body in read
        )
        for entry, body in read:
            if body is None or entry.training:
                continue
            if isinstance(body.event, TenderStarted):
                tender = body.event.tender
                self.baskets[tender.attempt_id] = tender.basket_id
            for fact in body.facts:
                match fact:
                    case SaleMade(sale=sale):
                        if sale.sale_seq != entry.seq:
                            raise Violation(f"entry {entry.seq} makes another's sale")
                        self.sales[entry.seq] = sale
                    case SaleUndone(sale_seq=seq):
                        if seq in self.undone or seq not in self.sales:
                            raise Violation(
                                f"sale {seq} was undone twice, or never made"
                            )
                        self.undone[seq] = entry.seq
                    case _:
                        pass

    @property
    def standing(self) -> list[Sale]:
        """The sales that were not given back."""
        return [s for seq, s in self.sales.items() if seq not in self.undone]

    @property
    def balance_minor(self) -> int:
        """What all standing sales come to."""
        return sum(sale.figures.total_minor for sale in self.standing)


def entries_of(machine: Machine) -> list[Entry]:
    """Return the whole journal, all files of it, as it is on the disk."""
    found: list[Entry] = []
    for path in machine.directory.files():
        with JournalReader(path, machine.disk.vfs) as reader:
            found += reader.entries()
    return found


def same_as_recovered(lane: Lane, machine: Machine) -> None:
    """Recovery now would find the lane as it is."""
    if machine.journal is None:
        raise Violation("the lane has no journal")
    entries = list(machine.journal.entries(machine.journal.first_seq))
    begin = 0
    for index, entry in enumerate(entries):
        if entry.kind in ("StateCarried", "CarriedForward"):
            begin = index
    compare(lane, recover(entries[begin:]), "folded from the journal, the lane differs")


def compare(lane: Lane, other: Lane, promise: str) -> None:
    """Hold two states to be the same, and say in which field they are not."""
    if lane == other:
        return
    fields = [
        name
        for name in lane.__struct_fields__
        if getattr(lane, name) != getattr(other, name)
    ]
    first = fields[0]
    raise Violation(
        f"{promise} in {', '.join(fields)}: "
        f"{getattr(lane, first)!r} against {getattr(other, first)!r}"[:1500]
    )


def journal_is_whole(machine: Machine, office: Office) -> list[Entry]:
    """Numbers, chain and signatures, up to what the server acknowledged."""
    if machine.journal is not None:
        machine.journal.checkpoint()
    paths = machine.directory.files()
    verdicts = verify_all(paths, KEY.public, office.acknowledged, vfs=machine.disk.vfs)
    for path, verdict in zip(paths, verdicts, strict=True):
        if not verdict.ok:
            raise Violation(f"{path.name}: {verdict.problem}")
    entries = entries_of(machine)
    for number, entry in enumerate(entries, 1):
        if entry.seq != number:
            raise Violation(f"entry {number} is missing: {entry.seq} stands there")
    return entries


def server_holds_all(entries: list[Entry], office: Office) -> None:
    """Each entry is held once, as it was written, and none that the lane never wrote."""
    held = office.entries()
    if len({branch for branch, _, _ in held}) > 1:
        raise Violation(f"the server holds a fork: {office.alarms()}")
    theirs = [(seq, digest) for _, seq, digest in held]
    ours = [(entry.seq, entry.digest) for entry in entries]
    if theirs != ours:
        missing = sorted(set(ours) - set(theirs))[:3]
        strange = sorted(set(theirs) - set(ours))[:3]
        raise Violation(f"the server misses {missing} and holds {strange} besides")


def money_is_right(account: Account, terminal: Terminal, office: Office) -> None:
    """Each approved payment is one sale or was given back; the totals agree."""
    kept = terminal.kept_minor()
    sold: dict[str, int] = {}
    for sale in account.standing:
        if sale.attempt_id:
            if sale.attempt_id in sold:
                raise Violation(f"attempt {sale.attempt_id} was sold twice")
            sold[sale.attempt_id] = sale.figures.total_minor
        elif sale.figures.total_minor > 0:
            raise Violation(f"sale {sale.sale_seq} was not paid")
    for attempt_id in sorted(kept.keys() | sold.keys()):
        paid, entry = kept.get(attempt_id, 0), sold.get(attempt_id, 0)
        if paid != entry:
            raise Violation(
                f"attempt {attempt_id}: the card paid {paid}, the journal sold {entry}"
            )
    charged: dict[str, str] = {}
    for attempt_id, amount in kept.items():
        basket_id = account.baskets.get(attempt_id)
        if amount and basket_id is None:
            raise Violation(f"attempt {attempt_id} was charged and is in no entry")
        if amount and basket_id is not None:
            if basket_id in charged:
                raise Violation(f"basket {basket_id} was charged twice")
            charged[basket_id] = attempt_id
    server = office.amount_minor("SaleMade") - office.amount_minor("SaleUndone")
    printed = account.report.total_minor
    figures = {account.balance_minor, terminal.balance_minor, server, printed}
    if len(figures) > 1:
        raise Violation(
            f"the journal sold {account.balance_minor}, the cards paid "
            f"{terminal.balance_minor}, the server counts {server}, the Z report "
            f"{printed}"
        )
    if account.report.open_items:
        raise Violation(f"the Z report has open items: {account.report.open_items}")
