"""What every View is made from: the lane, the screen's own state and a language.

Holds the pieces that several Views share (footer, rows, keypads, paging).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from kiosk.domain.basket import LineItem
from kiosk.domain.events import (
    HelpCancelled,
    HelpPressed,
    LanguageChosen,
    StaffPressed,
)
from kiosk.domain.pricing import Figures
from kiosk.domain.state import Basket, Lane
from kiosk.machine import NOTHING_KNOWN, Machine
from kiosk.ui.local import Local
from kiosk.ui.view import Banner, Button, Layout, Row, Total, View
from kiosk.ui.words import Words, own_name, plain

# So many rows fit under the hand on the smallest panel.
PAGE = 5


@dataclass(frozen=True, slots=True)
class Scene:
    """The lane as one View sees it. `lane` is the inner one while training.
    `sees`: a camera gives fresh pictures; `machine`: what a technician is shown."""

    lane: Lane
    local: Local
    words: Words
    banners: tuple[Banner, ...] = ()
    sees: bool = False
    machine: Machine = NOTHING_KNOWN

    def t(self, msgid: str, **values: object) -> str:
        """Return the words for `msgid`."""
        return self.words.t(msgid, **values)

    def money(self, minor: int, currency: str = "") -> str:
        """Return an amount in the lane's currency."""
        return self.words.money(minor, currency or self.currency)

    @property
    def currency(self) -> str:
        """The lane's currency."""
        if self.lane.figures:
            return self.lane.figures.currency
        return self.lane.rules.pricing.currency if self.lane.rules else "EUR"

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages this lane offers."""
        return self.lane.rules.languages if self.lane.rules else ("en",)

    @property
    def may_use_own_bag(self) -> bool:
        """Is there a bagging scale that works, and an own bag left to allow for?"""
        if self.lane.rules is None or not self.lane.rules.bagging.is_on:
            return False
        bag = self.lane.bagging
        return bag.is_weighing and bag.bags < self.lane.rules.bagging.own_bags

    def view(self, name: str, layout: Layout, title: str, **parts: Any) -> View:
        """Return a View in this scene's language, under its banners."""
        return View(
            name=name,
            language=self.words.language,
            layout=layout,
            title=title,
            banners=self.banners,
            **parts,
        )

    def name(self, line: LineItem) -> str:
        """Return a line's name as the screen can show it; never nothing."""
        return plain(line.named(self.words.language)) or plain(line.item_id)

    # -- buttons -----------------------------------------------------------

    def opens(self, name: str, label: str, panel: str, **parts: Any) -> Button:
        """Return a button that opens a panel."""
        return Button(name, label, local=Local(panel=panel), **parts)

    def back(self, panel: str = "", label: str = "") -> Button:
        """Return the button that leaves a panel."""
        return Button(
            "back", label or self.t("Back"), icon="back", local=Local(panel=panel)
        )

    def footer(self, *, help_topic: str = "", staff: bool = True) -> tuple[Button, ...]:
        """Return the bottom row: help, language, staff. Always in this order."""
        buttons = []
        if self.lane.called:
            buttons.append(
                Button(
                    "help_cancel",
                    self.t("No help needed"),
                    icon="help",
                    post=HelpCancelled(),
                )
            )
        elif help_topic == "ask":
            buttons.append(self.opens("help", self.t("Help"), "help", icon="help"))
        elif help_topic:
            buttons.append(
                Button(
                    "help", self.t("Help"), icon="help", post=HelpPressed(help_topic)
                )
            )
        others = [code for code in self.languages if code != self.words.language]
        if len(others) == 1:
            (code,) = others
            buttons.append(
                Button(
                    f"lang_{code}",
                    own_name(code),
                    icon="globe",
                    post=LanguageChosen(code),
                )
            )
        elif others:
            buttons.append(
                self.opens(
                    "languages",
                    own_name(self.words.language),
                    "languages",
                    icon="globe",
                )
            )
        if staff:
            buttons.append(
                Button("staff", self.t("Staff"), icon="person", post=StaffPressed())
            )
        return tuple(buttons)

    # -- the basket --------------------------------------------------------

    def rows(self, lines: tuple[LineItem, ...], figures: Figures | None) -> list[Row]:
        """Return the basket's list: each line, and under it what was taken off."""
        rows: list[Row] = []
        language, amount = self.words.language, self.words.amount
        discounts: dict[int, list[Row]] = {}
        if figures:
            for discount in figures.discounts:
                why = _named(discount.description, language)
                row = Row(
                    plain(why),
                    amount(discount.amount_minor, figures.currency),
                    kind="discount",
                )
                last = max(discount.line_nos, default=0)
                discounts.setdefault(last, []).append(row)
        currency = self.currency
        for line in lines:
            rows.append(self.row(line, currency))
            if line.line_no in discounts:
                rows.extend(discounts.pop(line.line_no))
        for late in discounts.values():
            rows.extend(late)
        return rows

    def row(self, line: LineItem, currency: str) -> Row:
        """Return one line as the list shows it."""
        amount = self.words.amount
        detail = ""
        if line.weighed:
            detail = f"{self.words.kilograms(line.weight_grams)} × {amount(line.unit_price_minor, currency)}"
        elif line.quantity > 1:
            detail = f"{line.quantity} × {amount(line.unit_price_minor, currency)}"
        return Row(
            self.name(line),
            amount(line.extended_minor, currency),
            count="" if line.weighed else f"{line.quantity} ×",
            detail=detail,
            kind="deposit" if line.of_line or line.is_deposit else "item",
        )

    def total(self, figures: Figures | None) -> Total:
        """Return the figure the shopper pays, and how it comes about."""
        if figures is None:
            return Total(self.count(0), self.money(0))
        parts = []
        if figures.discount_minor:
            saved = self.money(abs(figures.discount_minor))
            parts.append(self.t("You save {amount}", amount=saved))
        if figures.deposit_minor:
            deposit = self.money(figures.deposit_minor)
            parts.append(self.t("incl. deposit {amount}", amount=deposit))
        return Total(
            self.count(figures.count),
            self.money(figures.total_minor),
            " · ".join(parts),
        )

    def count(self, count: int) -> str:
        """Return how many items there are, in words."""
        return self.words.tn("{count} item", "{count} items", count)

    # -- long lists and typing ---------------------------------------------

    def page(
        self, choices: list[Button], size: int = PAGE
    ) -> tuple[tuple[Button, ...], tuple[Button, ...]]:
        """Return the choices shown now, and the buttons that leaf through them."""
        if len(choices) <= size:
            return tuple(choices), ()
        first = min(self.local.first, (len(choices) - 1) // size * size)
        leaf = []
        if first > 0:
            leaf.append(
                Button(
                    "previous",
                    self.t("Previous"),
                    icon="up",
                    local=replace(self.local, first=max(0, first - size)),
                )
            )
        if first + size < len(choices):
            leaf.append(
                Button(
                    "next",
                    self.t("More"),
                    icon="down",
                    local=replace(self.local, first=first + size),
                )
            )
        return tuple(choices[first : first + size]), tuple(leaf)

    def digits(self, field: str, longest: int) -> tuple[tuple[Button, ...], ...]:
        """Return a number pad that types into one field of the screen's state."""
        typed = getattr(self.local, field)

        def key(digit: str) -> Button:
            more = typed + digit if len(typed) < longest else typed
            spoken = self.t("digit") if field == "pin" else digit
            return Button(
                f"key_{digit}",
                digit,
                speech=spoken,
                kind="key",
                local=replace(self.local, **{field: more}),
            )

        clear = Button(
            "key_clear",
            "",
            speech=self.t("Clear all"),
            kind="key",
            icon="clear",
            local=replace(self.local, **{field: ""}),
        )
        erase = Button(
            "key_erase",
            "",
            speech=self.t("Delete the last one"),
            kind="key",
            icon="erase",
            local=replace(self.local, **{field: typed[:-1]}),
        )
        return (
            (key("1"), key("2"), key("3")),
            (key("4"), key("5"), key("6")),
            (key("7"), key("8"), key("9")),
            (clear, key("0"), erase),
        )

    def address_keys(self, longest: int) -> tuple[tuple[Button, ...], ...]:
        """Return a number pad with a dot, for addresses."""
        *rows, (_, nought, erase) = self.digits("typed", longest)
        typed = self.local.typed
        more = typed + "." if len(typed) < longest else typed
        dot = Button(
            "key_dot",
            ".",
            speech=self.t("Dot"),
            kind="key",
            local=replace(self.local, typed=more),
        )
        return (*rows, (dot, nought, erase))

    def letters(self) -> tuple[tuple[Button, ...], ...]:
        """Return a keyboard of letters; search knows no accents, so neither does it."""

        def key(letter: str) -> Button:
            return Button(
                f"key_{letter.lower()}",
                letter,
                kind="key",
                local=replace(
                    self.local, typed=(self.local.typed + letter)[:24], first=0
                ),
            )

        space = Button(
            "key_space",
            "",
            speech=self.t("Space"),
            kind="key",
            icon="space",
            local=replace(self.local, typed=(self.local.typed + " ")[:24]),
        )
        erase = Button(
            "key_erase",
            "",
            speech=self.t("Delete the last one"),
            kind="key",
            icon="erase",
            local=replace(self.local, typed=self.local.typed[:-1], first=0),
        )
        order = {"de": ("QWERTZUIOP", "ASDFGHJKL", "YXCVBNM")}.get(
            self.words.language[:2], ("QWERTYUIOP", "ASDFGHJKL", "ZXCVBNM")
        )
        top, middle, low = (tuple(key(letter) for letter in row) for row in order)
        return top, (*middle, erase), (*low, space)


def line_choices(scene: Scene, basket: Basket) -> list[LineItem]:
    """Return the lines one can act on, newest first; deposits follow their item."""
    return [line for line in reversed(basket.standing) if not line.of_line]


def _named(description: dict[str, str], language: str) -> str:
    return description.get(language) or next(iter(description.values()), "")
