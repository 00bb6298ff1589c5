"""How the back office stands to a claim as time goes by, and as too many come."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import select, update
from synced import Lane

from kiosk.backoffice import tables
from kiosk.backoffice.claims import (
    CLAIM_LIVES_MS,
    GONE_MS,
    HOUR_MS,
    NEW_PER_ADDRESS,
    ClaimError,
    Claims,
    spend,
)
from kiosk.backoffice.intake import Intake
from kiosk.backoffice.machines import machines
from kiosk.backoffice.store import Store
from kiosk.records.keys import SigningKey
from kiosk.sync.claim import CLAIM_DOMAIN, LETTERS, Approval, Claim, code_of, typed
from kiosk.sync.wire import (
    ENROL_DOMAIN,
    HELLO_DOMAIN,
    Enrol,
    Enrolled,
    Hello,
    Refusal,
    seal,
)

OFFICE = SigningKey.from_seed(b"o" * 32)
TOML = 'lane_id = "lane-3"'


class Desk:
    """Claims at a time that tests turn on."""

    def __init__(self) -> None:
        self.now_ms = 1_700_000_000_000
        self.store = Store.in_memory()
        tokens = count(1)
        self.claims = Claims(
            self.store, OFFICE, lambda: self.now_ms, lambda: f"token-{next(tokens)}"
        )

    def ask(self, number: int = 1, box: int = 1, at: str = "10.0.0.1"):
        key = SigningKey.from_seed(bytes([number]) * 32)
        claim = Claim(key.public, bytes([box]) * 32, OFFICE.public, "pc", "1.2.3")
        return self.claims.take(seal(key, CLAIM_DOMAIN, claim), at)

    def code(self, number: int = 1, box: int = 1) -> str:
        key = SigningKey.from_seed(bytes([number]) * 32)
        return code_of(key.public, OFFICE.public, bytes([box]) * 32)

    def spend(self, token: str, key: bytes = b"k" * 32) -> bool:
        with self.store.writing() as book:
            return spend(book, "lane-3", token, key, self.now_ms) is not None


def test_a_claim_is_good_for_a_day():
    desk = Desk()
    assert desk.ask() == Approval("waiting")
    desk.now_ms += CLAIM_LIVES_MS
    assert desk.ask() == Approval("waiting")
    desk.now_ms += 1
    assert desk.ask() == Approval("expired")
    assert desk.claims.waiting() == []
    with pytest.raises(ClaimError, match="no kiosk waits"):
        desk.claims.approve(desk.code(), "lane-3", TOML)


def test_an_approval_is_good_for_a_day():
    desk = Desk()
    desk.ask()
    desk.claims.approve(desk.code(), "lane-3", TOML)
    desk.now_ms += CLAIM_LIVES_MS + 1
    assert desk.ask() == Approval("expired")
    assert not desk.spend("token-1")


def test_a_kiosk_that_was_switched_off_is_not_approved():
    desk = Desk()
    desk.ask()
    desk.now_ms += GONE_MS + 1
    [seen] = desk.claims.waiting()
    assert seen.is_gone
    with pytest.raises(ClaimError, match="ten minutes"):
        desk.claims.approve(desk.code(), "lane-3", TOML)
    desk.ask()
    desk.claims.approve(desk.code(), "lane-3", TOML)


def test_two_kiosks_with_one_code_are_both_left_out():
    desk = Desk()
    desk.ask(1)
    desk.ask(2)
    with desk.store.writing() as book:
        book.connection.execute(update(tables.claim).values(code=desk.code()))
    with pytest.raises(ClaimError, match="neither"):
        desk.claims.approve(desk.code(), "lane-3", TOML)


def test_a_machine_has_one_code():
    desk = Desk()
    desk.ask(box=1)
    desk.ask(box=2)
    assert len(desk.claims.waiting()) == 1
    with pytest.raises(ClaimError, match="no kiosk waits"):
        desk.claims.approve(desk.code(box=1), "lane-3", TOML)


def test_of_two_kiosks_approved_for_one_lane_the_later_becomes_it():
    desk = Desk()
    desk.ask(1)
    desk.ask(2)
    desk.claims.approve(desk.code(1), "lane-3", TOML)
    desk.claims.approve(desk.code(2), "lane-3", TOML)
    assert desk.ask(1) == Approval("expired")
    assert not desk.spend("token-1")
    assert desk.spend("token-2")


def test_a_machine_in_a_lane_s_place_is_held_beside_the_old_one(tmp_path: Path):
    desk = Desk()
    intake = Intake(desk.store, lambda: desk.now_ms, lambda: "e3")
    old = Lane(tmp_path / "old", "lane-3", SigningKey.from_seed(b"a" * 32), "e1")
    new = Lane(tmp_path / "new", "lane-3", SigningKey.from_seed(b"b" * 32), "e2")
    for lane, number, replace in ((old, 1, False), (new, 2, True)):
        desk.ask(number)
        desk.claims.approve(desk.code(number), "lane-3", TOML, replace=replace)
        enrol = Enrol("lane-3", lane.key.public, f"token-{number}")
        assert intake.enrol(seal(lane.key, ENROL_DOMAIN, enrol), "") == Enrolled(
            "lane-3"
        )
        lane.sell(100 * number)
        lane.chat(30 // number)
        hello = Hello("lane-3", f"e{number}", lane.journal.head, ())
        intake.hello("lane-3", seal(lane.key, HELLO_DOMAIN, hello))
        with desk.store.reading() as connection:
            [seen] = machines(connection)
        assert seen.queue == lane.journal.head.seq
        lane.sync_to(intake)
    with desk.store.reading() as connection:
        [seen] = machines(connection)
        entries = connection.execute(select(tables.entry.c.seq)).all()
        alarms = connection.execute(select(tables.alarm.c.what)).scalars().all()
    assert seen.queue == 0
    assert len(entries) == old.journal.head.seq + new.journal.head.seq
    assert alarms == ["another machine is this lane from now on, as an admin approved"]


def test_too_many_new_kiosks_wait_an_hour(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kiosk.backoffice.claims.code_of", lambda *keys: "ACDEFGHJ")
    desk = Desk()
    for box in range(NEW_PER_ADDRESS):
        assert desk.ask(box=box) == Approval("waiting")
    refused = desk.ask(box=100)
    assert isinstance(refused, Refusal)
    assert refused.status == 429
    # Those that wait already, and those elsewhere, are not held up.
    assert desk.ask(box=NEW_PER_ADDRESS - 1) == Approval("waiting")
    assert desk.ask(2, at="10.0.0.2") == Approval("waiting")
    desk.now_ms += HOUR_MS
    assert desk.ask(box=100) == Approval("waiting")


def test_no_claim_makes_the_empty_token_good():
    desk = Desk()
    desk.ask()
    assert not desk.spend("")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("acde-fghj", "ACDEFGHJ"),
        (" ACDE FGHJ ", "ACDEFGHJ"),
        ("ACDEFGH", ""),
        ("ACDEFGHO", ""),
        ("ACDEFGHJK", ""),
    ],
)
def test_a_code_is_read_as_people_type_it(text: str, code: str):
    assert typed(text) == code


def test_no_letter_of_a_code_looks_like_another():
    for alike in ("B8", "G6", "I1L", "O0D", "O0Q", "S5", "UV", "Z2"):
        assert len(set(alike) & set(LETTERS)) <= 1, alike


def test_the_code_of_these_keys_is_for_good():
    # A kiosk and an office of different releases must agree.
    assert code_of(b"m" * 32, b"o" * 32, b"b" * 32) == "QU3EXR3X"
