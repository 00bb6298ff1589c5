"""Scanners set to a prefix and a suffix: only what stands between them is a label."""

from __future__ import annotations

import queue
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.ports import DeviceState, Scan
from hardware.registry import build, problems
from hardware.scanner.framing import SILENCE_SECONDS, Marks, Rest, frame
from hardware.scanner.label import LONGEST_LABEL
from hardware.simulated.scanner import SimulatedScanner

MILK = b"4006381333931"
BREAD = b"5449000000996"
SECONDS = 10
# As shops set them: STX and ETX, a letter and CR, CR LF, a sign, TAB, two signs.
SET = [
    Marks(b"\x02", b"\x03"),
    Marks(b"F", b"\r"),
    Marks(b"", b"\r\n"),
    Marks(b"$", b"\t"),
    Marks(b"", b"##"),
    Marks(b"\x02", b""),
    Marks(b"~A", b""),
]


def framed(marks, *parts):
    """Frame `(bytes, silence before)` parts, then a silence; return labels, drops."""
    labels: list[bytes] = []
    dropped: list[str] = []
    rest = Rest()
    for received, silent in (*parts, (b"", SILENCE_SECONDS)):
        result = frame(rest, received, silent, marks)
        labels += result.labels
        dropped += result.dropped
        rest = result.rest
    assert rest.received == b""
    return labels, dropped


def sent(marks, label):
    return marks.prefix + label + (marks.suffix or b"\r")


@pytest.mark.parametrize("marks", SET, ids=str)
def test_what_stands_between_the_marks_is_the_label(marks):
    stream = sent(marks, MILK) + sent(marks, b"]E0" + BREAD)
    assert framed(marks, (stream, 0.0)) == ([MILK, b"]E0" + BREAD], [])


@pytest.mark.parametrize("marks", SET, ids=str)
def test_in_single_bytes_it_is_the_same_label(marks):
    stream = sent(marks, MILK) + sent(marks, BREAD)
    pieces = [(bytes([byte]), 0.001) for byte in stream]
    assert framed(marks, *pieces) == ([MILK, BREAD], [])


@pytest.mark.parametrize("marks", [m for m in SET if m.suffix], ids=str)
def test_a_label_cut_short_is_dropped_and_the_next_is_read(marks):
    half = marks.prefix + MILK[:8]
    assert framed(marks, (half, 0.0), (sent(marks, BREAD), SILENCE_SECONDS)) == (
        [BREAD],
        ["without its suffix"],
    )


@pytest.mark.parametrize("marks", [m for m in SET if m.prefix], ids=str)
def test_a_label_whose_begin_was_lost_is_dropped(marks):
    torn = MILK[5:] + (marks.suffix or b"\r")
    assert framed(marks, (torn + sent(marks, BREAD), 0.0)) == (
        [BREAD],
        ["without its prefix"],
    )


def test_a_line_feed_after_the_carriage_return_is_nothing():
    marks = Marks(b"F", b"\r")
    assert framed(marks, (b"F" + MILK + b"\r\nF" + BREAD + b"\r\n", 0.0)) == (
        [MILK, BREAD],
        [],
    )


@pytest.mark.parametrize("marks", SET, ids=str)
def test_an_overlong_stream_is_one_drop_and_the_next_label_is_read(marks):
    endless = marks.prefix + b"8" * (3 * LONGEST_LABEL) + (marks.suffix or b"\r")
    assert framed(marks, (endless + sent(marks, MILK), 0.0)) == ([MILK], ["too long"])


@given(
    st.sampled_from(SET), st.lists(st.tuples(st.binary(max_size=200), st.booleans()))
)
def test_no_bytes_break_the_framing_or_make_it_grow(marks, pieces):
    rest = Rest()
    for received, is_late in pieces:
        result = frame(rest, received, SILENCE_SECONDS if is_late else 0.0, marks)
        rest = result.rest
        assert len(rest.received) <= LONGEST_LABEL + 16
        for label in result.labels:
            assert 0 < len(label) <= LONGEST_LABEL
            assert all(byte >= 0x20 or byte == 0x1D for byte in label)


@given(
    st.sampled_from(SET),
    st.lists(st.text("0123456789]EC", min_size=1, max_size=30), max_size=6),
    st.integers(1, 9),
)
def test_how_marked_labels_were_cut_changes_none(marks, labels, size):
    stream = b"".join(sent(marks, label.encode()) for label in labels)
    whole = framed(marks, (stream, 0.0))
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert framed(marks, *((piece, 0.001) for piece in pieces)) == whole


def test_lane_toml_says_what_the_scanner_is_set_to(tmp_path):
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    wire = SimulatedScanner(tmp_path / "scanner")
    wire.plug()
    options = {"driver": "serial", "port": str(wire.link), "prefix": "F"}
    scanner = build("scanner", {**options, "suffix": "\r\n"})
    scanner.open(heard.put)
    assert isinstance(heard.get(timeout=SECONDS), DeviceState)
    wire.send(b"F" + MILK + b"\r\n")
    assert heard.get(timeout=SECONDS) == Scan(MILK)
    scanner.close()
    wire.unplug()


@pytest.mark.parametrize("suffix", ["1", "E", "\x1d", "\r\n\r\n\r", "é", "/", "]"])
def test_a_suffix_that_could_stand_in_a_label_is_refused(suffix):
    options = {"driver": "serial", "port": "/dev/scanner", "suffix": suffix}
    (problem,) = problems("scanner", options)
    assert problem.startswith("devices.scanner.suffix: ")
