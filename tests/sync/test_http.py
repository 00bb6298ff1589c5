"""The way over HTTP, with everything on it that goes wrong."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from bad_line import (
    BadLine,
    Fault,
    doubled,
    half_answer,
    half_answer_that_looks_whole,
    half_request,
    held_by_a_liar,
    log_in_page,
    lost_answer,
    lost_request,
    sent_elsewhere,
    silence,
    status,
    too_large_above,
)
from synced import TOKEN, Lane

from kiosk.backoffice.app import OfficeSettings
from kiosk.backoffice.serving import Serving
from kiosk.records.chain import Head
from kiosk.records.keys import SigningKey, load_public_key
from kiosk.sync.process import Courier, SyncSettings
from kiosk.sync.push import SyncError
from kiosk.sync.socket import LaneLink
from kiosk.sync.state import StateFile


class Way:
    """A lane, a bad line and a real back office."""

    def __init__(self, folder: Path, lane: Lane) -> None:
        self.folder = folder
        self.lane = lane
        self.office = folder / "office"
        self.serving = Serving(OfficeSettings(self.office, TOKEN))
        self.line = BadLine(self.serving.port)
        self.couriers: list[Courier] = []

    def courier(self, name: str = "state", token: str = TOKEN) -> Courier:
        settings = SyncSettings(
            lane_id=self.lane.name,
            journal_dir=self.lane.folder,
            state_dir=self.folder / name,
            catalog_path=self.folder / "catalog.db",
            server_url=self.line.url,
            key_path=self.folder / "lane.key",
            server_key_path=self.office / "server.pub",
            lane_socket=self.folder / "lane.sock",
            enrol_token=token,
            hello_seconds=0,
            refresh_seconds=3600,
            connect_seconds=1,
            answer_seconds=0.5,
        )
        courier = Courier(
            settings,
            self.lane.key,
            load_public_key(settings.server_key_path),
            LaneLink(settings.lane_socket),
        )
        self.couriers.append(courier)
        return courier

    def acknowledged(self, name: str = "state") -> Head:
        return StateFile(self.folder / name / "sync.json").state.acknowledged

    def held(self) -> list[int]:
        with closing(sqlite3.connect(self.office / "office.db")) as db:
            rows = db.execute("select seq from entry order by branch_id, seq")
            return [seq for (seq,) in rows]

    def restart_office(self) -> None:
        self.serving.close()
        self.serving = Serving(OfficeSettings(self.office, TOKEN))
        self.line.port_behind = self.serving.port

    def close(self) -> None:
        for courier in self.couriers:
            courier.close()
        self.line.close()
        self.serving.close()


@pytest.fixture
def way(tmp_path: Path, lane: Lane) -> Iterator[Way]:
    way = Way(tmp_path, lane)
    yield way
    way.close()


def test_a_blank_lane_enrols_and_sends_everything(way: Way) -> None:
    way.lane.chat(250)
    way.courier().go_round()
    assert way.held() == list(range(1, 251))
    assert way.line.requests[:6] == [
        "hello", "enrol", "hello", "entries", "entries", "entries",
    ]  # fmt: skip
    assert way.acknowledged() == way.lane.journal.head


def test_without_the_shops_token_nobody_enrols(way: Way) -> None:
    way.lane.chat(1)
    with pytest.raises(SyncError, match="this lane is not enrolled here"):
        way.courier(token="").go_round()
    with pytest.raises(SyncError, match="the enrol token is not the shop's"):
        way.courier(token="guess").go_round()  # noqa: S106
    assert way.held() == []


TROUBLE: list[tuple[str, Fault, str, bool]] = [
    ("request lost", lost_request, "cannot be reached", False),
    ("answer lost", lost_answer, "cannot be reached", False),
    ("half request", half_request, "the batch is not whole", True),
    ("half answer", half_answer, "cannot be reached|cut short|failed", False),
    ("half, whole", half_answer_that_looks_whole, "not the back office's", False),
    ("500", status(500), r"failed \(500\)", False),
    ("429", status(429, **{"Retry-After": "7"}), r"busy \(429\)", False),
    ("409", status(409), r"failed \(409\)", False),
    ("log-in page", log_in_page, "a web page answered", False),
    ("redirect", sent_elsewhere, "sends us elsewhere", False),
    ("liar", held_by_a_liar, "not from the key", False),
]


@pytest.mark.parametrize(
    ("fault", "words", "is_online"),
    [case[1:] for case in TROUBLE],
    ids=[case[0] for case in TROUBLE],
)
def test_trouble_has_a_clear_reason_and_loses_nothing(
    way: Way, fault: Fault, words: str, is_online: bool
) -> None:
    way.lane.chat(250)
    courier = way.courier()
    way.line.fail("entries", status(500))
    with pytest.raises(SyncError):
        courier.go_round()
    way.line.fail("entries", fault)
    with pytest.raises(SyncError, match=words) as trouble:
        courier.go_round()
    assert trouble.value.is_online is is_online
    assert way.acknowledged().seq == 0
    courier.go_round()
    assert way.held() == list(range(1, 251))
    assert way.acknowledged() == way.lane.journal.head


def test_a_request_that_arrives_twice_is_held_once(way: Way) -> None:
    way.lane.chat(250)
    way.line.fail("entries", doubled, doubled, doubled)
    way.courier().go_round()
    assert way.held() == list(range(1, 251))


def test_being_asked_to_wait_is_heeded(way: Way) -> None:
    way.line.fail("hello", status(429, **{"Retry-After": "7"}))
    way.lane.chat(1)
    with pytest.raises(SyncError) as trouble:
        way.courier().go_round()
    assert trouble.value.wait_seconds == 7


def test_a_proxy_that_takes_only_small_bodies_gets_small_bodies(way: Way) -> None:
    way.lane.chat(250)
    way.line.fail("entries", *[too_large_above(2500)] * 40)
    way.courier().go_round()
    assert way.held() == list(range(1, 251))
    assert way.line.requests.count("entries") > 6


def test_a_server_that_takes_and_never_answers_is_offline_after_one_time_out(
    way: Way,
) -> None:
    way.lane.chat(5)
    courier = way.courier()
    way.line.fail("entries", silence(way.line))
    started = time.monotonic()
    with pytest.raises(SyncError, match="took the request and did not answer") as no:
        courier.go_round()
    assert time.monotonic() - started < 5
    assert not no.value.is_online
    courier.go_round()
    assert way.held() == [1, 2, 3, 4, 5]


def test_no_server_at_all_is_offline(way: Way, tmp_path: Path) -> None:
    way.lane.chat(1)
    courier = way.courier()
    way.line.close()
    with pytest.raises(SyncError, match="cannot be reached") as trouble:
        courier.go_round()
    assert not trouble.value.is_online


def test_two_sync_processes_send_everything_once(way: Way) -> None:
    one, other = way.courier("one"), way.courier("other")
    for _ in range(3):
        way.lane.chat(130)
        way.line.fail("entries", lost_answer)
        with pytest.raises(SyncError):
            one.go_round()
        other.go_round()
        one.go_round()
    assert way.held() == list(range(1, 391))
    assert way.acknowledged("one") == way.acknowledged("other")


def test_a_server_put_back_from_a_backup_is_healed_by_an_idle_lane(way: Way) -> None:
    courier = way.courier()
    way.lane.chat(120)
    courier.go_round()
    way.serving.close()
    backup = (way.office / "office.db").read_bytes()
    way.restart_office()
    way.lane.chat(140)
    courier.go_round()
    assert len(way.held()) == 260

    way.serving.close()
    (way.office / "office.db").write_bytes(backup)
    for left in way.office.glob("office.db-*"):
        left.unlink()
    way.restart_office()
    assert way.held() == list(range(1, 121))
    courier.go_round()
    assert way.held() == list(range(1, 261))


def test_a_lost_state_file_loses_and_doubles_nothing(way: Way) -> None:
    way.lane.chat(150)
    way.courier().go_round()
    (way.folder / "state" / "sync.json").write_bytes(b"\x00\xff half a fi")
    way.lane.chat(3)
    way.courier().go_round()
    assert way.held() == list(range(1, 154))


def test_a_journal_of_several_days_and_epochs_is_one_trail(way: Way) -> None:
    courier = way.courier()
    way.lane.chat(120)
    way.lane.begin_epoch("e1")
    way.lane.chat(50)
    courier.go_round()
    way.lane.chat(30)
    way.lane.begin_epoch("e2")
    way.lane.chat(99)
    courier.go_round()
    assert way.held() == list(range(1, way.lane.journal.head.seq + 1))


def test_a_back_office_with_another_key_is_not_believed(way: Way) -> None:
    way.lane.chat(2)
    stranger = SigningKey.from_seed(b"s" * 32)
    way.serving.close()
    (way.office / "server.pub").write_bytes(stranger.public_pem())
    way.restart_office()
    with pytest.raises(SyncError, match="not from the key it should be from"):
        way.courier().go_round()
    assert way.acknowledged().seq == 0
