"""A camera believes a label at first sight only where the shop knows the item."""

import pytest

from kiosk.domain.catalog import Item, Price
from kiosk.domain.label import LabelRules
from kiosk.lookup import KnownLabels

MILK = Item("04006381333931", {"en": "Milk"}, (Price(129),))


class OneItem:
    """A catalogue of one item."""

    def item(self, item_id: str) -> Item | None:
        return MILK if item_id == MILK.item_id else None

    def by_plu(self, plu: str) -> Item | None:
        return None

    def recalled(self, item_id: str, batch: str) -> bool:
        return False


@pytest.mark.parametrize(
    ("text", "is_known"),
    [
        ("4006381333931", True),
        ("0104006381333931", True),
        ("https://example.com/01/04006381333931", True),
        ("4006381333948", False),
        ("4006381333930", False),
        ("https://example.com/win", False),
        ("", False),
    ],
)
def test_only_what_the_catalogue_has_is_known(text, is_known):
    assert KnownLabels(OneItem, LabelRules())(text) is is_known
