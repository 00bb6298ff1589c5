"""Which licences a package names: SPDX ids where its words leave no doubt, else names.

What is written for machines is *declared*. What was found in a text for people is
*concluded*: a licence's own words, a notice of the GNU project's, or a file of
/usr/share/common-licenses that the text points to. Such a text may name more than was
found. Never guesses, never counts likeness: a text with a word more inside is another
text. What follows it is not read but where that is known to make it another licence.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, Literal, TypeAlias

from imagebuild.stage import PROJECT

TABLE = PROJECT / "image-build" / "licenses.toml"
Named: TypeAlias = tuple[Literal["id", "name"], str]
Json = dict[str, Any]

# Linux follows as many before it gives up.
_LINKS = 40
_FIELD = re.compile(r"^License:[ \t]*(\S.*)$", re.M)
_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)*")
_PART = re.compile(r"<>|\[[^]]*\]|[^<[]+")
# Whoever gave a licence; none of the words that make a condition.
_HOLDER = r"(?: (?!(?:not|must|may|only|unless|if|provided)\b)[^\s|]+){0,16}?"
# A text that goes on so is another licence (SPDX: X11, -Views, -No-Nuclear, -LBNL).
_OTHER = (
    r"(?! except as contained in this notice| the views and conclusions contained in"
    r"| you acknowledge that this software is not| you are under no obligation whatsoever)"
    r"\b"
)
_SPELLINGS = {"sub license": "sublicense", "non infringement": "noninfringement"}
_ZERO = re.compile(r"\.0(?=\+?$)")
_GNU = {
    "affero general public": "AGPL",
    "free documentation": "GFDL",
    "general public": "GPL",
    "lesser general public": "LGPL",
    "library general public": "LGPL",
}
_NOTICE = re.compile(
    rf" gnu ({'|'.join(_GNU)}) license(?: as published by the free software foundation)?"
    r"(?: either)? version (\d(?:\.\d)?)(?: of the license)? or"
    r"(?: at your option)? any later version"
    r"( published by the free software foundation with no invariant sections"
    r" no front cover texts and no back cover texts)?\b"
)
_COMMON = re.compile(r"/usr/share/common-licenses/([A-Z][A-Za-z0-9]*(?:-[A-Z0-9.]+)*)")


@dataclass(frozen=True, slots=True)
class Table:
    """What `licenses.toml` says; Debian's short names as `_bare` has them."""

    debian: dict[str, str]
    classifiers: dict[str, str]
    wordings: tuple[tuple[Named, re.Pattern[str]], ...]


def table(path: Path = TABLE) -> Table:
    """Read the table."""
    told = tomllib.loads(path.read_text())
    return Table(
        {_bare(name): spdx for name, spdx in told["debian"].items()},
        told["classifiers"],
        tuple((_wording(one), _pattern(one["words"])) for one in told["wordings"]),
    )


def debian(known: Table, root: Path, package: str) -> list[Json]:
    """Return the licences that a Debian package's copyright file names."""
    file = _inside(root, f"usr/share/doc/{package}/copyright")
    if file is None or not file.is_file():
        return []
    text = file.read_text(encoding="utf-8", errors="replace")
    if not text.lstrip().startswith("Format:"):
        return _told(plain(known, text), "concluded")
    shorts = (found.strip() for found in _FIELD.findall(text))
    return _told({short(known, one) for one in shorts}, "declared")


def python(known: Table, told: Message) -> list[Json]:
    """Return the licences that a Python distribution's metadata names."""
    if expression := told.get("License-Expression"):
        return [{"expression": expression, "acknowledgement": "declared"}]
    classes = (
        one.rpartition(" :: ")[2]
        for one in told.get_all("Classifier", [])
        if one.startswith("License")
    )
    names = {_known(known.classifiers.get(one), one) for one in classes}
    field = str(told.get("License", "")).strip()
    # Some give the whole text where its name belongs.
    if not names and field and "\n" not in field:
        names = {("name", field)}
    return _told(names, "declared")


def short(known: Table, name: str) -> Named:
    """Return what one of Debian's short names means."""
    return _known(known.debian.get(_bare(name)), name)


def plain(known: Table, text: str) -> set[Named]:
    """Return the licences that are surely named in a text for people."""
    found: set[Named] = set()
    words = _words(text)
    for name, pattern in known.wordings:
        words, times = pattern.subn(" |", words)
        if times:
            found.add(name)
    for kind, version, free in _NOTICE.findall(words):
        niv = "-NIV" if free else ""
        found.add(short(known, f"{_GNU[kind]}{niv}-{version}+"))
    # A notice says more than the file that its text is in.
    families = {_family(name) for _, name in found}
    files = (one.rstrip(".") for one in _COMMON.findall(text))
    return found | {short(known, one) for one in files if _family(one) not in families}


def summary(components: Iterable[Json]) -> str:
    """Return how many components name a licence, and which do not."""
    kinds: dict[str, list[str]] = {"declared": [], "concluded": [], "": []}
    for one in components:
        for first in one.get("licenses", [{}])[:1]:
            told = first.get("license", first).get("acknowledgement", "")
            kinds[told].append(one["name"])
    unknown = sorted(kinds[""])
    return (
        f"Licences: declared by {len(kinds['declared'])} components, concluded from"
        f" a text for {len(kinds['concluded'])}, unknown for {len(unknown)}"
        f"{': ' if unknown else ''}{', '.join(unknown)}."
    )


def _wording(told: dict[str, str]) -> Named:
    return ("id", told["id"]) if "id" in told else ("name", told["name"])


def _pattern(words: str) -> re.Pattern[str]:
    """Return what matches a wording among the words of a text."""
    told = ""
    for part in _PART.findall(words.replace("[s]", "[~s]").replace("[S]", "[~S]")):
        if part == "<>":
            told += _HOLDER
        elif part.startswith("[~"):
            told += "s?"
        elif part.startswith("["):
            told += f"(?:{_words(part)})?"
        else:
            told += _words(part)
    return re.compile(told + _OTHER)


def _words(text: str) -> str:
    """Return the words in small letters, each after a space."""
    words = "".join(f" {word}" for word in _WORD.findall(text.lower()))
    for old, new in _SPELLINGS.items():
        words = words.replace(f" {old}", f" {new}")
    return words


def _bare(short_name: str) -> str:
    """Return a short name without what does not count in it."""
    return _ZERO.sub("", short_name.lower())


def _known(spdx: str | None, name: str) -> Named:
    return ("id", spdx) if spdx else ("name", name)


def _family(name: str) -> str:
    return name.partition("-")[0]


def _told(names: Iterable[Named], acknowledgement: str) -> list[Json]:
    return [
        {"license": {kind: name, "acknowledgement": acknowledgement}}
        for kind, name in sorted(names)
    ]


def _inside(root: Path, path: str) -> Path | None:
    """Return where a path leads, by links as the booted root has them."""
    here: list[str] = []
    rest = path.split("/")[::-1]
    links = 0
    while rest:
        part = rest.pop()
        there = root.joinpath(*here, part)
        if part == "..":
            here = here[:-1]
        elif not there.is_symlink():
            here.append(part)
        elif links == _LINKS:
            return None
        else:
            links += 1
            target = str(there.readlink())
            here = [] if target.startswith("/") else here
            rest += [one for one in reversed(target.split("/")) if one not in ("", ".")]
    return root.joinpath(*here)
