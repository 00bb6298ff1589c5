"""Somebody on the kiosk's own network who tries its doors, and hears what it says.

On one end of a wire that carries frames as datagrams. He may ask for the kiosk's card,
which must answer him; whatever else it answers is a finding. Sends no more at once than
an emulated card takes, and asks for the card again to know that it took them.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from itertools import islice
from pathlib import Path
from typing import Self

import frames_on_wire as wire
from frames_on_wire import End, Heard

CARD = bytes.fromhex("525400beef66")
ADDRESS = IPv4Address("10.0.2.66")
# Half of what a virtio card holds.
_AT_ONCE = 128
_ALL_NODES = End(bytes.fromhex("333300000001"), IPv6Address("ff02::1"))
# Beside the first 1023: what services that somebody forgot listen to.
_OFTEN = (
    *(1194, 1434, 1645, 1646, 1701, 1812, 1813, 1900, 2048, 2049, 2222, 3283, 3456),
    *(3478, 3493, 3702, 4500, 5000, 5060, 5353, 5355, 5632, 5683, 8081, 9100, 9200),
    *(10000, 17185, 20007, 20031, 22000, 27015, 30718, 31337, 32768, 33434, 47808),
    *(49152, 49153, 49154, 49156, 49181, 49182, 49185, 49186, 49188, 49190, 65024),
)
_HIS_PORT = 40000


class Deaf(Exception):
    """The kiosk did not answer for its own card."""


class Stranger:
    """One card on the kiosk's network, with a socket for a wire."""

    def __init__(self, own: Path, segment: Path) -> None:
        own.unlink(missing_ok=True)
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._link.bind(str(own))
        self._segment = str(segment)
        self.me = End(CARD, ADDRESS)
        # All that others sent since he began to listen.
        self.heard: list[Heard] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()

    def find(self, address: IPv4Address, seconds: float = 20) -> End:
        """Ask whose address it is. Raises `Deaf` when nobody answers."""
        end = time.monotonic() + seconds
        question = wire.arp(wire.ASKS, self.me, End(wire.EVERYBODY, address))
        while time.monotonic() < end:
            since = len(self.heard)
            self._send(question)
            until = min(end, time.monotonic() + 1)
            while time.monotonic() < until:
                for heard in self.heard[since:]:
                    if _answers_for(address, heard):
                        return End(heard.source, address)
                since = len(self.heard)
                self._wait(until - time.monotonic())
        raise Deaf(f"nobody answers for {address}")

    def send(self, kiosk: End, frames: Iterable[bytes]) -> int:
        """Send what the kiosk takes in order, and return the count. Raises `Deaf`."""
        assert isinstance(kiosk.address, IPv4Address)
        count, left = 0, iter(frames)
        while some := list(islice(left, _AT_ONCE)):
            for frame in some:
                self._send(frame)
            count += len(some)
            # Frames keep their order: who answers this took those.
            self.find(kiosk.address)
        return count

    def listen(self, seconds: float) -> None:
        """Hear what comes in that time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._wait(left)

    def answers(self, kiosk: End) -> list[Heard]:
        """Return what the kiosk sent to him so far, but for its card's address."""
        return [
            heard
            for heard in self.heard
            if heard.source == kiosk.card
            and heard.target == self.me.card
            and heard.kind != wire.ARP
        ]

    def _send(self, frame: bytes) -> None:
        self._link.sendto(frame, self._segment)
        self._take()

    def _wait(self, seconds: float) -> None:
        """Take what comes until a pause, or wait for that long."""
        if select.select([self._link], [], [], max(seconds, 0))[0]:
            self._take()

    def _take(self) -> None:
        while select.select([self._link], [], [], 0)[0]:
            heard = wire.read(self._link.recv(1 << 16))
            self.heard.append(heard)
            asks = (heard.kind, heard.protocol) == (wire.ARP, wire.ASKS)
            if asks and heard.receiver == str(ADDRESS):
                # Who would answer him must be able to.
                asking = End(heard.source, IPv4Address(heard.sender))
                answer = wire.arp(wire.ANSWERS, self.me, asking)
                self._link.sendto(answer, self._segment)


def _answers_for(address: IPv4Address, heard: Heard) -> bool:
    is_answer = (heard.kind, heard.protocol) == (wire.ARP, wire.ANSWERS)
    return is_answer and heard.sender == str(address)


# -- what he tries ---------------------------------------------------------


def every_port(me: End, kiosk: End) -> Iterator[bytes]:
    """Yield a SYN for each of TCP's ports."""
    for port in range(1, 1 << 16):
        yield wire.tcp(me, kiosk, (_HIS_PORT, port))


def common_datagrams(me: End, kiosk: End) -> Iterator[bytes]:
    """Yield a datagram for each UDP port that a service is often at."""
    for port in (*range(1, 1024), *_OFTEN):
        yield wire.udp(me, kiosk, (_HIS_PORT, port))


def tricks(me: End, kiosk: End) -> Iterator[bytes]:
    """Yield what gets past simple filters: trusted source ports, odd flags, old words."""
    yield wire.ping(me, kiosk)
    yield wire.icmp_asks(me, kiosk, 13, 20)
    yield wire.icmp_asks(me, kiosk, 17, 12)
    yield wire.groups(me)
    for source in (20, 53, 67, 80, 123, 443, 8081, 20007):
        for port in (22, 53, 68, 80, 323, 443, 3493, 5353, 5355, 8080, 8443):
            yield wire.udp(me, kiosk, (source, port))
            yield wire.tcp(me, kiosk, (source, port))
    for port in (22, 80, 443, 3493):
        for flags in (
            *(0, wire.FIN, wire.ACK, wire.SYN | wire.ACK),
            wire.FIN | wire.PUSH | wire.URGENT,
        ):
            yield wire.tcp(me, kiosk, (_HIS_PORT + 1, port), flags)


def over_ipv6(me: End, kiosk: End, ports: Iterable[int]) -> Iterator[bytes]:
    """Yield a search for the kiosk's own IPv6 address, pings and SYNs to it."""
    mine = End(me.card, wire.link_local(me.card))
    wanted = wire.link_local(kiosk.card)
    its = End(kiosk.card, wanted)
    yield wire.neighbour(mine, wanted)
    yield wire.ping(mine, _ALL_NODES)
    yield wire.ping(mine, its)
    for port in ports:
        yield wire.tcp(mine, its, (_HIS_PORT, port))
        yield wire.udp(mine, its, (_HIS_PORT, port))
