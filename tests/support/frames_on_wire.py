"""Ethernet frames as bytes: made and read by the standard library, without a socket.

ARP, IPv4, IPv6 and what a stranger puts into them to find an open door. Keeps no state
and never answers anything.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

EVERYBODY = b"\xff" * 6
IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
ICMP, IGMP, TCP, UDP, ICMPV6 = 1, 2, 6, 17, 58
ASKS, ANSWERS = 1, 2
FIN, SYN, RST, PUSH, ACK, URGENT = 1, 2, 4, 8, 16, 32
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class End:
    """Who sends or is sent to: a card's address and one on the network."""

    card: bytes
    address: Address


@dataclass(frozen=True, slots=True)
class Heard:
    """What a frame says of itself, as far as a stranger needs it."""

    source: bytes
    target: bytes
    kind: int
    # ARP: 1 asks, 2 answers; else IP's protocol.
    protocol: int = -1
    sender: str = ""
    receiver: str = ""
    port: int = -1

    def __str__(self) -> str:
        where = f"{self.receiver}:{self.port}" if self.port >= 0 else self.receiver
        return (
            f"{self.kind:04x}/{self.protocol} {self.sender or self.source.hex(':')}"
            f" -> {where or self.target.hex(':')}"
        )


# -- making ----------------------------------------------------------------


def ethernet(target: bytes, source: bytes, kind: int, body: bytes) -> bytes:
    """Return a frame, filled up to Ethernet's least length."""
    return (target + source + struct.pack(">H", kind) + body).ljust(60, b"\0")


def arp(what: int, sender: End, receiver: End) -> bytes:
    """Return a frame that asks for a card's address, or answers (RFC 826)."""
    # Ethernet (1) and IPv4, with addresses of six bytes and of four.
    body = struct.pack(">HHBBH", 1, IPV4, 6, 4, what)
    body += sender.card + sender.address.packed
    asked = bytes(6) if receiver.card == EVERYBODY else receiver.card
    return ethernet(
        receiver.card, sender.card, ARP, body + asked + receiver.address.packed
    )


def ip(sender: End, receiver: End, protocol: int, body: bytes, hops: int = 64) -> bytes:
    """Return a frame with one whole packet of IPv4 or IPv6."""
    ends = sender.address.packed + receiver.address.packed
    if sender.address.version == 6:
        head = struct.pack(">IHBB", 6 << 28, len(body), protocol, hops) + ends
        return ethernet(receiver.card, sender.card, IPV6, head + body)
    length = 20 + len(body)
    start = struct.pack(">BBHHHBB", 0x45, 0, length, 1, 0, hops, protocol)
    head = start + struct.pack(">H", checksum(start + bytes(2) + ends)) + ends
    return ethernet(receiver.card, sender.card, IPV4, head + body)


def tcp(sender: End, receiver: End, ports: tuple[int, int], flags: int = SYN) -> bytes:
    """Return a segment without data: flags to a port, from a port (RFC 9293)."""
    part = struct.pack(">HHIIBBHHH", *ports, 1, 0, 5 << 4, flags, 1024, 0, 0)
    whole = _summed(sender, receiver, TCP, part, 16)
    return ip(sender, receiver, TCP, whole)


def udp(
    sender: End, receiver: End, ports: tuple[int, int], data: bytes = b"\0\0"
) -> bytes:
    """Return a datagram to a port, from a port."""
    part = struct.pack(">HHHH", *ports, 8 + len(data), 0) + data
    return ip(sender, receiver, UDP, _summed(sender, receiver, UDP, part, 6))


def ping(sender: End, receiver: End) -> bytes:
    """Return an echo request: ICMP, or ICMPv6."""
    if sender.address.version == 6:
        part = struct.pack(">BBHHH", 128, 0, 0, 1, 1)
        return ip(
            sender, receiver, ICMPV6, _summed(sender, receiver, ICMPV6, part, 2), 255
        )
    start = struct.pack(">BBHHH", 8, 0, 0, 1, 1)
    part = start[:2] + struct.pack(">H", checksum(start)) + start[4:]
    return ip(sender, receiver, ICMP, part)


def icmp_asks(sender: End, receiver: End, kind: int, length: int) -> bytes:
    """Return an older question of ICMP's: the time (13) or the net's mask (17)."""
    start = bytes([kind, 0, 0, 0]).ljust(length, b"\0")
    part = start[:2] + struct.pack(">H", checksum(start)) + start[4:]
    return ip(sender, receiver, ICMP, part)


def groups(sender: End) -> bytes:
    """Return the question who listens to which group (IGMPv2's general query)."""
    start = struct.pack(">BBHI", 0x11, 10, 0, 0)
    part = start[:2] + struct.pack(">H", checksum(start)) + start[4:]
    all_hosts = End(bytes.fromhex("01005e000001"), IPv4Address("224.0.0.1"))
    return ip(sender, all_hosts, IGMP, part, 1)


def neighbour(sender: End, wanted: IPv6Address) -> bytes:
    """Return the question for a card's address in IPv6 (RFC 4861, 4.3)."""
    last = wanted.packed[-3:]
    group = IPv6Address(b"\xff\x02" + bytes(9) + b"\x01\xff" + last)
    receiver = End(b"\x33\x33\xff" + last, group)
    part = struct.pack(">BBHI", 135, 0, 0, 0) + wanted.packed
    part += b"\x01\x01" + sender.card
    return ip(sender, receiver, ICMPV6, _summed(sender, receiver, ICMPV6, part, 2), 255)


def link_local(card: bytes) -> IPv6Address:
    """Return the address that a card gives itself (RFC 4291, appendix A)."""
    ends = bytes([card[0] ^ 2]) + card[1:3] + b"\xff\xfe" + card[3:]
    return IPv6Address(b"\xfe\x80" + bytes(6) + ends)


def checksum(data: bytes) -> int:
    """Return the Internet's checksum (RFC 1071)."""
    even = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(even) // 2}H", even))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _summed(sender: End, receiver: End, protocol: int, part: bytes, at: int) -> bytes:
    ends = sender.address.packed + receiver.address.packed
    pseudo = ends + struct.pack(">II", len(part), protocol)
    return part[:at] + struct.pack(">H", checksum(pseudo + part)) + part[at + 2 :]


# -- reading ---------------------------------------------------------------


def read(frame: bytes) -> Heard:
    """Return what a frame is; of one that is cut short, as much as is there."""
    target, source, rest = frame[:6], frame[6:12], frame[14:]
    kind = int.from_bytes(frame[12:14], "big")
    if kind == ARP and len(rest) >= 28:
        sender, receiver = (str(IPv4Address(rest[n : n + 4])) for n in (14, 24))
        return Heard(source, target, kind, rest[7], sender, receiver)
    if kind == IPV4 and len(rest) >= 20:
        sender, receiver = (str(IPv4Address(rest[n : n + 4])) for n in (12, 16))
        after = rest[(rest[0] & 0x0F) * 4 :]
        protocol = rest[9]
    elif kind == IPV6 and len(rest) >= 40:
        sender, receiver = (str(ip_address(rest[n : n + 16])) for n in (8, 24))
        after, protocol = rest[40:], rest[6]
    else:
        return Heard(source, target, kind)
    port = int.from_bytes(after[2:4], "big") if protocol in {TCP, UDP} else -1
    return Heard(source, target, kind, protocol, sender, receiver, port)
