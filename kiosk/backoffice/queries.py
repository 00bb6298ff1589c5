"""What the pages ask of the database. Reads only; one question, one function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from sqlalchemy import Connection, Row, Text, and_, cast, desc, func, select

from kiosk.backoffice import tables
from kiosk.domain import body as bodies
from kiosk.domain.effects import SaleMade
from kiosk.domain.report import Totals, fold
from kiosk.domain.tender import Sale

SALES_SHOWN = 100
ALARMS_SHOWN = 50
# How many hexadecimal digits of an entry's digest let somebody see its receipt.
KEY_DIGITS = 16

# A lane that said nothing for three of its hellos is away.
AWAY_MS = 60_000


class LaneSeen(msgspec.Struct, frozen=True):
    """A lane as it stands, by its last word and by what is held of it."""

    lane_id: str
    contact_ms: int
    epoch: str
    head_seq: int
    held_seq: int
    oldest_unsent_ms: int
    catalog_version: int
    release: str
    forks: int

    def is_online(self, now_ms: int) -> bool:
        """Say whether it was heard of just now."""
        return now_ms - self.contact_ms < AWAY_MS


class SaleSeen(msgspec.Struct, frozen=True):
    """One sale in a list."""

    lane_id: str
    seq: int
    at_ms: int
    amount_minor: int
    currency: str
    brand: str
    training: bool
    digest: str
    undone: str


class Waiting(msgspec.Struct, frozen=True):
    """A lane that waits for an attendant. `asked` is the entry that called."""

    lane_id: str
    asked: int
    reason: str
    at_ms: int


class OpenMoney(msgspec.Struct, frozen=True):
    """An open item as the back office knows it."""

    lane_id: str
    attempt_id: str
    why: str
    at_ms: int
    amount_minor: int
    currency: str


class AtRisk(msgspec.Struct, frozen=True):
    """What one lane's terminal approved by itself and its host may still decline."""

    lane_id: str
    count: int
    amount_minor: int
    since_ms: int


class AlarmSeen(msgspec.Struct, frozen=True):
    """Something the owner must know."""

    lane_id: str
    at_ms: int
    what: str


class Day(msgspec.Struct, frozen=True):
    """What one lane sold since its last Z report."""

    lane_id: str
    totals: Totals


def lanes(connection: Connection) -> list[LaneSeen]:
    """Return all lanes, by name."""
    held = (
        select(
            tables.branch.c.lane_id,
            func.max(tables.branch.c.held_seq).label("held_seq"),
            func.sum(tables.branch.c.is_fork).label("forks"),
        )
        .group_by(tables.branch.c.lane_id)
        .subquery()
    )
    rows = connection.execute(
        select(tables.lane, held.c.held_seq, held.c.forks)
        .outerjoin(held, held.c.lane_id == tables.lane.c.lane_id)
        .order_by(tables.lane.c.lane_id)
    )
    return [
        LaneSeen(
            row.lane_id,
            row.contact_ms,
            row.epoch,
            row.head_seq,
            row.held_seq or 0,
            row.oldest_unsent_ms,
            row.catalog_version,
            row.release,
            row.forks or 0,
        )
        for row in rows
    ]


def sales(connection: Connection, lane_id: str = "") -> list[SaleSeen]:
    """Return the newest sales, newest first."""
    fact, entry = tables.fact, tables.entry
    undone = fact.alias()
    asked = (
        select(fact, entry.c.digest, undone.c.reason.label("undone"))
        .join(
            entry,
            and_(entry.c.branch_id == fact.c.branch_id, entry.c.seq == fact.c.seq),
        )
        .outerjoin(
            undone,
            and_(
                undone.c.kind == "SaleUndone",
                undone.c.lane_id == fact.c.lane_id,
                undone.c.reference == cast(fact.c.seq, Text),
            ),
        )
        .where(fact.c.kind == "SaleMade")
        .order_by(desc(fact.c.at_ms), desc(fact.c.seq))
        .limit(SALES_SHOWN)
    )
    if lane_id:
        asked = asked.where(fact.c.lane_id == lane_id)
    return [
        SaleSeen(
            row.lane_id,
            row.seq,
            row.at_ms,
            row.amount_minor,
            row.currency,
            row.reason,
            row.training,
            row.digest,
            row.undone or "",
        )
        for row in connection.execute(asked)
    ]


def sale_by_key(
    connection: Connection, lane_id: str, seq: int, key: str
) -> Sale | None:
    """Return a sale to whoever knows the beginning of its entry's digest."""
    if len(key) != KEY_DIGITS or not key.isalnum():
        return None
    rows = connection.execute(
        select(tables.entry.c.body)
        .join(tables.branch, tables.branch.c.branch_id == tables.entry.c.branch_id)
        .where(
            tables.branch.c.lane_id == lane_id,
            tables.entry.c.seq == seq,
            func.substr(tables.entry.c.digest, 1, KEY_DIGITS) == key.lower(),
        )
    )
    return _sale_in(rows.scalars().all())


def sale_by_basket(connection: Connection, basket_id: str) -> Sale | None:
    """Return a sale to whoever knows its basket's id, which nobody can guess."""
    fact, entry = tables.fact, tables.entry
    rows = connection.execute(
        select(entry.c.body)
        .join(
            fact, and_(entry.c.branch_id == fact.c.branch_id, entry.c.seq == fact.c.seq)
        )
        .where(fact.c.kind == "SaleMade", fact.c.reference == basket_id)
    )
    return _sale_in(rows.scalars().all())


def waiting(connection: Connection) -> list[Waiting]:
    """Return the lanes that wait for an attendant now, longest first."""
    kinds = (
        "InterventionMade",
        "InterventionEnded",
        "SaleMade",
        "BasketDropped",
        "BasketParked",
    )
    found = []
    for held in _branches_in_use(connection):
        row = connection.execute(
            select(tables.fact)
            .where(
                tables.fact.c.branch_id == held.branch_id, tables.fact.c.kind.in_(kinds)
            )
            .order_by(desc(tables.fact.c.seq), desc(tables.fact.c.number))
            .limit(1)
        ).first()
        if row is not None and row.kind == "InterventionMade" and not row.training:
            found.append(Waiting(row.lane_id, row.seq, row.reason, row.at_ms))
    return sorted(found, key=lambda one: one.at_ms)


def open_items(connection: Connection) -> list[OpenMoney]:
    """Return the money that a person must still settle, oldest first."""
    rows = connection.execute(
        select(tables.fact)
        .where(
            tables.fact.c.kind.in_(("OpenItemMade", "OpenItemSettled")),
            tables.fact.c.training.is_(False),
        )
        .order_by(tables.fact.c.at_ms, tables.fact.c.seq, tables.fact.c.number)
    )
    still: dict[tuple[str, str], OpenMoney] = {}
    for row in rows:
        if row.kind == "OpenItemMade":
            still[row.lane_id, row.reference] = OpenMoney(
                row.lane_id,
                row.reference,
                row.reason,
                row.at_ms,
                row.amount_minor,
                row.currency,
            )
        else:
            still.pop((row.lane_id, row.reference), None)
    return list(still.values())


def at_risk(connection: Connection) -> list[AtRisk]:
    """Return the lanes with card payments that no host has confirmed, by name."""
    rows = connection.execute(
        select(tables.fact)
        .where(
            tables.fact.c.kind == "ExposureChanged", tables.fact.c.training.is_(False)
        )
        .order_by(tables.fact.c.at_ms, tables.fact.c.seq, tables.fact.c.number)
    )
    newest = {
        row.lane_id: AtRisk(
            row.lane_id, int(row.reason), row.amount_minor, int(row.reference)
        )
        for row in rows
    }
    return [newest[lane] for lane in sorted(newest) if newest[lane].count]


def alarms(connection: Connection) -> list[AlarmSeen]:
    """Return the newest alarms, ours and the lanes' own, newest first."""
    ours = connection.execute(
        select(tables.alarm).order_by(desc(tables.alarm.c.at_ms)).limit(ALARMS_SHOWN)
    )
    found = [AlarmSeen(row.lane_id, row.at_ms, row.what) for row in ours]
    theirs = connection.execute(
        select(tables.fact)
        .where(tables.fact.c.kind == "Alarm", tables.fact.c.training.is_(False))
        .order_by(desc(tables.fact.c.at_ms))
        .limit(ALARMS_SHOWN)
    )
    found += [AlarmSeen(row.lane_id, row.at_ms, row.reason) for row in theirs]
    return sorted(found, key=lambda alarm: -alarm.at_ms)[:ALARMS_SHOWN]


def days(connection: Connection) -> list[Day]:
    """Return what each lane sold since its last Z report: its X figures."""
    return [
        Day(held.lane_id, fold(_since_day_end(connection, held.branch_id)))
        for held in _branches_in_use(connection)
    ]


def _since_day_end(
    connection: Connection, branch_id: int
) -> Iterator[tuple[str, bool, bodies.Body | None]]:
    """Yield the entries that say something to a report."""
    ended = connection.execute(
        select(func.max(tables.fact.c.seq)).where(
            tables.fact.c.branch_id == branch_id, tables.fact.c.kind == "DayEnded"
        )
    ).scalar()
    told = (
        select(tables.fact.c.seq)
        .where(tables.fact.c.branch_id == branch_id, tables.fact.c.seq > (ended or 0))
        .distinct()
    )
    rows = connection.execute(
        select(tables.entry.c.kind, tables.entry.c.training, tables.entry.c.body)
        .where(tables.entry.c.branch_id == branch_id, tables.entry.c.seq.in_(told))
        .order_by(tables.entry.c.seq)
    )
    for row in rows:
        yield row.kind, row.training, bodies.decode(row.body)


def _branches_in_use(connection: Connection) -> list[Row[int, str]]:
    """Return each lane's newest branch, and every fork that goes its own way."""
    newest = (
        select(func.max(tables.branch.c.branch_id))
        .where(tables.branch.c.is_fork.is_(False))
        .group_by(tables.branch.c.lane_id)
    )
    return list(
        connection.execute(
            select(tables.branch.c.branch_id, tables.branch.c.lane_id)
            .where(
                tables.branch.c.branch_id.in_(newest)
                | tables.branch.c.is_fork.is_(True)
            )
            .order_by(tables.branch.c.lane_id, tables.branch.c.branch_id)
        )
    )


def _sale_in(contents: Iterable[bytes]) -> Sale | None:
    for content in contents:
        body = bodies.decode(content)
        for fact in body.facts if body else ():
            match fact:
                case SaleMade(sale):
                    return sale
                case _:
                    pass
    return None
