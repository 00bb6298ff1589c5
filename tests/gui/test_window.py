"""The window's dealings with other threads, and what must never open over a shop."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from kivy.base import EventLoop
from kivy.config import Config
from kivy.tests.common import UnitTestTouch
from msgspec.structs import replace
from PIL import Image

from kiosk.domain.events import PayPressed
from kiosk.domain.state import Complete, Idle
from kiosk.ui import environment
from kiosk.ui.gallery import SALE, SCANNING, filled, lane
from kiosk.ui.theme import THEME

pytestmark = pytest.mark.gui


def elsewhere(stage, job):
    """Run a job on another thread while Kivy runs on this one."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(job)
        stage.until(answer.done, frames=2000)
        return answer.result()


def test_of_many_states_only_the_newest_is_drawn(stage):
    stage.show(lane(Idle()))
    stage.drawn.clear()
    views = []
    screen, show = stage.app.screen, stage.app.screen.show

    def noted(view):
        views.append(view.name)
        show(view)

    screen.show = noted
    try:
        for seq in range(1, 101):
            stage.app.show(replace(lane(SCANNING), seq=seq))
        stage.frame()
    finally:
        screen.show = show

    assert views == ["scanning"]
    assert stage.app.lane.seq == 100


def test_a_state_from_another_thread_reaches_the_glass(stage):
    stage.show(lane(Idle()))
    stage.drawn.clear()
    sender = threading.Thread(
        target=stage.app.show, args=(replace(lane(SCANNING), seq=4711),)
    )
    sender.start()
    sender.join()

    stage.until(lambda: 4711 in stage.drawn)

    assert stage.app.screen.view.name == "scanning"


def test_a_picture_of_the_screen_is_what_is_on_it(stage):
    stage.show(lane(SCANNING))

    picture = Image.open(io.BytesIO(elsewhere(stage, stage.app.screenshot)))

    assert picture.size == (stage.app.panel.width_px, stage.app.panel.height_px)
    (pay,) = [(x, y) for name, x, y in stage.app.controls() if name == "pay"]
    left = next(w for w in stage.app.screen.shown if w.piece.key == "pay").x
    red, green, blue = (int(THEME.green[i : i + 2], 16) for i in (1, 3, 5))
    assert picture.getpixel((int(left) + 12, pay[1])) == (red, green, blue)


def test_after_a_picture_was_taken_the_screen_goes_on(stage):
    stage.show(lane(SCANNING))
    stage.frame()
    stage.app.screenshot()
    stage.drawn.clear()

    stage.app.show(replace(lane(Idle()), seq=77))

    stage.until(lambda: 77 in stage.drawn)


def test_a_jpeg_can_be_had_for_the_bench(stage):
    stage.show(lane(SCANNING))

    picture = elsewhere(stage, lambda: stage.app.screenshot("JPEG"))

    assert Image.open(io.BytesIO(picture)).format == "JPEG"


def test_a_program_taps_by_name_through_the_normal_path(stage):
    stage.show(lane(SCANNING))
    # Time passes while the finger is down.
    ticks = itertools.count(stage.at + 10)
    stage.app.screen._now, now = (lambda: next(ticks)), stage.app.screen._now
    try:
        there = elsewhere(stage, lambda: stage.app.tap_control("pay"))
        missing = elsewhere(stage, lambda: stage.app.tap_control("nothing"))
    finally:
        stage.app.screen._now = now

    assert there
    assert not missing
    assert stage.posted == [PayPressed()]


def test_the_qr_code_holds_the_receipts_address(stage):
    zxingcpp = pytest.importorskip("zxingcpp")
    stage.show(lane(Complete(SALE, "qr")))

    picture = Image.open(io.BytesIO(stage.app.screenshot()))

    codes = zxingcpp.read_barcodes(picture)
    assert [code.text for code in codes] == [
        f"https://receipts.example/r/{SALE.basket_id}"
    ]


def test_neither_f1_nor_escape_does_anything(stage):
    stage.show(lane(SCANNING))
    children = list(EventLoop.window.children)

    for key in (282, 27):
        EventLoop.window.dispatch("on_keyboard", key, 0, None, [])
        stage.frame()

    assert EventLoop.window.children == children
    assert not EventLoop.quit
    assert stage.app.open_settings()
    assert Config.getint("kivy", "exit_on_escape") == 0


def test_a_right_click_leaves_no_red_dots(stage):
    assert Config.items("input") == [("mouse", "mouse,disable_multitouch")]
    assert not Config.items("modules")


def test_one_frame_is_enough_for_a_new_row(stage):
    stage.show(filled(200))
    stage.app.show(filled(201))
    stage.frame()

    (rows,) = [w for w in stage.app.screen.shown if w.piece.is_list]
    newest = [shown for shown in rows.visible if shown.row == rows.piece.rows[-1]]
    assert newest
    assert len(rows.piece.rows) == 201


def test_showing_the_same_state_again_draws_nothing(stage):
    state = lane(SCANNING)
    stage.show(state)
    stage.frame()
    stage.drawn.clear()

    stage.app.show(state)
    stage.frame()
    stage.frame()

    assert stage.drawn == []


def test_touches_off_the_buttons_do_nothing(stage):
    stage.show(lane(SCANNING))
    finger = UnitTestTouch(2, 2)
    finger.touch_down()
    stage.at += 0.2
    finger.touch_up()

    assert stage.posted == []


def test_a_missing_font_is_named_with_the_package_that_has_it(monkeypatch, tmp_path):
    monkeypatch.setitem(environment.FONTS, "bold", tmp_path / "Gone.ttf")

    with pytest.raises(environment.FontMissing, match=r"Gone\.ttf.*fonts-noto-core"):
        environment.check_fonts()


def test_the_presenter_needs_no_kivy():
    code = (
        "import sys, kiosk.ui.presenter, kiosk.ui.layout, kiosk.ui.gallery;"
        "sys.exit('kivy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
