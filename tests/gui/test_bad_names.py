"""Names from outside that nobody would print: the list shows them and stays whole."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kiosk.domain.catalog import Item
from kiosk.domain.pricing import Priced
from kiosk.domain.state import Attending, Basket, Intervention, Scanning
from kiosk.ui.audit import audit
from kiosk.ui.gallery import ALL_ROLES, NOON_MS, figures, lane, line
from kiosk.ui.local import Local

pytestmark = pytest.mark.gui

NAMES = {
    "300 characters": "Feinste Schokolade " * 15 + "x" * 15,
    "one word of 300": "W" * 300,
    "emoji": "Ice cream 🍦🍨 Vanilla",
    "only emoji": "🍎🍏🍐",
    "control characters": "Mi\x00lk\x1b[31m\r\n\t1 l\x07",
    "right to left marks": "Milk \u202e l 1 \u2066evil\u2069",
    "markup": "[b]Cheap[/b] [ref=x]&amp; [color=ff0000]red",
    "lone surrogate": "Milk \ud800 1 l",
    "empty": "",
    "other script": "牛乳 1 l",
    "combining": "e" + "\u0301" * 50,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_any_name_is_shown_and_breaks_nothing(stage, name: str):
    lines = tuple(replace(line(n, name, name, 199), label=name) for n in (1, 2, 3))
    basket = Basket("b", NOON_MS, lines)
    scanning = Scanning(basket, notice="expired", notice_item=name)
    state = replace(lane(scanning), priced=Priced(figures(lines)))
    asked = Intervention(880, "age", Scanning(basket), line_no=2)
    item = Item("plu:1", {"en": name}, page="fruit")
    for shown, local in (
        (state, Local()),
        (replace(state, mode=Scanning(basket)), Local(panel="remove")),
        (replace(state, mode=Scanning(basket)), Local(panel="produce", items=(item,))),
        (replace(state, mode=asked), Local()),
        (replace(state, mode=Attending("1", ALL_ROLES, asked)), Local()),
        (
            replace(state, mode=Attending("1", ALL_ROLES, Scanning(basket))),
            Local(panel="line", chosen="2"),
        ),
    ):
        stage.show(shown, local)
        assert audit(stage.app.screen, data_may_be_cut=True) == []


def test_markup_in_a_name_is_shown_as_it_is(stage):
    lines = (line(1, NAMES["markup"], "", 199),)
    state = lane(Scanning(Basket("b", NOON_MS, lines)))
    stage.show(replace(state, priced=Priced(figures(lines))))

    (rows,) = [w for w in stage.app.screen.shown if w.piece.is_list]
    (shown,) = rows.visible
    assert shown.parts[1].text.startswith("[b]Cheap[/b]")
