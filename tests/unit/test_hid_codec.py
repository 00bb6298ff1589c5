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
from msgspec.structs import replace

from hardware.input_device import EV_KEY, EV_SYN, SYN_DROPPED, KeyEvent, events, packed
from hardware.scanner.hid_codec import GAP_SECONDS, Heard, HidKeys
from hardware.scanner.hid_layouts import key_map
from hardware.scanner.label import LONGEST_LABEL

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
LAYOUTS = ("us", "de", "fr")


def heard(keys, layout="us", accepts_gs=False):
    return HidKeys(key_map(layout), accepts_gs).hear(keys)


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


def later(keys, at_seconds):
    return [replace(event, at_seconds=at_seconds) for event in keys]


@pytest.mark.parametrize("is_read_at_once", [True, False])
def test_half_a_label_is_forgotten_after_a_pause(is_read_at_once):
    us = key_map("us")
    half = later(typed("999", us), 1.0)
    whole = later([*typed("123", us), *press(ENTER)], 1.1 + GAP_SECONDS)
    keys = HidKeys(us, accepts_gs=False)
    if is_read_at_once:
        assert keys.hear([*half, *whole]).labels == (b"123",)
    else:
        keys.hear(half)
        assert keys.hear(whole).labels == (b"123",)


def test_a_pause_is_the_scanners_and_not_the_readers():
    # Each key came soon after the last one; the lane read each by itself, however late.
    us = key_map("us")
    keys = HidKeys(us, accepts_gs=False)
    label = [*typed("12345670", us), *press(ENTER)]
    told = [keys.hear(later([key], n * 0.01)).labels for n, key in enumerate(label)]
    assert [one for one in told if one] == [(b"12345670",)]


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
    assert len(found) == len(data) // 24
    for place, event in enumerate(found):
        untimed = packed(replace(event, at_seconds=0.0))
        assert untimed[16:] == data[place * 24 :][16:24]
    for label in heard(found).labels:
        assert len(label) <= LONGEST_LABEL


def test_an_event_tells_when_the_kernel_had_it():
    event = KeyEvent(EV_KEY, 2, 1, at_seconds=12.25)
    assert list(events(packed(event))) == [event]


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 2)), max_size=60))
def test_any_keys_give_printable_labels_only(keys):
    pressed = [KeyEvent(EV_KEY, code, value) for code, value in keys]
    for label in heard([*pressed, *press(ENTER)], accepts_gs=True).labels:
        assert all(0x20 <= byte < 0x7F or byte == 0x1D for byte in label)
