"""What scale, UPS and lane light promise, and how all of them fail alike."""

from __future__ import annotations

import queue

import pytest

from hardware.ports import DeviceState, Health, Light, Power, PowerSource, Weight
from hardware.simulated.control import (
    ControlError,
    ControlServer,
    RemoteBench,
    SimulatedBench,
    bench_of,
)
from hardware.simulated.frames import PortFile, write_port_file
from hardware.simulated.light import SimulatedLight
from hardware.simulated.scale import SimulatedScale
from hardware.simulated.scanner_device import SimulatedScannerDevice
from hardware.simulated.ups import SimulatedUps

SECONDS = 5
READY = DeviceState(Health.READY)
MAINS = Power(PowerSource.MAINS)


class Heard:
    """What the lane was told, in order."""

    def __init__(self):
        self._told: queue.SimpleQueue[object] = queue.SimpleQueue()

    def __call__(self, told):
        self._told.put(told)

    def next(self):
        return self._told.get(timeout=SECONDS)

    @property
    def is_empty(self):
        return self._told.empty()


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def scale(heard):
    device = SimulatedScale()
    device.open(heard)
    assert (heard.next(), heard.next()) == (READY, Weight(0))
    yield device
    device.close()


@pytest.fixture
def ups(heard):
    device = SimulatedUps()
    device.open(heard)
    assert (heard.next(), heard.next()) == (READY, MAINS)
    yield device
    device.close()


@pytest.fixture
def light(heard):
    device = SimulatedLight()
    device.open(heard)
    assert heard.next() == READY
    yield device
    device.close()


# -- scale -------------------------------------------------------------------


def test_a_weight_is_told_once_and_the_empty_plate_too(scale, heard):
    scale.put(842)
    scale.put(842)
    scale.take_off()
    assert [heard.next(), heard.next()] == [Weight(842), Weight(0)]
    scale.close()
    assert heard.is_empty


def test_a_scale_weighs_in_steps_of_its_division(heard):
    scale = SimulatedScale(division_grams=5)
    scale.open(heard)
    scale.put(842)
    assert [heard.next() for _ in range(3)][-1] == Weight(840)
    scale.close()


def test_more_than_a_scale_carries_is_refused(scale):
    with pytest.raises(ValueError, match="15000 grams"):
        scale.put(15_001)


def test_a_scale_that_was_unplugged_tells_what_lies_on_it_now(scale, heard):
    scale.controls["unplug"]()
    assert heard.next() == DeviceState(Health.ABSENT, "scale unplugged")
    scale.put(300)
    scale.put(500)
    scale.controls["plug"]()
    assert [heard.next(), heard.next()] == [READY, Weight(500)]


def test_a_silent_scale_is_missed(scale, heard):
    scale.controls["silence"]()
    assert heard.next() == DeviceState(Health.ABSENT, "scale does not answer")
    scale.put(300)
    scale.controls["speak"]()
    assert [heard.next(), heard.next()] == [READY, Weight(300)]


def test_a_slow_scale_tells_late_and_in_order(scale, heard):
    scale.controls["slow"](ms=20)
    scale.put(1)
    scale.put(2)
    assert [heard.next(), heard.next()] == [Weight(1), Weight(2)]


def test_closing_does_not_wait_for_a_slow_device(scale, heard):
    scale.controls["slow"](ms=3_600_000)
    scale.put(1)
    scale.close()
    assert heard.is_empty


def test_a_closed_scale_says_nothing_and_can_be_opened_again(scale, heard):
    scale.close()
    scale.put(7)
    assert heard.is_empty
    scale.open(heard)
    assert [heard.next(), heard.next()] == [READY, Weight(7)]


# -- UPS ---------------------------------------------------------------------


def test_the_lane_hears_of_the_mains_and_of_the_battery(ups, heard):
    ups.mains_lost(runtime_seconds=900)
    ups.battery_low(runtime_seconds=240)
    ups.mains_back()
    assert [heard.next() for _ in range(3)] == [
        Power(PowerSource.BATTERY, 900),
        Power(PowerSource.LOW, 240),
        MAINS,
    ]


def test_a_ups_that_cannot_tell_how_long_it_lasts_says_none(ups, heard):
    ups.mains_lost(runtime_seconds=None)
    assert heard.next() == Power(PowerSource.BATTERY, None)


def test_a_ups_that_was_silent_tells_the_newest_of_the_mains(ups, heard):
    ups.controls["silence"]()
    ups.mains_lost()
    ups.mains_back()
    ups.controls["speak"]()
    assert heard.next().health is Health.ABSENT
    assert heard.next() == READY
    ups.close()
    assert heard.is_empty


def test_an_order_to_shut_down_is_kept(ups):
    assert ups.orders() == 0
    ups.order_shutdown()
    assert ups.wait_for_order(SECONDS)


# -- light -------------------------------------------------------------------


def test_the_light_shows_what_it_was_told_and_remembers_it(light):
    for colour in (Light.GREEN, Light.GREEN, Light.RED):
        light.show(colour)
    assert light.history() == [Light.OFF, Light.GREEN, Light.RED]
    light.close()
    assert light.showing() is Light.OFF


def test_an_unplugged_light_is_dark_and_shows_the_newest_when_it_is_back(light, heard):
    light.show(Light.GREEN)
    light.unplug()
    assert heard.next().health is Health.ABSENT
    assert light.showing() is Light.OFF
    light.show(Light.RED)
    light.plug()
    assert heard.next() == READY
    assert light.history() == [Light.OFF, Light.GREEN, Light.OFF, Light.RED]


# -- the bench ---------------------------------------------------------------


def test_a_bench_reaches_the_simulators_of_its_process_by_name(scale, heard):
    bench = bench_of({"scale": scale, "disk": object()}, {})
    bench.tell("scale", "put", grams=120)
    assert heard.next() == Weight(120)
    assert "put" in bench.names()["scale"]
    assert "disk" not in bench.names()


@pytest.mark.parametrize(
    ("device", "do", "details", "words"),
    [
        ("drawer", "open", {}, "no simulator called drawer"),
        ("scale", "explode", {}, "scale cannot explode; it can: "),
        ("scale", "put", {"pounds": 2}, "pounds"),
        ("scale", "put", {"grams": -1}, "not -1"),
        ("scale", "__class__", {}, "cannot __class__"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(scale, device, do, details, words):
    with pytest.raises(ControlError, match=words):
        bench_of({"scale": scale}, {}).tell(device, do, **details)


def test_a_bench_in_another_process_says_and_hears_the_same(light, tmp_path):
    port_file = tmp_path / "control"
    here = SimulatedBench()
    here.add("light", light)
    server = ControlServer(here)
    write_port_file(port_file, PortFile(0, server.port))
    there = RemoteBench(port_file)
    light.show(Light.AMBER)
    assert there.tell("light", "showing") == "amber"
    assert there.tell("light", "wait_for", light="amber")
    with pytest.raises(ControlError, match="cannot explode"):
        there.tell("light", "explode")
    far = bench_of({}, {"light": {"port_file": str(port_file)}})
    assert far.tell("light", "history") == ["off", "amber"]
    server.close()
    with pytest.raises(OSError, match="refused"):
        there.tell("light", "showing")


def test_a_simulated_scanner_types_on_the_wire_that_the_real_driver_reads(
    tmp_path, heard
):
    scanner = SimulatedScannerDevice(tmp_path / "tty")
    scanner.open(heard)
    assert heard.next().health is Health.READY
    bench_of({"scanner": scanner}, {}).tell("scanner", "type", label="4006381333931")
    assert heard.next().data == b"4006381333931"
    scanner.close()
