"""A receipt that breaks off is reprinted whole and apart, over every wire; trouble that
the printer tells by itself is heard at once."""

from __future__ import annotations

import queue
from concurrent.futures import ThreadPoolExecutor

import pytest
from fake_usb import FakeBus, FakePrinter

from hardware.ports import Cut, DeviceState, Health, PrinterTrouble, TextLine
from hardware.printer.compose import Model
from hardware.printer.escpos_printer import EscposPrinter
from hardware.printer.usb_wire import UsbChoice, UsbWire
from hardware.printer.wires import FileWire, NetworkWire, SerialWire
from hardware.simulated.printer_mechanism import SimulatedPrinter
from hardware.simulated.printer_wires import PtyWire, TcpWire

SECONDS = 10
LINES = [*[TextLine(f"line {n}") for n in range(100)], Cut()]
COPY = [TextLine("COPY"), *LINES]
WHOLE = ["COPY", *[f"line {n}" for n in range(100)]]
EPSON = UsbChoice(0x04B8, 0x0E28)


@pytest.fixture
def paper(tmp_path):
    printer = SimulatedPrinter(tmp_path / "receipts")
    yield printer
    printer.stop()


@pytest.fixture(params=["network", "serial", "usb"])
def connect(request, paper):
    if request.param == "serial":
        path = PtyWire(paper).tty
        yield lambda: SerialWire(path, 115200)
    elif request.param == "usb":
        bus = FakeBus(FakePrinter(paper))
        yield lambda: UsbWire(EPSON, bus)
    else:
        wire = TcpWire(paper)
        yield lambda: NetworkWire("127.0.0.1", wire.port)
        wire.close()


def driver(connect, watch_seconds=0.05, **how):
    return EscposPrinter(
        connect,
        Model(48),
        watch_seconds=watch_seconds,
        answer_seconds=0.3,
        finish_seconds=SECONDS,
        **how,
    )


@pytest.fixture
def printer(connect):
    opened = driver(connect)
    yield opened
    opened.close()


def hears(states, health, detail=""):
    while True:
        state = states.get(timeout=SECONDS)
        if state.health is health and detail in state.detail:
            return state


TROUBLE = {
    "paper out": (SimulatedPrinter.paper_out, SimulatedPrinter.paper_in),
    "cover open": (SimulatedPrinter.open_cover, SimulatedPrinter.close_cover),
    "unplugged": (SimulatedPrinter.unplug, SimulatedPrinter.plug),
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_receipt_that_breaks_off_is_followed_by_a_whole_copy_on_its_own_paper(
    printer, paper, trouble
):
    begin, end = TROUBLE[trouble]
    paper.slow(line_ms=15)
    with ThreadPoolExecutor(1) as pool:
        printing = pool.submit(printer.print, LINES)
        assert paper.wait_for_lines(3)
        begin(paper)
        with pytest.raises(PrinterTrouble):
            printing.result(SECONDS)
    paper.slow(line_ms=0)
    end(paper)
    printer.print(COPY)
    *broken, copy = [receipt["text"].splitlines() for receipt in paper.receipts()]
    assert copy == WHOLE
    for piece in broken:
        assert piece == [f"line {n}" for n in range(len(piece))]
        # A cable out after the last byte: the printer ends what it has, the copy is whole.
        assert len(piece) < 100 or trouble == "unplugged"


def test_a_knife_that_jams_is_told_and_the_copy_is_whole(printer, paper):
    paper.jam_knife()
    with pytest.raises(PrinterTrouble, match="cutter jam"):
        printer.print(LINES)
    paper.free_knife()
    printer.print(COPY)
    assert paper.receipts()[-1]["text"].splitlines() == WHOLE


def test_a_device_file_that_stalls_is_followed_by_a_whole_copy(paper, monkeypatch):
    monkeypatch.setattr("hardware.printer.wires.WRITE_SECONDS", 0.3)
    wire = PtyWire(paper)
    printer = driver(lambda: FileWire(wire.tty))
    paper.paper_out(after_lines=3)
    with pytest.raises(PrinterTrouble, match="takes no bytes"):
        printer.print([TextLine("x" * 48)] * 2000)
    paper.paper_in()
    # What the printer and the pty held goes its way; the file cannot be heard.
    assert paper.wait_for_lines(100)
    monkeypatch.setattr("hardware.printer.wires.WRITE_SECONDS", SECONDS)
    printer.print(COPY)
    # Five hundred lines at a printing head's pace, on a machine that may be busy.
    assert paper.wait_for_receipts(3, seconds=30.0)
    assert paper.receipts()[-1]["text"].splitlines() == WHOLE
    printer.close()


def test_trouble_that_the_printer_pushes_is_told_long_before_it_is_asked(
    connect, paper
):
    states: queue.SimpleQueue[DeviceState] = queue.SimpleQueue()
    # Asked once an hour: what is heard below was told by the printer itself.
    printer = driver(connect, watch_seconds=3600)
    printer.open(states.put)
    assert hears(states, Health.READY)
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
    # `ESC @` ends the pushing; the driver asks for it anew in each receipt.
    printer.print(LINES)
    paper.open_cover()
    assert hears(states, Health.ABSENT, "cover open")
    printer.close()


def test_a_printer_that_pushes_nothing_is_asked(tmp_path):
    old = SimulatedPrinter(tmp_path, pushes_status=False)
    wire = TcpWire(old)
    states: queue.SimpleQueue[DeviceState] = queue.SimpleQueue()
    printer = driver(lambda: NetworkWire("127.0.0.1", wire.port))
    printer.open(states.put)
    assert hears(states, Health.READY)
    old.open_cover()
    assert hears(states, Health.ABSENT, "cover open")
    printer.close()
    wire.close()
    old.stop()


def test_health_names_the_printer_and_its_firmware(printer):
    states: queue.SimpleQueue[DeviceState] = queue.SimpleQueue()
    printer.open(states.put)
    ready = hears(states, Health.READY)
    assert ready.detail == "Stillopen simulated printer, firmware 1.0"
