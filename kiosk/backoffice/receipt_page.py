"""One sale's receipt on a phone, as recorded: nothing is added up here."""

from __future__ import annotations

from decimal import Decimal

from kiosk.backoffice.html import Markup, page, tag
from kiosk.backoffice.words import clock, money, rate
from kiosk.domain.basket import LineItem
from kiosk.domain.tender import Sale


def no_receipt() -> bytes:
    """Return what a shopper sees whose receipt is not here (yet)."""
    return page(
        "Receipt",
        tag(
            "main",
            tag(
                "section",
                tag("h1", "Not here yet"),
                tag(
                    "p",
                    "If you have just paid, your receipt will be here as soon as the "
                    "checkout has sent it. Please try again in a few minutes.",
                ),
                class_="narrow",
            ),
        ),
        refresh_seconds=20,
    )


def receipt(store_name: str, sale: Sale) -> bytes:
    """Return one sale's receipt as recorded, for a phone."""
    figures, currency = sale.figures, sale.figures.currency
    voided = {line.voids for line in sale.lines if line.voids}
    rows = [_receipt_line(line, sale, line.line_no in voided) for line in sale.lines]
    rows += [
        _row(discount.description.get(sale.language) or _first(discount.description),
             money(discount.amount_minor, currency), "offer")
        for discount in figures.discounts
    ]  # fmt: skip
    card = sale.card
    rows.append(_row("Total", money(figures.total_minor, currency), "total"))
    rows += [
        _row(
            f"{rate(line)} of {money(line.net_minor, currency)}",
            money(line.tax_minor, currency),
            "tax",
        )
        for line in figures.taxes
    ]
    if card:
        rows.append(
            _row(
                f"{card.brand} {card.masked_pan}".strip() or "Card",
                money(card.amount_minor, currency),
                "tender",
            )
        )
    return page(
        f"Receipt {sale.sale_seq}",
        tag(
            "main",
            tag(
                "article",
                tag("h1", store_name),
                tag("p", "TRAINING: nothing was sold", class_="warning")
                if sale.training
                else None,
                tag("p", clock(sale.at_ms), f" · sale {sale.sale_seq}"),
                tag("dl", *rows),
                tag("p", "Thank you."),
                class_="receipt",
            ),
        ),
    )


def _receipt_line(line: LineItem, sale: Sale, is_voided: bool) -> Markup:
    currency = sale.figures.currency
    name = line.named(sale.language) if line.description else line.item_id
    if line.weighed and line.weight_grams:
        weight = Decimal(line.weight_grams).scaleb(-3)
        name += f" · {weight} kg × {money(line.unit_price_minor, currency)}"
    elif abs(line.quantity) != 1:
        name += f" · {line.quantity} × {money(line.unit_price_minor, currency)}"
    if line.voids:
        name = f"Void: {name}"
    style = "struck" if is_voided else "void" if line.voids else "line"
    return _row(name, money(line.extended_minor, currency), style)


def _row(name: str, value: str, style: str) -> Markup:
    return tag("div", tag("dt", name), tag("dd", value), class_=style)


def _first(description: dict[str, str]) -> str:
    return next(iter(description.values()), "Offer")
