"""What the screen shows, as values: decided by the presenter, drawn by the widgets.

A View holds words, rows and buttons, and no sizes or places; those are `layout.py`'s.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from kiosk.asked import Asked
from kiosk.domain.events import Event
from kiosk.ui.local import Local


class Layout(Enum):
    """How a View is arranged on the glass."""

    WELCOME = "welcome"
    BASKET = "basket"
    MESSAGE = "message"
    TILES = "tiles"
    KEYS = "keys"
    CHOICES = "choices"
    MENU = "menu"
    SERVICE = "service"


class Button(msgspec.Struct, frozen=True, omit_defaults=True):
    """A named action. `kind`: primary, plain, chosen, stop, tile, row, key.

    A tap posts `post` to the lane and makes `local` the screen's own state; either
    may be None. `name` is stable ASCII and alone of its kind in a View.
    """

    name: str
    label: str
    speech: str = ""
    kind: str = "plain"
    icon: str = ""
    detail: str = ""
    amount: str = ""
    post: Event | Asked | None = None
    local: Local | None = None
    # A slip of the finger here costs most: dead for a moment after appearing.
    is_guarded: bool = False

    @property
    def spoken(self) -> str:
        """What is said of it."""
        parts = (self.label, self.detail, self.amount)
        return self.speech or ", ".join(part for part in parts if part)


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a list. `kind`: item, discount, deposit, note in the basket's; fact,
    bad, long (over two lines) in the service screen's."""

    name: str
    amount: str = ""
    count: str = ""
    detail: str = ""
    kind: str = "item"

    @property
    def speech(self) -> str:
        """What is said of it."""
        parts = (self.count, self.name, self.detail, self.amount)
        return ", ".join(part for part in parts if part)


class Banner(msgspec.Struct, frozen=True):
    """A bar across the top while something holds. `kind`: warning, calm, training."""

    name: str
    text: str
    kind: str = "warning"
    icon: str = ""


class Total(msgspec.Struct, frozen=True):
    """What the basket comes to."""

    count: str
    amount: str
    detail: str = ""


class Card(msgspec.Struct, frozen=True, omit_defaults=True):
    """Words in front of the screen: a notice beside which the shopper goes on, or,
    when `is_modal`, a question that comes first. `seconds` is how long it waits."""

    name: str
    title: str
    text: str = ""
    icon: str = ""
    buttons: tuple[Button, ...] = ()
    is_modal: bool = False
    seconds: float = 0


class Field(msgspec.Struct, frozen=True):
    """What was typed so far. `is_masked` text is dots already."""

    text: str
    hint: str = ""
    is_masked: bool = False


class View(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything that is on the screen now."""

    name: str
    language: str
    layout: Layout
    title: str
    text: str = ""
    detail: str = ""
    icon: str = ""
    tone: str = ""
    banners: tuple[Banner, ...] = ()
    rows: tuple[Row, ...] = ()
    newest: int = -1
    total: Total | None = None
    card: Card | None = None
    field: Field | None = None
    tabs: tuple[Button, ...] = ()
    choices: tuple[Button, ...] = ()
    keys: tuple[tuple[Button, ...], ...] = ()
    buttons: tuple[Button, ...] = ()
    primary: Button | None = None
    footer: tuple[Button, ...] = ()
    pictures: tuple[tuple[str, str], ...] = ()
    qr: str = ""
    big: str = ""
    # What the camera sees belongs here; frames reach the glass past the View.
    has_finder: bool = False

    @property
    def controls(self) -> tuple[Button, ...]:
        """Every button, in reading order; a modal card's are the only live ones."""
        if self.card and self.card.is_modal:
            return self.card.buttons
        keys = tuple(key for row in self.keys for key in row)
        primary = (self.primary,) if self.primary else ()
        card = self.card.buttons if self.card else ()
        return (
            self.tabs
            + self.choices
            + keys
            + card
            + self.buttons
            + primary
            + self.footer
        )

    @property
    def speech(self) -> str:
        """What is said when the View appears: the question first."""
        parts = [b.text for b in self.banners]
        if self.card:
            parts += [self.card.title, self.card.text]
        if not (self.card and self.card.is_modal):
            parts += [self.title, self.big, self.text, self.detail]
            parts += [text for _, text in self.pictures]
        return ". ".join(part.rstrip(".") for part in parts if part)
