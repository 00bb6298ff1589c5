"""The serial scanner's promises, over a real pty and through the pure framing."""

from __future__ import annotations

import itertools
import queue

import pytest

from hardware.ports import DeviceState, Health, Scan
from hardware.scanner.framing import SILENCE_SECONDS, Rest, frame
from hardware.scanner.label import LONGEST_LABEL
from hardware.scanner.serial_scanner import SerialScanner, scan_of, serial_port
from hardware.scanner.tally import MOST_SCANS_PER_SECOND, QUIET_SECONDS, Tally
from hardware.simulated.scanner import SimulatedScanner

MILK = b"4006381333931"
BREAD = b"5449000000996"
PATIENCE = 10.0


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
def wire(tmp_path):
    device = SimulatedScanner(tmp_path / "scanner")
    device.plug()
    yield device
    device.unplug()


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def scanner(wire, heard):
    driver = SerialScanner(serial_port(str(wire.link)), reconnect_seconds=0.02)
    driver.open(heard)
    heard.until(Health.READY)
    yield driver
    driver.close()


@pytest.fixture
def timeless(wire, heard):
    """A scanner whose clock stands still, however busy this machine is."""
    driver = SerialScanner(serial_port(str(wire.link)), clock=lambda: 0.0)
    driver.open(heard)
    heard.until(Health.READY)
    yield driver
    driver.close()


# -- over the wire -----------------------------------------------------------


def test_a_label_scanned_is_a_label_heard(scanner, wire, heard):
    wire.type("4006381333931")
    assert heard.next() == Scan(MILK)


@pytest.mark.parametrize("suffix", [b"\r", b"\n", b"\r\n", b"\t", b"\x03"])
def test_every_suffix_scanners_are_shipped_with_ends_a_label(
    scanner, wire, heard, suffix
):
    wire.suffix = suffix
    wire.type(MILK)
    wire.type(BREAD)
    assert [heard.next(), heard.next()] == [Scan(MILK), Scan(BREAD)]


def test_a_scanner_without_any_suffix_is_heard_after_a_short_silence(
    scanner, wire, heard
):
    wire.suffix = b""
    wire.type(MILK)
    assert heard.next() == Scan(MILK)
    wire.type(BREAD)
    assert heard.next() == Scan(BREAD)


def test_a_label_in_small_pieces_is_one_label(timeless, wire, heard):
    wire.type(MILK, chunks=[1] * 12)
    assert heard.next() == Scan(MILK)


def test_noise_before_a_label_costs_that_label_and_is_told_to_the_technician(
    scanner, wire, heard
):
    wire.type(b"\x00\xff\x1b" + MILK)
    told = heard.next()
    assert told == DeviceState(Health.DEGRADED, "labels dropped: 1 garbled")
    wire.type(BREAD)
    assert heard.next() == Scan(BREAD)


def test_an_unplugged_scanner_is_absent_and_is_found_again(scanner, wire, heard):
    wire.type(MILK)
    assert heard.next() == Scan(MILK)
    wire.send(b"40063")
    wire.unplug()
    heard.until(Health.ABSENT)
    wire.plug()
    heard.until(Health.READY)
    wire.type(BREAD)
    assert heard.next() == Scan(BREAD)


def test_a_scanner_that_is_not_there_yet_is_absent_and_taken_up_when_plugged(
    tmp_path, heard
):
    device = SimulatedScanner(tmp_path / "scanner")
    driver = SerialScanner(serial_port(str(device.link)), reconnect_seconds=0.02)
    driver.open(heard)
    assert heard.next().health is Health.ABSENT
    device.plug()
    heard.until(Health.READY)
    device.type(MILK)
    assert heard.next() == Scan(MILK)
    driver.close()
    device.unplug()


def test_a_closed_scanner_hears_nothing_and_can_be_opened_again(scanner, wire, heard):
    scanner.close()
    scanner.close()
    wire.type(MILK)
    assert heard.events.empty()
    scanner.open(heard)
    heard.until(Health.READY)
    wire.type(BREAD)
    assert heard.next() == Scan(BREAD)


def test_building_a_scanner_touches_no_device(tmp_path):
    def connect():
        raise AssertionError("the constructor connected")

    SerialScanner(connect).close()


def test_a_scanner_gone_mad_is_held_to_ten_labels_a_second(timeless, wire, heard):
    for n in range(40):
        wire.type(f"LABEL{n:04d}")
    passed = [heard.next() for _ in range(MOST_SCANS_PER_SECOND)]
    assert passed == [Scan(f"LABEL{n:04d}".encode()) for n in range(10)]
    told = heard.next()
    assert isinstance(told, DeviceState)
    assert "too many in a second" in told.detail
    timeless.close()
    assert heard.events.empty()


# -- the pure framing --------------------------------------------------------


def framed(*parts):
    """Frame `(bytes, silence before)` parts, then a silence; return labels, drops."""
    labels: list[bytes] = []
    dropped: list[str] = []
    rest = Rest()
    for received, silent in (*parts, (b"", SILENCE_SECONDS)):
        result = frame(rest, received, silent)
        labels += result.labels
        dropped += result.dropped
        rest = result.rest
    assert rest.received == b""
    return labels, dropped


def test_two_labels_glued_with_an_end_between_are_two():
    assert framed((MILK + b"\r" + BREAD, 0.0)) == ([MILK, BREAD], [])


def test_two_labels_without_an_end_are_two_when_a_silence_lies_between():
    assert framed((MILK, 0.0), (BREAD, SILENCE_SECONDS)) == ([MILK, BREAD], [])


def test_a_pause_shorter_than_the_silence_does_not_cut_a_label():
    assert framed((MILK[:5], 0.0), (MILK[5:], SILENCE_SECONDS * 0.9)) == ([MILK], [])


def test_short_silences_add_up_only_while_nothing_comes():
    half = SILENCE_SECONDS * 0.6
    assert framed((b"40", 0.0), (b"06", half), (b"38", half)) == ([b"400638"], [])
    assert framed((b"40", 0.0), (b"", half), (b"06", half)) == ([b"40", b"06"], [])


def test_two_labels_glued_with_nothing_between_are_never_guessed_apart():
    # The lane refuses 26 digits; half of them could be another item's number.
    assert framed((MILK + BREAD, 0.0)) == ([MILK + BREAD], [])


def test_identifiers_tell_glued_labels_apart_where_the_length_is_fixed():
    glued = b"]E0" + MILK + b"]E0" + BREAD + b"]E496385074" + b"]C1010950600013435210A"
    assert framed((glued, 0.0))[0] == [
        b"]E0" + MILK,
        b"]E0" + BREAD,
        b"]E496385074",
        b"]C1010950600013435210A",
    ]


def test_a_bracket_inside_a_code_128_does_not_cut_it():
    assert framed((b"]C0AB]C0CD\r", 0.0)) == ([b"]C0AB]C0CD"], [])


def test_a_start_byte_before_each_label_is_not_part_of_it():
    assert framed((b"\x02" + MILK + b"\x03\x02" + BREAD + b"\x03", 0.0)) == (
        [MILK, BREAD],
        [],
    )


def test_a_group_separator_stays_inside_its_label():
    label = b"010950600013435210AB\x1d21CD"
    assert framed((label + b"\r", 0.0)) == ([label], [])


@pytest.mark.parametrize(
    "garbage", [b"\x00", b"\x01", b"\x1b[2J", b"\x7f", b"\x1c", b"\xff\xfe", b"\x85"]
)
def test_a_label_with_a_keystroke_or_noise_in_it_is_dropped_and_counted(garbage):
    spoilt = MILK[:6] + garbage + MILK[6:]
    assert framed((spoilt + b"\r" + BREAD + b"\r", 0.0)) == ([BREAD], ["garbled"])


def test_a_label_in_another_script_is_passed_on():
    label = "https://shop.example/Käse".encode()
    assert framed((label + b"\r", 0.0)) == ([label], [])


def test_empty_lines_are_nothing():
    assert framed((b"\r\n\r\n\t\x02\x03", 0.0)) == ([], [])


def test_the_longest_label_passes_and_one_byte_more_does_not():
    longest = b"7" * LONGEST_LABEL
    assert framed((longest + b"\r", 0.0)) == ([longest], [])
    assert framed((longest + b"7\r" + MILK + b"\r", 0.0)) == ([MILK], ["too long"])


def test_a_stream_without_an_end_never_grows_and_the_next_label_is_read():
    rest = Rest()
    dropped: list[str] = []
    for _ in range(1000):
        result = frame(rest, b"8" * 8192, 0.0)
        assert result.labels == ()
        dropped += result.dropped
        rest = result.rest
        assert len(rest.received) <= LONGEST_LABEL + 3
    result = frame(rest, b"8\r" + MILK + b"\r", 0.0)
    assert (result.labels, (*dropped, *result.dropped)) == ((MILK,), ("too long",))


def test_a_silence_ends_an_overlong_stream_too():
    endless = b"8" * (LONGEST_LABEL * 4)
    assert framed((endless, 0.0), (MILK, SILENCE_SECONDS)) == ([MILK], ["too long"])


def test_how_the_bytes_were_cut_changes_no_label():
    stream = b"\x02]E0" + MILK + b"\r\n]C1010950600013435210A\x1d21B\t\x00x\r" + BREAD
    whole = framed((stream, 0.0))
    for size in range(1, len(stream)):
        pieces = [bytes(part) for part in _batched(stream, size)]
        assert framed(*((piece, 0.001) for piece in pieces)) == whole


def _batched(data, size):
    rest = iter(data)
    while part := list(itertools.islice(rest, size)):
        yield part


@pytest.mark.parametrize(
    ("label", "scan"),
    [
        (b"]C1010950600013435210A", Scan(b"010950600013435210A", "]C1")),
        (b"]E04006381333931", Scan(MILK, "]E0")),
        (b"]d2010950600013435210A", Scan(b"010950600013435210A", "]d2")),
        (b"]Q3010950600013435210A", Scan(b"010950600013435210A", "]Q3")),
        (b"]e00109506000134352", Scan(b"0109506000134352", "]e0")),
        (b"4006381333931", Scan(MILK)),
        (b"]", Scan(b"]")),
        (b"]C1", Scan(b"]C1")),
        (b"]11abc", Scan(b"]11abc")),
    ],
)
def test_the_symbology_identifier_is_told_apart_from_the_label(label, scan):
    assert scan_of(label) == scan


# -- the tally ---------------------------------------------------------------


def test_ten_labels_pass_in_a_second_and_the_eleventh_waits_for_the_next():
    tally = Tally()
    passed = [tally.may_pass(0.05 * n) for n in range(MOST_SCANS_PER_SECOND + 1)]
    assert passed == [True] * MOST_SCANS_PER_SECOND + [False]
    assert tally.may_pass(1.0)
    assert tally.detail() == "labels dropped: 1 too many in a second"


def test_a_line_that_was_noisy_is_called_good_after_a_quiet_time():
    tally = Tally()
    assert tally.state(0.0) == DeviceState(Health.READY)
    tally.drop("garbled", 1.0)
    assert tally.health(1.0 + QUIET_SECONDS - 0.1) is Health.DEGRADED
    assert tally.state(1.0 + QUIET_SECONDS) == DeviceState(
        Health.READY, "labels dropped: 1 garbled"
    )
