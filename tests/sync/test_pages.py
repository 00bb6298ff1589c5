"""What a person sees of the back office in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from msgspec.structs import replace
from synced import TOKEN, Lane, enrolled, sale_of

from kiosk.backoffice.app import OfficeSettings, new_id, now_ms, server_key
from kiosk.backoffice.intake import Intake
from kiosk.backoffice.orders import Orders
from kiosk.backoffice.serving import Serving
from kiosk.backoffice.store import Store
from kiosk.domain.basket import LineItem
from kiosk.domain.effects import (
    Alarm,
    InterventionEnded,
    InterventionMade,
    OpenItemMade,
    SaleMade,
)
from kiosk.domain.events import HelpPressed, TenderConfirmed
from kiosk.domain.tender import OpenItem

EVIL = '<script>alert("x")</script>\x1b[2J'


class Shop:
    """A back office in use, and a lane that can write to it directly."""

    def __init__(self, folder: Path, lane: Lane) -> None:
        self.folder = folder / "office"
        self.lane = lane
        self.serving = Serving(OfficeSettings(self.folder, TOKEN, store_name="Corner"))
        self.store = Store.open(self.folder / "office.db")
        self.intake = Intake(self.store, now_ms, new_id)
        enrolled(self.intake, lane)

    def get(self, path: str) -> requests.Response:
        return requests.get(self.serving.url + path, timeout=10)

    def sync(self) -> None:
        self.lane.sync_to(self.intake)

    def orders(self) -> list[str]:
        key = server_key(self.folder)
        waiting = Orders(self.store, key, now_ms, new_id).waiting_for(self.lane.name)
        return [signed.text.decode() for signed in waiting]

    def close(self) -> None:
        self.store.close()
        self.serving.close()


@pytest.fixture
def shop(tmp_path: Path, lane: Lane) -> Iterator[Shop]:
    shop = Shop(tmp_path, lane)
    yield shop
    shop.close()


def test_a_shop_without_lanes_says_so(shop: Shop) -> None:
    page = shop.get("/")
    assert page.status_code == 200
    assert "Nothing sold yet" in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_a_sale_is_on_the_page_with_its_total(shop: Shop) -> None:
    shop.lane.sell(1299)
    shop.lane.sell(100, training=True)
    shop.sync()
    page = shop.get("/").text
    assert "lane-1" in page
    assert "€12.99" in page
    assert re.search(r"<span>Sales</span><strong>1</strong>", page)
    assert "2 written, 2 held" in page


def test_a_receipt_opens_with_its_key_and_not_without(shop: Shop) -> None:
    entry = shop.lane.sell(1299)
    shop.sync()
    path = f"/r/lane-1/{entry.seq}"
    assert "€12.99" in shop.get(f"{path}?k={entry.digest[:16]}").text
    for wrong in ("", "?k=", "?k=" + "0" * 16, f"?k={entry.digest[:15]}", "?k=%25"):
        answer = shop.get(path + wrong)
        assert answer.status_code == 404
        assert "€" not in answer.text


def test_a_shopper_finds_a_receipt_by_its_baskets_id(shop: Shop) -> None:
    assert "as soon as the checkout has sent it" in shop.get("/r/b1").text
    shop.lane.sell(1299)
    shop.sync()
    assert "€12.99" in shop.get("/r/b1").text


def test_no_name_or_reason_becomes_markup(shop: Shop) -> None:
    line = LineItem("x", {"en": EVIL}, line_no=1, extended_minor=249)
    sale = replace(sale_of(1, 249), lines=(line,), basket_id="b1")
    sale = replace(sale, card=replace(sale.card, brand=EVIL))  # type: ignore[type-var]
    entry = shop.lane.write(TenderConfirmed("a1"), SaleMade(sale))
    shop.lane.write(HelpPressed("price"), InterventionMade(EVIL), Alarm(EVIL))
    item = OpenItem("a9", EVIL, 2, 100, "EUR")
    shop.lane.write(HelpPressed("price"), OpenItemMade(item))
    shop.sync()
    for path in ("/", f"/r/lane-1/1?k={entry.digest[:16]}", "/waiting/lane-1/2"):
        page = shop.get(path)
        assert page.status_code == 200
        assert "&lt;script&gt;" in page.text or "&lt;Script" in page.text
        assert "<script" not in page.text.lower()
        assert "\x1b" not in page.text


def test_an_approval_from_afar_becomes_a_directive(shop: Shop) -> None:
    shop.lane.chat(1)
    shop.lane.write(HelpPressed("price"), InterventionMade("age"))
    shop.sync()
    assert "Age check" in shop.get("/").text
    form_page = shop.get("/waiting/lane-1/2").text
    token = re.search(r'name="token" value="(\w+)"', form_page)
    action = re.search(r'action="([^"]+)"', form_page)
    assert token
    assert action
    url = shop.serving.url + action[1]
    form = {"token": token[1], "attendant": "17", "order": "approve"}

    assert requests.post(url, {**form, "token": "x"}, timeout=10).status_code == 403
    foreign = {"Origin": "http://evil.example"}
    assert requests.post(url, form, headers=foreign, timeout=10).status_code == 403
    assert requests.post(url, {**form, "order": "pay"}, timeout=10).status_code == 400
    assert requests.post(url, {**form, "attendant": ""}, timeout=10).status_code == 400
    assert shop.orders() == []

    assert "On its way" in requests.post(url, form, timeout=10).text
    (order,) = shop.orders()
    assert '"order":"approve"' in order
    assert '"asked":2' in order
    assert '"attendant":"17"' in order


def test_an_intervention_that_ended_waits_no_more(shop: Shop) -> None:
    shop.lane.write(HelpPressed("price"), InterventionMade("age"))
    shop.lane.write(HelpPressed("price"), InterventionEnded("age", "17", True))
    shop.sync()
    assert "Waiting for an attendant" not in shop.get("/").text
    assert shop.get("/waiting/lane-1/1").status_code == 404


def test_money_to_settle_is_shown_first(shop: Shop) -> None:
    item = OpenItem("a9", "late approval", 1, 2250, "EUR")
    shop.lane.write(HelpPressed("price"), OpenItemMade(item))
    shop.sync()
    page = shop.get("/").text
    assert "Money to settle" in page
    assert "€22.50" in page
