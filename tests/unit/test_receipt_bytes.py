"""What a receipt is on paper, and that no text from data can command the printer."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from receipts import RECEIPT

from hardware.ports import Align, Cut, LinearCode, PrintRow, QrCode, TextLine
from hardware.printer.compose import Model, compose
from hardware.printer.encode import CODE_PAGES, ZERO_WIDTH, clean, columns, encode
from hardware.printer.layout import PaperLine, as_text, lay_out, set_line
from hardware.printer.status import (
    Answers,
    InOrder,
    PrinterStatus,
    Pushed,
    RealTime,
    Words,
    is_in_order_answer,
    is_real_time_answer,
    read_status,
)
from hardware.printer.typeset import draw
from hardware.simulated.code128 import modules
from hardware.simulated.escpos_parse import (
    Command,
    Feed,
    Parser,
    Piece,
    Text,
    parse,
    take_real_time,
)

GOLDEN = Path(__file__).parent / "golden"
WIDTHS = {80: 48, 58: 32}
# Every code point there is, the unassigned and the surrogates too, and those that
# printers take for commands more often than chance would.
hostile = st.text(
    st.one_of(
        st.characters(codec=None, categories=None, min_codepoint=0),
        st.sampled_from("\x00\x04\x05\n\r\t\x10\x14\x1b\x1c\x1d\x7f\x9b{}pViB@!k("),
    ),
    max_size=80,
)


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_a_receipt_reads_as_it_always_did(width_mm):
    golden = (GOLDEN / f"receipt-{width_mm}mm.txt").read_text(encoding="utf-8")
    assert as_text(RECEIPT, WIDTHS[width_mm]) == golden


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_a_receipt_is_sent_as_it_always_was(width_mm):
    golden = (GOLDEN / f"receipt-{width_mm}mm.escpos").read_bytes()
    # What is drawn as dots depends on the machine's fonts: test_typeset.py has it.
    lettered = [row for row in RECEIPT if "牛乳" not in getattr(row, "left", "")]
    assert compose(lettered, Model(WIDTHS[width_mm])) == golden


# -- injection ---------------------------------------------------------------


@given(hostile, hostile, st.sampled_from([32, 48]))
@example("\x1bp\x00\x19\xfa", "\x1dV\x00", 48)
@example("\x10\x14\x01\x00\x01", "\x1b@", 32)
@example("\n\n\n\n", "\r\n", 32)
def test_no_product_name_commands_the_printer(name, price, width):
    line = TextLine(name, price, strong=True, align=Align.CENTER)
    rows: list[PrintRow] = [line, Cut()]
    stream = compose(rows, Model(width))
    pieces = parse(stream)
    laid = [p for p in lay_out(rows, width) if isinstance(p, PaperLine)]
    is_drawn = [draw(p, width, CODE_PAGES) is not None for p in laid]
    expected = ["ESC @", "FS ."]
    for drawn in is_drawn:
        expected += ["GS v"] if drawn else ["ESC a", "ESC E", "ESC E", "ESC a"]
    commands = [p for p in pieces if isinstance(p, Command)]
    pages = [p for p in commands if p.name == "ESC t"]
    assert [p.name for p in commands if p.name != "ESC t"] == [*expected, "GS V"]
    assert all(
        page.arguments[0] in {0, 16, 17, 18, 19, *range(45, 52)} for page in pages
    )
    assert sum(isinstance(piece, Feed) for piece in pieces) == is_drawn.count(False)
    for piece in pieces:
        assert not isinstance(piece, Text) or min(piece.data) >= 0x20
    assert take_real_time(stream) == ([], stream, b"")


@given(hostile)
def test_no_code_on_a_receipt_commands_the_printer(text):
    pieces = parse(compose([LinearCode(text), QrCode(text)], Model(48)))
    names = {piece.name for piece in pieces if isinstance(piece, Command)}
    known = {"ESC @", "FS .", "ESC t", "ESC a", "ESC J", "GS h", "GS w", "GS f", "GS H"}
    assert names <= known | {"GS k", "GS ("}


@given(hostile)
def test_encoded_text_has_no_byte_that_is_a_command_but_the_code_page(text):
    encoded, page = encode(text)
    assert 0 <= page < 256
    rest = b"".join(p.data for p in parse(encoded) if isinstance(p, Text))
    assert all(byte >= 0x20 and byte != 0x7F for byte in rest)


@given(hostile)
def test_cleaning_twice_changes_nothing(text):
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    controls = {c for c in cleaned if unicodedata.category(c).startswith("C")}
    assert controls <= ZERO_WIDTH


# -- layout ------------------------------------------------------------------


@given(hostile, hostile, st.sampled_from([32, 48]))
def test_no_line_is_wider_than_the_paper(left, right, width):
    for laid in lay_out([TextLine(left, right)], width):
        assert isinstance(laid, PaperLine)
        assert columns(laid.text) <= width


@given(st.text(st.characters(codec="latin-1", categories=["L", "N"]), max_size=90))
def test_nothing_of_a_name_is_lost_by_wrapping(name):
    lines = set_line(name, "1.00", 32)
    assert "".join("".join(lines).split()) == clean(name) + "1.00"


def test_the_price_stays_whole_on_the_last_line_of_a_long_name():
    assert set_line("Wholegrain bread with sunflower seeds", "12.99", 24) == [
        "Wholegrain bread",
        "with sunflower",
        "seeds              12.99",
    ]


def test_wrapped_lines_keep_their_indent():
    assert set_line("  two for the price of one", "-1.00", 20) == [
        "  two for the",
        "  price of one -1.00",
    ]


def test_a_word_longer_than_the_paper_is_cut_into_pieces():
    assert set_line("x" * 30, "", 12) == ["x" * 12, "x" * 12, "x" * 6]


def test_a_right_column_too_wide_to_share_has_a_line_of_its_own():
    assert set_line("Lane 3  Receipt 184", "23.11.2026 10:35", 32) == [
        "Lane 3  Receipt 184",
        "                23.11.2026 10:35",
    ]


def test_wide_characters_take_two_columns_so_that_prices_stand_in_line():
    (line,) = set_line("牛乳", "2.49", 12)
    assert columns(line) == 12
    assert len(encode(line)[0]) == 12


# -- characters --------------------------------------------------------------


def test_each_character_is_sent_in_a_code_page_that_has_it():
    assert encode("Käse 2 €") == (b"K\x84se 2 \xd5", 19)
    assert encode("Привет") == (b"\x1bt\x11\x8f\xe0\xa8\xa2\xa5\xe2", 17)
    assert encode("ő", page=18) == (b"\x8b", 18)


def test_letters_written_apart_are_put_together():
    assert encode("Cafe\u0301")[0] == b"Caf\x82"


def test_a_letter_no_page_has_loses_its_mark_and_not_itself():
    assert encode("ḱ")[0] == b"k"
    assert encode("q\u0303")[0] == b"q"


def test_what_cannot_be_printed_is_a_question_mark_in_each_of_its_cells():
    assert encode("☺牛")[0] == b"???"


@pytest.mark.parametrize(("width", "has_bars"), [(48, True), (32, False)])
def test_a_long_code_becomes_a_qr_code_where_bars_would_not_fit(width, has_bars):
    pieces = parse(compose([LinearCode("R" * 14)], Model(width)))
    names = {piece.name for piece in pieces if isinstance(piece, Command)}
    assert ("GS k" in names, "GS (" in names) == (has_bars, not has_bars)


def test_a_link_too_long_for_paper_is_the_callers_mistake():
    with pytest.raises(ValueError, match="too many for a QR code"):
        compose([QrCode("x" * 1001)], Model(48))


# -- status ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "trouble"),
    [
        ({1: 0x12, 2: 0x12, 3: 0x12, 4: 0x12}, ""),
        ({1: 0x1A, 2: 0x16, 3: 0x12, 4: 0x12}, "cover open"),
        ({1: 0x1A, 2: 0x32, 3: 0x12, 4: 0x7E}, "paper out"),
        ({1: 0x1A, 2: 0x52, 3: 0x1A, 4: 0x12}, "cutter jam"),
        ({1: 0x1A, 2: 0x52, 3: 0x32, 4: 0x12}, "printer reports an error"),
        ({1: 0x1A, 2: 0x12, 3: 0x12, 4: 0x12}, "printer offline"),
    ],
)
def test_status_bytes_are_told_in_words(answers, trouble):
    assert read_status(answers).trouble.startswith(trouble)
    assert bool(read_status(answers).trouble) is bool(trouble)


def test_paper_that_runs_low_is_no_trouble_yet():
    status = read_status({1: 0x12, 2: 0x12, 3: 0x12, 4: 0x1E})
    assert (status.trouble, status.paper_low) == ("", True)


@given(st.dictionaries(st.integers(1, 4), st.integers(0, 255)))
def test_no_status_byte_breaks_the_driver(answers):
    assert isinstance(read_status(answers), PrinterStatus)
    for byte in answers.values():
        assert not (is_real_time_answer(byte) and is_in_order_answer(byte))


# -- the interpreter that all this is judged by ------------------------------


@given(st.binary(max_size=200), st.integers(0, 200))
def test_the_interpreter_reads_any_bytes_however_they_are_cut(data, cut):
    parser = Parser()
    apart = parser.feed(data[:cut]) + parser.feed(data[cut:])
    whole = Parser().feed(data)
    assert _text(apart) == _text(whole)
    assert [p for p in apart if not isinstance(p, Text)] == [
        p for p in whole if not isinstance(p, Text)
    ]


def _text(pieces: list[Piece]) -> bytes:
    return b"".join(piece.data for piece in pieces if isinstance(piece, Text))


def test_real_time_requests_are_heard_also_when_cut_in_two():
    requests, data, rest = take_real_time(b"abc\x10\x04\x01def\x10")
    assert (requests, data, rest) == ([b"\x10\x04\x01"], b"abcdef", b"\x10")
    assert take_real_time(rest + b"\x04\x02") == ([b"\x10\x04\x02"], b"", b"")


def test_the_interpreter_sees_a_drawer_kick_when_there_is_one():
    assert parse(b"Milk\x1bp\x00\x19\xfa!") == [
        Text(b"Milk"),
        Command("ESC p", b"\x00\x19\xfa"),
        Text(b"!"),
    ]


def test_bars_carry_a_check_and_their_text():
    bars, text = modules(b"{BA{{1")
    assert text == "A{1"
    assert len(bars) == 11 * (1 + 3 + 1) + 13


# -- what printers say --------------------------------------------------------


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_of_a_printer_are_read_alike_however_they_are_cut(data, cut):
    answers, whole = Answers(), Answers().feed(data)
    assert answers.feed(data[:cut]) + answers.feed(data[cut:]) == whole


@given(
    st.lists(st.sampled_from([b"\x12", b"\x18\x00\x0f\x0f", b"_TM-T88\x00", b"\x03"]))
)
def test_each_answer_is_known_by_its_kind_among_the_others(sent):
    kinds = {18: RealTime, 24: Pushed, 95: Words, 3: InOrder}
    heard = Answers().feed(b"".join(sent))
    assert [type(answer) for answer in heard] == [kinds[one[0]] for one in sent]


@pytest.mark.parametrize(
    ("four", "words"),
    [
        (b"\x10\x00\x00\x0f", ""),
        (b"\x38\x00\x00\x0f", "cover open"),
        (b"\x18\x00\x0f\x0f", "paper out"),
        (b"\x18\x08\x00\x0f", "cutter jam"),
        (b"\x18\x20\x00\x0f", "printer reports an error that needs service"),
        (b"\x18\x00\x00\x0f", "printer offline"),
        (b"\x10\x00\x03\x0f", "paper low"),
    ],
)
def test_pushed_bytes_are_told_in_words(four, words):
    (pushed,) = Answers().feed(four)
    assert isinstance(pushed, Pushed)
    assert pushed.status.state.detail == words


def test_noise_without_end_is_not_kept():
    answers = Answers()
    assert answers.feed(b"_" + b"x" * 10_000) == []
    assert answers.feed(b"\x12") == [RealTime(0x12)]
