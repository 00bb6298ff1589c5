"""Views in which the shopper waits: for the scale, for help, for a colleague."""

from __future__ import annotations

from kiosk.domain.events import (
    HelpCancelled,
    HelpPressed,
    OwnBagUsed,
    WeighingCancelled,
)
from kiosk.domain.modes import basket_of
from kiosk.domain.state import Intervention, Weighing
from kiosk.ui.local import Local
from kiosk.ui.scene import Scene
from kiosk.ui.view import Button, Layout, Row, View
from kiosk.ui.words import N, plain

TOPICS: tuple[tuple[str, str, str], ...] = (
    ("barcode", N("A barcode does not scan"), "scan"),
    ("price", N("A price looks wrong"), "tag"),
    ("payment", N("Paying"), "card"),
    ("other", N("Something else"), "help"),
)

ASKED: dict[str, tuple[str, str, str]] = {
    "age": (
        N("A colleague checks your age"),
        N("Please have your ID ready."),
        "person",
    ),
    "item": (N("A colleague takes a look"), N("One moment, please."), "person"),
    "approvals": (
        N("A colleague takes a look"),
        N("Please have your ID ready if you bought something with an age limit."),
        "person",
    ),
    "unknown_item": (
        N("We do not know this item yet"),
        N("A colleague is coming. You can also go on without it."),
        "person",
    ),
    "maximum_quantity": (
        N("That is a lot of one item"),
        N("A colleague has to agree. You can also keep to fewer."),
        "person",
    ),
    "void": (
        N("A colleague takes it off the list"),
        N("One moment, please. You can also keep it."),
        "person",
    ),
    "void_sale": (
        N("A colleague ends your shopping"),
        N("One moment, please. You can also go on."),
        "person",
    ),
    "random_check": (
        N("We check a few baskets"),
        N("Yours was drawn by lot. A colleague is coming."),
        "person",
    ),
    "help": (N("Someone is coming"), N("A colleague was called."), "person"),
    "scale_mismatch": (
        N("The weight does not fit"),
        N("A colleague takes a look."),
        "scale",
    ),
    "idle": (
        N("We keep your basket"),
        N("A colleague was called. Touch below to go on."),
        "bag",
    ),
}

# What the shopper may do alone instead of waiting.
WAYS_OUT: dict[str, str] = {
    "unknown_item": N("Go on without it"),
    "maximum_quantity": N("Leave it as it was"),
    "void": N("Keep the item"),
    "void_sale": N("Go on shopping"),
    "help": N("I no longer need help"),
    "idle": N("Go on shopping"),
    "approvals": N("Back to my items"),
}


def weighing(scene: Scene, mode: Weighing) -> View:
    """The item belongs on the scale."""
    t = scene.t
    return scene.view(
        "weighing",
        Layout.MESSAGE,
        t("Put it on the scale"),
        big=scene.words.kilograms(max(0, scene.lane.weight_grams)),
        text=scene.name(mode.line),
        detail=t("{amount} / kg", amount=scene.money(mode.line.unit_price_minor)),
        icon="scale",
        buttons=(Button("back", t("Back"), icon="back", post=WeighingCancelled()),),
        footer=scene.footer(help_topic="other"),
    )


def help_topics(scene: Scene) -> View:
    buttons = tuple(
        Button(
            f"help_{topic}",
            scene.t(label),
            icon=icon,
            post=HelpPressed(topic),
            local=Local(),
        )
        for topic, label, icon in TOPICS
    )
    return scene.view(
        "help_topics",
        Layout.MENU,
        scene.t("What can we help with?"),
        icon="help",
        choices=buttons,
        buttons=(scene.back(),),
    )


def intervention(scene: Scene, mode: Intervention) -> View:
    """Somebody is coming; what it is about, and what one may do meanwhile."""
    t = scene.t
    title, text, icon = ASKED.get(mode.reason, ASKED["help"])
    buttons = []
    if mode.reason == "scale_mismatch":
        title, text = _what_does_not_fit(mode)
        if scene.may_use_own_bag and not mode.subject.startswith("-"):
            buttons.append(
                Button("own_bag", t("It is my own bag"), icon="bag", post=OwnBagUsed())
            )
    if mode.is_quiet:
        buttons.append(
            Button("call", t("Call a colleague"), icon="help", post=HelpPressed())
        )
    if mode.reason in WAYS_OUT:
        buttons.append(
            Button("go_on", t(WAYS_OUT[mode.reason]), icon="back", post=HelpCancelled())
        )
    return scene.view(
        f"intervention_{mode.reason}",
        Layout.MESSAGE,
        t(title),
        text=t(text),
        detail=subject(scene, mode),
        icon=icon,
        tone="wait",
        rows=() if mode.check else waiting_rows(scene, mode),
        buttons=tuple(buttons),
        footer=scene.footer(),
    )


def _what_does_not_fit(mode: Intervention) -> tuple[str, str]:
    """Say it in one plain sentence, without blame."""
    is_missing = mode.subject.startswith("-")
    if not mode.is_quiet:
        title, text, _ = ASKED["scale_mismatch"]
        return title, text
    if is_missing:
        return (
            N("Something is missing from the bagging area"),
            N("Please put down what you scanned. Then we go on by ourselves."),
        )
    return (
        N("Something in the bagging area was not scanned"),
        N("Please take it out and scan it first. Then we go on by ourselves."),
    )


def subject(scene: Scene, mode: Intervention) -> str:
    """Return what an intervention is about, in a few words."""
    basket = basket_of(mode)
    line = mode.line or (basket.line(mode.line_no) if basket else None)
    if line:
        name = scene.name(line)
        return f"{mode.quantity} × {name}" if mode.quantity else name
    if mode.reason == "help":
        topics = {topic: label for topic, label, _ in TOPICS}
        return scene.t(topics[mode.subject]) if mode.subject in topics else ""
    if mode.reason == "unknown_item":
        return plain(mode.subject)
    if mode.reason == "scale_mismatch":
        grams = plain(mode.subject)
        if grams.startswith("-"):
            return scene.t("{grams} g are missing", grams=grams[1:])
        return scene.t("{grams} g too much", grams=grams)
    return ""


def waiting_rows(scene: Scene, mode: Intervention) -> tuple[Row, ...]:
    """Return what an attendant must see before payment, line by line."""
    basket = basket_of(mode)
    t, rows = scene.t, []
    if mode.check:
        # The newest first: a trolley full of it does not fit.
        return tuple(
            Row(plain(item) or "?", detail=t("is not on the list"), kind="note")
            for item in reversed(mode.check.unpaid)
        )
    if mode.reason != "approvals" or basket is None:
        return ()
    for approval in basket.waiting:
        line = basket.line(approval.line_no)
        name = scene.name(line) if line else ""
        why = {
            "age": t("from {age} years", age=approval.age),
            "item": t("is looked at by a colleague"),
        }.get(approval.reason, t("is looked at by a colleague"))
        rows.append(Row(name or why, detail=why if name else "", kind="note"))
    return tuple(rows)
