"""The rendered settings under NUT's own upsd, upsmon, upssched and driver.

Only paths, port and users are exchanged for those of a test; what is ordered at the end
is a file instead of the machine's end.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from heard import free_port

from hardware.simulated.megatec import Megatec
from hardware.ups.nut_client import Done, Line, NutClient, Refused, Var
from kiosk import ups_config
from kiosk.ups_config import UPS_NAME, UpsSettings

# upsmon is told of each change after two seconds at most, and looks every two.
PATIENCE_SECONDS = 25.0
DEADLINE_SECONDS = 3
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="upsmon changes its user, which root alone can"
)
FOLDERS = "/lib/nut:/usr/lib/nut:/usr/libexec/nut"


def program(name: str) -> str:
    # Debian wraps the one on the PATH: it asks /etc/nut whether it may start.
    found = shutil.which(name, path=FOLDERS)
    assert found, "NUT is not installed: make setup"
    return found


class Machine:
    """NUT as the image runs it, and a UPS on a serial line."""

    def __init__(self, folder: Path, deadline_seconds: int) -> None:
        self.folder = folder
        self.port = free_port()
        self.ups = Megatec(folder / "ups.tty")
        told = UpsSettings(
            driver="nutdrv_qx",
            port=str(folder / "ups.tty"),
            protocol="megatec",
            deadline_seconds=deadline_seconds,
        )
        for name, text in ups_config.files(told, "lanes", "monitors").items():
            self._put(name, self._here(text))
        self._put("deadline", f"#!/bin/sh\nexec {program('upsmon')} -c fsd\n", 0o755)
        self._put("off", f"#!/bin/sh\ntouch {folder}/is-off\n", 0o755)
        self._environment = {
            **os.environ,
            "NUT_CONFPATH": str(folder),
            "NUT_STATEPATH": str(folder),
            "NUT_ALTPIDPATH": str(folder),
        }
        self._log = (folder / "nut.log").open("ab")
        self._children = [
            self._start(program("nutdrv_qx"), "-a", UPS_NAME, "-F"),
            self._start(program("upsd"), "-u", "root", "-F"),
        ]

    def watch(self) -> None:
        """Let upsmon look, once there is something to see."""
        self.until(lambda: self._status() == "OL")
        # One to a machine, by its file in /run/nut: so it gets a /run/nut of its own.
        own = 'mount --bind "$0" /run/nut && exec "$1" -F'
        words = ("unshare", "--mount", "sh", "-c", own)
        watch = self._start(*words, str(self.folder), program("upsmon"))
        self._children.append(watch)
        self.until(lambda: (self.folder / "upsmon.pid").exists())

    def _here(self, text: str) -> str:
        """Exchange what belongs to the machine for what belongs to the test."""
        for there, here in (
            ("/usr/bin/systemctl poweroff", f"{self.folder}/off"),
            ("/usr/sbin/upssched", "upssched"),
            ("/usr/lib/stillopen-ups/deadline", f"{self.folder}/deadline"),
            ("/run/nut/", f"{self.folder}/"),
            (str(ups_config.PORT), str(self.port)),
            ("user = nut", "user = root"),
            ("FINALDELAY 5", "FINALDELAY 1"),
            ("RUN_AS_USER nut", "RUN_AS_USER root"),
        ):
            text = text.replace(there, here)
        return text

    def _put(self, name: str, text: str, mode: int = 0o600) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(mode)

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            words,
            env=self._environment,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def until(self, is_so: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(int(PATIENCE_SECONDS / 0.1)):
            if is_so():
                return
            pause.wait(0.1)  # NUT tells nobody what it did: one looks
        raise AssertionError((self.folder / "nut.log").read_text()[-2000:])

    def _status(self) -> str:
        try:
            return str(self.ask(lambda client: client.variable(UPS_NAME, "ups.status")))
        except OSError:
            return ""

    def ask(self, question: Callable[[NutClient], Line]) -> Line | str:
        client = NutClient("127.0.0.1", self.port)
        try:
            answer = question(client)
        finally:
            client.close()
        return answer.value if isinstance(answer, Var) else answer

    @property
    def is_off(self) -> bool:
        return (self.folder / "is-off").exists()

    def killpower_is_set(self) -> bool:
        done = subprocess.run(
            [program("upsmon"), "-K"], env=self._environment, capture_output=True
        )
        return done.returncode == 0

    def cut(self) -> None:
        """What the hook does at the very end, with the driver gone."""
        driver = self._children[0]
        driver.terminate()
        driver.wait()
        subprocess.run(
            [program("nutdrv_qx"), "-a", UPS_NAME, "-k"],
            env=self._environment,
            capture_output=True,
        )

    def close(self) -> None:
        for child in self._children:
            # upsmon's watcher and upssched are children of it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        self._log.close()


def _machine(folder: Path, deadline_seconds: int) -> Iterator[Machine]:
    one = Machine(folder, deadline_seconds)
    try:
        one.watch()
        yield one
    finally:
        one.close()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """One whose mains may be away for three seconds."""
    yield from _machine(tmp_path, DEADLINE_SECONDS)


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Machine]:
    """One whose mains may be away for longer than a test takes."""
    yield from _machine(tmp_path, 300)


def test_low_battery_shuts_down_though_no_lane_lives_and_cuts_the_power(patient):
    patient.ups.battery_low()
    patient.until(lambda: patient.is_off)
    assert patient.killpower_is_set()
    # The mains come back while the machine goes down: it is cut and cycled all the same.
    patient.ups.mains_back()
    patient.cut()
    # A minute until the cut, three until the current is back.
    assert patient.ups.shutdowns()[-1] == "S01R0003"


def test_mains_that_stay_away_end_in_a_shutdown_with_a_full_battery(machine):
    machine.ups.mains_lost()
    machine.until(lambda: machine.is_off)
    assert machine.killpower_is_set()


def test_mains_that_come_back_in_time_are_an_all_clear(patient):
    patient.ups.mains_lost()
    counting = patient.folder / "upssched.pipe"
    patient.until(counting.exists)
    patient.ups.mains_back()
    # upssched ends 15 seconds after its last timer was called off.
    patient.until(lambda: not counting.exists())
    assert not patient.is_off


def test_the_lane_may_order_the_shutdown(patient):
    def order(client: NutClient) -> Line:
        assert client.log_in(ups_config.LANE_USER, "lanes") == Done()
        return client.force_shutdown(UPS_NAME)

    assert isinstance(patient.ask(order), Done)
    patient.until(lambda: patient.is_off)


def test_the_lane_may_order_nothing_else(patient):
    def command(client: NutClient) -> Line:
        client.log_in(ups_config.LANE_USER, "lanes")
        return client._ask(f"INSTCMD {UPS_NAME} shutdown.return")

    assert isinstance(patient.ask(command), Refused)
    assert patient.ups.shutdowns() == []
