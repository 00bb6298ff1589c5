"""What keys a scanner may press, on three layouts, and what comes of all others."""

from __future__ import annotations

import pytest
from hid_keyboard import (
    BRACKET,
    ENTER,
    F2,
    LEFT_ALT,
    LEFT_CTRL,
    SUPER,
    SYSRQ,
    chord,
    press,
    typed,
)
from hypothesis import given
from hypothesis import strategies as st

from hardware.input_device import EV_KEY, EV_SYN, SYN_DROPPED, KeyEvent, events, packed
from hardware.scanner.hid_codec import GAP_SECONDS, Heard, HidKeys
from hardware.scanner.hid_layouts import key_map
from hardware.scanner.label import LONGEST_LABEL

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
LAYOUTS = ("us", "de", "fr")


def heard(keys, layout="us", accepts_gs=False):
    return HidKeys(key_map(layout), accepts_gs).hear(keys, 1.0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_printable_character_can_be_typed(layout):
    keys = [*typed(PRINTABLE, key_map(layout)), *press(ENTER)]
    assert heard(keys, layout) == Heard((PRINTABLE.encode(),))


@given(st.sampled_from(LAYOUTS), st.text(alphabet=PRINTABLE, min_size=1, max_size=80))
def test_what_is_typed_is_what_is_read(layout, text):
    keys = [*typed(text, key_map(layout)), *press(ENTER)]
    assert heard(keys, layout) == Heard((text.encode(),))


def test_a_scanner_on_another_layout_is_not_read_as_digits():
    keys = [*typed("1234", key_map("fr")), *press(ENTER)]
    assert heard(keys, "us").labels == (b"!@#$",)


@pytest.mark.parametrize(
    "forbidden",
    [
        chord(LEFT_ALT, F2),
        chord(SUPER, 19),
        press(SYSRQ),
        press(1),
        press(F2),
        press(103),
        chord(LEFT_CTRL, 46),
        chord(LEFT_CTRL, BRACKET),
    ],
    ids=["Alt-F2", "Super-R", "SysRq", "Esc", "F2", "Up", "Ctrl-C", "GS unasked"],
)
def test_what_no_label_has_is_counted_and_spoils_the_label(forbidden):
    us = key_map("us")
    told = heard([*typed("12", us), *forbidden, *typed("34", us), *press(ENTER)])
    assert told.labels == ()
    assert told.tampered >= 1


def test_the_label_after_a_spoilt_one_is_read():
    us = key_map("us")
    keys = [*chord(LEFT_ALT, F2), *press(ENTER), *typed("12345670", us), *press(ENTER)]
    assert heard(keys).labels == (b"12345670",)


def test_a_key_that_is_held_down_types_once():
    held = [KeyEvent(EV_KEY, 2, 1), *[KeyEvent(EV_KEY, 2, 2)] * 30]
    assert heard([*held, *press(ENTER)]).labels == (b"1",)


def test_half_a_label_is_forgotten_after_a_pause():
    us = key_map("us")
    keys = HidKeys(us, accepts_gs=False)
    keys.hear(typed("999", us), 1.0)
    told = keys.hear([*typed("123", us), *press(ENTER)], 1.1 + GAP_SECONDS)
    assert told.labels == (b"123",)


def test_a_label_without_an_end_does_not_grow():
    us = key_map("us")
    keys = [*typed("1" * (LONGEST_LABEL + 10), us), *press(ENTER)]
    assert heard(keys).labels == ()
    assert heard([*keys, *typed("5", us), *press(ENTER)]).labels == (b"5",)


def test_what_the_kernel_lost_is_no_label():
    us = key_map("us")
    lost = [KeyEvent(EV_SYN, SYN_DROPPED, 0), *typed("34", us), *press(ENTER)]
    keys = [*typed("12", us), *lost, *press(ENTER), *typed("7", us), *press(ENTER)]
    told = heard(keys)
    assert b"1234" not in told.labels
    assert told.labels[-1] == b"7"


@given(st.binary(max_size=480))
def test_any_bytes_of_a_device_are_events_and_never_more_than_a_label(data):
    found = list(events(data))
    assert b"".join(packed(event) for event in found)[16:24] == data[16:24] or not found
    for label in heard(found).labels:
        assert len(label) <= LONGEST_LABEL


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 2)), max_size=60))
def test_any_keys_give_printable_labels_only(keys):
    pressed = [KeyEvent(EV_KEY, code, value) for code, value in keys]
    for label in heard([*pressed, *press(ENTER)], accepts_gs=True).labels:
        assert all(0x20 <= byte < 0x7F or byte == 0x1D for byte in label)
