"""The lane's window: takes states from any thread, draws Views, posts what was tapped.

Decides nothing. Kivy's thread belongs to it alone; whoever else calls is handed over
by Kivy's clock.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from kivy.app import App
from kivy.base import EventLoop
from kivy.clock import Clock
from kivy.config import Config
from kivy.graphics import ClearBuffers, ClearColor, Fbo
from kivy.input.motionevent import MotionEvent
from msgspec.structs import replace
from PIL import Image

from hardware.ports import Viewfinder
from kiosk.asked import Asked
from kiosk.domain.events import Event, MoreTimePressed
from kiosk.domain.state import Lane
from kiosk.machine import NOTHING_KNOWN, Machine
from kiosk.ui import environment, textures
from kiosk.ui.environment import Panel
from kiosk.ui.glass import Glass
from kiosk.ui.local import Browse, Local, follow, left, stocked
from kiosk.ui.presenter import is_timed, present
from kiosk.ui.screen import Screen
from kiosk.ui.theme import THEME, rgba
from kiosk.ui.touches import SHORTEST_TAP_SECONDS
from kiosk.ui.view import Button

log = logging.getLogger(__name__)
T = TypeVar("T")

# A panel left open over the mode closes by itself; the lane's own limits are longer.
PANEL_SECONDS = 60.0
# Leafing through pages tells the lane that somebody is there, but not at every tap:
# each telling is a journal entry.
MORE_TIME_SECONDS = 5.0
# A camera gives ten pictures a second; one this old shows what is no longer there.
STALE_PICTURE_SECONDS = 2.0


class LaneApp(App):
    """One lane's screen. Make it and `run` it on the main thread; one per process.

    `post` takes events and questions from Kivy's thread and must return at once.
    `on_drawn` is called with the number of the newest state on the glass, just after
    it got there; `on_second` every second while the screen is alive, for a watchdog: then
    a frame is drawn at least each second.
    """

    def __init__(
        self,
        panel: Panel,
        post: Callable[[Event | Asked], None],
        catalog: Browse,
        *,
        production: bool = False,
        machine: Machine = NOTHING_KNOWN,
        on_drawn: Callable[[int], None] | None = None,
        on_second: Callable[[], None] | None = None,
        now: Callable[[], float] = time.monotonic,
        frame_seconds: Callable[[], float] = lambda: Clock.frametime,
    ) -> None:
        environment.check_fonts()
        environment.configure(Config, panel, production)
        super().__init__()
        self.title = "Stillopen"
        self.panel = panel
        self.lane = Lane()
        self.local = Local()
        self.machine = machine
        self._post, self._catalog, self._now = post, catalog, now
        self._frame_seconds = frame_seconds
        self._on_drawn, self._on_second = on_drawn, on_second
        self._newest: Lane | None = None
        self._is_due = False
        self._lock = threading.Lock()
        self._seen: Viewfinder | None = None
        self._seen_at = float("-inf")
        self._thread: int | None = None
        self._frame: Any = None
        self._touched_at = self._told_at = float("-inf")

    # -- Kivy --------------------------------------------------------------

    def build(self) -> Screen:
        """Make the one screen."""
        self._thread = threading.get_ident()
        textures.register_fonts()
        EventLoop.ensure_window()
        window = EventLoop.window
        window.clearcolor = rgba(THEME.background)
        window.bind(on_flip=self._flipped)
        window._win = Glass(window._win, EventLoop.input_providers)
        width, height = window.size
        if (width, height) != (self.panel.width_px, self.panel.height_px):
            log.warning(
                "the glass has %s x %s pixels: lane.toml is wrong", width, height
            )
            self.panel = replace(self.panel, width_px=width, height_px=height)
        self.screen = Screen(self.panel, self._tapped, self._now, self._frame_seconds)
        self._draw()
        Clock.schedule_interval(self._second, 1.0)
        return self.screen

    def open_settings(self, *_: object) -> bool:
        """Kivy's settings panel (F1) never opens over a shop."""
        return True

    # -- states in ---------------------------------------------------------

    def show(self, lane: Lane) -> None:
        """Show a state, from any thread; of several only the newest is drawn."""
        with self._lock:
            self._newest = lane
            if self._is_due:
                return
            self._is_due = True
        Clock.schedule_once(self._take, 0)

    def _take(self, _dt: float) -> None:
        with self._lock:
            lane, self._newest, self._is_due = self._newest, None, False
        if lane is None:
            return
        before, self.lane = self.lane, lane
        self.local = follow(self.local, before, lane)
        if before.language != lane.language:
            self.local = stocked(self.local, self._catalog, self._language)
        self._draw()

    def _draw(self) -> None:
        is_fresh = self._now() - self._seen_at <= STALE_PICTURE_SECONDS
        view = present(self.lane, self.local, sees=is_fresh, machine=self.machine)
        self.screen.show(view)

    def know(self, machine: Machine) -> None:
        """Show what is known of this machine, from any thread."""
        self.machine = machine
        Clock.schedule_once(self._show_machine, 0)

    def _show_machine(self, _dt: float) -> None:
        self._draw()

    # -- the camera's pictures ---------------------------------------------

    def see(self, frame: Viewfinder) -> None:
        """Show what the camera sees, from any thread; of several only the newest.

        Returns at once; one frame is held, however slow the screen is.
        """
        with self._lock:
            is_due, self._seen = self._seen is not None, frame
        if not is_due:
            Clock.schedule_once(self._look, 0)

    def _look(self, _dt: float) -> None:
        with self._lock:
            frame, self._seen = self._seen, None
        if frame is None:
            return
        was_fresh = self._now() - self._seen_at <= STALE_PICTURE_SECONDS
        self._seen_at = self._now()
        if not was_fresh:
            self._draw()
        self.screen.see(frame)

    @property
    def _language(self) -> str:
        return self.screen.view.language if self.screen.view else self.lane.language

    # -- taps out ----------------------------------------------------------

    def _tapped(self, button: Button) -> None:
        self._touched_at = self._now()
        if button.local is not None:
            self.local = stocked(button.local, self._catalog, self._language)
            self._draw()
        if button.post is not None:
            self._post(button.post)
        elif is_timed(self.lane) and self._now() - self._told_at >= MORE_TIME_SECONDS:
            self._told_at = self._now()
            self._post(MoreTimePressed())

    def _second(self, _dt: float) -> None:
        is_left = self._now() - self._touched_at > PANEL_SECONDS
        if is_left and self.local not in (Local(), left(self.lane)):
            self.local = left(self.lane)
            self._draw()
        elif self.screen.view and self.screen.view.has_finder:
            # A picture that stands still is taken away.
            self._draw()
        if self._on_second:
            self._on_second()
            # A frame a second, whatever is shown, proves to a watchdog that the glass is
            # fed. SDL also loses the very first one on a bare screen (KMSDRM), where it
            # makes its buffers anew at the first flip.
            EventLoop.window.canvas.ask_update()

    def _flipped(self, window: Any) -> bool:
        # Bound functions run before Kivy's own flip: flip here, and say it is done.
        window.flip()
        if self._on_drawn:
            self._on_drawn(self.lane.seq)
        return True

    # -- for the bench, the demo and tests ---------------------------------

    def screenshot(self, kind: str = "PNG", timeout: float = 5.0) -> bytes:
        """Return the screen as a picture (PNG or JPEG). Not from Kivy's thread only.

        Raises TimeoutError when the screen does not answer.
        """
        size, pixels = self._on_screen(self._pixels, timeout)
        # OpenGL counts lines from the bottom, and the fourth byte is nothing here.
        image = Image.frombytes("RGB", size, pixels, "raw", "RGBX", 0, -1)
        out = io.BytesIO()
        options = {"compress_level": 1} if kind == "PNG" else {"quality": 80}
        image.save(out, kind, **options)
        return out.getvalue()

    def tap(self, x_px: float, y_px: float, timeout: float = 5.0) -> None:
        """Touch the glass there, in pixels from the top left, and lift again."""
        finger = _Finger(x_px / self.panel.width_px, 1 - y_px / self.panel.height_px)

        def down() -> None:
            EventLoop.post_dispatch_input("begin", finger)
            # As short as a light finger: shorter is taken for a ghost.
            Clock.schedule_once(up, SHORTEST_TAP_SECONDS * 1.5)

        def up(_dt: float) -> None:
            EventLoop.post_dispatch_input("end", finger)
            done.set_result(None)

        done: Future[None] = Future()
        self._on_screen(down, timeout)
        if threading.get_ident() != self._thread:
            done.result(timeout)

    def tap_control(self, name: str, timeout: float = 5.0) -> bool:
        """Touch a control by its name; return whether it is on the screen."""
        for control, x, y in self.controls(timeout):
            if control == name:
                self.tap(x, y, timeout)
                return True
        return False

    def controls(self, timeout: float = 5.0) -> list[tuple[str, int, int]]:
        """Return what can be tapped now: name and middle, pixels from the top left."""
        return self._on_screen(lambda: self.screen.controls(), timeout)

    def _pixels(self) -> tuple[tuple[int, int], bytes]:
        size = (self.panel.width_px, self.panel.height_px)
        # The back buffer is undefined after a flip: draw once more, aside.
        if self._frame is None:
            self._frame = Fbo(size=size)
            with self._frame:
                ClearColor(*rgba(THEME.background))
                ClearBuffers()
        frame, glass, shown = self._frame, EventLoop.window.canvas, self.screen.canvas
        # A canvas has one parent, which it tells of changes: give it back its own.
        place = glass.indexof(shown)
        glass.remove(shown)
        frame.add(shown)
        frame.draw()
        pixels = bytes(frame.pixels)
        frame.remove(shown)
        glass.insert(place, shown)
        return size, pixels

    def _on_screen(self, job: Callable[[], T], timeout: float) -> T:
        """Run a job on Kivy's thread and wait for what it returns."""
        if threading.get_ident() == self._thread:
            return job()
        answer: Future[T] = Future()

        def run(_dt: float) -> None:
            if answer.set_running_or_notify_cancel():
                try:
                    answer.set_result(job())
                except BaseException as error:
                    answer.set_exception(error)

        Clock.schedule_once(run, 0)
        return answer.result(timeout)


class _Finger(MotionEvent):
    """A touch at a place, made by a program."""

    _made = 0

    def __init__(self, sx: float, sy: float) -> None:
        _Finger._made += 1
        super().__init__(
            "stillopen",
            f"finger{_Finger._made}",
            (sx, sy),
            is_touch=True,
            type_id="touch",
        )

    def depack(self, args: tuple[float, float]) -> None:
        """Take the place."""
        self.sx, self.sy = args
        self.profile = ["pos"]
        super().depack(args)
