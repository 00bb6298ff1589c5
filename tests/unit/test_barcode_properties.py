"""What holds for every label there could be."""

from __future__ import annotations

from hypothesis import given, seed
from hypothesis import strategies as st

from kiosk.domain.barcode import (
    left_pad_gtin,
    norm,
    parse,
    read_bracketed,
    read_elements,
    write_elements,
)
from kiosk.domain.gs1 import Fault, check_digit
from kiosk.domain.label import Coupon, Gtin, LabelRules, Unreadable
from kiosk.domain.restricted import EXAMPLES

RULES = [LabelRules(rules, ("CPN",)) for rules in EXAMPLES.values()]
SYMBOLOGIES = ["", "]C0", "]C1", "]d1", "]d2", "]Q1", "]Q3", "]e0", "]E0", "]E3", "]E4", "]I1", "]zz"]  # fmt: skip
DIGITS = st.text("0123456789")
PIECES = st.lists(
    st.one_of(
        st.binary(max_size=6),
        st.sampled_from(
            b"01~05901234123457~17~260200~10AB~\x1d~3103~393~2978~]E0~]d2~|]e0~"
            b"https://a/~/01/~?~17=261231~&~%2~(01)~(10)~8013~8007~ 12".split(b"~")
        ),
        DIGITS.map(str.encode),
    ),
    max_size=10,
).map(b"".join)


def checked(length: int) -> st.SearchStrategy[str]:
    payload = st.text("0123456789", min_size=length - 1, max_size=length - 1)
    return payload.filter(lambda text: text.strip("0") != "").map(
        lambda text: text + check_digit(text)
    )


@seed(20261123)
@given(
    st.one_of(st.binary(max_size=600), PIECES),
    st.sampled_from(SYMBOLOGIES),
    st.sampled_from(RULES),
)
def test_no_bytes_at_all_stop_the_lane(
    data: bytes, symbology: str, rules: LabelRules
) -> None:
    label = parse(data, symbology, rules)
    assert label == parse(bytes(data), symbology, rules)
    norm(data, symbology)
    if isinstance(label, Gtin):
        assert len(label.gtin) == 14
        assert left_pad_gtin(label.gtin) == label.gtin
    if isinstance(label, Unreadable):
        assert label.reason.isprintable()


@seed(20261123)
@given(st.one_of(checked(12), checked(13), checked(14), checked(8)))
def test_every_right_number_is_read_as_itself(number: str) -> None:
    label = parse(number.encode())
    assert isinstance(label, Gtin | Coupon)
    if isinstance(label, Gtin):
        assert label.gtin == number.zfill(14)


@seed(20261123)
@given(
    st.one_of(checked(12), checked(13), checked(14)),
    st.integers(0, 13),
    st.integers(1, 9),
)
def test_one_wrong_digit_is_never_sold(number: str, at: int, off: int) -> None:
    at %= len(number)
    wrong = number[:at] + str((int(number[at]) + off) % 10) + number[at + 1 :]
    assert isinstance(parse(wrong.encode()), Unreadable)
    assert left_pad_gtin(wrong) is None


@seed(20261123)
@given(checked(8), st.integers(0, 7), st.integers(1, 9))
def test_one_wrong_digit_of_an_ean_8_is_never_sold(
    number: str, at: int, off: int
) -> None:
    wrong = number[:at] + str((int(number[at]) + off) % 10) + number[at + 1 :]
    assert isinstance(parse(wrong.encode(), "]E4"), Unreadable)


CHARACTERS = "!\"%&'()*+,-./0123456789:;<=>?ABCXYZ_abcxyz"


@seed(20261123)
@given(
    checked(14),
    st.text(CHARACTERS, min_size=1, max_size=20),
    st.text(CHARACTERS, min_size=1, max_size=20),
    st.integers(0, 999999),
    st.permutations(["01", "10", "21", "3103"]),
)
def test_an_element_string_says_the_same_in_any_order(
    gtin: str, batch: str, serial: str, grams: int, order: list[str]
) -> None:
    values = {"01": gtin, "10": batch, "21": serial, "3103": f"{grams:06}"}
    elements = tuple((ai, values[ai]) for ai in order)
    text = write_elements(elements)
    assert read_elements(text) == elements
    bracketed = "".join(f"({ai})" + v.replace("(", "\\(") for ai, v in elements)
    assert read_bracketed(bracketed) == elements
    label = parse(text.encode(), "]d2")
    if isinstance(label, Gtin):
        assert (label.gtin, label.batch, label.serial) == (gtin, batch, serial)
        assert label.weight_grams == grams
    else:
        assert isinstance(label, Coupon)


@seed(20261123)
@given(st.text(CHARACTERS + "\x1d", max_size=60))
def test_what_is_read_is_written_back_the_same(text: str) -> None:
    elements = read_elements(text)
    if not isinstance(elements, Fault):
        assert read_elements(write_elements(elements)) == elements
