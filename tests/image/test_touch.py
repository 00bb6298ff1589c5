"""A touch panel at the machine: one finger shops, five at once do nothing.

In order: each test goes on where the one before it left the machine. The kernel is made
to say all that it does (`ignore_loglevel`). The virtual tablet makes the machine a lane;
who shops has fingers only.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import usb_touch
from appliance_hand import ANSWER_SECONDS, PAYMENT_SECONDS, kept, receipts, show_card
from appliance_screen import (
    RECEIPT_BUTTONS,
    answered,
    has_label,
    has_lines,
    like,
    place,
)
from appliance_setup import GOODS, enrol, try_terminal
from appliance_usb import FOUND, PLUG_SECONDS, joined, pull
from imagebuild.machine import until
from imagebuild.stand import Stand
from usb_liar import Plug
from usb_touch import Fingers

OUT = Path(__file__).parents[2] / "var" / "test-image" / "touch"
MILK, BREAD = "9520000000011", "9520000000028"
FINGERS = 10
# As hardware/profiles/usb/devices.toml has Elo's of 15.6 inches.
PANEL = usb_touch.panel(0x04E7, 0x2902, ("03:00:00",), FINGERS)
NAME = "panel"


@pytest.fixture(scope="module")
def stand(disk: Path) -> Iterator[Stand]:
    """A machine that tells all."""
    shutil.rmtree(OUT, ignore_errors=True)
    stand = Stand(disk, OUT, GOODS, more_words="ignore_loglevel")
    yield stand
    stand.close()


@pytest.fixture(scope="module")
def panel(stand: Stand) -> Iterator[Plug]:
    """A panel that is there before the machine has power, as a kiosk's is."""
    with Plug(stand.folder / "panel.usb", PANEL) as plug:
        yield plug


@pytest.fixture(scope="module")
def fingers(panel: Plug) -> Iterator[Fingers]:
    """A hand at that panel."""
    with Fingers(panel, FINGERS) as fingers:
        yield fingers


def test_it_becomes_a_lane_with_its_panel_at_its_port(
    stand: Stand, panel: Plug
) -> None:
    stand.machine.start(
        *("-chardev", f"socket,id={NAME}-wire,path={panel.path}"),
        *("-device", f"usb-redir,chardev={NAME}-wire,id={NAME}"),
    )
    enrol(stand)
    try_terminal(stand)


def test_the_panel_is_let_in_and_has_many_fingers(stand: Stand, panel: Plug) -> None:
    assert f"usb {_port(stand)}: authorized to connect" in stand.machine.said
    assert re.search(r"hid-multitouch \S+: input.*\[Acme Touch\]", stand.machine.said)
    _wait_until_read(panel)


def test_one_finger_on_start_begins_a_sale(stand: Stand, fingers: Fingers) -> None:
    _tap(stand, fingers, "attract", "start")
    stand.scan(MILK)
    stand.wait_until_shown("scanned", has_lines(1), ANSWER_SECONDS)


def test_five_fingers_at_once_on_pay_change_nothing(
    stand: Stand, fingers: Fingers
) -> None:
    x, y = place("scanning", "pay")
    fingers.hold({n: (x + 20 * n - 40, y + n) for n in range(5)})
    # What the lane made of them was done before it took this.
    stand.scan(BREAD)
    stand.wait_until_shown("after-five", has_lines(2), ANSWER_SECONDS)


def test_one_finger_afterwards_pays(stand: Stand, fingers: Fingers) -> None:
    _tap(stand, fingers, "scanning", "pay")
    show_card(stand)
    until(lambda: bool(kept(stand)), PAYMENT_SECONDS, "an approved payment")
    stand.wait_until_shown("paid", like("paid", RECEIPT_BUTTONS), PAYMENT_SECONDS)


def test_pulled_out_and_put_in_again_it_still_works(stand: Stand) -> None:
    pull(stand.machine, NAME, _port(stand))
    path = stand.folder / "panel-again.usb"
    with Plug(path, PANEL) as plug, joined(stand.machine, plug, f"{NAME}-again"):
        _wait_until_read(plug)
        with Fingers(plug, FINGERS) as fingers:
            _tap(stand, fingers, "complete_ask", "receipt_paper")
        until(lambda: bool(receipts(stand)), PAYMENT_SECONDS, "a receipt")


# -- how it is told --------------------------------------------------------


def _port(stand: Stand) -> str:
    (port,) = re.findall(rf"{FOUND}=04e7, idProduct=2902", stand.machine.said)
    return str(port)


def _wait_until_read(panel: Plug) -> None:
    """Wait until the lane reads it, and no better driver takes it over any more."""
    until(lambda: panel.polled_seconds > 1, PLUG_SECONDS, "a lane that reads the panel")


def _tap(stand: Stand, fingers: Fingers, view: str, button: str) -> None:
    """Tap a View's button once it is there; wait until the glass shows something else."""
    at = place(view, button)
    stand.wait_until_shown("button", has_label(at), ANSWER_SECONDS)
    before = stand.picture("before-tap")
    fingers.tap(*at)
    stand.wait_until_shown("tapped", answered(before), ANSWER_SECONDS)
