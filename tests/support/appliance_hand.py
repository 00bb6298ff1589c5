"""A hand at the booted machine's glass: it finds buttons where the gallery has them.

After each tap it waits until the glass answers. Reads no words.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from appliance_screen import (
    RECEIPT_BUTTONS,
    STAFF_MENU,
    answered,
    has_label,
    has_lines,
    like,
    place,
)
from imagebuild.machine import until
from imagebuild.stand import Stand

TECHNICIAN, PIN = "7", "480917"
# An emulated machine draws slowly.
ANSWER_SECONDS = 40.0
PAYMENT_SECONDS = 120.0


def press(stand: Stand, view: str, button: str, banners: int = 0) -> None:
    """Tap a View's button once something is drawn there, until the glass answers.

    A screen that was drawn anew under the finger takes no tap: people tap again.
    """
    at = place(view, button, banners)
    stand.wait_until_shown("button", has_label(at), ANSWER_SECONDS)
    before = stand.picture("before-tap")
    for is_last in (False, True):
        stand.tap(*at)
        try:
            stand.wait_until_shown("tapped", answered(before), ANSWER_SECONDS)
        except TimeoutError:
            if is_last:
                raise
        else:
            return


def sign_on(stand: Stand) -> None:
    """Sign on as the technician, from the welcome."""
    press(stand, "attract", "staff")
    # Nobody looks between digits, and the pad waits twenty seconds only.
    for digit in TECHNICIAN:
        stand.tap(*place("pin_number_empty", f"key_{digit}"))
    press(stand, "pin_number", "enter")
    for digit in PIN:
        stand.tap(*place("pin", f"key_{digit}"))
    stand.tap(*place("pin", "enter"))
    # A PIN is slow to check by intent, and slower emulated.
    stand.wait_until_shown("staff", like("staff", STAFF_MENU), ANSWER_SECONDS)


def sell(stand: Stand, *codes: str, banners: int = 0) -> None:
    """Scan, pay by card and take a receipt on paper."""
    pay(stand, *codes, banners=banners)
    pieces = len(receipts(stand))
    press(stand, "complete_ask", "receipt_paper", banners)
    until(lambda: len(receipts(stand)) > pieces, PAYMENT_SECONDS, "a receipt")


def pay(stand: Stand, *codes: str, banners: int = 0) -> None:
    """Scan and pay by card; the lane asks about the receipt afterwards."""
    for number, code in enumerate(codes, 1):
        stand.scan(code)
        stand.wait_until_shown("scanned", has_lines(number), ANSWER_SECONDS)
    press(stand, "scanning", "pay", banners)
    before = len(kept(stand))
    show_card(stand)
    until(lambda: len(kept(stand)) > before, PAYMENT_SECONDS, "an approved payment")
    stand.wait_until_shown("paid", like("paid", RECEIPT_BUTTONS), PAYMENT_SECONDS)


def show_card(stand: Stand) -> None:
    """Hold a card to the terminal as soon as it asks for one."""
    until(
        lambda: bool(stand.terminal.tell("terminal", "present_card", wait_seconds=1)),
        PAYMENT_SECONDS,
        "a terminal that asks for a card",
    )


def receipts(stand: Stand) -> list[dict[str, str]]:
    """Return what came out of the printer: each piece's `file`, `text` and `end`."""
    found: Any = stand.printer.tell("printer", "receipts")
    return list(found)


def kept(stand: Stand) -> list[int]:
    """Return what the card terminal took and did not give back, each in cents."""
    ledger: Any = stand.terminal.tell("terminal", "ledger")
    return [
        one["result"]["amount_minor"]
        for one in ledger
        if one["kind"] == "payment" and one["state"] == "approved"
    ]


def sales(stand: Stand) -> dict[str, int]:
    """Return what the back office holds as sold: basket and cents."""
    with closing(sqlite3.connect(stand.folder / "office/office.db")) as book:
        rows = book.execute(
            "select reference, amount_minor from fact where kind = 'SaleMade'"
        ).fetchall()
    found = dict(rows)
    assert len(found) == len(rows), "a sale is held twice"
    return found


def told_to_cut(stand: Stand) -> bool:
    """Tell whether the UPS was told to cut the current (Megatec's `S`)."""
    return any(order.startswith("S") for order in stand.ups.shutdowns())
