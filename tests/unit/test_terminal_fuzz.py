"""Whatever a card terminal or a UPS server sends: a value, never an exception."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.ports import Answer, Attempt, Outcome, Watermark
from hardware.terminal import zvt_apdu, zvt_decide, zvt_fields, zvt_serial, zvt_tlv
from hardware.terminal.redact import is_luhn, mask, redact_text
from hardware.terminal.zvt_apdu import Apdu
from hardware.terminal.zvt_commands import Password
from hardware.terminal.zvt_fields import Bitmaps, packed
from hardware.terminal.zvt_messages import Status, read
from hardware.ups.nut_client import read_line, split_words

CONTROLS = [0x8000, 0x8483, 0x04FF, 0x040F, 0x06D1, 0x06D3, 0x060F, 0x061E, 0x06E1]
PAN = "4111111111111111"


@given(st.binary(max_size=300))
def test_any_bytes_from_the_wire_are_cut_without_an_exception(data):
    apdus, rest, broken = zvt_apdu.split(data)
    written = b"".join(apdu.encode() for apdu in apdus)
    assert broken is not None or len(written) + len(rest) <= len(data)


@given(st.sampled_from(CONTROLS), st.binary(max_size=200))
def test_any_message_can_be_read(control, data):
    read(Apdu(control, data), "cp437")


@given(st.sampled_from(CONTROLS), st.binary(max_size=60_000))
def test_a_long_message_survives_its_envelope(control, data):
    apdu = Apdu(control, data)
    assert zvt_apdu.split(apdu.encode()) == ([apdu], b"", None)


@given(st.binary(max_size=200))
def test_bitmaps_that_were_read_whole_are_written_again(data):
    bitmaps = zvt_fields.parse(data)
    if not bitmaps.is_partial:
        again = zvt_fields.parse(zvt_fields.encode(bitmaps))
        assert again.values == bitmaps.values


@given(st.binary(max_size=120))
def test_a_container_that_was_read_whole_is_written_again(data):
    tree, is_whole = zvt_tlv.parse(data)
    if is_whole:
        assert zvt_tlv.parse(zvt_tlv.encode(tree)) == (tree, True)


def test_a_container_that_nests_without_end_is_read_as_far_as_it_goes():
    data = b"\x00"
    for _ in range(3000):
        data = b"\x24" + zvt_tlv.length_of(len(data)) + data
    zvt_tlv.parse(data)


@given(st.binary(max_size=300))
def test_any_bytes_on_the_serial_line_leave_a_rest_that_cannot_grow(data):
    _, rest = zvt_serial.split(data)
    assert len(rest) <= len(data)


@given(st.binary(max_size=200), st.binary(max_size=40).filter(lambda b: 0x10 not in b))
def test_a_frame_is_found_whatever_noise_is_before_it(content, noise):
    noise = bytes(byte for byte in noise if byte not in (0x06, 0x15))
    found, rest = zvt_serial.split(noise + zvt_serial.encode(content))
    assert (found, rest) == ([zvt_serial.Frame(content, True)], b"")


@given(st.binary(min_size=1, max_size=60), st.integers(0, 10_000))
def test_a_frame_with_a_wrong_bit_is_never_good(content, place):
    frame = bytearray(zvt_serial.encode(content))
    frame[place % len(frame)] ^= 1 << place % 8
    found, _ = zvt_serial.split(bytes(frame))
    good = [f for f in found if isinstance(f, zvt_serial.Frame) and f.is_good]
    assert good == [] or [f.content for f in good] == [content]


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_card_number_in_a_text_is_never_whole(before, after):
    before, after = before.rstrip("0123456789 -"), after.lstrip("0123456789 -")
    assert PAN not in redact_text(f"{before}{PAN}{after}")
    spaced = "4111 1111 1111 1111"
    assert spaced not in redact_text(f"{before}{spaced}{after}")


@given(st.text(alphabet="0123456789", min_size=13, max_size=19))
def test_what_is_shown_of_a_number_is_ten_digits_at_most(digits):
    shown = mask(digits)
    assert len(shown) == len(digits)
    assert sum(character.isdigit() for character in shown) <= 10
    assert is_luhn(digits) == (redact_text(digits) != digits)


@given(st.binary(max_size=19))
def test_bmp_22_never_shows_a_whole_number(value):
    status = read(
        Apdu(0x040F, b"\x22\xf1\xf0" + value.ljust(10, b"\xee")[:10]), "cp437"
    )
    assert isinstance(status, Status)
    assert sum(c.isdigit() for c in status.masked_pan) <= 10


@pytest.mark.parametrize("digits", ["12345", "1234567", "12345a", "", "١٢٣٤٥٦"])
def test_a_password_has_six_digits(digits):
    with pytest.raises(ValueError, match="six digits"):
        Password(digits)


def test_a_password_is_never_shown():
    assert "271828" not in repr(Password("271828"))


@given(st.integers(0, 10**12 - 1))
def test_an_amount_survives_packing(minor):
    bitmaps = Bitmaps(((0x04, packed(minor, 6)),))
    assert zvt_fields.parse(zvt_fields.encode(bitmaps)).number(0x04) == minor


numbers = st.one_of(st.none(), st.integers(0, 999_999))


@given(
    numbers, numbers, numbers, st.integers(0, 255), st.integers(0, 5000), st.booleans()
)
def test_nothing_but_the_very_next_payment_of_that_amount_is_found_approved(
    before, trace, turnover, code, minor, has_original
):
    values = {0x27: bytes([code]), 0x04: packed(minor, 6)}
    if trace is not None:
        values[0x0B] = packed(trace, 3)
    if turnover is not None:
        values[0x88] = packed(turnover, 3)
    if has_original:
        values[0x37] = packed(1, 3)
    last = Status(Bitmaps(tuple(values.items())))
    mark = zvt_decide.Mark("T", trace=before, turnover=before)
    attempt = Attempt("a", 1299, "EUR", Watermark("T", 0, mark.text()))
    told = zvt_decide.decide(attempt, last)
    if told.result is not None and told.result.outcome is Outcome.APPROVED:
        assert told.answer is Answer.FOUND
        assert code == 0
        assert minor == 1299
        assert not has_original
        counter = turnover if turnover is not None else trace
        assert before is not None
        assert counter is not None
        assert (counter - before) % 1_000_000 == 1


@given(st.text(max_size=80))
def test_a_mark_that_is_none_of_ours_proves_nothing(text):
    attempt = Attempt("a", 1299, "EUR", Watermark("T", 0, text))
    if zvt_decide.read_mark(text) is None:
        told = zvt_decide.decide(attempt, zvt_decide.Nothing(0x64))
        assert told.answer is Answer.INDETERMINATE


@given(st.binary(max_size=200))
def test_any_line_of_a_ups_server_is_a_value(line):
    read_line(line)


@given(
    st.lists(st.text(alphabet=st.characters(codec="ascii"), max_size=10), max_size=6)
)
def test_words_survive_their_quotation(words):
    quoted = " ".join(
        '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words
    )
    assert split_words(quoted) == words


@pytest.mark.parametrize(
    "text",
    [
        f"7 {PAN}",
        f"{PAN} 12",
        "Bon 12 4111 1111 1111 1111 99",
        f"{PAN}{PAN}",
        f"000000{PAN}",
        f"{PAN}-{PAN}",
    ],
)
def test_a_card_number_beside_other_numbers_is_masked_too(text):
    shown = redact_text(text)
    assert PAN not in shown.replace(" ", "").replace("-", "")


@pytest.mark.parametrize(
    "text", ["2026-11-26 13:05", "Trace 000123 Beleg 0042", "4.78"]
)
def test_other_numbers_stay(text):
    assert redact_text(text) == text
