"""A hand on the glass: what a tap on a real button posts, and which taps do not count."""

from __future__ import annotations

import pytest
from kivy.base import EventLoop
from kivy.tests.common import UnitTestTouch
from msgspec.structs import replace

from kiosk.asked import CodeTyped, ItemPicked, PinGiven, ResumeAsked
from kiosk.domain.events import (
    AttendantLeft,
    BackPressed,
    CancelPressed,
    DateConfirmed,
    HelpCancelled,
    HelpPressed,
    InterventionApproved,
    InterventionRefused,
    LaneClosed,
    LanguageChosen,
    LineVoided,
    MoreTimePressed,
    NoticeRead,
    PayPressed,
    PriceOverridden,
    QuantityChanged,
    ReceiptChosen,
    ReprintAsked,
    SaleReturned,
    SaleVoided,
    StaffPressed,
    StartPressed,
    TenderSettled,
    TrainingStarted,
    WeighingCancelled,
)
from kiosk.domain.state import (
    Attending,
    Basket,
    Idle,
    Intervention,
    OutcomeUnknown,
    Paying,
    PinEntry,
    Scanning,
    Weighing,
)
from kiosk.ui.gallery import (
    ALL_ROLES,
    BASKET,
    LINES,
    NOON_MS,
    SCANNING,
    TENDER,
    filled,
    lane,
    line,
    views,
)
from kiosk.ui.glass import Glass
from kiosk.ui.touches import GUARD_SECONDS

pytestmark = pytest.mark.gui


def example(name: str):
    """Return a gallery's state and panel by name."""
    return next((state, local) for n, state, local in views() if n == name)


@pytest.mark.parametrize(
    ("view", "taps", "posted"),
    [
        ("attract", ["start"], [StartPressed()]),
        ("attract", ["lang_de"], [LanguageChosen("de")]),
        ("attract", ["help"], [HelpPressed("other")]),
        ("attract", ["staff"], [StaffPressed()]),
        ("attract_resume", ["resume_own"], [ResumeAsked(700)]),
        ("scanning", ["pay"], [PayPressed()]),
        ("scanning", ["lang_de"], [LanguageChosen("de")]),
        ("scanning_empty", ["cancel"], [CancelPressed()]),
        ("notice_expired", ["notice_ok"], [NoticeRead()]),
        ("more_time", ["more_time"], [MoreTimePressed()]),
        ("weighing", ["back"], [WeighingCancelled()]),
        ("intervention_unknown_item", ["go_on"], [HelpCancelled()]),
        ("intervention_help", ["go_on"], [HelpCancelled()]),
        ("paying_asked", ["back"], [BackPressed()]),
        ("paying_called", ["help_cancel"], [HelpCancelled()]),
        ("declined_declined", ["pay"], [PayPressed()]),
        ("declined_declined", ["back"], [BackPressed()]),
        ("complete_ask", ["receipt_paper"], [ReceiptChosen("paper")]),
        ("complete_ask", ["receipt_qr"], [ReceiptChosen("qr")]),
        ("complete_ask", ["receipt_none"], [ReceiptChosen("none")]),
        ("pin_number", ["back"], [AttendantLeft()]),
        ("attendant_age", ["approve"], [InterventionApproved(880, "1001", "seen")]),
        ("attendant_age", ["refuse"], [InterventionRefused(880, "1001", "refused")]),
        ("attendant_rest", ["confirm_date"], [DateConfirmed("1001")]),
        ("attendant_rest", ["training"], [TrainingStarted("1001")]),
        ("attendant_rest", ["close_lane"], [LaneClosed("1001", "attendant")]),
    ],
)
def test_a_button_posts_what_it_says(stage, view, taps, posted):
    stage.show(*example(view))

    stage.tap(*taps)

    assert stage.posted == posted


def real(posted):
    """What was posted, without the word that somebody is there."""
    return [event for event in posted if event != MoreTimePressed()]


def test_a_shopper_finds_apples_among_the_pictures(stage):
    stage.show(lane(SCANNING))

    stage.tap("produce", "page_1", "item_plu_4001")

    assert real(stage.posted) == [ItemPicked("plu:4001")]


def test_a_shopper_types_the_first_letters_of_a_name(stage):
    stage.show(lane(SCANNING))

    stage.tap("produce", "search", "key_p", "key_e", "key_a", "item_plu_4010")

    assert real(stage.posted) == [ItemPicked("plu:4010")]


def test_a_shopper_types_the_number_on_a_sticker(stage):
    stage.show(lane(SCANNING))

    stage.tap("code", "key_4", "key_0", "key_1", "key_2", "key_erase", "key_1", "enter")

    assert real(stage.posted) == [CodeTyped("4011")]
    assert "pay" in stage.names()


def test_a_shopper_takes_two_items_out_and_the_list_stays_open(stage):
    stage.show(lane(SCANNING))
    stage.tap("remove", "remove_8")
    struck = replace(LINES[7], line_no=9, voids=8, quantity=-1)
    basket = replace(BASKET, lines=(*LINES, struck))
    stage.become(mode=Scanning(basket))

    stage.tap("remove_5")

    assert real(stage.posted) == [LineVoided(8), LineVoided(5)]
    assert "remove_6" in stage.names()


def test_a_deposit_goes_with_its_bottle_and_not_alone(stage):
    stage.show(lane(SCANNING))
    stage.tap("remove")

    assert "remove_6" in stage.names()
    assert "remove_7" not in stage.names()


def test_a_shopper_changes_a_quantity(stage):
    stage.show(lane(SCANNING))

    stage.tap("quantity", "line_5", "key_1", "key_2", "enter")

    assert real(stage.posted) == [QuantityChanged(5, 12)]


def test_leaving_with_items_is_asked_twice(stage):
    stage.show(lane(SCANNING))
    stage.tap("remove", "leave")
    assert real(stage.posted) == []

    stage.tap("leave_yes")

    assert real(stage.posted) == [CancelPressed()]


def test_help_says_what_it_is_about(stage):
    stage.show(lane(SCANNING))

    stage.tap("help", "help_price")

    assert real(stage.posted) == [HelpPressed("price")]


def test_a_new_item_closes_what_lay_over_the_list(stage):
    stage.show(lane(SCANNING))
    stage.tap("produce")
    more = replace(BASKET, lines=(*LINES, line(9, "Tea", "Tee", 199)))

    stage.become(mode=Scanning(more))

    assert "pay" in stage.names()


def test_an_attendant_signs_on_with_number_and_pin(stage):
    stage.show(lane(PinEntry(SCANNING)))

    stage.tap("key_1", "key_0", "key_0", "key_1", "enter")
    stage.tap(*(f"key_{digit}" for digit in "112233"), "enter")

    assert real(stage.posted) == [PinGiven("1001", "112233")]
    assert stage.app.local.pin == ""


def test_a_short_pin_cannot_be_sent(stage):
    stage.show(lane(PinEntry(SCANNING)))
    stage.tap("key_1", "enter")

    stage.tap(*(f"key_{digit}" for digit in "12345"))

    assert "enter" not in stage.names()


def test_the_pin_is_never_drawn_spoken_or_shown_in_a_traceback(stage):
    stage.show(lane(PinEntry(SCANNING)))
    stage.tap("key_1", "enter")
    stage.tap(*(f"key_{digit}" for digit in "987654"))

    (field,) = [w.piece for w in stage.app.screen.shown if w.piece.key == "field"]
    assert "".join(part.text for part in field.parts) == "••••••"
    assert "9" not in field.speech + stage.app.screen.view.speech
    assert "987654" not in repr(stage.app.local)
    spoken = {b.spoken for b in stage.app.screen.view.controls if b.kind == "key"}
    assert not any(any(c.isdigit() for c in words) for words in spoken)


def test_a_wrong_pin_empties_the_pad_and_keeps_the_number(stage):
    stage.show(lane(PinEntry(SCANNING)))
    stage.tap("key_7", "enter", *(f"key_{digit}" for digit in "111111"))

    stage.become(mode=PinEntry(SCANNING, trouble="wrong"))

    assert stage.app.local.pin == ""
    assert stage.app.local.number == "7"


@pytest.mark.parametrize(
    ("taps", "posted"),
    [
        (
            ["lines", "line_5", "void", "reason_damaged"],
            LineVoided(5, "1001", "damaged"),
        ),
        (
            ["lines", "line_5", "quantity", "key_2", "enter"],
            QuantityChanged(5, 2, "1001"),
        ),
        (
            [
                *("lines", "line_5", "price"),
                *("key_1", "key_9", "key_9", "enter", "reason_reduced"),
            ],
            PriceOverridden(5, 199, "1001", "reduced"),
        ),
        (["void_sale", "reason_customer_left"], SaleVoided("1001", "customer_left")),
    ],
)
def test_an_attendant_changes_the_basket_and_says_why(stage, taps, posted):
    stage.show(lane(Attending("1001", ALL_ROLES, SCANNING)))

    stage.tap(*taps)

    assert real(stage.posted) == [posted]


@pytest.mark.parametrize(
    ("taps", "posted"),
    [
        (["sales", "sale_806", "reprint"], ReprintAsked(806, "1001")),
        (
            ["sales", "sale_806", "give_refund", "reason_goods_back"],
            SaleReturned(806, "refund", "1001", "goods_back"),
        ),
        (
            ["sales", "next", "sale_801", "give_void", "reason_paid_twice"],
            SaleReturned(801, "void", "1001", "paid_twice"),
        ),
        (["resume", "resume_703"], ResumeAsked(703, "1001")),
        (
            ["settle", "settle_0", "decide_paid", "reason_bank", "key_4", "enter"],
            TenderSettled("a-20261103-00c0ffee", "paid", "1001", "bank", "4"),
        ),
        (
            ["settle", "settle_1", "decide_reverse", "reason_other", "enter"],
            TenderSettled("a-20261103-0badcafe", "reverse", "1001", "other", ""),
        ),
    ],
)
def test_an_attendant_settles_what_was_left_open(stage, taps, posted):
    stage.show(*example("attendant_rest"))

    stage.tap(*taps)

    assert real(stage.posted) == [posted]


def test_a_payment_without_an_answer_can_be_settled_by_hand(stage):
    stage.show(lane(Attending("1001", ALL_ROLES, OutcomeUnknown(BASKET, TENDER))))

    stage.tap("settle", "settle_0", "decide_not_paid", "reason_terminal_slip", "enter")

    assert real(stage.posted) == [
        TenderSettled(TENDER.attempt_id, "not_paid", "1001", "terminal_slip", "")
    ]


def test_who_may_only_approve_is_offered_nothing_else(stage):
    waiting = Intervention(880, "age", SCANNING, line_no=8)
    stage.show(lane(Attending("1001", ("approve",), waiting)))

    assert "approve" in stage.names()
    assert not {"void_sale", "close_lane", "training"} & set(stage.names())
    assert "lines" not in stage.names()


def test_nothing_but_help_and_language_is_left_once_a_card_is_seen(stage):
    stage.show(lane(Paying(BASKET, TENDER, "asked", "card_seen")))

    assert stage.names() == ["help", "lang_de"]


# -- what does not count -----------------------------------------------------


def test_pay_is_dead_for_a_moment_after_it_appeared(stage):
    stage.show(lane(Scanning(Basket("e", NOON_MS))))
    stage.become(mode=SCANNING)
    finger = stage.finger("pay")
    finger.touch_down()
    stage.at += GUARD_SECONDS - 0.1
    finger.touch_up()
    assert stage.posted == []

    stage.at += 0.2
    stage.tap("pay")

    assert stage.posted == [PayPressed()]


def test_one_more_item_does_not_make_pay_dead_again(stage):
    stage.show(lane(SCANNING))
    more = replace(BASKET, lines=(*LINES, line(9, "Tea", "Tee", 199)))
    stage.become(mode=Scanning(more))

    finger = stage.finger("pay")
    finger.touch_down()
    stage.at += 0.1
    finger.touch_up()

    assert stage.posted == [PayPressed()]


def test_a_bounce_is_one_tap(stage):
    stage.show(lane(Idle()))
    for _ in range(2):
        finger = stage.finger("start")
        finger.touch_down()
        stage.at += 0.05
        finger.touch_up()

    assert stage.posted == [StartPressed()]


def test_a_key_struck_twice_in_a_row_is_two_digits(stage):
    stage.show(lane(SCANNING))
    stage.tap("code")
    for _ in range(2):
        finger = stage.finger("key_1")
        finger.touch_down()
        stage.at += 0.08
        finger.touch_up()
        stage.at += 0.08

    assert stage.app.local.typed == "11"


def test_a_ghost_shorter_than_a_finger_is_no_tap(stage):
    stage.show(lane(Idle()))
    finger = stage.finger("start")
    finger.touch_down()
    stage.at += 0.01
    finger.touch_up()

    assert stage.posted == []


def test_a_tap_within_one_frame_of_a_slow_machine_is_a_tap(stage):
    stage.show(lane(Idle()))
    stage.frame_seconds = 0.5
    finger = stage.finger("start")
    finger.touch_down()
    finger.touch_up()

    assert stage.posted == [StartPressed()]


def test_a_finger_that_sdl_reports_taps_too(stage):
    stage.show(lane(Idle()))
    place = stage.finger("start")
    at = (3, place.sx, 1 - place.sy, 1.0)
    glass = EventLoop.window._win
    assert isinstance(glass, Glass)
    told = [("fingerdown", *at), None, ("fingerup", *at), False]
    glass = Glass(Told(told), EventLoop.input_providers)
    for _ in range(2):
        assert glass.poll()[0].startswith("finger")
        stage.frame()
        stage.at += 0.1
        glass.poll()

    assert stage.posted == [StartPressed()]


class Told:
    """A window of SDL's that reports what it was told to."""

    def __init__(self, events):
        self.events = iter(events)

    def poll(self):
        return next(self.events)


def test_five_fingers_of_a_child_buy_nothing(stage):
    stage.show(lane(Idle()))
    fingers = [stage.finger(name) for name in ("start", "help", "staff")]
    for finger in fingers:
        finger.touch_down()
    stage.at += 0.2
    for finger in fingers:
        finger.touch_up()
    assert stage.posted == []

    stage.at += 1
    stage.tap("start")

    assert stage.posted == [StartPressed()]


def test_a_finger_that_slides_off_takes_nothing(stage):
    stage.show(lane(Idle()))
    finger = stage.finger("start")
    finger.touch_down()
    stage.at += 0.1
    finger.touch_move(5, 5)
    finger.touch_up()

    assert stage.posted == []


def test_what_waits_behind_a_question_cannot_be_tapped(stage):
    stage.show(lane(SCANNING))
    pay = stage.finger("pay").pos
    stage.show(lane(Scanning(BASKET, is_warned=True)))

    assert stage.names() == ["more_time"]
    finger = UnitTestTouch(*pay)
    finger.touch_down()
    stage.at += 0.1
    finger.touch_up()

    assert PayPressed() not in stage.posted


def test_a_button_that_went_away_under_the_finger_is_not_tapped(stage):
    stage.show(lane(SCANNING))
    finger = stage.finger("pay")
    finger.touch_down()
    stage.at += 0.2
    stage.become(mode=Weighing(BASKET, LINES[3]))
    finger.touch_up()

    assert stage.posted == []


# -- long lists and idle hands -----------------------------------------------


def in_sight(stage):
    """Return the names of the rows in sight, top first."""
    (rows,) = [w for w in stage.app.screen.shown if w.piece.is_list]
    lines = sorted(rows.visible, key=lambda shown: -shown.group.children[1].y)
    return [shown.row for shown in lines]


def test_a_long_list_shows_its_newest_row_and_leafs_back(stage):
    stage.show(filled(200))
    rows = stage.app.screen.view.rows
    shown = in_sight(stage)
    assert shown == list(rows[-len(shown) :])

    stage.tap("list_up")

    shown = in_sight(stage)
    assert shown == list(rows[-len(shown) - 5 : -5])


def test_a_new_item_brings_the_end_of_the_list_back(stage):
    stage.show(filled(200))
    stage.tap("list_up", "list_up")

    stage.app.show(filled(201))
    stage.frame()

    shown = in_sight(stage)
    assert shown == list(stage.app.screen.view.rows[-len(shown) :])


def test_a_finger_drags_the_list(stage):
    stage.show(filled(200))
    before = in_sight(stage)
    (rows,) = [w for w in stage.app.screen.shown if w.piece.is_list]
    finger = UnitTestTouch(rows.center_x, rows.center_y)
    finger.touch_down()
    finger.touch_move(rows.center_x, rows.center_y - 3 * rows.row_px)
    finger.touch_up()

    assert in_sight(stage)[3:] == before[:-3]


def test_leafing_tells_the_lane_that_somebody_is_there_but_not_at_every_tap(stage):
    stage.show(lane(SCANNING))

    stage.tap("produce", "page_1", "page_2", "page_3")

    assert stage.posted == [MoreTimePressed()]


def test_a_forgotten_panel_closes_by_itself(stage):
    stage.show(lane(SCANNING))
    stage.tap("produce")
    stage.at += 61

    stage.app._second(1.0)

    assert "pay" in stage.names()
