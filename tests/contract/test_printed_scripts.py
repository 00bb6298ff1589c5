"""Receipts in scripts that printers have no letters for, as they stand on the paper."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hardware.ports import (
    Align,
    Cut,
    DeviceState,
    Health,
    PrintRow,
    QrCode,
    TextLine,
)
from hardware.printer import bidi
from hardware.printer.compose import Model, compose
from hardware.printer.escpos_printer import EscposPrinter
from hardware.printer.layout import WIDTH_OF_PAPER
from hardware.printer.picture import NoPicture, logo, qr_picture, raster
from hardware.printer.wires import NetworkWire
from hardware.simulated.escpos_parse import Command, parse
from hardware.simulated.printer_mechanism import SimulatedPrinter
from hardware.simulated.printer_wires import TcpWire

SECONDS = 10
TEXTS = {
    "arabic": ("حليب كامل الدسم", "خبز الجاودار"),
    "hebrew": ("חלב מלא 3%", "לחם שיפון"),
    "chinese": ("全脂牛奶", "黑麦面包"),
    "greek": ("Γάλα πλήρες", "Ψωμί σίκαλης"),
}


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[SimulatedPrinter]:
    printer = SimulatedPrinter(tmp_path / "receipts")
    yield printer
    printer.stop()


@pytest.fixture
def wire(paper: SimulatedPrinter) -> Iterator[TcpWire]:
    made = TcpWire(paper)
    yield made
    made.close()


def driver(wire: TcpWire, model: Model, **more: object) -> EscposPrinter:
    return EscposPrinter(
        lambda: NetworkWire("127.0.0.1", wire.port),
        model,
        watch_seconds=0.05,
        answer_seconds=0.5,
        finish_seconds=SECONDS,
        **more,  # type: ignore[arg-type]
    )


def receipt(script: str) -> list[PrintRow]:
    milk, bread = TEXTS[script]
    return [
        TextLine(milk, align=Align.CENTER, strong=True),
        TextLine(milk, "1,29 A"),
        TextLine(bread, "3,49 A"),
        TextLine("TOTAL EUR", "4,78", strong=True, tall=True),
        Cut(),
    ]


@pytest.mark.parametrize("width_mm", [58, 80])
@pytest.mark.parametrize("script", TEXTS)
def test_every_script_is_on_the_paper_and_nothing_is_cut_off(
    paper, wire, script, width_mm
):
    printer = driver(wire, Model(WIDTH_OF_PAPER[width_mm]))
    printer.print(receipt(script))
    (kept,) = paper.receipts()
    assert kept["end"] == "cut"
    assert "?" not in kept["text"]
    assert "4,78" in kept["text"]
    picture = Image.open(kept["file"]).convert("L")
    rows = picture.size[1]
    dark = [
        y
        for y in range(rows)
        if min(picture.crop((0, y, picture.width, y + 1)).tobytes()) < 100
    ]
    assert len(dark) > 60
    printer.close()


def test_a_line_read_from_the_right_has_its_first_word_there():
    runs = bidi.visual_runs("חלב 3% milk", base_is_rtl=True)
    assert runs[-1].text.startswith("חלב")
    assert runs[-1].is_rtl
    assert runs[0].text == "milk"


@given(
    st.lists(st.text(max_size=40), min_size=1, max_size=6),
    st.sampled_from([32, 48]),
)
def test_no_name_of_an_article_is_a_command(names, width):
    rows = [TextLine(name, "1,00") for name in names]
    plain = compose([TextLine("x", "1,00"), Cut()], Model(width), None)
    known = {one.name for one in parse(plain) if isinstance(one, Command)}
    data = compose([*rows, Cut()], Model(width), None)
    for one in parse(data):
        if isinstance(one, Command) and one.name not in known:
            assert one.name in ("GS v", "ESC t"), one


@given(st.binary(min_size=48 * 8, max_size=48 * 8))
def test_no_picture_holds_a_real_time_request(dots):
    picture = Image.frombytes("1", (384, 8), dots)
    data = raster(picture)
    for request in (b"\x10\x04", b"\x10\x05", b"\x10\x14"):
        assert request not in data[8:]


def test_a_qr_code_as_dots_is_read_as_the_native_one(paper, wire):
    printer = driver(wire, Model(48, has_qr=False))
    printer.print([QrCode("https://shop.example/r/1"), Cut()])
    picture = Image.open(paper.receipts()[0]["file"]).convert("L")
    read = zxingcpp.read_barcode(picture)
    assert read is not None
    assert read.text == "https://shop.example/r/1"
    printer.close()


def test_a_qr_code_is_never_wider_than_the_paper():
    assert qr_picture("x" * 300, 8, 384).width <= 384


def test_a_logo_stands_over_the_receipt_and_a_broken_one_hinders_none(
    paper, wire, tmp_path
):
    file = tmp_path / "logo.png"
    Image.new("RGBA", (900, 300), (0, 0, 0, 255)).save(file)
    printer = driver(wire, Model(48), logo_file=file)
    printer.print([TextLine("x"), Cut()])
    file.write_bytes(b"no picture")
    printer.print([TextLine("x"), Cut()])
    first, second = (Image.open(one["file"]).size[1] for one in paper.receipts())
    assert first > second + 100
    printer.close()


def test_a_logo_without_end_is_refused(tmp_path):
    file = tmp_path / "logo.png"
    Image.new("1", (5000, 5000)).save(file)
    with pytest.raises(NoPicture, match="too many pixels"):
        logo(file, 576)


def test_what_the_printer_tells_by_itself_is_heard_at_once(paper, wire):
    states: queue.SimpleQueue[DeviceState] = queue.SimpleQueue()
    # Asked once in a minute: what is heard sooner was pushed.
    printer = EscposPrinter(
        lambda: NetworkWire("127.0.0.1", wire.port),
        Model(48),
        watch_seconds=60,
        answer_seconds=0.5,
        finish_seconds=SECONDS,
    )
    printer.open(states.put)
    assert states.get(timeout=SECONDS).health is Health.READY
    for trouble, mend, word in (
        (paper.open_cover, paper.close_cover, "cover"),
        (paper.paper_out, paper.paper_in, "paper"),
    ):
        trouble()
        while word not in states.get(timeout=SECONDS).detail:
            pass
        mend()
        while states.get(timeout=SECONDS).health is not Health.READY:
            pass
    printer.close()
