"""ZVT's TLV container (BMP 06): tags, BER lengths, nesting. Pure.

PA00P015, chapter 9. A tree that is cut short is read as far as it goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

_CONSTRUCTED = 0x20
_MORE = 0x1F
# Real containers nest three deep; a hostile one must not use up the stack.
_DEEPEST = 8
_LONGEST_TAG = 4


class Tlv(msgspec.Struct, frozen=True):
    """One tag and what it carries: bytes, or more tags where bit 6 says so.

    `form` is how many bytes said the length: terminals do not always take the fewest.
    """

    tag: int
    value: bytes | tuple[Tlv, ...]
    form: int = 1

    def __repr__(self) -> str:
        return f"Tlv({self.tag:X})"


Tree: TypeAlias = tuple[Tlv, ...]


def parse(data: bytes, depth: int = 0) -> tuple[Tree, bool]:
    """Return the tags in `data`, and whether all of it was understood."""
    found: list[Tlv] = []
    place = 0
    while place < len(data):
        one = _one(data, place, depth)
        if one is None:
            return tuple(found), False
        tlv, place, is_whole = one
        found.append(tlv)
        if not is_whole:
            return tuple(found), False
    return tuple(found), True


def encode(tree: Tree) -> bytes:
    """Return the bytes of a tree."""
    return b"".join(_encoded(tlv) for tlv in tree)


def container(tree: Tree) -> bytes:
    """Return a tree as BMP 06 carries it: its length, then its bytes."""
    content = encode(tree)
    return length_of(len(content)) + content


def walk(tree: Tree) -> Iterator[Tlv]:
    """Yield every tag of a tree, outer ones first."""
    for tlv in tree:
        yield tlv
        if isinstance(tlv.value, tuple):
            yield from walk(tlv.value)


def first(tree: Tree, tag: int) -> bytes | None:
    """Return the bytes of the first such tag anywhere in a tree, or None."""
    for tlv in walk(tree):
        if tlv.tag == tag and isinstance(tlv.value, bytes):
            return tlv.value
    return None


def read_length(data: bytes, place: int) -> tuple[int, int] | None:
    """Return a BER length and the place behind it, or None where it is cut short."""
    if place >= len(data):
        return None
    head = data[place]
    if head < 0x80:
        return head, place + 1
    more = head & 0x7F
    end = place + 1 + more
    if more not in (1, 2) or end > len(data):
        return None
    return int.from_bytes(data[place + 1 : end], "big"), end


def length_of(size: int, form: int = 1) -> bytes:
    """Return a BER length in at least `form` bytes."""
    if size < 0x80 and form == 1:
        return bytes([size])
    if size <= 0xFF and form <= 2:
        return bytes([0x81, size])
    return b"\x82" + size.to_bytes(2, "big")


def _one(data: bytes, place: int, depth: int) -> tuple[Tlv, int, bool] | None:
    start = place
    tag = data[place]
    place += 1
    if tag & _MORE == _MORE:
        while True:
            if place >= len(data) or place - start >= _LONGEST_TAG:
                return None
            tag = tag << 8 | data[place]
            place += 1
            if not data[place - 1] & 0x80:
                break
    length = read_length(data, place)
    if length is None or length[1] + length[0] > len(data):
        return None
    size, begin = length
    content = data[begin : begin + size]
    form = begin - place
    if data[start] & _CONSTRUCTED and depth < _DEEPEST:
        inner, is_whole = parse(content, depth + 1)
        if not is_whole:
            return Tlv(tag, inner, form), begin + size, False
        return Tlv(tag, inner, form), begin + size, True
    return Tlv(tag, content, form), begin + size, True


def _encoded(tlv: Tlv) -> bytes:
    value = encode(tlv.value) if isinstance(tlv.value, tuple) else tlv.value
    size = max(1, (tlv.tag.bit_length() + 7) // 8)
    return tlv.tag.to_bytes(size, "big") + length_of(len(value), tlv.form) + value
