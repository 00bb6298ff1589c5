"""Every class of wrong lane.toml is told by file, key and what was expected."""

import pytest

from kiosk.settings import ConfigError, load, parse

GOOD = """
lane_id = "lane-1"
state_dir = "var"

[store]
name = ["Corner shop", "Main Street 1"]
currency = "EUR"
timezone = "Europe/Berlin"

[tax]
inclusive = true
rates = [{tax_class = "standard", rate_ppm = 190000, letter = "A"}]

[devices.scanner]
driver = "simulated"

[devices.printer]
driver = "escpos_file"
path = "receipts"

[devices.terminal]
driver = "simulated"
port_file = "terminal.port"
"""


def faults(text):
    with pytest.raises(ConfigError) as refused:
        parse(text, "lane.toml")
    return str(refused.value).splitlines()


def test_a_good_file_says_how_the_lane_sells():
    settings = parse(GOOD, "lane.toml")
    rules = settings.rules()
    assert rules.pricing.currency == "EUR"
    assert rules.store == ("Corner shop", "Main Street 1")
    assert settings.all_devices()["scale"] == {"driver": "none"}


def test_the_rules_version_changes_with_the_rules_and_only_with_them():
    first = parse(GOOD, "a").rules().version
    assert parse(GOOD, "b").rules().version == first
    dearer = GOOD.replace("190000", "200000")
    assert parse(dearer, "a").rules().version != first


@pytest.mark.parametrize(("currency", "decimals"), [("EUR", 2), ("JPY", 0), ("KWD", 3)])
def test_labels_are_read_in_the_shops_currency(currency, decimals):
    settings = parse(GOOD.replace("EUR", currency), "lane.toml")
    assert settings.label_rules().currency_decimals == decimals


# What is changed, into what, and how the complaint begins and what it must hold.
CHANGED = [
    # A value of a wrong kind.
    ('"lane-1"', "3", "lane_id: expected text in quotes"),
    ('["Corner shop", "Main Street 1"]', '"Shop"', "store.name: expected a list"),
    ("= true", '= "yes"', "tax.inclusive: expected true or false, got text"),
    ("190000", '"19"', "tax.rates[0].rate_ppm: expected a whole number"),
    # A key that is not there, or is one too many, at each level.
    ('lane_id = "lane-1"', "", "lane_id: is needed and missing"),
    ('currency = "EUR"', "", "store.currency: is needed and missing"),
    ("inclusive = true", "", "tax.inclusive: is needed and missing"),
    ("state_dir", "color = 1\nstate_dir", "color: there is no such setting; expected"),
    ("timezone", "time_zone = 1\ntimezone", "store.time_zone: there is no such"),
    ("rate_ppm = 190000", "rate = 19", "tax.rates[0].rate: there is no such setting"),
    # A value that cannot work.
    ('"lane-1"', '""', "lane_id: '': expected letters, digits"),
    ('"lane-1"', '"lane/1"', "lane_id: 'lane/1': expected letters, digits"),
    ('"EUR"', '"Euro"', "store.currency: 'Euro' is no currency; expected three"),
    ('"EUR"', '"eur"', "store.currency: 'eur' is no currency; expected three"),
    ("Europe/Berlin", "Berlin", "store.timezone: 'Berlin' is no time zone; expected"),
    ("Europe/Berlin", "../etc", "store.timezone: '../etc' is no time zone; expected"),
    ("190000", "1900000", "tax: tax class 'standard': rate_ppm is 1900000, expected"),
    ("= true", '= true\nrounding = "up"', "tax.rounding: 'up' is not possible; exp"),
    # Devices.
    ("[devices.printer]", "[devices.toaster]", "devices.printer: is needed and miss"),
    ('"escpos_file"', '"epson"', "devices.printer.driver: there is no driver 'epson'"),
    ('driver = "escpos_file"', "", "devices.printer.driver: is needed and missing"),
    ('path = "receipts"', "", "devices.printer.path: is needed and missing"),
    ('path = "receipts"', "path = 3", "devices.printer.path: expected str, got int"),
    (
        'path = "receipts"',
        'path = "r"\npaht = "x"',
        "devices.printer.paht: the driver 'escpos_file' has no such option",
    ),
    (
        '[devices.scanner]\ndriver = "simulated"',
        '[devices]\nscanner = "serial"',
        "devices.scanner: expected a table [devices.scanner] with driver",
    ),
]

ADDED = [
    ("limits.idle_second: there is no such setting", "[limits]\nidle_second = 1"),
    ("limits.idle_seconds: expected a number from 0", "[limits]\nidle_seconds = nan"),
    ("limits.idle_seconds: expected a number from 0", "[limits]\nidle_seconds = inf"),
    ("limits.idle_seconds: expected a number from 0", "[limits]\nidle_seconds = -1"),
    ("bagging.look_seconds: expected 0 or more", "[bagging]\nlook_seconds = nan"),
    ("checks.rate: there is no such setting", "[checks]\nrate = 5"),
    ("checks.items: expected 0 or more", "[checks]\nitems = -1"),
    ("limits.pin_tries: expected a whole number", "[limits]\npin_tries = 1.5"),
    ("receipt.unanswered: 'qr' is not possible; expected one of none, paper", ""),
    ("receipt.width_mm: 70 is not possible; expected one of 58, 80", ""),
    ("labels.country: 'XX' is unknown; expected one of DE", "[labels]\ncountry='XX'"),
    (
        "labels.restricted[0]: pattern '20II': expected 13 characters",
        "[[labels.restricted]]\npattern = '20II'\nmeasure = 'price'",
    ),
    (
        "labels.restricted[0].measure: 'colour' is not possible; expected one of price",
        "[[labels.restricted]]\npattern = '20IIIIIKVVVVC'\nmeasure = 'colour'",
    ),
    ("panel: width_px, height_px", "[panel]\nwidth_px = 0"),
    ("sync.server: there is no such setting", "[sync]\nserver = 'x'"),
    ("offers[0].type", "[[offers]]\ntype = 'percent_of'\noffer_id = 'a'"),
    (
        "offers: offer 'a': off_ppm is 5000000",
        "[[offers]]\ntype = 'percent_off'\noffer_id = 'a'\ndescription = {en = 'A'}\n"
        "off_ppm = 5000000\nitem_ids = ['1']",
    ),
    (
        "devices.light.colour: the driver 'none' has no such option",
        "[devices.light]\ndriver = 'none'\ncolour = 'red'",
    ),
    (
        "devices.scale.division_grams: expected int >= 1",
        "[devices.scale]\ndriver = 'simulated'\ndivision_grams = 0",
    ),
]


@pytest.mark.parametrize(("was", "becomes", "complaint"), CHANGED)
def test_a_wrong_setting_is_named(was, becomes, complaint):
    assert was in GOOD
    first = faults(GOOD.replace(was, becomes, 1))[0]
    assert first.startswith(f"lane.toml: {complaint}")


@pytest.mark.parametrize(("complaint", "text"), ADDED)
def test_a_wrong_section_is_named(complaint, text):
    if not text:
        key, value = complaint.split(" is not")[0].split(": ")
        section, _, name = key.partition(".")
        text = f"[{section}]\n{name} = {value}"
    (first, *_) = faults(f"{GOOD}\n{text}\n")
    assert first.startswith(f"lane.toml: {complaint}")


@pytest.mark.parametrize("time", ["4", "24:00", "4:60", "04:60", "04:00:00", "noon"])
def test_the_day_ends_at_a_time_of_day(time):
    text = GOOD.replace("[tax]", f'day_ends_at = "{time}"\n[tax]')
    assert faults(text) == [
        "lane.toml: store.day_ends_at: expected a local time like 04:00"
    ]


def test_every_fault_is_told_at_once():
    text = GOOD.replace("Europe/Berlin", "Berlin").replace("190000", "-1")
    assert len(faults(text)) == 2


def test_no_message_speaks_of_types():
    for was, becomes, _ in CHANGED:
        for fault in faults(GOOD.replace(was, becomes, 1)):
            assert "`" not in fault
            assert "object" not in fault.lower()


def test_what_is_no_toml_names_the_line():
    assert faults("lane_id = \n")[0].startswith("lane.toml: not TOML: ")


class TestProduction:
    def test_each_simulator_is_refused(self):
        found = faults(f"production = true\n{GOOD}")
        assert len(found) == 2
        assert "devices.scanner.driver: 'simulated' is a simulator" in found[0]
        assert "name the real device's driver" in found[0]

    def test_real_devices_are_not(self):
        real = GOOD.replace("simulated", "serial", 1).replace(
            'driver = "serial"', 'driver = "serial"\nport = "/dev/ttyUSB0"'
        )
        (only,) = faults(f"production = true\n{real}")
        assert "devices.terminal.driver" in only


class TestTheFile:
    def test_it_is_read(self, tmp_path):
        path = tmp_path / "lane.toml"
        path.write_text(GOOD, encoding="utf-8")
        assert load(path).lane_id == "lane-1"

    def test_one_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(ConfigError, match=r"gone\.toml: cannot be read: No such"):
            load(tmp_path / "gone.toml")

    def test_one_that_is_no_text_is_named(self, tmp_path):
        path = tmp_path / "lane.toml"
        path.write_bytes(b"lane_id = '\xff\xfe'")
        with pytest.raises(ConfigError, match=r"lane\.toml: byte 11 is no UTF-8 text"):
            load(path)
