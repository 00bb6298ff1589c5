"""What devices tell becomes what the lane hears, by the device's name."""

from __future__ import annotations

from hardware.ports import DeviceState, Health, Weight
from kiosk.domain.events import BaggingWeight, DeviceChanged, WeightSettled
from kiosk.health import listener


def test_a_weight_under_the_bags_is_no_weight_for_a_price():
    heard: list[object] = []
    listener("bagging", heard.append)(Weight(750))
    listener("scale", heard.append)(Weight(512))

    assert heard == [BaggingWeight(750), WeightSettled(512)]


def test_a_bagging_scale_that_fails_is_told_once_and_by_its_name():
    heard: list[object] = []
    tell = listener("bagging", heard.append)
    for _ in range(3):
        tell(DeviceState(Health.ABSENT, "no answer"))

    assert heard == [DeviceChanged("bagging", "absent", "no answer")]
