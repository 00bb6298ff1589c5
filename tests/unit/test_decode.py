"""What is accepted in a frame, and what is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hardware.scanner.ballot import vote
from hardware.scanner.commands import as_json_line, as_words, decode_files
from hardware.scanner.decode import decode
from hardware.scanner.label import (
    article,
    check_digit,
    expand_upc_e,
    is_gtin,
    refusal,
)
from hardware.scanner.pictures import MOST_FILE_BYTES, Unreadable, load_picture
from hardware.scanner.readers import Reading, reading_of
from hardware.simulated.camera import draw_label, draw_pack

MILK = "4006381333931"
BREAD = "5449000000996"


def texts(frame):
    return [code.text for code in decode(frame)]


# -- frames ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "symbology", "norm", "aim"),
    [
        (MILK, "ean13", f"0{MILK}", "]E0"),
        ("96385074", "ean8", "00000096385074", "]E4"),
        ("012345678905", "upca", "00012345678905", "]E0"),
        ("01264904", "upce", "00012000006494", "]E0"),
        ("SUSPENDED-4711", "code128", "SUSPENDED-4711", "]C0"),
        ("0109506000134352", "databar", "09506000134352", "]e0"),
        ("https://id.example/01/09506000134352", "qrcode", None, "]Q1"),
        ("batch 7", "datamatrix", "batch 7", "]d1"),
    ],
)
def test_every_shop_format_is_read_and_named(text, symbology, norm, aim):
    (code,) = decode(draw_pack([draw_label(text, symbology)]))
    assert (code.norm, code.symbology) == (norm or text, aim)
    assert code.reads >= 2


@pytest.mark.parametrize(
    ("symbology", "aim"),
    [("qrcode", "]Q3"), ("datamatrix", "]d2"), ("databar-exp", "]e0")],
)
def test_an_element_string_keeps_its_separators_and_its_norm_has_none(symbology, aim):
    label = draw_label("(01)09506000134352(10)AB(21)7", symbology, is_gs1=True)
    (code,) = decode(draw_pack([label]))
    assert code.text == "010950600013435210AB\x1d217"
    assert (code.norm, code.symbology) == ("010950600013435210AB217", aim)


@pytest.mark.parametrize("turned", [0, 7, 20, 45, 70, 90, 135, 180, 250, 333])
def test_a_label_is_read_however_it_is_turned(turned):
    assert texts(draw_pack([draw_label(MILK)], turned_degrees=turned)) == [MILK]


def test_a_dark_and_blurred_frame_with_noise_is_read():
    frame = draw_pack([draw_label(MILK, scale=3)], turned_degrees=4)
    dark = cv2.GaussianBlur(frame, (0, 0), 1.2).astype(np.float64) * 0.35
    noise = np.random.default_rng(7).normal(0, 4, dark.shape)
    assert texts(np.clip(dark + noise, 0, 255).astype(np.uint8)) == [MILK]


def test_the_box_says_where_the_label_is_also_in_a_large_picture():
    frame = draw_pack([draw_label(MILK, scale=8)], size=(4000, 3000))
    (code,) = decode(frame)
    left, top, right, bottom = code.box
    assert left < 2000 < right
    assert 1000 < top <= bottom < 2000
    assert 400 < right - left < 1000


def test_three_labels_in_view_are_all_read():
    labels = [draw_label(MILK), draw_label("96385074", "ean8")]
    labels.append(draw_label("https://id.example/hello", "qrcode"))
    found = {code.norm for code in decode(draw_pack(labels))}
    assert found == {f"0{MILK}", "00000096385074", "https://id.example/hello"}


@pytest.mark.parametrize("turned", [30, 45, 60])
def test_a_qr_code_for_marketing_does_not_hide_a_label_that_is_hard_to_read(turned):
    # Turned like this, the cheap first look reads the QR code and not the EAN-13.
    label = draw_label(MILK, scale=2)
    frame = draw_pack([label, draw_label("https://shop.example", "qrcode", scale=4)])
    turn = cv2.getRotationMatrix2D((640, 360), turned, 1.0)
    seen = cv2.warpAffine(frame, turn, (1280, 720), borderValue=190)
    assert set(texts(seen.astype(np.uint8))) == {MILK, "https://shop.example"}


@pytest.mark.parametrize(
    "frame",
    [
        np.full((720, 1280), 190, np.uint8),
        np.zeros((720, 1280), np.uint8),
        np.tile(np.array([0, 0, 0, 255, 255, 255], np.uint8), (720, 213)),
        np.random.default_rng(3).integers(0, 256, (720, 1280), np.uint8),
        np.zeros((1, 1), np.uint8),
        np.zeros((1, 5000), np.uint8),
        np.zeros((5000, 3), np.uint8),
    ],
    ids=["empty", "covered", "stripes", "noise", "pixel", "line", "sliver"],
)
def test_a_frame_without_a_code_gives_none(frame):
    assert decode(frame) == []


def test_half_a_label_gives_none():
    label = draw_label(MILK)
    half = label[:, : label.shape[1] * 6 // 10]
    assert decode(draw_pack([half])) == []


def test_two_halves_of_different_labels_give_none():
    left, right = draw_label(MILK), draw_label(BREAD)
    middle = left.shape[1] // 2
    assert not is_gtin(MILK[:7] + BREAD[7:])
    glued = np.hstack([left[:, :middle], right[:, middle:]])
    assert decode(draw_pack([glued])) == []


# -- votes -------------------------------------------------------------------

HERE = (500, 300, 700, 400)
NEAR = (520, 310, 690, 390)
ELSEWHERE = (100, 600, 300, 700)


def read(text, kind="ean13", box=HERE, reader="zxing"):
    reading = reading_of(reader, kind, "]E0", text, box)
    assert isinstance(reading, Reading)
    return reading


def accepted(*readings):
    return [code.norm for code in vote(list(readings))]


def test_one_reading_of_a_linear_code_is_not_enough():
    assert accepted(read(MILK)) == []
    assert accepted(read(MILK), read(MILK, reader="zbar")) == [f"0{MILK}"]


def test_one_reading_of_a_code_that_corrects_itself_is_enough():
    assert accepted(read("hello", kind="qrcode")) == ["hello"]


def test_two_numbers_at_one_place_are_no_reading():
    rivals = [read(MILK), read(MILK), read(BREAD, box=NEAR), read(BREAD, box=NEAR)]
    assert accepted(*rivals) == []


def test_two_numbers_at_two_places_are_two_readings():
    apart = [read(MILK), read(MILK), *[read(BREAD, box=ELSEWHERE)] * 2]
    assert accepted(*apart) == [f"0{MILK}", f"0{BREAD}"]


def test_one_wrong_reading_does_not_outweigh_three_right_ones():
    assert accepted(read(BREAD), *[read(MILK)] * 2) == []
    assert accepted(read(BREAD), *[read(MILK)] * 3) == [f"0{MILK}"]


def test_a_upc_e_that_is_half_an_ean_13_is_dropped():
    half = [read("0012000006494", kind="upce", box=NEAR)] * 4
    assert accepted(*half) == ["00012000006494"]
    assert accepted(*half, read(MILK), read(MILK)) == [f"0{MILK}"]
    assert accepted(*half, read(MILK)) == []


def test_a_upc_e_that_zbar_alone_sees_is_dropped():
    seen = [read("0012000006494", kind="upce", reader="zbar")] * 8
    assert accepted(*seen) == []
    assert accepted(*seen, read("0012000006494", kind="upce")) == ["00012000006494"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [("ean13", "4006381333932"), ("itf", "0829220875"), ("", "CODE39"), ("qrcode", "")],
)
def test_what_does_not_check_is_no_reading(kind, text):
    assert reading_of("zxing", kind, "", text, HERE) is None


# -- numbers and bytes -------------------------------------------------------


@pytest.mark.parametrize(
    ("upc_e", "upc_a"),
    [
        ("01264904", "012000006494"),
        ("04124498", "041244000098"),
        ("01278907", "012000007897"),
        ("12345670", "123456000070"),
        ("01234565", "012345000065"),
        ("01234564", ""),
        ("21234565", ""),
        ("0123456", ""),
        ("0123456x", ""),
    ],
)
def test_a_upc_e_stands_for_one_upc_a_or_none(upc_e, upc_a):
    assert expand_upc_e(upc_e) == upc_a


def test_check_digits_are_those_gs1_prints():
    assert [check_digit(n) for n in ("400638133393", "9638507", "0950600013435")] == [
        "1",
        "4",
        "2",
    ]


@pytest.mark.parametrize(
    ("norm", "symbology", "about"),
    [
        ("010950600013435210AB", "]d2", "09506000134352"),
        ("010950600013435210AB", "]d1", "010950600013435210AB"),
        ("010950600013435310AB", "]d2", "010950600013435310AB"),
        ("https://id.example/01/09506000134352/10/A", "]Q1", "09506000134352"),
        ("https://id.example/x/01/9638507?a", "]Q1", None),
        ("https://id.example/01/96385074?17=991231", "]Q1", "00000096385074"),
        ("https://id.example/?q=/01/09506000134352", "]Q1", None),
    ],
)
def test_codes_of_one_article_have_one_name(norm, symbology, about):
    assert article(norm, symbology) == (about or norm)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"4006381333931", ""),
        ("Käse \x1d 茶".encode(), ""),
        (b"", "empty"),
        (b"a\x1b[2J", "garbled"),
        (b"a\r\nb", "garbled"),
        (b"\xff\xfe", "garbled"),
        ("a\u202eb".encode(), "garbled"),
        (b"1" * 2049, "too long"),
    ],
)
def test_what_is_no_label_is_refused_with_its_cause(data, why):
    assert refusal(data) == why


# -- files -------------------------------------------------------------------


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "milk.png"
    cv2.imwrite(str(path), draw_pack([draw_label(MILK)]))
    return path


def test_a_file_gives_one_line_with_its_codes(picture):
    (decoded,) = decode_files([picture])
    line = as_json_line(decoded)
    assert line.startswith(f'{{"file":"{picture}","codes":[{{"symbology":"ean13",')
    assert f'"text":"{MILK}","norm":"0{MILK}"}}],"ms":' in line
    assert "\n" not in line
    assert as_words(decoded).startswith(f"{picture}: ean13 '{MILK}' (")


def test_a_broken_file_gives_a_message_and_the_next_file_is_read(tmp_path, picture):
    whole = picture.read_bytes()
    broken = {
        "empty.png": b"",
        "text.jpg": b"not a picture",
        "cut.png": whole[: len(whole) // 2],
        "head.png": whole[:40],
        "flipped.png": whole[:60] + bytes([whole[60] ^ 0xFF]) + whole[61:],
    }
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
    paths = [tmp_path / name for name in broken]
    *bad, good = decode_files([*paths, tmp_path / "missing.png", tmp_path, picture])
    assert all(one.error and not one.codes for one in bad)
    assert bad[-2].error == "no such file"
    assert [code.text for code in good.codes] == [MILK]


def test_a_file_too_large_is_not_even_opened(tmp_path):
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(MOST_FILE_BYTES + 1)
    refused = load_picture(path)
    assert isinstance(refused, Unreadable)
    assert "at most" in refused.reason


def test_a_picture_that_unpacks_to_too_many_pixels_is_refused(tmp_path):
    path = tmp_path / "bomb.png"
    cv2.imwrite(str(path), np.zeros((8000, 8000), np.uint8))
    refused = load_picture(path)
    assert isinstance(refused, Unreadable)
    assert "8000 x 8000 pixels" in refused.reason


def test_a_label_on_a_transparent_ground_is_read(tmp_path):
    label = draw_pack([draw_label(MILK)])
    path = tmp_path / "clear.png"
    black = np.zeros_like(label)
    cv2.imwrite(str(path), cv2.merge([black, black, black, 255 - label]))
    (decoded,) = decode_files([path])
    assert [code.text for code in decoded.codes] == [MILK]
