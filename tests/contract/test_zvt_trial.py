"""A technician's trial of a real kind of terminal, with the driver that the lane has."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from zvt_desk import TERMINAL_ID, ZvtDesk

from kiosk.machine import TrialStep
from kiosk.records.documents import Documents
from kiosk.trial import TerminalTrial


@pytest.fixture(params=["zvt", "zvt_serial"])
def desk(tmp_path, request) -> Iterator[ZvtDesk]:
    terminal = ZvtDesk(tmp_path, request.param)
    terminal.start()
    yield terminal
    terminal.driver.close()
    terminal.kill()


def test_the_lanes_own_driver_is_tried_at_the_service_screen(desk, tmp_path):
    desk.tell("present_automatically", after_ms=0)
    trial = TerminalTrial(desk.driver, "any", tmp_path, "EUR", lambda: 5)
    assert trial.run(lambda step: None) == ("done", TERMINAL_ID)
    kept = Documents(tmp_path).device_choices()["terminal"]
    assert kept.settings["terminal_id"] == TERMINAL_ID
    assert desk.kept_minor() == 0


def test_a_technician_without_a_card_stops_the_trial(desk, tmp_path):
    trial = TerminalTrial(desk.driver, "any", tmp_path, "EUR", lambda: 5)

    def stop_at(step: TrialStep) -> None:
        if step.code == "card":
            stopper.start()

    stopper = threading.Thread(target=trial.stop)
    assert trial.run(stop_at)[0] == "trial_stopped"
    stopper.join()
    assert desk.kept_minor() == 0
    assert not trial.is_unclear()
