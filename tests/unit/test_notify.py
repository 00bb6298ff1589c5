"""What the lane tells systemd: the first frame once, and life only while there is any."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from kiosk.notify import STUCK_SECONDS, Notifier


@pytest.fixture
def systemd(tmp_path: Path) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    link.bind(str(tmp_path / "notify"))
    link.settimeout(0.1)
    return link


def _heard(link: socket.socket) -> list[str]:
    heard = []
    try:
        while True:
            heard.append(link.recv(100).decode())
    except TimeoutError:
        return heard


def test_the_first_frame_is_told_once(systemd: socket.socket) -> None:
    told = Notifier(lambda: 0.0, {"NOTIFY_SOCKET": systemd.getsockname()})
    told.drawn(1)
    told.drawn(2)
    assert _heard(systemd) == ["READY=1"]


def test_a_lane_that_is_stuck_is_not_told_to_be_alive(systemd: socket.socket) -> None:
    busy = [0.0]
    told = Notifier(lambda: busy[0], {"NOTIFY_SOCKET": systemd.getsockname()})
    told.drawn(1)
    assert told.second()
    busy[0] = STUCK_SECONDS
    for _ in range(2):
        told.drawn(2)
        assert not told.second()
    assert _heard(systemd) == ["READY=1", "WATCHDOG=1"]
    busy[0] = 0.0
    told.drawn(3)
    assert told.second()
    assert _heard(systemd) == ["WATCHDOG=1"]


def test_a_glass_that_gets_no_frames_is_not_told_to_be_alive(
    systemd: socket.socket,
) -> None:
    told = Notifier(lambda: 0.0, {"NOTIFY_SOCKET": systemd.getsockname()})
    told.drawn(1)
    assert told.second()
    assert not told.second()
    assert _heard(systemd) == ["READY=1", "WATCHDOG=1"]


def test_a_name_without_a_folder_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind("")
        name = link.getsockname()
        link.settimeout(1)
        told = Notifier(lambda: 0.0, {"NOTIFY_SOCKET": "@" + name[1:].decode()})
        told.drawn(1)
        assert link.recv(100) == b"READY=1"


def test_without_systemd_nothing_is_said() -> None:
    Notifier(lambda: 0.0, {}).drawn(1)


def test_a_listener_that_went_away_ends_nothing(tmp_path: Path) -> None:
    Notifier(lambda: 0.0, {"NOTIFY_SOCKET": str(tmp_path / "gone")}).drawn(1)
