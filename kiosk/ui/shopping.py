"""Views from Welcome to the full basket. Decides words and buttons, never money."""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.asked import CodeTyped, ItemPicked, ResumeAsked
from kiosk.domain.attending import resumes_alone
from kiosk.domain.catalog import Item
from kiosk.domain.events import (
    CancelPressed,
    HelpCancelled,
    HelpPressed,
    LanguageChosen,
    LineVoided,
    MoreTimePressed,
    NoticeRead,
    PayPressed,
    QuantityChanged,
    StartPressed,
    WeighingCancelled,
)
from kiosk.domain.modes import basket_of
from kiosk.domain.state import Idle, Intervention, Scanning, Weighing
from kiosk.ui.local import RESULTS, TILES, Local
from kiosk.ui.scene import Scene, line_choices
from kiosk.ui.view import Button, Card, Field, Layout, Row, Total, View
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

PAGES: dict[str, str] = {
    "popular": N("Popular"),
    "fruit": N("Fruit"),
    "vegetables": N("Vegetables"),
    "bakery": N("Bakery"),
    "nuts": N("Nuts"),
    "herbs": N("Herbs"),
    "salad": N("Salad"),
    "bags": N("Bags"),
    "other": N("Other"),
}

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


def attract(scene: Scene, mode: Idle) -> View:
    """Welcome: scanning starts the sale; languages are named in themselves."""
    if scene.local.panel == "languages":
        return languages(scene)
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
        case "languages":
            return languages(scene)
        case "produce":
            return _produce(scene)
        case "search":
            return _search(scene)
        case "code":
            return _code(scene)
        case "remove":
            return _remove(scene, mode)
        case "quantity":
            return _quantity(scene, mode)
        case "leave":
            return _leave(scene, mode)
        case "help":
            return _help(scene)
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
        detail="" if is_filled else t("Hold the barcode over the scanner."),
        rows=tuple(rows),
        newest=newest,
        total=total,
        card=_notice(scene, mode.notice, mode.notice_item),
        buttons=tuple(buttons),
        primary=primary,
        footer=scene.footer(help_topic="ask"),
    )


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


# -- finding an item without a barcode ---------------------------------------


def _tile(scene: Scene, item: Item) -> Button:
    slug = "".join(c if c.isascii() and c.isalnum() else "_" for c in item.item_id)
    return Button(
        f"item_{slug}",
        item_name(scene, item),
        kind="tile",
        icon=picture(item),
        detail=item_price(scene, item),
        post=ItemPicked(item.item_id),
    )


def item_name(scene: Scene, item: Item) -> str:
    """Return an item's name as the screen can show it; never nothing."""
    names = item.description
    name = names.get(scene.words.language) or next(iter(names.values()), "")
    return plain(name) or plain(item.item_id)


def item_price(scene: Scene, item: Item) -> str:
    """Return an item's price now in words, or nothing when it has none."""
    price = item.price_at(scene.lane.last_ms)
    if price is None:
        return ""
    amount = scene.money(price)
    return scene.t("{amount} / kg", amount=amount) if item.weighed else amount


def picture(item: Item) -> str:
    """Return which drawing stands for an item: one we have, or its initial."""
    words = " ".join((*item.description.values(), *item.search_words)).lower()
    for known in DRAWN:
        if known in words:
            return f"tile:{known}"
    name = plain(next(iter(item.description.values()), item.item_id))
    return f"tile:{name[:1].upper() or '?'}"


# English words, looked for in an item's names and search words. Longest first, so
# that a pineapple is no apple; what we have no drawing for shows its initial.
DRAWN = (
    "pineapple",
    "tomato",
    "banana",
    "potato",
    "carrot",
    "cucumber",
    "orange",
    "lemon",
    "grape",
    "apple",
    "onion",
    "pear",
    "pepper",
    "roll",
    "bread",
    "pretzel",
    "croissant",
    "bag",
)


def _finders(scene: Scene, here: str) -> tuple[Button, ...]:
    t = scene.t
    ways = (
        scene.opens("produce", t("Pictures"), "produce", icon="apple"),
        scene.opens("search", t("Search"), "search", icon="search"),
        scene.opens("code", t("Number"), "code", icon="keypad"),
    )
    return (scene.back(), *(way for way in ways if way.name != here))


def _produce(scene: Scene) -> View:
    t, local = scene.t, scene.local
    tabs = tuple(
        Button(
            f"page_{n}",
            t(PAGES[page]) if page in PAGES else plain(page),
            kind="chosen" if page == local.page else "plain",
            local=Local(panel="produce", page=page),
        )
        for n, page in enumerate(local.pages[:5])
    )
    tiles, leaf = scene.page([_tile(scene, item) for item in local.items], TILES)
    title = t("Which item do you have?")
    if scene.lane.weight_grams > 0:
        title = t("What is on the scale?")
    weight = scene.lane.weight_grams
    return scene.view(
        "produce",
        Layout.TILES,
        title,
        big=scene.words.kilograms(weight) if weight > 0 else "",
        tabs=tabs if len(tabs) > 1 else (),
        choices=tiles,
        text="" if tiles else t("There is nothing on this page."),
        buttons=(*leaf, *_finders(scene, "produce")),
        footer=scene.footer(help_topic="ask", staff=False),
    )


def _search(scene: Scene) -> View:
    t, local = scene.t, scene.local
    tiles = tuple(_tile(scene, item) for item in local.items[:RESULTS])
    text = ""
    if local.typed.strip() and not tiles:
        text = t("Nothing found. Try fewer letters.")
    elif not tiles:
        text = t("Type the first letters of its name.")
    return scene.view(
        "search",
        Layout.TILES,
        t("Search by name"),
        icon="search",
        field=Field(local.typed, t("For example APPLE")),
        text=text,
        choices=tiles,
        keys=scene.letters(),
        buttons=_finders(scene, "search"),
    )


def _code(scene: Scene) -> View:
    t, local = scene.t, scene.local
    primary = None
    if local.typed:
        primary = Button(
            "enter",
            t("Add item"),
            kind="primary",
            icon="check",
            post=CodeTyped(local.typed),
            local=Local(),
        )
    return scene.view(
        "code",
        Layout.KEYS,
        t("Type a number"),
        text=t("From the sticker or from under the barcode."),
        icon="keypad",
        field=Field(local.typed, t("Number")),
        keys=scene.digits("typed", 14),
        buttons=_finders(scene, "code"),
        primary=primary,
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


# -- weighing and waiting ----------------------------------------------------


def weighing(scene: Scene, mode: Weighing) -> View:
    """The item belongs on the scale."""
    if scene.local.panel == "languages":
        return languages(scene)
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


def _help(scene: Scene) -> View:
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
    if scene.local.panel == "languages":
        return languages(scene)
    t = scene.t
    title, text, icon = ASKED.get(mode.reason, ASKED["help"])
    buttons = []
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
        rows=waiting_rows(scene, mode),
        buttons=tuple(buttons),
        footer=scene.footer(),
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
        return scene.t("{grams} g", grams=plain(mode.subject))
    return ""


def waiting_rows(scene: Scene, mode: Intervention) -> tuple[Row, ...]:
    """Return what an attendant must see before payment, line by line."""
    basket = basket_of(mode)
    if mode.reason != "approvals" or basket is None:
        return ()
    t, rows = scene.t, []
    for approval in basket.waiting:
        line = basket.line(approval.line_no)
        name = scene.name(line) if line else ""
        why = {
            "age": t("from {age} years", age=approval.age),
            "item": t("is looked at by a colleague"),
        }.get(approval.reason, t("is looked at by a colleague"))
        rows.append(Row(name or why, detail=why if name else "", kind="note"))
    return tuple(rows)
