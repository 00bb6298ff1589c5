"""NUT's own dummy-ups behind a real upsd: any UPS, as its variables tell it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from heard import Heard, free_port

from hardware.ports import DeviceState, Health, Power, PowerSource
from hardware.ups.nut_client import NutClient
from hardware.ups.nut_ups import NutUps

FOLDERS = "/lib/nut:/usr/lib/nut:/usr/libexec/nut"


def program(name: str) -> str:
    # Debian wraps the one on the PATH: it asks /etc/nut whether it may start.
    found = shutil.which(name, path=FOLDERS)
    assert found, "NUT is not installed: make setup"
    return found


class Dummy:
    """A UPS that says what a file says."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._variables = folder / "any.dev"
        self.say(status="OL")
        self._write(folder)
        environment = {
            **os.environ,
            "NUT_CONFPATH": str(folder),
            "NUT_STATEPATH": str(folder),
            "NUT_ALTPIDPATH": str(folder),
        }
        self._log = (folder / "nut.log").open("ab")
        self._children = [
            subprocess.Popen(words, env=environment, stdout=self._log, stderr=self._log)
            for words in (
                (program("dummy-ups"), "-a", "any", "-u", "root", "-F"),
                (program("upsd"), "-u", "root", "-F"),
            )
        ]

    def _write(self, folder: Path) -> None:
        files = {
            "nut.conf": "MODE=none\n",
            "ups.conf": "[any]\ndriver = dummy-ups\nport = any.dev\n"
            "mode = dummy-once\npollinterval = 1\n",
            "upsd.conf": f"LISTEN 127.0.0.1 {self.port}\nMAXAGE 5\n",
            "upsd.users": "",
        }
        for name, content in files.items():
            path = folder / name
            path.write_text(content)
            path.chmod(0o600)

    def say(self, status: str, **more: str) -> None:
        """Let the UPS tell these variables from its next look on."""
        told = {"ups.mfr": "Any", "ups.model": "Thing", "ups.status": status}
        told |= {name.replace("_", "."): value for name, value in more.items()}
        aside = self._variables.with_suffix(".new")
        aside.write_text("".join(f"{name}: {told[name]}\n" for name in told))
        aside.replace(self._variables)

    def driver(self) -> NutUps:
        return NutUps(lambda: NutClient("127.0.0.1", self.port), "any", 0.05)

    def close(self) -> None:
        for child in self._children:
            child.terminate()
            child.wait()
        self._log.close()


@pytest.fixture(scope="module")
def dummy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dummy]:
    ups = Dummy(tmp_path_factory.mktemp("dummy"))
    yield ups
    ups.close()


@pytest.fixture
def heard(dummy: Dummy) -> Iterator[Heard]:
    """A driver that has found the UPS on mains."""
    dummy.say(status="OL")
    heard = Heard()
    ups = dummy.driver()
    ups.open(heard.told.put)
    heard.until(PowerSource.MAINS, Power)
    yield heard
    ups.close()


def test_a_ups_without_a_charge_estimate_is_followed_by_its_state_alone(dummy, heard):
    dummy.say(status="OB DISCHRG")
    power = heard.until(PowerSource.BATTERY, Power)
    assert (power.runtime_seconds, power.charge_percent) == (None, None)
    dummy.say(status="OB LB")
    heard.until(PowerSource.LOW, Power)
    dummy.say(status="OL")
    heard.until(PowerSource.MAINS, Power)


def test_a_ups_with_estimates_tells_them(dummy, heard):
    dummy.say(status="OB DISCHRG", battery_charge="41", battery_runtime="600")
    power = heard.until(PowerSource.BATTERY, Power)
    assert (power.runtime_seconds, power.charge_percent) == (600, 41)


def test_a_worn_battery_is_told_while_the_mains_are_there(dummy, heard):
    dummy.say(status="OL RB")
    heard.until(Health.DEGRADED, DeviceState)


def test_a_server_that_is_killed_makes_power_unknown(tmp_path):
    ups = Dummy(tmp_path)
    heard = Heard()
    driver = ups.driver()
    driver.open(heard.told.put)
    heard.until(PowerSource.MAINS, Power)
    threading.Thread(target=ups.close).start()
    heard.until(Health.ABSENT, DeviceState)
    heard.until(PowerSource.UNKNOWN, Power)
    driver.close()
