"""What the screen of a blank kiosk does, second by second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kiosk.domain.events import HelpPressed, LanguageChosen
from kiosk.domain.state import Closed, Lane
from kiosk.enrol_screen import EnrolScreen, is_blank
from kiosk.enrolment.files import Places, Shown, show
from kiosk.settings import parse
from kiosk.ui.local import Local
from kiosk.ui.presenter import present

TOML = """
lane_id = "lane-1"
state_dir = "/var/lib/stillopen"
store = { name = ["Corner"], currency = "EUR", timezone = "Europe/Berlin" }
tax = { inclusive = true, rates = [{ tax_class = "standard", rate_ppm = 190000, letter = "A" }] }
devices.scanner = { driver = "serial", port = "/dev/ttyS1" }
devices.printer = { driver = "escpos_serial", port = "/dev/ttyS2" }
devices.terminal = { driver = "zvt_tcp", host = "10.0.2.100", password_file = "/p" }
"""


class Glass:
    """A window that remembers what it was told."""

    def __init__(self, panel: object, **_: Any) -> None:
        self.shown: list[Lane] = []

    def show(self, lane: Lane) -> None:
        self.shown.append(lane)

    def run(self) -> None:
        pass

    def stop(self, *largs: Any) -> None:
        pass


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "config").mkdir()
    return Places(tmp_path / "state", tmp_path / "config", tmp_path / "run")


def test_the_code_comes_to_the_screen_and_goes_when_the_lane_starts(places: Places):
    settings = parse(TOML, "lane.toml")
    screen = EnrolScreen(places, settings.rules())
    glass = screen.open(Glass, settings)
    assert isinstance(glass, Glass)
    screen.second()
    assert present(glass.shown[-1], Local()).big == ""

    show(Shown("ACDE-FGHJ"), places)
    screen.second()
    screen.second()
    assert present(glass.shown[-1], Local()).big == "ACDE-FGHJ"
    assert len(glass.shown) == 2

    show(Shown("ACDE-FGHJ", "the back office does not answer\nmore"), places)
    screen.post(LanguageChosen("de"))
    screen.post(LanguageChosen("xx"))
    screen.post(HelpPressed("other"))
    screen.second()
    view = present(glass.shown[-1], Local())
    assert (view.language, view.big) == ("de", "ACDE-FGHJ")
    assert view.detail.endswith("the back office does not answer")

    places.lane_toml.write_text("x")
    screen.second()
    assert glass.shown[-1].mode == Closed("starting")


def test_a_half_written_claim_is_no_claim(places: Places):
    show(Shown("ACDE-FGHJ"), places)
    places.claim.write_bytes(b'{"code": "AC')
    screen = EnrolScreen(places, parse(TOML, "lane.toml").rules())
    screen.second()
    assert screen.lane.mode == Closed("enrol", "")


def test_a_kiosk_is_blank_only_where_there_is_a_fleet(places: Places, tmp_path: Path):
    toml = tmp_path / "fleet.toml"
    assert not is_blank(toml, places)
    toml.write_text('releases = "https://releases.example"\n')
    assert not is_blank(toml, places)
    toml.write_text('office = "https://office.example"\n')
    assert is_blank(toml, places)
    places.lane_toml.write_text("x")
    assert not is_blank(toml, places)
