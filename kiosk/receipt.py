"""What receipts, slips and X and Z reports say, as rows. No printer in sight.

Figures are those recorded with the sale; nothing is priced or rounded here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hardware.ports import (
    Align,
    Cut,
    LinearCode,
    PrintRow,
    QrCode,
    Rule,
    TextLine,
)
from kiosk.domain.basket import LineItem
from kiosk.domain.pricing import Figures
from kiosk.domain.tax import MILLION
from kiosk.domain.tender import Sale
from kiosk.lookup import SLIP_PREFIX
from kiosk.ui.words import Words, words


class Composer:
    """Composes for one store. Times are the store's."""

    def __init__(self, store: tuple[str, ...], lane_id: str, timezone: str) -> None:
        self._store = store
        self._lane_id = lane_id
        self._zone = ZoneInfo(timezone)

    def receipt(self, sale: Sale, is_copy: bool) -> list[PrintRow]:
        """Return a sale's receipt, in the shopper's language."""
        w = words(sale.language)
        return [*self._head(sale, is_copy, w), *self._body(sale, w), Cut()]

    def slip(self, code: str, figures: Figures, language: str) -> list[PrintRow]:
        """Return the slip that finds a suspended basket again."""
        w = words(language)
        total = w.money(figures.total_minor, figures.currency)
        return [
            *(_center(name, strong=True) for name in self._store),
            Rule(),
            _center(w.t("Your basket is kept"), strong=True),
            TextLine(w.t("Code"), code, strong=True, tall=True),
            TextLine(w.t("Total so far"), total),
            _center(w.t("Please ask a colleague.")),
            LinearCode(f"{SLIP_PREFIX.decode()}{code}"),
            Cut(),
        ]

    def _head(self, sale: Sale, is_copy: bool, w: Words) -> Iterator[PrintRow]:
        for number, name in enumerate(self._store):
            yield _center(name, strong=number == 0)
        if sale.training:
            yield _center(w.t("TRAINING - not a sale"), strong=True, tall=True)
        if is_copy:
            yield _center(w.t("COPY"), strong=True, tall=True)
        yield Rule()

    def _body(self, sale: Sale, w: Words) -> Iterator[PrintRow]:
        figures = sale.figures
        currency = figures.currency
        letters = {t.tax_class: t.letter for t in figures.taxes}
        for line in sale.lines:
            yield from _item(line, letters.get(line.tax_class, ""), currency, w)
        for discount in figures.discounts:
            why = discount.description.get(w.language) or next(
                iter(discount.description.values()), ""
            )
            yield TextLine(f"  {why}", w.amount(discount.amount_minor, currency))
        yield Rule()
        total = w.money(figures.total_minor, currency)
        yield TextLine(w.t("Total"), total, strong=True, tall=True)
        yield from _paid(sale, w)
        yield Rule()
        for tax in figures.taxes:
            rate = f"{tax.letter} {tax.rate_ppm * 100 / MILLION:g} %".strip()
            yield TextLine(
                w.t(
                    "{rate} tax on {net}",
                    rate=rate,
                    net=w.amount(tax.net_minor, currency),
                ),
                w.amount(tax.tax_minor, currency),
            )
        yield TextLine()
        at = datetime.fromtimestamp(sale.at_ms / 1000, UTC).astimezone(self._zone)
        yield TextLine(f"{at:%Y-%m-%d %H:%M:%S}", f"{self._lane_id} #{sale.sale_seq}")
        if sale.signature:
            yield QrCode(sale.signature)
        if sale.card and not sale.training:
            for text in sale.card.receipt_lines:
                left, _, right = text.partition("\t")
                yield TextLine(left, right) if right else _center(text)
        yield TextLine()
        yield _center(w.t("Thank you for shopping with us"))
        if not sale.training:
            yield LinearCode(f"{self._lane_id}-{sale.sale_seq}")


def _center(text: str, *, strong: bool = False, tall: bool = False) -> TextLine:
    return TextLine(text, strong=strong, tall=tall, align=Align.CENTER)


def _item(line: LineItem, letter: str, currency: str, w: Words) -> Iterator[PrintRow]:
    name = line.named(w.language)
    amount = f"{w.amount(line.extended_minor, currency)} {letter}".rstrip()
    if line.voids:
        yield TextLine("  " + w.t("Taken out: {name}", name=name), amount)
    elif line.weighed and line.weight_grams:
        yield TextLine(name, amount)
        price = w.amount(line.unit_price_minor, currency)
        yield TextLine(f"  {w.kilograms(line.weight_grams)} x {price}/kg")
    elif line.quantity != 1:
        yield TextLine(name, amount)
        price = w.amount(line.unit_price_minor, currency)
        yield TextLine(f"  {line.quantity} x {price}")
    else:
        yield TextLine(name, amount)


def _paid(sale: Sale, w: Words) -> Iterator[PrintRow]:
    amount = w.amount(sale.figures.total_minor, sale.figures.currency)
    card = sale.card
    if card is not None:
        yield TextLine(" ".join(filter(None, (w.t("Card"), card.brand))), amount)
        details = " ".join(filter(None, (card.masked_pan, card.auth_code)))
        # The terminal's own lines say it all, where it sent any.
        if details and not card.receipt_lines:
            yield TextLine(f"  {details}")
    elif sale.settled_by:
        yield TextLine(w.t("Card, confirmed by a colleague"), amount)


def as_text(rows: list[PrintRow], width: int = 42) -> str:
    """Set rows in a fixed width, for a screen, a page or a test."""
    lines: list[str] = []
    for row in rows:
        match row:
            case TextLine(left=left, right=right, align=Align.CENTER):
                lines.append(f"{left} {right}".strip().center(width).rstrip())
            case TextLine(left=left, right=right):
                gap = max(width - len(left) - len(right), 1)
                lines.append(f"{left}{' ' * gap}{right}".rstrip())
            case Rule():
                lines.append("-" * width)
            case QrCode(text=text) | LinearCode(text=text):
                lines.append(f"[{text}]".center(width).rstrip())
            case Cut():
                pass
    return "\n".join(lines)
