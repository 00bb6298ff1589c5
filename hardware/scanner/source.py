"""How a setting names where a camera's frames come from.

Apart from `pictures`, so that the lane can check a setting without loading OpenCV.
It will never look whether the place exists: a camera may come later.
"""

from __future__ import annotations

import msgspec

KINDS = ("device", "video", "folder", "watch")


class Source(msgspec.Struct, frozen=True):
    """Where frames come from: `kind` is one of `KINDS`."""

    kind: str
    place: str


def parse_source(text: str) -> Source:
    """Read `device:/dev/video0`, `video:FILE`, `folder:DIR` or `watch:DIR`.

    Raises `ValueError` in the words of who wrote the setting.
    """
    kind, colon, place = text.partition(":")
    if kind not in KINDS or not colon or not place:
        expected = ", ".join(f"{kind}:PATH" for kind in KINDS)
        raise ValueError(f"camera source {text!r}: expected one of {expected}")
    return Source(kind, place)
