"""An admin fetches a lane's technical log: by directive, redacted, in pieces."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from bad_line import half_request, lost_answer, silence, status
from enrolling import Fleet
from synced import TOKEN

from kiosk.backoffice.app import OfficeSettings
from kiosk.backoffice.serving import Serving
from kiosk.records.keys import SigningKey, load_public_key
from kiosk.sync.logs import PIECE_TEXT, pieces, readable
from kiosk.sync.office import Office
from kiosk.sync.process import LogLetter, SyncSettings
from kiosk.sync.wire import DIRECTIVE_DOMAIN, Directive

CARD = "4111111111111111"


def entry(message: object, **more: object) -> str:
    said = {
        "__REALTIME_TIMESTAMP": "1793716320000000",
        "_SYSTEMD_UNIT": "stillopen-lane.service",
        "PRIORITY": "4",
        "MESSAGE": message,
        **more,
    }
    return json.dumps(said)


class Shelf:
    """Log entries that were written before."""

    def __init__(self, *entries: str, fails: bool = False) -> None:
        self.kept = entries
        self.fails = fails
        self.hours = 0

    def entries(self, hours: int) -> Iterator[str]:
        self.hours = hours
        if self.fails:
            raise FileNotFoundError(2, "No such file or directory")
        yield from self.kept


class Line:
    """A lane that is enrolled, on a line that misbehaves."""

    def __init__(self, folder: Path) -> None:
        self.fleet = Fleet(folder)
        self.fleet.serving.close()
        self.fleet.serving = Serving(OfficeSettings(self.fleet.office, TOKEN))
        self.fleet.line.port_behind = self.fleet.serving.port
        self.key = SigningKey.create(folder / "lane.key")
        self.server_key = load_public_key(self.fleet.office / "server.pub")
        self.settings = SyncSettings(
            lane_id="lane-3",
            journal_dir=folder,
            state_dir=folder,
            catalog_path=folder / "catalog.db",
            server_url=self.fleet.line.url,
            key_path=folder / "lane.key",
            server_key_path=self.fleet.office / "server.pub",
            lane_socket=folder / "lane.sock",
            longest_retry_seconds=0.01,
            answer_seconds=10,
        )
        office = self.reach()
        office.enrol(TOKEN)
        office.close()

    def reach(self) -> Office:
        return Office(self.fleet.line.url, "lane-3", self.key, self.server_key)

    def ask(self, hours: int = 24) -> dict[str, object]:
        said: dict[str, object] = self.fleet.ask(
            "POST", "logs", lane_id="lane-3", hours=hours
        )
        return said

    def directive(self) -> Directive:
        office = self.reach()
        [(_, directive)] = office.fetch_signed(
            "lanes/lane-3/directives?wait=9", DIRECTIVE_DOMAIN, Directive
        )
        office.close()
        return directive

    def send(self, shelf: Shelf, answer_seconds: float = 10) -> None:
        settings = SyncSettings(
            **{
                name: getattr(self.settings, name)
                for name in self.settings.__struct_fields__
            }
            | {"answer_seconds": answer_seconds}
        )
        letter = LogLetter(
            settings, self.key, self.server_key, threading.Event(), shelf
        )
        letter.write(self.directive())
        letter.join()

    def text(self, asked: dict[str, object]) -> str:
        return self.fleet.text(f"logs/{asked['directive_id']}/text")


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path)
    yield line
    line.fleet.close()


def test_an_admin_gets_the_log_of_the_last_hours(line: Line):
    asked = line.ask(hours=5)
    shelf = Shelf(entry("paper is low"), entry("paper is out", PRIORITY="3"))
    line.send(shelf)

    assert shelf.hours == 5
    assert line.fleet.ask("GET", f"logs/{asked['directive_id']}")["is_done"]
    assert line.text(asked) == (
        "2026-11-03T14:32:00Z stillopen-lane.service warning: paper is low\n"
        "2026-11-03T14:32:00Z stillopen-lane.service error: paper is out\n"
    )


def test_no_card_number_leaves_the_lane(line: Line):
    asked = line.ask()
    line.send(Shelf(entry(f"card {CARD} read"), entry([*CARD.encode()]), CARD))
    text = line.text(asked)
    assert CARD not in text
    assert text.count("411111******1111") == 3


@pytest.mark.parametrize(
    "fault",
    [lost_answer, half_request, status(502)],
    ids=lambda fault: fault.__qualname__.split(".")[0],
)
def test_a_bad_line_doubles_and_loses_nothing(line: Line, fault):
    asked = line.ask()
    messages = [entry(f"{number} " + "x" * 3000) for number in range(800)]
    line.fleet.line.fail("logs", fault, status(503))
    line.send(Shelf(*messages))
    lines = line.text(asked).splitlines()
    assert len(lines) == 800
    assert [text.split(": ")[1].split()[0] for text in lines] == [
        str(number) for number in range(800)
    ]


def test_silence_on_the_way_is_tried_again(line: Line):
    asked = line.ask()
    line.fleet.line.fail("logs", silence(line.fleet.line))
    line.send(Shelf(entry("hello")), answer_seconds=1)
    assert "hello" in line.text(asked)


def test_a_log_that_cannot_be_read_says_so(line: Line):
    asked = line.ask()
    line.send(Shelf(fails=True))
    assert "cannot be read" in line.text(asked)


def test_a_lane_sends_only_what_was_asked_for(line: Line):
    line.ask()
    true = line.directive()
    stop = threading.Event()
    stop.set()
    for false in (
        msgspec.structs.replace(true, directive_id="made-up"),
        msgspec.structs.replace(true, lane_id="lane-4"),
        msgspec.structs.replace(true, expires_ms=1),
    ):
        letter = LogLetter(
            line.settings, line.key, line.server_key, stop, Shelf(entry("secret"))
        )
        letter.write(false)
        letter.join()
        found = line.fleet.ask("GET", f"logs/{false.directive_id}")
        assert not found.get("pieces")


@pytest.mark.parametrize("hours", [0, -1, 10_000])
def test_too_far_back_is_not_asked_for(line: Line, hours: int):
    assert "hours" in str(line.ask(hours)["reason"])


def test_the_newest_lines_are_kept_when_there_are_too_many():
    packed = pieces((entry(f"line {n}") for n in range(1000)), largest=20_000)
    text = b"".join(gzip.decompress(piece) for piece in packed).decode()
    assert "older lines are left out" in text.splitlines()[0]
    assert text.splitlines()[-1].endswith("line 999")
    assert len(text) < 20_100


def test_a_log_is_cut_into_pieces():
    packed = pieces(entry("x" * 3000) for _ in range(1000))
    assert len(packed) == 3
    assert all(len(gzip.decompress(p)) < PIECE_TEXT + 5000 for p in packed)
    assert gzip.decompress(pieces([])[0]) == b"(nothing was logged)\n"


@pytest.mark.parametrize(
    "strange",
    ["", "[]", "null", '{"MESSAGE": null}', '{"PRIORITY": "x"}', '{"MESSAGE": [300]}'],
)
def test_a_strange_entry_is_still_a_line(strange: str):
    line = readable(strange)
    assert "\n" not in line
    assert line


def test_nothing_in_a_log_can_move_the_reader_s_cursor():
    assert "\x1b" not in readable(entry("\x1b[2J\nnew line"))
