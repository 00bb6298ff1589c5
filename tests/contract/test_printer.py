"""What a receipt printer promises, over every wire, through every trouble.

The driver is the one that real printers get; at the other end of its wire is an
interpreter that draws the paper.
"""

from __future__ import annotations

import queue
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import zxingcpp
from PIL import Image
from receipts import CODE, LINK, RECEIPT

from hardware.ports import Cut, DeviceState, Health, PrinterTrouble, TextLine
from hardware.printer.compose import Model
from hardware.printer.escpos_printer import EscposPrinter
from hardware.printer.wires import FileWire, NetworkWire, SerialWire, Wire
from hardware.registry import build
from hardware.simulated.control import RemoteBench
from hardware.simulated.launch import start_printer
from hardware.simulated.printer_mechanism import SimulatedPrinter
from hardware.simulated.printer_wires import PtyWire, TcpWire

SECONDS = 10
# Two seconds of a slow printer: whoever wants to interfere has the time.
LONG = [*[TextLine(f"line {n}") for n in range(100)], Cut()]
LINES = [*[TextLine(f"line {n}") for n in range(10)], Cut()]


@pytest.fixture
def pool():
    with ThreadPoolExecutor(1) as threads:
        yield threads


@pytest.fixture
def paper(tmp_path):
    printer = SimulatedPrinter(tmp_path / "receipts")
    yield printer
    printer.stop()


@pytest.fixture(params=["network", "serial"])
def connect(request, paper):
    """Return what opens the wire to the paper."""
    if request.param == "serial":
        path = PtyWire(paper).tty
        yield lambda: SerialWire(path, 115200)
    else:
        wire = TcpWire(paper)
        yield lambda: NetworkWire("127.0.0.1", wire.port)
        wire.close()


def driver(connect: Callable[[], Wire], finish_seconds: float = SECONDS):
    return EscposPrinter(
        connect,
        Model(48),
        watch_seconds=0.05,
        answer_seconds=0.5,
        finish_seconds=finish_seconds,
    )


@pytest.fixture
def printer(connect):
    opened = driver(connect)
    yield opened
    opened.close()


@pytest.fixture
def states(printer):
    told: queue.SimpleQueue[DeviceState] = queue.SimpleQueue()
    printer.open(told.put)
    assert told.get(timeout=SECONDS).health is Health.READY
    return told


def hears(states, health, detail=""):
    """Wait until the lane was told this; what came before does not matter."""
    while True:
        state = states.get(timeout=SECONDS)
        if state.health is health and detail in state.detail:
            return True


# -- on paper ----------------------------------------------------------------


def test_a_receipt_is_on_paper_when_print_returns(printer, paper):
    printer.print(RECEIPT)
    (receipt,) = paper.receipts()
    assert receipt["end"] == "cut"
    lines = receipt["text"].splitlines()
    assert lines[0] == "Corner Shop"
    assert "Organic wholegrain bread with sunflower and" in lines
    assert "TOTAL EUR" + "18.16".rjust(48 - 9) in lines
    assert lines[-1] == "Thank you. Come again!"


def test_the_codes_on_a_receipt_can_be_scanned(printer, paper):
    printer.print(RECEIPT)
    picture = Image.open(paper.receipts()[0]["file"])
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture.getchannel("A"))
    read = {(code.format.name, code.text) for code in zxingcpp.read_barcodes(flat)}
    assert read == {("QRCode", LINK), ("Code128", CODE)}


def test_receipts_follow_each_other_each_on_its_own_paper(printer, paper):
    for _ in range(3):
        printer.print(LINES)
    assert [receipt["end"] for receipt in paper.receipts()] == ["cut"] * 3
    assert len({receipt["text"] for receipt in paper.receipts()}) == 1


def test_nothing_on_a_receipt_opens_the_drawer(printer, paper):
    printer.print(
        [TextLine("Milk\x1bp\x00\x19\xfa\x10\x14\x01\x00\x01", "1.00"), Cut()]
    )
    assert paper.drawer_kicks == 0


def test_a_slow_printer_is_waited_for(printer, paper):
    paper.slow(line_ms=20)
    printer.print(LINES)
    assert len(paper.receipts()) == 1


def test_a_receipt_longer_than_the_printers_buffer_arrives_whole(printer, paper):
    printer.print([*[TextLine(f"item {n}", "1.00") for n in range(300)], Cut()])
    (receipt,) = paper.receipts()
    assert len(receipt["text"].splitlines()) == 300


# -- trouble -----------------------------------------------------------------


def test_paper_that_ends_within_a_receipt_is_told_and_the_rest_never_appears(
    printer, paper
):
    paper.paper_out(after_lines=4)
    with pytest.raises(PrinterTrouble, match="paper out"):
        printer.print(LINES)
    paper.paper_in()
    assert paper.wait_for_receipts(1)
    assert paper.receipts()[0]["end"] == "torn"
    printer.print([TextLine("COPY"), *LINES])
    torn, copy = paper.receipts()
    assert torn["text"].splitlines() == [f"line {n}" for n in range(4)]
    assert copy["text"].splitlines() == ["COPY", *[f"line {n}" for n in range(10)]]


def test_a_printer_without_paper_is_given_nothing(printer, paper):
    paper.paper_out()
    with pytest.raises(PrinterTrouble, match="paper out"):
        printer.print(LINES)
    paper.paper_in()
    printer.print(LINES)
    assert [receipt["end"] for receipt in paper.receipts()] == ["cut"]


def test_a_cover_that_is_opened_while_printing_is_told(printer, paper, pool):
    paper.slow(line_ms=20)
    printing = pool.submit(printer.print, LONG)
    assert paper.wait_for_lines(2)
    paper.open_cover()
    with pytest.raises(PrinterTrouble, match="cover open"):
        printing.result(SECONDS)


def test_the_lane_hears_of_paper_and_cover_without_printing(states, paper):
    paper.paper_low()
    assert hears(states, Health.DEGRADED, "paper low")
    paper.paper_out()
    assert hears(states, Health.ABSENT, "paper out")
    paper.paper_in()
    assert hears(states, Health.READY)
    paper.open_cover()
    assert hears(states, Health.ABSENT, "cover open")
    paper.close_cover()
    assert hears(states, Health.READY)


def test_a_silent_printer_is_missed_and_printing_on_it_is_trouble(
    states, printer, paper
):
    paper.silence()
    assert hears(states, Health.ABSENT, "does not answer")
    with pytest.raises(PrinterTrouble, match="does not answer"):
        printer.print(LINES)
    paper.speak()
    assert hears(states, Health.READY)
    printer.print(LINES)


def test_a_printer_that_falls_silent_within_a_receipt_is_trouble(printer, paper, pool):
    paper.slow(line_ms=20)
    printing = pool.submit(printer.print, LONG)
    assert paper.wait_for_lines(2)
    paper.silence()
    with pytest.raises(PrinterTrouble, match="does not answer"):
        printing.result(SECONDS)


# -- network -----------------------------------------------------------------


@pytest.fixture
def network(paper):
    wire = TcpWire(paper)
    opened = driver(lambda: NetworkWire("127.0.0.1", wire.port))
    yield opened
    opened.close()
    wire.close()


def test_a_printer_that_is_unplugged_is_missed_and_found_again(network, paper):
    states: queue.SimpleQueue[DeviceState] = queue.SimpleQueue()
    network.open(states.put)
    assert hears(states, Health.READY)
    paper.unplug()
    assert hears(states, Health.ABSENT)
    with pytest.raises(PrinterTrouble):
        network.print(LINES)
    paper.plug()
    assert hears(states, Health.READY)
    network.print(LINES)
    assert len(paper.receipts()) == 1


def test_a_cable_pulled_within_a_receipt_is_trouble(network, paper, pool):
    paper.slow(line_ms=20)
    printing = pool.submit(network.print, LONG)
    assert paper.wait_for_lines(2)
    paper.unplug()
    with pytest.raises(PrinterTrouble):
        printing.result(SECONDS)


def test_opening_a_printer_that_is_not_there_is_no_error():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    states: queue.SimpleQueue[DeviceState] = queue.SimpleQueue()
    nowhere = driver(lambda: NetworkWire("127.0.0.1", free))
    nowhere.open(states.put)
    assert hears(states, Health.ABSENT, "no printer at")
    with pytest.raises(PrinterTrouble, match="no printer at"):
        nowhere.print(LINES)
    nowhere.close()


class WithoutInOrderStatus:
    """A wire to a printer that answers `DLE EOT` but does not know `GS r`."""

    answers = True

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def write(self, data: bytes) -> None:
        self._wire.write(data.replace(b"\x1dr\x01", b""))

    def read(self, seconds: float) -> bytes:
        return self._wire.read(seconds)

    def close(self) -> None:
        self._wire.close()


def test_a_printer_that_cannot_confirm_is_believed_while_it_is_well(paper):
    wire = TcpWire(paper)
    old = driver(
        lambda: WithoutInOrderStatus(NetworkWire("127.0.0.1", wire.port)),
        finish_seconds=0.2,
    )
    old.print(LINES)
    assert paper.wait_for_receipts(1)
    old.close()
    wire.close()


# -- file --------------------------------------------------------------------


def test_a_file_takes_the_bytes_of_every_receipt(tmp_path):
    path = tmp_path / "lp0"
    states: queue.SimpleQueue[DeviceState] = queue.SimpleQueue()
    printer = driver(lambda: FileWire(str(path)))
    printer.open(states.put)
    assert hears(states, Health.READY)
    printer.print([TextLine("first"), Cut()])
    printer.print([TextLine("second"), Cut()])
    printer.close()
    assert path.read_bytes().count(b"first") == 1
    assert path.read_bytes().count(b"second") == 1


def test_a_device_file_that_takes_no_more_bytes_is_trouble(
    tmp_path, paper, monkeypatch
):
    monkeypatch.setattr("hardware.printer.wires.WRITE_SECONDS", 0.2)
    wire = PtyWire(paper)
    stuck = driver(lambda: FileWire(wire.tty))
    paper.silence()
    # More than a pseudo terminal holds by itself.
    with pytest.raises(PrinterTrouble, match="takes no bytes"):
        stuck.print([TextLine("x" * 48)] * 2000)
    stuck.close()


# -- the simulator as a process ----------------------------------------------


def test_the_simulated_printer_is_a_process_with_a_port_file(tmp_path):
    port_file, out = tmp_path / "port", tmp_path / "receipts"
    process = start_printer(port_file, out, ["--width-mm", "58", "--pty"])
    try:
        options = {"driver": "simulated", "port_file": str(port_file), "width_mm": 58}
        printer = build("printer", options)
        printer.print(RECEIPT)
        bench = RemoteBench(port_file)
        assert bench.tell("printer", "wait_for_receipts", count=1)
        assert (out / "receipt-0001.png").exists()
        printer.close()
        bench.tell("printer", "stop")
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()
