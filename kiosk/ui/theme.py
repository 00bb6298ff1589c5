"""Colours, sizes of type and the lengths everything is laid out by, in millimetres.

Contrasts are those of experience.md part 4; a test computes them again.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Colour: TypeAlias = str

# Noto Sans: the height of H is 714 of 1000 units, of a line 1362.
CAPITAL = 0.714
LINE = 1.362


class Theme(msgspec.Struct, frozen=True):
    """One look. Lengths are millimetres; type is measured by its capitals."""

    background: Colour = "#F5F7F9"
    card: Colour = "#FFFFFF"
    ink: Colour = "#10202E"
    muted: Colour = "#45566A"
    border: Colour = "#7A8794"
    hairline: Colour = "#DDE3E9"
    blue: Colour = "#0B5CAD"
    blue_soft: Colour = "#E4EEF8"
    green: Colour = "#0A6B48"
    green_soft: Colour = "#E0F1EA"
    red: Colour = "#B3261E"
    red_soft: Colour = "#FBE8E6"
    amber: Colour = "#FFC247"
    amber_soft: Colour = "#FFF0CC"
    shade: Colour = "#10202EA6"

    welcome: float = 14
    title: float = 9
    total: float = 11
    prompt: float = 7
    body: float = 5.2
    small: float = 4.8
    least: float = 4.0

    margin: float = 9
    gap: float = 4
    radius: float = 3.5
    target: float = 20
    least_target: float = 15
    row: float = 14


THEME = Theme()


def rgba(colour: Colour) -> tuple[float, float, float, float]:
    """Return a colour as Kivy wants it."""
    digits = colour.lstrip("#")
    values = [int(digits[i : i + 2], 16) / 255 for i in range(0, len(digits), 2)]
    red, green, blue = values[:3]
    return red, green, blue, values[3] if len(values) == 4 else 1.0


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of two colours (WCAG 2, 1.4.3)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Colour) -> float:
    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue, _ = rgba(colour)
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
