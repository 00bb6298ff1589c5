"""The screen of a kiosk that is no lane yet: shows its claim code until it is one.

No journal, no device and no sale: a Closed lane is shown, and nothing else happens.
When lane.toml is there it waits to be ended: whoever rendered it starts the lane.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from msgspec.structs import replace

from kiosk.asked import Asked
from kiosk.domain.catalog import Item
from kiosk.domain.events import Event, LanguageChosen
from kiosk.domain.policy import Rules
from kiosk.domain.state import Closed, Lane
from kiosk.enrolment.files import Places, what_is_shown
from kiosk.fleet_settings import load
from kiosk.machine import Machine
from kiosk.notify import Notifier
from kiosk.readings import Sources, release
from kiosk.settings import Settings
from kiosk.ui.environment import Panel

# What the screen's words are there in: nobody has said yet which the shop speaks.
LANGUAGES = ("en", "de")


class NoShelf:
    """A catalogue of nothing."""

    def pages(self) -> list[str]:
        """Return no page."""
        return []

    def produce_page(self, page: str) -> list[Item]:
        """Return no item."""
        return []

    def search(self, text: str, language: str, limit: int) -> list[Item]:
        """Return no item."""
        return []

    def item(self, item_id: str) -> Item | None:
        """Return no item."""
        return None


class Window(Protocol):
    """The lane's window, as far as it is used here."""

    def show(self, lane: Lane) -> None:
        """Show a state."""

    def run(self) -> None:
        """Draw until stopped."""

    def stop(self, *largs: Any) -> None:
        """Stop drawing."""


def is_blank(fleet: Path, places: Places) -> bool:
    """Say whether this kiosk has a fleet and is no lane of it yet."""
    return bool(load(fleet).office) and not places.lane_toml.exists()


class EnrolScreen:
    """Keeps the window at what enrolment last said."""

    def __init__(self, places: Places, rules: Rules) -> None:
        self._places = places
        self._window: Window | None = None
        self._notifier = Notifier(lambda: 0.0)
        self.lane = Lane(
            mode=Closed("enrol"),
            rules=replace(rules, languages=LANGUAGES),
            language=LANGUAGES[0],
        )

    def open(self, make: Callable[..., Window], settings: Settings) -> Window:
        """Make the window."""
        panel = settings.panel
        self._window = make(
            Panel(panel.width_px, panel.height_px, panel.diagonal_inches),
            post=self.post,
            catalog=NoShelf(),
            production=settings.production,
            machine=Machine(release=release(Sources())),
            on_drawn=self._notifier.drawn,
            on_second=self.second,
        )
        self._window.show(self.lane)
        return self._window

    def post(self, event: Event | Asked) -> None:
        """Take a tap: a language, and nothing else."""
        if isinstance(event, LanguageChosen) and event.language in LANGUAGES:
            self._show(replace(self.lane, language=event.language))

    def second(self) -> None:
        """Look what enrolment says now."""
        self._notifier.second()
        if self._places.lane_toml.exists():
            self._show(replace(self.lane, mode=Closed("starting")))
            return
        shown = what_is_shown(self._places)
        detail = f"{shown.code}\n{shown.trouble}" if shown.trouble else shown.code
        self._show(replace(self.lane, mode=Closed("enrol", detail)))

    def _show(self, lane: Lane) -> None:
        if lane != self.lane:
            self.lane = lane
            if self._window is not None:
                self._window.show(lane)
