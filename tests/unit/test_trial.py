"""The terminal's trial at the service screen: the lane's driver, its file, its words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from hardware.ports import (
    Answer,
    Attempt,
    Capabilities,
    Outcome,
    PaymentSink,
    PayResult,
    QueryResult,
    Recovery,
    TerminalMoment,
    Watermark,
)
from kiosk.commissioning import TRIAL_FILE, Trial
from kiosk.machine import TrialStep
from kiosk.records.documents import Documents
from kiosk.trial import TerminalTrial

APPROVED = PayResult(Outcome.APPROVED, 100, "EUR", reference="7")


class Terminal:
    """Tells the truth, unless told otherwise."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.paid = APPROVED
        self.undone = APPROVED
        self.answer = QueryResult(Answer.FOUND, APPROVED)
        self.meanwhile: Callable[[], object] = lambda: None

    def capabilities(self) -> Capabilities:
        return Capabilities(Recovery.LAST_TX)

    def watermark(self) -> Watermark | None:
        return Watermark("T1", 6)

    def pay(self, attempt: Attempt, sink: PaymentSink) -> PayResult:
        self.did.append("pay")
        sink.moment(TerminalMoment.WAITING_FOR_CARD)
        self.meanwhile()
        assert sink.result(self.paid) is True
        return self.paid

    def cancel(self, attempt_id: str) -> None:
        self.did.append("cancel")
        self.paid = PayResult(Outcome.CANCELLED)

    def query(self, attempt: Attempt) -> QueryResult:
        self.did.append("query")
        return self.answer

    def reverse(self, attempt: Attempt, reversal_id: str) -> PayResult:
        self.did.append("reverse")
        return self.undone


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.fixture
def trial(terminal: Terminal, tmp_path: Path) -> TerminalTrial:
    made: TerminalTrial = TerminalTrial(
        terminal,  # type: ignore[arg-type]  # what a trial needs of a terminal
        "zvt_tcp",
        tmp_path,
        "EUR",
        lambda: 5,
    )
    return made


def left(folder: Path, stage: str) -> None:
    """Leave a trial behind as a power cut does."""
    earlier = Trial("t0", 100, "EUR", "T1", 5, "", stage)
    (folder / TRIAL_FILE).write_bytes(msgspec.json.encode(earlier))


def test_a_proven_terminal_is_kept_as_the_command_keeps_it(trial, terminal, tmp_path):
    said: list[TrialStep] = []
    assert trial.run(said.append) == ("done", "T1")
    assert terminal.did == ["pay", "query", "reverse"]
    kept = Documents(tmp_path).device_choices()["terminal"]
    assert (kept.driver, kept.settings) == (
        "zvt_tcp",
        {"terminal_id": "T1", "recovery": "last_tx", "commissioned_ms": "5"},
    )
    codes = [step.code for step in said]
    assert codes == ["answers", "amount", "card", "approved", "told", "given_back"]


def test_a_terminal_that_lies_is_not_kept(trial, terminal, tmp_path):
    terminal.answer = QueryResult(Answer.NOT_CHARGED)
    assert trial.run(lambda step: None)[0] == "trial_untrue"
    assert Documents(tmp_path).device_choices() == {}


def test_stop_ends_the_waiting_for_a_card(trial, terminal):
    terminal.meanwhile = trial.stop
    assert trial.run(lambda step: None)[0] == "trial_stopped"
    assert terminal.did == ["pay", "cancel"]


def test_a_stop_before_the_payment_takes_nothing(trial, terminal):
    outcome, _ = trial.run(lambda step: trial.stop())
    assert outcome == "trial_stopped"
    assert terminal.did == []
    assert not trial.is_unclear()


def test_a_stop_too_late_still_gives_the_money_back(trial, terminal):
    def late(step: TrialStep) -> None:
        if step.code == "approved":
            trial.stop()

    assert trial.run(late) == ("done", "T1")
    assert terminal.did[-1] == "reverse"


def test_a_trial_cut_short_is_unclear_until_the_next_one_finished_it(
    trial, terminal, tmp_path
):
    left(tmp_path, "asked")
    assert trial.is_unclear()
    said: list[TrialStep] = []
    assert trial.run(said.append)[0] == "done"
    assert said[0].code == "earlier"
    assert terminal.did == ["query", "reverse", "pay", "query", "reverse"]
    assert not trial.is_unclear()


def test_what_a_person_settled_is_forgotten_and_kept_beside(trial, terminal, tmp_path):
    left(tmp_path, "asked")
    terminal.answer = QueryResult(Answer.INDETERMINATE)
    assert trial.run(lambda step: None) == ("trial_unknown", "T1")
    assert trial.forget() == ("done", "")
    assert not trial.is_unclear()
    assert (tmp_path / "trial-payment.settled").exists()
    assert trial.forget() == ("done", "")


def test_a_file_that_rotted_is_unclear_and_named(trial, terminal, tmp_path):
    (tmp_path / TRIAL_FILE).write_bytes(b"{")
    assert trial.is_unclear()
    assert trial.run(lambda step: None)[0] == "trial_unreadable"
    assert terminal.did == []


def test_a_money_back_that_failed_is_named(trial, terminal):
    terminal.undone = PayResult(Outcome.DECLINED, detail="closed")
    assert trial.run(lambda step: None) == (
        "trial_not_given_back",
        "7 declined closed",
    )


def test_a_folder_that_cannot_be_written_ends_no_lane(trial, terminal, tmp_path):
    (tmp_path / TRIAL_FILE).mkdir()
    assert trial.run(lambda step: None)[0] == "trial_not_kept"
    assert terminal.did == []
    assert trial.is_unclear()
