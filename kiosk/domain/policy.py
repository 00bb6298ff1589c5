"""The lane's delays and limits, each with its reason, and the shop's rules.

Values only: what is done when one is reached stands in `lane.py`. A shop changes
them in lane.toml under [limits]; the demo shortens some and says which.
"""

from __future__ import annotations

import msgspec

from kiosk.domain.pricing import PricingRules


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the lane waits and how much a shopper may do alone."""

    # A touched but empty lane goes back to Welcome without a word.
    empty_basket_seconds: float = 30
    # With items: ask "Do you need more time?" (EN 301 549 2.2.1: at least 20 s to
    # answer, as often as wanted).
    idle_seconds: float = 90
    extend_seconds: float = 30
    # A parked basket nobody came back for.
    parked_seconds: float = 300
    weighing_seconds: float = 60
    # A notice (not sold here, past its date) goes away by itself.
    notice_seconds: float = 8
    declined_seconds: float = 60
    # Between two questions to a terminal that has no answer yet.
    query_seconds: float = 3
    # Then a colleague is called; asking goes on.
    checking_seconds: float = 60
    # Reading the terminal's mark takes a moment; it has none of the money yet.
    preparing_seconds: float = 30
    # A terminal ends by itself after 150 s (180 s in ZVT, PIN entry included): one
    # that says nothing for longer is not working, and the shopper is told so.
    asked_seconds: float = 240
    # The terminal took the result and never closed the dialogue.
    confirm_seconds: float = 20
    receipt_seconds: float = 15
    printing_seconds: float = 60
    qr_seconds: float = 40
    thanks_seconds: float = 8
    help_repeat_seconds: float = 60
    pin_seconds: float = 20
    attendant_seconds: float = 30
    # A large journal onto a slow stick; after it the technician is told that no
    # answer came.
    serving_seconds: float = 900
    # On battery (reliability.md 2.2). Shorter blips are not shown.
    battery_banner_seconds: float = 3
    battery_no_basket_seconds: float = 20
    battery_no_card_seconds: float = 60
    battery_suspend_seconds: float = 90
    # After a longer cut the shopper may be gone: only an attendant resumes.
    resume_alone_seconds: float = 180
    # systemd waits 90 s for a unit that does not stop, then kills it: an update's
    # restart that has not come after twice that does not come.
    update_lease_seconds: float = 180
    # 5 wrong PINs lock an attendant for a minute, each further one doubles it.
    pin_tries: int = 5
    pin_lock_seconds: float = 60
    pin_lock_longest_seconds: float = 3600
    # A shopper must not be able to disable the lane by guessing PINs.
    lane_lock_tries: int = 20
    lane_lock_seconds: float = 300
    # More than this a shopper may not take out alone.
    free_removals: int = 3
    free_removal_minor: int = 2000
    # Heavier than this opens the produce pages by itself.
    picker_grams: int = 20
    largest_quantity: int = 99
    longest_basket: int = 500


class BaggingPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How exactly the bagging area must weigh what was scanned.

    `is_on`: the lane has a bagging scale; lane.toml says so by its device.
    """

    is_on: bool = False
    # The scale's own step: what is lighter does not show, and two steps are rounding.
    division_grams: int = 5
    # Where the catalogue gives a weight without a tolerance: packaging varies.
    tolerance_percent: int = 8
    tolerance_grams: int = 15
    # A carrier of cloth weighs 50 to 150 g, a basket on wheels is not a bag.
    own_bag_grams: int = 400
    own_bags: int = 2
    # Hands rest on the area while things are put down (experience.md, section 2).
    look_seconds: float = 2
    wait_seconds: float = 20
    # Then a colleague is called, if the shopper has not mended it alone.
    call_seconds: float = 45


class CheckPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many of ten thousand baskets staff look into, where no scale does.

    What raises the lot adds up, to the highest at most: nobody is picked for certain.
    """

    rate_per_10000: int = 0
    # For each line taken out again: the most common way to leave with it unpaid.
    per_removal_per_10000: int = 0
    new_price_per_10000: int = 0
    age_per_10000: int = 0
    highest_per_10000: int = 2500
    # So many things from the bags are scanned again.
    items: int = 5


class OfflinePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much a shop lets its terminal approve without the host (off unless the
    acquirer agreed). What is stored in a terminal may be declined later, or be stolen
    with it, so all four limits hold at once (card-terminals.md, section 9).
    """

    enabled: bool = False
    max_per_payment_minor: int = 0
    max_count: int = 0
    max_sum_minor: int = 0
    max_age_hours: int = 24


class Rules(msgspec.Struct, frozen=True):
    """What a basket is sold by. They enter as an event and change between baskets."""

    version: str
    pricing: PricingRules
    limits: Limits = Limits()
    languages: tuple[str, ...] = ("en",)
    # Age and other approvals wait until payment, so that the shopper keeps scanning.
    approvals_at_end: bool = True
    # Some countries forbid a sale without a printed receipt.
    receipt_required: bool = False
    # What happens when the shopper leaves the receipt question unanswered.
    receipt_unanswered: str = "none"
    # A base address gives the shopper a QR code to the receipt; empty: no QR.
    receipt_url: str = ""
    store: tuple[str, ...] = ()
    offline: OfflinePolicy = OfflinePolicy()
    bagging: BaggingPolicy = BaggingPolicy()
    checks: CheckPolicy = CheckPolicy()
