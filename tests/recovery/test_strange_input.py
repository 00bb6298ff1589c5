"""A clock that jumps back a year and names nobody should have given, on a lane with a
real catalogue from a real CSV file and a real journal on disk."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from played import RULES

from hardware.ports import Scan
from hardware.printer.compose import Model, compose
from hardware.printer.layout import WIDTH_OF_PAPER
from kiosk.backoffice.receipt_page import receipt as receipt_page
from kiosk.clock import RandomIds
from kiosk.domain.events import (
    PayPressed,
    RulesChanged,
    TenderConfirmed,
    TenderResult,
    TenderStarted,
)
from kiosk.domain.label import LabelRules
from kiosk.domain.state import Scanning
from kiosk.domain.tender import CardResult, Outcome
from kiosk.lookup import PinVault, Resolver
from kiosk.receipt import Composer
from kiosk.records.catalog_csv import read_csv
from kiosk.records.catalog_db import Catalog, build
from kiosk.records.keys import SigningKey
from kiosk.records.rotation import JournalDirectory, journal_files
from kiosk.records.verify import verify_all
from kiosk.runner import LaneRunner, recover
from kiosk.ui.local import Local
from kiosk.ui.presenter import present

NOON = 1_795_000_000_000  # 2026-11-18
YEAR = 365 * 86_400_000
MILK = "9520000000011"
# (01) milk, (17) used by 1 October 2026: past at NOON.
EXPIRED = Scan(b"010952000000001117261001", "]d2")

NAMES = {
    "control characters": "Mi\x1b[31mlk\x07 \x00\x1dV\x00\x10\x14\x01 1 l\r\n\t",
    "emoji": "Ice cream 🍦🍨 Vanilla",
    "300 characters": "Feinste Schokolade " * 15 + "x" * 15,
    "one word of 300": "W" * 300,
    "markup": "<script>alert(1)</script> [b]x[/b] ' or 1=1 --",
    "a line that turns round": "Milk \u202e1 l\u2066",
}


class Clock:
    """A wall clock in the hand of the test."""

    boot_id = "boot"
    ms = NOON

    def now_ms(self) -> int:
        return self.ms

    def mono_ms(self) -> int:
        return 0


class Shop:
    """A lane without devices: catalogue and journal are on disk."""

    def __init__(self, folder, name="Whole milk"):
        quoted = name.replace('"', '""')
        source = folder / "catalog.csv"
        rows = f'gtin,name_en,price,tax_class\n{MILK},"{quoted}",1.29,standard\n'
        source.write_bytes(rows.encode("utf-8", "surrogatepass"))
        items, self.problems = read_csv(source, skip_bad_rows=True)
        build(folder / "catalog.db", items, version=1, made_ms=NOON)
        self.catalog = Catalog.open(folder / "catalog.db")
        self.clock = Clock()
        self.shown = []
        self._directory = JournalDirectory(folder / "journal")
        self._directory.path.mkdir()
        self._key = SigningKey.create(folder / "lane.key")
        self.journal = self._directory.begin(lane_id="1", epoch="e", key=self._key)
        self.start(0)

    def start(self, last_ms):
        lane = recover(self.journal.entries())
        labels = Resolver(self.catalog, LabelRules(), "Europe/Berlin", PinVault())
        self.runner = LaneRunner(
            lane,
            self.journal,
            self.clock,
            RandomIds(),
            translate=labels,
            carry_out=lambda effect: None,
            show=self.shown.append,
            on_disk=lambda event: None,
            begin_day=lambda carried, now_ms: self.journal,
        )
        if lane.rules is None:
            self.runner.handle(RulesChanged(RULES))
        self.runner.start("test", last_ms)

    def restart(self):
        """End the program and start it again; the clock may have jumped meanwhile."""
        self.journal.close()
        journal = self._directory.open_current(self._key)
        assert journal is not None
        self.journal = journal
        *_, last = self.journal.entries()
        self.start(last.at_ms)

    @property
    def lane(self):
        return self.runner.lane

    @property
    def view(self):
        return present(self.lane, Local())

    def close(self):
        self.journal.close()
        self.catalog.close()
        verdicts = verify_all(journal_files(self._directory.path))
        assert [v.problem for v in verdicts if not v.ok] == []


@pytest.fixture
def opened(tmp_path):
    shops = []

    def open_shop(name="Whole milk"):
        shops.append(Shop(tmp_path, name))
        return shops[-1]

    yield open_shop
    for shop in shops:
        shop.close()


def is_doubtful(shop):
    return any(banner.name == "clock" for banner in shop.view.banners)


# -- the clock ---------------------------------------------------------------


def test_an_item_past_its_date_stops_while_the_clock_can_be_trusted(opened):
    shop = opened()
    shop.runner.handle(EXPIRED)
    assert shop.lane.mode.notice == "expired"
    assert not is_doubtful(shop)


def test_a_clock_that_jumps_back_a_year_while_selling_stops_nothing(opened):
    shop = opened()
    shop.runner.handle(Scan(MILK.encode()))
    shop.clock.ms -= YEAR
    shop.runner.handle(EXPIRED)
    assert isinstance(shop.lane.mode, Scanning)
    assert shop.lane.mode.notice == ""
    assert len(shop.lane.mode.basket.standing) == 2
    assert is_doubtful(shop)


def test_a_clock_that_jumped_back_before_the_start_stops_nothing(opened):
    shop = opened()
    shop.runner.handle(Scan(MILK.encode()))
    shop.clock.ms -= YEAR
    shop.restart()
    # The basket is there: a clock that went back says nothing about how long.
    assert len(shop.lane.mode.basket.standing) == 1
    shop.runner.handle(EXPIRED)
    assert len(shop.lane.mode.basket.standing) == 2
    assert is_doubtful(shop)


# -- names -------------------------------------------------------------------


def texts(value: object) -> Iterator[str]:
    """Yield every text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from texts(getattr(value, name))
    elif isinstance(value, dict):
        yield from texts(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts(one)


def sold(shop):
    """Let the card be approved, and return the sale."""
    shop.runner.handle(PayPressed())
    tender = shop.lane.mode.tender
    attempt_id, minor = tender.attempt_id, tender.figures.total_minor
    shop.runner.handle(TenderStarted(tender, "T1", 0))
    approved = CardResult(Outcome.APPROVED, minor, "EUR")
    shop.runner.handle(TenderResult(attempt_id, approved))
    shop.runner.handle(TenderConfirmed(attempt_id))
    (sale,) = shop.lane.recent_sales
    return sale


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_any_name_in_a_csv_is_sold_shown_and_printed_without_harm(opened, name):
    shop = opened(name)
    shop.runner.handle(Scan(MILK.encode()))
    (line,) = shop.lane.mode.basket.standing
    assert 0 < len(line.description["en"]) <= 240

    # On the screen: no character that draws nothing or turns the line round.
    for text in texts(shop.view):
        assert all(char.isprintable() or char in "\n\u200d" for char in text), text

    # On paper: the same commands as for any other name, and one cut.
    sale = sold(shop)
    rows = Composer(("Shop",), "lane-1", "Europe/Berlin").receipt(sale, False)
    data = compose(rows, Model(WIDTH_OF_PAPER[80]))
    for command in (b"\x1b[31m", b"\x07", b"\x10\x14"):
        assert command not in data
    assert data.count(b"\x1dV") == 1

    # At the back office: text, never a tag.
    page = receipt_page("Shop", sale).decode()
    assert "<script>" not in page
    assert not any(ord(char) < 32 and char != "\n" for char in page)
