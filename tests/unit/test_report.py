"""X and Z reports: what the entries say, added up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from synced import sale_of

from kiosk.domain.body import Body, decode, encode
from kiosk.domain.effects import (
    Alarm,
    BasketDropped,
    BasketParked,
    Fact,
    InterventionEnded,
    InterventionMade,
    LineStruck,
    MoneyReturned,
    OpenItemMade,
    OpenItemSettled,
    SaleMade,
    SaleUndone,
)
from kiosk.domain.events import DayEnded, HelpPressed
from kiosk.domain.report import SETTLED, Causes, Count, Totals, fold, merge
from kiosk.domain.tax import TaxLine
from kiosk.domain.tender import CardResult, OpenItem, Outcome, Sale


def entry(*facts: Fact, training: bool = False) -> tuple[str, bool, Body | None]:
    event = HelpPressed("price")
    return "HelpPressed", training, decode(encode(event, facts))


def sold(total: int, **values: object) -> Sale:
    return replace(sale_of(7, total), **values)


def undone(total: int, kind: str) -> SaleUndone:
    return SaleUndone(7, kind, sale_of(7, total).figures, "17", "broken")


def test_sales_add_up_by_tax_rate() -> None:
    totals = fold([entry(SaleMade(sold(1190))), entry(SaleMade(sold(119)))])
    assert totals.sales == Count(2, 1309)
    assert (totals.net_minor, totals.tax_minor, totals.total_minor) == (1100, 209, 1309)
    assert totals.taxes == (TaxLine("standard", 190_000, "A", 1100, 209, 1309),)
    assert totals.currency == "EUR"


def test_a_voided_and_a_refunded_sale_leave_the_sums_and_stay_visible() -> None:
    totals = fold(
        [
            entry(SaleMade(sold(1190))),
            entry(SaleMade(sold(595))),
            entry(undone(1190, "void")),
            entry(undone(595, "refund")),
        ]
    )
    assert totals.sales == Count(2, 1785)
    assert totals.voids == Count(1, 1190)
    assert totals.refunds == Count(1, 595)
    assert (totals.total_minor, totals.net_minor, totals.tax_minor) == (0, 0, 0)
    assert totals.taxes == (TaxLine("standard", 190_000, "A", 0, 0, 0),)


def test_tenders_are_told_by_brand_and_offline_approvals_apart() -> None:
    girocard = CardResult(
        Outcome.APPROVED, 300, "EUR", brand="girocard", approved_offline=True
    )
    totals = fold(
        [
            entry(SaleMade(sold(100))),
            entry(SaleMade(sold(200))),
            entry(SaleMade(sold(300, card=girocard))),
            entry(SaleMade(sold(400, card=None, settled_by="17"))),
        ]
    )
    assert totals.tenders == {
        "Visa": Count(2, 300),
        "girocard": Count(1, 300),
        SETTLED: Count(1, 400),
    }
    assert totals.offline == Count(1, 300)


def test_training_stands_outside_every_sum() -> None:
    real = [entry(SaleMade(sold(100)))]
    trained = [
        entry(SaleMade(sold(900)), training=True),
        entry(InterventionMade("age"), Alarm("x"), training=True),
    ]
    totals = fold(real + trained)
    assert totals.training_entries == 2
    assert replace(totals, training_entries=0, entries=1) == fold(real)


def test_interventions_are_told_by_cause() -> None:
    totals = fold(
        [
            entry(InterventionMade("age"), InterventionMade("unknown_item")),
            entry(InterventionEnded("age", "17", True)),
            entry(InterventionMade("age"), InterventionEnded("age", "17", False)),
        ]
    )
    assert totals.interventions == {
        "age": Causes(2, 1, 1),
        "unknown_item": Causes(1, 0, 0),
    }


def test_an_open_item_stays_until_a_person_settles_it() -> None:
    item = OpenItem("a1", "late approval", 12, 500, "EUR")
    other = OpenItem("a2", "late approval", 13, 600, "EUR")
    first = fold([entry(OpenItemMade(item)), entry(OpenItemMade(other))])
    assert first.open_items == (item, other)
    settled = OpenItemSettled("a1", "paid", "17", "slip shows it", "0815")
    second = fold([entry(settled)])
    assert second.settled_ids == ("a1",)
    both = merge(first, second)
    assert both.open_items == (other,)
    assert both.settled == {"paid": 1}


def test_what_became_of_baskets_that_were_not_sold() -> None:
    totals = fold(
        [
            entry(BasketDropped("b1", 100, "idle")),
            entry(BasketDropped("b2", 200, "idle")),
            entry(BasketParked("b3", 300, "power")),
            entry(LineStruck("04006381333931", 250, "", "")),
            entry(MoneyReturned("a1", 400, "EUR")),
        ]
    )
    assert totals.dropped == {"idle": Count(2, 300)}
    assert totals.parked == {"power": Count(1, 300)}
    assert totals.lines_struck == Count(1, 250)
    assert totals.reversed == Count(1, 400)
    assert totals.total_minor == 0


def test_an_entry_that_cannot_be_read_is_counted_and_in_no_sum() -> None:
    totals = fold([("Unknown", False, None), entry(SaleMade(sold(100)))])
    assert (totals.entries, totals.left_out, totals.total_minor) == (2, 1, 100)


def test_another_currency_is_left_out_and_said() -> None:
    figures = replace(sale_of(7, 900).figures, currency="CHF")
    totals = fold(
        [entry(SaleMade(sold(100))), entry(SaleMade(sold(900, figures=figures)))]
    )
    assert (totals.currency, totals.total_minor, totals.left_out) == ("EUR", 100, 1)
    with pytest.raises(ValueError, match="cannot add CHF to EUR"):
        merge(Totals(currency="EUR"), Totals(currency="CHF"))


def test_the_end_of_the_day_is_noted() -> None:
    body = decode(encode(DayEnded("2026-11-23"), ()))
    assert fold([("DayEnded", False, body)]).days_ended == ("2026-11-23",)


amounts = st.integers(0, 100_000)
ids = st.sampled_from(["a1", "a2", "a3"])
facts = st.one_of(
    amounts.map(lambda n: SaleMade(sold(n))),
    st.builds(undone, amounts, st.sampled_from(["void", "refund"])),
    st.builds(InterventionMade, st.sampled_from(["age", "help"])),
    st.builds(lambda n: BasketDropped("b", n, "idle"), amounts),
    st.builds(lambda a: OpenItemMade(OpenItem(a, "late", 1)), ids),
    st.builds(lambda a: OpenItemSettled(a, "paid", "17", "", ""), ids),
)
stretches = st.lists(st.builds(entry, facts, training=st.booleans()), max_size=20)


@given(stretches, stretches)
def test_two_halves_of_a_day_merge_into_the_day(
    morning: list[tuple[str, bool, Body | None]],
    evening: list[tuple[str, bool, Body | None]],
) -> None:
    assert merge(fold(morning), fold(evening)) == fold(morning + evening)


@given(stretches)
def test_net_and_tax_are_the_total_and_the_tenders_the_sales(
    day: list[tuple[str, bool, Body | None]],
) -> None:
    totals = fold(day)
    assert totals.net_minor + totals.tax_minor == totals.total_minor
    assert sum(line.gross_minor for line in totals.taxes) == totals.total_minor
    assert sum(c.amount_minor for c in totals.tenders.values()) == (
        totals.sales.amount_minor
    )
    assert totals.total_minor == (
        totals.sales.amount_minor
        - totals.voids.amount_minor
        - totals.refunds.amount_minor
    )
