"""The made-up USB device says, byte for byte, what usbredir 0.7 and USB 2.0 ask for."""

from __future__ import annotations

import socket
from pathlib import Path

import usb_liar
from imagebuild.machine import until
from usb_liar import Packet, Plug, Pretended

SCANNER = Pretended(0x0627, 0x0001, ("03:01:01",))
LIAR = Pretended(0x0627, 0x0001, ("03:01:01", "08:06:50"))


def _asked(device: Pretended, request: str, number: int = 7) -> bytes:
    (answer,) = usb_liar.answers(device, Packet(100, bytes.fromhex(request), number))
    assert (answer.kind, answer.number) == (100, number)
    return answer.body


def test_its_hello_has_an_id_of_32_bits_and_four_capabilities():
    said = usb_liar.hello()
    assert said[:12] == bytes.fromhex("00000000 44000000 00000000")
    assert said[-4:] == bytes.fromhex("72000000")
    assert len(said) == 12 + 64 + 4


def test_what_follows_has_ids_of_64_bits():
    said = usb_liar.written(Packet(8, b"\0\1", 0x0102030405060708))
    assert said == bytes.fromhex("08000000 02000000 0807060504030201 0001")


def test_it_connects_after_it_told_its_interfaces_and_endpoints():
    told = usb_liar.answers(SCANNER, Packet(0))
    assert [packet.kind for packet in told] == [4, 5, 1]
    assert told[2].body == bytes.fromhex("01 000000 2706 0100 0001")


def test_its_interfaces_stand_in_columns_of_32():
    body = usb_liar.interfaces(LIAR).body
    assert len(body) == 4 + 4 * 32
    assert body[:4] == bytes.fromhex("02000000")
    columns = [body[4 + 32 * n :][:2].hex() for n in range(4)]
    assert columns == ["0001", "0308", "0106", "0150"]


def test_its_endpoints_are_sixteen_out_and_sixteen_in():
    body = usb_liar.endpoints(LIAR).body
    assert len(body) == 3 * 32 + 2 * 32
    assert {n: body[n] for n in range(32) if body[n] != 255} == {
        0: 0,
        2: 2,
        16: 0,
        17: 3,
        18: 2,
    }
    assert [body[64 + n] for n in (2, 17, 18)] == [1, 0, 1]


def test_it_describes_itself_as_the_scanner_does():
    told = _asked(SCANNER, "80 06 80 00 0001 0000 1200".replace(" ", ""))
    assert told[:10] == bytes.fromhex("80068000000100001200")
    assert told[10:] == bytes.fromhex("1201000200000040 2706 0100 0001 01020301")


def test_its_configuration_says_what_it_is_besides():
    told = _asked(LIAR, "80 06 80 00 0002 0000 ff00")
    body = told[10:]
    assert int.from_bytes(told[8:10], "little") == len(body)
    assert body[:9] == bytes.fromhex("0902 3900 02 01 00 80 32")
    assert bytes.fromhex("0904 00 00 01 030101 00") in body
    assert bytes.fromhex("0904 01 00 02 080650 00") in body
    assert len(body) == 0x39


def test_no_more_is_told_than_was_asked_for():
    assert len(_asked(LIAR, "80 06 80 00 0002 0000 0900")) == 10 + 9


def test_what_it_does_not_know_is_stalled():
    assert _asked(SCANNER, "80 06 80 00 0006 0000 0a00")[3] == usb_liar.STALL


def test_it_takes_what_it_is_set_to():
    told = _asked(SCANNER, "00 0a 21 00 0000 0000 0000")
    assert told[3] == usb_liar.SUCCESS
    last = usb_liar.answers(SCANNER, Packet(6, b"\1", 9))[-1]
    assert last == Packet(8, b"\0\1", 9)
    assert usb_liar.answers(SCANNER, Packet(15, b"\x81", 3)) == [
        Packet(17, b"\0\x81", 3)
    ]


def test_it_answers_on_its_socket(tmp_path: Path):
    with (
        Plug(tmp_path / "plug", SCANNER) as plug,
        socket.socket(socket.AF_UNIX) as link,
    ):
        link.connect(str(plug.path))
        link.sendall(usb_liar.hello())
        with link.makefile("rb") as reader:
            assert reader.read(80) == usb_liar.hello()
            kinds = []
            for length in (132, 160, 10):
                head = reader.read(16)
                kinds.append(head[0])
                assert int.from_bytes(head[4:8], "little") == length
                reader.read(length)
        assert kinds == [4, 5, 1]


def test_it_tells_what_it_was_given_to_tell(tmp_path: Path):
    device = Pretended(1, 2, ("03:00:00",), "It", b"\x05\x0d", (b"\2\5", b"\3\0\0"))
    body = usb_liar.described(device)
    # Its HID descriptor holds the report descriptor's length (HID 1.11, 6.2.1).
    assert bytes.fromhex("0921 1101 00 01 22 0200") in body
    told = _asked(device, "80 06 81 00 0022 0000 ff00")
    assert told[10:] == b"\x05\x0d"


def test_it_answers_for_the_features_that_it_has():
    device = Pretended(1, 2, ("03:00:00",), features=(b"\2\5", b"\3\0\0"))
    assert _asked(device, "80 01 a1 00 0203 0000 ff00")[10:] == b"\2\5"
    assert _asked(device, "80 01 a1 00 0303 0000 0200")[10:] == b"\3\0"
    assert _asked(device, "80 01 a1 00 0403 0000 ff00")[3] == usb_liar.STALL
    assert _asked(device, "80 01 a1 00 0201 0000 ff00")[3] == usb_liar.STALL


def test_what_it_pushes_comes_from_its_interrupt_endpoint():
    packet = usb_liar.interrupt(b"\1\2\3", 7)
    assert packet == Packet(103, bytes.fromhex("81 00 0300 010203"), 7)


def test_it_pushes_only_while_its_host_asks(tmp_path: Path):
    with (
        Plug(tmp_path / "plug", SCANNER) as plug,
        socket.socket(socket.AF_UNIX) as link,
        link.makefile("rb") as reader,
    ):
        link.connect(str(plug.path))
        link.sendall(usb_liar.hello())
        plug.push(b"unheard")
        reader.read(80 + 16 + 132 + 16 + 160 + 16 + 10)
        assert plug.polled_seconds == 0
        for kind in (15, 16, 15):
            link.sendall(usb_liar.written(Packet(kind, b"\x81")))
            assert reader.read(16 + 2)[0] == 17
        until(lambda: plug.polled_seconds > 0, 5, "a device that is asked")
        plug.push(b"heard")
        plug.push(b"again")
        assert reader.read(16 + 4 + 5)[-5:] == b"heard"
        # Each has a number of its own.
        assert reader.read(16 + 4 + 5)[8:] == bytes([1, *bytes(7), 0x81, 0, 5, 0]) + (
            b"again"
        )
