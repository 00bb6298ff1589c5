"""One example of every View: for tests, for translators and for pictures.

States as the lane makes them, with invented goods. Never shown on a lane.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from kiosk.domain.basket import LineItem
from kiosk.domain.catalog import Item, Price
from kiosk.domain.events import RosterEntry
from kiosk.domain.policy import BaggingPolicy, Rules
from kiosk.domain.pricing import Discount, Figures, Priced, PricingRules
from kiosk.domain.state import (
    Approval,
    Attending,
    Bagging,
    Basket,
    Check,
    Closed,
    Complete,
    Declined,
    Exposure,
    Idle,
    Intervention,
    Lane,
    Mode,
    OutcomeUnknown,
    Paying,
    PinCounter,
    PinEntry,
    Scanning,
    Suspended,
    Training,
    Weighing,
)
from kiosk.domain.tax import TaxRules
from kiosk.domain.tender import Attempt, OpenItem, Sale, Stage, Tender
from kiosk.ui import service_gallery
from kiosk.ui.checkout import CLOSED
from kiosk.ui.local import Local, stocked
from kiosk.ui.shopping import NOTICES

NOON_MS = service_gallery.NOON_MS
ALL_ROLES = ("approve", "void", "price", "settle", "close", "technician")
ANA = RosterEntry("1001", "Ana Weber", ALL_ROLES)


def _item(
    number: int, en: str, de: str, minor: int, page: str, *, weighed: bool = False
) -> Item:
    return Item(
        item_id=f"plu:{4000 + number}",
        description={"en": en, "de": de},
        prices=(Price(minor),),
        weighed=weighed,
        plu=str(4000 + number),
        page=page,
    )


ITEMS = (
    _item(1, "Apples", "Äpfel", 299, "fruit", weighed=True),
    _item(2, "Bananas", "Bananen", 199, "fruit", weighed=True),
    _item(3, "Carrots", "Karotten", 149, "vegetables", weighed=True),
    _item(4, "Cucumber", "Salatgurke", 89, "vegetables"),
    _item(5, "Grapes, seedless", "Trauben, kernlos", 449, "fruit", weighed=True),
    _item(6, "Lemons", "Zitronen", 59, "fruit"),
    _item(7, "Onions", "Zwiebeln", 129, "vegetables", weighed=True),
    _item(8, "Oranges", "Orangen", 249, "fruit", weighed=True),
    _item(9, "Peppers, mixed", "Paprika, gemischt", 399, "vegetables", weighed=True),
    _item(10, "Pears", "Birnen", 329, "fruit", weighed=True),
    _item(
        11, "Potatoes, waxy", "Kartoffeln, festkochend", 179, "vegetables", weighed=True
    ),
    _item(12, "Tomatoes on the vine", "Rispentomaten", 349, "vegetables", weighed=True),
    _item(13, "Mangoes", "Mangos", 189, "fruit"),
    _item(14, "Kohlrabi", "Kohlrabi", 99, "vegetables"),
    _item(15, "Bread roll", "Brötchen", 35, "bakery"),
    _item(16, "Butter croissant", "Buttercroissant", 119, "bakery"),
    _item(17, "Pretzel", "Laugenbrezel", 95, "bakery"),
)


class Shelf:
    """A small catalogue to leaf through."""

    def pages(self) -> list[str]:
        return ["popular", "fruit", "vegetables", "bakery"]

    def produce_page(self, page: str) -> list[Item]:
        if page == "popular":
            return list(ITEMS)
        return [item for item in ITEMS if item.page == page]

    def search(self, text: str, language: str, limit: int) -> list[Item]:
        sought = text.casefold()
        found = [
            item
            for item in ITEMS
            if any(d.casefold().startswith(sought) for d in item.description.values())
        ]
        return found[:limit]

    def item(self, item_id: str) -> Item | None:
        return next((item for item in ITEMS if item.item_id == item_id), None)


def line(
    number: int, en: str, de: str, minor: int, *, quantity: int = 1, grams: int = 0
) -> LineItem:
    """Return one line of an example basket."""
    return LineItem(
        item_id=f"{number:014d}",
        description={"en": en, "de": de},
        line_no=number,
        quantity=quantity,
        unit_price_minor=minor,
        extended_minor=round(minor * grams / 1000) if grams else minor * quantity,
        weighed=bool(grams),
        weight_grams=grams,
    )


LINES = (
    line(1, "Whole milk 1 l", "Vollmilch 1 l", 129),
    line(2, "Rye bread 750 g", "Roggenbrot 750 g", 349),
    line(3, "Free-range eggs, 10", "Eier aus Freilandhaltung, 10 Stück", 319),
    line(4, "Apples", "Äpfel", 299, grams=512),
    line(5, "Greek yoghurt 500 g", "Griechischer Joghurt 500 g", 229, quantity=3),
    line(6, "Mineral water 1.5 l", "Mineralwasser 1,5 l", 69, quantity=2),
    replace(line(7, "Deposit", "Pfand", 25, quantity=2), is_deposit=True, of_line=6),
    line(8, "Olive oil extra virgin 750 ml", "Natives Olivenöl extra 750 ml", 764),
)
WINE = replace(line(9, "Red wine 0.75 l", "Rotwein 0,75 l", 599), minimum_age=18)
OFFER = Discount(
    "yoghurt",
    {"en": "3 for 2: Greek yoghurt", "de": "3 für 2: Griechischer Joghurt"},
    (5,),
    -229,
    (-229,),
)
RULES = Rules(
    "example",
    PricingRules("EUR", TaxRules(inclusive=True, rates=())),
    languages=("en", "de"),
    receipt_url="https://receipts.example/r",
    store=("Corner Market",),
)


def figures(
    lines: tuple[LineItem, ...], discounts: tuple[Discount, ...] = ()
) -> Figures:
    """Return an example basket's figures."""
    gross = sum(s.extended_minor for s in lines)
    off = sum(d.amount_minor for d in discounts)
    goods = [s for s in lines if not s.is_deposit]
    return Figures(
        currency="EUR",
        gross_minor=gross,
        discounts=discounts,
        discount_minor=off,
        taxes=(),
        tax_minor=0,
        total_minor=gross + off,
        deposit_minor=sum(s.extended_minor for s in lines if s.is_deposit),
        count=sum(1 if s.weighed else s.quantity for s in goods),
    )


BASKET = Basket("b7f3c1d2", NOON_MS, LINES)
FIGURES = figures(LINES, (OFFER,))
TENDER = Tender("a-20261103-7f31c2d4", BASKET.basket_id, LINES, FIGURES)
SALE = Sale(812, BASKET.basket_id, NOON_MS, LINES, FIGURES, TENDER.attempt_id)
SCANNING = Scanning(BASKET)


def lane(mode: Mode, language: str = "en") -> Lane:
    """Return a healthy lane in a mode."""
    return Lane(
        seq=901,
        mode=mode,
        rules=RULES,
        language=language,
        roster=(ANA,),
        devices=dict.fromkeys(("scanner", "printer", "terminal", "scale"), "ready"),
        last_ms=NOON_MS,
        priced=Priced(FIGURES),
    )


def filled(count: int, language: str = "en") -> Lane:
    """Return a lane whose basket holds so many lines."""
    lines = tuple(replace(LINES[n % 6], line_no=n + 1, of_line=0) for n in range(count))
    scanning = Scanning(Basket("long", NOON_MS, lines))
    return replace(lane(scanning, language), priced=Priced(figures(lines)))


def _ask(reason: str, subject: str = "", line_no: int = 0) -> Intervention:
    basket = BASKET
    if reason == "approvals":
        basket = replace(
            BASKET,
            lines=(*LINES, WINE),
            waiting=(Approval("age", 9, 18), Approval("item", 8)),
        )
    return Intervention(880, reason, Scanning(basket), subject, line_no)


def views(language: str = "en") -> Iterator[tuple[str, Lane, Local]]:
    """Yield every View's name with the states that lead to it."""
    for name, state, local in _all(language):
        yield name, state, stocked(local, Shelf(), language)


def _all(language: str) -> Iterator[tuple[str, Lane, Local]]:
    yield from _shopping(language)
    yield from _asking(language)
    yield from _money(language)
    yield from _attendants(language)
    yield from _troubles(language)
    for name, mode, local in service_gallery.examples():
        yield name, lane(mode, language), local


def _shopping(language: str) -> Iterator[tuple[str, Lane, Local]]:
    def at(mode: Mode) -> Lane:
        return lane(mode, language)

    own = Suspended(700, BASKET, FIGURES, "power", NOON_MS - 60_000)
    empty = replace(at(Scanning(Basket("e", NOON_MS))), priced=None)
    yield "attract", at(Idle()), Local()
    yield "attract_resume", replace(at(Idle()), suspended=(own,)), Local()
    yield "attract_notice", at(Idle("unreadable")), Local()
    many = replace(RULES, languages=("en", "de", "fr", "es", "it", "pl"))
    yield "attract_languages", replace(at(Idle()), rules=many), Local()
    yield "languages", replace(at(Idle()), rules=many), Local(panel="languages")
    yield "scanning_empty", empty, Local()
    yield "scanning", at(SCANNING), Local()
    yield "scanning_200", filled(200, language), Local()
    for notice in NOTICES:
        item = "Rotwein 0,75 l" if language == "de" else "Red wine 0.75 l"
        named = item if notice in {"not_for_sale", "expired", "recalled"} else ""
        yield f"notice_{notice}", at(Scanning(BASKET, notice, named)), Local()
    weighed = replace(
        at(SCANNING),
        rules=replace(RULES, bagging=BaggingPolicy(is_on=True)),
        bagging=Bagging(is_weighing=True),
    )
    yield "scanning_bagging", weighed, Local()
    for name, grams in (("too_much", "340"), ("missing", "-1030")):
        quiet = replace(_ask("scale_mismatch", grams), is_quiet=True)
        yield f"bagging_{name}", replace(weighed, mode=quiet), Local()
    check = Check(5, 300, ("a", "b"), ("04006381333931",))
    looked = replace(_ask("random_check"), check=check)
    yield "check_waiting", at(looked), Local()
    yield "check_running", at(Attending("1001", ALL_ROLES, looked)), Local()
    why = Local(panel="reason", todo="weight", chosen="880")
    unfit = Attending("1001", ALL_ROLES, _ask("scale_mismatch", "340"))
    yield "attendant_reason_weight", at(unfit), why
    called = _ask("scale_mismatch", "340")
    yield "bagging_called", replace(weighed, mode=called), Local()
    blind = replace(weighed, bagging=Bagging())
    helped = replace(blind, mode=Attending("1001", ALL_ROLES, SCANNING))
    yield "attendant_bagging_blind", helped, Local()
    yield "more_time", at(Scanning(BASKET, is_warned=True)), Local()
    scale = replace(at(SCANNING), weight_grams=512)
    yield "produce", scale, Local(panel="produce")
    yield "produce_page", at(SCANNING), Local(panel="produce", page="bakery")
    yield "search_empty", at(SCANNING), Local(panel="search")
    yield "search", at(SCANNING), Local(panel="search", typed="P")
    yield "search_nothing", at(SCANNING), Local(panel="search", typed="XQ")
    yield "code_empty", at(SCANNING), Local(panel="code")
    yield "code", at(SCANNING), Local(panel="code", typed="4011")
    yield "remove", at(SCANNING), Local(panel="remove")
    yield "remove_more", at(SCANNING), Local(panel="remove", first=5)
    yield "leave", at(SCANNING), Local(panel="leave")
    yield "quantity", at(SCANNING), Local(panel="quantity")
    yield "quantity_keys", at(SCANNING), Local(panel="quantity", chosen="5", typed="4")
    yield "help_topics", at(SCANNING), Local(panel="help")
    unweighed = replace(LINES[3], weight_grams=0, extended_minor=0)
    yield "weighing", at(Weighing(BASKET, unweighed)), Local()


def _asking(language: str) -> Iterator[tuple[str, Lane, Local]]:
    for reason, subject, line_no in (
        ("age", "", 8),
        ("item", "", 8),
        ("approvals", "", 0),
        ("unknown_item", "4006381333931", 0),
        ("maximum_quantity", "", 5),
        ("void", "", 8),
        ("void_sale", "", 0),
        ("random_check", "", 0),
        ("help", "barcode", 0),
        ("scale_mismatch", "340", 0),
        ("idle", "", 0),
    ):
        mode = _ask(reason, subject, line_no)
        yield f"intervention_{reason}", lane(mode, language), Local()
        attended = Attending("1001", ALL_ROLES, mode)
        yield f"attendant_{reason}", lane(attended, language), Local()


def _money(language: str) -> Iterator[tuple[str, Lane, Local]]:
    def at(mode: Mode) -> Lane:
        return lane(mode, language)

    yield "paying_preparing", at(Paying(BASKET, TENDER)), Local()
    for moment in (
        "",
        "waiting_for_card",
        "card_seen",
        "enter_pin",
        "host",
        "remove_card",
    ):
        mode = Paying(BASKET, TENDER, "asked", moment)
        yield f"paying_{moment or 'asked'}", at(mode), Local()
    cancelling = Paying(BASKET, TENDER, "asked", "waiting_for_card", is_cancelling=True)
    yield "paying_cancelling", at(cancelling), Local()
    yield "paying_approved", at(Paying(BASKET, TENDER, "approved")), Local()
    called = replace(at(Paying(BASKET, TENDER, "asked")), called="payment")
    yield "paying_called", called, Local()
    yield "unknown", at(OutcomeUnknown(BASKET, TENDER)), Local()
    yield "unknown_called", at(OutcomeUnknown(BASKET, TENDER, True)), Local()
    for why in (
        "declined",
        "cancelled",
        "partial",
        "not_sent",
        "no_card",
        "not_charged",
    ):
        yield f"declined_{why}", at(Declined(BASKET, why)), Local()
    for stage in ("ask", "printing", "qr", "done", "failed"):
        yield f"complete_{stage}", at(Complete(SALE, stage)), Local()
    must_print = replace(RULES, receipt_required=True, receipt_url="")
    only_paper = replace(at(Complete(SALE)), rules=must_print)
    yield "complete_required", only_paper, Local()


def _attendants(language: str) -> Iterator[tuple[str, Lane, Local]]:
    def at(mode: Mode) -> Lane:
        return lane(mode, language)

    pad = PinEntry(SCANNING)
    digits = Local(panel="pin", number="1001", pin="123456")
    fresh = Local(panel="pin", number="1001")
    yield "pin_number_empty", at(pad), Local()
    yield "pin_number", at(pad), Local(number="1001")
    yield "pin", at(pad), digits
    yield "pin_wrong", at(replace(pad, trouble="wrong")), fresh
    locked = replace(
        at(replace(pad, trouble="locked")),
        pins={"1001": PinCounter(5, NOON_MS + 60_000)},
    )
    yield "pin_locked", locked, fresh
    yield "pin_checking", at(replace(pad, trouble="checking")), fresh
    menu = Attending("1001", ALL_ROLES, SCANNING)
    yield "attendant_basket", at(menu), Local()
    aside = tuple(
        Suspended(700 + n, BASKET, FIGURES, "attendant", NOON_MS - n * 600_000)
        for n in range(7)
    )
    idle = replace(
        at(Attending("1001", ALL_ROLES, Idle())),
        suspended=aside,
        recent_sales=tuple(replace(SALE, sale_seq=800 + n) for n in range(8)),
        is_clock_trusted=False,
        open_items=(
            OpenItem("a-20261103-00c0ffee", "found_late", 850, 1943, "EUR", TENDER),
            OpenItem("a-20261103-0badcafe", "nobody_waits", 860, 599, "EUR"),
        ),
        ledger={
            TENDER.attempt_id: Attempt(
                TENDER.attempt_id, 2000, "EUR", "T1", 4, Stage.SOLD
            ),
            "a-20261103-00c0ffee": Attempt(
                "a-20261103-00c0ffee", 1943, "EUR", "T1", 5, Stage.TO_CHECK
            ),
        },
    )
    yield "attendant_rest", idle, Local()
    yield "attendant_lines", at(menu), Local(panel="lines")
    yield "attendant_line", at(menu), Local(panel="line", chosen="5")
    yield "attendant_quantity", at(menu), Local(panel="quantity", chosen="5", typed="2")
    yield "attendant_price", at(menu), Local(panel="price", chosen="5", typed="199")
    for todo in ("void", "void_sale", "price", "give_refund", "paid"):
        is_return = todo == "give_refund"
        number = "803" if is_return else "5"
        chosen = Local(panel="reason", todo=todo, chosen=number, typed="199")
        yield f"attendant_reason_{todo}", idle if is_return else at(menu), chosen
    yield "attendant_check", at(menu), Local(panel="check", typed="B")
    yield "attendant_resume", idle, Local(panel="resume")
    yield "attendant_sales", idle, Local(panel="sales")
    yield "attendant_sale", idle, Local(panel="sale", chosen="803")
    yield "attendant_settle", idle, Local(panel="settle")
    item = "a-20261103-00c0ffee"
    yield "attendant_decision", idle, Local(panel="decision", chosen=item)
    unknown = at(Attending("1001", ALL_ROLES, OutcomeUnknown(BASKET, TENDER)))
    yield "attendant_unknown", unknown, Local()
    asked = Local(panel="decision", chosen=TENDER.attempt_id)
    yield "attendant_decision_unknown", unknown, asked
    reference = Local(
        panel="reference", chosen=item, todo="paid", reason="bank", typed="4711"
    )
    yield "attendant_reference", idle, reference
    offline = replace(
        at(Attending("1001", ALL_ROLES, SCANNING)),
        exposure=Exposure(3, 4510, NOON_MS - 7_200_000),
        is_host_away=True,
    )
    yield "attendant_exposure", offline, Local()
    closed = at(Attending("1001", ALL_ROLES, Closed("attendant")))
    yield "attendant_closed", closed, Local()
    training = replace(at(Attending("1001", ALL_ROLES, Idle())), is_training=True)
    yield "attendant_training", at(Training("1001", training)), Local()


def _troubles(language: str) -> Iterator[tuple[str, Lane, Local]]:
    def at(mode: Mode) -> Lane:
        return lane(mode, language)

    for cause in CLOSED:
        detail = "terminal" if cause == "trouble" else ""
        yield f"closed_{cause}", at(Closed(cause, detail)), Local()
    yield "enrol_asking", at(Closed("enrol")), Local()
    yield "enrol_code", at(Closed("enrol", "ACDE-FGHJ")), Local()
    yield "enrol_trouble", at(Closed("enrol", "ACDE-FGHJ\nno answer")), Local()
    kept = Suspended(704, BASKET, FIGURES, "power", NOON_MS)
    low = replace(at(Closed("battery")), suspended=(kept,), power_stage=5)
    yield "battery_low", low, Local()
    yield "scanning_offline", replace(at(SCANNING), is_online=False), Local()
    battery = replace(at(SCANNING), power="battery", power_stage=1)
    yield "scanning_battery", battery, Local()
    bad = replace(
        at(SCANNING),
        power="battery",
        power_stage=3,
        is_online=False,
        is_clock_trusted=False,
        devices={"terminal": "absent", "printer": "absent"},
    )
    yield "scanning_everything", bad, Local()
    yield "attract_offline", replace(at(Idle()), is_online=False), Local()
    inner = replace(at(SCANNING), is_training=True)
    yield "training_scanning", at(Training("1001", inner)), Local()
    yield (
        "training_attract",
        at(Training("1001", replace(at(Idle()), is_training=True))),
        Local(),
    )
    yield "training_produce", at(Training("1001", inner)), Local(panel="produce")
    paying = replace(at(Paying(BASKET, TENDER, "asked")), is_training=True)
    yield "training_paying", at(Training("1001", paying)), Local()
