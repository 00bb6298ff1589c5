"""A lane with a journal on disk, and a back office with a database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from synced import Lane, open_intake

from kiosk.backoffice.intake import Intake
from kiosk.backoffice.store import Store
from kiosk.records.keys import SigningKey


@pytest.fixture
def key() -> SigningKey:
    return SigningKey.from_seed(b"lane".ljust(32))


@pytest.fixture
def lane(tmp_path: Path, key: SigningKey) -> Iterator[Lane]:
    lane = Lane(tmp_path / "lane", "lane-1", key, "e1")
    yield lane
    lane.journal.close()


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store.in_memory()
    yield store
    store.close()


@pytest.fixture
def intake(store: Store, lane: Lane) -> Intake:
    return open_intake(store, lane)
