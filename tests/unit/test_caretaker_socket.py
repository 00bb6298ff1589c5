"""The caretaker's socket: who may ask, what is refused, and a lane that hangs up."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from simulated_outside import SimulatedOutside, Stick

from kiosk.caretaker import server
from kiosk.caretaker.client import ask
from kiosk.caretaker.deeds import Caretaker
from kiosk.caretaker.places import Places
from kiosk.caretaker.words import (
    Answer,
    ExportLogs,
    Outcome,
    Restart,
    reply_decoder,
)

ME = os.getuid()


@pytest.fixture
def machine() -> SimulatedOutside:
    return SimulatedOutside(Stick())


@pytest.fixture
def path(tmp_path) -> Path:
    return Path(tmp_path) / "socket"


@contextmanager
def served(path: Path, machine: SimulatedOutside, uid: int = ME) -> Iterator[None]:
    """Serve on a thread until nobody asked for a moment."""
    with closing(server.listen(path)) as listening:
        thread = threading.Thread(
            target=server.serve,
            args=(listening, Caretaker(machine, Places()), {uid}),
            kwargs={"idle_seconds": 0.3},
        )
        thread.start()
        yield
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_the_lane_hears_progress_and_then_the_outcome(path, machine):
    heard: list[int] = []
    with served(path, machine):
        answer = ask(ExportLogs("9"), heard.append, path)
    assert answer.outcome is Outcome.DONE
    assert heard


def test_the_answer_comes_before_the_restart(path, machine):
    with served(path, machine):
        assert ask(Restart("9"), print, path) == Answer(Outcome.DONE)
    assert machine.restarts == 1


def test_another_user_is_not_answered(path, machine):
    with served(path, machine, uid=ME + 1):
        assert ask(Restart("9"), print, path).outcome in (
            Outcome.NO_ANSWER,
            Outcome.UNREACHABLE,
        )
    assert machine.restarts == 0


@pytest.mark.parametrize(
    "line", [b"reboot\n", b'{"type":"Restart","force":1}\n', b"x" * 20_000 + b"\n"]
)
def test_what_is_no_request_is_refused(path, machine, line):
    with (
        served(path, machine),
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire,
    ):
        wire.connect(str(path))
        wire.sendall(line)
        reply = reply_decoder.decode(wire.recv(4096).partition(b"\n")[0])
    assert reply == Answer(Outcome.REFUSED)
    assert machine.restarts == 0


def test_a_lane_that_hangs_up_stops_nothing(path, machine):
    with served(path, machine):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
            wire.connect(str(path))
            wire.sendall(b'{"type":"ExportLogs"}\n')
        assert ask(Restart("9"), print, path).outcome is Outcome.DONE
    assert len(machine.plugged[0].files) == 1


def test_without_a_caretaker_it_is_unreachable(path):
    assert ask(Restart("9"), print, path).outcome is Outcome.UNREACHABLE
