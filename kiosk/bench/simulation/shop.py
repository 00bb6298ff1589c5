"""The shop that is simulated: a dozen items, each for one rule of the lane."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from hardware.ports import Scan
from kiosk.domain.catalog import Item, Price
from kiosk.domain.events import RosterEntry
from kiosk.domain.label import LabelRules
from kiosk.domain.policy import BaggingPolicy, CheckPolicy, Rules
from kiosk.domain.pricing import PricingRules
from kiosk.domain.promotion import Coupon, MixAndMatch, NForM, Offer
from kiosk.domain.restricted import EXAMPLES
from kiosk.domain.tax import TaxRate, TaxRules

LANE_ID = "lane-1"
TIMEZONE = "Europe/Berlin"
LABELS = LabelRules(restricted=EXAMPLES["DE"], coupon_prefixes=("COUPON-",))

# Ana may do everything, Ben approves only.
ROSTER = (
    RosterEntry("7", "Ana", ("approve", "void", "price", "settle", "close")),
    RosterEntry("8", "Ben", ("approve",)),
)

_BREAD = "04012345000009"
_MILK = "04012345000016"
_WINE = "04012345000023"
_RICE = "04012345000030"
_WATER = "04012345000047"
_KNIFE = "04012345000054"
_BRICK = "04012345000061"
_YOGHURT = "04012345000078"
_CHEESE = "02812340000002"

ITEMS = tuple(
    replace(item, description={"en": item.search_words[0]}, search_words=())
    for item in (
        Item(
            _BREAD,
            {},
            (Price(249),),
            search_words=("Rye bread",),
            weight_grams=770,
            tolerance_grams=20,
        ),
        Item(
            _MILK,
            {},
            (Price(119),),
            "reduced",
            offer_groups=("dairy",),
            search_words=("Milk",),
            weight_grams=1030,
        ),
        Item(_WINE, {}, (Price(599),), minimum_age=18, search_words=("Wine",)),
        Item(_RICE, {}, (Price(199),), maximum_quantity=2, search_words=("Rice",)),
        Item(
            _WATER, {}, (Price(89),), deposit_item_id="deposit", search_words=("Water",)
        ),
        Item("deposit", {}, (Price(25),), is_deposit=True, search_words=("Deposit",)),
        Item(
            _KNIFE, {}, (Price(1299),), attendant_needed=True, search_words=("Knife",)
        ),
        Item(_BRICK, {}, not_for_sale=True, search_words=("Brick",)),
        Item(
            _YOGHURT,
            {},
            (Price(79),),
            "reduced",
            offer_groups=("dairy",),
            search_words=("Yoghurt",),
        ),
        Item(
            "plu:4011",
            {},
            (Price(299),),
            "reduced",
            weighed=True,
            tare_grams=5,
            plu="4011",
            search_words=("Apples",),
        ),
        Item(
            _CHEESE,
            {},
            (Price(1990),),
            "reduced",
            weighed=True,
            search_words=("Gouda",),
        ),
    )
)

_OFFERS: tuple[Offer, ...] = (
    NForM(
        offer_id="bread",
        description={"en": "3 for 2"},
        pieces=3,
        pay=2,
        item_ids=(_BREAD,),
    ),
    MixAndMatch(
        offer_id="dairy",
        description={"en": "Dairy"},
        pieces=2,
        price_minor=150,
        offer_groups=("dairy",),
    ),
    Coupon(
        offer_id="coupon",
        description={"en": "Coupon"},
        code="COUPON-5",
        off_minor=50,
        item_ids=(_BREAD,),
    ),
)

_GS = "\x1d"
# What a shopper may hold before the scanner, and how often.
_SCANS: tuple[tuple[float, Scan], ...] = (
    (6, Scan(b"4012345000009", "]E0")),
    (6, Scan(b"4012345000016", "]E0")),
    (2, Scan(b"4012345000023", "]E0")),
    (3, Scan(b"4012345000030", "]E0")),
    (3, Scan(b"4012345000047", "]E0")),
    (0.5, Scan(b"4012345000054", "]E0")),
    (0.4, Scan(b"4012345000061", "]E0")),
    (2, Scan(f"010401234500007817301231{_GS}10A1".encode(), "]d2")),
    (0.4, Scan(f"010401234500007817200101{_GS}10A1".encode(), "]d2")),
    (0.4, Scan(f"010401234500007817301231{_GS}10BAD".encode(), "]d2")),
    (1, Scan(b"COUPON-5", "]C0")),
    (0.3, Scan(b"COUPON-9", "]C0")),
    (0.5, Scan(b"4099999000005", "]E0")),
    (1, Scan(b"2812346005001", "]E0")),
    (1, Scan(b"2812342003506", "]E0")),
    (0.3, Scan(b"\x00\xff\x1bp", "")),
)
_WEIGHTS = [weight for weight, _ in _SCANS]
_LABELS = [scan for _, scan in _SCANS]


def scan(random: Random) -> Scan:
    """Return what a shopper holds before the scanner next."""
    return random.choices(_LABELS, _WEIGHTS)[0]


def rules(random: Random) -> Rules:
    """Return one of the ways in which shops of different countries sell."""
    inclusive = random.random() < 0.8
    taxes = TaxRules(
        inclusive, (TaxRate("standard", 190_000, "A"), TaxRate("reduced", 70_000, "B"))
    )
    return Rules(
        version=f"r{random.randrange(1000)}",
        pricing=PricingRules("EUR", taxes, _OFFERS),
        checks=CheckPolicy(
            rate_per_10000=random.choice((0, 0, 500)), per_removal_per_10000=300
        ),
        bagging=BaggingPolicy(is_on=random.random() < 0.4),
        languages=("en", "de"),
        approvals_at_end=random.random() < 0.7,
        receipt_required=random.random() < 0.2,
        receipt_unanswered=random.choice(("none", "paper")),
        receipt_url=random.choice(("", "https://shop.example/r")),
    )


class ShopCatalog:
    """The items by name. The yoghurt's batch BAD is recalled."""

    def __init__(self) -> None:
        self._items = {item.item_id: item for item in ITEMS}
        self._plus = {item.plu: item for item in ITEMS if item.plu}

    def item(self, item_id: str) -> Item | None:
        """Return an item by its name."""
        return self._items.get(item_id)

    def by_plu(self, plu: str) -> Item | None:
        """Return an item by its short number."""
        return self._plus.get(plu)

    def recalled(self, item_id: str, batch: str) -> bool:
        """Say whether a batch must not be sold."""
        return item_id == _YOGHURT and batch == "BAD"
