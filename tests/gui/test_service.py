"""A technician at the glass: what is tapped, what is posted, what is shown meanwhile."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kiosk.asked import DeedAsked
from kiosk.domain.events import AttendantLeft, MoreTimePressed, ServiceOpened
from kiosk.domain.network import NetworkSetting
from kiosk.domain.state import Attending, Idle, Servicing
from kiosk.machine import TrialStep
from kiosk.ui.audit import audit
from kiosk.ui.gallery import ALL_ROLES, SCANNING, lane
from kiosk.ui.service_gallery import MACHINE

pytestmark = pytest.mark.gui

AT = Servicing("1001", Idle())


def real(posted):
    """What was posted, but for telling the lane that somebody is there."""
    return [event for event in posted if not isinstance(event, MoreTimePressed)]


@pytest.fixture
def at_service(stage):
    stage.app.machine = MACHINE
    stage.show(lane(AT))
    return stage


def typed(text: str) -> list[str]:
    return [f"key_{'dot' if sign == '.' else sign}" for sign in text]


def erased(text: str) -> list[str]:
    return ["key_erase"] * len(text)


def test_a_technician_opens_it_from_the_menu(stage):
    stage.show(lane(Attending("1001", ALL_ROLES, Idle())))
    stage.tap("service")
    assert real(stage.posted) == [ServiceOpened("1001")]


@pytest.mark.parametrize(
    ("roles", "below"),
    [(ALL_ROLES, SCANNING), (("approve", "close"), Idle())],
    ids=["basket", "role"],
)
def test_it_is_not_offered_over_a_basket_or_without_the_role(stage, roles, below):
    stage.show(lane(Attending("1001", roles, below)))
    assert "service" not in stage.names()


def test_what_came_of_a_deed_is_not_told_again_to_who_looks_on(stage):
    stage.app.machine = MACHINE
    told = replace(AT, done="update", outcome="done", detail="stillopen-1.1.0.swu")
    stage.show(lane(told))
    assert stage.names() == ["ok"]
    stage.tap("ok", "tab_system")
    system = stage.names()
    stage.at += 61
    stage.app._second(1.0)
    assert stage.names() == system
    # What nobody has read yet stays.
    stage.show(lane(told))
    stage.at += 61
    stage.app._second(1.0)
    assert stage.names() == ["ok"]


def test_every_section_is_one_tap_away(at_service):
    for section in ("devices", "network", "queue", "work", "system"):
        at_service.tap(f"tab_{section}")
        assert at_service.app.screen.view.name == f"service_{section}"
    assert at_service.posted.count(MoreTimePressed()) >= 1


def test_the_session_is_ended_by_a_tap(at_service):
    at_service.tap("tab_work", "leave")
    assert real(at_service.posted) == [AttendantLeft()]


def test_an_address_is_typed_part_by_part(at_service):
    now = MACHINE.cards[0]
    at_service.tap("tab_network", "set_0", "fixed")
    at_service.tap(*erased("192.168.1.20"), *typed("10.0.0.5"), "enter")
    at_service.tap(*erased("24"), *typed("16"), "enter")
    at_service.tap(*erased(now.gateway), *typed("10.0.0.1"), "enter")
    at_service.tap(*erased(now.names[0]), "enter", "set")
    setting = NetworkSetting("enp1s0", "10.0.0.5/16", "10.0.0.1")
    assert real(at_service.posted) == [DeedAsked("network", "1001", setting)]


def test_an_address_that_cannot_be_goes_no_further(at_service):
    at_service.tap("tab_network", "set_0", "fixed", *erased("20"), *typed("300"))
    assert "enter" not in at_service.names()
    assert audit(at_service.app.screen) == []


def test_a_gateway_of_another_network_goes_no_further(at_service):
    at_service.tap("tab_network", "set_0", "fixed", "enter", "enter")
    at_service.tap(*erased("1.1"), *typed("9.1"))
    assert "enter" not in at_service.names()


def test_back_to_dhcp_is_shown_once_more_and_set(at_service):
    at_service.tap("tab_network", "set_1", "dhcp", "set")
    setting = NetworkSetting("enp2s0")
    assert real(at_service.posted) == [DeedAsked("network", "1001", setting)]


def test_a_factory_reset_is_asked_for_twice(at_service):
    at_service.tap("tab_work", "reset", "yes")
    assert real(at_service.posted) == []
    assert at_service.app.screen.view.name == "service_very_sure_reset"
    at_service.tap("yes")
    assert real(at_service.posted) == [DeedAsked("reset", "1001")]


def test_a_change_of_mind_resets_nothing(at_service):
    at_service.tap("tab_work", "reset", "yes", "back")
    assert at_service.app.screen.view.name == "service_work"
    assert real(at_service.posted) == []


def test_a_restart_is_asked_for_once(at_service):
    at_service.tap("tab_work", "restart", "yes")
    assert real(at_service.posted) == [DeedAsked("restart", "1001")]


def test_a_terminals_trial_is_asked_for_once_and_told_step_by_step(at_service):
    at_service.tap("tab_work", "try_terminal", "yes")
    assert real(at_service.posted) == [DeedAsked("try_terminal", "1001")]
    at_service.become(mode=replace(AT, doing="try_terminal", asked=7))
    steps = (TrialStep("amount", "", 100, "EUR"), TrialStep("card"))
    at_service.app.know(replace(MACHINE, trial=steps))
    at_service.frame()
    view = at_service.app.screen.view
    assert view.text == "Hold a real card to the terminal now."
    assert "1.00" in view.detail
    assert "leave" not in at_service.names()
    at_service.tap("stop")
    assert real(at_service.posted)[-1] == DeedAsked("stop_trial", "1001")


def test_a_trial_that_a_person_settled_is_forgotten_after_one_question(at_service):
    failed = replace(AT, done="try_terminal", outcome="trial_unknown")
    at_service.become(mode=failed)
    at_service.tap("forget", "yes")
    assert real(at_service.posted) == [DeedAsked("forget_trial", "1001")]


@pytest.mark.parametrize("deed", ["attest", "logs", "update"])
def test_what_does_no_harm_is_done_at_once(at_service, deed):
    at_service.tap("tab_work", deed)
    assert real(at_service.posted) == [DeedAsked(deed, "1001")]


def test_progress_is_shown_while_the_logs_are_copied(at_service):
    at_service.become(mode=replace(AT, doing="logs", asked=7))
    at_service.app.know(replace(MACHINE, done_bytes=25_000_000))
    at_service.frame()
    assert "25 MB" in at_service.app.screen.view.text


def test_the_outcome_comes_up_by_itself_and_leads_back(at_service):
    at_service.tap("tab_work")
    at_service.become(mode=replace(AT, doing="logs", asked=7))
    at_service.become(mode=replace(AT, done="logs", outcome="stick_full"))
    assert at_service.app.screen.view.title == "The stick is full"
    at_service.tap("ok")
    assert at_service.app.screen.view.name == "service_work"


def test_a_refusal_said_again_comes_up_again(at_service):
    refused = replace(AT, done="reset", outcome="unsent_sales")
    at_service.become(mode=refused)
    at_service.tap("ok", "reset", "yes", "yes")
    at_service.become(mode=refused)
    assert at_service.app.screen.view.name == "service_reset_unsent_sales"
