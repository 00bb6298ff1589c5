"""Finds what is wrong with a screen by walking what is on it, not by looking.

Clipped words, controls too small or over each other, words too small or in characters
the font lacks, things without a name or without speech, things off the glass. Golden
pictures would miss them: one wrong digit is a three-thousandth of the pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kiosk.ui import textures
from kiosk.ui.pieces import Ink, Piece, Place
from kiosk.ui.screen import Screen
from kiosk.ui.theme import CAPITAL, THEME, contrast
from kiosk.ui.typeset import characters
from kiosk.ui.widgets import Press, Rows

# Whole pixels: what is smaller is rounding.
_SLACK_PX = 2
_LEAST_CONTRAST = 4.5
# These lie over or under others on purpose.
_OVERLAYS = ("shade", "more_time_card")


def audit(screen: Screen, *, data_may_be_cut: bool = False) -> list[str]:
    """Return what is wrong with what is on the glass now, one sentence each."""
    pieces = [w.piece for w in screen.shown if w.piece is not None]
    # What waits behind a question is dimmed and dead.
    pieces = [p for p in pieces if not p.key.startswith("behind_")]
    found: list[str] = []
    if screen.view is None or not screen.view.speech.strip():
        found.append("the view has no speech")
    for piece in pieces:
        found += _about_place(screen, piece)
        found += _about_speech(piece)
        found += _about_words(screen, piece, piece.parts, data_may_be_cut)
    for widget in screen.shown:
        if isinstance(widget, Press):
            found += _about_control(screen, widget)
        if isinstance(widget, Rows) and widget.piece:
            for line in widget.visible:
                found += _about_words(screen, widget.piece, line.parts, True)
                found += _about_columns(widget.piece, line.parts)
    found += _about_overlaps(pieces)
    return found


def _about_place(screen: Screen, piece: Piece) -> Iterator[str]:
    x, y, w, h = piece.place
    panel = screen.panel
    if w <= 0 or h <= 0:
        yield f"{piece.key} has no size: {w} x {h} px"
    if x < 0 or y < 0 or x + w > panel.width_px or y + h > panel.height_px:
        yield f"{piece.key} is off the glass at {tuple(piece.place)}"


def _about_speech(piece: Piece) -> Iterator[str]:
    says = bool(piece.speech.strip())
    if any(isinstance(p, Ink) and p.text for p in piece.parts) and not says:
        yield f"{piece.key} shows words and says none"
    if piece.button and not piece.button.spoken.strip():
        yield f"{piece.key} is a control without speech"


def _about_control(screen: Screen, press: Press) -> Iterator[str]:
    piece = press.piece
    if piece is None or piece.button is None:
        yield "a control without a button"
        return
    name = piece.button.name
    if not name or not name.isascii() or " " in name:
        yield f"control {name!r} has no plain name"
    least = THEME.least_target * screen.panel.px_per_mm - _SLACK_PX
    if min(piece.place.w, piece.place.h) < least:
        mm = [round(v / screen.panel.px_per_mm, 1) for v in piece.place[2:]]
        yield f"control {name} is only {mm[0]} x {mm[1]} mm"


def _about_words(
    screen: Screen, piece: Piece, parts: Sequence[object], may_be_cut: bool
) -> Iterator[str]:
    fill = piece.skin.fill if piece.skin else THEME.background
    if piece.is_list:
        fill = THEME.card
    for ink in parts:
        if not isinstance(ink, Ink) or not ink.text:
            continue
        where = f"{piece.key}: {ink.text[:40]!r}"
        natural = textures.text(ink.text, ink.px, ink.bold).size
        if natural[0] > ink.w + _SLACK_PX or natural[1] > ink.h + _SLACK_PX:
            yield f"{where} needs {natural}, has {(ink.w, ink.h)} px"
        if ink.is_cut and not may_be_cut:
            yield f"{where} is cut"
        left, right = ink.x, ink.x + ink.w
        if left < -_SLACK_PX or right > piece.place.w + _SLACK_PX:
            yield f"{where} reaches over the sides of {piece.key}"
        if not piece.is_list and (
            ink.y < -_SLACK_PX * 2 or ink.y + ink.h > piece.place.h + _SLACK_PX * 2
        ):
            yield f"{where} reaches over the top or the bottom of {piece.key}"
        capital = ink.px * CAPITAL / screen.panel.px_per_mm
        if capital < THEME.least - 0.15:
            yield f"{where} has capitals of only {capital:.1f} mm"
        missing = [c for c in ink.text if ord(c) not in characters() and c != " "]
        if missing:
            yield f"{where} has characters the font lacks: {missing}"
        if contrast(ink.colour, fill[:7]) < _LEAST_CONTRAST:
            yield f"{where} has too little contrast on {fill}"


def _about_columns(piece: Piece, parts: Sequence[Ink]) -> Iterator[str]:
    end = 0
    for ink in parts:
        if not ink.text:
            continue
        if ink.x < end:
            yield f"{piece.key}: {ink.text[:40]!r} runs into what is left of it"
        end = ink.x + (textures.text(ink.text, ink.px, ink.bold).size[0])


def _about_overlaps(pieces: list[Piece]) -> Iterator[str]:
    """Two things may lie over each other only when one holds the other."""
    if any(piece.key == "shade" for piece in pieces):
        begin = next(n for n, piece in enumerate(pieces) if piece.key == "shade")
        pieces = pieces[begin:]
    solid = [p for p in pieces if not p.key.startswith(_OVERLAYS)]
    for n, one in enumerate(solid):
        for other in solid[n + 1 :]:
            if _holds(one.place, other.place) and not one.button:
                continue
            if _overlap(one.place, other.place):
                yield f"{one.key} and {other.key} lie over each other"
    names = [piece.button.name for piece in pieces if piece.button]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"there are several controls called {name}"


def _holds(outer: Place, inner: Place) -> bool:
    return (
        outer.x - _SLACK_PX <= inner.x
        and outer.y - _SLACK_PX <= inner.y
        and outer.x + outer.w + _SLACK_PX >= inner.x + inner.w
        and outer.y + outer.h + _SLACK_PX >= inner.y + inner.h
    )


def _overlap(one: Place, other: Place) -> bool:
    return (
        one.x + _SLACK_PX < other.x + other.w
        and other.x + _SLACK_PX < one.x + one.w
        and one.y + _SLACK_PX < other.y + other.h
        and other.y + _SLACK_PX < one.y + one.h
    )
