"""The relay board shows what the lane wants, also after it was unplugged."""

from __future__ import annotations

import os
import queue
import threading
import tty
from collections.abc import Iterator

import pytest

from hardware.light.relay_light import RelayLight, Relays, serial_port, switch
from hardware.ports import DeviceState, Health, Light

SECONDS = 10


class RelayBoard:
    """A board of four relays on a pty: it obeys whole, right orders and says nothing."""

    def __init__(self) -> None:
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        self.tty = os.ttyname(self._theirs)
        self.on: set[int] = set()
        self.change = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        rest = b""
        while True:
            rest += os.read(self._ours, 64)
            while len(rest) >= 4:
                order, rest = rest[:4], rest[4:]
                assert order == switch(order[1], bool(order[2]))
                with self.change:
                    (self.on.add if order[2] else self.on.discard)(order[1])
                    self.change.notify_all()

    def wait_for(self, *relays: int) -> bool:
        with self.change:
            return self.change.wait_for(lambda: self.on == set(relays), SECONDS)


@pytest.fixture
def board() -> RelayBoard:
    return RelayBoard()


@pytest.fixture
def light(board: RelayBoard) -> Iterator[RelayLight]:
    driver = RelayLight(serial_port(board.tty, 9600), Relays(), reconnect_seconds=0.05)
    driver.open(lambda state: None)
    yield driver
    driver.close()


def test_the_orders_are_those_of_the_board():
    assert switch(1, True).hex() == "a00101a2"
    assert switch(4, False).hex() == "a00400a4"


@pytest.mark.parametrize(
    ("shown", "relays"),
    [
        (Light.GREEN, (1,)),
        (Light.AMBER, (2, 4)),
        (Light.RED, (3, 4)),
        (Light.OFF, ()),
    ],
)
def test_each_light_is_its_lamps(board, light, shown, relays):
    light.show(Light.GREEN)
    assert board.wait_for(1)
    light.show(shown)
    assert board.wait_for(*relays)


def test_a_closed_light_is_dark(board):
    driver = RelayLight(serial_port(board.tty, 9600), Relays(), reconnect_seconds=0.05)
    driver.open(lambda state: None)
    driver.show(Light.RED)
    assert board.wait_for(3, 4)
    driver.close()
    assert board.wait_for()


def test_a_board_that_lost_its_power_is_told_again(board, light):
    light.show(Light.GREEN)
    assert board.wait_for(1)
    with board.change:
        board.on.clear()
    assert board.wait_for(1)


def test_lamps_a_shop_does_not_have_are_never_switched(board):
    relays = Relays(green=2, amber=0, red=1, call=0)
    driver = RelayLight(serial_port(board.tty, 9600), relays, reconnect_seconds=0.05)
    driver.open(lambda state: None)
    driver.show(Light.RED)
    assert board.wait_for(1)
    driver.show(Light.AMBER)
    assert board.wait_for()
    driver.close()


def test_a_light_that_is_not_there_is_absent_and_showing_never_fails(tmp_path):
    told: queue.SimpleQueue[DeviceState] = queue.SimpleQueue()
    driver = RelayLight(serial_port(str(tmp_path / "none"), 9600), Relays(), 0.05)
    driver.open(told.put)
    assert told.get(timeout=SECONDS).health is Health.ABSENT
    driver.show(Light.RED)
    driver.close()
