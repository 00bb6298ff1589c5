"""The live picture of a camera: what reaches the screen, and what does not."""

from __future__ import annotations

import queue
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.ports import Camera, DeviceState, Health, Viewfinder
from hardware.scanner.camera import CameraScanner, camera_command
from hardware.scanner.camera_process import view_of
from hardware.scanner.camera_wire import (
    BrokenWire,
    Code,
    Frame,
    NoPicture,
    Unpacker,
    View,
    pack,
)
from hardware.simulated.camera import SimulatedCamera

MILK = "4006381333931"
PATIENCE = 30.0
ROOT = Path(__file__).parents[2]


@pytest.fixture
def shown():
    return queue.Queue()


@pytest.fixture
def told():
    return queue.Queue()


@pytest.fixture
def opened(shown, told):
    """Open cameras whose pictures are watched, and close them after the test."""
    drivers = []

    def open_one(command, **settings):
        driver = CameraScanner(command, restart_seconds=0.02, **settings)
        assert isinstance(driver, Camera)
        drivers.append(driver)
        driver.watch(shown.put)
        driver.open(told.put)

    yield open_one
    for driver in drivers:
        driver.close()


def says(tmp_path, body):
    """Return the command of a process that holds the lane's socket as `lane`."""
    script = tmp_path / "process.py"
    script.write_text(
        "import socket, sys, time\n"
        "lane = socket.socket(fileno=int(sys.argv[-1]))\n" + body
    )
    return [sys.executable, str(script)]


def test_the_screen_gets_the_picture_with_the_label_outlined(opened, shown, tmp_path):
    camera = SimulatedCamera(tmp_path / "held up")
    opened(camera_command(camera.source, frames_per_second=20, shown_frames=40))
    camera.hold_up_label(MILK)
    while True:
        view = shown.get(timeout=PATIENCE)
        assert len(view.grey) == view.width * view.height == 320 * 180
        if view.outlines:
            break
    (outline,) = view.outlines
    left, top = outline[0]
    right, bottom = outline[2]
    assert left < 0.5 < right
    assert top < 0.5 < bottom
    picture = np.frombuffer(view.grey, np.uint8).reshape(view.height, view.width)
    inside = picture[int(top * 180) : int(bottom * 180), int(left * 320) :]
    assert inside.min() < 100


def test_no_more_pictures_are_sent_than_a_screen_can_use(tmp_path):
    camera = SimulatedCamera(tmp_path / "held up")
    command = camera_command(camera.source, frames_per_second=60)
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [*command, "--fd", str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        cwd=ROOT,
    )
    theirs.close()
    ours.settimeout(PATIENCE)
    unpacker = Unpacker()
    seen: list[type] = []
    while seen.count(Frame) < 60:
        seen += [type(message) for message in unpacker.feed(ours.recv(65536))]
    ours.close()
    assert process.wait(timeout=PATIENCE) == 0
    assert 0 < seen.count(View) <= 60 / 3


def test_a_picture_with_missing_bytes_is_dropped_and_counted(
    opened, shown, told, tmp_path
):
    wire = (
        pack(View(4, 4, b"\x00" * 15)) + pack(Frame(1)) + pack(View(2, 1, b"\x01\x02"))
    )
    opened(says(tmp_path, f"lane.sendall({wire!r})\ntime.sleep(1000)\n"))
    assert shown.get(timeout=PATIENCE) == Viewfinder(2, 1, b"\x01\x02")
    assert told.get(timeout=PATIENCE) == DeviceState(
        Health.DEGRADED, "labels dropped: 1 messages not understood"
    )


def test_a_process_that_only_sends_pictures_does_not_answer(opened, told, tmp_path):
    body = (
        f"while True:\n lane.sendall({pack(View(1, 1, b'x'))!r})\n time.sleep(0.05)\n"
    )
    opened(says(tmp_path, body), start_seconds=0.4)
    assert told.get(timeout=PATIENCE).detail == "camera process does not answer"


@pytest.mark.parametrize(
    "view",
    [
        View(0, 4, b""),
        View(401, 1, b"x" * 401),
        View(400, 400, b"x" * 160_001),
        View(1, 1, b"x", (((0.0, 1.5),),)),
        View(1, 1, b"x", (((0.0, 0.0),) * 5,)),
        View(1, 1, b"x", (((0.0, 0.0),) * 4,) * 9),
    ],
)
def test_a_picture_out_of_bounds_is_refused(view):
    unpacker = Unpacker()
    assert unpacker.feed(pack(view) + pack(Frame(2))) == [Frame(2)]
    assert unpacker.refused == 1


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_whatever_the_process_sends_is_understood_refused_or_ends_it(chunks):
    unpacker = Unpacker()
    try:
        for chunk in chunks:
            for message in unpacker.feed(chunk):
                assert isinstance(message, Frame | NoPicture | View)
    except BrokenWire:
        pass
    assert len(unpacker._held) <= 4 + 8 * 300


@given(st.binary(max_size=400))
def test_a_whole_message_of_nonsense_costs_only_itself(body):
    unpacker = Unpacker()
    framed = len(body).to_bytes(4, "big") + body
    assert unpacker.feed(framed + pack(Frame(7)))[-1] == Frame(7)


def test_an_outline_that_reaches_out_of_the_frame_is_cut_at_its_edge():
    code = Code("ean13", "]E0", MILK, f"0{MILK}", (-20, 10, 90, 2000), 2)
    view = view_of(np.zeros((100, 200), np.uint8), [code])
    assert view.outlines == (((0.0, 0.1), (0.45, 0.1), (0.45, 1.0), (0.0, 1.0)),)
    assert view.is_whole
