"""`kiosk report`: the day on one page, and whether the back office has all of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from synced import Lane
from typer.testing import CliRunner

from kiosk.backoffice.intake import Intake
from kiosk.domain.effects import InterventionMade, OpenItemMade
from kiosk.domain.events import DayEnded, HelpPressed
from kiosk.domain.tender import OpenItem
from kiosk.reporting import NoReport, make_report, report
from kiosk.sync.state import StateFile


def acknowledge(lane: Lane, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    StateFile(folder / "sync.json").change(acknowledged=lane.acknowledged)
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_an_x_report_adds_up_what_was_sold_since_the_last_z(
    lane: Lane, intake: Intake, state: Path
) -> None:
    lane.sell(1000)
    lane.write(DayEnded("2026-11-22"))
    lane.sell(200)
    lane.sell(300)
    lane.sync_to(intake)
    made = make_report("X", lane.folder, acknowledge(lane, state))
    assert (made.first_seq, made.last_seq) == (3, 4)
    assert made.totals.total_minor == 500
    assert made.reconciled.line == "sold 2 = held 2, 0 missing, 0 twice"
    assert made.reconciled.oldest_unsent_ms == 0


def test_a_z_report_is_the_last_day_that_was_closed(lane: Lane, state: Path) -> None:
    with pytest.raises(NoReport, match="no trading day has been closed yet"):
        make_report("Z", lane.folder, state)
    lane.sell(1000)
    lane.write(DayEnded("2026-11-21"))
    lane.sell(250)
    lane.write(DayEnded("2026-11-22"))
    lane.sell(99)
    made = make_report("Z", lane.folder, state)
    assert made.trading_day == "2026-11-22"
    assert (made.first_seq, made.last_seq) == (3, 4)
    assert made.totals.total_minor == 250


def test_what_is_not_held_is_missing_and_its_age_is_told(
    lane: Lane, intake: Intake, state: Path
) -> None:
    lane.sell(100)
    lane.sync_to(intake)
    unsent = lane.sell(200)
    lane.sell(300)
    made = make_report("X", lane.folder, acknowledge(lane, state))
    assert made.reconciled.line == "sold 3, held 1: 2 missing, 0 twice"
    assert made.reconciled.oldest_unsent_ms == unsent.at_ms


def test_money_of_an_earlier_day_is_still_to_be_settled(
    lane: Lane, state: Path
) -> None:
    item = OpenItem("a1", "late approval", 1, 500, "EUR")
    lane.write(HelpPressed("price"), OpenItemMade(item))
    lane.write(DayEnded("2026-11-22"))
    lane.write(HelpPressed("price"), InterventionMade("age"))
    assert make_report("X", lane.folder, state).totals.open_items == (item,)


def test_a_day_spans_the_files_of_its_journal(lane: Lane, state: Path) -> None:
    lane.sell(100)
    lane.begin_epoch("e2")
    lane.sell(200)
    assert make_report("X", lane.folder, state).totals.total_minor == 300


def test_the_command_prints_a_page_or_json(lane: Lane, state: Path) -> None:
    lane.sell(1299)
    lane.write(HelpPressed("price"), InterventionMade("unknown_item"))
    arguments = ["x", "--journal", str(lane.folder), "--state", str(state)]
    page = CliRunner().invoke(report, arguments)
    assert page.exit_code == 0, page.output
    for words in ("€12.99", "Tax A 19 %", "Tender Visa", "unknown item", "2 missing"):
        assert words in page.output
    answer = CliRunner().invoke(report, [*arguments, "--json"])
    made = json.loads(answer.stdout)
    assert made["totals"]["total_minor"] == 1299
    assert made["line"] == "sold 2, held 0: 2 missing, 0 twice"


def test_no_journal_is_said_plainly(tmp_path: Path) -> None:
    answer = CliRunner().invoke(report, ["x", "--journal", str(tmp_path)])
    assert answer.exit_code == 1
    assert "there is no journal" in answer.output
