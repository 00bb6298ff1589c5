"""Captured ZVT frames, messages and fragments: read, redacted, written again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hardware.terminal import zvt_apdu, zvt_fields, zvt_serial, zvt_tlv
from hardware.terminal.zvt_messages import PrintBlock, Status, read, text_of

DATA = Path(__file__).parents[3] / "shared" / "data" / "terminals"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"the captures are not there: {DATA}"
)

# Their data is bitmaps from the first byte on.
PLAIN = (0x040F, 0x06D3, 0x0622)


def load(name: str) -> Any:
    path = DATA / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def cases(name: str, key: str, label: str) -> list[Any]:
    return [pytest.param(one, id=one[label]) for one in load(name).get(key, [])]


def whole(data: bytes) -> zvt_apdu.Apdu:
    apdus, rest, broken = zvt_apdu.split(data)
    assert (len(apdus), rest, broken) == (1, b"", None)
    return apdus[0]


@pytest.mark.parametrize("case", cases("zvt_serial_frames.json", "frames", "name"))
def test_a_frame_is_read_and_written_again(case):
    frame = bytes.fromhex(case["frame"])
    content = bytes.fromhex(case["apdu"])
    assert zvt_serial.split(frame) == ([zvt_serial.Frame(content, True)], b"")
    assert zvt_serial.encode(content) == frame


@pytest.mark.parametrize("case", cases("zvt_apdus.json", "apdus", "id"))
def test_a_message_is_read_and_written_again(case):
    data = bytes.fromhex(case["apdu"])
    apdu = whole(data)
    assert apdu.encode() == data
    if apdu.control in PLAIN:
        bitmaps = zvt_fields.parse(apdu.data)
        assert not bitmaps.is_partial
        assert zvt_fields.encode(bitmaps) == apdu.data


NAMES = {
    "currency": 0x49,
    "time": 0x0C,
    "date": 0x0D,
    "receipt": 0x87,
    "trace": 0x0B,
    "turnover": 0x88,
    "payment_type": 0x19,
    "tid": 0x29,
    "8C": 0x8C,
    "A0": 0xA0,
    "60": 0x60,
}
TEXTS = {"auth_attr": 0x3B, "card_name": 0x8B, "merchant_no": 0x2A, "text": 0x3C}
# Card data: that it is gone is the point.
GONE = {"expiry": 0x0E, "card_seq": 0x17}


@pytest.mark.parametrize(
    "case",
    [c for c in cases("zvt_apdus.json", "apdus", "id") if "fields" in c.values[0]],
)
def test_the_fields_say_what_another_reader_found(case):
    status = read(whole(bytes.fromhex(case["apdu"])), "cp437")
    assert isinstance(status, Status)
    for name, value in case["fields"].items():
        if name == "result":
            assert status.result == int(value, 16)
        elif name == "amount":
            assert status.fields.number(0x04) == value
        elif name == "pan":
            assert status.masked_pan == value
        elif name == "card_type":
            assert status.fields.value(0x8A) == bytes([value])
        elif name in GONE:
            assert status.fields.value(GONE[name]) is None
        elif name in TEXTS:
            assert text_of(status.fields.value(TEXTS[name]), "cp437") == value.strip()
        else:
            assert status.fields.digits(NAMES[name]) == value


@pytest.mark.parametrize(
    "case", [c for c in cases("zvt_apdus.json", "apdus", "id") if "tlv" in c.values[0]]
)
def test_the_container_holds_the_tags_another_reader_found(case):
    def as_lists(tree: zvt_tlv.Tree) -> list[Any]:
        return [
            [
                f"{tlv.tag:02X}",
                as_lists(tlv.value)
                if isinstance(tlv.value, tuple)
                else tlv.value.hex().upper(),
            ]
            for tlv in tree
        ]

    tree = zvt_fields.parse(whole(bytes.fromhex(case["apdu"])).data).tlv
    assert as_lists(tree) == case["tlv"]


@pytest.mark.parametrize("case", cases("zvt_fragments.json", "cases", "name"))
def test_a_message_in_pieces_is_whole_with_the_last_one(case):
    parts = [bytes.fromhex(part) for part in case["parts"]]
    rest = b""
    for part in parts[:-1]:
        apdus, rest, broken = zvt_apdu.split(rest + part)
        assert (apdus, broken) == ([], None)
    block = read(whole(rest + parts[-1]), "cp437")
    assert isinstance(block, PrintBlock)
    assert list(block.lines) == case["lines"]
    assert block.kind == int(case["receipt_type"])


@pytest.mark.parametrize("case", cases("zvt_fragments.json", "cases", "name"))
def test_a_message_byte_by_byte_is_the_same(case):
    data = bytes.fromhex("".join(case["parts"]))
    rest = b""
    found = []
    for byte in data:
        apdus, rest, broken = zvt_apdu.split(rest + bytes([byte]))
        assert broken is None
        found += apdus
    assert [apdu.encode() for apdu in found] == [data]


@pytest.mark.parametrize("case", cases("redaction_synthetic.json", "cases", "name"))
def test_no_card_data_leaves_the_codec(case):
    apdu = whole(bytes.fromhex(case["apdu"]))
    status = read(apdu, "cp437")
    assert isinstance(status, Status)
    shown = " ".join((repr(apdu), repr(status), status.masked_pan))
    kept = zvt_fields.encode(status.fields).hex().upper()
    for secret in case["must_not_appear"]:
        assert secret not in shown
        assert secret not in kept
        assert secret.encode().hex().upper() not in kept
    for allowed in case["may_appear"]:
        assert allowed in shown
