"""A stranger's frames are right to the byte, and he hears a kiosk that answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from threading import Thread

import frames_on_wire as wire
import pytest
import stranger_on_net
from frames_on_wire import End
from stranger_on_net import Deaf, Stranger

ME = End(bytes.fromhex("525400beef66"), IPv4Address("10.0.2.66"))
ITS_ADDRESS = IPv4Address("10.0.2.15")
KIOSK = End(bytes.fromhex("525400123456"), ITS_ADDRESS)


def test_a_question_for_a_card_is_rfc_826s():
    frame = wire.arp(wire.ASKS, ME, End(wire.EVERYBODY, KIOSK.address))
    assert frame[:42] == bytes.fromhex(
        "ffffffffffff 525400beef66 0806 0001 0800 06 04 0001"
        "525400beef66 0a000242 000000000000 0a00020f"
    )
    assert len(frame) == 60


def test_the_checksum_is_that_of_a_known_header():
    known = "4500 0073 0000 4000 4011 0000 c0a8 0001 c0a8 00c7"
    assert wire.checksum(bytes.fromhex(known)) == 0xB861


def test_a_syn_is_whole():
    frame = wire.tcp(ME, KIOSK, (40000, 443))
    assert frame[:14] == KIOSK.card + ME.card + b"\x08\x00"
    assert frame[14:34] == bytes.fromhex(
        "4500 0028 0001 0000 4006 627f 0a000242 0a00020f"
    )
    assert frame[34:50] == bytes.fromhex("9c40 01bb 00000001 00000000 50 02 0400")
    part = frame[34:54]
    pseudo = bytes.fromhex("0a000242 0a00020f 0006 0014")
    assert wire.checksum(pseudo + part) == 0


@pytest.mark.parametrize(
    "frame",
    [
        wire.ping(ME, KIOSK),
        wire.icmp_asks(ME, KIOSK, 13, 20),
        wire.groups(ME),
        wire.udp(ME, KIOSK, (67, 68)),
    ],
)
def test_headers_and_messages_sum_to_nothing(frame):
    length = int.from_bytes(frame[16:18], "big")
    head, part = frame[14:34], frame[34 : 14 + length]
    if head[9] == wire.UDP:
        part = head[12:] + bytes([0, wire.UDP]) + part[4:6] + part
    assert (wire.checksum(head), wire.checksum(part)) == (0, 0)


def test_a_card_gives_itself_this_address():
    assert wire.link_local(KIOSK.card) == IPv6Address("fe80::5054:ff:fe12:3456")


def test_a_search_for_a_neighbour_goes_to_its_group():
    mine = End(ME.card, wire.link_local(ME.card))
    frame = wire.neighbour(mine, wire.link_local(KIOSK.card))
    assert frame[:6] == bytes.fromhex("3333ff123456")
    assert frame[14:22] == bytes.fromhex("60000000 0020 3aff")
    assert frame[38:54] == IPv6Address("ff02::1:ff12:3456").packed
    assert frame[54:56] == bytes.fromhex("8700")
    part = frame[54:86]
    pseudo = frame[22:54] + (len(part)).to_bytes(4, "big") + bytes([0, 0, 0, 58])
    assert wire.checksum(pseudo + part) == 0


def test_what_is_heard_is_told_in_a_line():
    assert str(wire.read(wire.tcp(KIOSK, ME, (443, 40000), wire.RST))) == (
        "0800/6 10.0.2.15 -> 10.0.2.66:40000"
    )
    cut = wire.read(wire.tcp(KIOSK, ME, (443, 40000))[:20])
    assert (cut.kind, cut.protocol) == (wire.IPV4, -1)


class Answering:
    """A machine on the wire that answers for its card, and on one port."""

    def __init__(self, own: Path, stranger: Path, port: int | None) -> None:
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._link.bind(str(own))
        self._to, self._port = str(stranger), port
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            heard = wire.read(self._link.recv(1 << 16))
            if heard.kind == wire.ARP:
                self._link.sendto(wire.arp(wire.ANSWERS, KIOSK, ME), self._to)
            elif heard.port == self._port:
                frame = wire.tcp(KIOSK, ME, (heard.port, 40000), wire.RST)
                self._link.sendto(frame, self._to)


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Stranger]:
    with Stranger(tmp_path / "me", tmp_path / "segment") as stranger:
        yield stranger


def test_a_closed_door_that_says_so_is_found(tmp_path: Path, stranger: Stranger):
    Answering(tmp_path / "segment", tmp_path / "me", 3493)
    kiosk = stranger.find(ITS_ADDRESS)
    assert kiosk == KIOSK
    count = stranger.send(kiosk, stranger_on_net.every_port(stranger.me, kiosk))
    assert count == 65535
    assert [str(a) for a in stranger.answers(kiosk)] == [
        "0800/6 10.0.2.15 -> 10.0.2.66:40000"
    ]


def test_silence_is_no_answer(tmp_path: Path, stranger: Stranger):
    Answering(tmp_path / "segment", tmp_path / "me", None)
    kiosk = stranger.find(ITS_ADDRESS)
    stranger.send(kiosk, stranger_on_net.common_datagrams(stranger.me, kiosk))
    stranger.send(kiosk, stranger_on_net.tricks(stranger.me, kiosk))
    stranger.send(kiosk, stranger_on_net.over_ipv6(stranger.me, kiosk, range(1, 99)))
    assert stranger.answers(kiosk) == []


def test_a_kiosk_that_is_not_there_is_no_silent_one(tmp_path: Path, stranger: Stranger):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nobody:
        nobody.bind(str(tmp_path / "segment"))
        with pytest.raises(Deaf):
            stranger.find(ITS_ADDRESS, 0.01)
