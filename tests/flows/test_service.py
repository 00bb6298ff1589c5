"""The technician at the service screen: who gets there, when, and what is refused."""

from __future__ import annotations

import pytest
from played import ANA, BEN, BREAD, PlayedLane

from kiosk.domain.effects import Ignore, Serve
from kiosk.domain.events import (
    AttendantLeft,
    BasketSuspended,
    DirectiveReceived,
    HelpPressed,
    ItemFound,
    MoreTimePressed,
    PayPressed,
    PinChecked,
    PinTried,
    PowerChanged,
    ReceiptChosen,
    Restarted,
    RosterChanged,
    RosterEntry,
    ServiceAsked,
    ServiceEnded,
    ServiceOpened,
    StaffPressed,
    TenderNotStarted,
    TrainingStarted,
)
from kiosk.domain.network import NetworkSetting
from kiosk.domain.service import DEEDS, FORGET, STOP, TRY
from kiosk.domain.state import Attending, Closed, Idle, Scanning, Servicing, Training

TEA = RosterEntry("9", "Tea", ("technician",))


@pytest.fixture
def lane() -> PlayedLane:
    return PlayedLane().after(RosterChanged(2, (ANA, BEN, TEA)))


@pytest.fixture
def serviced(lane: PlayedLane) -> PlayedLane:
    lane.sign_on("9").after(ServiceOpened("9"))
    assert lane.mode == Servicing("9", Idle())
    return lane


def is_ignored(lane: PlayedLane) -> bool:
    return any(isinstance(effect, Ignore) for effect in lane.effects)


def served(lane: PlayedLane) -> Serve:
    (wanted,) = lane.wants(Serve)
    assert isinstance(wanted, Serve)
    return wanted


def test_a_technician_reaches_the_service_screen_and_leaves_it(serviced):
    serviced.after(AttendantLeft())
    assert serviced.mode == Idle()


def test_an_attendant_without_the_role_does_not(lane):
    lane.sign_on("8").after(ServiceOpened("8"))
    assert isinstance(lane.mode, Attending)
    assert is_ignored(lane)


def test_nobody_opens_it_in_the_name_of_another(lane):
    lane.sign_on("8").after(ServiceOpened("9"))
    assert isinstance(lane.mode, Attending)


def test_it_is_not_opened_from_the_shoppers_screen(lane):
    lane.after(ServiceOpened("9"))
    assert lane.mode == Idle()
    assert is_ignored(lane)


def test_a_closed_lane_can_be_serviced(lane):
    lane.after(DirectiveReceived("d1", "pause")).sign_on("9").after(ServiceOpened("9"))
    assert lane.mode == Servicing("9", Closed("office", "d1"))


def test_it_is_refused_over_an_open_basket(lane):
    lane.scan(BREAD).sign_on("9").after(ServiceOpened("9"))
    assert is_ignored(lane)
    lane.after(AttendantLeft())
    assert isinstance(lane.mode, Scanning)


def test_it_is_refused_while_a_payment_is_open(lane):
    lane.scan(BREAD).start_payment()
    lane.after(Restarted("test", "boot2", 600_000))
    lane.sign_on("9").after(ServiceOpened("9"))
    assert is_ignored(lane)


def test_it_is_refused_in_a_training(lane):
    lane.sign_on("7").after(
        TrainingStarted("7"),
        StaffPressed(),
        PinTried("7", "n"),
        PinChecked("7", "n", True),
        ServiceOpened("7"),
    )
    assert isinstance(lane.mode, Training)
    assert isinstance(lane.mode.lane.mode, Attending)


def test_no_scan_reaches_it(serviced):
    before = serviced.mode
    serviced.after(ItemFound(BREAD))
    assert serviced.mode == before
    assert is_ignored(serviced)


def test_no_help_key_reaches_it(serviced):
    serviced.after(HelpPressed())
    assert isinstance(serviced.mode, Servicing)
    assert is_ignored(serviced)


def test_thirty_idle_seconds_end_the_session(serviced):
    assert serviced.state.timers["service"].seconds == 30
    serviced.time_is_up("service")
    assert serviced.mode == Idle()


def test_a_touch_begins_the_thirty_seconds_anew(serviced):
    before = serviced.state.timers["service"].generation
    serviced.after(MoreTimePressed())
    assert serviced.state.timers["service"].generation > before


@pytest.mark.parametrize("deed", [deed for deed in DEEDS if deed != STOP])
def test_each_deed_is_asked_for_once_and_has_one_outcome(serviced, deed):
    serviced.after(ServiceAsked(deed, "9", NetworkSetting("eth0")))
    wanted = served(serviced)
    assert (wanted.deed, wanted.attendant) == (deed, "9")
    assert serviced.mode.doing == deed
    serviced.after(ServiceAsked(deed, "9", NetworkSetting("eth0")))
    assert is_ignored(serviced)

    serviced.after(ServiceEnded(deed, wanted.asked, "done", "all of it"))
    mode = serviced.mode
    assert (mode.doing, mode.done, mode.outcome) == ("", deed, "done")
    assert mode.detail == "all of it"


def test_a_deed_that_does_not_exist_is_not_begun(serviced):
    serviced.after(ServiceAsked("format", "9"))
    assert is_ignored(serviced)


def test_another_attendants_name_begins_nothing(serviced):
    serviced.after(ServiceAsked("restart", "7"))
    assert is_ignored(serviced)


def test_an_answer_to_an_older_question_is_only_written_down(serviced):
    serviced.after(ServiceAsked("logs", "9"))
    serviced.after(ServiceEnded("logs", served(serviced).asked - 1, "done"))
    assert serviced.mode.doing == "logs"
    assert is_ignored(serviced)


def test_the_session_does_not_end_while_something_is_being_done(serviced):
    serviced.after(ServiceAsked("logs", "9"))
    assert "service" not in serviced.state.timers


def test_a_deed_without_an_answer_is_said_to_have_none(serviced):
    serviced.after(ServiceAsked("logs", "9"))
    asked = served(serviced).asked
    serviced.time_is_up("serving")
    assert (serviced.mode.done, serviced.mode.outcome) == ("logs", "no_answer")
    serviced.after(ServiceEnded("logs", asked, "done"))
    assert serviced.mode.outcome == "no_answer"


def test_the_network_is_not_set_to_what_cannot_be(serviced):
    bad = NetworkSetting("eth0", "192.168.1.20/24", "192.168.2.1")
    serviced.after(ServiceAsked("network", "9", bad))
    assert serviced.mode.outcome == "bad_network"
    assert not serviced.wants(Serve)


# -- the card terminal's trial -------------------------------------------------


@pytest.fixture
def trying(serviced: PlayedLane) -> PlayedLane:
    return serviced.after(ServiceAsked(TRY, "9"))


def test_nothing_ends_the_session_while_the_terminal_is_tried(trying):
    assert "service" not in trying.state.timers
    for event in (AttendantLeft(), MoreTimePressed(), ItemFound(BREAD), PayPressed()):
        trying.after(event)
        assert is_ignored(trying)
    assert trying.mode.doing == TRY


def test_a_trial_is_not_begun_outside_the_service_screen(lane):
    lane.after(ServiceAsked(TRY, "9"))
    assert is_ignored(lane)
    assert not lane.wants(Serve)
    lane.sign_on("9").after(ServiceAsked(TRY, "9"))
    assert is_ignored(lane)
    assert not lane.wants(Serve)


def test_a_trial_is_stopped_and_still_tells_how_it_ended(trying):
    begun = served(trying)
    trying.after(ServiceAsked(STOP, "9"))
    stop = served(trying)
    assert (stop.deed, trying.mode.doing) == (STOP, TRY)
    trying.after(ServiceEnded(STOP, stop.asked, "done"))
    assert trying.mode.doing == TRY
    trying.after(ServiceEnded(TRY, begun.asked, "trial_stopped"))
    assert (trying.mode.done, trying.mode.outcome) == (TRY, "trial_stopped")
    trying.after(AttendantLeft())
    assert trying.mode == Idle()


def test_there_is_nothing_to_stop_where_no_trial_runs(serviced):
    for deed in ("", "logs"):
        if deed:
            serviced.after(ServiceAsked(deed, "9"))
        serviced.after(ServiceAsked(STOP, "9"))
        assert is_ignored(serviced)


def test_only_who_began_a_trial_stops_it(trying):
    trying.after(ServiceAsked(STOP, "7"))
    assert is_ignored(trying)


def test_a_trial_that_hangs_holds_nobody_for_ever(trying):
    trying.time_is_up("serving")
    assert (trying.mode.done, trying.mode.outcome) == (TRY, "no_answer")
    trying.after(AttendantLeft())
    assert trying.mode == Idle()


def test_the_lane_sells_again_after_a_power_cut_in_a_trial(trying):
    trying.after(Restarted("test", "boot2", 5_000))
    assert trying.mode == Idle()


def test_a_settled_trial_is_forgotten_once(serviced):
    serviced.after(ServiceAsked(FORGET, "9"))
    assert served(serviced).deed == FORGET


# -- factory reset -----------------------------------------------------------


def test_a_factory_reset_is_refused_while_sales_are_unsent(serviced):
    serviced.after(ServiceAsked("reset", "9", unsent_sales=2))
    assert serviced.mode.outcome == "unsent_sales"
    assert not serviced.wants(Serve)


def test_sales_that_cannot_be_counted_are_unsent(serviced):
    serviced.after(ServiceAsked("reset", "9", unsent_sales=-1))
    assert serviced.mode.outcome == "unsent_sales"


def test_a_factory_reset_is_refused_while_a_basket_is_put_aside(lane):
    lane.scan(BREAD).sign_on("7").after(BasketSuspended("7", "attendant"))
    lane.sign_on("9").after(ServiceOpened("9"), ServiceAsked("reset", "9"))
    assert lane.mode.outcome == "still_open"


def test_a_factory_reset_is_refused_while_a_receipt_is_owed(lane):
    lane.scan(BREAD).pay()
    lane.after(ReceiptChosen("paper"), Restarted("test", "boot2", 600_000))
    assert lane.state.receipts_owed
    lane.sign_on("9").after(ServiceOpened("9"), ServiceAsked("reset", "9"))
    assert lane.mode.outcome == "still_open"


def test_a_restart_needs_no_empty_queue(serviced):
    serviced.after(ServiceAsked("restart", "9", unsent_sales=5))
    assert served(serviced).deed == "restart"


def test_the_lane_sells_again_after_a_restart_in_the_middle(serviced):
    serviced.after(ServiceAsked("restart", "9"), Restarted("test", "boot2", 5_000))
    assert serviced.mode == Idle()


def test_a_low_battery_ends_the_session(serviced):
    serviced.after(PowerChanged("low"))
    assert serviced.mode == Closed("battery")


def test_a_payment_that_never_began_is_no_hindrance(lane):
    lane.scan(BREAD).after(PayPressed())
    lane.after(TenderNotStarted(lane.mode.tender.attempt_id, "out of reach"))
    lane.sign_on("7").after(BasketSuspended("7", "attendant"))
    lane.sign_on("9").after(ServiceOpened("9"))
    assert isinstance(lane.mode, Servicing)
