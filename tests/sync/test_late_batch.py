"""A batch that arrives late, at a server that lost everything meanwhile."""

from itertools import count

import pytest
from synced import NOON, TOKEN, Lane

from kiosk.backoffice.intake import Intake
from kiosk.backoffice.store import Store
from kiosk.records.chain import Head
from kiosk.records.keys import SigningKey
from kiosk.sync.wire import (
    ENROL_DOMAIN,
    NOTHING,
    Enrol,
    Held,
    Refusal,
    make_batch,
    seal,
)


@pytest.fixture
def lane(tmp_path):
    lane = Lane(tmp_path, "lane-1", SigningKey.from_seed(bytes(range(32))), "e1")
    lane.chat(6)
    return lane


@pytest.fixture
def blank_server(lane):
    ids = count(1)
    intake = Intake(Store.in_memory(), lambda: NOON, lambda: f"new-{next(ids)}")
    enrol = Enrol(lane.name, lane.key.public, TOKEN)
    intake.enrol(seal(lane.key, ENROL_DOMAIN, enrol), TOKEN)
    return intake


def test_a_late_batch_does_not_make_a_blank_server_believe_in_the_rest(
    lane, blank_server
):
    entries = lane.journal.after(0, 10)
    before = Head(entries[2].seq, entries[2].digest)
    late = make_batch(lane.key, lane.name, "e1", before, entries[3:])
    refused = blank_server.take(late)
    assert isinstance(refused, Refusal)
    assert refused.status == 409
    whole = make_batch(lane.key, lane.name, "e1", NOTHING, entries)
    held = blank_server.take(whole)
    assert isinstance(held, Held)
    assert held.held == lane.journal.head
