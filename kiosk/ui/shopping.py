"""Views from Welcome to the full basket. Decides words and buttons, never money."""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.asked import ResumeAsked
from kiosk.domain.attending import resumes_alone
from kiosk.domain.events import (
    CancelPressed,
    LanguageChosen,
    LineVoided,
    MoreTimePressed,
    NoticeRead,
    OwnBagUsed,
    PayPressed,
    QuantityChanged,
    StartPressed,
)
from kiosk.domain.state import Idle, Scanning
from kiosk.ui import finding, waiting
from kiosk.ui.local import Local
from kiosk.ui.scene import Scene, line_choices
from kiosk.ui.view import Button, Card, Field, Layout, Total, View
from kiosk.ui.words import N, own_name, plain

# More languages than this go behind a button of their own.
LANGUAGES_AT_ONCE = 4

# In a notice the words after the name matter more than its end.
_LONGEST_NAME = 40

NOTICES: dict[str, tuple[str, str, str]] = {
    "not_for_sale": (
        N("This item is not for sale here"),
        N("Please put it aside. A colleague is happy to help."),
        "info",
    ),
    "expired": (
        N("This item is past its date"),
        N("Please take a fresh one, or ask a colleague."),
        "clock",
    ),
    "recalled": (
        N("This item was called back"),
        N("Please do not eat it. Give it to a colleague."),
        "warning",
    ),
    "no_price": (
        N("We do not know its price"),
        N("Please put it aside and ask a colleague."),
        "info",
    ),
    "unreadable": (
        N("We could not read that"),
        N("Please scan it again, or choose “No barcode?”."),
        "scan",
    ),
    "coupon_unknown": (
        N("This coupon is not valid here"),
        N("You can go on scanning."),
        "coupon",
    ),
    "coupon_taken": (
        N("This coupon is already counted"),
        N("You can go on scanning."),
        "coupon",
    ),
    "coupon_later": (
        N("Your coupon is kept"),
        N("It counts once your items allow it."),
        "coupon",
    ),
    "too_many": (
        N("That is more than we may sell at once"),
        N("Please ask a colleague."),
        "info",
    ),
    "basket_full": (
        N("The list is full"),
        N("Please pay for these items first."),
        "bag",
    ),
    "battery": (
        N("Paying is not possible on battery power"),
        N("We keep your basket. A colleague will help you."),
        "battery",
    ),
    "no_card": (
        N("Cards do not work at the moment"),
        N("You were not charged. Please try again, or ask a colleague."),
        "card",
    ),
    "not_charged": (
        N("You were not charged"),
        N("You can pay now, or go on scanning."),
        "card",
    ),
    "dropped_lines": (
        N("Some items were taken off the list"),
        N("They may no longer be sold. Please check the list."),
        "info",
    ),
}


def attract(scene: Scene, mode: Idle) -> View:
    """Welcome: scanning starts the sale; languages are named in themselves."""
    lane, t = scene.lane, scene.t
    codes = scene.languages if len(scene.languages) > 1 else ()
    store = lane.rules.store[0] if lane.rules and lane.rules.store else ""
    shown = codes[:LANGUAGES_AT_ONCE]
    buttons = [
        Button(
            f"lang_{code}",
            own_name(code),
            kind="chosen" if code == lane.language else "plain",
            post=LanguageChosen(code),
        )
        for code in shown
    ]
    kept = [s for s in lane.suspended if resumes_alone(lane, s, lane.last_ms)]
    if kept:
        last = kept[-1]
        buttons.insert(
            0,
            Button(
                "resume_own",
                t("Go on with basket {code}", code=last.code),
                icon="bag",
                post=ResumeAsked(last.suspended_seq),
            ),
        )
    more = {"languages"} if len(codes) > len(shown) else set()
    footer = tuple(
        b
        for b in scene.footer(help_topic="other")
        if not b.name.startswith("lang") or b.name in more
    )
    return scene.view(
        "attract",
        Layout.WELCOME,
        t("Welcome"),
        big=plain(store),
        text=t("Scan your first item to start"),
        detail=t("Card and phone only. No cash at this checkout."),
        icon="scan",
        pictures=(
            ("scan", t("Scan")),
            ("tap_card", t("Pay")),
            ("bag", t("Take it home")),
        ),
        card=_notice(scene, mode.notice, ""),
        buttons=tuple(buttons),
        primary=Button(
            "start", t("Start"), kind="primary", icon="basket", post=StartPressed()
        ),
        footer=footer,
    )


def languages(scene: Scene) -> View:
    """The list of languages, each named in itself."""
    choices = [
        Button(
            f"lang_{code}",
            own_name(code),
            kind="row",
            icon="check" if code == scene.words.language else "globe",
            post=LanguageChosen(code),
            local=Local(),
        )
        for code in scene.languages
    ]
    shown, leaf = scene.page(choices)
    return scene.view(
        "languages",
        Layout.CHOICES,
        scene.t("Choose your language"),
        icon="globe",
        choices=shown,
        buttons=(*leaf, scene.back()),
    )


def scanning(scene: Scene, mode: Scanning) -> View:
    """The basket, and the panels that lie over it."""
    if mode.is_warned:
        return replace(_list(scene, mode), card=_more_time(scene))
    match scene.local.panel:
        case "produce":
            return finding.produce(scene)
        case "search":
            return finding.search(scene)
        case "code":
            return finding.code(scene)
        case "remove":
            return _remove(scene, mode)
        case "quantity":
            return _quantity(scene, mode)
        case "leave":
            return _leave(scene, mode)
        case "help":
            return waiting.help_topics(scene)
        case _:
            return _list(scene, mode)


def _list(scene: Scene, mode: Scanning) -> View:
    t, lane = scene.t, scene.lane
    lines = mode.basket.standing
    rows = scene.rows(lines, lane.figures)
    is_filled = bool(lines)
    buttons = [
        scene.opens("produce", t("No barcode?"), "produce", icon="apple"),
        scene.opens("code", t("Type a number"), "code", icon="keypad"),
    ]
    primary = None
    if scene.may_use_own_bag:
        buttons.insert(
            0, Button("own_bag", t("I use my own bag"), icon="bag", post=OwnBagUsed())
        )
    if is_filled:
        buttons.append(
            scene.opens("remove", t("Remove an item"), "remove", icon="minus")
        )
        buttons.append(
            scene.opens("quantity", t("Change quantity"), "quantity", icon="plus")
        )
        total = scene.total(lane.figures)
        primary = Button(
            "pay",
            t("Pay {amount}", amount=total.amount),
            kind="primary",
            icon="card",
            post=PayPressed(),
            is_guarded=True,
        )
    else:
        total = Total(scene.count(0), scene.money(0))
        buttons.append(
            Button("cancel", t("Back to start"), icon="back", post=CancelPressed())
        )
    newest = max((i for i, r in enumerate(rows) if r.kind != "discount"), default=-1)
    return scene.view(
        "scanning" if is_filled else "scanning_empty",
        Layout.BASKET,
        t("Scan the next item") if is_filled else t("Scan your first item"),
        icon="scan",
        detail="" if is_filled else _how_to_scan(scene),
        rows=tuple(rows),
        newest=newest,
        total=total,
        card=_notice(scene, mode.notice, mode.notice_item),
        buttons=tuple(buttons),
        primary=primary,
        footer=scene.footer(help_topic="ask"),
        has_finder=scene.sees,
    )


def _how_to_scan(scene: Scene) -> str:
    if scene.sees:
        return scene.t("Show the barcode to the camera.")
    return scene.t("Hold the barcode over the scanner.")


def _notice(scene: Scene, notice: str, item: str) -> Card | None:
    if not notice:
        return None
    title, text, icon = NOTICES.get(notice, (N("Please ask a colleague"), "", "info"))
    name = plain(item)
    if len(name) > _LONGEST_NAME:
        name = name[:_LONGEST_NAME].rstrip() + "…"
    return Card(
        "notice",
        scene.t(title),
        " ".join(
            part
            for part in (f"{name}." if name else "", scene.t(text) if text else "")
            if part
        ),
        icon=icon,
        buttons=(Button("notice_ok", scene.t("OK"), post=NoticeRead()),),
    )


def _more_time(scene: Scene) -> Card:
    seconds = scene.lane.rules.limits.extend_seconds if scene.lane.rules else 30
    return Card(
        "more_time",
        scene.t("Do you need more time?"),
        scene.t("Otherwise we keep your basket and call a colleague."),
        icon="clock",
        buttons=(
            Button(
                "more_time",
                scene.t("Yes, I am still here"),
                kind="primary",
                post=MoreTimePressed(),
            ),
        ),
        is_modal=True,
        seconds=seconds,
    )


# -- changing the list -------------------------------------------------------


def _remove(scene: Scene, mode: Scanning) -> View:
    t = scene.t
    choices = [
        Button(
            f"remove_{line.line_no}",
            scene.name(line),
            speech=t("Remove {name}", name=scene.name(line)),
            kind="row",
            icon="minus",
            amount=scene.money(line.extended_minor),
            detail=scene.row(line, scene.currency).detail,
            post=LineVoided(line.line_no),
        )
        for line in line_choices(scene, mode.basket)
    ]
    shown, leaf = scene.page(choices)
    return scene.view(
        "remove",
        Layout.CHOICES,
        t("Remove an item"),
        text=t("Touch what you do not want."),
        icon="minus",
        choices=shown,
        buttons=(
            *leaf,
            scene.opens("leave", t("Remove everything"), "leave", icon="clear"),
            scene.back(),
        ),
        footer=scene.footer(help_topic="ask", staff=False),
    )


def _leave(scene: Scene, mode: Scanning) -> View:
    t = scene.t
    return scene.view(
        "leave",
        Layout.MESSAGE,
        t("Leave without buying?"),
        text=t("All items are taken off the list."),
        icon="bag",
        buttons=(
            Button(
                "leave_yes",
                t("Yes, remove everything"),
                kind="stop",
                post=CancelPressed(),
                local=Local(),
            ),
            scene.back(label=t("No, go on shopping")),
        ),
    )


def _quantity(scene: Scene, mode: Scanning) -> View:
    t, local = scene.t, scene.local
    line = mode.basket.line(int(local.chosen)) if local.chosen else None
    if line is None:
        choices = [
            Button(
                f"line_{line.line_no}",
                scene.name(line),
                kind="row",
                icon="plus",
                amount=f"{line.quantity} ×",
                local=Local(panel="quantity", chosen=str(line.line_no)),
            )
            for line in line_choices(scene, mode.basket)
            if not line.weighed and line.price_source != "label"
        ]
        shown, leaf = scene.page(choices)
        return scene.view(
            "quantity",
            Layout.CHOICES,
            t("Change quantity"),
            text=t("Which item?")
            if choices
            else t("Every item on the list is sold by its weight."),
            icon="plus",
            choices=shown,
            buttons=(*leaf, scene.back()),
            footer=scene.footer(help_topic="ask", staff=False),
        )
    typed = int(local.typed or 0)
    primary = None
    if typed and typed != line.quantity:
        primary = Button(
            "enter",
            t("OK"),
            kind="primary",
            icon="check",
            post=QuantityChanged(line.line_no, typed),
            local=Local(),
        )
    return scene.view(
        "quantity_keys",
        Layout.KEYS,
        t("How many?"),
        text=scene.name(line),
        icon="plus",
        field=Field(local.typed, str(line.quantity)),
        keys=scene.digits("typed", 2),
        buttons=(scene.back("quantity"),),
        primary=primary,
    )
