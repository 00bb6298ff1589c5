"""The 8217 driver and a scale on a pty; and whatever else may hang on that wire."""

from __future__ import annotations

import queue
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.ports import DeviceState, Health, Weight
from hardware.scale import mettler_8217_codec as codec
from hardware.scale.mettler_8217 import Mettler8217, serial_port
from hardware.simulated.control import RemoteBench
from hardware.simulated.frames import read_port_file

SECONDS = 10


class Desk:
    """A scale's process, its driver, and what the lane heard."""

    def __init__(self, folder: Path) -> None:
        port_file = folder / "scale.json"
        module = "hardware.simulated.mettler_8217"
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, "--port-file", str(port_file)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == "ready"
        self.bench = RemoteBench(port_file)
        self.heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
        connect = serial_port(read_port_file(port_file).tty, 9600)
        self.driver = Mettler8217(connect, ask_seconds=0.02, reconnect_seconds=0.05)
        self.driver.open(self.heard.put)

    def tell(self, do: str, **details: object) -> None:
        self.bench.tell("scale", do, **details)

    def until(self, wanted: object) -> list[Any]:
        """Wait for something told; return what was told on the way."""
        seen: list[Any] = []
        while not seen or seen[-1] != wanted:
            seen.append(self.heard.get(timeout=SECONDS))
        return seen

    def state(self, health: Health) -> DeviceState:
        while True:
            told = self.heard.get(timeout=SECONDS)
            if isinstance(told, DeviceState) and told.health is health:
                return told

    def close(self) -> None:
        self.driver.close()
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    scale = Desk(tmp_path)
    scale.until(Weight(0))
    yield scale
    scale.close()


def test_a_settled_weight_is_told_once_and_zero_too(desk):
    desk.tell("put", grams=842)
    assert desk.until(Weight(842)) == [Weight(842)]
    desk.tell("take_off")
    assert desk.until(Weight(0)) == [Weight(0)]


def test_a_weight_that_still_moves_is_not_told(desk):
    desk.tell("put", grams=500, wobble_ms=300)
    desk.tell("put", grams=750, wobble_ms=300)
    assert desk.until(Weight(750)) == [Weight(750)]


def test_more_than_it_can_weigh_is_said_in_words(desk):
    desk.tell("put", grams=20_000)
    assert "more on it" in desk.state(Health.DEGRADED).detail
    desk.tell("put", grams=100)
    assert Weight(100) in desk.until(Weight(100))


def test_under_zero_is_said_in_words(desk):
    desk.tell("put", grams=-20)
    assert "under zero" in desk.state(Health.DEGRADED).detail


def test_a_tare_set_at_the_scale_is_noticed(desk):
    desk.tell("put", grams=600)
    desk.until(Weight(600))
    desk.tell("tare", grams=100)
    assert "tare" in desk.state(Health.DEGRADED).detail
    desk.until(Weight(500))


def test_a_scale_that_weighs_in_pounds_is_not_believed(desk):
    desk.tell("pounds", on=True)
    assert "pounds" in desk.state(Health.DEGRADED).detail


def test_a_silent_scale_is_absent_and_comes_back(desk):
    desk.tell("silence")
    assert "does not answer" in desk.state(Health.ABSENT).detail
    desk.tell("speak")
    desk.tell("put", grams=333)
    desk.until(Weight(333))


def test_noise_before_an_answer_changes_no_weight(desk):
    desk.tell("noise", on=True)
    desk.tell("put", grams=412)
    assert desk.until(Weight(412)) == [Weight(412)]


def test_a_scale_that_is_not_there_is_absent(tmp_path):
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    driver = Mettler8217(serial_port(str(tmp_path / "none"), 9600), 0.02, 0.05)
    driver.open(heard.put)
    assert heard.get(timeout=SECONDS).health is Health.ABSENT
    driver.close()


@given(st.binary(max_size=200))
def test_any_bytes_leave_answers_and_a_short_rest(data):
    answers, rest = codec.split(data)
    assert len(rest) <= 32
    for answer in answers:
        codec.read(answer)


@given(st.integers(0, 99_999), st.booleans())
def test_a_weight_survives_the_wire(grams, is_net):
    net = "N" if is_net else ""
    wire = f"\x02{grams // 1000:02d}.{grams % 1000:03d}{net}\r".encode()
    answers, rest = codec.split(wire)
    assert [codec.read(answer) for answer in answers] == [codec.Settled(grams, is_net)]
    assert rest == b""


@given(st.integers(0, 127))
def test_no_status_is_ever_a_weight(status):
    assert not isinstance(codec.read(b"?" + bytes([status])), codec.Settled)
