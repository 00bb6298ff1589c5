"""Somebody plugs a keyboard where a scanner belongs, or holds up codes that type."""

from played import BREAD

from kiosk.domain.effects import Alarm, CallAttendant, InterventionMade
from kiosk.domain.events import DeviceChanged
from kiosk.domain.state import Scanning

TYPED = DeviceChanged("scanner", "degraded", "3 keys", cause="tampering")


def test_a_scanner_that_types_commands_calls_staff_and_sells_on(lane):
    lane.scan(BREAD).after(TYPED)
    assert isinstance(lane.mode, Scanning)
    assert CallAttendant("tampering") in lane.effects
    assert InterventionMade("tampering") in lane.effects


def test_the_owner_is_told(lane):
    lane.after(TYPED)
    assert lane.facts(Alarm) == [Alarm("the scanner typed what no scanner types")]
