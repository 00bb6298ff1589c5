"""Reads a catalogue from a spreadsheet's CSV, row by row, and says what is wrong.

Columns are documented in README.md. Never guesses a price or a number: a row that
cannot be understood is left out and named; what was mended is named too.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TextIO

import msgspec

from kiosk.domain.catalog import Item, Price

# Real names reach 234 characters; no screen or receipt shows more than this.
LONGEST_NAME = 240

_FLAGS = ("is_deposit", "weighed", "not_for_sale", "attendant_needed")
_COUNTS = (
    "minimum_age",
    "tare_grams",
    "maximum_quantity",
    "weight_grams",
    "tolerance_grams",
)
_TEXTS = ("tax_class", "deposit_item_id", "page", "brand", "size")
_LISTS = ("search_words", "offer_groups")
_OTHERS = (
    "gtin",
    "gtin14",
    "item_id",
    "plu",
    "name",
    "price",
    "price_starts",
    "price_ends",
    "department",
    "category",
    "quantity",
    "unit",
    # The produce list of the IFPS (ifpsglobal.com) names its columns so.
    "commodity",
    "variety",
    "aka",
)
_KNOWN = {*_FLAGS, *_COUNTS, *_TEXTS, *_LISTS, *_OTHERS}
_YES = {"1", "yes", "y", "true", "x", "ja", "j", "wahr"}
_NO = {"", "0", "no", "n", "false", "nein", "falsch"}

# Joiners that emoji and Persian need; every other format character can hide or turn
# round what is printed.
_KEPT_FORMAT = {"\u200c", "\u200d"}


class RowProblem(msgspec.Struct, frozen=True):
    """What was wrong with a row, numbered as the spreadsheet does (1: the names).

    `loaded` says whether the row was mended and taken, or left out.
    """

    row: int
    message: str
    loaded: bool = False


class _BadRow(ValueError):
    """This row cannot be taken. Never leaves this module."""


class _Reader:
    """One file being read, with what was told so far."""

    def __init__(
        self, language: str, default_price_minor: int | None, decimals: int
    ) -> None:
        self.language = language
        self.default_price_minor = default_price_minor
        self.decimals = decimals
        self.problems: list[RowProblem] = []
        self.row = 1

    def tell(self, message: str) -> None:
        self.problems.append(RowProblem(self.row, message, loaded=True))

    def item(self, cells: dict[str, str]) -> Item:
        plu = self._plu(cells)
        item_id = self._item_id(cells, plu)
        produce = bool(plu) and not _has_gtin(cells) and not cells.get("item_id")
        words = [*_split(cells.get("search_words")), *_split(cells.get("aka"))]
        return Item(
            item_id=item_id,
            description=self._names(cells),
            prices=self._prices(cells),
            tax_class=cells.get("tax_class") or "standard",
            department=cells.get("department") or cells.get("category", ""),
            minimum_age=_count(cells, "minimum_age"),
            deposit_item_id=self._deposit(cells),
            is_deposit=_flag(cells, "is_deposit"),
            # Loose goods are weighed unless the row says otherwise.
            weighed=_flag(cells, "weighed") if cells.get("weighed") else produce,
            tare_grams=_count(cells, "tare_grams"),
            maximum_quantity=_count(cells, "maximum_quantity"),
            not_for_sale=_flag(cells, "not_for_sale"),
            attendant_needed=_flag(cells, "attendant_needed"),
            plu=plu,
            page=cells.get("page") or (cells.get("category", "") if produce else ""),
            search_words=tuple(self._clean(word, "a search word") for word in words),
            offer_groups=_split(cells.get("offer_groups")),
            brand=self._clean(cells.get("brand", ""), "the brand"),
            size=cells.get("size")
            or f"{cells.get('quantity', '')} {cells.get('unit', '')}".strip(),
            weight_grams=_count(cells, "weight_grams"),
            tolerance_grams=_count(cells, "tolerance_grams"),
        )

    def _item_id(self, cells: dict[str, str], plu: str) -> str:
        if text := cells.get("gtin") or cells.get("gtin14", ""):
            number, padded = _gtin(text)
            if padded:
                self.tell(f"gtin {text}: leading zeros were lost, taken as {number}")
            return number
        if name := cells.get("item_id"):
            return name
        if plu:
            return f"plu:{plu}"
        raise _BadRow("expected a number in gtin, plu or item_id, found none")

    def _plu(self, cells: dict[str, str]) -> str:
        plu = cells.get("plu", "")
        if plu and not re.fullmatch(r"[0-9]{1,6}", plu):
            raise _BadRow(f"plu {plu!r}: expected up to 6 digits")
        return plu

    def _deposit(self, cells: dict[str, str]) -> str:
        text = cells.get("deposit_item_id", "")
        return _gtin(text)[0] if re.fullmatch(r"[0-9]{8,14}", text) else text

    def _names(self, cells: dict[str, str]) -> dict[str, str]:
        names = {}
        for column, text in cells.items():
            language = re.fullmatch(r"name(?:_([a-z]{2,3}))?", column)
            if language and (name := self._clean(text, column)):
                names[language[1] or self.language] = name
        if not names and cells.get("commodity"):
            # IFPS shouts the commodity; the variety may be empty.
            text = f"{cells['commodity'].capitalize()} {cells.get('variety', '')}"
            names[self.language] = self._clean(text, "commodity")
        if not names:
            raise _BadRow("expected a name, found none")
        return names

    def _clean(self, text: str, what: str) -> str:
        given = unicodedata.normalize("NFC", text)
        if any(_is_control(c) for c in given):
            self.tell(f"{what}: control characters were left out")
        # A tab or line end parted words: a space does that too.
        kept = (" " if c.isspace() else c for c in given)
        clean = " ".join("".join(c for c in kept if not _is_control(c)).split())
        if len(clean) > LONGEST_NAME:
            self.tell(f"{what}: cut to {LONGEST_NAME} of {len(clean)} characters")
            clean = clean[:LONGEST_NAME].rstrip()
        return clean

    def _prices(self, cells: dict[str, str]) -> tuple[Price, ...]:
        text = cells.get("price", "")
        starts = _time(cells, "price_starts")
        ends = _time(cells, "price_ends")
        if starts is not None and ends is not None and ends <= starts:
            raise _BadRow("price_ends: expected a time after price_starts")
        if text:
            return (Price(self._minor(text), starts, ends),)
        if self.default_price_minor is None:
            raise _BadRow("expected a price such as 2.49, found none")
        return (Price(self.default_price_minor, starts, ends),)

    def _minor(self, text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}([.,][0-9]{1,4})?", text):
            raise _BadRow(f"price {text!r}: expected a number such as 2.49")
        try:
            minor = Decimal(text.replace(",", ".")).scaleb(self.decimals)
        except InvalidOperation as error:
            raise _BadRow(f"price {text!r}: expected a number such as 2.49") from error
        if minor != minor.to_integral_value():
            raise _BadRow(f"price {text!r}: expected {self.decimals} decimals at most")
        return int(minor)


def read_csv(
    file: TextIO | Path,
    *,
    skip_bad_rows: bool,
    language: str = "en",
    default_price_minor: int | None = None,
    decimals: int = 2,
) -> tuple[list[Item], list[RowProblem]]:
    """Return the items of a CSV file, and everything that was wrong with its rows.

    With `skip_bad_rows` the good rows are returned beside the bad ones' problems;
    without, one bad row means no items at all. `language` is that of a plain `name`
    column. Rows without a price need a `default_price_minor`.
    """
    reader = _Reader(language, default_price_minor, decimals)
    found: dict[str, tuple[Item, int]] = {}
    bad = False
    try:
        text = _text(file)
        for cells in _rows(text, reader):
            mended = len(reader.problems)
            try:
                if isinstance(cells, str):
                    raise _BadRow(cells)
                item = reader.item(cells)
                if item.item_id in found:
                    row = found[item.item_id][1]
                    raise _BadRow(f"{item.item_id} is in row {row} already")
                found[item.item_id] = item, reader.row
            except _BadRow as error:
                del reader.problems[mended:]
                reader.problems.append(RowProblem(reader.row, str(error)))
                bad = True
    except _BadRow as error:
        return [], [RowProblem(reader.row, str(error))]
    if bad and not skip_bad_rows:
        return [], reader.problems
    return [item for item, _ in found.values()], reader.problems


def _text(file: TextIO | Path) -> str:
    if not isinstance(file, Path):
        return file.read()
    content = file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        raise _BadRow(
            f"the file is not UTF-8 (about row {row}): save it as such"
        ) from error


def _rows(text: str, reader: _Reader) -> Iterator[dict[str, str] | str]:
    """Yield each row's cells by column, or what is wrong with it; sets `reader.row`."""
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
    except csv.Error as error:
        raise _BadRow(f"the names of the columns cannot be read: {error}") from error
    _check_header(header, reader)
    while True:
        reader.row += 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"cannot be read: {error}"
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header):
            yield f"expected {len(header)} cells, found {len(cells)}"
            continue
        yield {name: cell.strip() for name, cell in zip(header, cells)}


def _check_header(header: list[str], reader: _Reader) -> None:
    numbered = {"gtin", "gtin14", "item_id", "plu"} & set(header)
    named = "commodity" in header or any(n.split("_")[0] == "name" for n in header)
    if not numbered or not named:
        raise _BadRow(
            "expected columns such as gtin,name,price in the first row, found "
            + (",".join(header)[:100] or "nothing")
        )
    if len(set(header)) < len(header):
        raise _BadRow("a column is there twice in the first row")
    for name in header:
        if name not in _KNOWN and not re.fullmatch(r"name_[a-z]{2,3}", name):
            reader.tell(f"column {name!r} is not known and was left out")


def _gtin(text: str) -> tuple[str, bool]:
    """Return the 14 digits, and whether zeros had been lost."""
    if not re.fullmatch(r"[0-9]{1,14}", text):
        raise _BadRow(f"gtin {text!r}: expected 8, 12, 13 or 14 digits")
    padded = text.zfill(14)
    # GS1 General Specifications 7.9: from the right, weights 3 and 1.
    total = sum(int(d) * (3, 1)[i % 2] for i, d in enumerate(reversed(padded[:-1])))
    if -total % 10 != int(padded[-1]):
        raise _BadRow(f"gtin {text}: the check digit is wrong")
    if not int(text):
        raise _BadRow(f"gtin {text}: expected a number, found zeros")
    return padded, len(text) not in (8, 12, 13, 14)


def _has_gtin(cells: dict[str, str]) -> bool:
    return bool(cells.get("gtin") or cells.get("gtin14"))


def _flag(cells: dict[str, str], column: str) -> bool:
    text = cells.get(column, "").lower()
    if text not in _YES | _NO:
        raise _BadRow(f"{column} {text!r}: expected yes or no")
    return text in _YES


def _count(cells: dict[str, str], column: str) -> int:
    text = cells.get(column, "")
    if text and not re.fullmatch(r"[0-9]{1,6}", text):
        raise _BadRow(f"{column} {text!r}: expected a whole number")
    return int(text or 0)


def _time(cells: dict[str, str], column: str) -> int | None:
    text = cells.get(column, "")
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise _BadRow(
            f"{column} {text!r}: expected a time such as 2026-12-01T06:00+01:00"
        ) from error
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return int(at.timestamp() * 1000)


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(
        part.strip() for part in re.split(r"[|;,]", text or "") if part.strip()
    )


def _is_control(c: str) -> bool:
    # Cc, Cf, Co, Cs: what a printer, a screen or a terminal may obey. Cn stays: it
    # is what this Python does not know yet, such as next year's emoji.
    return unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs") and c not in _KEPT_FORMAT
