"""Views for attendants: the menu, and each deed with its reason.

What a role allows is decided by the lane; here only what makes sense is offered.
"""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.domain.attending import APPROVE, CLOSE, PRICE, SETTLE, TECHNICIAN, VOID
from kiosk.domain.basket import LineItem
from kiosk.domain.events import (
    AttendantLeft,
    BasketSuspended,
    DateConfirmed,
    Event,
    InterventionApproved,
    InterventionRefused,
    LaneClosed,
    LaneOpened,
    LineVoided,
    PriceOverridden,
    QuantityChanged,
    SaleReturned,
    SaleVoided,
    ServiceOpened,
    TrainingEnded,
    TrainingStarted,
)
from kiosk.domain.modes import (
    changeable_basket,
    intervention,
    unattended,
)
from kiosk.domain.state import (
    Attending,
    Basket,
    Closed,
    Idle,
    Intervention,
)
from kiosk.ui import settling
from kiosk.ui.finding import item_name, item_price, picture
from kiosk.ui.local import Local
from kiosk.ui.scene import Scene, line_choices
from kiosk.ui.view import Button, Field, Layout, View
from kiosk.ui.waiting import subject, waiting_rows
from kiosk.ui.words import N, plain

ASKED: dict[str, str] = {
    "age": N("Check the shopper's age"),
    "item": N("Look at the item"),
    "approvals": N("Please check before payment"),
    "unknown_item": N("Unknown item"),
    "maximum_quantity": N("More than the highest quantity"),
    "void": N("The shopper wants to remove this"),
    "void_sale": N("The shopper wants to leave without buying"),
    "random_check": N("Random check of the basket"),
    "help": N("The shopper asked for help"),
    "scale_mismatch": N("The weight does not fit"),
    "idle": N("The basket was left alone"),
}

# What is journaled as the reason, and what the attendant reads.
REASONS: dict[str, tuple[tuple[str, str], ...]] = {
    "void": (
        ("customer_wish", N("Shopper does not want it")),
        ("scanned_twice", N("Scanned twice")),
        ("wrong_price", N("Wrong price")),
        ("damaged", N("Damaged")),
        ("other", N("Other")),
    ),
    "void_sale": (
        ("customer_left", N("Shopper left")),
        ("customer_wish", N("Shopper does not want it")),
        ("taken_to_till", N("Goes on at the till")),
        ("other", N("Other")),
    ),
    "price": (
        ("shelf_price", N("Shelf shows another price")),
        ("reduced", N("Reduced sticker")),
        ("damaged", N("Damaged")),
        ("other", N("Other")),
    ),
    "weight": (
        ("own_bag", N("The shopper's own bag")),
        ("not_bagged", N("Too large, or stays in the trolley")),
        ("weight_wrong", N("All is scanned, its weight differs")),
        ("scanned_now", N("Was not scanned, is put right")),
        ("other", N("Other")),
    ),
    "return": (
        ("goods_back", N("Goods came back")),
        ("wrong_price", N("Wrong price")),
        ("paid_twice", N("Paid twice")),
        ("other", N("Other")),
    ),
    "settle": (
        ("terminal_slip", N("Seen on the card reader's slip")),
        ("terminal_journal", N("Seen in the card reader's journal")),
        ("bank", N("Confirmed by the bank")),
        ("shopper_shows", N("Shopper shows it on the phone")),
        ("other", N("Other")),
    ),
}


# A colleague came and helped: there is nothing to allow or to forbid.
_ERRANDS = frozenset({"help", "unknown_item", "idle", "scale_mismatch"})

# -- the menu ----------------------------------------------------------------


def attending(scene: Scene, mode: Attending) -> View:
    """What an attendant may do now, or the step they are at."""
    basket = changeable_basket(mode)
    match scene.local.panel:
        case "lines" if basket:
            return _lines(scene, basket)
        case "line" if basket and (line := _chosen_line(scene, basket)):
            return _line(scene, mode, line)
        case "quantity" if basket and (line := _chosen_line(scene, basket)):
            return _quantity(scene, mode, line)
        case "price" if basket and (line := _chosen_line(scene, basket)):
            return _price(scene, line)
        case "reason":
            return _reason(scene, mode)
        case "check":
            return _check(scene)
        case "resume":
            return settling.resume(scene, mode)
        case "sales":
            return settling.sales(scene)
        case "sale":
            return settling.sale(scene, mode)
        case "settle":
            return settling.settle(scene, mode)
        case "decision":
            return settling.decision(scene, mode)
        case "reference":
            return settling.reference(scene, mode)
        case _:
            return _menu(scene, mode, basket)


def _menu(scene: Scene, mode: Attending, basket: Basket | None) -> View:
    t = scene.t
    asked = intervention(mode)
    entry = scene.lane.attendant(mode.attendant)
    name = plain(entry.name) if entry else mode.attendant
    primary = None
    buttons = [
        Button("leave", t("Back to the shopper"), icon="back", post=AttendantLeft())
    ]
    if asked and APPROVE in mode.roles:
        is_question = asked.reason not in _ERRANDS
        primary = Button(
            "approve",
            t("Approve") if is_question else t("Done"),
            kind="primary",
            icon="check",
            post=InterventionApproved(asked.asked, mode.attendant, "seen"),
            is_guarded=True,
        )
        if asked.reason == "scale_mismatch":
            # An override of what was weighed is written down with why.
            why = Local(panel="reason", todo="weight", chosen=str(asked.asked))
            primary = replace(primary, post=None, local=why)
        if is_question:
            buttons.append(
                Button(
                    "refuse",
                    t("Refuse"),
                    kind="stop",
                    icon="clear",
                    post=InterventionRefused(asked.asked, mode.attendant, "refused"),
                    is_guarded=True,
                )
            )
    return scene.view(
        "attendant_approve" if asked else "attendant",
        Layout.MENU,
        t(ASKED.get(asked.reason, ASKED["help"]))
        if asked
        else t("Staff: {name}", name=name),
        text=_about(scene, asked) if asked else _basket_words(scene, basket),
        icon="person",
        rows=waiting_rows(scene, asked) if asked else (),
        choices=tuple(_deeds(scene, mode, basket)),
        buttons=tuple(buttons),
        primary=primary,
    )


def _about(scene: Scene, asked: Intervention) -> str:
    if check := asked.check:
        return scene.t(
            "Scan {count} things from the bags. Looked at: {done}",
            count=check.items,
            done=len(check.found) + len(check.unpaid),
        )
    return subject(scene, asked)


def _basket_words(scene: Scene, basket: Basket | None) -> str:
    words = []
    if basket is not None and basket.standing:
        total = scene.total(scene.lane.figures)
        words.append(f"{total.count} · {total.amount}")
    rules = scene.lane.rules
    if rules and rules.bagging.is_on and not scene.lane.bagging.is_weighing:
        words.append(scene.t("The bagging scale does not work: nothing is checked"))
    owed = scene.lane.exposure
    if owed.count:
        # Until the terminal is online again, the bank may say no to these.
        words.append(
            scene.t(
                "Cards taken offline: {count}, {amount}",
                count=owed.count,
                amount=scene.money(owed.sum_minor),
            )
        )
    return " · ".join(words)


def _deeds(scene: Scene, mode: Attending, basket: Basket | None) -> list[Button]:
    """Return the menu's entries that make sense now."""
    t, lane, roles = scene.t, scene.lane, mode.roles
    below = unattended(mode)
    deeds = []
    if basket and basket.standing:
        if VOID in roles or PRICE in roles:
            deeds.append(scene.opens("lines", t("Change a line"), "lines", icon="list"))
        if VOID in roles:
            deeds.append(
                _asks_reason(scene, "void_sale", t("End without sale"), "clear")
            )
        if APPROVE in roles:
            deeds.append(
                Button(
                    "suspend",
                    t("Put basket aside"),
                    icon="pause",
                    post=BasketSuspended(mode.attendant, "attendant"),
                )
            )
    if isinstance(below, Idle) and lane.suspended and APPROVE in roles:
        deeds.append(
            scene.opens(
                "resume",
                t("Take up a basket"),
                "resume",
                icon="bag",
                detail=str(len(lane.suspended)),
            )
        )
    items = settling.to_settle(scene, mode)
    if items and SETTLE in roles:
        deeds.append(
            scene.opens(
                "settle",
                t("Open payments"),
                "settle",
                icon="card",
                detail=str(len(items)),
            )
        )
    deeds.append(scene.opens("check", t("Check a price"), "check", icon="tag"))
    if lane.recent_sales:
        deeds.append(scene.opens("sales", t("Paid sales"), "sales", icon="receipt"))
    if not lane.is_clock_trusted and APPROVE in roles:
        deeds.append(
            Button(
                "confirm_date",
                t("Date is right"),
                icon="clock",
                post=DateConfirmed(mode.attendant),
            )
        )
    if CLOSE in roles:
        deeds += _lane_deeds(scene, mode, below)
    pays = any(a.stage.is_open for a in lane.ledger.values())
    rests = isinstance(mode.resume, Idle | Closed) and not (pays or lane.is_training)
    if TECHNICIAN in roles and rests:
        deeds.append(
            Button(
                "service",
                t("Service"),
                icon="wrench",
                post=ServiceOpened(mode.attendant),
            )
        )
    return deeds


def _lane_deeds(scene: Scene, mode: Attending, below: object) -> list[Button]:
    t, who = scene.t, mode.attendant
    if scene.lane.is_training:
        return [
            Button(
                "end_training", t("End training"), icon="cap", post=TrainingEnded(who)
            )
        ]
    deeds = []
    if isinstance(below, Idle):
        deeds.append(
            Button(
                "training", t("Start training"), icon="cap", post=TrainingStarted(who)
            )
        )
    if isinstance(below, Closed) and below.cause in {"attendant", "day"}:
        deeds.append(
            Button(
                "open_lane", t("Open this checkout"), icon="open", post=LaneOpened(who)
            )
        )
    elif isinstance(below, Idle | Closed):
        deeds.append(
            Button(
                "close_lane",
                t("Close this checkout"),
                icon="closed",
                post=LaneClosed(who, "attendant"),
            )
        )
    return deeds


def _asks_reason(
    scene: Scene, todo: str, label: str, icon: str, chosen: str = "", typed: str = ""
) -> Button:
    return Button(
        todo,
        label,
        icon=icon,
        local=Local(panel="reason", todo=todo, chosen=chosen, typed=typed),
    )


# -- lines -------------------------------------------------------------------


def _chosen_line(scene: Scene, basket: Basket) -> LineItem | None:
    chosen = scene.local.chosen
    return basket.line(int(chosen)) if chosen.isdigit() else None


def _lines(scene: Scene, basket: Basket) -> View:
    t = scene.t
    choices = [
        Button(
            f"line_{line.line_no}",
            scene.name(line),
            kind="row",
            detail=scene.row(line, scene.currency).detail,
            amount=scene.money(line.extended_minor),
            local=Local(panel="line", chosen=str(line.line_no)),
        )
        for line in line_choices(scene, basket)
    ]
    shown, leaf = scene.page(choices)
    return scene.view(
        "attendant_lines",
        Layout.CHOICES,
        t("Change a line"),
        text=t("Which item?"),
        icon="list",
        choices=shown,
        buttons=(*leaf, scene.back()),
    )


def _line(scene: Scene, mode: Attending, line: LineItem) -> View:
    t, chosen = scene.t, str(line.line_no)
    deeds = []
    if VOID in mode.roles:
        deeds.append(_asks_reason(scene, "void", t("Remove the line"), "minus", chosen))
        if not line.weighed and line.price_source != "label":
            deeds.append(
                Button(
                    "quantity",
                    t("Change quantity"),
                    icon="plus",
                    local=Local(panel="quantity", chosen=chosen),
                )
            )
    if PRICE in mode.roles:
        deeds.append(
            Button(
                "price",
                t("Change price"),
                icon="tag",
                local=Local(panel="price", chosen=chosen),
            )
        )
    row = scene.row(line, scene.currency)
    return scene.view(
        "attendant_line",
        Layout.MENU,
        row.name,
        text=" · ".join(p for p in (row.detail, scene.money(line.extended_minor)) if p),
        icon="list",
        choices=tuple(deeds),
        buttons=(scene.back("lines"),),
    )


def _quantity(scene: Scene, mode: Attending, line: LineItem) -> View:
    t, typed = scene.t, int(scene.local.typed or 0)
    enter = Button(
        "enter",
        t("OK"),
        kind="primary",
        icon="check",
        post=QuantityChanged(line.line_no, typed, mode.attendant),
        local=Local(),
    )
    return scene.view(
        "attendant_quantity",
        Layout.KEYS,
        t("How many?"),
        text=scene.name(line),
        icon="plus",
        field=Field(scene.local.typed, str(line.quantity)),
        keys=scene.digits("typed", 2),
        buttons=(scene.back("lines"),),
        primary=enter if typed and typed != line.quantity else None,
    )


def _price(scene: Scene, line: LineItem) -> View:
    t, typed = scene.t, scene.local.typed
    minor = int(typed or 0)
    old = scene.money(line.unit_price_minor)
    per = t("{amount} / kg", amount=old) if line.weighed else old
    enter = Button(
        "enter",
        t("Next"),
        kind="primary",
        icon="check",
        local=Local(
            panel="reason", todo="price", chosen=str(line.line_no), typed=typed
        ),
    )
    return scene.view(
        "attendant_price",
        Layout.KEYS,
        t("New price"),
        text=scene.name(line),
        icon="tag",
        field=Field(scene.money(minor) if typed else "", per),
        keys=scene.digits("typed", 6),
        buttons=(scene.back("lines"),),
        primary=enter if typed else None,
    )


# -- reasons -----------------------------------------------------------------


def _reason(scene: Scene, mode: Attending) -> View:
    t, local = scene.t, scene.local
    group = "return" if local.todo in {"give_void", "give_refund"} else local.todo
    is_settling = group in settling.DECISIONS
    choices = tuple(
        Button(
            f"reason_{code}",
            t(label),
            kind="row",
            post=None if is_settling else _deed(mode, local, code),
            local=replace(local, panel="reference", reason=code, typed="")
            if is_settling
            else Local(),
        )
        for code, label in REASONS.get("settle" if is_settling else group, ())
    )
    return scene.view(
        f"attendant_reason_{group}",
        Layout.CHOICES,
        t("Why?"),
        text=t("It is written down with your number."),
        icon="list",
        choices=choices,
        buttons=(scene.back(),),
    )


def _deed(mode: Attending, local: Local, reason: str) -> Event | None:
    """Return the event that a chosen reason completes."""
    who = mode.attendant
    match local.todo:
        case "void":
            return LineVoided(int(local.chosen), who, reason)
        case "void_sale":
            return SaleVoided(who, reason)
        case "weight":
            return InterventionApproved(int(local.chosen), who, reason)
        case "price":
            return PriceOverridden(int(local.chosen), int(local.typed), who, reason)
        case "give_void":
            return SaleReturned(int(local.chosen), "void", who, reason)
        case "give_refund":
            return SaleReturned(int(local.chosen), "refund", who, reason)
        case _:
            return None


# -- prices, baskets, sales --------------------------------------------------


def _check(scene: Scene) -> View:
    t, local = scene.t, scene.local
    tiles = tuple(
        Button(
            f"price_{n}",
            item_name(scene, item),
            kind="tile",
            detail=item_price(scene, item) or t("no price"),
            icon=picture(item),
            local=local,
        )
        for n, item in enumerate(local.items)
    )
    text = t("Type the first letters of its name.")
    if local.typed.strip():
        text = t("Nothing found. Try fewer letters.")
    return scene.view(
        "attendant_check",
        Layout.TILES,
        t("Check a price"),
        icon="tag",
        field=Field(local.typed, t("For example APPLE")),
        text="" if tiles else text,
        choices=tiles,
        keys=scene.letters(),
        buttons=(scene.back(),),
    )
