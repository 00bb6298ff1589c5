"""Views in which an item without a barcode is found: pictures, names, numbers."""

from __future__ import annotations

from kiosk.asked import CodeTyped, ItemPicked
from kiosk.domain.catalog import Item
from kiosk.ui.local import RESULTS, TILES, Local
from kiosk.ui.scene import Scene
from kiosk.ui.view import Button, Field, Layout, View
from kiosk.ui.words import N, plain

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


def produce(scene: Scene) -> View:
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


def search(scene: Scene) -> View:
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


def code(scene: Scene) -> View:
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
