"""One receipt with everything a receipt can have, for the tests of printing."""

from __future__ import annotations

from hardware.ports import Align, Cut, LinearCode, PrintRow, QrCode, Rule, TextLine

LINK = "https://shop.example/r/0003-000184?k=9f8e7d6c"
CODE = "R0003-000184"

RECEIPT: tuple[PrintRow, ...] = (
    TextLine("Corner Shop", strong=True, tall=True, align=Align.CENTER),
    TextLine("12 High Street · Café · Zürich", align=Align.CENTER),
    TextLine(),
    TextLine("Lane 3  Receipt 184", "23.11.26 10:35"),
    Rule(),
    TextLine("Rye bread, stone oven", "2.49"),
    TextLine("Organic wholegrain bread with sunflower and pumpkin seeds", "3.99"),
    TextLine("Bananas"),
    TextLine("  0.842 kg × 1.99 EUR/kg", "1.68"),
    TextLine("Red wine, Côtes du Rhône", "5.99"),
    TextLine("  VOID", "-5.99"),
    TextLine("Őszibarack Привет 牛乳", "10.00 €"),
    Rule(),
    TextLine("TOTAL EUR", "18.16", strong=True, tall=True),
    TextLine("Card", "18.16"),
    TextLine("  Visa ****0010, approval 004711"),
    TextLine(),
    LinearCode(CODE),
    QrCode(LINK),
    TextLine("Thank you. Come again!", align=Align.CENTER),
    Cut(),
)
