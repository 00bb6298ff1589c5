"""The USB wire against a bus that is played: no printer's cable was in a port."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_usb import FakeBus, FakePrinter
from receipts import RECEIPT

from hardware.ports import DeviceState, Health, PrinterTrouble
from hardware.printer.compose import Model
from hardware.printer.escpos_printer import EscposPrinter
from hardware.printer.usb_wire import UsbChoice, UsbWire
from hardware.simulated.printer_mechanism import SimulatedPrinter

SECONDS = 10
CHOICE = UsbChoice(0x04B8, 0x0E28)


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[SimulatedPrinter]:
    printer = SimulatedPrinter(tmp_path / "receipts")
    yield printer
    printer.stop()


def driver(bus: FakeBus, choice: UsbChoice = CHOICE) -> EscposPrinter:
    return EscposPrinter(
        lambda: UsbWire(choice, bus),
        Model(48),
        watch_seconds=0.05,
        answer_seconds=0.5,
        finish_seconds=SECONDS,
    )


def test_a_receipt_is_on_paper_when_print_returns(paper):
    bus = FakeBus(FakePrinter(paper))
    printer = driver(bus)
    printer.print(RECEIPT)
    (receipt,) = paper.receipts()
    assert receipt["end"] == "cut"
    assert receipt["text"].splitlines()[0] == "Corner Shop"
    printer.close()


def test_a_printer_unplugged_and_plugged_is_told_and_prints_again(paper):
    device = FakePrinter(paper)
    states: queue.SimpleQueue[DeviceState] = queue.SimpleQueue()
    printer = driver(FakeBus(device))
    printer.open(states.put)
    assert states.get(timeout=SECONDS).health is Health.READY
    device.is_plugged = False
    while states.get(timeout=SECONDS).health is not Health.ABSENT:
        pass
    with pytest.raises(PrinterTrouble):
        printer.print(RECEIPT)
    device.is_plugged = True
    while states.get(timeout=SECONDS).health is not Health.READY:
        pass
    printer.print(RECEIPT)
    assert paper.receipts()[-1]["end"] == "cut"
    printer.close()


def test_paper_out_is_told_over_usb_too(paper):
    states: queue.SimpleQueue[DeviceState] = queue.SimpleQueue()
    printer = driver(FakeBus(FakePrinter(paper)))
    printer.open(states.put)
    assert states.get(timeout=SECONDS).health is Health.READY
    paper.paper_out()
    while "paper" not in states.get(timeout=SECONDS).detail:
        pass
    printer.close()


@pytest.mark.parametrize(
    ("printers", "choice", "words"),
    [
        ([], CHOICE, "no USB printer"),
        ([FakePrinter(None, "A"), FakePrinter(None, "B")], CHOICE, "give the serial"),
        ([FakePrinter(None, "A")], UsbChoice(0x04B8, 0x0E28, "Z"), "no USB printer"),
        ([FakePrinter(None, "A", interface=3)], CHOICE, "is no printer"),
    ],
    ids=["none", "two", "another serial", "a keyboard"],
)
def test_no_printer_is_guessed(printers, choice, words):
    with pytest.raises(OSError, match=words):
        UsbWire(choice, FakeBus(*printers))


def test_of_two_printers_the_one_with_the_serial_number_prints(paper):
    chosen = UsbChoice(0x04B8, 0x0E28, "B")
    printer = driver(FakeBus(FakePrinter(None, "A"), FakePrinter(paper, "B")), chosen)
    printer.print(RECEIPT)
    assert len(paper.receipts()) == 1
    printer.close()
