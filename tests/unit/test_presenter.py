"""What the screen says and offers, mode by mode, without a screen."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kiosk.domain.catalog import Item, Price
from kiosk.domain.effects import Ignore
from kiosk.domain.events import Event, MoreTimePressed, PayPressed
from kiosk.domain.lane import advance
from kiosk.domain.state import (
    Approval,
    Attending,
    Basket,
    Closed,
    Complete,
    Declined,
    Idle,
    Intervention,
    Mode,
    OutcomeUnknown,
    Paying,
    PinEntry,
    Scanning,
    Training,
    Weighing,
)
from kiosk.domain.tender import Attempt, Stage
from kiosk.ui.finding import picture
from kiosk.ui.gallery import (
    ALL_ROLES,
    BASKET,
    LINES,
    NOON_MS,
    RULES,
    SALE,
    SCANNING,
    TENDER,
    WINE,
    Shelf,
    lane,
    views,
)
from kiosk.ui.local import Local, follow, stocked
from kiosk.ui.presenter import is_timed, present
from kiosk.ui.service_gallery import MACHINE, machine
from kiosk.ui.theme import THEME, contrast

EXAMPLES = {
    (language, name): (state, local)
    for language in ("en", "de")
    for name, state, local in views(language)
}


def names(view):
    return [button.name for button in view.controls]


def test_the_gallery_has_every_mode():
    inner = [state.mode for state, _ in EXAMPLES.values()]
    assert {type(mode) for mode in inner} == set(Mode.__args__)


def test_no_two_examples_share_a_name():
    shown = [name for name, _, _ in views()]
    assert len(shown) == len(set(shown))


@pytest.mark.parametrize(("language", "name"), EXAMPLES)
def test_every_control_has_one_plain_name_and_a_voice(language, name):
    view = present(*EXAMPLES[language, name])

    found = names(view)
    assert len(found) == len(set(found)), found
    assert all(n.isascii() and n.replace("_", "").isalnum() for n in found)
    assert all(button.spoken for button in view.controls)
    assert view.speech
    assert all(row.speech for row in view.rows)


@pytest.mark.parametrize(("language", "name"), EXAMPLES)
def test_every_control_does_something(language, name):
    for button in present(*EXAMPLES[language, name]).controls:
        assert button.post is not None or button.local is not None, button.name


@pytest.mark.parametrize(
    "name", [name for language, name in EXAMPLES if language == "en"]
)
def test_the_lane_has_an_ear_for_every_button_that_is_offered(name):
    state, local = EXAMPLES["en", name]
    for button in present(state, local).controls:
        if isinstance(button.post, Event):
            _, effects = advance(state, button.post)
            assert not [e for e in effects if isinstance(e, Ignore)], button.name


@pytest.mark.parametrize(
    "mode", [Idle(), SCANNING, Paying(BASKET, TENDER), Closed("day")]
)
def test_presenting_twice_is_the_same(mode):
    assert present(lane(mode), Local()) == present(lane(mode), Local())


@pytest.mark.parametrize(("language", "name"), EXAMPLES)
def test_a_development_release_says_so_on_every_screen(language, name):
    view = present(*EXAMPLES[language, name], machine=machine("a_development"))
    assert view.banners[0].name == "development"


def test_a_production_release_says_nothing_of_the_kind():
    for state, local in EXAMPLES.values():
        view = present(state, local, machine=MACHINE)
        assert "development" not in [bar.name for bar in view.banners]


def test_prompts_are_short():
    for (language, name), (state, local) in EXAMPLES.items():
        title = present(state, local).title
        assert len(title.split()) <= 8, (language, name, title)


def test_no_view_speaks_of_errors_or_the_unexpected():
    for state, local in EXAMPLES.values():
        words = present(state, local).speech.casefold()
        assert "error" not in words
        assert "fehler" not in words
        assert "unexpected" not in words


# -- selling -----------------------------------------------------------------


def test_the_list_says_why_something_was_taken_off():
    view = present(lane(SCANNING), Local())
    kinds = [(row.kind, row.name, row.amount) for row in view.rows]

    at = kinds.index(("discount", "3 for 2: Greek yoghurt", "-2.29"))
    assert kinds[at - 1] == ("item", "Greek yoghurt 500 g", "6.87")
    assert ("deposit", "Deposit", "0.50") in kinds
    assert view.rows[view.newest].name == "Olive oil extra virgin 750 ml"
    assert view.total is not None
    assert view.total.detail == "You save €2.29 · incl. deposit €0.50"


def test_german_writes_money_and_weights_its_own_way():
    view = present(lane(SCANNING, "de"), Local())

    assert view.total is not None
    assert view.primary is not None
    assert view.total.amount == "23,60\N{NO-BREAK SPACE}€"
    assert view.primary.label == "23,60\N{NO-BREAK SPACE}€ bezahlen"
    assert view.rows[3].detail == "0,512 kg × 2,99"


def test_a_voided_line_leaves_the_list():
    struck = replace(LINES[0], line_no=9, voids=1, quantity=-1, extended_minor=-129)
    basket = replace(BASKET, lines=(*LINES, struck))

    view = present(lane(Scanning(basket)), Local())

    assert "Whole milk 1 l" not in [row.name for row in view.rows]
    assert len([r for r in view.rows if r.kind != "discount"]) == len(LINES) - 1


def test_an_empty_basket_cannot_be_paid():
    view = present(lane(Scanning(Basket("e", NOON_MS))), Local())
    assert "pay" not in names(view)
    assert view.primary is None


def test_the_question_for_more_time_is_the_only_live_thing():
    view = present(lane(Scanning(BASKET, is_warned=True)), Local(panel="produce"))

    assert [b.post for b in view.controls] == [MoreTimePressed()]
    assert view.card is not None
    assert view.card.seconds == RULES.limits.extend_seconds


def test_a_weighed_produce_page_shows_the_weight():
    state = replace(lane(SCANNING), weight_grams=512)
    view = present(state, stocked(Local(panel="produce"), Shelf(), "en"))
    assert view.big == "0.512 kg"


def test_a_price_that_ended_is_not_shown():
    old = Item("plu:1", {"en": "Plums"}, (Price(100, ends_ms=NOON_MS),))
    view = present(lane(SCANNING), Local(panel="produce", items=(old,)))
    assert view.choices[0].detail == ""


def test_a_pineapple_is_no_apple():
    assert picture(Item("plu:1", {"en": "Pineapple"})) == "tile:pineapple"
    assert picture(Item("plu:2", {"de": "Ümläute"})) == "tile:Ü"
    assert picture(Item("plu:3", {"en": "\x00"})) == "tile:?"


def test_what_an_attendant_must_see_is_listed():
    basket = replace(BASKET, lines=(*LINES, WINE), waiting=(Approval("age", 9, 18),))
    view = present(lane(Intervention(7, "approvals", Scanning(basket))), Local())

    assert [(row.name, row.detail) for row in view.rows] == [
        ("Red wine 0.75 l", "from 18 years")
    ]


def test_a_random_check_has_no_way_round():
    for reason in ("random_check", "scale_mismatch"):
        view = present(lane(Intervention(7, reason, SCANNING)), Local())
        assert "go_on" not in names(view)


# -- money -------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["card_seen", "enter_pin", "host", "remove_card"])
def test_there_is_no_way_back_once_the_terminal_saw_a_card(moment):
    view = present(lane(Paying(BASKET, TENDER, "asked", moment)), Local())
    assert "back" not in names(view)


@pytest.mark.parametrize("moment", ["", "waiting_for_card"])
def test_there_is_a_way_back_until_then(moment):
    view = present(lane(Paying(BASKET, TENDER, "asked", moment)), Local())
    assert "back" in names(view)


def test_an_unknown_moment_of_a_newer_terminal_offers_no_way_back():
    view = present(lane(Paying(BASKET, TENDER, "asked", "blinking")), Local())
    assert "back" not in names(view)


def test_while_nobody_knows_the_shopper_is_told_not_to_pay_again():
    view = present(lane(OutcomeUnknown(BASKET, TENDER, called_staff=True)), Local())

    assert view.title == "Do not pay again"
    assert "7f31c2d4" in view.detail
    assert not any(isinstance(b.post, PayPressed) for b in view.controls)


@pytest.mark.parametrize("why", ["declined", "cancelled", "not_sent", "not_charged"])
def test_after_a_refused_card_it_is_said_that_no_money_was_taken(why):
    view = present(lane(Declined(BASKET, why)), Local())
    assert "You were not charged." in view.text


def test_where_the_law_wants_paper_there_is_no_other_choice():
    rules = replace(RULES, receipt_required=True, receipt_url="")
    view = present(replace(lane(Complete(SALE)), rules=rules), Local())
    receipts = [n for n in names(view) if n.startswith("receipt")]
    assert receipts == ["receipt_paper"]


def test_without_a_printer_no_paper_is_promised():
    state = replace(lane(Complete(SALE)), devices={"printer": "absent"})
    assert "receipt_paper" not in names(present(state, Local()))


def test_a_closed_lane_tells_of_a_payment_still_being_checked():
    attempt = Attempt("a1", 100, "EUR", "T1", 4, Stage.UNKNOWN)
    state = replace(lane(Closed("attendant")), ledger={"a1": attempt})
    assert present(state, Local()).detail == "A card payment is still being checked."


def test_a_settled_payment_is_not_spoken_of():
    attempt = Attempt("a1", 100, "EUR", "T1", 4, Stage.SOLD)
    state = replace(lane(Closed("attendant")), ledger={"a1": attempt})
    assert present(state, Local()).detail == ""


# -- bars --------------------------------------------------------------------


def bars(state, local=None):
    return [b.name for b in present(state, local or Local()).banners]


@pytest.mark.parametrize(("language", "name"), EXAMPLES)
def test_training_is_marked_on_every_screen(language, name):
    state, local = EXAMPLES[language, name]
    if not isinstance(state.mode, Training):
        training = Training("1001", replace(state, is_training=True))
        state = lane(training, language)
    assert bars(state, local)[0] == "training"


def test_offline_says_what_still_works():
    offline = replace(lane(SCANNING), is_online=False)
    (bar,) = present(offline, Local()).banners
    assert bar.text == "Offline: you can shop and pay as usual."

    alone = replace(offline, devices={"terminal": "absent"})
    assert "pay" not in " ".join(b.text for b in present(alone, Local()).banners)


def test_a_healthy_lane_has_no_bars():
    assert bars(lane(SCANNING)) == []


def test_a_short_blip_of_the_mains_is_not_shown():
    assert bars(replace(lane(SCANNING), power="battery", power_stage=0)) == []
    assert bars(replace(lane(SCANNING), power="battery", power_stage=1)) == ["battery"]


def test_bars_never_push_the_screen_away():
    state, local = EXAMPLES["en", "scanning_everything"]
    assert len(bars(state, local)) == 3


# -- the screen's own state --------------------------------------------------


def test_a_panel_belongs_to_its_mode():
    open_panel = Local(panel="produce")
    assert follow(open_panel, lane(SCANNING), lane(SCANNING)) == open_panel
    assert follow(open_panel, lane(SCANNING), lane(Idle())) == Local()
    assert (
        follow(open_panel, lane(SCANNING), lane(Weighing(BASKET, LINES[3]))) == Local()
    )


def test_another_attendants_menu_begins_at_its_beginning():
    ana = lane(Attending("1001", ALL_ROLES, SCANNING))
    ben = lane(Attending("1002", ALL_ROLES, SCANNING))
    assert follow(Local(panel="lines"), ana, ben) == Local()


def test_a_panel_survives_news_that_do_not_concern_it():
    before = lane(PinEntry(SCANNING))
    typed = Local(panel="pin", number="1001", pin="1234")
    assert follow(typed, before, replace(before, is_online=False)) == typed


def test_training_does_not_hide_that_the_inner_mode_changed():
    before = lane(Training("1", lane(SCANNING)))
    after = lane(Training("1", lane(Idle())))
    assert follow(Local(panel="produce"), before, after) == Local()


def test_only_modes_that_wait_for_somebody_are_kept_awake():
    assert is_timed(lane(SCANNING))
    assert is_timed(lane(Training("1", lane(SCANNING))))
    assert not is_timed(lane(Paying(BASKET, TENDER)))
    assert not is_timed(lane(Idle()))


def test_digits_stop_at_the_longest_number():
    full = Local(panel="code", typed="1" * 14)
    key = next(b for b in present(lane(SCANNING), full).controls if b.name == "key_5")
    assert key.local == full


def test_a_line_that_went_meanwhile_leads_back_to_the_menu():
    gone = Local(panel="line", chosen="99")
    view = present(lane(Attending("1001", ALL_ROLES, SCANNING)), gone)
    assert view.name == "attendant"


# -- looks -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "ground", "least"),
    [
        ("ink", "background", 4.5),
        ("muted", "background", 4.5),
        ("muted", "card", 4.5),
        ("card", "blue", 4.5),
        ("card", "green", 4.5),
        ("red", "card", 4.5),
        ("green", "card", 4.5),
        ("ink", "amber", 4.5),
        ("ink", "amber_soft", 4.5),
        ("ink", "blue_soft", 4.5),
        ("blue", "blue_soft", 4.5),
        ("muted", "blue_soft", 4.5),
        ("border", "background", 3.0),
        ("border", "card", 3.0),
    ],
)
def test_everybody_can_tell_words_from_their_ground(words, ground, least):
    assert contrast(getattr(THEME, words), getattr(THEME, ground)) >= least
