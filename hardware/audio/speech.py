"""Text and language -> how espeak-ng is told to speak. Pure.

The text goes in on standard input, never as an argument, and holds nothing that the
engine takes for an order. It will never say more than a screen's worth.
"""

from __future__ import annotations

import re

LONGEST_TEXT = 1000
# `de`, `en-gb`, `zh-hant`: what an espeak-ng voice can be called by.
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
# ISO 639-2 keeps qaa to qtz free: no voice is called so.
_NOBODYS = "qaa"
# `[[` begins phonemes, and a name of an item has no use for them.
_BRACKETS = re.compile(r"[\[\]]")


def command(engine: str, language: str, volume: int) -> tuple[str, ...]:
    """Return the command that speaks its standard input as WAV to standard output.

    `volume` is in percent. What is no language's name becomes one that no voice has:
    the engine says so itself.
    """
    name = language.lower().replace("_", "-")
    if not _LANGUAGE.fullmatch(name):
        name = _NOBODYS
    # espeak-ng(1): -b 1 reads UTF-8, amplitude goes from 0 to 200 and is 100 by itself.
    loud = str(2 * volume)
    return (engine, "--stdin", "--stdout", "-b", "1", "-a", loud, "-v", name)


def spoken(text: str) -> bytes:
    """Return what is given to the engine: printable, one line, cut to a length."""
    words = " ".join(_BRACKETS.sub(" ", text[:LONGEST_TEXT]).split())
    clean = "".join(sign for sign in words if sign.isprintable())
    return clean.encode("utf-8", "replace")
