"""A terminal must prove that it can tell how a payment ended, and gives it back."""

from __future__ import annotations

import msgspec
import pytest

from hardware.ports import (
    Answer,
    Capabilities,
    Outcome,
    PayResult,
    QueryResult,
    Recovery,
)
from kiosk.commissioning import Commissioning, NotCommissioned, Trial, in_words


class NoTime:
    """A clock that a patient technician never sees move."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


class Altered:
    """A terminal that is the real driver but for one thing."""

    def __init__(self, terminal, **instead) -> None:
        self._terminal = terminal
        self.__dict__.update(instead)

    def __getattr__(self, name):
        return getattr(self._terminal, name)


@pytest.fixture
def ready(desk):
    desk.tell("present_automatically", after_ms=0)
    return desk


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def commissioning(ready, said, tmp_path):
    def make(**instead) -> Commissioning:
        terminal = Altered(ready.driver, **instead)
        return Commissioning(
            terminal,
            tmp_path / "trial.json",
            lambda step: said.append(in_words(step)),
            NoTime(),
        )

    return make


def stage(tmp_path) -> str:
    trial = msgspec.json.decode((tmp_path / "trial.json").read_bytes(), type=Trial)
    return trial.stage


def test_a_good_terminal_is_enabled_and_keeps_nothing(ready, commissioning, tmp_path):
    assert commissioning().run("t1", 100, "EUR") == "SIM-0001"
    assert ready.kept_minor() == 0
    assert stage(tmp_path) == "over"
    assert [kept["state"] for kept in ready.ledger()] == ["reversed", "approved"]


def test_a_terminal_that_can_tell_nothing_is_refused_before_any_money(
    ready, commissioning
):
    dumb = commissioning(capabilities=lambda: Capabilities(Recovery.NONE))
    with pytest.raises(NotCommissioned, match="manual_reconciliation"):
        dumb.run("t1", 100, "EUR")
    assert ready.ledger() == []


def test_a_terminal_that_tells_another_payment_is_refused_and_gives_back(
    ready, commissioning
):
    other = PayResult(Outcome.APPROVED, 100, "EUR", reference="another")
    liar = commissioning(query=lambda attempt: QueryResult(Answer.FOUND, other))
    with pytest.raises(NotCommissioned, match="did not tell"):
        liar.run("t1", 100, "EUR")
    assert ready.kept_minor() == 0


def test_a_terminal_that_forgets_is_refused_and_gives_back(ready, commissioning):
    forgetful = commissioning(query=lambda attempt: QueryResult(Answer.NOT_CHARGED))
    with pytest.raises(NotCommissioned, match="not_charged"):
        forgetful.run("t1", 100, "EUR")
    assert ready.kept_minor() == 0


def test_a_terminal_that_never_answers_is_not_asked_for_ever(commissioning):
    silent = commissioning(query=lambda attempt: QueryResult(Answer.UNREACHABLE))
    with pytest.raises(NotCommissioned, match="does not say"):
        silent.run("t1", 100, "EUR")


def test_a_trial_that_was_cut_short_is_given_back_by_the_next(
    ready, commissioning, tmp_path
):
    ready.tell("fail_next", fault="answer_lost")
    with pytest.raises(NotCommissioned, match="no clear end"):
        commissioning().run("t1", 100, "EUR")
    assert ready.kept_minor() == 100

    assert commissioning().run("t2", 100, "EUR") == "SIM-0001"
    assert ready.kept_minor() == 0


def test_a_trial_that_took_nothing_stands_in_nobodys_way(
    ready, commissioning, tmp_path
):
    ready.tell("fail_next", fault="decline")
    with pytest.raises(NotCommissioned, match="not approved: declined"):
        commissioning().run("t1", 100, "EUR")
    assert stage(tmp_path) == "over"
    assert commissioning().run("t2", 100, "EUR") == "SIM-0001"


def test_nobody_can_tell_what_an_earlier_trial_took(ready, commissioning, tmp_path):
    earlier = Trial("t0", 100, "EUR", "SIM-0001", 0, "")
    (tmp_path / "trial.json").write_bytes(msgspec.json.encode(earlier))
    blind = commissioning(query=lambda attempt: QueryResult(Answer.INDETERMINATE))
    with pytest.raises(NotCommissioned, match="own journal"):
        blind.run("t1", 100, "EUR")
    assert ready.ledger() == []


def test_a_reversal_that_failed_is_named_and_tried_again(
    ready, commissioning, tmp_path
):
    ready.tell("fail_next_undo", fault="decline")
    with pytest.raises(NotCommissioned, match="was not given back"):
        commissioning().run("t1", 100, "EUR")
    assert stage(tmp_path) == "approved"
    assert commissioning().run("t2", 100, "EUR") == "SIM-0001"
    assert ready.kept_minor() == 0


def test_a_file_that_rotted_is_no_permission(commissioning, tmp_path):
    (tmp_path / "trial.json").write_bytes(b"{")
    with pytest.raises(NotCommissioned, match="cannot be read"):
        commissioning().run("t1", 100, "EUR")


def test_the_technician_is_told_each_step(commissioning, said):
    commissioning().run("t1", 100, "EUR")
    assert said[0] == "Terminal SIM-0001 answers."
    assert said[-1] == "The trial payment was given back."
