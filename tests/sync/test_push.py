"""From the journal to the back office: nothing lost, nothing doubled."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select
from synced import NOON, Lane, alarms, held_seqs, open_intake

from kiosk.backoffice import tables
from kiosk.backoffice.intake import Intake
from kiosk.backoffice.store import Store
from kiosk.records.chain import Entry, Head
from kiosk.sync.push import SyncError, TooLarge, push, retry_seconds
from kiosk.sync.wire import NOTHING, Held


def test_250_entries_are_three_batches(lane: Lane) -> None:
    lane.chat(250)
    batches = []

    def post(before: Head, entries: list[Entry]) -> Held:
        batches.append(len(entries))
        return Held(Head(entries[-1].seq, entries[-1].digest))

    assert push(lane.journal, NOTHING, post, lane.save) == lane.journal.head
    assert batches == [100, 100, 50]
    assert lane.acknowledged == lane.journal.head


def test_every_entry_is_held_once(lane: Lane, store: Store, intake: Intake) -> None:
    lane.chat(250)
    assert lane.sync_to(intake) == lane.journal.head
    lane.chat(7)
    lane.sync_to(intake)
    assert held_seqs(store) == list(range(1, 258))
    assert alarms(store) == []


def test_a_batch_whose_answer_was_lost_is_sent_again_and_held_once(
    lane: Lane, store: Store, intake: Intake
) -> None:
    lane.chat(130)
    take = lane.post(intake)

    def lose_the_answer(before: Head, entries: list[Entry]) -> Held:
        take(before, entries)
        raise SyncError("no answer", is_online=False)

    with pytest.raises(SyncError):
        push(lane.journal, NOTHING, lose_the_answer, lane.save)
    assert lane.acknowledged == NOTHING
    assert lane.push_to(intake, NOTHING) == lane.journal.head
    assert held_seqs(store) == list(range(1, 131))


def test_a_batch_too_large_is_sent_in_halves(
    lane: Lane, store: Store, intake: Intake
) -> None:
    lane.chat(100)
    take = lane.post(intake)
    tried = []

    def post(before: Head, entries: list[Entry]) -> Held | TooLarge:
        tried.append(len(entries))
        return TooLarge() if len(entries) > 30 else take(before, entries)

    push(lane.journal, NOTHING, post, lane.save)
    assert tried == [100, 50, 25, 25, 25, 25]
    assert held_seqs(store) == list(range(1, 101))


def test_one_entry_too_large_is_said_and_stays(lane: Lane) -> None:
    lane.chat(3)
    with pytest.raises(SyncError, match="entry 1 alone is too large"):
        push(lane.journal, NOTHING, lambda before, entries: TooLarge(), lane.save)
    assert lane.acknowledged == NOTHING


def test_an_answer_about_entries_never_sent_is_not_believed(lane: Lane) -> None:
    lane.chat(3)
    with pytest.raises(SyncError, match="holds 900"):
        push(
            lane.journal,
            NOTHING,
            lambda before, entries: Held(Head(900, "f" * 64)),
            lane.save,
        )
    assert lane.acknowledged == NOTHING


def test_two_sync_processes_do_not_get_in_each_others_way(
    lane: Lane, store: Store, intake: Intake
) -> None:
    lane.chat(250)
    take = lane.post(intake)

    def post_after_the_other(before: Head, entries: list[Entry]) -> Held:
        lane.push_to(intake, NOTHING)
        return take(before, entries)

    push(lane.journal, NOTHING, post_after_the_other, lane.save)
    assert held_seqs(store) == list(range(1, 251))
    assert alarms(store) == []


def test_a_sale_becomes_a_fact_with_the_recorded_total(
    lane: Lane, store: Store, intake: Intake
) -> None:
    lane.sell(1299)
    lane.sync_to(intake)
    with store.reading() as connection:
        row = connection.execute(select(tables.fact)).one()
    assert (row.kind, row.amount_minor, row.currency) == ("SaleMade", 1299, "EUR")
    assert row.at_ms == NOON + 1000


def test_a_restored_server_is_healed_by_an_idle_lane(
    lane: Lane, store: Store, intake: Intake
) -> None:
    lane.chat(230)
    backup = Store.in_memory()
    old = open_intake(backup, lane)
    lane.sync_to(old)
    lane.chat(100)
    lane.sync_to(intake)
    assert lane.acknowledged.seq == 330

    lane.sync_to(old)
    assert held_seqs(backup) == list(range(1, 331))
    assert alarms(backup) == []


def test_an_empty_server_is_filled_by_an_idle_lane(lane: Lane, store: Store) -> None:
    lane.chat(230)
    lane.acknowledged = lane.journal.head
    lane.sync_to(open_intake(store, lane))
    assert held_seqs(store) == list(range(1, 231))


def test_waiting_grows_to_two_minutes_and_is_spread() -> None:
    assert [retry_seconds(n, 1.0) for n in (1, 2, 3, 7, 8, 90, 9000)] == [
        1, 2, 4, 64, 120, 120, 120,
    ]  # fmt: skip
    assert retry_seconds(8, 0.0) == 60


def test_the_number_of_entries_is_what_the_lane_wrote(
    lane: Lane, store: Store, intake: Intake
) -> None:
    lane.chat(101)
    lane.sync_to(intake)
    with store.reading() as connection:
        assert (
            connection.execute(select(func.count(tables.entry.c.seq))).scalar() == 101
        )
