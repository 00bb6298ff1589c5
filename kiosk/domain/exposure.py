"""Money that terminals approved by themselves: how much a lane may be owed at once.

Only a terminal can approve without its host; what it approved so may be declined
later, and the shop bears it. The limits and their reasons are those of
card-terminals.md, section 9. Touches no terminal and refuses nothing itself.
"""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.domain.effects import Alarm, CallAttendant, ExposureChanged
from kiosk.domain.policy import OfflinePolicy
from kiosk.domain.state import Exposure, Lane
from kiosk.domain.tender import Attempt, CardResult, Outcome, Stage
from kiosk.domain.turn import Turn

_HOUR_MS = 3_600_000
_BACK = (Stage.REVERSED, Stage.REFUNDED)


def is_over(
    policy: OfflinePolicy, owed: Exposure, amount_minor: int, at_ms: int
) -> bool:
    """Would one more offline approval of this amount be more than the shop risks?"""
    since = owed.since_ms if owed.count else at_ms
    return (
        not policy.enabled
        or amount_minor > policy.max_per_payment_minor
        or owed.count + 1 > policy.max_count
        or owed.sum_minor + amount_minor > policy.max_sum_minor
        or at_ms - since > policy.max_age_hours * _HOUR_MS
    )


def money_of(attempt: Attempt | None) -> int:
    """Return what the terminal holds of an attempt, as far as it was heard."""
    if attempt is None or attempt.result is None or attempt.stage in _BACK:
        return 0
    is_taken = attempt.result.outcome in (Outcome.APPROVED, Outcome.PARTIAL)
    return attempt.result.amount_minor if is_taken else 0


def noted(turn: Turn, before: Attempt | None, after: Attempt) -> None:
    """Count what an attempt's new place in the ledger changes. Training is no money."""
    lane, result = turn.lane, after.result
    if lane.is_training or result is None or result.is_training:
        return
    turn.set(card_sum_minor=lane.card_sum_minor + money_of(after) - money_of(before))
    was_heard = before is not None and before.result is not None
    if result.outcome is Outcome.APPROVED and not (was_heard and money_of(before)):
        _approved(turn, result)


def settled(turn: Turn) -> None:
    """The terminal handed everything to its host: nothing is at risk any more."""
    _change(turn, Exposure())
    turn.set(is_host_away=False)


def host_away(turn: Turn) -> None:
    """The terminal said that it cannot reach its host."""
    turn.set(is_host_away=True)


def _approved(turn: Turn, result: CardResult) -> None:
    lane = turn.lane
    if not result.approved_offline:
        # The host answered: a terminal sends what it had stored before it asks anew.
        _change(turn, Exposure())
        turn.set(is_host_away=False)
        return
    owed = Exposure(
        lane.exposure.count + 1,
        lane.exposure.sum_minor + result.amount_minor,
        lane.exposure.since_ms or lane.last_ms,
    )
    was_over = is_over(_policy(lane), lane.exposure, result.amount_minor, lane.last_ms)
    _change(turn, owed)
    turn.set(is_host_away=True)
    if was_over:
        # The goods are gone: a reversal would be a gift. The owner must know.
        turn.do(
            Alarm(
                f"the terminal approved {result.amount_minor} {result.currency}"
                f" offline, above this shop's limit"
                f" ({owed.count} payments, {owed.sum_minor} together)"
            ),
            CallAttendant("offline_limit"),
        )


def _change(turn: Turn, owed: Exposure) -> None:
    if owed != turn.lane.exposure:
        turn.set(exposure=owed)
        turn.do(ExposureChanged(owed.count, owed.sum_minor, owed.since_ms))


def _policy(lane: Lane) -> OfflinePolicy:
    return lane.rules.offline if lane.rules else OfflinePolicy()


def forget_reversed(turn: Turn, attempt: Attempt) -> None:
    """An offline approval that was given back is no risk any more."""
    result, owed = attempt.result, turn.lane.exposure
    if result is None or not result.approved_offline or not owed.count:
        return
    left = replace(
        owed,
        count=owed.count - 1,
        sum_minor=max(0, owed.sum_minor - result.amount_minor),
    )
    _change(turn, left if left.count else Exposure())
