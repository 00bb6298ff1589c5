"""What comes down to the lane: catalogue, documents, directives; signed or not at all."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest
from synced import TOKEN, Lane

from kiosk.backoffice.app import OfficeSettings, new_id, now_ms, server_key
from kiosk.backoffice.catalogue import Catalogues
from kiosk.backoffice.intake import Intake
from kiosk.backoffice.orders import OrderError, Orders
from kiosk.backoffice.serving import Serving
from kiosk.backoffice.store import Store
from kiosk.domain.catalog import Item, Price
from kiosk.domain.events import DirectiveReceived
from kiosk.records.catalog_db import Catalog
from kiosk.records.keys import SigningKey
from kiosk.sync.catalog import bring_up_to_date, version_of
from kiosk.sync.office import Office
from kiosk.sync.process import SyncSettings, run
from kiosk.sync.push import SyncError
from kiosk.sync.socket import (
    Acknowledged,
    CatalogArrived,
    DirectiveSent,
    DocumentSent,
    LaneLink,
    LaneSocket,
    Message,
    OfficeSeen,
)
from kiosk.sync.wire import (
    DIRECTIVE_DOMAIN,
    DOCUMENT_DOMAIN,
    Directive,
    Document,
    seal,
)

BREAD = Item("04006381333931", {"en": "Rye bread"}, (Price(249),))
WINE = Item("04012345678901", {"en": "Red wine"}, (Price(599),), minimum_age=18)


class Heard:
    """The lane's ear: what came over its socket, in order."""

    def __init__(self, path: Path, server_key: bytes) -> None:
        self.messages: queue.Queue[Message] = queue.Queue()
        self.socket = LaneSocket(
            path, self.messages.put, lane_id="lane-1", server_key=server_key
        )

    def next(self, kind: type[Message]) -> Message:
        """Return the next message of a kind; others are passed over."""
        while True:
            message = self.messages.get(timeout=20)
            if isinstance(message, kind):
                return message


@pytest.fixture
def office_key() -> SigningKey:
    return SigningKey.from_seed(b"o" * 32)


@pytest.fixture
def heard(tmp_path: Path, office_key: SigningKey) -> Iterator[Heard]:
    heard = Heard(tmp_path / "lane.sock", office_key.public)
    yield heard
    heard.socket.close()


@pytest.fixture
def link(tmp_path: Path) -> Iterator[LaneLink]:
    link = LaneLink(tmp_path / "lane.sock")
    yield link
    link.close()


@pytest.fixture
def orders(store: Store, intake: Intake, office_key: SigningKey) -> Orders:
    ids = count(1)
    return Orders(store, office_key, now_ms, lambda: f"d{next(ids)}")


# -- the socket --------------------------------------------------------------


def test_the_lane_hears_what_the_office_signed(
    heard: Heard, link: LaneLink, office_key: SigningKey
) -> None:
    roster = Document("roster", 3, msgspec.Raw(b'{"attendants":[]}'))
    order = Directive("d1", "lane-1", "pause", 99)
    assert link.tell(DocumentSent(seal(office_key, DOCUMENT_DOMAIN, roster)), "roster")
    assert link.tell(DirectiveSent(seal(office_key, DIRECTIVE_DOMAIN, order)))
    assert heard.next(Document) == roster
    assert heard.next(Directive) == order


def test_the_lane_takes_nothing_that_others_signed(
    heard: Heard, link: LaneLink, office_key: SigningKey
) -> None:
    thief = SigningKey.from_seed(b"t" * 32)
    order = Directive("d1", "lane-1", "approve", 99, "17", 4)
    link.tell(DirectiveSent(seal(thief, DIRECTIVE_DOMAIN, order)))
    link.tell(DirectiveSent(seal(office_key, DOCUMENT_DOMAIN, order)))
    other = msgspec.structs.replace(order, lane_id="lane-2")
    link.tell(DirectiveSent(seal(office_key, DIRECTIVE_DOMAIN, other)))
    link.tell(OfficeSeen(True))
    assert heard.messages.get(timeout=20) == OfficeSeen(True)


def test_a_lane_that_restarts_is_told_how_things_stand(
    tmp_path: Path, heard: Heard, link: LaneLink, office_key: SigningKey
) -> None:
    link.tell(Acknowledged("e1", 7, "f" * 64))
    link.tell(OfficeSeen(False, "cable"))
    link.tell(Acknowledged("e1", 9, "a" * 64))
    heard.next(Acknowledged)
    heard.socket.close()
    again = Heard(tmp_path / "lane.sock", office_key.public)
    link.keep()
    stood = {again.messages.get(timeout=20) for _ in range(2)}
    assert stood == {Acknowledged("e1", 9, "a" * 64), OfficeSeen(False, "cable")}
    again.socket.close()


def test_a_directive_for_a_lane_that_is_away_is_not_lost_in_silence(
    tmp_path: Path, office_key: SigningKey
) -> None:
    link = LaneLink(tmp_path / "nobody.sock")
    order = Directive("d1", "lane-1", "pause", 99)
    assert not link.tell(DirectiveSent(seal(office_key, DIRECTIVE_DOMAIN, order)))


# -- directives and documents ------------------------------------------------


def test_a_directive_ends_when_the_lane_has_journaled_it(
    lane: Lane, intake: Intake, orders: Orders
) -> None:
    directive = orders.give("lane-1", "pause", "17")
    assert len(orders.waiting_for("lane-1")) == 1
    lane.write(DirectiveReceived(directive.directive_id, "pause"))
    lane.sync_to(intake)
    assert orders.waiting_for("lane-1") == []


def test_a_directive_past_its_end_is_not_given_out(orders: Orders) -> None:
    orders.give("lane-1", "pause", "17", seconds=0)
    assert orders.waiting_for("lane-1") == []


def test_an_order_nobody_can_carry_out_is_refused_in_words(orders: Orders) -> None:
    with pytest.raises(OrderError, match="no order: expected pause"):
        orders.give("lane-1", "explode", "17")
    with pytest.raises(OrderError, match="must name the intervention"):
        orders.give("lane-1", "approve", "17")
    with pytest.raises(OrderError, match="there is no lane 'lane-9'"):
        orders.give("lane-9", "pause", "17")


def test_a_long_poll_ends_with_the_order_and_shows_each_once(orders: Orders) -> None:
    async def poll() -> tuple[int, int]:
        waiting = asyncio.create_task(orders.wait("lane-1", set(), 20))
        await asyncio.to_thread(orders.give, "lane-1", "pause", "17")
        first = await waiting
        again = await orders.wait("lane-1", {"d1"}, 0.05)
        return len(first), len(again)

    assert asyncio.run(poll()) == (1, 0)


def test_a_documents_version_only_rises(orders: Orders) -> None:
    orders.publish("roster", 2, b"{}")
    for version in (1, 2):
        with pytest.raises(OrderError, match="not above 2"):
            orders.publish("roster", version, b"{}")
    assert orders.newest("roster", 2) is None
    assert orders.newest("roster", 1) is not None


# -- the catalogue -----------------------------------------------------------


class Goods:
    """A served catalogue, and a lane's place for it."""

    def __init__(self, folder: Path, key: SigningKey) -> None:
        self.folder = folder / "office"
        self.serving = Serving(OfficeSettings(self.folder, TOKEN))
        self.key = server_key(self.folder)
        self.catalogues = Catalogues(self.folder / "catalog", self.key, now_ms)
        self.path = folder / "catalog.db"
        self.office = Office(self.serving.url, "lane-1", key, self.key.public)

    def fetch(self) -> int | None:
        return bring_up_to_date(self.path, self.office, self.key.public)

    def price_of(self, item_id: str) -> int | None:
        with Catalog.open(self.path) as catalog:
            item = catalog.item(item_id)
        return item.price_at(0) if item else None

    def close(self) -> None:
        self.office.close()
        self.serving.close()


@pytest.fixture
def goods(tmp_path: Path, key: SigningKey) -> Iterator[Goods]:
    goods = Goods(tmp_path, key)
    yield goods
    goods.close()


def test_a_blank_lane_fetches_the_whole_catalogue(goods: Goods) -> None:
    assert goods.fetch() is None
    goods.catalogues.put([BREAD, WINE])
    assert goods.fetch() == 1
    assert goods.price_of(WINE.item_id) == 599
    assert goods.fetch() is None


def test_a_change_of_price_comes_as_a_delta(goods: Goods) -> None:
    goods.catalogues.put([BREAD, WINE])
    goods.fetch()
    goods.catalogues.put([msgspec.structs.replace(BREAD, prices=(Price(199),))])
    delta = goods.catalogues.delta(1)
    assert delta is not None
    assert len(delta) < 600
    assert goods.fetch() == 2
    assert goods.price_of(BREAD.item_id) == 199
    assert goods.price_of(WINE.item_id) is None


def test_a_lane_too_far_behind_fetches_the_whole(goods: Goods) -> None:
    for price in range(1, 30):
        goods.catalogues.put([msgspec.structs.replace(BREAD, prices=(Price(price),))])
        if price == 1:
            goods.fetch()
    assert goods.catalogues.delta(1) is None
    assert goods.fetch() == 29
    assert goods.price_of(BREAD.item_id) == 29


def test_a_catalogue_that_others_signed_is_not_put_in_place(goods: Goods) -> None:
    goods.catalogues.put([BREAD])
    stranger = SigningKey.from_seed(b"s" * 32).public
    with pytest.raises(SyncError, match="not signed by the back office"):
        bring_up_to_date(goods.path, goods.office, stranger)
    assert version_of(goods.path) == 0
    assert list(goods.path.parent.glob("catalog.db*")) == []


def test_a_bad_row_is_told_and_the_others_loaded_or_none(
    goods: Goods, tmp_path: Path
) -> None:
    file = tmp_path / "goods.csv"
    file.write_text("item_id,name,price\nbag,Bag,0.20\nbread,Bread,cheap\n")
    assert goods.catalogues.import_csv(file, skip_bad_rows=False)[0] == 0
    version, problems = goods.catalogues.import_csv(file, skip_bad_rows=True)
    assert (version, [problem.row for problem in problems]) == (1, [3])
    assert goods.catalogues.import_csv(file, skip_bad_rows=True)[0] == 1


# -- all of it together ------------------------------------------------------


def test_the_sync_process_brings_everything_both_ways(
    tmp_path: Path, lane: Lane
) -> None:
    folder = tmp_path / "office"
    serving = Serving(OfficeSettings(folder, TOKEN))
    key = server_key(folder)
    Catalogues(folder / "catalog", key, now_ms).put([BREAD])
    lane_key = SigningKey.create(tmp_path / "lane.key")
    lane.journal.close()
    lane = Lane(tmp_path / "other", "lane-1", lane_key, "e1")
    lane.chat(120)
    heard = Heard(tmp_path / "lane.sock", key.public)
    stop = threading.Event()
    settings = SyncSettings(
        lane_id="lane-1",
        journal_dir=lane.folder,
        state_dir=tmp_path / "state",
        catalog_path=tmp_path / "catalog.db",
        server_url=serving.url,
        key_path=tmp_path / "lane.key",
        server_key_path=folder / "server.pub",
        lane_socket=tmp_path / "lane.sock",
        enrol_token=TOKEN,
        poll_seconds=0.02,
        hello_seconds=0.1,
        refresh_seconds=0.1,
    )
    process = threading.Thread(target=run, args=(settings, stop))
    process.start()
    try:
        assert heard.next(OfficeSeen) == OfficeSeen(True)
        assert heard.next(CatalogArrived) == CatalogArrived(1)
        store = Store.open(folder / "office.db")
        orders = Orders(store, key, now_ms, new_id)
        orders.publish("roster", 5, b'{"attendants":[]}')
        document = heard.next(Document)
        assert isinstance(document, Document)
        assert (document.kind, document.version) == ("roster", 5)
        entry = lane.sell()
        while True:
            seen = heard.next(Acknowledged)
            assert isinstance(seen, Acknowledged)
            if seen.seq == entry.seq:
                break
        assert seen.digest == entry.digest
        store.close()
    finally:
        stop.set()
        process.join()
        heard.socket.close()
        lane.journal.close()
        serving.close()
