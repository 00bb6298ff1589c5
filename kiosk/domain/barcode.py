"""What a label says: bytes in, one of a closed list of readings out.

`parse` never raises, reads no clock and no catalogue, and decides nothing about a
sale: whether an item is known, past its date or recalled is found out by others. The
only file that knows biip. biip's own parsers are not called: its date fields read the
machine's clock, and a plain GTIN takes it twenty times as long.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec
from biip import ParseError
from biip.checksums import gs1_price_weight_check_digit
from biip.gs1_application_identifiers import GS1ApplicationIdentifier

from kiosk.domain import gs1
from kiosk.domain.gs1 import Elements, Fault
from kiosk.domain.label import (
    NO_RULES,
    CountedItem,
    Coupon,
    Gtin,
    Label,
    LabelRules,
    Other,
    PricedItem,
    Unreadable,
    WeighedItem,
)
from kiosk.domain.money import divide_half_up
from kiosk.domain.restricted import Measure, find_rule

GS = "\x1d"
LONGEST = 128
LONGEST_QR = 512
# Two-digit years are resolved from here when nobody says what year it is. Right for
# every date a label in a shop can carry until about 2050.
BASE_YEAR = 2026


# -- reading a label ---------------------------------------------------------

# ISO/IEC 15424. These carry element strings and nothing else.
_ELEMENT_CARRIERS = frozenset({"]C1", "]e0", "]e1", "]e2", "]d2", "]Q3", "]J1"})
_AIM = re.compile(r"\][A-Za-z][0-9A-Fa-f]")
_PRINTABLE = bytes(range(0x20, 0x7F)) + GS.encode()
# 12 digits and fewer are against ISO/IEC 15424, and what many scanners send.
_EAN_LENGTHS = {"]E0": (6, 7, 8, 12, 13), "]E3": (8, 12, 13), "]E4": (8,)}
_ADDON_LENGTHS = (2, 5)
_SEPARATED_ADDON = re.compile(r"(\d{8}|\d{12,13})[ +\-](\d{2}|\d{5})")
_COMPOSITE = re.compile(r"(\d{8}|\d{12,14})\|?\]e[0-2](.+)", re.DOTALL)


def parse(
    data: bytes,
    symbology: str = "",
    rules: LabelRules = NO_RULES,
    *,
    year: int = BASE_YEAR,
) -> Label:
    """Return what a label says. `year` places the two-digit years of its dates."""
    aim, payload = split_symbology(data, symbology)
    is_link = payload[:4].lower() == b"http"
    if len(payload) > (LONGEST_QR if is_link or aim[:2] == "]Q" else LONGEST):
        return Unreadable(f"{len(payload)} bytes are too long for a label")
    if payload.translate(None, _PRINTABLE):
        return Unreadable("a byte that no label carries")
    text = payload.decode("ascii").strip(" ")
    if not text:
        return Unreadable("empty")
    if any(prefix and text.startswith(prefix) for prefix in rules.coupon_prefixes):
        return Coupon(text)
    if aim[:2] == "]E":
        return _of_ean(text, aim, rules, year)
    if aim in _ELEMENT_CARRIERS or GS in text:
        elements = read_elements(text)
        if isinstance(elements, Fault):
            return Unreadable(elements.why)
        return _of_elements(elements, rules, year)
    if text.isdigit():
        return _of_digits(text, aim, rules, year)
    if is_link and gs1.is_web_address(text):
        elements = read_link(text)
        if isinstance(elements, Fault):
            return Unreadable(elements.why)
        return _of_elements(elements, rules, year)
    return _of_text(text, rules, year)


def split_symbology(data: bytes, symbology: str = "") -> tuple[str, bytes]:
    """Return the AIM identifier, told or in front of the data, and the data after it."""
    if data[:1] == b"]":
        front = data[:3].decode("latin-1")
        if front == symbology or (not symbology and _AIM.fullmatch(front)):
            return front, data[3:]
    return symbology, data


def _of_ean(text: str, aim: str, rules: LabelRules, year: int) -> Label:
    """Read what comes from a symbology of the EAN/UPC family."""
    if composite := _COMPOSITE.fullmatch(text):
        elements = read_elements(composite[2])
        if isinstance(elements, Fault):
            return Unreadable(elements.why)
        text = composite[1]
        if gs1.is_checked(text):
            return _of_elements((("01", text.zfill(14)), *elements), rules, year)
    number, addon = text, ""
    if match := _SEPARATED_ADDON.fullmatch(text):
        number, addon = match[1], match[2]
    elif aim == "]E3" and text.isdigit():
        number, addon = _cut_addon(text)
    if not number.isdigit():
        return Unreadable("EAN/UPC with something else than digits")
    if len(number) not in _EAN_LENGTHS.get(aim, ()):
        return Unreadable(f"EAN/UPC of {len(number)} digits")
    if aim != "]E4" and len(number) < 12:
        # An EAN-8 comes as ]E4, so what is short here is a UPC-E.
        number = gs1.expand_upc_e(number) or number
    if len(number) < 8 or not gs1.is_checked(number):
        return Unreadable("wrong check digit")
    return _of_gtin(number, Gtin(number.zfill(14), addon=addon), rules)


def _cut_addon(text: str) -> tuple[str, str]:
    """Part a number and the add-on glued to it, where the number checks out."""
    for length in (13, 12, 8):
        if len(text) - length in _ADDON_LENGTHS and gs1.is_checked(text[:length]):
            return text[:length], text[length:]
    return text, ""


def _of_digits(text: str, aim: str, rules: LabelRules, year: int) -> Label:
    """Read digits of a symbology that nobody told, or that carries anything."""
    if len(text) in gs1.GTIN_LENGTHS:
        upc_a = gs1.expand_upc_e(text) if len(text) == 8 and not aim else None
        if gs1.is_checked(text):
            others = (upc_a.zfill(14),) if upc_a else ()
            return _of_gtin(text, Gtin(text.zfill(14), others), rules)
        if upc_a:
            return _of_gtin(upc_a, Gtin(upc_a.zfill(14)), rules)
        return Unreadable("wrong check digit")
    if len(text) in {6, 7} and not aim and (upc_a := gs1.expand_upc_e(text)):
        return Other(text, (upc_a.zfill(14),))
    label = _of_text(text, rules, year)
    if isinstance(label, Other) and len(text) in {15, 18} and gs1.is_checked(text[:13]):
        # (9n) takes any text, so 978... is a book rather than an internal AI (97).
        return _of_gtin(text[:13], Gtin(text[:13].zfill(14), addon=text[13:]), rules)
    return label


def _of_text(text: str, rules: LabelRules, year: int) -> Label:
    """Read text: an element string with an item in it, an add-on apart, or words."""
    if match := _SEPARATED_ADDON.fullmatch(text):
        if gs1.is_checked(match[1]):
            return _of_gtin(match[1], Gtin(match[1].zfill(14), addon=match[2]), rules)
        return Unreadable("wrong check digit")
    elements = read_bracketed(text) if text[0] == "(" else read_elements(text)
    if isinstance(elements, Fault) or not _names_item(elements):
        return Other(text)
    return _of_elements(elements, rules, year)


def _names_item(elements: Elements) -> bool:
    return any(ai in {"01", "02"} for ai, _ in elements)


# GS1 prefixes of coupons and refund receipts: 980 to 984, 99, and 05 (UPC-A with 5).
_COUPON_PREFIXES = ("980", "981", "982", "983", "984", "99", "05")
_NOTHING = "0" * 14


def _of_gtin(digits: str, item: Gtin, rules: LabelRules) -> Label:
    """Say what a number with a right check digit is: an item, in-store, a coupon."""
    number = item.gtin
    if number == _NOTHING:
        return Unreadable("nothing but zeros")
    if number[0] != "0":
        return item
    thirteen = number[1:]
    if thirteen.startswith(_COUPON_PREFIXES):
        return Coupon(digits)
    rule = find_rule(thirteen, rules.restricted)
    if rule is None or item.weight_grams is not None or item.price_minor is not None:
        return item
    reading = rule.read(thirteen)
    if reading.verifier and reading.verifier != str(
        gs1_price_weight_check_digit(reading.value)
    ):
        return Unreadable(f"wrong verifier of the {rule.measure.value}")
    gtin = "0" + reading.without_value + gs1.check_digit(reading.without_value)
    value = int(reading.value)
    match rule.measure:
        case Measure.PRICE:
            minor = _scaled(value, rule.decimals, rules.currency_decimals)
            return PricedItem(gtin, reading.item, minor)
        case Measure.WEIGHT:
            return WeighedItem(gtin, reading.item, _scaled(value, rule.decimals, 3))
        case Measure.COUNT:
            return CountedItem(gtin, reading.item, value)


def _scaled(value: int, decimals: int, wanted: int) -> int:
    """Return `value` of so many decimals in units of `wanted` decimals."""
    return divide_half_up(value * 10**wanted, 10**decimals)


# -- element strings ---------------------------------------------------------


class _Syntax(msgspec.Struct, frozen=True):
    """How biip says an AI is spelled."""

    ai: str
    pattern: re.Pattern[str]
    is_fixed: bool


# biip wants five characters of (8010); GS1 allows one.
_PATTERNS = {"8010": r"([A-Z0-9/#-]{1,30})"}


@lru_cache(maxsize=1024)
def _syntax_at(front: str) -> _Syntax | None:
    """Return the AI that four characters begin with. No AI begins another."""
    try:
        found = GS1ApplicationIdentifier.extract(front)
    except ParseError:
        return None
    pattern = found.pattern.removeprefix("^" + found.ai).removesuffix("$")
    pattern = _PATTERNS.get(found.ai, pattern)
    return _Syntax(
        found.ai, re.compile(pattern, re.ASCII), not found.separator_required
    )


def _is_fixed(ai: str) -> bool:
    syntax = _syntax_at(ai)
    return syntax is not None and syntax.is_fixed


def _checked(elements: Elements) -> Elements | Fault:
    """Hold each value of known bounds against its AI's spelling and contents."""
    for ai, value in elements:
        syntax = _syntax_at(ai)
        if syntax is None or syntax.ai != ai:
            return Fault(f"no AI ({ai[:4]})")
        if not syntax.pattern.fullmatch(value):
            return Fault(f"({ai}) is spelled wrongly")
        if why := gs1.value_fault(ai, value):
            return Fault(f"({ai}): {why}")
    return elements if elements else Fault("no element")


def read_elements(text: str) -> Elements | Fault:
    """Return the AIs and values of an element string, GS for every FNC1."""
    elements = []
    for field in text.split(GS):
        while field:
            syntax = _syntax_at(field[:4])
            if syntax is None:
                return Fault(f"no AI at {field[:4]}")
            value = field[len(syntax.ai) :]
            if syntax.is_fixed and (match := syntax.pattern.match(value)):
                value = match[0]
            elements.append((syntax.ai, value))
            field = field[len(syntax.ai) + len(value) :]
    return _checked(tuple(elements))


_BRACKETED = re.compile(r"\((\d{2,4})\)((?:\\\(|[^(])*)")


def read_bracketed(text: str) -> Elements | Fault:
    r"""Return the AIs and values of the human readable form: (01)...(10)...

    An opening bracket within a value is written as \(.
    """
    if not re.fullmatch(f"(?:{_BRACKETED.pattern})+", text):
        return Fault("not in the form (AI)value")
    found = _BRACKETED.findall(text)
    return _checked(tuple((ai, value.replace("\\(", "(")) for ai, value in found))


def read_link(uri: str) -> Elements | Fault:
    """Return the AIs and values of a GS1 Digital Link."""
    elements = gs1.link_elements(uri)
    return elements if isinstance(elements, Fault) else _checked(elements)


def write_elements(elements: Elements) -> str:
    """Return the element string, GS only where one is needed."""
    text = ""
    is_open = False
    for ai, value in elements:
        text += (GS if is_open else "") + ai + value
        is_open = not _is_fixed(ai)
    return text


def write_link(elements: Elements, stem: str) -> str | Fault:
    """Return the Digital Link under `stem` that says the same."""
    return gs1.link_of(elements, stem, _is_fixed)


_TEXT_FIELDS = {"10": "batch", "21": "serial"}
_DATE_FIELDS = {
    "11": "produced_on",
    "13": "packed_on",
    "15": "best_before",
    "16": "sell_by",
    "17": "expires_on",
}
_COUPON_AIS = frozenset({"255", "8110", "8112"})


def _of_elements(elements: Elements, rules: LabelRules, year: int) -> Label:
    """Say what item an element string names, and what it says of it."""
    if why := gs1.pairing_fault(elements):
        return Unreadable(why)
    values = dict(elements)
    for ai in _COUPON_AIS & values.keys():
        return Coupon(values[ai])
    gtin = values.get("01") or values.get("02")
    if gtin is None:
        return Other("".join(ai + value for ai, value in elements))
    if "01" not in values and "37" not in values:
        return Unreadable("(02) without (37): contents of unknown number")
    facts: dict[str, str | int] = {}
    for ai, value in elements:
        if name := _TEXT_FIELDS.get(ai):
            facts[name] = value
        elif name := _DATE_FIELDS.get(ai):
            facts[name] = gs1.iso_date(value, year)
        elif ai in {"30", "37"}:
            facts["count"] = int(value)
        elif ai[:3] == "310":
            facts["weight_grams"] = _scaled(int(value), int(ai[3]), 3)
        elif ai[:3] == "392":
            decimals = rules.currency_decimals
            facts["price_minor"] = _scaled(int(value), int(ai[3]), decimals)
        elif ai[:3] == "393":
            facts["price_currency"], decimals = gs1.currency_of(value[:3])
            facts["price_minor"] = _scaled(int(value[3:]), int(ai[3]), decimals)
    return _of_gtin(gtin, msgspec.convert({"gtin": gtin, **facts}, Gtin), rules)


# -- numbers for people and files --------------------------------------------


def norm(data: bytes, symbology: str = "") -> str:
    """Return one spelling of a reading, so that two readings can be compared.

    The GTIN-14 of a trade item number; otherwise the text as it stands, an element
    string without brackets and separators. Says nothing about being sensible.
    """
    aim, payload = split_symbology(data, symbology)
    text = payload.decode("utf-8", "replace").replace(GS, "").strip()
    if aim not in _ELEMENT_CARRIERS and text.isascii() and text.isdigit():
        label = parse(text.encode(), aim)
        if isinstance(label, Gtin) and (label.addon or len(text) <= 14):
            return label.gtin
        if isinstance(label, Coupon) and len(text) <= 14:
            return label.code.zfill(14)
    if _BRACKETED.match(text):
        text = text.replace("(", "").replace(")", "")
    gtin = text[2:] if text[:2] == "01" and text.isascii() and text.isdigit() else ""
    if len(gtin) == 14 and gtin != _NOTHING and gs1.is_checked(gtin):
        return gtin
    return text


# A PLU has four or five digits, and one in ten would pass for a GTIN.
_SHORTEST_PADDED = 6


def left_pad_gtin(text: str) -> str | None:
    """Return the GTIN-14 of a number that may have lost its leading zeros, or None.

    For files that went through a spreadsheet, never for what a scanner read.
    """
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 14):
        return None
    if len(digits) not in gs1.GTIN_LENGTHS and len(digits) < _SHORTEST_PADDED:
        return None
    if not digits.strip("0") or not gs1.is_checked(digits):
        return None
    return digits.zfill(14)
