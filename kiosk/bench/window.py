"""The bench's window into a running lane: see the screen, tap it, tell its simulators.

A Unix socket that only this user may open, only when `--bench` asks for it. It goes
through the screen as a finger does and never posts an event of its own.
"""

from __future__ import annotations

import logging
import socket
import threading
from pathlib import Path
from typing import Any, Protocol

import msgspec

from hardware.simulated import frames
from hardware.simulated.control import ControlError, SimulatedBench
from kiosk.domain.lane import encode_state
from kiosk.domain.modes import core
from kiosk.domain.state import Lane, Training

log = logging.getLogger(__name__)

ANSWER_SECONDS = 15.0


class Screen(Protocol):
    """What the bench uses of the lane's window."""

    def screenshot(self, kind: str = "PNG", timeout: float = 5.0) -> bytes: ...

    def tap(self, x_px: float, y_px: float, timeout: float = 5.0) -> None: ...

    def tap_control(self, name: str, timeout: float = 5.0) -> bool: ...

    def controls(self, timeout: float = 5.0) -> list[tuple[str, int, int]]: ...


class Runner(Protocol):
    """Where the state is read."""

    @property
    def lane(self) -> Lane: ...


class Program(Protocol):
    """What the bench uses of the running lane."""

    @property
    def runner(self) -> Runner: ...

    @property
    def devices(self) -> dict[str, Any]: ...


class Ask(msgspec.Struct, frozen=True):
    """One wish. `do`: screenshot, tap, tap_control, controls, state, tell."""

    do: str
    name: str = ""
    x: float = 0
    y: float = 0
    kind: str = "PNG"
    device: str = ""
    details: dict[str, Any] = {}


class Reply(msgspec.Struct, frozen=True):
    """What came of it; `trouble` is empty when it was done."""

    value: Any = None
    picture: bytes = b""
    trouble: str = ""


class Seen(msgspec.Struct, frozen=True):
    """Where a lane is, in the words of `state.py`."""

    seq: int
    mode: str
    under: str
    controls: list[str]
    state: Any


def serve(path: Path, screen: Screen, program: Program) -> None:
    """Offer the window on a socket, from a thread, for as long as the lane runs."""
    simulators = SimulatedBench()
    for name, device in program.devices.items():
        simulators.add(name, device)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(8)

    def run() -> None:
        while True:
            link, _ = listener.accept()
            threading.Thread(
                target=_answer, args=(link, screen, program, simulators), daemon=True
            ).start()

    threading.Thread(target=run, name="bench", daemon=True).start()


def _answer(
    link: socket.socket, screen: Screen, program: Program, simulators: SimulatedBench
) -> None:
    with link:
        link.settimeout(ANSWER_SECONDS)
        try:
            ask = msgspec.json.decode(frames.receive(link), type=Ask)
            reply = _do(ask, screen, program, simulators)
        except (ControlError, TimeoutError, msgspec.MsgspecError) as error:
            reply = Reply(trouble=str(error) or "the screen does not answer")
        except OSError:
            return
        try:
            frames.send(link, reply)
        except OSError as error:
            log.info("the bench went away: %s", error)


def _do(
    ask: Ask, screen: Screen, program: Program, simulators: SimulatedBench
) -> Reply:
    match ask.do:
        case "screenshot":
            return Reply(picture=screen.screenshot(ask.kind))
        case "tap":
            screen.tap(ask.x, ask.y)
            return Reply()
        case "tap_control":
            return Reply(value=screen.tap_control(ask.name))
        case "controls":
            return Reply(value=screen.controls())
        case "state":
            return Reply(value=msgspec.to_builtins(seen(program.runner.lane, screen)))
        case "tell":
            done = simulators.tell(ask.device, ask.name, **ask.details)
            return Reply(value=done)
        case _:
            return Reply(trouble=f"{ask.do!r} is nothing the window can do")


def seen(lane: Lane, screen: Screen) -> Seen:
    """Say where a lane is."""
    mode = lane.mode.lane.mode if isinstance(lane.mode, Training) else lane.mode
    return Seen(
        lane.seq,
        type(mode).__name__,
        type(core(mode)).__name__,
        [name for name, _, _ in screen.controls()],
        msgspec.json.decode(encode_state(lane)),
    )


class WindowClient:
    """The bench's end."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def is_ready(self) -> bool:
        """Does the lane show a screen and answer?"""
        try:
            mode = self.state().state.get("mode", {})
            return bool(mode.get("cause") != "starting")
        except (OSError, ControlError):
            return False

    def screenshot(self, kind: str = "PNG") -> bytes:
        """Return the screen as a picture."""
        return self._ask(Ask("screenshot", kind=kind)).picture

    def tap(self, x: float, y: float) -> None:
        """Touch the glass, pixels from the top left."""
        self._ask(Ask("tap", x=x, y=y))

    def tap_control(self, name: str) -> bool:
        """Touch a control by its name; say whether it is on the screen."""
        return bool(self._ask(Ask("tap_control", name=name)).value)

    def state(self) -> Seen:
        """Return where the lane is."""
        return msgspec.convert(self._ask(Ask("state")).value, Seen)

    def tell(self, device: str, do: str, **details: object) -> object:
        """Tell a simulator inside the lane's process what to do."""
        return self._ask(Ask("tell", name=do, device=device, details=details)).value

    def _ask(self, ask: Ask) -> Reply:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(ANSWER_SECONDS)
            link.connect(str(self._path))
            frames.send(link, ask)
            reply = msgspec.json.decode(frames.receive(link), type=Reply)
        if reply.trouble:
            raise ControlError(reply.trouble)
        return reply
