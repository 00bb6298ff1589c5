"""The parser against GS1's and biip's own text vectors, read in place.

Each vector is one test, by kind; `^` stands for FNC1. Where a vector asks for what
one program prints rather than for what a label means, the reason stands beside it.
"""

from __future__ import annotations

import csv
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kiosk.domain import gs1
from kiosk.domain.barcode import (
    norm,
    parse,
    read_bracketed,
    read_elements,
    read_link,
    split_symbology,
    write_elements,
    write_link,
)
from kiosk.domain.gs1 import Elements, Fault
from kiosk.domain.label import (
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
from kiosk.domain.restricted import EXAMPLES

DATA = Path(__file__).parents[2].parent / "shared" / "data"
GS1 = DATA / "gs1" / "vectors.jsonl"
TRUTH = DATA / "barcodes" / "truth.csv"

COUNTRIES = {
    "DENMARK": "DK",
    "ESTONIA": "EE",
    "FINLAND": "FI",
    "GERMANY": "DE",
    "GREAT_BRITAIN": "GB",
    "LATVIA": "LV",
    "LITHUANIA": "LT",
    "NORWAY": "NO",
    "SWEDEN": "SE",
}


def vectors(kind: str) -> list[Any]:
    if not GS1.exists():
        reason = f"{GS1.parent} is absent"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]
    found = [json.loads(line) for line in GS1.read_text("utf-8").splitlines()]
    return [
        pytest.param(vector, id=f"{number}-{vector['input'][:40]!a}")
        for number, vector in enumerate(found, 1)
        if vector["kind"] == kind
    ]


def caret(elements: Elements) -> str:
    return "^" + write_elements(elements).replace("\x1d", "^")


def from_caret(text: str) -> Elements | Fault:
    if not text.startswith("^"):
        return Fault("no FNC1 in front")
    return read_elements(text[1:].replace("^", "\x1d"))


def expect(read: Elements | Fault, vector: dict[str, Any]) -> None:
    if not vector["valid"]:
        assert isinstance(read, Fault)
        return
    assert not isinstance(read, Fault), read
    # An FNC1 at the very end says nothing; we do not write it.
    assert caret(read) == vector["expect"].rstrip("^")


@pytest.mark.parametrize("vector", vectors("bracketed"))
def test_the_human_readable_form_is_read(vector: dict[str, Any]) -> None:
    expect(read_bracketed(vector["input"]), vector)


@pytest.mark.parametrize("vector", vectors("element"))
def test_an_element_string_is_read(vector: dict[str, Any]) -> None:
    expect(from_caret(vector["input"]), vector)


@pytest.mark.parametrize("vector", vectors("dl-uri"))
def test_a_digital_link_is_read(vector: dict[str, Any]) -> None:
    expect(read_link(vector["input"]), vector)


@pytest.mark.parametrize("vector", vectors("make-dl-uri"))
def test_a_digital_link_is_written(vector: dict[str, Any]) -> None:
    elements = read_bracketed(vector["input"])
    stem = re.search(r"stem (\S+)", vector["note"])
    link = (
        elements
        if isinstance(elements, Fault)
        else write_link(elements, stem[1] if stem else "https://id.gs1.org")
    )
    if vector["valid"]:
        assert link == vector["expect"]
    else:
        assert isinstance(link, Fault)


def scan_content(data: bytes) -> str | None:
    """What the scanner read, in the vectors' notation, or None when it is refused."""
    aim, payload = split_symbology(data)
    if not aim:
        return None
    text = payload.decode()
    if aim in {"]C1", "]e0", "]d2", "]Q3", "]J1"}:
        elements = read_elements(text)
        return None if isinstance(elements, Fault) else caret(elements)
    if aim[:2] == "]E":
        if isinstance(parse(data), Unreadable):
            return None
        number, component, rest = text.partition("|]e0")
        elements = read_elements(rest) if component else ()
        assert not isinstance(elements, Fault)
        return number + ("|" + caret(elements) if component else "")
    if text and not isinstance(parse(data), Other | Gtin):
        return None
    # A caret that is no FNC1 is escaped in this notation.
    return re.sub(r"^(\\*)\^", r"\\\1^", text)


@pytest.mark.parametrize("vector", vectors("scan"))
def test_what_a_scanner_sends_is_told_by_its_symbology(vector: dict[str, Any]) -> None:
    content = scan_content(vector["input"].encode())
    assert content == (vector["expect"] if vector["valid"] else None)


@pytest.mark.parametrize("vector", vectors("symbol-content"))
def test_two_readings_of_a_symbol_are_spelled_alike(vector: dict[str, Any]) -> None:
    assert norm(vector["input"].encode()) == vector["expect"]


@pytest.mark.parametrize("vector", vectors("variable-measure"))
def test_an_in_store_number_is_read_by_the_rules_of_its_country(
    vector: dict[str, Any],
) -> None:
    country = re.search(r"region (\w+)", vector["note"])
    assert country is not None
    rules = LabelRules(EXAMPLES[COUNTRIES[country[1]]])
    label = parse(vector["input"].encode(), "", rules)
    wanted = json.loads(vector["expect"])
    match label:
        case PricedItem():
            found = {"price": Decimal(label.price_minor) / 100}
        case WeighedItem():
            found = {"weight": Decimal(label.weight_grams) / 1000}
        case CountedItem():
            found = {"count": Decimal(label.count)}
        case Gtin():
            found = {}
        case _:
            pytest.fail(f"not an item: {label}")
    assert found == {
        name: Decimal(str(value)) for name, value in wanted.items() if value is not None
    }


def gtins_of(label: Label) -> list[str]:
    match label:
        case Gtin():
            return [label.gtin, *label.alternatives]
        case Other():
            return list(label.alternatives)
        case Coupon() if label.code.isdigit():
            return [label.code.zfill(14)]
        case _:
            return []


@pytest.mark.parametrize("vector", vectors("biip-parse"))
def test_a_value_means_the_same_as_to_biip(vector: dict[str, Any]) -> None:
    wanted = json.loads(vector["expect"])
    data = vector["input"].encode()
    label = parse(data)
    aim, payload = split_symbology(data)
    assert aim == (wanted["symbology"] or "")[:3]
    gtins = gtins_of(label)
    if wanted["gtin"]:
        assert wanted["gtin"].zfill(14) in gtins
        if wanted["upc"]:
            assert wanted["upc"].zfill(14) in gtins
    else:
        assert not gtins
    if wanted["sscc"]:
        assert gs1.is_checked(wanted["sscc"])
        assert isinstance(label, Other)
    text = payload.decode("utf-8").strip()
    elements = read_link(text) if text.startswith("http") else read_elements(text)
    if not isinstance(elements, Fault):
        bracketed = "".join(f"({ai}){value}" for ai, value in elements)
        assert wanted["hri"] in {None, bracketed}
    elif wanted["hri"]:
        # biip reads on where a check digit or a date is wrong, and where the FNC1
        # that GS1 asks for after a variable length is missing.
        pairs = tuple(re.findall(r"\((\d+)\)([^(]*)", wanted["hri"]))
        is_complete = write_elements(pairs) == text
        assert not (is_complete and "spelled" in elements.why), elements.why
        assert not elements.why.startswith("no "), elements.why


@pytest.mark.skipif(not TRUTH.exists(), reason=f"{TRUTH.parent} is absent")
def test_every_known_picture_text_has_one_spelling() -> None:
    told = {"upce": "]E0", "ean8": "]E4", "code128": "]C0"}
    with TRUTH.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    odd = [
        row["file"]
        for row in rows
        if norm(row["text"].encode(), told.get(row["symbology"], "")) != row["norm"]
    ]
    assert rows
    assert not odd
