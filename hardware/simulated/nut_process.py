"""A UPS, NUT's driver for it and NUT's server, as one process to start and to kill.

    python -m hardware.simulated.nut_process --folder DIR --port N --port-file F

The UPS is simulated (`megatec`), the driver (`nutdrv_qx`) and the server (`upsd`) are
NUT's own, from Debian's packages nut-server and nut-client. They end with this process,
however that ends. Controls: device `ups`.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import queue
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from hardware.simulated.control import LOOPBACK, Control, ControlServer, SimulatedBench
from hardware.simulated.frames import PortFile, write_port_file
from hardware.simulated.megatec import Megatec
from hardware.ups.nut_client import NutClient, Var

UPS_NAME = "lane"
USER, PASSWORD = "lane", "play-only"  # of a server made to play with
START_SECONDS = 20.0
# Server and driver tell nobody when they are ready, or what was ordered: one looks.
_LOOK_SECONDS = 0.1
_DRIVER_FOLDERS = ("/lib/nut", "/usr/lib/nut", "/usr/libexec/nut")
# PR_SET_PDEATHSIG (prctl(2)): the kernel ends the child when we are gone.
_DIE_WITH_PARENT = 1


class NutShop:
    """NUT's driver and server in a folder of their own, on loopback."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        # Boots that were asked for; None: the end.
        self._boots: queue.SimpleQueue[threading.Event | None] = queue.SimpleQueue()
        folder.mkdir(parents=True, exist_ok=True)
        self.ups = Megatec(folder / "ups.tty")
        self._write_settings()
        self._children: list[subprocess.Popen[bytes]] = []

    @property
    def controls(self) -> Mapping[str, Control]:
        """What the UPS can be told, and stop."""
        return {
            **self.ups.controls,
            "mains_back": self.mains_back,
            "wait_for_order": self.wait_for_order,
            "stop": self.stop,
        }

    def mains_back(self) -> None:
        """Put the plug back. An ordered shutdown stands until the machine has booted,
        so the server is started anew, as the boot would have done."""
        self.ups.mains_back()
        if self._is_ordered():
            booted = threading.Event()
            self._boots.put(booted)
            booted.wait(START_SECONDS)

    def wait_for_order(self, seconds: float = 5.0) -> bool:
        """Wait until a shutdown was ordered at the server; say whether it was."""
        until = time.monotonic() + seconds
        while not (is_ordered := self._is_ordered()) and time.monotonic() < until:
            # upsd tells whoever asks, and nobody else.
            time.sleep(_LOOK_SECONDS)
        return is_ordered

    def _is_ordered(self) -> bool:
        client = NutClient(LOOPBACK, self._port)
        try:
            answer = client.variable(UPS_NAME, "ups.status")
        finally:
            client.close()
        return isinstance(answer, Var) and "FSD" in answer.value.split()

    def start(self) -> None:
        """Start driver and server; returns when the server listens."""
        self._run(_driver("nutdrv_qx"), "-a", UPS_NAME, "-u", "root", "-F")
        self._serve()

    def _serve(self) -> None:
        # Debian wraps the one on the PATH: it asks /etc/nut whether it may start.
        self._run(_driver("upsd"), "-u", "root", "-F")
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            if time.monotonic() > deadline or any(c.poll() for c in self._children):
                raise SystemExit(f"upsd did not start; see {self._folder / 'nut.log'}")
            # upsd does not say when it listens.
            time.sleep(_LOOK_SECONDS)

    def stop(self) -> None:
        """End everything."""
        self._boots.put(None)

    def wait(self) -> None:
        """Serve until told to stop; returns with nothing left running.

        The main thread starts every child: the kernel ends a child with the thread
        that started it.
        """
        while (booted := self._boots.get()) is not None:
            server = self._children.pop()
            server.terminate()
            server.wait()
            self._serve()
            booted.set()
        for child in reversed(self._children):
            child.terminate()
            child.wait()

    def _run(self, *command: str) -> None:
        environment = {
            **os.environ,
            "NUT_CONFPATH": str(self._folder),
            "NUT_STATEPATH": str(self._folder),
            "NUT_ALTPIDPATH": str(self._folder),
        }
        with (self._folder / "nut.log").open("ab") as log:
            self._children.append(
                subprocess.Popen(
                    command,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    preexec_fn=_die_with_parent,  # no threads' locks
                )
            )

    def _listens(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self._port), 0.5).close()
        except OSError:
            return False
        return True

    def _write_settings(self) -> None:
        tty = self._folder / "ups.tty"
        files = {
            "nut.conf": "MODE=none\n",
            "ups.conf": f"[{UPS_NAME}]\ndriver = nutdrv_qx\nport = {tty}\n"
            "protocol = megatec\npollinterval = 1\npollfreq = 2\n"
            "default.battery.voltage.high = 13.6\ndefault.battery.voltage.low = 10.4\n"
            "runtimecal = 240,100,720,50\n",
            "upsd.conf": f"LISTEN {LOOPBACK} {self._port}\nMAXAGE 5\n",
            "upsd.users": f"[{USER}]\npassword = {PASSWORD}\nupsmon primary\n"
            "actions = FSD\n",
        }
        for name, content in files.items():
            path = self._folder / name
            path.write_text(content)
            path.chmod(0o600)


def _driver(name: str) -> str:
    for folder in _DRIVER_FOLDERS:
        if (path := Path(folder) / name).exists():
            return str(path)
    raise SystemExit("NUT is not installed: apt-get install nut-server nut-client")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def main() -> None:
    """Run until told to stop or killed."""
    words = argparse.ArgumentParser(description="A UPS behind NUT's own server")
    words.add_argument("--folder", type=Path, required=True)
    words.add_argument("--port", type=int, required=True)
    words.add_argument("--port-file", type=Path, required=True)
    asked = words.parse_args()
    shop = NutShop(asked.folder, asked.port)
    shop.start()
    bench = SimulatedBench()
    bench.add("ups", shop)
    control = ControlServer(bench)
    write_port_file(asked.port_file, PortFile(asked.port, control.port))
    print("ready", flush=True)
    shop.wait()
    control.close()


if __name__ == "__main__":
    main()
