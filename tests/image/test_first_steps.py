"""What the enrolled machine can do that a blank one could not: it takes money.

In order: each test goes on where the one before it left the machine.
"""

from __future__ import annotations

from appliance_hand import kept, receipts, sales, sell
from appliance_screen import OFFLINE_BANNER, START_BUTTON, like
from imagebuild.machine import until
from imagebuild.stand import Stand

BOOT_SECONDS = 420.0
MILK, BREAD, SOAP = "9520000000011", "9520000000028", "9520000000059"
# The lane says that it is offline when the back office was silent for a while.
NOTICED_SECONDS = 120.0
SYNC_SECONDS = 180.0


def test_it_takes_a_card_and_prints_a_receipt(stand: Stand) -> None:
    stand.machine.start()
    stand.wait_until_shown("attract", like("attract", START_BUTTON), BOOT_SECONDS)
    sell(stand, MILK, BREAD)
    assert kept(stand)[-1] == 129 + 349
    (receipt,) = receipts(stand)
    for words in ("Whole milk 1 l", "Rye bread 500 g", "4.78", "Booted machine"):
        assert words in receipt["text"]
    assert receipt["end"] == "cut"


def test_the_back_office_holds_the_sale(stand: Stand) -> None:
    until(lambda: len(sales(stand)) == 1, SYNC_SECONDS, "a sale at the back office")


def test_with_the_cable_cut_it_sells_on_and_says_so(stand: Stand) -> None:
    stand.network(False)
    stand.wait_until_shown("offline", like("offline", OFFLINE_BANNER), NOTICED_SECONDS)
    sell(stand, BREAD, banners=1)
    sell(stand, SOAP, MILK, banners=1)
    assert len(receipts(stand)) == 3
    assert len(sales(stand)) == 1


def test_with_the_cable_back_the_office_holds_all_once(stand: Stand) -> None:
    stand.network(True)
    until(lambda: len(sales(stand)) == 3, SYNC_SECONDS, "all sales at the back office")
    assert sorted(sales(stand).values()) == sorted(kept(stand))
