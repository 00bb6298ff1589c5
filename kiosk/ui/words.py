"""Words, money, weights and dates in the language of a View.

All words on the screen go through `Words`; the catalogues are the .po files in
`locale/`, compiled in memory when a language is first used. Never decides anything.
"""

from __future__ import annotations

import gettext
import io
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, get_currency_precision

# Letters of living languages carry a few; a tower of marks would leave its line.
_MOST_MARKS = 1

LOCALES = Path(__file__).parent / "locale"


def N(msgid: str) -> str:
    """Mark words of a table for translation; they are translated where shown."""
    return msgid


class Words:
    """What is said in one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.locale = _locale(language)
        self._catalog = _catalog(language)

    def t(self, msgid: str, **values: object) -> str:
        """Return the words for `msgid`, with its {names} filled in."""
        text = self._catalog.gettext(msgid)
        return text.format(**values) if values else text

    def tn(self, one: str, many: str, count: int) -> str:
        """Return the words for a counted thing; {count} is the number."""
        return self._catalog.ngettext(one, many, count).format(count=self.number(count))

    def money(self, minor: int, currency: str) -> str:
        """Return an amount as this language writes it, with its currency."""
        return _money(minor, currency, self.locale)

    def amount(self, minor: int, currency: str) -> str:
        """Return an amount without its currency, for columns that repeat it."""
        return _amount(minor, currency, self.locale)

    def number(self, count: int) -> str:
        """Return a whole number."""
        return format_decimal(count, locale=self.locale)

    def kilograms(self, grams: int) -> str:
        """Return a weight in kilograms, to the gram."""
        return _kilograms(grams, self.locale)

    def time(self, at_ms: int) -> str:
        """Return the time of day of a moment, in the machine's zone."""
        moment = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone()
        return format_time(moment, "short", locale=self.locale)

    def date(self, at_ms: int) -> str:
        """Return the date of a moment, in the machine's zone."""
        moment = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone()
        return format_date(moment, "long", locale=self.locale)


@lru_cache(maxsize=32)
def words(language: str) -> Words:
    """Return the one `Words` of a language."""
    return Words(language)


def own_name(language: str) -> str:
    """Return a language's name for itself: Deutsch, English."""
    name = _locale(language).get_display_name() or language
    return name[:1].upper() + name[1:]


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """Return data from outside as one line of visible characters.

    Control, format, private and unassigned characters go; so do lone surrogates.
    What the font cannot draw is dropped where fonts are known (`type.py`).
    """
    spaced = unicodedata.normalize("NFC", " ".join(text.split()))
    kept: list[str] = []
    marks = 0
    for c in spaced:
        category = unicodedata.category(c)
        marks = marks + 1 if category == "Mn" else 0
        if category[0] != "C" and marks <= _MOST_MARKS:
            kept.append(c)
    return " ".join("".join(kept).split())


@lru_cache(maxsize=32)
def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en")


@lru_cache(maxsize=32)
def _catalog(language: str) -> gettext.NullTranslations:
    """Compile a language's .po; a language without one speaks English."""
    path = LOCALES / f"{language.replace('-', '_')}.po"
    if not path.is_file():
        path = LOCALES / f"{language[:2]}.po"
    if not path.is_file():
        return gettext.NullTranslations()
    with path.open("rb") as source:
        catalog = read_po(source, locale=path.stem)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


# A list of 200 lines asks for the same few prices again and again.
@lru_cache(maxsize=8192)
def _money(minor: int, currency: str, locale: Locale) -> str:
    return format_currency(_decimal(minor, currency), currency, locale=locale)


@lru_cache(maxsize=8192)
def _amount(minor: int, currency: str, locale: Locale) -> str:
    digits = get_currency_precision(currency)
    pattern = "#,##0." + "0" * digits if digits else "#,##0"
    return format_decimal(_decimal(minor, currency), format=pattern, locale=locale)


@lru_cache(maxsize=1024)
def _kilograms(grams: int, locale: Locale) -> str:
    text = format_decimal(Decimal(grams).scaleb(-3), format="#,##0.000", locale=locale)
    return f"{text} kg"


def _decimal(minor: int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-get_currency_precision(currency))
