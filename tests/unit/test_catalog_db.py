"""The catalogue: found fast, replaced whole, changed only by the back office."""

import io
import random

import msgspec
import pytest

from kiosk.domain.catalog import Item, Price, Recall
from kiosk.records.catalog_csv import LONGEST_NAME, RowProblem, read_csv
from kiosk.records.catalog_db import Catalog, CatalogError, build, fold
from kiosk.records.catalog_delta import (
    Delta,
    DeltaRefused,
    apply_delta,
    install,
    seal_delta,
    sign_whole,
)
from kiosk.records.keys import SigningKey

OFFICE = SigningKey.from_seed(b"o" * 32)
BREAD = Item(
    "04006381333931",
    {"en": "Rye bread", "de": "Roggenbrot"},
    (Price(249), Price(199, 1_790_000_000_000, 1_791_000_000_000)),
    tax_class="reduced",
    brand="Müller",
    search_words=("loaf",),
)
WINE = Item(
    "04000000000006",
    {"en": "Red wine", "de": "Weißwein"},
    (Price(599),),
    minimum_age=18,
    deposit_item_id="deposit-25",
)
APPLE = Item(
    "plu:4011",
    {"en": "Apple, red", "de": "Äpfel rot"},
    (Price(299),),
    weighed=True,
    plu="4011",
    page="Fruit",
)
SALMON = Item("salmon", {"en": "Røget laks, saumon fumé"}, (Price(899),))
ITEMS = (BREAD, WINE, APPLE, SALMON)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "catalog.db"


@pytest.fixture
def catalog(path):
    build(
        path,
        ITEMS,
        [Recall(BREAD.item_id, "L42"), Recall(WINE.item_id)],
        version=7,
        made_ms=1_790_000_000_000,
        popular=[APPLE.item_id, "gone", BREAD.item_id],
    )
    with Catalog.open(path) as catalog:
        yield catalog


def test_an_item_is_found_as_it_was_put_in(catalog):
    assert catalog.item(BREAD.item_id) == BREAD
    assert catalog.item("04006381333932") is None
    assert (catalog.version, catalog.made_ms, catalog.count) == (
        7,
        1_790_000_000_000,
        4,
    )


def test_loose_goods_are_found_by_number_and_page(catalog):
    assert catalog.by_plu("4011") == APPLE
    assert catalog.by_plu("4012") is None
    assert catalog.by_plu("") is None
    assert catalog.pages() == ["Fruit"]
    assert catalog.produce_page("Fruit") == [APPLE]
    assert catalog.produce_page("") == []


def test_what_is_picked_most_comes_first(catalog):
    assert catalog.popular() == [APPLE, BREAD]
    assert catalog.popular(1) == [APPLE]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("rye", [BREAD]),
        ("BRE", [BREAD]),
        ("bread rye", [BREAD]),
        ("read", []),
        ("loaf", [BREAD]),
        ("roggen", [BREAD]),
        ("muller", [BREAD]),
        ("mueller", [BREAD]),
        ("MÜLLER", [BREAD]),
        ("weiss", [WINE]),
        ("weiß", [WINE]),
        ("apfel", [APPLE]),
        ("aepfel", [APPLE]),
        ("4011", [APPLE]),
        ("roget", [SALMON]),
        ("saumon fume", [SALMON]),
        ("", []),
        ("  ", []),
        ("%", []),
        ('"', []),
        ("rye OR wine", []),
        ("text:rye", []),
        ("rye*", [BREAD]),
        ("-", []),
        ("\x00", []),
        ("r" * 5000, []),
    ],
)
def test_search_finds_word_starts_in_any_language_and_spelling(catalog, text, found):
    assert catalog.search(text, "en") == found


def test_names_in_the_shoppers_language_come_first(path):
    items = [
        Item("1", {"en": "Dark rot remover", "de": "Mittel"}),
        Item("2", {"en": "Apple", "de": "Rotapfel"}),
        Item("3", {"en": "Rot"}, search_words=("x",)),
        Item("4", {"en": "Cabbage", "de": "Kohl rot"}),
    ]
    build(path, items, version=1, made_ms=0)
    with Catalog.open(path) as catalog:
        found = [item.item_id for item in catalog.search("rot", "de", 10)]
        assert found == ["3", "2", "4", "1"]
        assert len(catalog.search("rot", "de", 2)) == 2


def test_folding_leaves_letters_and_digits_only():
    assert fold("  Crème-Brûlée (2×) ÆØÅ Łódź Straße") == (
        "creme brulee 2 aeoa lodz strasse"
    )


def test_a_recalled_batch_is_known_and_so_is_a_recall_of_all(catalog):
    assert catalog.recalled(BREAD.item_id, "L42")
    assert not catalog.recalled(BREAD.item_id, "L43")
    assert not catalog.recalled(BREAD.item_id, "")
    assert catalog.recalled(WINE.item_id, "")
    assert catalog.recalled(WINE.item_id, "any")
    assert not catalog.recalled(APPLE.item_id, "L42")


def test_an_item_twice_is_refused(path):
    with pytest.raises(CatalogError, match="04006381333931 is there twice"):
        build(path, [BREAD, WINE, BREAD], version=1, made_ms=0)
    assert not path.exists()


def test_a_running_reader_takes_up_the_next_catalogue(path, catalog):
    assert not catalog.refresh()
    build(path, [WINE], version=8, made_ms=5)
    # Until it asks, it goes on reading the one it has.
    assert catalog.item(BREAD.item_id) == BREAD
    assert catalog.refresh()
    assert catalog.item(BREAD.item_id) is None
    assert (catalog.version, catalog.count) == (8, 1)
    assert not catalog.refresh()


def test_a_next_catalogue_that_cannot_be_read_leaves_the_one_in_use(path, catalog):
    broken = path.with_name("broken")
    broken.write_bytes(b"no catalogue")
    broken.rename(path)
    with pytest.raises(CatalogError, match="cannot be read as a catalogue"):
        catalog.refresh()
    assert catalog.item(BREAD.item_id) == BREAD
    path.unlink()
    with pytest.raises(CatalogError, match="there is no catalogue"):
        catalog.refresh()
    assert catalog.item(BREAD.item_id) == BREAD


def test_a_cut_while_a_catalogue_is_made_leaves_the_old_one(path, catalog):
    class Cut(Exception):
        pass

    def items():
        yield WINE
        raise Cut

    with pytest.raises(Cut):
        build(path, items(), version=8, made_ms=5)
    assert not catalog.refresh()
    build(path, [WINE], version=8, made_ms=5)
    assert catalog.refresh()
    assert [found.name for found in path.parent.iterdir()] == ["catalog.db"]


@pytest.mark.parametrize("content", [b"", b"x" * 5000, bytes(9000)])
def test_a_file_that_is_no_catalogue_is_refused_in_words(path, content):
    path.write_bytes(content)
    with pytest.raises(CatalogError, match="catalogue"):
        Catalog.open(path)


def test_a_flipped_bit_in_a_price_is_not_sold(path, catalog):
    content = path.read_bytes()
    assert content.count(b"Rye bread") == 1
    path.write_bytes(content.replace(b"Rye bread", b"Rye breae"))
    with (
        Catalog.open(path) as damaged,
        pytest.raises(CatalogError, match="damaged: fetch the catalogue again"),
    ):
        damaged.item(BREAD.item_id)


def test_a_reader_needs_no_right_to_write(path, catalog):
    assert sorted(found.name for found in path.parent.iterdir()) == ["catalog.db"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_catalogue_of_100000_items_opens_and_answers(path):
    seeded = random.Random(5)
    kinds = ("Apfel", "Brot", "Käse", "Wein", "Öl", "Reis", "Tee", "Saft")

    def items():
        for n in range(100_000):
            name = f"{seeded.choice(kinds)} {seeded.choice(kinds)} {n}"
            yield Item(f"{n:014d}", {"de": name}, (Price(n + 1),))

    build(path, items(), version=1, made_ms=0)
    with Catalog.open(path) as catalog:
        assert catalog.count == 100_000
        for n in seeded.sample(range(100_000), 500):
            item = catalog.item(f"{n:014d}")
            assert item is not None
            assert item.price_at(0) == n + 1
        assert catalog.item("99999999999999") is None
        assert len(catalog.search("kase", "de", 20)) == 20
        (found,) = catalog.search("99999", "de", 5)
        assert found.item_id == f"{99_999:014d}"


# -- deltas ------------------------------------------------------------------


def delta(**changes):
    return Delta(**({"from_version": 7, "to_version": 8, "made_ms": 99} | changes))


def test_a_delta_changes_adds_and_removes_in_one_step(path, catalog):
    dearer = msgspec.structs.replace(WINE, prices=(Price(649),))
    cheese = Item("cheese", {"en": "Cheese"}, (Price(450),))
    change = delta(
        upserts=(dearer, cheese),
        removals=(APPLE.item_id, "never there"),
        recalls=(Recall("cheese", "L1"),),
        popular=("cheese",),
    )
    assert apply_delta(path, seal_delta(change, OFFICE), OFFICE.public) == 8
    assert catalog.refresh()
    assert (catalog.version, catalog.made_ms, catalog.count) == (8, 99, 4)
    assert catalog.item(WINE.item_id) == dearer
    assert catalog.item("cheese") == cheese
    assert catalog.item(APPLE.item_id) is None
    assert catalog.item(BREAD.item_id) == BREAD
    assert catalog.search("chee", "en") == [cheese]
    assert catalog.search("apple", "en") == []
    assert catalog.search("red", "en") == [dearer]
    assert catalog.recalled("cheese", "L1")
    assert not catalog.recalled(BREAD.item_id, "L42")
    assert catalog.popular() == [cheese]


def test_a_delta_without_recalls_leaves_them_as_they_are(path, catalog):
    sealed = seal_delta(delta(removals=(APPLE.item_id,)), OFFICE)
    apply_delta(path, sealed, OFFICE.public)
    catalog.refresh()
    assert catalog.recalled(BREAD.item_id, "L42")


@pytest.mark.parametrize(
    ("sealed", "words"),
    [
        (seal_delta(delta(from_version=6), OFFICE), "for version 6, this lane holds"),
        (seal_delta(delta(to_version=7), OFFICE), "leads back from version 7 to 7"),
        (seal_delta(delta(to_version=3), OFFICE), "leads back from version 7 to 3"),
        (
            seal_delta(delta(), SigningKey.from_seed(b"x" * 32)),
            "not signed by the back office",
        ),
        (
            seal_delta(delta(), OFFICE).replace(b"made_ms", b"made_mx"),
            "not signed by the back office",
        ),
        (b"", "cannot be read"),
        (b"<html>Please sign in</html>", "cannot be read"),
        (seal_delta(delta(), OFFICE)[:-9], "cannot be read"),
    ],
)
def test_a_delta_that_must_not_be_taken_is_refused_in_words(
    path, catalog, sealed, words
):
    with pytest.raises(DeltaRefused, match=words):
        apply_delta(path, sealed, OFFICE.public)
    assert not catalog.refresh()
    assert [found.name for found in path.parent.iterdir()] == ["catalog.db"]


def test_a_delta_is_applied_once(path, catalog):
    sealed = seal_delta(delta(), OFFICE)
    apply_delta(path, sealed, OFFICE.public)
    with pytest.raises(DeltaRefused, match="this lane holds version 8"):
        apply_delta(path, sealed, OFFICE.public)


def test_a_whole_catalogue_is_installed_when_the_back_office_signed_it(path, catalog):
    received = path.with_name("received.db")
    build(received, [WINE], version=9, made_ms=1)
    signature = sign_whole(received, OFFICE)
    assert install(path, received, signature, OFFICE.public) == 9
    assert catalog.refresh()
    assert catalog.version == 9
    assert not received.exists()


def test_a_whole_catalogue_that_was_changed_or_is_older_is_refused(path, catalog):
    received = path.with_name("received.db")
    build(received, [WINE], version=6, made_ms=1)
    signature = sign_whole(received, OFFICE)
    with pytest.raises(DeltaRefused, match="version 6 is older than version 7"):
        install(path, received, signature, OFFICE.public)
    received.write_bytes(received.read_bytes().replace(b"Red wine", b"Red wind"))
    with pytest.raises(DeltaRefused, match="not signed by the back office"):
        install(path, received, signature, OFFICE.public)
    assert not catalog.refresh()


# -- from a spreadsheet ------------------------------------------------------


def read(text, **options):
    return read_csv(io.StringIO(text), **({"skip_bad_rows": True} | options))


def test_the_simplest_file_is_number_name_and_price():
    items, problems = read("gtin,name,price\n4006381333931,Rye bread,2.49\n")
    assert items == [Item("04006381333931", {"en": "Rye bread"}, (Price(249),))]
    assert problems == []


def test_every_column_is_read():
    items, problems = read(
        "gtin,name_en,name_de,price,price_starts,price_ends,tax_class,department,"
        "minimum_age,deposit_item_id,is_deposit,weighed,tare_grams,maximum_quantity,"
        "not_for_sale,attendant_needed,plu,page,search_words,offer_groups,brand,size,"
        "weight_grams,tolerance_grams\n"
        '4006381333931,Rye bread,Roggenbrot,"2,49",2026-12-01T00:00+01:00,'
        "2026-12-02T00:00Z,reduced,bakery,18,deposit-25,no,yes,12,6,0,1,4011,Bread,"
        "loaf|toast,a|b,Baker,500 g,510,20\n"
    )
    assert problems == []
    assert items == [
        Item(
            item_id="04006381333931",
            description={"en": "Rye bread", "de": "Roggenbrot"},
            prices=(Price(249, 1_796_079_600_000, 1_796_169_600_000),),
            tax_class="reduced",
            department="bakery",
            minimum_age=18,
            deposit_item_id="deposit-25",
            weighed=True,
            tare_grams=12,
            maximum_quantity=6,
            attendant_needed=True,
            plu="4011",
            page="Bread",
            search_words=("loaf", "toast"),
            offer_groups=("a", "b"),
            brand="Baker",
            size="500 g",
            weight_grams=510,
            tolerance_grams=20,
        )
    ]


def test_loose_goods_are_named_by_their_number_and_weighed():
    items, _ = read("plu,name,price,page\n4011,Bananas,1.99,Fruit\n")
    assert (items[0].item_id, items[0].weighed) == ("plu:4011", True)
    items, _ = read("plu,name,price,weighed\n4011,Bananas,1.99,no\n")
    assert not items[0].weighed


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("4006381333930,Bread,1", "gtin 4006381333930: the check digit is wrong"),
        ("40063x,Bread,1", "gtin '40063x': expected 8, 12, 13 or 14 digits"),
        ("123456789012345,Bread,1", "expected 8, 12, 13 or 14 digits"),
        ("00000000,Bread,1", "expected a number, found zeros"),
        (",Bread,1", "expected a number in gtin, plu or item_id, found none"),
        ("4006381333931,,1", "expected a name, found none"),
        ("4006381333931,\x07,1", "expected a name, found none"),
        ("4006381333931,Bread,", "expected a price such as 2.49, found none"),
        ("4006381333931,Bread,free", "price 'free': expected a number such as 2.49"),
        ("4006381333931,Bread,-1", "price '-1': expected a number such as 2.49"),
        ("4006381333931,Bread,1e3", "price '1e3': expected a number such as 2.49"),
        ("4006381333931,Bread,2.499", "price '2.499': expected 2 decimals at most"),
        ("4006381333931,Bread,1,2", "expected 3 cells, found 4"),
        ("04006381333931,Bread,1", "04006381333931 is in row 2 already"),
        ("4006381333931,%s,1" % ("x" * 140_000), "cannot be read: field larger"),
    ],
)
def test_a_bad_row_is_named_with_what_was_expected(row, words):
    text = f"gtin,name,price\n4006381333931,Rye bread,2.49\n\n{row}\n4000000000006,Wine,5\n"
    items, (problem,) = read(text)
    assert problem.row == 4
    assert not problem.loaded
    assert words in problem.message
    assert [item.item_id for item in items] == ["04006381333931", "04000000000006"]
    # Or none of them, as asked.
    items, problems = read(text, skip_bad_rows=False)
    assert (items, problems) == ([], [problem])


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("weighed", "perhaps", "weighed 'perhaps': expected yes or no"),
        ("minimum_age", "-18", "minimum_age '-18': expected a whole number"),
        ("plu", "40l1", "plu '40l1': expected up to 6 digits"),
        ("price_starts", "tomorrow", "expected a time such as 2026-12-01T06:00"),
    ],
)
def test_a_bad_cell_is_named_with_its_column(column, value, words):
    items, (problem,) = read(
        f"gtin,name,price,{column}\n4006381333931,Bread,2.49,{value}\n"
    )
    assert items == []
    assert words in problem.message


def test_a_price_that_ends_before_it_starts_is_refused():
    _, (problem,) = read(
        "gtin,name,price,price_starts,price_ends\n"
        "4006381333931,Bread,2.49,2026-12-02T00:00Z,2026-12-01T00:00Z\n"
    )
    assert problem.message == "price_ends: expected a time after price_starts"


@pytest.mark.parametrize("text", ["", "\n", "bread,2.49\n", "gtin,price\n", "\x00"])
def test_a_file_without_the_columns_says_which_are_expected(text):
    items, (problem,) = read(text)
    assert (items, problem.row) == ([], 1)
    assert "expected columns such as gtin,name,price" in problem.message


def test_a_column_twice_is_refused():
    _, (problem,) = read("gtin,name,price,price\n")
    assert "a column is there twice" in problem.message


def test_a_file_in_another_encoding_says_so(tmp_path):
    path = tmp_path / "catalog.csv"
    path.write_bytes("gtin,name,price\n4006381333931,Käse,2.49\n".encode("latin-1"))
    items, (problem,) = read_csv(path, skip_bad_rows=True)
    assert items == []
    assert "not UTF-8 (about row 2)" in problem.message


def test_a_spreadsheets_own_marks_and_separators_are_read(tmp_path):
    path = tmp_path / "catalog.csv"
    path.write_bytes(
        b'\xef\xbb\xbfGTIN;Name;Price\r\n4006381333931;"Rye; bread";2,49\r\n'
    )
    (item,), problems = read_csv(path, skip_bad_rows=False)
    assert (item.description["en"], item.prices[0].minor) == ("Rye; bread", 249)
    assert problems == []


def test_lost_leading_zeros_are_put_back_and_told():
    (item,), (problem,) = read("gtin,name,price\n41570054161,Milk,1\n")
    assert item.item_id == "00041570054161"
    assert problem == RowProblem(
        2, "gtin 41570054161: leading zeros were lost, taken as 00041570054161", True
    )


def test_control_characters_in_a_name_are_left_out_and_told():
    name = "Rye\x1b[2J\x07 bread\u202e evil\ttab\x1bp0"
    (item,), (problem,) = read(
        f"gtin,name,price\n4006381333931,{name},1\n", skip_bad_rows=False
    )
    assert item.description["en"] == "Rye[2J bread evil tabp0"
    assert problem == RowProblem(2, "name: control characters were left out", True)


def test_emoji_and_every_script_are_kept():
    for name in ("Bread 🍞👨‍👩‍👧", "牛乳", "نان می‌خواهم", "Crème brûlée", "חלב"):
        (item,), problems = read(f"gtin,name,price\n4006381333931,{name},1\n")
        assert item.description["en"] == name
        assert problems == []


def test_a_name_of_300_characters_is_cut_and_told():
    (item,), (problem,) = read(f"gtin,name,price\n4006381333931,{'é' * 300},1\n")
    assert item.description["en"] == "é" * LONGEST_NAME
    assert problem.message == f"name: cut to {LONGEST_NAME} of 300 characters"
    (item,), problems = read(f"gtin,name,price\n4006381333931,{'é' * 234},1\n")
    assert problems == []


def test_an_unknown_column_is_told_and_left_out():
    (_item,), (problem,) = read("gtin,name,price,colour\n4006381333931,Bread,1,red\n")
    assert problem == RowProblem(
        1, "column 'colour' is not known and was left out", True
    )


def test_rows_without_a_price_take_the_one_given():
    (item,), _ = read("gtin,name\n4006381333931,Bread\n", default_price_minor=100)
    assert item.prices == (Price(100),)


def test_a_currency_without_decimals_is_read_in_whole_units():
    (item,), _ = read("gtin,name,price\n4006381333931,Bread,250\n", decimals=0)
    assert item.prices == (Price(250),)
    _, (problem,) = read("gtin,name,price\n4006381333931,Bread,2.50\n", decimals=0)
    assert "expected 0 decimals at most" in problem.message


def test_what_was_read_from_a_spreadsheet_can_be_built_and_found(path):
    items, _ = read("gtin,name,price\n4006381333931,Rye bread,2.49\n")
    build(path, items, version=1, made_ms=0)
    with Catalog.open(path) as catalog:
        assert catalog.search("rye", "en") == items
