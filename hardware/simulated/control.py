"""How bench, demo and tests reach simulators: by name, here or in another process.

A simulator lists what it can be told in `controls`; nothing else of it can be
reached. `SimulatedBench` holds those of this process, `ControlServer` offers
them on loopback, `RemoteBench` uses them from elsewhere. Both benches are used
alike: `bench.tell("scale", "put", grams=120)`.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from hardware.simulated import frames

log = logging.getLogger(__name__)

ANSWER_SECONDS = 10.0
LOOPBACK = "127.0.0.1"

Control = Callable[..., object]


class ControlError(Exception):
    """What was asked of a simulator cannot be done; the words say why."""


@runtime_checkable
class Simulator(Protocol):
    """A device of memory that can be told what to do."""

    @property
    def controls(self) -> Mapping[str, Control]:
        """What it can be told; keyword arguments and answers are JSON."""


class Bench(Protocol):
    """Whoever can tell simulators what to do."""

    def tell(self, device: str, do: str, **details: object) -> object:
        """Do it, and return the answer as JSON values."""


class Told(msgspec.Struct, frozen=True):
    """A control on its way to a simulator."""

    device: str
    do: str
    details: dict[str, object] = {}


class Answered(msgspec.Struct, frozen=True):
    """What came of it; `trouble` is empty when it was done."""

    value: object = None
    trouble: str = ""


class SimulatedBench:
    """The simulators of this process, by name."""

    def __init__(self) -> None:
        self._simulators: dict[str, Simulator] = {}
        self._remote: dict[str, RemoteBench] = {}

    def add(self, name: str, device: object) -> bool:
        """Take a device that is a simulator; say whether it was one."""
        if isinstance(device, Simulator):
            self._simulators[name] = device
            return True
        return False

    def reach(self, name: str, port_file: Path) -> None:
        """Pass on what is told to `name` to the process that wrote `port_file`."""
        self._remote[name] = RemoteBench(port_file)

    def names(self) -> dict[str, list[str]]:
        """Return what each simulator of this process can be told."""
        return {name: sorted(it.controls) for name, it in self._simulators.items()}

    def tell(self, device: str, do: str, **details: object) -> object:
        """Do it, and return the answer as JSON values. Raises `ControlError`."""
        if device in self._remote:
            return self._remote[device].tell(device, do, **details)
        if device not in self._simulators:
            raise ControlError(f"there is no simulator called {device}")
        controls = self._simulators[device].controls
        if do not in controls:
            known = ", ".join(sorted(controls))
            raise ControlError(f"{device} cannot {do}; it can: {known}")
        try:
            return msgspec.to_builtins(controls[do](**details))
        except (TypeError, ValueError) as error:
            raise ControlError(f"{device} {do}: {error}") from error


class RemoteBench:
    """The simulators of another process."""

    def __init__(self, port_file: Path) -> None:
        self._port_file = port_file

    def tell(self, device: str, do: str, **details: object) -> object:
        """Do it, and return the answer. Raises `ControlError` or OSError."""
        where = frames.read_port_file(self._port_file)
        address = (LOOPBACK, where.control)
        with socket.create_connection(address, timeout=ANSWER_SECONDS) as link:
            frames.send(link, Told(device, do, details))
            answer = msgspec.json.decode(frames.receive(link), type=Answered)
        if answer.trouble:
            raise ControlError(answer.trouble)
        return answer.value


class ControlServer:
    """Offers a bench on a loopback port, one short connection a control."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._listener = socket.create_server((LOOPBACK, 0))
        self._serving: list[threading.Thread] = []
        self._thread = threading.Thread(
            target=self._run, name="simulator-control", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def close(self) -> None:
        """Stop listening; returns when all that was told has been answered."""
        try:
            # Wakes the accept; close alone does not.
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        for thread in (self._thread, *self._serving):
            thread.join(ANSWER_SECONDS)

    def _run(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            # A control may wait for its device; others are heard meanwhile.
            server = threading.Thread(target=self._serve, args=(link,), daemon=True)
            self._serving.append(server)
            server.start()
            self._serving = [one for one in self._serving if one.is_alive()]

    def _serve(self, link: socket.socket) -> None:
        with link:
            link.settimeout(ANSWER_SECONDS)
            try:
                frames.send(link, self._answer(frames.receive(link)))
            except OSError as error:
                log.warning("a control was cut short: %s", error)

    def _answer(self, body: bytes) -> Answered:
        try:
            told = msgspec.json.decode(body, type=Told)
            return Answered(self._bench.tell(told.device, told.do, **told.details))
        except (ControlError, msgspec.MsgspecError, OSError) as error:
            return Answered(trouble=str(error))


def bench_of(
    devices: Mapping[str, object], options: Mapping[str, Mapping[str, object]]
) -> SimulatedBench:
    """Return a bench for a lane's devices, those in processes of their own included."""
    bench = SimulatedBench()
    for name, device in devices.items():
        bench.add(name, device)
    for name, given in options.items():
        port_file = given.get("port_file")
        if isinstance(port_file, str):
            bench.reach(name, Path(port_file))
    return bench
