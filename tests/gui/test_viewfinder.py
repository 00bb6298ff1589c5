"""What the camera sees, beside the basket: fresh, outlined, and gone with the camera."""

from __future__ import annotations

import io
import threading

import pytest
from msgspec.structs import replace
from PIL import Image

from hardware.ports import Viewfinder
from hardware.simulated.camera import draw_label, draw_pack
from kiosk.domain.state import Basket, Idle, Paying, Scanning
from kiosk.ui.audit import audit
from kiosk.ui.gallery import BASKET, NOON_MS, SCANNING, TENDER, filled, lane
from kiosk.ui.theme import THEME

pytestmark = pytest.mark.gui

EMPTY = replace(lane(Scanning(Basket("e", NOON_MS))), priced=None)
AROUND = ((0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7))


def plain(grey: int, width: int = 160, height: int = 90, outlines=()) -> Viewfinder:
    """A frame of one shade."""
    return Viewfinder(width, height, bytes([grey]) * (width * height), outlines)


def pack() -> Viewfinder:
    """A pack held before the camera, in small, its label found."""
    frame = draw_pack([draw_label("4006381333931")], turned_degrees=12)
    small = Image.fromarray(frame).resize((320, 180))
    corners = ((0.38, 0.36), (0.61, 0.28), (0.63, 0.64), (0.4, 0.72))
    return Viewfinder(320, 180, small.tobytes(), (corners,))


def finder(stage):
    found = [w for w in stage.app.screen.shown if w.piece and w.piece.key == "finder"]
    return found[0] if found else None


def colour(stage, x_share: float, y_share: float) -> tuple[int, int, int]:
    """The glass's colour at a place of the picture, from its top left."""
    image = Image.open(io.BytesIO(stage.app.screenshot())).convert("RGB")
    x, y, w, h = finder(stage).piece.place
    left, top = x + w * x_share, image.height - y - h + h * y_share
    red, green, blue = image.crop(
        (round(left), round(top), round(left) + 1, round(top) + 1)
    ).tobytes()
    return red, green, blue


@pytest.fixture
def seeing(stage):
    """A screen that no camera has given a picture for long."""
    stage.at += 100
    return stage


def test_a_lane_without_a_camera_shows_no_place_for_its_picture(seeing):
    seeing.show(lane(SCANNING))

    assert finder(seeing) is None


def test_the_first_picture_opens_its_place_and_is_on_the_glass(seeing):
    seeing.show(lane(SCANNING))
    seeing.app.see(plain(200))
    seeing.frame()

    assert colour(seeing, 0.5, 0.5) == (200, 200, 200)


def test_the_picture_stands_upright_and_rows_of_any_length_are_straight(seeing):
    seeing.show(lane(SCANNING))
    rows = b"".join(bytes([20 if y < 45 else 230]) * 161 for y in range(90))
    seeing.app.see(Viewfinder(161, 90, rows))
    seeing.frame()

    assert colour(seeing, 0.1, 0.2) == colour(seeing, 0.9, 0.2) == (20, 20, 20)
    assert colour(seeing, 0.1, 0.8) == colour(seeing, 0.9, 0.8) == (230, 230, 230)


def test_a_found_label_is_outlined_where_it_is(seeing):
    seeing.show(lane(SCANNING))
    seeing.app.see(plain(90, outlines=(AROUND,)))
    seeing.frame()
    green = tuple(int(THEME.green[n : n + 2], 16) for n in (1, 3, 5))

    assert colour(seeing, 0.5, 0.3) == green
    assert colour(seeing, 0.3, 0.5) == green
    assert colour(seeing, 0.5, 0.5) == (90, 90, 90)

    seeing.app.see(plain(90))
    seeing.frame()
    assert colour(seeing, 0.5, 0.3) == (90, 90, 90)


def test_outlines_that_are_no_shape_and_too_many_of_them_do_no_harm(seeing):
    seeing.show(lane(SCANNING))
    seeing.app.see(plain(90, outlines=((), ((0.5, 0.5),), *([AROUND] * 50))))
    seeing.frame()

    assert colour(seeing, 0.9, 0.9) == (90, 90, 90)


def test_of_many_pictures_only_the_newest_is_drawn(seeing):
    seeing.show(lane(SCANNING))
    seeing.app.see(plain(1))
    seeing.frame()
    drawn: list[Viewfinder] = []
    screen, see = seeing.app.screen, seeing.app.screen.see
    screen.see = drawn.append
    try:
        flood = threading.Thread(
            target=lambda: [seeing.app.see(plain(n % 256)) for n in range(1000)]
        )
        flood.start()
        flood.join()
        seeing.frame()
    finally:
        screen.see = see

    assert [frame.grey[0] for frame in drawn] == [999 % 256]


def test_a_camera_that_dies_takes_its_picture_along_and_says_so(seeing):
    seeing.show(lane(SCANNING))
    seeing.app.see(plain(200))
    seeing.frame()
    assert finder(seeing)

    seeing.become(devices={"scanner": "absent"})
    banners = [b.name for b in seeing.app.screen.view.banners]
    assert finder(seeing) is None
    assert banners == ["scanner"]

    seeing.become(devices={"scanner": "ready"})
    seeing.app.see(plain(120))
    seeing.frame()
    assert colour(seeing, 0.5, 0.5) == (120, 120, 120)


def test_a_picture_that_stands_still_is_taken_away_and_comes_back(seeing):
    seeing.show(lane(SCANNING))
    seeing.app.see(plain(200))
    seeing.frame()
    seeing.at += 3
    seeing.app._second(1.0)
    assert finder(seeing) is None

    seeing.app.see(plain(90))
    seeing.frame()
    assert colour(seeing, 0.5, 0.5) == (90, 90, 90)


def test_a_payment_shows_no_picture_of_the_shopper(seeing):
    seeing.app.see(plain(200))
    seeing.show(lane(Paying(BASKET, TENDER, "asked")))

    assert finder(seeing) is None

    seeing.show(lane(Idle()))
    assert finder(seeing) is None


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize(
    ("name", "state"),
    [("empty", EMPTY), ("list", lane(SCANNING)), ("long", filled(200))],
)
def test_the_view_with_the_picture_is_whole(seeing, pictures, language, name, state):
    seeing.app.see(pack())
    seeing.frame()
    seeing.show(replace(state, language=language))
    seeing.app.see(pack())
    seeing.frame()

    assert finder(seeing)
    assert audit(seeing.app.screen) == []
    folder = pictures / language
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"camera_{name}.png").write_bytes(seeing.app.screenshot())
