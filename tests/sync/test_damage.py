"""Entries that are poisoned, damaged, tampered with or gone."""

from __future__ import annotations

import zlib

import msgspec
import pytest
from sqlalchemy import delete, exc, select, update
from synced import Lane, Refused, alarms, expect, held_seqs

from kiosk.backoffice import tables
from kiosk.backoffice.intake import Intake
from kiosk.backoffice.store import Store
from kiosk.records.chain import Entry
from kiosk.records.keys import SigningKey
from kiosk.sync.push import push
from kiosk.sync.wire import (
    NOTHING,
    Batch,
    Held,
    WireError,
    entries_of,
    make_batch,
    pack,
    unpack,
)

POISONS = [
    b"{}",
    b"[]",
    b'"\\ud83d\\ude00"',
    b'{"event": {"type": "TenderConfirmed", "attempt_id": 7}}',
    b'{"event": {"type": "HelpPressed"}, "facts": [{"type": "InterventionMade"}]}',
    b'{"event": {"type": "HelpPressed"}}',
    b'{"event": {"type": "TenderConfirmed", "attempt_id": "a"}, "facts":'
    b' [{"type": "MoneyReturned", "attempt_id": "a", "currency": "EUR",'
    b' "amount_minor": 99999999999999999999}]}',
    b"[" * 900 + b"]" * 900,
]


@pytest.mark.parametrize("poison", POISONS, ids=range(len(POISONS)))
def test_a_poisoned_entry_is_kept_and_told_and_blocks_nothing(
    lane: Lane, store: Store, intake: Intake, poison: bytes
) -> None:
    lane.chat(3)
    lane.append("TenderConfirmed", poison)
    lane.sell(500)
    assert lane.sync_to(intake) == lane.journal.head
    assert held_seqs(store) == [1, 2, 3, 4, 5]
    (what,) = alarms(store)
    assert what.startswith("entry 4 ")
    with store.reading() as connection:
        assert (
            connection.execute(
                select(tables.entry.c.body).where(tables.entry.c.seq == 4)
            ).scalar_one()
            == poison
        )
        assert connection.execute(select(tables.fact.c.seq)).scalars().all() == [5]


def test_kinds_of_a_newer_lane_are_kept_and_told_once(
    lane: Lane, store: Store, intake: Intake
) -> None:
    for _ in range(20):
        lane.append("DroneArrived", b'{"event": {"type": "DroneArrived"}}')
    lane.sync_to(intake)
    assert len(held_seqs(store)) == 20
    assert len(alarms(store)) == 1


def test_an_entry_that_was_flipped_on_the_lanes_disk_blocks_nothing(
    lane: Lane, store: Store, intake: Intake
) -> None:
    lane.chat(20)
    flipped = list(lane.journal.entries())
    flipped[9] = msgspec.structs.replace(flipped[9], body=b'{"flipped": true}')
    batch = make_batch(lane.key, lane.name, "e1", NOTHING, flipped)
    held = expect(Held, intake.take(batch))
    assert held.held == lane.journal.head
    assert any("entry 10 was changed after it was written" in a for a in alarms(store))
    assert held_seqs(store) == list(range(1, 21))


def test_entries_the_lane_itself_has_lost_block_nothing(
    lane: Lane, store: Store, intake: Intake
) -> None:
    lane.chat(40)
    left = [e for e in lane.journal.entries() if e.seq not in (1, 2, 20, 21, 22)]

    class Gappy:
        epoch = "e1"
        head = lane.journal.head

        def after(self, seq: int, limit: int) -> list[Entry]:
            return [e for e in left if e.seq > seq][:limit]

    assert push(Gappy(), NOTHING, lane.post(intake), lane.save) == lane.journal.head
    assert held_seqs(store) == [e.seq for e in left]
    assert alarms(store) == [
        "the lane's journal is damaged: entries 1 to 2 are missing: 3 follows 0",
        "the lane's journal is damaged: entries 20 to 22 are missing: 23 follows 19",
    ]


def test_a_server_older_than_what_the_lane_still_keeps_goes_on(
    lane: Lane, store: Store, intake: Intake
) -> None:
    lane.chat(10)
    lane.sync_to(intake)
    lane.chat(30)
    kept = [e for e in lane.journal.entries() if e.seq > 25]
    batch = make_batch(lane.key, lane.name, "e1", NOTHING, kept)
    assert expect(Held, intake.take(batch)).held == lane.journal.head
    assert held_seqs(store) == [*range(1, 11), *range(26, 41)]
    (what,) = alarms(store)
    assert "entries 11 to 25 are missing" in what


def test_a_lane_that_keeps_less_than_all_joins_without_an_alarm(
    lane: Lane, store: Store, intake: Intake
) -> None:
    lane.chat(25)
    lane.sync_to(intake)
    lane.chat(15)
    kept = [e for e in lane.journal.entries() if e.seq > 25]
    batch = make_batch(lane.key, lane.name, "e1", NOTHING, kept)
    assert expect(Held, intake.take(batch)).held == lane.journal.head
    assert alarms(store) == []


def tampered(batch: Batch, **values: object) -> Batch:
    return msgspec.structs.replace(batch, **values)


def test_a_batch_changed_on_its_way_is_refused_in_words(
    lane: Lane, store: Store, intake: Intake
) -> None:
    lane.chat(5)
    entries = list(lane.journal.entries())
    batch = make_batch(lane.key, lane.name, "e1", NOTHING, entries)
    other = make_batch(lane.key, lane.name, "e1", NOTHING, entries[:4])
    for changed in (
        tampered(batch, content=other.content),
        tampered(batch, epoch="e2"),
        tampered(batch, first=2),
        tampered(batch, last=6),
        tampered(batch, head="0" * 64),
        tampered(batch, before=entries[0]),
        tampered(batch, signature=other.signature),
        tampered(batch, signature=b"short"),
    ):
        with pytest.raises(Refused, match="changed on its way, or is not from"):
            expect(Held, intake.take(changed))
    assert held_seqs(store) == []


def test_a_batch_signed_by_somebody_else_is_refused(lane: Lane, intake: Intake) -> None:
    lane.chat(1)
    thief = SigningKey.from_seed(b"t" * 32)
    entries = list(lane.journal.entries())
    with pytest.raises(Refused, match="not from this lane"):
        expect(Held, intake.take(make_batch(thief, lane.name, "e1", NOTHING, entries)))
    with pytest.raises(Refused, match="not enrolled"):
        expect(
            Held, intake.take(make_batch(lane.key, "lane-7", "e1", NOTHING, entries))
        )


def test_entries_out_of_order_are_refused(
    lane: Lane, store: Store, intake: Intake
) -> None:
    lane.chat(3)
    entries = list(lane.journal.entries())[::-1]
    with pytest.raises(Refused, match="entry 2 stands after entry 3"):
        expect(
            Held, intake.take(make_batch(lane.key, lane.name, "e1", NOTHING, entries))
        )
    assert held_seqs(store) == []


def test_half_a_batch_and_rubbish_are_refused_in_words(lane: Lane) -> None:
    lane.chat(50)
    packed = pack(
        make_batch(lane.key, lane.name, "e1", NOTHING, list(lane.journal.entries()))
    )
    assert len(entries_of(unpack(packed))) == 50
    for length in (0, 1, 10, len(packed) // 2, len(packed) - 1):
        with pytest.raises(WireError, match="the batch "):
            unpack(packed[:length])
    with pytest.raises(WireError, match="not whole"):
        unpack(b"\x00" * 100)


def test_a_batch_that_unpacks_to_gigabytes_is_refused() -> None:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(70))
    with pytest.raises(WireError, match="more than a batch may be"):
        unpack(bomb + squeeze.flush())


def test_what_is_held_cannot_be_changed_or_deleted(
    lane: Lane, store: Store, intake: Intake
) -> None:
    lane.chat(2)
    lane.sync_to(intake)
    for statement in (delete(tables.entry), update(tables.entry).values(kind="x")):
        with (
            pytest.raises(exc.IntegrityError, match="entries are"),
            store.writing() as book,
        ):
            book.connection.execute(statement)
    assert held_seqs(store) == [1, 2]
