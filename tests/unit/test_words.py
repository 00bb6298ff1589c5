"""Every word on the screen and on paper is translated, and nothing translated is unused."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

import kiosk.receipt
import kiosk.ui
from kiosk.ui.words import LOCALES, own_name, plain, words

SOURCES = [
    *sorted(Path(kiosk.ui.__file__).parent.glob("*.py")),
    Path(kiosk.receipt.__file__),
]
KEYWORDS = {"t": None, "tn": (1, 2), "N": None}
LANGUAGES = sorted(path.stem for path in LOCALES.glob("*.po"))


def used():
    """Return every msgid in the sources; a counted one as its two forms."""
    found = set()
    for source in SOURCES:
        for _, message, _, _ in extract_from_file("python", source, keywords=KEYWORDS):
            found.add(message if isinstance(message, str) else tuple(message[:2]))
    return found


def translated(language):
    with (LOCALES / f"{language}.po").open("rb") as source:
        return {m.id: m for m in read_po(source, locale=language) if m.id}


def fields(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


def test_english_and_german_are_there():
    assert {"de", "en"} <= set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_used_is_translated_and_no_other(language):
    known, wanted = set(translated(language)), used()

    assert wanted - known == set(), "not translated"
    assert known - wanted == set(), "no longer used"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_translation_is_empty_unsure_or_lost_a_value(language):
    for msgid, message in translated(language).items():
        texts = (
            message.string if isinstance(message.string, tuple) else [message.string]
        )
        wanted = msgid[-1] if isinstance(msgid, tuple) else msgid
        assert all(texts), msgid
        assert not message.fuzzy, msgid
        for text in texts:
            assert fields(text) == fields(wanted), msgid


def test_german_is_not_english():
    same = {m for m, found in translated("de").items() if found.string == m}
    assert same == {
        "Build",
        "Gateway {address}",
        "Hardware",
        "OK",
        "Scanner",
        "Service",
        "Service: {lane}",
        "System",
        "{amount} / kg",
    }


def test_german_speaks_to_shoppers_as_sie():
    for message in translated("de").values():
        spoken = set(str(message.string).split())
        assert not spoken & {"du", "Du", "dein", "deine", "Deine", "dir", "dich"}


def test_a_language_without_words_speaks_english():
    assert words("fr").t("Welcome") == "Welcome"
    assert words("no such thing").t("Welcome") == "Welcome"


def test_a_regional_language_uses_its_parents_words_and_its_own_numbers():
    assert words("de-CH").t("Welcome") == "Willkommen"
    assert words("de-CH").amount(123456, "CHF") == "1’234.56"


def test_languages_are_named_in_themselves():
    assert [own_name(code) for code in ("en", "de", "fr")] == [
        "English",
        "Deutsch",
        "Français",
    ]


@pytest.mark.parametrize(
    ("minor", "currency", "language", "text"),
    [
        (1943, "EUR", "en", "€19.43"),
        (1943, "EUR", "de", "19,43\N{NO-BREAK SPACE}€"),
        (-229, "EUR", "en", "-€2.29"),
        (500, "JPY", "en", "¥500"),
        (123456789, "EUR", "de", "1.234.567,89\N{NO-BREAK SPACE}€"),
        (1500, "KWD", "en", "KWD1.500"),
    ],
)
def test_money_is_written_as_the_language_writes_it(minor, currency, language, text):
    assert words(language).money(minor, currency) == text


def test_counted_things_agree_with_their_number():
    say = words("en").tn
    assert say("{count} item", "{count} items", 1) == "1 item"
    assert say("{count} item", "{count} items", 2) == "2 items"


def test_data_from_outside_becomes_one_visible_line():
    assert len(plain("e" + "\u0301" * 50)) <= 4
    assert plain("Mi\x00lk\r\n 1\u202e l\ud800") == "Milk 1 l"
    assert plain(" \t ") == ""
