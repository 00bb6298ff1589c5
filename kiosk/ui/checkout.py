"""Views from Pay to Thank you. They say what the terminal said, and no more.

Whether money was taken is always said; nothing here asks for money or gives it back.
"""

from __future__ import annotations

from kiosk.domain.events import (
    BackPressed,
    PayPressed,
    ReceiptChosen,
)
from kiosk.domain.state import Closed, Complete, Declined, OutcomeUnknown, Paying
from kiosk.ui.enrolling import enrolling
from kiosk.ui.scene import Scene
from kiosk.ui.view import Button, Layout, View
from kiosk.ui.words import N, plain

MOMENTS: dict[str, tuple[str, str, str]] = {
    "": (
        N("Hold or insert your card"),
        N("The card reader is beside the screen."),
        "tap_card",
    ),
    "waiting_for_card": (
        N("Hold or insert your card"),
        N("The card reader is beside the screen."),
        "tap_card",
    ),
    "card_seen": (
        N("Follow the card reader"),
        N("Please leave your card where it is."),
        "card",
    ),
    "enter_pin": (
        N("Enter your PIN on the card reader"),
        N("Cover it with your hand."),
        "pin",
    ),
    "host": (
        N("One moment, please"),
        N("Your bank is being asked."),
        "clock",
    ),
    "remove_card": (N("Please take your card"), "", "card"),
}

DECLINED: dict[str, tuple[str, str]] = {
    "declined": (
        N("The card did not work"),
        N("You were not charged. Try again or use another card."),
    ),
    "cancelled": (N("Payment was stopped"), N("You were not charged.")),
    "partial": (
        N("The card covered only a part"),
        N("That part is being given back. Please use another card."),
    ),
    "not_sent": (
        N("The card reader did not answer"),
        N("You were not charged. Please try again."),
    ),
    "no_card": (
        N("Cards do not work at the moment"),
        N("You were not charged. Please try again, or ask a colleague."),
    ),
    "not_charged": (
        N("Payment did not go through"),
        N("You were not charged. You can pay again."),
    ),
}

CLOSED: dict[str, tuple[str, str]] = {
    "starting": (N("One moment, please"), N("This checkout is starting.")),
    "attendant": (
        N("This checkout is closed"),
        N("Please use another one."),
    ),
    "office": (
        N("This checkout is having a break"),
        N("Please use another one."),
    ),
    "trouble": (
        N("This checkout is closed"),
        N("Please use another one. We are sorry."),
    ),
    "battery": (
        N("The mains power is off"),
        N("Please use another checkout, or ask a colleague."),
    ),
    "update": (
        N("Closed for a short update"),
        N("Please use another checkout. This one opens again in a few minutes."),
    ),
    "day": (
        N("This checkout is closed"),
        N("The day is done. Thank you for coming."),
    ),
}

CLOSED_ICONS = {"battery": "battery", "starting": "clock", "update": "clock"}

DEVICES: dict[str, str] = {
    "disk": N("storage"),
    "scanner": N("scanner"),
    "terminal": N("card reader"),
    "printer": N("receipt printer"),
    "scale": N("scale"),
}


def paying(scene: Scene, mode: Paying) -> View:
    """The terminal has the word: amount, where to look, and Back until a card."""
    t = scene.t
    title, text, icon = MOMENTS.get(mode.moment, MOMENTS["card_seen"])
    name = f"paying_{mode.moment or 'asked'}"
    can_go_back = mode.phase != "approved" and mode.moment in ("", "waiting_for_card")
    if mode.is_cancelling:
        name, can_go_back = "paying_cancelling", False
        title, text, icon = N("Going back"), N("One moment, please."), "clock"
    elif mode.phase == "preparing":
        name = "paying_preparing"
        title, text, icon = (
            N("One moment, please"),
            N("The card reader is getting ready."),
            "clock",
        )
    elif mode.phase == "approved":
        name = "paying_approved"
        title, text, icon = N("Almost done"), N("Please take your card."), "check"
    if scene.lane.is_training:
        text = N("Practice: no card is asked and no money moves.")
    back = Button("back", t("Back to my items"), icon="back", post=BackPressed())
    return scene.view(
        name,
        Layout.MESSAGE,
        t(title),
        big=scene.money(mode.tender.amount_minor, mode.tender.figures.currency),
        text=t(text) if text else "",
        icon=icon,
        tone="pay",
        buttons=(back,) if can_go_back else (),
        footer=scene.footer(help_topic="payment", staff=False),
    )


def unknown(scene: Scene, mode: OutcomeUnknown) -> View:
    """Nobody knows yet whether the card was charged, and that is said."""
    t = scene.t
    detail = ""
    if mode.called_staff:
        detail = t(
            "A colleague is coming. Reference {code}", code=mode.tender.attempt_id[-8:]
        )
    return scene.view(
        "unknown_called" if mode.called_staff else "unknown",
        Layout.MESSAGE,
        t("Do not pay again"),
        big=scene.money(mode.tender.amount_minor, mode.tender.figures.currency),
        text=t("We are checking your payment with the card reader."),
        detail=detail,
        icon="clock",
        tone="wait",
        footer=scene.footer(help_topic="payment"),
    )


def declined(scene: Scene, mode: Declined) -> View:
    """Plain words, whether money was taken, and what to do now."""
    t = scene.t
    title, text = DECLINED.get(mode.why, DECLINED["declined"])
    return scene.view(
        f"declined_{mode.why}",
        Layout.MESSAGE,
        t(title),
        text=t(text),
        icon="card_no",
        buttons=(
            Button("back", t("Back to my items"), icon="back", post=BackPressed()),
        ),
        primary=Button(
            "pay",
            t("Pay again"),
            kind="primary",
            icon="card",
            post=PayPressed(),
            is_guarded=True,
        ),
        footer=scene.footer(help_topic="payment"),
    )


def complete(scene: Scene, mode: Complete) -> View:
    """Paid: the receipt question, then thanks."""
    t, sale = scene.t, mode.sale
    paid = t(
        "Paid {amount}",
        amount=scene.money(sale.figures.total_minor, sale.figures.currency),
    )
    take = (
        ("bag", t("Your bags")),
        ("card", t("Your card")),
        ("receipt", t("Your receipt")),
    )
    footer = scene.footer(help_topic="other", staff=mode.stage != "printing")
    match mode.stage:
        case "ask":
            return scene.view(
                "receipt",
                Layout.MESSAGE,
                t("Would you like a receipt?"),
                big=paid,
                icon="done",
                tone="good",
                buttons=_receipt_choices(scene),
                footer=footer,
            )
        case "printing":
            return scene.view(
                "printing",
                Layout.MESSAGE,
                t("Your receipt is being printed"),
                big=paid,
                icon="receipt",
                tone="good",
                footer=footer,
            )
        case "qr":
            return scene.view(
                "receipt_qr",
                Layout.MESSAGE,
                t("Scan this with your phone"),
                big=paid,
                text=t("Your receipt opens in the browser."),
                tone="good",
                qr=receipt_address(scene, mode),
                buttons=(
                    Button(
                        "receipt_done",
                        t("Done"),
                        icon="check",
                        post=ReceiptChosen("none"),
                    ),
                ),
                footer=footer,
            )
        case "failed":
            return scene.view(
                "thanks_failed",
                Layout.MESSAGE,
                t("Thank you"),
                big=paid,
                text=t("The receipt could not be printed. A colleague will help you."),
                icon="done",
                tone="good",
                pictures=take[:2],
                footer=footer,
            )
        case _:
            return scene.view(
                "thanks",
                Layout.MESSAGE,
                t("Thank you"),
                big=paid,
                text=t("Please take everything with you."),
                icon="done",
                tone="good",
                pictures=take,
                footer=footer,
            )


def _receipt_choices(scene: Scene) -> tuple[Button, ...]:
    t, rules = scene.t, scene.lane.rules
    has_paper = scene.lane.devices.get("printer", "ready") != "absent"
    choices = []
    if has_paper or (rules and rules.receipt_required):
        choices.append(
            Button(
                "receipt_paper",
                t("Print"),
                icon="receipt",
                kind="big",
                post=ReceiptChosen("paper"),
            )
        )
    if rules and rules.receipt_url:
        choices.append(
            Button(
                "receipt_qr",
                t("On my phone"),
                icon="qr",
                kind="big",
                post=ReceiptChosen("qr"),
            )
        )
    if not (rules and rules.receipt_required):
        choices.append(
            Button(
                "receipt_none",
                t("No receipt"),
                icon="receipt_no",
                kind="big",
                post=ReceiptChosen("none"),
            )
        )
    return tuple(choices)


def receipt_address(scene: Scene, mode: Complete) -> str:
    """Return where the shopper finds this receipt; the basket's id names it."""
    base = scene.lane.rules.receipt_url if scene.lane.rules else ""
    return f"{base.rstrip('/')}/{mode.sale.basket_id}"


def closed(scene: Scene, mode: Closed) -> View:
    """Nothing is sold here now; where to go instead, and why for those who can help."""
    t, lane = scene.t, scene.lane
    if mode.cause == "enrol":
        return enrolling(scene, mode)
    kept = [s for s in lane.suspended if s.why == "power"]
    if mode.cause == "battery" and kept:
        return scene.view(
            "battery_low",
            Layout.MESSAGE,
            t("We keep your basket"),
            big=t("Basket {code}", code=kept[-1].code),
            text=t("The power is going. Please ask a colleague."),
            icon="battery",
            tone="wait",
            footer=scene.footer(),
        )
    title, text = CLOSED.get(mode.cause, CLOSED["trouble"])
    detail = ""
    if mode.cause == "trouble":
        device = DEVICES.get(mode.detail)
        cause = t(device) if device else plain(mode.detail)
        detail = t("For staff: {cause}", cause=cause) if cause else ""
    if any(a.stage.is_open for a in lane.ledger.values()):
        detail = " · ".join(
            p for p in (t("A card payment is still being checked."), detail) if p
        )
    return scene.view(
        f"closed_{mode.cause}",
        Layout.MESSAGE,
        t(title),
        text=t(text),
        detail=detail,
        icon=CLOSED_ICONS.get(mode.cause, "closed"),
        footer=scene.footer(
            help_topic="" if mode.cause == "starting" else "other",
            staff=mode.cause != "starting",
        ),
    )
