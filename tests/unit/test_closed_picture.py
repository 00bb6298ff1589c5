"""The picture of a closed checkout, drawn into files in the place of a screen."""

from __future__ import annotations

import struct

import pytest
from PIL import Image

from kiosk.closed_picture import (
    Geometry,
    NoPicture,
    as_bytes,
    geometry_of,
    lane_id_of,
    picture,
    show,
)

SIZES = [(800, 600), (1080, 1920), (1920, 1080), (320, 240), (1280, 1024)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_of_it_is_cut_on_any_screen(width, height):
    image = picture(width, height, "lane-with-a-very-long-name-of-forty-char")
    ground = image.getpixel((0, 0))
    edge = [image.getpixel((x, y)) for x in (0, width - 1) for y in range(height)]
    edge += [image.getpixel((x, y)) for y in (0, height - 1) for x in range(width)]
    assert set(edge) == {ground}
    assert len(image.getcolors(1 << 20) or []) > 10


def drawn(tmp_path, screen):
    file = tmp_path / "fb"
    size = screen.line_bytes * (screen.height + screen.first_line)
    file.write_bytes(b"\xee" * size)
    show(file, "lane-3", screen)
    return file.read_bytes()


def test_a_screen_of_32_bits_shows_the_picture(tmp_path):
    screen = Geometry(800, 600, 800 * 4)
    shown = Image.frombytes("RGB", (800, 600), drawn(tmp_path, screen), "raw", "BGRX")
    assert shown.tobytes() == picture(800, 600, "lane-3").tobytes()


def test_colours_stand_where_the_screen_has_them(tmp_path):
    screen = Geometry(80, 60, 80 * 4, shifts=(0, 8, 16))
    shown = Image.frombytes("RGB", (80, 60), drawn(tmp_path, screen), "raw", "RGBX")
    assert shown.tobytes() == picture(80, 60, "lane-3").tobytes()


def test_lines_are_as_long_as_the_screens(tmp_path):
    told = drawn(tmp_path, Geometry(80, 60, 80 * 4 + 64))
    assert len(told) == 60 * (80 * 4 + 64)
    row = told[384 : 384 + 320]
    assert row == as_bytes(picture(80, 60, "lane-3"), Geometry(80, 60, 320))[320:640]


def test_it_begins_where_the_screen_shows(tmp_path):
    told = drawn(tmp_path, Geometry(80, 60, 320, first_line=2))
    assert told[:640] == b"\xee" * 640
    assert told[640:] == as_bytes(picture(80, 60, "lane-3"), Geometry(80, 60, 320))


def test_a_screen_of_16_bits_shows_it_too(tmp_path):
    screen = Geometry(80, 60, 160, 16, (11, 5, 0), (5, 6, 5))
    told = drawn(tmp_path, screen)
    red, green, blue = picture(80, 60, "lane-3").tobytes()[:3]
    (first,) = struct.unpack_from("=H", told)
    assert first == (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3


def test_a_screen_that_is_unknown_is_said():
    with pytest.raises(NoPicture, match="8 bits"):
        as_bytes(picture(80, 60, ""), Geometry(80, 60, 80, 8))


def test_the_kernels_description_is_read():
    variable = struct.pack(
        "8I12I", 800, 600, 800, 1200, 0, 600, 32, 0, 16, 8, 0, 8, 8, 0, 0, 8, 0, 0, 0, 0
    ).ljust(160, b"\0")
    # struct fb_fix_screeninfo on a 64-bit machine (linux/fb.h).
    fixed = struct.pack("=16sQ4I3H2xI", b"virtio", 0, 1, 0, 0, 2, 1, 1, 0, 3328)
    assert geometry_of(variable, fixed.ljust(80, b"\0")) == Geometry(
        800, 600, 3328, 32, (16, 8, 0), (8, 8, 8), 600
    )


def test_the_lane_is_named_by_the_first_settings_that_can_be_read(tmp_path):
    broken, good = tmp_path / "broken.toml", tmp_path / "good.toml"
    broken.write_text("lane_id = ")
    good.write_text('lane_id = "lane-7"\nwrong = 1\n')
    assert lane_id_of((tmp_path / "none", broken, good)) == "lane-7"
    assert lane_id_of((broken,)) == ""
