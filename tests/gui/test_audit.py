"""The audit finds each kind of fault when one is planted, or it would prove nothing."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kiosk.ui.audit import audit
from kiosk.ui.gallery import SCANNING, lane
from kiosk.ui.pieces import Ink, Place

pytestmark = pytest.mark.gui


def faults(stage, key: str, **changes: object) -> str:
    """Show a sound screen, spoil one piece of it, and return what is found."""
    stage.show(lane(SCANNING))
    assert audit(stage.app.screen) == []
    (widget,) = [w for w in stage.app.screen.shown if w.piece.key == key]
    sound = widget.piece
    try:
        widget.piece = replace(sound, **changes)
        return "\n".join(audit(stage.app.screen))
    finally:
        widget.piece = sound


def ink(text: str, **changes: object) -> Ink:
    sound = Ink(text, 10, 10, 300, 40, 28, "#10202E")
    return replace(sound, **changes)


def test_clipped_words_are_found(stage):
    words = ink("Far too long for its box", w=40)
    assert "needs" in faults(stage, "remove", parts=(words,))


def test_cut_words_are_found(stage):
    assert "is cut" in faults(stage, "remove", parts=(ink("Rem…", is_cut=True),))


def test_words_outside_their_button_are_found(stage):
    assert "reaches over" in faults(stage, "remove", parts=(ink("Out", y=-60),))
    assert "reaches over" in faults(stage, "remove", parts=(ink("Out", x=3000),))


def test_small_words_are_found(stage):
    assert "capitals of only" in faults(stage, "remove", parts=(ink("tiny", px=14),))


def test_a_glyph_the_font_lacks_is_found(stage):
    assert "the font lacks" in faults(stage, "remove", parts=(ink("牛乳"),))


def test_pale_words_are_found(stage):
    pale = ink("pale", colour="#FFC247")
    assert "too little contrast" in faults(stage, "remove", parts=(pale,))


def test_a_small_target_is_found(stage):
    place = Place(40, 600, 200, 30)
    assert "control remove is only" in faults(stage, "remove", place=place)


def test_controls_over_each_other_are_found(stage):
    stage.show(lane(SCANNING))
    (pay,) = [w.piece for w in stage.app.screen.shown if w.piece.key == "pay"]
    assert "lie over each other" in faults(stage, "remove", place=pay.place)


def test_what_is_off_the_glass_is_found(stage):
    assert "off the glass" in faults(stage, "remove", place=Place(-50, 10, 200, 90))


def test_a_control_without_speech_or_name_is_found(stage):
    stage.show(lane(SCANNING))
    (button,) = [
        w.piece.button for w in stage.app.screen.shown if w.piece.key == "remove"
    ]
    mute = replace(button, label="", speech="", detail="", amount="")
    assert "without speech" in faults(stage, "remove", button=mute)
    nameless = replace(button, name="Löschen")
    assert "no plain name" in faults(stage, "remove", button=nameless)
    twice = replace(button, name="pay")
    assert "several controls called pay" in faults(stage, "remove", button=twice)
