"""Money: from the intent to the sale, and every way in which that can go wrong.

The rules are those of card-terminals.md, sections 1 and 3: a time-out is not a
decline, one financial command per attempt, an approval nobody waits for is put
before a person. Nothing here asks the terminal twice for the same money.
"""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.domain import bagging, checking, exposure, settlement
from kiosk.domain.effects import (
    Alarm,
    Authorize,
    Beep,
    CallAttendant,
    CancelAuthorization,
    InterventionMade,
    PrepareTender,
    PretendTender,
    Query,
    Refund,
)
from kiosk.domain.events import (
    PayPressed,
    TenderConfirmed,
    TenderMoment,
    TenderNotStarted,
    TenderQueried,
    TenderResult,
    TenderStarted,
)
from kiosk.domain.ledger import complete, is_full_approval, note, query_later, to_check
from kiosk.domain.modes import core
from kiosk.domain.pricing import Figures
from kiosk.domain.returning import give_back, reversal_queried
from kiosk.domain.selling import ignore
from kiosk.domain.state import Basket, Declined, OutcomeUnknown, Paying, Scanning
from kiosk.domain.tender import Answer, Attempt, CardResult, Outcome, Stage, Tender
from kiosk.domain.turn import Turn

# -- asking ------------------------------------------------------------------


def pay_pressed(turn: Turn, basket: Basket, event: PayPressed) -> None:
    """Start paying, unless something must be looked at first."""
    lane = turn.lane
    figures = lane.figures
    if not basket.standing or figures is None or event.attempt_id in lane.ledger:
        ignore(turn, event)
    elif _may_be_paid(turn, basket):
        _not_again(turn, basket)
    elif bagging.is_open(turn):
        bagging.ask(turn, basket)
    elif basket.waiting:
        turn.call("approvals", Scanning(basket))
    elif not checking.asks(turn, basket, event.draw):
        _pay(turn, checking.drawn(basket), figures, event)


def _pay(turn: Turn, basket: Basket, figures: Figures, event: PayPressed) -> None:
    lane = turn.lane
    if figures.total_minor <= 0:
        tender = Tender(event.attempt_id, basket.basket_id, basket.lines, figures)
        complete(turn, tender, None, event.at_ms, paid_by_card=False)
    elif lane.power_stage >= 3:
        turn.enter(Scanning(basket, notice="battery"))
    elif lane.devices.get("terminal") == "absent" or _is_terminal_busy(turn):
        turn.enter(Scanning(basket, notice="no_card"))
    else:
        tender = Tender(event.attempt_id, basket.basket_id, basket.lines, figures)
        turn.enter(Paying(basket, tender))
        if lane.is_training:
            turn.do(PretendTender(tender))
        else:
            too_much = exposure.is_over(
                turn.rules.offline, lane.exposure, tender.amount_minor, event.at_ms
            )
            turn.do(PrepareTender(tender, too_much, lane.is_host_away))


def _is_terminal_busy(turn: Turn) -> bool:
    # One attempt at a time per terminal, also while one is being undone.
    lane = turn.lane
    is_settling = lane.settlement == settlement.RUNNING
    return is_settling or any(a.stage.is_open for a in lane.ledger.values())


def _may_be_paid(turn: Turn, basket: Basket) -> bool:
    # An approval that came after the terminal had said no.
    return any(
        a.basket_id == basket.basket_id and a.stage is Stage.TO_CHECK
        for a in turn.lane.ledger.values()
    )


def _not_again(turn: Turn, basket: Basket) -> None:
    # Staff give the late approval back first; the basket waits for them.
    turn.do(Beep("refused"), CallAttendant("check_payment"))
    turn.enter(Scanning(basket, notice="no_card"))


def tender_started(turn: Turn, event: TenderStarted) -> None:
    """The intent is written: now, and never again, the terminal is asked."""
    match turn.lane.mode:
        case Paying(phase="preparing", basket=basket) if _may_be_paid(turn, basket):
            _not_again(turn, basket)
        case Paying(phase="preparing", tender=tender) as mode if (
            tender.attempt_id == event.tender.attempt_id
            and tender.attempt_id not in turn.lane.ledger
        ):
            attempt = Attempt(
                tender.attempt_id,
                tender.amount_minor,
                tender.figures.currency,
                event.terminal_id,
                event.last_receipt,
                mark=event.mark,
                require_online=event.require_online,
                basket_id=tender.basket_id,
            )
            note(turn, attempt)
            turn.enter(replace(mode, phase="asked"))
            if not turn.lane.is_training:
                turn.do(Authorize(attempt))
        case _:
            ignore(turn, event)


def not_started(turn: Turn, event: TenderNotStarted) -> None:
    """The terminal could not be reached: nothing was asked, nothing is owed."""
    match turn.lane.mode:
        case Paying(phase="preparing", tender=tender, basket=basket) if (
            tender.attempt_id == event.attempt_id
        ):
            turn.do(Beep("refused"))
            turn.enter(Scanning(basket, notice="no_card"))
        case _:
            ignore(turn, event)


def moment(turn: Turn, event: TenderMoment) -> None:
    """Follow the shopper at the terminal."""
    match turn.lane.mode:
        case Paying(tender=tender) as mode if tender.attempt_id == event.attempt_id:
            turn.set(mode=replace(mode, moment=event.moment))
        case _:
            ignore(turn, event)


def back_pressed(turn: Turn, mode: Paying) -> None:
    """Ask the terminal to stop; it alone says how the attempt ended."""
    if mode.phase == "preparing":
        turn.enter(Scanning(mode.basket))
    elif mode.phase == "asked" and mode.moment in ("", "waiting_for_card"):
        turn.set(mode=replace(mode, is_cancelling=True))
        turn.do(CancelAuthorization(mode.tender.attempt_id))


# -- answers -----------------------------------------------------------------


def tender_result(turn: Turn, event: TenderResult) -> None:
    """The terminal spoke, or stopped speaking. It is not acknowledged yet."""
    attempt = turn.lane.ledger.get(event.attempt_id)
    result = event.result
    if attempt is None:
        if result.outcome in (Outcome.APPROVED, Outcome.PARTIAL):
            _nobody_waits(turn, _stranger(event.attempt_id, result), result)
        else:
            ignore(turn, event)
    elif attempt.stage is Stage.APPROVED and result.outcome is Outcome.UNKNOWN:
        # Our acknowledgement may not have arrived: it may take the money back (P6).
        confirm_too_long(turn)
    elif attempt.stage not in (Stage.ASKED, Stage.UNKNOWN):
        _heard_again(turn, attempt, result, event)
    elif is_full_approval(attempt, result):
        note(turn, replace(attempt, stage=Stage.APPROVED, result=result))
        match turn.lane.mode:
            case Paying(tender=tender) as mode if (
                tender.attempt_id == attempt.attempt_id
            ):
                turn.enter(replace(mode, phase="approved"))
            case _:
                # Its wire is still waited for by nobody: ask once more, then decide.
                query_later(turn, attempt.attempt_id)
    else:
        _not_approved(turn, attempt, result)


def tender_confirmed(turn: Turn, event: TenderConfirmed) -> None:
    """The terminal closed the dialogue: only this completes a sale."""
    attempt = turn.lane.ledger.get(event.attempt_id)
    match turn.lane.mode:
        case Paying(phase="approved", tender=tender) if (
            attempt is not None and tender.attempt_id == attempt.attempt_id
        ):
            result = attempt.result
            if result is not None and (event.receipt_lines or event.merchant_lines):
                result = replace(
                    result,
                    receipt_lines=event.receipt_lines or result.receipt_lines,
                    merchant_lines=event.merchant_lines,
                )
                note(turn, replace(attempt, result=result))
            complete(turn, tender, result, event.at_ms)
        case _:
            ignore(turn, event)


def tender_queried(turn: Turn, event: TenderQueried) -> None:
    """The terminal says how an earlier attempt ended."""
    attempt = turn.lane.ledger.get(event.attempt_id)
    if attempt is None or not attempt.stage.is_open:
        if attempt and event.result and is_full_approval(attempt, event.result):
            _heard_again(turn, attempt, event.result, event)
        else:
            ignore(turn, event)
        return
    if attempt.stage is Stage.REFUNDING:
        turn.do(Refund(attempt, attempt.reversal_id))
        return
    if attempt.stage is Stage.REVERSING:
        reversal_queried(turn, attempt, event)
        return
    match event.answer:
        case Answer.IN_PROGRESS | Answer.UNREACHABLE:
            query_later(turn, attempt.attempt_id)
        case Answer.NOT_RECEIVED | Answer.NOT_CHARGED:
            _not_taken(turn, attempt, "not_charged")
        case Answer.INDETERMINATE:
            _staff_must_look(turn, attempt)
            query_later(turn, attempt.attempt_id)
        case Answer.FOUND if event.result is None:
            query_later(turn, attempt.attempt_id)
        case Answer.FOUND:
            if is_full_approval(attempt, event.result):
                _found_approved(turn, attempt, event.result, event.at_ms)
            else:
                _not_approved(turn, attempt, event.result)


def _found_approved(
    turn: Turn, attempt: Attempt, result: CardResult, at_ms: int
) -> None:
    attempt = replace(attempt, stage=Stage.APPROVED, result=result)
    note(turn, attempt)
    match core(turn.lane.mode):
        case OutcomeUnknown(tender=tender, is_stale=False) | Paying(tender=tender) if (
            tender.attempt_id == attempt.attempt_id
        ):
            complete(turn, tender, result, at_ms)
        case OutcomeUnknown(tender=tender) if tender.attempt_id == attempt.attempt_id:
            # The shopper may be long gone, with the goods: a person decides (3.3).
            to_check(turn, attempt, "found_late", tender)
            turn.rest()
        case _:
            to_check(turn, attempt, "nobody_waits", None)


def _not_approved(turn: Turn, attempt: Attempt, result: CardResult) -> None:
    match result.outcome:
        case Outcome.DECLINED | Outcome.CANCELLED | Outcome.NOT_SENT:
            why = "no_card" if result.error else result.outcome.value
            _not_taken(turn, attempt, why)
            _say_why(turn, result)
        case Outcome.UNKNOWN:
            _unknown(turn, attempt)
        case Outcome.APPROVED | Outcome.PARTIAL:
            if (
                result.currency == attempt.currency
                and result.amount_minor < attempt.amount_minor
            ):
                # Partly paid is not paid: give it back, then offer another way (R6).
                note(turn, replace(attempt, result=result))
                give_back(turn, attempt.attempt_id, f"{attempt.attempt_id}-r")
                _leave_payment(turn, attempt, "partial")
            else:
                if attempt.result != result:
                    what = (
                        f"terminal approved {result.amount_minor} {result.currency}"
                        f" for {attempt.amount_minor} {attempt.currency}"
                    )
                    turn.do(Alarm(what))
                note(turn, replace(attempt, stage=Stage.UNKNOWN, result=result))
                _unknown(turn, turn.lane.ledger[attempt.attempt_id])
                _staff_must_look(turn, attempt)


def _say_why(turn: Turn, result: CardResult) -> None:
    """Do something about a terminal that took no payment for reasons of its own."""
    match result.error:
        case "unreachable_host":
            exposure.host_away(turn)
        case "settlement_required":
            settlement.wanted(turn)
        case "rejected" | "misconfigured":
            turn.do(
                Alarm(f"the card terminal refused a payment: {result.error}"),
                CallAttendant("terminal"),
            )
        case _:
            pass


def _unknown(turn: Turn, attempt: Attempt) -> None:
    note(turn, replace(attempt, stage=Stage.UNKNOWN))
    match turn.lane.mode:
        case Paying(basket=basket, tender=tender) if (
            tender.attempt_id == attempt.attempt_id
        ):
            turn.enter(OutcomeUnknown(basket, tender))
            turn.start_timer("checking", turn.limits.checking_seconds)
        case _:
            pass
    query_later(turn, attempt.attempt_id)


def _not_taken(turn: Turn, attempt: Attempt, why: str) -> None:
    note(turn, replace(attempt, stage=Stage.DECLINED))
    turn.stop_timer(f"query:{attempt.attempt_id}")
    _leave_payment(turn, attempt, why)


def _leave_payment(turn: Turn, attempt: Attempt, why: str) -> None:
    match core(turn.lane.mode):
        case (
            Paying(basket=basket, tender=tender)
            | OutcomeUnknown(basket=basket, tender=tender)
        ) if tender.attempt_id == attempt.attempt_id:
            turn.stop_timer("checking")
            turn.do(Beep("refused"))
            if why == "cancelled":
                turn.enter(Scanning(basket))
            else:
                turn.enter(Declined(basket, why))
        case _:
            pass


def _staff_must_look(turn: Turn, attempt: Attempt) -> None:
    match core(turn.lane.mode):
        case OutcomeUnknown(called_staff=False) as mode if (
            mode.tender.attempt_id == attempt.attempt_id
        ):
            if turn.lane.mode == mode:
                turn.set(mode=replace(mode, called_staff=True))
            turn.do(CallAttendant("check_payment"), InterventionMade("check_payment"))
        case _:
            pass


def checking_too_long(turn: Turn) -> None:
    """The terminal had its minute: a colleague comes, the asking goes on."""
    match core(turn.lane.mode):
        case OutcomeUnknown(tender=tender):
            _staff_must_look(turn, turn.lane.ledger[tender.attempt_id])
        case _:
            pass


def preparing_too_long(turn: Turn) -> None:
    """The terminal's mark never came: nothing was asked, the shopper is free."""
    match turn.lane.mode:
        case Paying(phase="preparing", basket=basket):
            turn.enter(Scanning(basket, notice="no_card"))
        case _:
            pass


def asked_too_long(turn: Turn) -> None:
    """Longer than any terminal waits, and no word: the end is unknown."""
    match turn.lane.mode:
        case Paying(phase="asked", tender=tender):
            _unknown(turn, turn.lane.ledger[tender.attempt_id])
        case _:
            pass


def confirm_too_long(turn: Turn) -> None:
    """The terminal never closed the dialogue: it may have taken the money back."""
    match turn.lane.mode:
        case Paying(basket=basket, tender=tender, phase="approved"):
            turn.enter(OutcomeUnknown(basket, tender))
            turn.start_timer("checking", turn.limits.checking_seconds)
            query_now(turn, tender.attempt_id)
        case _:
            pass


def query_now(turn: Turn, attempt_id: str) -> None:
    """Ask the terminal how an attempt ended, if that is still open."""
    turn.stop_timer(f"query:{attempt_id}")
    attempt = turn.lane.ledger.get(attempt_id)
    if attempt and attempt.stage is Stage.REFUNDING:
        turn.do(Refund(attempt, attempt.reversal_id))
    elif attempt and attempt.stage.is_open:
        turn.do(Query(attempt))


# -- what nobody waits for ---------------------------------------------------


def _heard_again(
    turn: Turn,
    attempt: Attempt,
    result: CardResult,
    event: TenderResult | TenderQueried,
) -> None:
    """An answer for an attempt that has its end already."""
    is_new_money = attempt.stage in (Stage.DECLINED, Stage.NOT_PAID, Stage.AT_TILL)
    if is_new_money and result.outcome in (Outcome.APPROVED, Outcome.PARTIAL):
        _nobody_waits(turn, attempt, result)
    else:
        ignore(turn, event)


def _nobody_waits(turn: Turn, attempt: Attempt, result: CardResult) -> None:
    attempt = replace(attempt, stage=Stage.APPROVED, result=result)
    to_check(turn, attempt, "nobody_waits", None)


def _stranger(attempt_id: str, result: CardResult) -> Attempt:
    return Attempt(attempt_id, result.amount_minor, result.currency, "", 0)
