"""Lines in scripts that the printer has no letters for: right order, shape and place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from hardware.ports import Align, Cut, TextLine
from hardware.printer.bidi import is_rtl, visual_runs
from hardware.printer.compose import Model, compose
from hardware.printer.encode import CODE_PAGES
from hardware.printer.fonts import fonts_of, opened, own_font
from hardware.printer.layout import PaperLine, lay_out, set_line
from hardware.printer.picture import raster
from hardware.printer.typeset import LINE_DOTS, draw
from hardware.simulated.escpos_parse import Command, parse, take_real_time

HEBREW = "/usr/share/fonts/truetype/noto/NotoSansHebrew-Regular.ttf"
ARABIC = "/usr/share/fonts/truetype/noto/NotoSansArabic-Regular.ttf"


def drawn(left, right="", width=48, **how):
    (line,) = lay_out([TextLine(left, right, **how)], width)
    assert isinstance(line, PaperLine)
    picture = draw(line, width, CODE_PAGES)
    assert picture is not None
    return picture


def ink(text, path, layout):
    """Draw text with Pillow alone and return its box of ink."""
    face = ImageFont.truetype(path, 44, layout_engine=layout)
    picture = Image.new("L", (900, 90), 0)
    ImageDraw.Draw(picture).text((20, 60), text, 255, face, anchor="ls")
    small = picture.resize((450, 45), Image.Resampling.BOX)
    dots = small.point(lambda grey: 255 * (grey >= 100)).convert("1")
    return dots.crop(dots.getbbox())


def likeness(one, other):
    """Return how many of the dots two pictures share, of all that either has."""
    size = (max(one.width, other.width), max(one.height, other.height))
    sheets = []
    for picture in (one, other):
        sheet = Image.new("1", size, 0)
        sheet.paste(picture, (0, 0))
        sheets.append([bool(dot) for dot in sheet.convert("L").tobytes()])
    both = sum(a and b for a, b in zip(*sheets))
    either = sum(a or b for a, b in zip(*sheets))
    return both / either


def test_hebrew_stands_from_right_to_left():
    band = drawn("שלום")
    found = band.crop(band.getbbox())
    turned = ink("שלום"[::-1], HEBREW, ImageFont.Layout.BASIC)
    as_typed = ink("שלום", HEBREW, ImageFont.Layout.BASIC)
    assert likeness(found, turned) > 0.75
    assert likeness(found, as_typed) < 0.5


def test_arabic_letters_are_joined():
    band = drawn("سلام")
    found = band.crop(band.getbbox())
    shaped = ink("سلام", ARABIC, ImageFont.Layout.RAQM)
    apart = ink("سلام"[::-1], ARABIC, ImageFont.Layout.BASIC)
    assert likeness(found, shaped) > 0.75
    assert likeness(found, apart) < 0.5


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        # In a line that begins in Latin the number stands left of the Hebrew word.
        ("abc אבג 12", ["abc ", "12", "אבג "]),
        ("חלב 3% תנובה", [" תנובה", "3%", "חלב "]),
        ("Milk חלב", ["Milk ", "חלב"]),
        # UAX #9, W2: a number after Arabic is an Arabic number, not part of "ml".
        ("شاي 500 ml", ["ml", " ", "500", "شاي "]),
    ],
)
def test_runs_stand_in_the_order_of_the_standard(text, seen):
    assert [run.text for run in visual_runs(text, is_rtl(text))] == seen


def test_every_line_is_as_wide_as_the_paper_and_as_high_as_its_letters():
    for width in (48, 32):
        assert drawn("牛乳", "2.49", width).size == (width * 12, LINE_DOTS)
        assert drawn("牛乳", tall=True).size[1] == 2 * LINE_DOTS


@pytest.mark.parametrize("left", ["牛乳", "חלב", "حليب كامل", "Żywiec 牛"])
def test_the_amount_stands_at_the_right_edge_whatever_the_name(left):
    band = drawn(left, "12.49", 32)
    amount = band.crop((384 - 60, 0, 384, LINE_DOTS))
    plain = drawn("北", "12.49", 32).crop((384 - 60, 0, 384, LINE_DOTS))
    assert amount.tobytes() == plain.tobytes()
    assert amount.getbbox() is not None
    gap = band.crop((384 - 72, 0, 384 - 62, LINE_DOTS))
    assert gap.getbbox() is None


def test_a_centred_line_stands_in_the_middle():
    left, _, right, _ = drawn("商店", align=Align.CENTER).getbbox()
    assert abs((left + right) / 2 - 288) <= 6


@settings(deadline=None, max_examples=60)
@given(
    st.text(st.sampled_from("אבגدהسلام牛乳北x1 %()-. \u200c\u200dঅह ☺🍎"), max_size=60),
    st.sampled_from([32, 48]),
    st.booleans(),
)
def test_no_name_is_clipped_or_leaves_the_paper(name, width, tall):
    for line in lay_out([TextLine(name, "1.00", tall=tall)], width):
        assert isinstance(line, PaperLine)
        band = draw(line, width, CODE_PAGES)
        assert band is None or band.width == width * 12


@pytest.mark.parametrize("tall", [False, True])
@pytest.mark.parametrize("text", ["بقالة الحي", "ชื่อ ญู", "ក្ស្ត្រ", "مُّ ح ًٌٍّ"])
def test_what_stands_far_below_or_above_a_letter_is_not_cut_off(text, tall):
    band = drawn(text, tall=tall)
    whole = band.convert("L")
    box = whole.getbbox()
    assert box is not None
    assert 0 <= box[1] < box[3] <= band.height
    tallest = _ink_height(text) * (2 if tall else 1)
    assert box[3] - box[1] >= min(band.height, tallest) - 3


def _ink_height(text):
    font = fonts_of(text)[0]
    assert font is not None
    _, top, _, bottom = opened(font, 1).getbbox(text, anchor="ls")
    return bottom - top


def test_a_number_within_a_chinese_name_stays_in_one_piece():
    lines = set_line("全麦面包配葵花籽和南瓜籽新鲜出炉每日现烤750克装", "3.99 A", 48)
    assert any("750" in line for line in lines)


def test_a_name_wider_than_its_room_is_condensed():
    band = drawn("س" * 43, "1.00")
    left, _, right, _ = band.crop((0, 0, 576 - 60, LINE_DOTS)).getbbox()
    assert left >= 0
    assert right <= 576 - 60


def test_a_machine_without_fonts_prints_question_marks_and_says_so(tmp_path, caplog):
    (line,) = lay_out([TextLine("牛乳", "2.49")], 48)
    assert isinstance(line, PaperLine)
    assert draw(line, 48, CODE_PAGES, tmp_path) is None
    assert "no font here has U+4E73 U+725B" in caplog.text


def test_code_pages_that_the_printer_lacks_are_not_used():
    stream = compose([TextLine("Привет")], Model(48, ((0, "cp437"),)))
    names = [p.name for p in parse(stream) if isinstance(p, Command)]
    assert "GS v" in names
    stream = compose([TextLine("Привет")], Model(48, ((7, "cp866"),)))
    assert b"\x1bt\x07" in stream
    assert b"\x8f\xe0\xa8\xa2\xa5\xe2" in stream


@given(st.binary(min_size=720, max_size=720))
def test_no_dots_are_taken_for_a_real_time_request(data):
    # Drawer kicks, status requests and buffer clearing within a picture.
    hostile = data[:300] + b"\x10\x14\x01\x00\x01\x10\x04\x01\x10\x05\x02" + data[:409]
    stream = raster(Image.frombytes("1", (576, 10), hostile[:720]))
    assert take_real_time(stream)[0] == []
    (command,) = parse(stream)
    assert isinstance(command, Command)
    assert len(command.arguments) == 6 + 720


def test_own_letters_are_as_wide_as_the_printers():
    assert own_font().dots == 20
    assert compose([TextLine("é"), Cut()], Model(48)).endswith(b"\x1dVB\x00")
