"""Money: from the intent to the sale, and every way in which that can go wrong.

The rules are those of card-terminals.md, sections 1 and 3: a time-out is not a
decline, one financial command per attempt, an approval nobody waits for is put
before a person. Nothing here asks the terminal twice for the same money.
"""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.domain.effects import (
    Alarm,
    Authorize,
    BasketDropped,
    Beep,
    CallAttendant,
    CancelAuthorization,
    InterventionMade,
    MoneyReturned,
    OpenItemMade,
    OpenItemSettled,
    PrepareTender,
    PretendTender,
    PrintReceipt,
    Query,
    Refund,
    Reverse,
    SaleMade,
    SaleUndone,
)
from kiosk.domain.events import (
    PayPressed,
    ReversalResult,
    SaleReturned,
    TenderConfirmed,
    TenderMoment,
    TenderNotStarted,
    TenderQueried,
    TenderResult,
    TenderSettled,
    TenderStarted,
)
from kiosk.domain.modes import core
from kiosk.domain.selling import ignore
from kiosk.domain.state import (
    Basket,
    Complete,
    Declined,
    OutcomeUnknown,
    Owed,
    Paying,
    Scanning,
)
from kiosk.domain.tender import (
    Answer,
    Attempt,
    CardResult,
    OpenItem,
    Outcome,
    Sale,
    Stage,
    Tender,
)
from kiosk.domain.turn import Turn

_RECENT_SALES = 20
# What a person may say of a payment whose end the terminal does not tell.
UNKNOWN_DECISIONS = ("paid", "not_paid", "taken_at_till")


# -- asking ------------------------------------------------------------------


def pay_pressed(turn: Turn, basket: Basket, event: PayPressed) -> None:
    """Start paying, unless something must be looked at first."""
    lane = turn.lane
    figures = lane.figures
    if not basket.standing or figures is None or event.attempt_id in lane.ledger:
        ignore(turn, event)
    elif _may_be_paid(turn, basket):
        _not_again(turn, basket)
    elif basket.waiting:
        turn.call("approvals", Scanning(basket))
    elif event.draw < turn.limits.random_check_per_10000 and not basket.is_checked:
        turn.call("random_check", Scanning(basket))
    elif figures.total_minor <= 0:
        tender = Tender(event.attempt_id, basket.basket_id, basket.lines, figures)
        _complete(turn, tender, None, event.at_ms, paid_by_card=False)
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
            turn.do(PrepareTender(tender))


def _is_terminal_busy(turn: Turn) -> bool:
    # One attempt at a time per terminal, also while one is being undone.
    return any(a.stage.is_open for a in turn.lane.ledger.values())


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
                basket_id=tender.basket_id,
            )
            _note(turn, attempt)
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
        _note(turn, replace(attempt, stage=Stage.APPROVED, result=result))
        match turn.lane.mode:
            case Paying(tender=tender) as mode if (
                tender.attempt_id == attempt.attempt_id
            ):
                turn.enter(replace(mode, phase="approved"))
            case _:
                # Its wire is still waited for by nobody: ask once more, then decide.
                _query_later(turn, attempt.attempt_id)
    else:
        _not_approved(turn, attempt, result)


def tender_confirmed(turn: Turn, event: TenderConfirmed) -> None:
    """The terminal closed the dialogue: only this completes a sale."""
    attempt = turn.lane.ledger.get(event.attempt_id)
    match turn.lane.mode:
        case Paying(phase="approved", tender=tender) if (
            attempt is not None and tender.attempt_id == attempt.attempt_id
        ):
            _complete(turn, tender, attempt.result, event.at_ms)
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
        _reversal_queried(turn, attempt, event)
        return
    match event.answer:
        case Answer.IN_PROGRESS | Answer.UNREACHABLE:
            _query_later(turn, attempt.attempt_id)
        case Answer.NOT_RECEIVED | Answer.NOT_CHARGED:
            _not_taken(turn, attempt, "not_charged")
        case Answer.INDETERMINATE:
            _staff_must_look(turn, attempt)
            _query_later(turn, attempt.attempt_id)
        case Answer.FOUND if event.result is None:
            _query_later(turn, attempt.attempt_id)
        case Answer.FOUND:
            if is_full_approval(attempt, event.result):
                _found_approved(turn, attempt, event.result, event.at_ms)
            else:
                _not_approved(turn, attempt, event.result)


def _found_approved(
    turn: Turn, attempt: Attempt, result: CardResult, at_ms: int
) -> None:
    attempt = replace(attempt, stage=Stage.APPROVED, result=result)
    _note(turn, attempt)
    match core(turn.lane.mode):
        case OutcomeUnknown(tender=tender, is_stale=False) | Paying(tender=tender) if (
            tender.attempt_id == attempt.attempt_id
        ):
            _complete(turn, tender, result, at_ms)
        case OutcomeUnknown(tender=tender) if tender.attempt_id == attempt.attempt_id:
            # The shopper may be long gone, with the goods: a person decides (3.3).
            _to_check(turn, attempt, "found_late", tender)
            turn.rest()
        case _:
            _to_check(turn, attempt, "nobody_waits", None)


def _not_approved(turn: Turn, attempt: Attempt, result: CardResult) -> None:
    match result.outcome:
        case Outcome.DECLINED | Outcome.CANCELLED | Outcome.NOT_SENT:
            _not_taken(turn, attempt, result.outcome.value)
        case Outcome.UNKNOWN:
            _unknown(turn, attempt)
        case Outcome.APPROVED | Outcome.PARTIAL:
            if (
                result.currency == attempt.currency
                and result.amount_minor < attempt.amount_minor
            ):
                # Partly paid is not paid: give it back, then offer another way (R6).
                _note(turn, replace(attempt, result=result))
                _give_back(turn, attempt.attempt_id, f"{attempt.attempt_id}-r")
                _leave_payment(turn, attempt, "partial")
            else:
                if attempt.result != result:
                    what = (
                        f"terminal approved {result.amount_minor} {result.currency}"
                        f" for {attempt.amount_minor} {attempt.currency}"
                    )
                    turn.do(Alarm(what))
                _note(turn, replace(attempt, stage=Stage.UNKNOWN, result=result))
                _unknown(turn, turn.lane.ledger[attempt.attempt_id])
                _staff_must_look(turn, attempt)


def _unknown(turn: Turn, attempt: Attempt) -> None:
    _note(turn, replace(attempt, stage=Stage.UNKNOWN))
    match turn.lane.mode:
        case Paying(basket=basket, tender=tender) if (
            tender.attempt_id == attempt.attempt_id
        ):
            turn.enter(OutcomeUnknown(basket, tender))
            turn.start_timer("checking", turn.limits.checking_seconds)
        case _:
            pass
    _query_later(turn, attempt.attempt_id)


def _not_taken(turn: Turn, attempt: Attempt, why: str) -> None:
    _note(turn, replace(attempt, stage=Stage.DECLINED))
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


def _query_later(turn: Turn, attempt_id: str) -> None:
    turn.start_timer(f"query:{attempt_id}", turn.limits.query_seconds)


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
    _to_check(turn, attempt, "nobody_waits", None)


def _stranger(attempt_id: str, result: CardResult) -> Attempt:
    return Attempt(attempt_id, result.amount_minor, result.currency, "", 0)


def _to_check(turn: Turn, attempt: Attempt, why: str, tender: Tender | None) -> None:
    _note(turn, replace(attempt, stage=Stage.TO_CHECK))
    _stop_asking(turn, attempt)
    turn.stop_timer("checking")
    if any(i.attempt_id == attempt.attempt_id for i in turn.lane.open_items):
        return
    amount = attempt.result.amount_minor if attempt.result else attempt.amount_minor
    item = OpenItem(
        attempt.attempt_id, why, turn.lane.seq, amount, attempt.currency, tender
    )
    turn.set(open_items=(*turn.lane.open_items, item))
    turn.do(OpenItemMade(item), CallAttendant("check_payment"))


# -- giving back -------------------------------------------------------------


def _give_back(turn: Turn, attempt_id: str, reversal_id: str) -> None:
    attempt = replace(
        turn.lane.ledger[attempt_id],
        reversal_id=reversal_id,
        is_refund=False,
    )
    _undo(turn, attempt)


def _undo(turn: Turn, attempt: Attempt) -> None:
    """Order the money back, once; a terminal that never says so must not hold us."""
    stage = Stage.REFUNDING if attempt.is_refund else Stage.REVERSING
    attempt = replace(attempt, stage=stage)
    _note(turn, attempt)
    turn.start_timer(f"undo:{attempt.attempt_id}", turn.limits.checking_seconds)
    if attempt.is_refund:
        turn.do(Refund(attempt, attempt.reversal_id))
    else:
        turn.do(Reverse(attempt, attempt.reversal_id))


def undo_too_long(turn: Turn, attempt_id: str) -> None:
    """Nobody knows whether the money went back: a person finds out, the lane goes on."""
    attempt = turn.lane.ledger.get(attempt_id)
    if attempt and attempt.stage in (Stage.REVERSING, Stage.REFUNDING):
        _to_check(turn, attempt, "return_unknown", None)


def reversal_result(turn: Turn, event: ReversalResult) -> None:
    """What came of giving money back; an unknown end is asked about, not repeated."""
    attempt = turn.lane.ledger.get(event.attempt_id)
    is_late_yes = (
        attempt is not None
        and attempt.stage is Stage.TO_CHECK
        and event.result.outcome is Outcome.APPROVED
    )
    if (
        attempt is None
        or (attempt.stage not in (Stage.REVERSING, Stage.REFUNDING) and not is_late_yes)
        or attempt.reversal_id != event.reversal_id
    ):
        ignore(turn, event)
        return
    match event.result.outcome:
        case Outcome.APPROVED:
            _given_back(turn, attempt)
        case Outcome.DECLINED | Outcome.PARTIAL | Outcome.CANCELLED:
            # A final no. Asked again without end, it would hold the terminal.
            turn.do(Alarm(f"the terminal refused to give {attempt.attempt_id} back"))
            _refused_to_give_back(turn, attempt)
        case Outcome.NOT_SENT | Outcome.UNKNOWN:
            _query_later(turn, attempt.attempt_id)


def _stop_asking(turn: Turn, attempt: Attempt) -> None:
    turn.stop_timer(f"query:{attempt.attempt_id}")
    turn.stop_timer(f"undo:{attempt.attempt_id}")


def _refused_to_give_back(turn: Turn, attempt: Attempt) -> None:
    _stop_asking(turn, attempt)
    if attempt.sale_seq:
        # The sale stands; the attendant is told and may try the other way.
        _note(turn, replace(attempt, stage=Stage.SOLD, reversal_id=""))
        turn.do(CallAttendant("refund_refused"))
    else:
        _to_check(turn, replace(attempt, reversal_id=""), "reversal_refused", None)


def _reversal_queried(turn: Turn, attempt: Attempt, event: TenderQueried) -> None:
    match event.answer:
        case Answer.NOT_CHARGED | Answer.NOT_RECEIVED:
            _given_back(turn, attempt)
        case Answer.FOUND:
            # Still there: the reversal is still owed. The port makes it safe to repeat.
            turn.do(Reverse(attempt, attempt.reversal_id))
        case Answer.IN_PROGRESS | Answer.UNREACHABLE | Answer.INDETERMINATE:
            _query_later(turn, attempt.attempt_id)


def _given_back(turn: Turn, attempt: Attempt) -> None:
    end = Stage.REFUNDED if attempt.is_refund else Stage.REVERSED
    _note(turn, replace(attempt, stage=end))
    _stop_asking(turn, attempt)
    left = tuple(i for i in turn.lane.open_items if i.attempt_id != attempt.attempt_id)
    turn.set(open_items=left)
    sale = _sale_of(turn, attempt.sale_seq)
    if attempt.sale_seq and sale:
        kind = "refund" if attempt.is_refund else "void"
        turn.do(SaleUndone(sale.sale_seq, kind, sale.figures, "", ""))
    else:
        amount = attempt.result.amount_minor if attempt.result else 0
        turn.do(MoneyReturned(attempt.attempt_id, amount, attempt.currency))


def sale_returned(turn: Turn, event: SaleReturned) -> None:
    """An attendant gives a paid sale back, whole."""
    sale = _sale_of(turn, event.sale_seq)
    attempt = turn.lane.ledger.get(sale.attempt_id) if sale else None
    if sale is None:
        ignore(turn, event)
    elif attempt is None and not sale.attempt_id:
        turn.do(
            SaleUndone(
                sale.sale_seq, "void", sale.figures, event.attendant, event.reason
            )
        )
        left = tuple(s for s in turn.lane.recent_sales if s.sale_seq != sale.sale_seq)
        turn.set(recent_sales=left)
    elif attempt is None or attempt.stage is not Stage.SOLD:
        ignore(turn, event)
    elif event.kind == "refund":
        _undo(turn, replace(attempt, reversal_id=event.reversal_id, is_refund=True))
    else:
        _give_back(turn, attempt.attempt_id, event.reversal_id)


def _sale_of(turn: Turn, sale_seq: int) -> Sale | None:
    for sale in turn.lane.recent_sales:
        if sale.sale_seq == sale_seq:
            return sale
    return None


# -- a person settles --------------------------------------------------------


def settled(turn: Turn, event: TenderSettled) -> None:
    """A person decided what the terminal could not say."""
    attempt = turn.lane.ledger.get(event.attempt_id)
    if attempt is None:
        ignore(turn, event)
        return
    match core(turn.lane.mode):
        case OutcomeUnknown(tender=tender, basket=basket) if (
            tender.attempt_id == event.attempt_id
        ):
            _settle_unknown(turn, attempt, tender, basket, event)
        case _:
            _settle_item(turn, attempt, event)


def _settle_unknown(
    turn: Turn, attempt: Attempt, tender: Tender, basket: Basket, event: TenderSettled
) -> None:
    # The terminal said that it took another amount: that is no sale, it goes back.
    is_wrong = attempt.result is not None and not is_full_approval(
        attempt, attempt.result
    )
    allowed = ("not_paid", "taken_at_till") if is_wrong else UNKNOWN_DECISIONS
    if event.decision not in allowed:
        ignore(turn, event)
        return
    turn.stop_timer("checking")
    _stop_asking(turn, attempt)
    _say_settled(turn, event)
    if event.decision == "paid":
        _complete(turn, tender, attempt.result, event.at_ms, settled_by=event.attendant)
        return
    if is_wrong:
        _give_back(turn, attempt.attempt_id, event.reversal_id)
    else:
        is_free = event.decision == "not_paid"
        end = Stage.NOT_PAID if is_free else Stage.AT_TILL
        _note(turn, replace(attempt, stage=end))
    if event.decision == "not_paid":
        turn.enter(Scanning(basket, notice="not_charged"))
        return
    turn.do(
        BasketDropped(
            basket.basket_id,
            tender.amount_minor,
            "at_till",
            event.attendant,
            event.reason,
        )
    )
    turn.rest()


def _say_settled(turn: Turn, event: TenderSettled) -> None:
    turn.do(
        OpenItemSettled(
            event.attempt_id,
            event.decision,
            event.attendant,
            event.reason,
            event.reference,
        )
    )


def item_decisions(item: OpenItem, attempt: Attempt | None) -> tuple[str, ...]:
    """Return what a person may decide of an open item.

    Money was taken: it becomes the sale or stays one, or it goes back. Only where the
    terminal would not give it back may that be done elsewhere, by hand or by the bank.
    """
    decisions = ["reverse"]
    if item.tender is not None or (attempt is not None and attempt.sale_seq):
        decisions.insert(0, "paid")
    if item.why in ("reversal_refused", "return_unknown"):
        decisions.append("elsewhere")
    return tuple(decisions)


def _settle_item(turn: Turn, attempt: Attempt, event: TenderSettled) -> None:
    item = next(
        (i for i in turn.lane.open_items if i.attempt_id == event.attempt_id), None
    )
    decision = event.decision
    if decision in ("not_paid", "taken_at_till"):
        # What was taken here and is not wanted goes back.
        decision = "reverse"
    if (
        item is None
        or attempt.stage is not Stage.TO_CHECK
        or decision not in item_decisions(item, attempt)
    ):
        ignore(turn, event)
        return
    left = tuple(i for i in turn.lane.open_items if i.attempt_id != event.attempt_id)
    turn.set(open_items=left)
    _say_settled(turn, event)
    if decision == "elsewhere":
        _note(turn, replace(attempt, stage=Stage.ELSEWHERE))
        sale = _sale_of(turn, attempt.sale_seq)
        if sale:
            turn.do(
                SaleUndone(
                    sale.sale_seq,
                    "elsewhere",
                    sale.figures,
                    event.attendant,
                    event.reason,
                )
            )
    elif decision == "paid" and attempt.sale_seq:
        # It was a sale and stays one.
        _note(turn, replace(attempt, stage=Stage.SOLD))
    elif decision == "paid" and item.tender is not None:
        _make_sale(
            turn, item.tender, attempt.result, event.at_ms, settled_by=event.attendant
        )
    elif attempt.reversal_id:
        # The same order again, under its own id: given back once at most.
        _undo(turn, attempt)
    else:
        _give_back(turn, attempt.attempt_id, event.reversal_id)


# -- the sale ----------------------------------------------------------------


def _complete(
    turn: Turn,
    tender: Tender,
    result: CardResult | None,
    at_ms: int,
    *,
    settled_by: str = "",
    paid_by_card: bool = True,
) -> None:
    """Make the sale and ask about the receipt."""
    sale = _make_sale(
        turn,
        tender,
        result,
        at_ms,
        settled_by=settled_by,
        paid_by_card=paid_by_card,
    )
    turn.stop_timer("checking")
    turn.set(called="")
    turn.do(Beep("paid"))
    if turn.rules.receipt_required:
        turn.enter(Complete(sale, "printing"))
        owe_receipt(turn, sale, is_copy=False)
    else:
        turn.enter(Complete(sale))


def _make_sale(
    turn: Turn,
    tender: Tender,
    result: CardResult | None,
    at_ms: int,
    *,
    settled_by: str = "",
    paid_by_card: bool = True,
) -> Sale:
    lane = turn.lane
    sale = Sale(
        sale_seq=lane.seq,
        basket_id=tender.basket_id,
        at_ms=at_ms,
        lines=tender.lines,
        figures=tender.figures,
        attempt_id=tender.attempt_id if paid_by_card else "",
        card=result,
        settled_by=settled_by,
        language=lane.language,
        training=lane.is_training,
    )
    attempt = lane.ledger.get(tender.attempt_id)
    if attempt:
        _note(turn, replace(attempt, stage=Stage.SOLD, sale_seq=sale.sale_seq))
        turn.stop_timer(f"query:{attempt.attempt_id}")
    turn.set(recent_sales=(*lane.recent_sales, sale)[-_RECENT_SALES:])
    turn.do(SaleMade(sale))
    return sale


def owe_receipt(turn: Turn, sale: Sale, *, is_copy: bool) -> None:
    """Print a receipt, and owe it until it is known to be on paper."""
    others = tuple(
        o for o in turn.lane.receipts_owed if o.sale.sale_seq != sale.sale_seq
    )
    turn.set(receipts_owed=(*others, Owed(sale, is_copy)))
    turn.do(PrintReceipt(sale, is_copy))


def is_full_approval(attempt: Attempt, result: CardResult) -> bool:
    """Approved, for this amount and this currency (R6)?"""
    return (
        result.outcome is Outcome.APPROVED
        and result.amount_minor == attempt.amount_minor
        and result.currency == attempt.currency
    )


def _note(turn: Turn, attempt: Attempt) -> None:
    turn.set(ledger={**turn.lane.ledger, attempt.attempt_id: attempt})
