"""A lane put back from a copy, or cloned: both sides of it are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from synced import Lane, Refused, alarms, enrolled, held_seqs, open_intake

from kiosk.backoffice import tables
from kiosk.backoffice.intake import Intake
from kiosk.backoffice.store import Store
from kiosk.sync.wire import NOTHING


def digests(store: Store) -> set[str]:
    with store.reading() as connection:
        return set(connection.execute(select(tables.entry.c.digest)).scalars())


def new_epochs(store: Store) -> list[str]:
    with store.reading() as connection:
        return list(connection.execute(select(tables.branch.c.new_epoch)).scalars())


@pytest.fixture
def clone(lane: Lane, intake: Intake, tmp_path: Path) -> Lane:
    """A copy of the lane, made at entry 40, after which each went its own way."""
    lane.chat(40)
    clone = lane.copied_to(tmp_path / "clone")
    lane.chat(30)
    clone.sell()
    clone.chat(20)
    return clone


def test_both_sides_of_a_fork_are_kept(
    lane: Lane, clone: Lane, store: Store, intake: Intake
) -> None:
    lane.sync_to(intake)
    assert clone.sync_to(intake) == clone.journal.head
    everything = {e.digest for e in lane.journal.entries()}
    everything |= {e.digest for e in clone.journal.entries()}
    assert digests(store) == everything
    assert held_seqs(store) == [*range(1, 71), *range(41, 62)]


def test_a_fork_raises_one_alarm(
    lane: Lane, clone: Lane, store: Store, intake: Intake
) -> None:
    for _ in range(3):
        lane.sync_to(intake)
        clone.sync_to(intake)
    (what,) = alarms(store)
    assert "both have an entry 41" in what


def test_both_sides_go_on_selling_and_syncing(
    lane: Lane, clone: Lane, store: Store, intake: Intake
) -> None:
    for _ in range(3):
        lane.sync_to(intake)
        clone.sync_to(intake)
        lane.sell()
        clone.sell()
    lane.acknowledged = clone.acknowledged = NOTHING
    assert lane.sync_to(intake) == lane.journal.head
    assert clone.sync_to(intake) == clone.journal.head
    assert len(held_seqs(store)) == 40 + 33 + 24


def test_each_side_is_given_an_epoch_of_its_own(
    lane: Lane, clone: Lane, store: Store, intake: Intake
) -> None:
    lane.sync_to(intake)
    clone.sync_to(intake)
    lane.sync_to(intake)
    assert lane.wanted_epoch
    assert clone.wanted_epoch
    assert lane.wanted_epoch != clone.wanted_epoch
    assert sorted(new_epochs(store)) == sorted([lane.wanted_epoch, clone.wanted_epoch])


def test_the_new_epoch_ends_the_fork(
    lane: Lane, clone: Lane, store: Store, intake: Intake
) -> None:
    for _ in range(2):
        lane.sync_to(intake)
        clone.sync_to(intake)
    for side in (lane, clone):
        before = side.journal.head.seq
        side.begin_epoch(side.wanted_epoch)
        side.chat(120)
        assert side.sync_to(intake) == side.journal.head
        assert side.journal.head.seq == before + 121
        assert side.wanted_epoch == ""
    assert len(alarms(store)) == 1


def test_a_lane_put_back_from_a_copy_is_told_and_loses_nothing(
    lane: Lane, store: Store, intake: Intake, tmp_path: Path
) -> None:
    lane.chat(70)
    lane.sync_to(intake)
    restored = lane.copied_to(tmp_path / "restored")
    lane.chat(10)
    lane.sync_to(intake)

    restored.sync_to(intake)
    assert any("put back from a copy" in what for what in alarms(store))
    assert restored.acknowledged == restored.journal.head
    assert restored.wanted_epoch
    for _ in range(5):
        restored.sell()
    assert restored.sync_to(intake) == restored.journal.head
    assert held_seqs(store) == [*range(1, 81), *range(71, 76)]


def test_another_machine_cannot_enrol_under_a_lanes_name(
    lane: Lane, store: Store, intake: Intake, tmp_path: Path
) -> None:
    other = Lane(tmp_path / "other", lane.name, lane.key.from_seed(b"x" * 32), "e9")
    with pytest.raises(Refused, match="another key"):
        open_intake(store, other)
    assert alarms(store) == [
        "another machine asked to be enrolled under this lane's name"
    ]
    other.journal.close()


def test_a_lanes_name_is_no_path_and_no_markup(
    store: Store, intake: Intake, lane: Lane
) -> None:
    for name in ("", "a/b", "<b>", "x" * 41, "lane 1"):
        lane.name = name
        with pytest.raises(Refused, match="a lane's name is"):
            enrolled(intake, lane)
