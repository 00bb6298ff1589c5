"""The UPS behind NUT's real server and real driver, and a server that misbehaves."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from heard import Heard, free_port

from hardware.ports import DeviceState, Health, Power, PowerSource
from hardware.simulated.control import RemoteBench
from hardware.simulated.nut_process import PASSWORD, UPS_NAME, USER
from hardware.ups.nut_client import NutClient
from hardware.ups.nut_ups import Login, NutUps


class NutDesk:
    """upsd, nutdrv_qx and a simulated UPS, as in the play shop."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.port_file = folder / "ups.json"
        self.bench = RemoteBench(self.port_file)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "hardware.simulated.nut_process"),
                *("--folder", str(folder / "nut"), "--port", str(self.port)),
                *("--port-file", str(self.port_file)),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == "ready"

    def tell(self, do: str, **details: object) -> Any:
        return self.bench.tell("ups", do, **details)

    def driver(self, login: Login | None = None) -> NutUps:
        return NutUps(lambda: NutClient("127.0.0.1", self.port), UPS_NAME, 0.05, login)

    def close(self) -> None:
        self.tell("stop")
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NutDesk]:
    nut = NutDesk(tmp_path_factory.mktemp("ups"))
    yield nut
    nut.close()


@pytest.fixture
def heard(desk: NutDesk) -> Iterator[Heard]:
    """A driver that has found its UPS on mains."""
    desk.tell("mains_back")
    desk.tell("speak")
    heard = Heard()
    ups = desk.driver(Login(USER, PASSWORD))
    ups.open(heard.told.put)
    heard.until(PowerSource.MAINS, Power)
    heard.ups = ups  # type: ignore[attr-defined]  # for the test that orders
    yield heard
    ups.close()


def test_a_ups_on_mains_says_who_it_is_and_how_full(desk, heard):
    other = Heard()
    ups = desk.driver()
    ups.open(other.told.put)
    assert other.until(Health.READY, DeviceState).detail == "Stillopen Simulated V1.00"
    power = other.until(PowerSource.MAINS, Power)
    assert power.charge_percent is not None
    ups.close()


def test_mains_battery_low_and_mains_again_are_each_told(desk, heard):
    desk.tell("mains_lost")
    heard.until(PowerSource.BATTERY, Power)
    desk.tell("battery_low")
    heard.until(PowerSource.LOW, Power)
    desk.tell("mains_back")
    heard.until(PowerSource.MAINS, Power)


def test_a_data_cable_that_is_pulled_makes_power_unknown_not_mains(desk, heard):
    desk.tell("mains_lost")
    heard.until(PowerSource.BATTERY, Power)
    desk.tell("unplug")
    state = heard.until(Health.ABSENT, DeviceState)
    assert state.detail == "the UPS does not answer its driver"
    heard.until(PowerSource.UNKNOWN, Power)
    desk.tell("plug")
    heard.until(PowerSource.BATTERY, Power)


def test_an_ordered_shutdown_is_seen_by_whoever_watches(desk, heard):
    desk.tell("mains_lost")
    heard.until(PowerSource.BATTERY, Power)
    heard.ups.order_shutdown()
    assert desk.tell("wait_for_order", seconds=5.0)
    heard.until(PowerSource.SHUTDOWN, Power)


def test_a_stranger_cannot_order_a_shutdown(desk, heard):
    desk.driver(Login(USER, "guessed")).order_shutdown()
    desk.driver().order_shutdown()
    assert not desk.tell("wait_for_order", seconds=0.3)


def test_a_ups_nobody_knows_is_absent(desk):
    heard = Heard()
    ups = NutUps(lambda: NutClient("127.0.0.1", desk.port), "other", 0.05)
    ups.open(heard.told.put)
    state = heard.until(Health.ABSENT, DeviceState)
    assert state.detail == "upsd knows no UPS of that name"
    ups.close()


def test_no_server_is_absent_and_found_when_it_comes():
    port = free_port()
    heard = Heard()
    ups = NutUps(lambda: NutClient("127.0.0.1", port), "lane", 0.05)
    ups.open(heard.told.put)
    heard.until(Health.ABSENT, DeviceState)
    server = Scripted(port, {b"ups.status": b'VAR lane ups.status "OL"'})
    heard.until(PowerSource.MAINS, Power)
    server.close()
    heard.until(PowerSource.UNKNOWN, Power)
    ups.close()


class Scripted:
    """A server that answers each variable with a line of its own, or refuses it."""

    def __init__(self, port: int, answers: dict[bytes, bytes]) -> None:
        self.answers = answers
        self._listener = socket.create_server(("127.0.0.1", port))
        self._links: list[socket.socket] = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            self._links.append(link)
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        try:
            while question := link.recv(1024):
                name = question.split()[-1]
                refusal = b"ERR VAR-NOT-SUPPORTED"
                link.sendall(self.answers.get(name, refusal) + b"\n")
        except OSError:
            return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in self._links:
            link.close()


@pytest.mark.parametrize(
    ("status", "source", "health"),
    [
        ("OL CHRG", PowerSource.MAINS, Health.READY),
        ("OL LB", PowerSource.MAINS, Health.READY),
        ("OL TRIM", PowerSource.MAINS, Health.READY),
        ("OL RB", PowerSource.MAINS, Health.DEGRADED),
        ("OL BYPASS", PowerSource.MAINS, Health.DEGRADED),
        ("OB DISCHRG", PowerSource.BATTERY, Health.READY),
        ("OB LB", PowerSource.LOW, Health.READY),
        ("FSD OB LB", PowerSource.SHUTDOWN, Health.READY),
        ("OFF", PowerSource.UNKNOWN, Health.READY),
        ("SOMETHING NEW", PowerSource.UNKNOWN, Health.READY),
    ],
)
def test_each_status_means_what_nut_says_it_means(status, source, health):
    port = free_port()
    line = f'VAR lane ups.status "{status}"'.encode()
    server = Scripted(port, {b"ups.status": line})
    heard = Heard()
    ups = NutUps(lambda: NutClient("127.0.0.1", port), "lane", 0.05)
    ups.open(heard.told.put)
    heard.until(health, DeviceState)
    power = heard.until(source, Power)
    assert (power.runtime_seconds, power.charge_percent) == (None, None)
    ups.close()
    server.close()


def test_charge_and_runtime_are_told_in_percent_and_seconds():
    port = free_port()
    answers = {
        b"ups.status": b'VAR lane ups.status "OB"',
        b"battery.charge": b'VAR lane battery.charge "93.4"',
        b"battery.runtime": b'VAR lane battery.runtime "2397"',
    }
    server = Scripted(port, answers)
    heard = Heard()
    ups = NutUps(lambda: NutClient("127.0.0.1", port), "lane", 0.05)
    ups.open(heard.told.put)
    assert heard.until(PowerSource.BATTERY, Power) == Power(
        PowerSource.BATTERY, runtime_seconds=2397, charge_percent=93
    )
    ups.close()
    server.close()


@pytest.mark.parametrize(
    "answer",
    [b'VAR lane ups.status "OL', b"", b"\xff\xfe", b"VAR", b"x" * 5000],
    ids=["no end", "empty", "no text", "cut", "endless"],
)
def test_a_server_that_talks_nonsense_is_absent_and_nothing_breaks(answer):
    port = free_port()
    server = Scripted(port, {b"ups.status": answer})
    heard = Heard()
    ups = NutUps(lambda: NutClient("127.0.0.1", port), "lane", 0.05)
    ups.open(heard.told.put)
    heard.until(Health.ABSENT, DeviceState)
    ups.close()
    server.close()
