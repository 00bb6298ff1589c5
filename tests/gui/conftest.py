"""One real Kivy window, offscreen, and a hand that taps its buttons.

The panel is portrait unless STILLOPEN_PANEL says otherwise; Kivy has one window per
process, so the other panel is a process of its own (`test_the_other_panel.py`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kivy.base import EventLoop, runTouchApp
from kivy.tests.common import UnitTestTouch
from msgspec.structs import replace

from kiosk.asked import Asked
from kiosk.domain.events import Event
from kiosk.domain.state import Lane
from kiosk.ui.app import LaneApp
from kiosk.ui.environment import Panel
from kiosk.ui.gallery import Shelf
from kiosk.ui.local import Local
from kiosk.ui.service_gallery import MACHINE

PANELS = {
    "portrait": Panel(1080, 1920, 21.5),
    "landscape": Panel(1920, 1080, 15.6),
    # The smallest: what a virtual machine shows.
    "small": Panel(800, 600, 15.0),
}
PANEL = os.environ.get("STILLOPEN_PANEL", "portrait")
PICTURES = Path(__file__).parents[2] / "var" / "gui" / PANEL


class Stage:
    """The lane's screen, a clock that obeys, and what was posted."""

    def __init__(self) -> None:
        self.posted: list[Event | Asked] = []
        self.at = 1000.0
        self.frame_seconds = 1 / 60
        self.drawn: list[int] = []
        self.app = LaneApp(
            PANELS[PANEL],
            self.posted.append,
            Shelf(),
            machine=MACHINE,
            on_drawn=self.drawn.append,
            now=lambda: self.at,
            frame_seconds=lambda: self.frame_seconds,
        )
        EventLoop.ensure_window()
        EventLoop.window.add_widget(self.app.build())
        runTouchApp(embedded=True)

    def show(self, lane: Lane, local: Local | None = None) -> None:
        """Show a state at once, with nothing left of the one before."""
        self.app.show(lane)
        self.frame()
        self.app.local = local or Local()
        self.app._draw()
        self.posted.clear()
        # Nobody hits a button in the moment it appears.
        self.at += 1

    def become(self, **changes: object) -> None:
        """The lane goes on: show its state with these changes."""
        self.app.show(replace(self.app.lane, **changes))
        self.frame()

    def frame(self) -> None:
        """Let Kivy run once."""
        EventLoop.idle()

    def until(self, happened: Callable[[], bool], frames: int = 200) -> None:
        """Let Kivy run until something happened."""
        for _ in range(frames):
            if happened():
                return
            self.frame()
        pytest.fail(f"did not happen within {frames} frames")

    def names(self) -> list[str]:
        """What can be tapped."""
        return [name for name, _, _ in self.app.controls()]

    def finger(self, name: str) -> UnitTestTouch:
        """A finger over a control."""
        for control, x, y in self.app.controls():
            if control == name:
                return UnitTestTouch(x, PANELS[PANEL].height_px - y)
        pytest.fail(f"no control {name} among {self.names()}")

    def tap(self, *names: str) -> None:
        """Tap controls one after the other, as fast as a person."""
        for name in names:
            finger = self.finger(name)
            finger.touch_down()
            self.at += 0.1
            finger.touch_up()
            self.at += 0.6


@pytest.fixture(scope="session", autouse=True)
def other_panel(request) -> Iterator[subprocess.Popen[str] | None]:
    """The same tests on the landscape panel, begun at once: they take as long."""
    wanted = any(
        "test_the_other_panel" in item.nodeid for item in request.session.items
    )
    if not wanted or "STILLOPEN_PANEL" in os.environ:
        yield None
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", str(Path(__file__).parent)],
        env={**os.environ, "STILLOPEN_PANEL": "landscape"},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


@pytest.fixture(scope="session")
def the_stage() -> Stage:
    return Stage()


@pytest.fixture
def stage(the_stage: Stage) -> Stage:
    the_stage.posted.clear()
    the_stage.at += 1000
    the_stage.frame_seconds = 1 / 60
    return the_stage


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where the pictures of this panel go; git ignores them."""
    return PICTURES
