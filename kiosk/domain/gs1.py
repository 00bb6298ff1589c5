"""What GS1 asks of element strings and Digital Links, and biip does not check.

Check digits and dates inside values, application identifiers (AI) that exclude each
other, keys and qualifiers of a Digital Link, the GTIN short forms, and dates without
a clock. Pure tables and arithmetic: knows no lane, no label and no biip; which AIs
exist and how their values are spelled is biip's knowledge (`barcode.py`).

Sections are those of the GS1 General Specifications unless another text is named.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import quote, unquote_to_bytes

import msgspec

from kiosk.domain.currency import MINOR_DIGITS, NUMERIC_CODES

Element: TypeAlias = tuple[str, str]
Elements: TypeAlias = tuple[Element, ...]


class Fault(msgspec.Struct, frozen=True):
    """Why data is not what it should be, for the technician."""

    why: str


# -- numbers -----------------------------------------------------------------

GTIN_LENGTHS = (8, 12, 13, 14)


def check_digit(digits: str) -> str:
    """Return the check digit that follows these digits (7.9.1)."""
    total = 3 * sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2]))
    return str(-total % 10)


def is_checked(digits: str) -> bool:
    """Is the last digit the check digit of those before it?"""
    total = sum(map(int, digits[::-2])) + 3 * sum(map(int, digits[-2::-2]))
    return total % 10 == 0


def expand_upc_e(digits: str) -> str | None:
    """Return the UPC-A behind a UPC-E, or None when it is none.

    8 digits carry number system and check digit, 7 the number system, 6 neither:
    there the scanner has checked the digits and kept the rest to itself.
    """
    system = digits[0] if len(digits) > 6 else "0"
    body = digits if len(digits) == 6 else digits[1:7]
    if system not in "01":
        return None
    last = body[5]
    if last in "012":
        number = system + body[:2] + last + "0000" + body[2:5]
    elif last == "3":
        number = system + body[:3] + "00000" + body[3:5]
    elif last == "4":
        number = system + body[:4] + "00000" + body[4]
    else:
        number = system + body[:5] + "0000" + last
    number += check_digit(number)
    if len(digits) == 8 and number[-1] != digits[7]:
        return None
    return number


# -- dates -------------------------------------------------------------------

_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _days_of(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else _MONTH_DAYS[month - 1]


def iso_date(yymmdd: str, year: int) -> str:
    """Return a valid YYMMDD as an ISO date, seen from `year`.

    7.12: two digits mean a year from 49 before to 50 after this one. Day 00 is the
    last day of the month.
    """
    two = int(yymmdd[:2])
    century = year - year % 100
    away = two - year % 100
    if away >= 51:
        century -= 100
    elif away <= -50:
        century += 100
    full, month = century + two, int(yymmdd[2:4])
    day = int(yymmdd[4:6]) or _days_of(full, month)
    return f"{full:04}-{month:02}-{day:02}"


def _is_date(digits: str) -> bool:
    """YYMMDD or YYYYMMDD with a day that exists in some year of that number."""
    year, month, day = int(digits[:-4]), int(digits[-4:-2]), int(digits[-2:])
    # 00 stands for 2000, a leap year; 1900 and 2100 are out of any label's reach.
    return 1 <= month <= 12 and 1 <= day <= _days_of(2000 + year % 100, month)


def _is_date_or_month(digits: str) -> bool:
    return _is_date(digits[:4] + "01" if digits[4:] == "00" else digits)


def _is_time(digits: str) -> bool:
    return int(digits[:2]) < 24 and int(digits[2:]) < 60


def _is_time_or_open(digits: str) -> bool:
    # GS1 has 9999 stand where no time of day is meant.
    return digits == "9999" or _is_time(digits)


# -- what a value must be beyond its spelling --------------------------------


def _is_country(digits: str) -> bool:
    return digits != "000"


def _is_currency(digits: str) -> bool:
    return digits in NUMERIC_CODES


def _is_not_zero(digits: str) -> bool:
    return int(digits) > 0


def _is_piece_of_total(digits: str) -> bool:
    return 0 < int(digits[:2]) <= int(digits[2:])


def _is_winding(digit: str) -> bool:
    return digit in "019"


def _is_latitude(digits: str) -> bool:
    return int(digits) <= 1_800_000_000


def _is_longitude(digits: str) -> bool:
    return int(digits) <= 3_600_000_000


def _is_escaped(text: str) -> bool:
    return re.search(r"%(?![0-9A-Fa-f]{2})", text) is None


def _has_no_leading_zero(digits: str) -> bool:
    return digits == "0" or digits[0] != "0"


def _is_iban(text: str) -> bool:
    # ISO 13616: the first four characters go last, letters count from 10, mod 97.
    if not re.fullmatch(r"[A-Z]{2}\d{2}[0-9A-Z]{1,30}", text):
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


_CHARACTERS = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_CHECK_CHARACTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83)  # fmt: skip


def _has_check_pair(text: str) -> bool:
    """Does a GMN end in the check character pair that GS1 defines for it?"""
    body, pair = text[:-2], text[-2:]
    if not body:
        return False
    total = sum(_CHARACTERS.index(c) * p for c, p in zip(reversed(body), _PRIMES))
    total %= 1021
    return pair == _CHECK_CHARACTERS[total >> 5] + _CHECK_CHARACTERS[total & 31]


_Check: TypeAlias = tuple[int, int, Callable[[str], bool], str]
_CHECK_DIGIT = "wrong check digit"
_NO_DATE = "no such date"
_NO_TIME = "no such time"
_NO_COUNTRY = "no such country"


def _table(*rows: tuple[str, tuple[_Check, ...]]) -> dict[str, tuple[_Check, ...]]:
    return {ai: checks for ais, checks in rows for ai in ais.split()}


# From, to, what must hold, what is said when it does not.
_CHECKS = _table(
    ("00 8017 8018", ((0, 18, is_checked, _CHECK_DIGIT),)),
    ("01 02 03", ((0, 14, is_checked, _CHECK_DIGIT),)),
    ("11 12 13 15 16 17", ((0, 6, _is_date_or_month, _NO_DATE),)),
    ("253 255 410 411 412 413 414 415 416 417", ((0, 13, is_checked, _CHECK_DIGIT),)),
    ("402", ((0, 17, is_checked, _CHECK_DIGIT),)),
    ("421 422 424 426", ((0, 3, _is_country, _NO_COUNTRY),)),
    ("423 425", tuple((i, i + 3, _is_country, _NO_COUNTRY) for i in range(0, 15, 3))),
    (
        "4300 4301 4302 4303 4304 4305 4306 4310 4311 4312 4313 4314 4315 4316 4320",
        ((0, 70, _is_escaped, "wrong percent escape"),),
    ),
    (
        "4309",
        (
            (0, 10, _is_latitude, "no such latitude"),
            (10, 20, _is_longitude, "no such longitude"),
        ),
    ),
    (
        "4324 4325",
        ((0, 6, _is_date_or_month, _NO_DATE), (6, 10, _is_time_or_open, _NO_TIME)),
    ),
    ("4326 7006", ((0, 6, _is_date, _NO_DATE),)),
    ("7003 7011", ((0, 6, _is_date, _NO_DATE), (6, 10, _is_time, _NO_TIME))),
    ("7007", ((0, 6, _is_date, _NO_DATE), (6, 12, _is_date, _NO_DATE))),
    ("7250 7251", ((0, 8, _is_date, _NO_DATE),)),
    ("8008", ((0, 6, _is_date, _NO_DATE),)),
    (
        "8001",
        (
            (0, 4, _is_not_zero, "no width"),
            (4, 9, _is_not_zero, "no length"),
            (9, 12, _is_not_zero, "no core diameter"),
            (12, 13, _is_winding, "no such winding"),
        ),
    ),
    ("8003", ((1, 14, is_checked, _CHECK_DIGIT),)),
    (
        "8006 8026",
        (
            (0, 14, is_checked, _CHECK_DIGIT),
            (14, 18, _is_piece_of_total, "no such piece of the total"),
        ),
    ),
    ("8007", ((0, 34, _is_iban, "no IBAN"),)),
    ("8011", ((0, 12, _has_no_leading_zero, "leading zero"),)),
    ("8013", ((0, 25, _has_check_pair, "wrong check characters"),)),
    *(
        (f"391{n} 393{n}", ((0, 3, _is_currency, "no such currency"),))
        for n in range(10)
    ),
)


def value_fault(ai: str, value: str) -> str:
    """Return what is wrong with a rightly spelled value, or nothing."""
    if not value:
        return "no value"
    for start, end, holds, why in _CHECKS.get(ai, ()):
        part = value[start:end]
        if part and not holds(part):
            return why
    return ""


# -- which AIs stand together ------------------------------------------------

# The `ex` pairs of the GS1 Syntax Dictionary. (01) with (37) is left out: old case
# labels carry it, and a shopper can do nothing about it.
_EXCLUSIVE = tuple(
    (one, set(others.split()))
    for one, others in {
        "01": "02 255 8006",
        "02": "255 8026",
        "21": "235",
        "255": "415 8006 8020 8026",
        "37": "8006",
        "390n": "391n 394n 8111",
        "392n": "393n 395n",
        "393n": "395n",
        "394n": "8111",
        "395n": "8005",
        "420": "421",
        "421": "4307",
        "426": "422 423 424 425",
        "4330": "4331",
        "4332": "4333",
        "8006": "8026",
        "8017": "8018",
    }.items()
)


def _family(ai: str) -> str:
    """The AI, or its first three digits and n where the fourth counts decimals."""
    is_measure = len(ai) == 4 and ("31" <= ai[:2] <= "36" or "390" <= ai[:3] <= "395")
    return ai[:3] + "n" if is_measure else ai


def pairing_fault(elements: Elements) -> str:
    """Return which elements contradict each other, or nothing."""
    seen: dict[str, Element] = {}
    for ai, value in elements:
        if seen.setdefault(_family(ai), (ai, value)) != (ai, value):
            return f"({ai}) twice and not the same"
    for one, others in _EXCLUSIVE:
        if one in seen and (clash := others & seen.keys()):
            return f"({one}) with ({min(clash)})"
    return ""


# -- money and weight --------------------------------------------------------


def currency_of(numeric: str) -> tuple[str, int]:
    """Return the code of a known ISO 4217 number and how many minor digits it has."""
    code = NUMERIC_CODES[numeric]
    return code, MINOR_DIGITS.get(code, 2)


# -- Digital Link (GS1 Digital Link: URI Syntax) -----------------------------

# Keys, and their qualifiers in order; `|` divides sequences that exclude each other.
_KEYS = {
    "00": "",
    "01": "22 10 21|235",
    "253": "",
    "255": "",
    "401": "",
    "402": "",
    "414": "254|7040",
    "415": "8020",
    "417": "7040",
    "8003": "",
    "8004": "7040",
    "8006": "22 10 21",
    "8010": "8011",
    "8013": "",
    "8017": "8019",
    "8018": "8019",
}
_SEQUENCES = {
    key: [sequence.split() for sequence in text.split("|")]
    for key, text in _KEYS.items()
}
# The names of release 1.1, gone from the standard since but still in print.
_NAMES = {
    "sscc": "00", "gtin": "01", "gdti": "253", "gcn": "255", "ginc": "401",
    "gsin": "402", "gln": "414", "payTo": "415", "party": "417", "grai": "8003",
    "giai": "8004", "itip": "8006", "cpid": "8010", "gmn": "8013", "gsrnp": "8017",
    "gsrn": "8018", "cpv": "22", "lot": "10", "ser": "21", "tpx": "235",
    "glnx": "254", "refNo": "8020", "cpsn": "8011", "srin": "8019",
}  # fmt: skip

_URI = re.compile(
    r"https?://[A-Za-z0-9.\-:\[\]]+(?P<path>/[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?",
    re.IGNORECASE,
)
# RFC 3986: what may stand in a URI at all.
_URI_CHARACTERS = re.compile(
    r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+"
)


def is_web_address(text: str) -> bool:
    """Does this begin as a link does?"""
    return text[:8].lower().startswith(("http://", "https://"))


def link_elements(uri: str) -> Elements | Fault:
    """Return the AIs and values of a Digital Link, key first, values unchecked."""
    match = _URI.fullmatch(uri)
    if match is None or not _URI_CHARACTERS.fullmatch(uri):
        return Fault("not a web address")
    segments = match["path"].split("/")[1:]
    path: list[Element] = []
    # Anything may stand before the key, so pairs are read from the end.
    for at in range(len(segments) - 2, -1, -2):
        ai = _NAMES.get(segments[at], segments[at])
        path.insert(0, (ai, _decoded(ai, segments[at + 1])))
        if ai in _KEYS:
            break
    else:
        return Fault("a web address without a GS1 key, or a compressed one")
    key = path[0][0]
    if not any(_is_in_order(path[1:], sequence) for sequence in _SEQUENCES[key]):
        return Fault(f"path of key ({key}) has wrong qualifiers")
    query = []
    for part in (match["query"] or "").split("&"):
        ai, equals, value = part.partition("=")
        # Other keys are the shop's or the brand's business.
        if equals and ai.isdigit():
            query.append((ai, _decoded(ai, value.replace("+", " "))))
    if any(ai in sequence for ai, _ in query for sequence in _SEQUENCES[key]):
        return Fault(f"a qualifier of key ({key}) outside the path")
    elements = (*path, *query)
    if len({ai for ai, _ in elements}) < len(elements):
        return Fault("an AI stands twice")
    return elements


def _decoded(ai: str, value: str) -> str:
    text = unquote_to_bytes(value).decode("latin-1")
    # A link may carry the GTIN as it is in the bar code.
    return text.zfill(14) if ai == "01" and len(text) in GTIN_LENGTHS else text


def _is_in_order(qualifiers: list[Element], sequence: list[str]) -> bool:
    rest = iter(sequence)
    return all(ai in rest for ai, _ in qualifiers)


def link_of(
    elements: Elements, stem: str, is_fixed: Callable[[str], bool]
) -> str | Fault:
    """Return the Digital Link that says the same under `stem`.

    The first key leads, its qualifiers follow in order, the rest is the query: AIs
    of predefined length (`is_fixed`) first, as in an element string.
    """
    if why := pairing_fault(elements):
        return Fault(why)
    values = dict(elements)
    key = next((ai for ai, _ in elements if ai in _KEYS), "")
    if not key:
        return Fault("no key to begin a link with")
    qualifiers: list[str] = []
    for sequence in _SEQUENCES[key]:
        found = [ai for ai in sequence if ai in values]
        if found and qualifiers:
            return Fault(f"({qualifiers[0]}) with ({found[0]})")
        qualifiers = qualifiers or found
    rest = sorted(values.keys() - {key, *qualifiers}, key=list(values).index)
    rest.sort(key=lambda ai: not is_fixed(ai))
    path = "".join(f"/{ai}/{quote(values[ai], safe='')}" for ai in (key, *qualifiers))
    query = "&".join(f"{ai}={quote(values[ai], safe='')}" for ai in rest)
    return stem.rstrip("/") + path + ("?" + query if query else "")
