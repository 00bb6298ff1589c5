"""Real catalogues load: names in many scripts, lost zeros, thousands of items."""

import csv
from itertools import islice
from pathlib import Path

import pytest

from kiosk.records.catalog_csv import read_csv
from kiosk.records.catalog_db import Catalog, build

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "catalog"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not here")

FOOD = DATA / "openfoodfacts-2019.csv"
CHAINS = DATA / "croatian-chains-2026.csv"
PRODUCE = DATA / "plu-ifps-2021.csv"


def rows(path, limit=None):
    with path.open(encoding="utf-8", newline="") as file:
        return list(islice(csv.DictReader(file), limit))


@pytest.fixture(scope="module")
def food():
    return read_csv(FOOD, skip_bad_rows=True, language="fr", default_price_minor=100)


@pytest.mark.parametrize("count", [5_000, 30_000, 60_000])
def test_a_real_catalogue_of_this_size_is_built_and_answers(tmp_path, food, count):
    items = food[0][:count]
    assert len(items) == count
    path = tmp_path / "catalog.db"
    build(path, items, version=1, made_ms=0)
    with Catalog.open(path) as catalog:
        assert catalog.count == count
        for item in items[:: count // 500]:
            assert catalog.item(item.item_id) == item
            name = item.description["fr"]
            if any(c.isalnum() for c in name):
                assert catalog.search(name, "fr", 400), name


def test_every_real_number_is_read_as_the_source_has_it(food):
    expected = [row["gtin14"] for row in rows(FOOD)]
    items, problems = food
    left_out = [problem for problem in problems if not problem.loaded]
    assert len(items) + len(left_out) == len(expected)
    assert {item.item_id for item in items} <= set(expected)
    assert len(left_out) < 10, left_out[:10]


def test_the_chains_catalogue_keeps_brand_and_size():
    items, problems = read_csv(
        CHAINS, skip_bad_rows=True, language="hr", default_price_minor=100
    )
    source = rows(CHAINS)
    left_out = [problem for problem in problems if not problem.loaded]
    assert len(items) + len(left_out) == len(source)
    assert len(left_out) < 10, left_out[:10]
    by_id = {item.item_id: item for item in items}
    beer = by_id["00000038501715"]
    assert beer.description == {"hr": "Tomislav Pivo"}
    assert (beer.brand, beer.size) == ("Zagrebačka Pivovara", "0.5 L")


def test_zeros_that_a_spreadsheet_lost_are_put_back(tmp_path):
    source = rows(CHAINS, 3000)
    path = tmp_path / "lost.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["gtin", "name", "price"])
        out.writerows((int(row["gtin"]), row["name"], "1") for row in source)
    items, _ = read_csv(path, skip_bad_rows=True)
    assert {item.item_id for item in items} == {row["gtin14"] for row in source}


def test_the_produce_list_becomes_loose_goods_on_pages(tmp_path):
    items, problems = read_csv(PRODUCE, skip_bad_rows=True, default_price_minor=299)
    numbers = {row["plu"] for row in rows(PRODUCE)}
    assert {item.plu for item in items} == numbers
    # The list itself has two numbers twice.
    twice = [problem.message for problem in problems if not problem.loaded]
    assert len(twice) == len(rows(PRODUCE)) - len(numbers)
    assert all("already" in message for message in twice)
    path = tmp_path / "catalog.db"
    build(path, items, version=1, made_ms=0)
    with Catalog.open(path) as catalog:
        banana = catalog.by_plu("4011")
        assert banana is not None
        assert banana.weighed
        assert "Banana" in banana.description["en"]
        assert "Fruits" in catalog.pages()
        assert banana in catalog.search("banan", "en", 20)
        assert len(catalog.produce_page("Fruits")) > 100
