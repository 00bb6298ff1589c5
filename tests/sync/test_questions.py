"""What the updater may ask the lane, over the lane's real socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from played import BREAD, PlayedLane
from synced import Lane

from kiosk.answering import Answering
from kiosk.domain.effects import AnswerUpdater
from kiosk.domain.events import DeviceChanged, Event
from kiosk.sync.questions import (
    LaneStatus,
    LeaseAnswer,
    LeaseAsked,
    StatusAsked,
    ask,
)
from kiosk.sync.socket import LaneSocket, OfficeSeen


class Told:
    """A lane whose events are handled on the spot, and its end of the socket."""

    def __init__(self, path: Path, records: Lane) -> None:
        self.lane = PlayedLane()
        self.path = path
        self.records = records
        self.seconds = 100.0
        self.is_stuck = False
        self.answering = Answering(
            "1.2.3",
            records.folder,
            records.key.public,
            self.post,
            lambda: self.lane.state,
            now=lambda: self.seconds,
        )
        self.messages: list[object] = []
        self.socket = LaneSocket(
            path,
            self.messages.append,
            lane_id="lane-1",
            server_key=None,
            on_question=self.answering.answer,
        )

    def post(self, event: Event) -> None:
        if self.is_stuck:
            return
        self.lane.after(event)
        self.answering.heard(event)
        for answer in self.lane.wants(AnswerUpdater):
            self.answering.lease_answered(answer.asked, answer.refusal)

    def status(self) -> LaneStatus:
        status = ask(self.path, StatusAsked())
        assert isinstance(status, LaneStatus)
        return status


@pytest.fixture
def told(tmp_path: Path, lane: Lane) -> Iterator[Told]:
    told = Told(tmp_path / "lane.sock", lane)
    yield told
    told.socket.close()


def until(holds: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if holds():
            return
    raise AssertionError("it never came to that")


def test_a_lane_without_a_picture_says_so(told: Told) -> None:
    told.answering.drawn(0)
    status = told.status()
    assert (status.drawn_seconds, status.beat_seconds) == (-1, -1)


def test_the_first_picture_and_the_last_sign_of_life_are_told(told: Told) -> None:
    told.answering.drawn(5)
    told.seconds += 60
    told.answering.drawn(6)
    told.answering.beat()
    told.seconds += 2
    status = told.status()
    assert (status.drawn_seconds, status.beat_seconds) == (62, 2)


def test_only_devices_heard_of_since_this_start_count(told: Told) -> None:
    assert told.lane.state.devices == {"terminal": "ready"}
    assert told.status().devices == {}
    told.post(DeviceChanged("printer", "ready"))
    told.post(DeviceChanged("scanner", "absent"))
    assert told.status().devices == {"printer": "ready", "scanner": "absent"}


def test_the_journal_is_checked_aside(told: Told) -> None:
    told.records.sell()
    assert told.status().journal in ("checking", "good")
    until(lambda: told.status().journal == "good")


def test_a_lane_with_a_basket_gives_no_lease_and_says_why(told: Told) -> None:
    told.lane.scan(BREAD)
    assert told.status().refusal == "basket"
    assert ask(told.path, LeaseAsked("2.0.0")) == LeaseAnswer("basket")
    assert told.status().lease == ""


def test_a_lane_that_serves_nobody_gives_a_lease(told: Told) -> None:
    assert told.status().refusal == ""
    assert ask(told.path, LeaseAsked("2.0.0")) == LeaseAnswer("")
    assert told.status().lease == "2.0.0"


def test_a_lane_that_is_not_there_answers_nothing(tmp_path: Path) -> None:
    assert ask(tmp_path / "no.sock", StatusAsked()) is None


def test_a_lane_that_is_stuck_gives_no_lease(told: Told) -> None:
    told.is_stuck = True
    assert ask(told.path, LeaseAsked("2.0.0"), seconds=0.05) is None


def test_news_from_sync_needs_no_answer(told: Told) -> None:
    assert ask(told.path, OfficeSeen(True), seconds=0.05) is None  # type: ignore[arg-type]
    assert told.messages == [OfficeSeen(True)]
