"""How Kivy is told to behave, all of it, before anything imports Kivy.

Imports no Kivy itself: the presenter lives in this package and must stay free of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import msgspec

FONT_FOLDER = Path("/usr/share/fonts/truetype/noto")
FONTS = {
    "regular": FONT_FOLDER / "NotoSans-Regular.ttf",
    "bold": FONT_FOLDER / "NotoSans-Bold.ttf",
}


class FontMissing(Exception):
    """The system has no font the screen can be drawn with."""


class Panel(msgspec.Struct, frozen=True):
    """The glass: its pixels and its diagonal. All sizes on it follow from these."""

    width_px: int
    height_px: int
    diagonal_inches: float

    @property
    def px_per_mm(self) -> float:
        """How many pixels make a millimetre on this panel."""
        diagonal = (self.width_px**2 + self.height_px**2) ** 0.5
        return float(diagonal / (self.diagonal_inches * 25.4))


class Settings(Protocol):
    """Kivy's Config, as far as it is used here."""

    def set(self, section: str, option: str, value: object) -> object:
        """Set one option."""

    def items(self, section: str) -> list[tuple[str, str]]:
        """Return a section's options."""

    def remove_option(self, section: str, option: str) -> object:
        """Take one option out."""


def prepare() -> None:
    """Set Kivy's environment; an own choice made outside is respected."""
    fixed = {
        # Kivy writes nothing: a read-only home would end it at import.
        "KIVY_NO_CONFIG": "1",
        "KIVY_NO_FILELOG": "1",
        # The command line is ours, not Kivy's.
        "KIVY_NO_ARGS": "1",
        # Drivers report 60 or 96 dpi as they please; sizes here are millimetres.
        "KIVY_METRICS_DENSITY": "1",
        "KIVY_DPI": "96",
        # Kivy logs through ours, and leaves stderr and the root logger alone.
        "KIVY_LOG_MODE": "PYTHON",
        "KIVY_CLIPBOARD": "dummy",
        "KIVY_TEXT": "sdl2",
        "KIVY_WINDOW": "sdl2",
        # A finger is a finger, and not a mouse as well.
        "SDL_TOUCH_MOUSE_EVENTS": "0",
        # cage draws its own edges; libdecor made start-up hang.
        "SDL_VIDEO_WAYLAND_ALLOW_LIBDECOR": "0",
    }
    for name, value in fixed.items():
        os.environ.setdefault(name, value)
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("SDL_VIDEODRIVER", "offscreen")


def configure(config: Settings, panel: Panel, production: bool) -> None:
    """Set Kivy's options. Must come before its window is opened."""
    options: dict[tuple[str, str], object] = {
        ("graphics", "width"): panel.width_px,
        ("graphics", "height"): panel.height_px,
        ("graphics", "resizable"): 0,
        ("graphics", "multisamples"): 0,
        ("graphics", "maxfps"): 60,
        ("graphics", "fullscreen"): "auto" if production else 0,
        ("graphics", "borderless"): 1 if production else 0,
        ("graphics", "show_cursor"): 0 if production else 1,
        ("kivy", "exit_on_escape"): 0,
        ("kivy", "log_level"): "warning",
        ("kivy", "desktop"): 0,
        ("input", "mouse"): "mouse,disable_multitouch",
        ("postproc", "double_tap_time"): 0,
        ("postproc", "triple_tap_time"): 0,
    }
    # Kivy also reads touch panels behind SDL's back: each tap would count twice.
    for option, _ in list(config.items("input")):
        config.remove_option("input", option)
    for (section, option), value in options.items():
        config.set(section, option, value)


def check_fonts() -> None:
    """Raise FontMissing, in the operator's words, when a font file is not there."""
    missing = [str(path) for path in FONTS.values() if not path.is_file()]
    if missing:
        raise FontMissing(
            f"the screen's font is missing: {', '.join(missing)}."
            " Install the package fonts-noto-core."
        )
