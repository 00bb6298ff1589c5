"""The camera's promises: with its real process, and with processes gone bad."""

from __future__ import annotations

import itertools
import os
import queue
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import msgspec
import pytest

from hardware.ports import DeviceState, Health, Scan
from hardware.scanner.camera import CameraScanner, camera_command
from hardware.scanner.camera_wire import (
    MOST_MESSAGE_BYTES,
    BrokenWire,
    Code,
    Frame,
    Message,
    NoPicture,
    Unpacker,
    pack,
)
from hardware.scanner.votes import (
    CONFIRM_SECONDS,
    HOLD_SECONDS,
    LONGEST_LOOK_SECONDS,
    MOST_REMEMBERED,
    Votes,
)
from hardware.simulated.camera import SimulatedCamera, draw_label, draw_pack

MILK = "4006381333931"
BREAD = "5449000000996"
PATIENCE = 30.0
ROOT = Path(__file__).parents[2]


class Heard:
    """What a driver emitted, in order."""

    def __init__(self):
        self.events: queue.Queue[Scan | DeviceState] = queue.Queue()

    def __call__(self, event):
        self.events.put(event)

    def next(self):
        return self.events.get(timeout=PATIENCE)

    def until(self, health):
        while True:
            event = self.next()
            if isinstance(event, DeviceState) and event.health is health:
                return event


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def opened(heard):
    """Open camera scanners, and close them after the test."""
    drivers = []

    def open_one(command, **settings):
        driver = CameraScanner(command, restart_seconds=0.02, **settings)
        drivers.append(driver)
        driver.open(heard)
        return driver

    yield open_one
    for driver in drivers:
        driver.close()


@pytest.fixture
def camera(tmp_path):
    return SimulatedCamera(tmp_path / "held up")


def fast(source, **settings):
    return camera_command(source, frames_per_second=60, **settings)


def everything_known(text):
    return True


# -- the real process --------------------------------------------------------


def test_a_known_label_held_up_is_heard_once(opened, heard, camera):
    opened(fast(camera.source), is_known=everything_known)
    heard.until(Health.READY)
    camera.hold_up_label(MILK)
    assert heard.next() == Scan(MILK.encode(), "]E0")
    camera.hold_up_label(BREAD)
    assert heard.next() == Scan(BREAD.encode(), "]E0")


def test_a_label_nobody_knows_is_heard_when_a_second_frame_shows_it(
    opened, heard, camera
):
    opened(fast(camera.source, shown_frames=4), is_known=lambda text: text == BREAD)
    heard.until(Health.READY)
    camera.hold_up_label(MILK)
    assert heard.next() == Scan(MILK.encode(), "]E0")


def test_a_label_nobody_knows_is_not_heard_after_a_single_frame(opened, heard, camera):
    opened(fast(camera.source, shown_frames=1), is_known=lambda text: text == BREAD)
    heard.until(Health.READY)
    camera.hold_up_label(MILK)
    camera.hold_up_label(BREAD)
    assert heard.next() == Scan(BREAD.encode(), "]E0")


def test_two_labels_in_one_view_are_both_heard(opened, heard, camera):
    opened(fast(camera.source), is_known=everything_known)
    heard.until(Health.READY)
    camera.hold_up(draw_pack([draw_label(MILK), draw_label(BREAD)]))
    found = {heard.next().data, heard.next().data}
    assert found == {MILK.encode(), BREAD.encode()}


def test_a_camera_process_that_is_killed_is_told_and_doubles_no_item(
    opened, heard, tmp_path
):
    folder = tmp_path / "shelf"
    SimulatedCamera(folder).hold_up_label(MILK)
    driver = opened(
        fast(f"folder:{folder}", is_looping=True),
        is_known=everything_known,
        hold_seconds=30.0,
    )
    heard.until(Health.READY)
    assert heard.next() == Scan(MILK.encode(), "]E0")
    os.kill(driver.process_id, signal.SIGKILL)
    assert "camera process ended" in heard.next().detail
    assert heard.next().health is Health.READY
    cv2.imwrite(str(folder / "2.png"), draw_pack([draw_label(BREAD)]))
    assert heard.next() == Scan(BREAD.encode(), "]E0")


def test_a_camera_that_is_not_there_is_absent_and_is_found_when_it_comes(
    opened, heard, tmp_path
):
    opened(fast(f"watch:{tmp_path / 'later'}"))
    told = heard.next()
    assert told.health is Health.ABSENT
    assert "No such file" in told.detail
    camera = SimulatedCamera(tmp_path / "later")
    heard.until(Health.READY)
    camera.hold_up_label(MILK)
    assert heard.next() == Scan(MILK.encode(), "]E0")


def test_a_video_is_played_once_and_its_end_is_told(opened, heard, tmp_path):
    path = tmp_path / "shopper.avi"
    video = cv2.VideoWriter(
        str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (1280, 720), False
    )
    for turned in (0.0, 1.0, 2.0, 3.0):
        video.write(draw_pack([draw_label(MILK)], turned_degrees=turned))
    video.release()
    opened(fast(f"video:{path}"))
    heard.until(Health.READY)
    assert heard.next() == Scan(MILK.encode(), "]E0")
    assert heard.next() == DeviceState(Health.ABSENT, "the pictures have ended")


def test_a_broken_picture_is_passed_over(opened, heard, camera):
    opened(fast(camera.source), is_known=everything_known)
    heard.until(Health.READY)
    aside = camera.folder / "0.new"
    aside.write_bytes(b"\x89PNG\r\n\x1a\n not a picture")
    aside.replace(camera.folder / "000000.png")
    camera.hold_up_label(MILK)
    assert heard.next() == Scan(MILK.encode(), "]E0")


def test_the_camera_process_has_little_memory_and_few_files(opened, heard, camera):
    driver = opened(fast(camera.source))
    heard.until(Health.READY)
    limits = Path(f"/proc/{driver.process_id}/limits").read_text()
    of = {line[:26].strip(): line[26:].split()[0] for line in limits.splitlines()}
    assert int(of["Max address space"]) <= 1024**3
    assert int(of["Max open files"]) <= 32
    assert of["Max file size"] == "0"
    assert of["Max core file size"] == "0"


def test_the_camera_process_ends_when_the_lane_is_gone(camera):
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [*fast(camera.source), "--fd", str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        cwd=ROOT,
    )
    theirs.close()
    ours.settimeout(PATIENCE)
    assert ours.recv(4)
    ours.close()
    assert process.wait(timeout=PATIENCE) == 0


def test_closing_ends_the_process(opened, heard, camera):
    driver = opened(fast(camera.source))
    heard.until(Health.READY)
    process_id = driver.process_id
    driver.close()
    driver.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


# -- a process gone bad ------------------------------------------------------


def bad(tmp_path, body):
    """Return the command of a process that holds the lane's socket as `lane`."""
    script = tmp_path / "bad.py"
    script.write_text(
        "import os, socket, sys, time\n"
        "lane = socket.socket(fileno=int(sys.argv[-1]))\n" + body
    )
    return [sys.executable, str(script)]


def test_a_process_that_never_answers_is_killed_and_told(opened, heard, tmp_path):
    opened(bad(tmp_path, "time.sleep(1000)\n"), start_seconds=0.3)
    told = heard.next()
    assert told == DeviceState(Health.ABSENT, "camera process does not answer")


def test_a_process_that_hangs_after_a_good_frame_is_killed_and_told(
    opened, heard, tmp_path
):
    frame = pack(Frame(1))
    opened(
        bad(tmp_path, f"lane.sendall({frame!r})\ntime.sleep(1000)\n"),
        answer_seconds=0.3,
    )
    assert heard.next().health is Health.READY
    told = heard.next()
    assert told == DeviceState(Health.ABSENT, "camera process does not answer")


def test_a_message_of_a_huge_length_ends_the_process(opened, heard, tmp_path):
    opened(bad(tmp_path, "lane.sendall(b'\\xff' * 4)\ntime.sleep(1000)\n"))
    assert "message of 4294967295 bytes" in heard.next().detail


def test_a_message_not_understood_is_dropped_and_the_next_is_heard(
    opened, heard, tmp_path
):
    wire = (3).to_bytes(4, "big") + b"\xc1\xc1\xc1"
    wire += pack(Frame(1, (seen(MILK),)))
    opened(
        bad(tmp_path, f"lane.sendall({wire!r})\ntime.sleep(1000)\n"),
        is_known=everything_known,
    )
    assert heard.next() == DeviceState(
        Health.DEGRADED, "labels dropped: 1 messages not understood"
    )
    assert heard.next() == Scan(MILK.encode(), "]E0")


def test_a_process_that_floods_is_ended(opened, heard, tmp_path):
    opened(bad(tmp_path, f"while True: lane.sendall({pack(Frame(1))!r} * 1000)\n"))
    heard.until(Health.READY)
    assert heard.until(Health.ABSENT).detail == "camera process floods the lane"


def test_a_label_with_keystrokes_in_it_is_dropped(opened, heard, tmp_path):
    wire = pack(Frame(1, (seen("AB\x1b[2JCD"), seen(MILK))))
    opened(
        bad(tmp_path, f"lane.sendall({wire!r})\ntime.sleep(1000)\n"),
        is_known=everything_known,
    )
    assert heard.next().health is Health.READY
    assert heard.next() == Scan(MILK.encode(), "]E0")
    assert heard.next().detail == "labels dropped: 1 garbled"


def test_a_program_that_is_not_installed_is_an_absent_camera(opened, heard, tmp_path):
    opened([str(tmp_path / "no such program")])
    told = heard.next()
    assert told.health is Health.ABSENT
    assert "cannot start" in told.detail


# -- the wire ----------------------------------------------------------------


def test_messages_are_whole_however_the_stream_is_cut():
    messages: list[Message] = [
        NoPicture("gone"),
        Frame(7, (seen(MILK), seen(BREAD))),
        Frame(8),
    ]
    stream = b"".join(pack(message) for message in messages)
    for size in (1, 2, 3, 5, 7, len(stream)):
        unpacker = Unpacker()
        found: list[Message] = []
        for at in range(0, len(stream), size):
            found += unpacker.feed(stream[at : at + size])
        assert found == messages
        assert unpacker.refused == 0


@pytest.mark.parametrize(
    "message",
    [
        {"type": "frame", "picture": -1},
        {"type": "frame", "picture": 1, "codes": [{"kind": "ean13"}]},
        {"type": "picture", "jpeg": b"later"},
        {"type": "no_picture", "detail": "x" * 501},
        ["frame", 1],
        None,
    ],
)
def test_a_message_out_of_bounds_is_refused_and_counted(message):
    body = msgspec.msgpack.encode(message)
    unpacker = Unpacker()
    good = pack(Frame(2))
    assert unpacker.feed(len(body).to_bytes(4, "big") + body + good) == [Frame(2)]
    assert unpacker.refused == 1


def test_more_codes_than_a_frame_may_have_are_refused():
    unpacker = Unpacker()
    assert unpacker.feed(pack(Frame(1, (seen(MILK),) * 9))) == []
    assert unpacker.refused == 1


def test_a_length_beyond_every_message_breaks_the_wire():
    with pytest.raises(BrokenWire):
        Unpacker().feed((MOST_MESSAGE_BYTES + 1).to_bytes(4, "big"))


# -- the votes ---------------------------------------------------------------


def seen(text, box=(500, 300, 700, 400), kind="ean13", symbology="]E0", reads=2):
    norm = text.zfill(14) if text.isdigit() and len(text) < 14 else text
    return Code(kind, symbology, text, norm, box, reads)


def accepted(votes, *frames):
    """Take `(time, codes...)` frames, each of another picture; return the texts."""
    return [
        [code.text for code in votes.take(Frame(n, tuple(codes)), at)]
        for n, (at, *codes) in enumerate(frames)
    ]


def test_a_known_label_needs_one_frame():
    assert accepted(Votes(everything_known), (0.0, seen(MILK))) == [[MILK]]


def test_a_known_label_that_one_reader_saw_needs_a_second_frame():
    weak = seen(MILK, reads=1)
    assert accepted(Votes(everything_known), (0.0, weak), (0.1, weak)) == [[], [MILK]]


def test_an_unknown_label_needs_a_second_frame():
    assert accepted(Votes(), (0.0, seen(MILK)), (0.1, seen(MILK))) == [[], [MILK]]


def test_the_same_picture_twice_is_no_second_frame():
    votes = Votes()
    assert votes.take(Frame(7, (seen(MILK),)), 0.0) == []
    assert votes.take(Frame(7, (seen(MILK),)), 0.1) == []
    assert len(votes.take(Frame(8, (seen(MILK),)), 0.2)) == 1


def test_a_second_frame_that_comes_too_late_is_a_first_one():
    votes = Votes()
    late = [(0.4 * n,) for n in range(1, int(CONFIRM_SECONDS / 0.4) + 1)]
    at = late[-1][0] + 0.1
    assert accepted(votes, (0.0, seen(MILK)), *late, (at, seen(MILK)))[-1] == []


def test_a_label_in_view_is_taken_once_for_as_long_as_it_stays():
    votes = Votes(everything_known)
    frames = [(0.1 * n, seen(MILK)) for n in range(200)]
    assert list(itertools.chain(*accepted(votes, *frames))) == [MILK]


def test_a_label_is_taken_again_after_it_was_out_of_view_for_the_hold_time():
    away = [(0.1 * n,) for n in range(1, int(HOLD_SECONDS * 10) + 1)]
    back = away[-1][0] + 0.1
    votes = Votes(everything_known)
    assert accepted(votes, (0.0, seen(MILK)), *away, (back, seen(MILK)))[-1] == [MILK]


def test_a_label_that_flickers_is_not_taken_again():
    votes = Votes(everything_known)
    gap = HOLD_SECONDS * 0.9
    frames: list[tuple[Any, ...]] = []
    for n in range(20):
        frames += [(gap * n + part * 0.1,) for part in range(1, 5)]
        frames += [(gap * (n + 1), seen(MILK))]
    assert list(itertools.chain(*accepted(votes, *frames))) == [MILK]


def test_time_in_which_the_camera_was_blind_does_not_count_as_out_of_view():
    votes = Votes(everything_known)
    assert LONGEST_LOOK_SECONDS < HOLD_SECONDS
    assert accepted(votes, (0.0, seen(MILK)), (60.0, seen(MILK))) == [[MILK], []]


def test_a_misreading_at_the_place_of_a_label_just_read_is_ignored():
    votes = Votes(lambda text: text == MILK)
    wrong = seen(BREAD, box=(510, 310, 690, 390))
    frames = [(0.0, seen(MILK)), (0.1, wrong), (0.2, wrong), (0.3, wrong)]
    assert accepted(votes, *frames) == [[MILK], [], [], []]


def test_an_unknown_label_elsewhere_is_not_a_misreading():
    votes = Votes(lambda text: text == MILK)
    other = seen(BREAD, box=(100, 600, 250, 700))
    frames = [(0.0, seen(MILK), other), (0.1, seen(MILK), other)]
    assert accepted(votes, *frames) == [[MILK], [BREAD]]


def test_a_pack_with_two_codes_of_one_article_is_one_item():
    matrix = seen(
        f"010{MILK}10AB", box=(900, 300, 950, 350), kind="datamatrix", symbology="]d2"
    )
    link = seen(
        f"https://id.example/01/0{MILK}/10/AB",
        box=(900, 500, 950, 550),
        kind="qrcode",
        symbology="]Q1",
    )
    votes = Votes(everything_known)
    assert accepted(votes, (0.0, seen(MILK), matrix, link)) == [[MILK]]


def test_what_a_hostile_process_makes_up_does_not_grow_the_lane():
    votes = Votes()
    for n in range(5000):
        votes.take(Frame(n, (seen(f"{n:013d}"),)), 0.0)
    assert len(votes._once) <= MOST_REMEMBERED


@pytest.mark.parametrize(
    "text", ["", "webcam", "device:", "rtsp://camera.example", "folder"]
)
def test_a_camera_source_that_is_none_is_told_in_clear_words(text):
    with pytest.raises(ValueError, match="expected one of device:PATH, video:PATH"):
        camera_command(text)
