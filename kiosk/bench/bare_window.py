"""The floor for a frame: a bare Kivy window that appends one row to a long list.

`python -m kiosk.bench.bare_window WIDTH HEIGHT ROWS`: for each line it is told it
appends a row to a RecycleView that stands at its end, and answers with milliseconds
to the first flip after that, and to the flip that shows the row.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

import msgspec
from kivy.app import App
from kivy.base import EventLoop
from kivy.clock import Clock
from kivy.config import Config
from kivy.lang import Builder

from kiosk.ui import environment

_LIST = """
RecycleView:
    viewclass: "Label"
    scroll_y: 0
    RecycleBoxLayout:
        default_size: None, 60
        default_size_hint: 1, None
        size_hint_y: None
        height: self.minimum_height
        orientation: "vertical"
"""


class BareWindow(App):
    """A window with nothing in it but the list."""

    def __init__(self, width: int, height: int, rows: int) -> None:
        panel = environment.Panel(width, height, 21.5)
        environment.configure(Config, panel, production=False)
        super().__init__()
        self._rows = rows
        self._appended_ns = 0
        self._first_ms: float | None = None

    def build(self) -> Any:
        """Make the list."""
        EventLoop.ensure_window()
        EventLoop.window.bind(on_flip=self._flipped)
        self._list = Builder.load_string(_LIST)
        self._list.data = [{"text": _text(n)} for n in range(self._rows)]
        threading.Thread(target=self._hear, daemon=True).start()
        return self._list

    def _hear(self) -> None:
        for _ in sys.stdin:
            Clock.schedule_once(self._append, 0)
        Clock.schedule_once(lambda _: self.stop(), 0)

    def _append(self, _dt: float) -> None:
        self._first_ms = None
        self._appended_ns = time.perf_counter_ns()
        self._list.data.append({"text": _text(len(self._list.data))})

    def _flipped(self, window: Any) -> bool:
        window.flip()
        if self._appended_ns:
            now_ms = (time.perf_counter_ns() - self._appended_ns) / 1e6
            if self._first_ms is None:
                self._first_ms = now_ms
            if self._is_shown():
                self._appended_ns = 0
                _say([self._first_ms, now_ms])
        return True

    def _is_shown(self) -> bool:
        last = len(self._list.data) - 1
        view = self._list.view_adapter.get_visible_view(last)
        if view is None or view.text != _text(last):
            return False
        _, y = view.to_window(view.x, view.y)
        return bool(-1 <= y <= self._list.height - view.height)


def _text(n: int) -> str:
    return f"1  Item {n}  {n * 37 % 900 / 100:.2f}"


def _say(answer: object) -> None:
    os.write(1, msgspec.json.encode(answer) + b"\n")


if __name__ == "__main__":
    BareWindow(*map(int, sys.argv[1:4])).run()
