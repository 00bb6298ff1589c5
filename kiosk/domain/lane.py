"""The lane as one pure function. Read it top to bottom as the lane's manual.

Modes, events and effects are closed lists (`state.py`, `events.py`, `effects.py`).
Nothing is dropped: what means nothing here becomes `Ignore`, and money nobody waits
for is put before staff, never guessed about. No clock, no device, no disk.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from kiosk.domain import (
    attending,
    bagging,
    checking,
    paying,
    power,
    returning,
    selling,
    service,
    settlement,
    settling,
    updating,
)
from kiosk.domain.effects import (
    Alarm,
    Authorize,
    Beep,
    CallAttendant,
    CancelAuthorization,
    Effect,
    InterventionMade,
    OrderShutdown,
    PrepareTender,
    PrintReceipt,
    Query,
    Refund,
    Reverse,
    SetTimer,
    SettleTerminal,
    ShowLight,
)
from kiosk.domain.events import (
    AttendantLeft,
    BackPressed,
    BaggingWeight,
    BasketResumed,
    BasketSuspended,
    CancelPressed,
    ClockDistrusted,
    CouponScanned,
    DateConfirmed,
    DayEnded,
    DeviceChanged,
    DirectiveReceived,
    Event,
    HelpCancelled,
    HelpPressed,
    InterventionApproved,
    InterventionRefused,
    ItemFound,
    ItemUnknown,
    LabelUnreadable,
    LaneClosed,
    LaneOpened,
    LanguageChosen,
    LineVoided,
    MoreTimePressed,
    NetworkChanged,
    NoticeRead,
    OwnBagUsed,
    PayPressed,
    PinChecked,
    PinTried,
    PowerChanged,
    PriceOverridden,
    QuantityChanged,
    ReceiptChosen,
    ReceiptFailed,
    ReceiptPrinted,
    ReprintAsked,
    Restarted,
    ReversalResult,
    RosterChanged,
    RulesChanged,
    SaleReturned,
    SaleVoided,
    ServiceAsked,
    ServiceEnded,
    ServiceOpened,
    StaffPressed,
    StartPressed,
    StateCarried,
    TenderConfirmed,
    TenderMoment,
    TenderNotStarted,
    TenderQueried,
    TenderResult,
    TenderSettled,
    TenderStarted,
    TerminalSettled,
    TimeLimitReached,
    TrainingEnded,
    TrainingStarted,
    UpdateAsked,
    WeighingCancelled,
    WeightSettled,
)
from kiosk.domain.ledger import owe_receipt
from kiosk.domain.modes import changeable_basket, core, intervention, unattended
from kiosk.domain.selling import ignore
from kiosk.domain.state import (
    Attending,
    Closed,
    Complete,
    Declined,
    Idle,
    Intervention,
    Lane,
    OutcomeUnknown,
    Paying,
    PinCounter,
    PinEntry,
    Scanning,
    Servicing,
    Training,
    Weighing,
)
from kiosk.domain.tender import Stage
from kiosk.domain.turn import Turn, light_of


def advance(lane: Lane, event: Event) -> tuple[Lane, list[Effect]]:
    """Return the lane after an event, and the effects that carry it out.

    Pure and total: any event in any mode gives an answer. `lane.seq` counts the
    events seen and is the number of the journal entry of the last one.
    """
    if isinstance(event, StateCarried):
        return _carried(lane, event)
    if isinstance(lane.mode, Training) and not _ends_training(event):
        return _advance_training(lane, lane.mode, event)
    turn = Turn(lane)
    _happen(turn, event)
    bagging.follow(turn, event)
    at_ms = getattr(event, "at_ms", 0)
    if at_ms > turn.lane.last_ms:
        turn.set(last_ms=at_ms)
    power.put_aside_if_late(turn)
    return turn.lane, turn.effects


def _carried(lane: Lane, event: StateCarried) -> tuple[Lane, list[Effect]]:
    try:
        carried = decode_state(event.state)
    except msgspec.DecodeError:
        # Of a later release: what the entries before it said is the best there is.
        turn = Turn(lane)
        turn.set(called="other")
        turn.do(Alarm("the carried state cannot be read by this release"))
        return turn.lane, turn.effects
    return replace(carried, seq=lane.seq + 1), []


def _happen(turn: Turn, event: Event) -> None:
    mode = turn.lane.mode
    match event:
        # -- the shopper buys ------------------------------------------------
        case ItemFound() | ItemUnknown() | StartPressed():
            _begin_or_add(turn, event)
        case WeightSettled(grams=grams):
            turn.set(weight_grams=grams, is_weight_sold=False)
            if isinstance(mode, Weighing):
                selling.weight_settled(turn, mode, grams)
        case LabelUnreadable():
            if isinstance(mode, Scanning):
                turn.do(Beep("refused"))
                turn.enter(Scanning(mode.basket, notice="unreadable"))
            else:
                ignore(turn, event)
        case CouponScanned():
            if isinstance(mode, Scanning):
                selling.coupon(turn, mode.basket, event)
            else:
                ignore(turn, event)
        case LineVoided(attendant=""):
            if isinstance(mode, Scanning):
                selling.void_asked(turn, mode.basket, event)
            else:
                ignore(turn, event)
        case LineVoided():
            attending.void_line(turn, event)
        case QuantityChanged(attendant=by):
            alone = not by and isinstance(mode, Scanning)
            if alone or attending.quantity(turn, event):
                selling.quantity_asked(turn, mode, event)
            else:
                ignore(turn, event)
        case BaggingWeight():
            # `bagging.follow` takes it up below, as it looks after every event.
            pass
        case OwnBagUsed():
            match mode:
                case Scanning() | Intervention(reason="scale_mismatch") if (
                    bagging.own_bag(turn)
                ):
                    turn.enter(mode)
                case _:
                    ignore(turn, event)
        case WeighingCancelled():
            if isinstance(mode, Weighing):
                turn.enter(Scanning(mode.basket))
            else:
                ignore(turn, event)
        case CancelPressed():
            match mode:
                case Scanning(basket=basket) | Declined(basket=basket):
                    selling.cancel_asked(turn, basket)
                case _:
                    ignore(turn, event)
        case LanguageChosen(language=language):
            if turn.lane.rules and language in turn.lane.rules.languages:
                turn.set(language=language)
            else:
                ignore(turn, event)
        case NoticeRead():
            match mode:
                case Scanning(basket=basket):
                    turn.enter(Scanning(basket))
                case Idle():
                    turn.enter(Idle())
                case _:
                    ignore(turn, event)
        case MoreTimePressed():
            match mode:
                case Scanning(basket=basket, notice=notice, notice_item=item):
                    turn.enter(Scanning(basket, notice, item))
                case Weighing() | Declined() | PinEntry() | Attending():
                    turn.enter(mode)
                case Servicing(doing=""):
                    turn.enter(mode)
                case Complete(stage="ask" | "qr"):
                    turn.enter(mode)
                case _:
                    ignore(turn, event)
        case HelpPressed():
            _help(turn, event)
        case HelpCancelled():
            _help_cancelled(turn, event)

        # -- money -----------------------------------------------------------
        case PayPressed():
            match mode:
                case Scanning(basket=basket) | Declined(basket=basket):
                    paying.pay_pressed(turn, basket, event)
                case _:
                    ignore(turn, event)
        case BackPressed():
            match mode:
                case Paying():
                    paying.back_pressed(turn, mode)
                case Declined(basket=basket):
                    turn.enter(Scanning(basket))
                case _:
                    ignore(turn, event)
        case TenderStarted():
            paying.tender_started(turn, event)
        case TenderNotStarted():
            paying.not_started(turn, event)
        case TenderMoment():
            paying.moment(turn, event)
        case TenderResult(result=result) if (
            result.is_training and not turn.lane.is_training
        ):
            ignore(turn, event)
        case TenderResult():
            paying.tender_result(turn, event)
        case TenderConfirmed():
            paying.tender_confirmed(turn, event)
        case TenderQueried():
            paying.tender_queried(turn, event)
        case TerminalSettled():
            settlement.settled(turn, event)
        case ReversalResult():
            returning.reversal_result(turn, event)
        case SaleReturned() if turn.lane.is_training:
            # No money was taken in a training, so none can go back.
            ignore(turn, event)
        case TenderSettled():
            if attending.may(turn, event.attendant, attending.SETTLE):
                settling.settled(turn, event)
            else:
                ignore(turn, event)
        case SaleReturned():
            if attending.may(turn, event.attendant, attending.VOID):
                returning.sale_returned(turn, event)
                turn.enter(turn.lane.mode)
            else:
                ignore(turn, event)

        # -- receipts --------------------------------------------------------
        case ReceiptChosen(choice=choice):
            match mode:
                case Complete(stage="ask"):
                    _receipt(turn, mode, choice)
                case Complete(stage="qr"):
                    turn.rest()
                    power.after_sale(turn)
                case _:
                    ignore(turn, event)
        case ReceiptPrinted():
            _receipt_printed(turn, event)
        case ReceiptFailed():
            _receipt_failed(turn, event)
        case ReprintAsked():
            attending.reprint(turn, event)

        # -- attendants ------------------------------------------------------
        case StaffPressed():
            attending.staff_pressed(turn, event)
        case PinTried():
            attending.pin_tried(turn, event)
        case PinChecked():
            attending.pin_checked(turn, event)
        case AttendantLeft():
            if isinstance(mode, PinEntry | Attending):
                attending.left(turn)
            elif isinstance(mode, Servicing) and not service.is_trying(mode):
                service.left(turn, mode)
            else:
                ignore(turn, event)
        case InterventionApproved(attendant=by) | InterventionRefused(attendant=by):
            if attending.may(turn, by, attending.APPROVE):
                approved = isinstance(event, InterventionApproved)
                attending.intervention_ended(turn, event, is_approved=approved)
            else:
                ignore(turn, event)
        case SaleVoided():
            attending.void_sale(turn, event)
        case PriceOverridden():
            attending.override_price(turn, event)
        case BasketSuspended():
            attending.suspend_asked(turn, event)
        case BasketResumed():
            attending.resume_basket(turn, event)
        case TrainingStarted():
            attending.start_training(turn, event)
        case TrainingEnded():
            # Inside a training `_ends_training` has taken it; outside it is nothing.
            ignore(turn, event)
        case LaneClosed(attendant=by):
            attending.close_lane(turn, by, event)
        case LaneOpened(attendant=by):
            attending.open_lane(turn, by, event)
        case DateConfirmed(attendant=by):
            if attending.may(turn, by, attending.APPROVE):
                turn.set(is_clock_trusted=True, last_ms=event.at_ms)
                turn.enter(mode)
            else:
                ignore(turn, event)
        case DayEnded():
            attending.end_day(turn, event)
        case ServiceOpened():
            service.opened(turn, event)
        case ServiceAsked():
            service.asked(turn, event)
        case ServiceEnded():
            service.ended(turn, event)

        # -- the lane itself -------------------------------------------------
        case TimeLimitReached(name=name, generation=generation):
            timer = turn.lane.timers.get(name)
            if timer is None or timer.generation != generation:
                ignore(turn, event)
            else:
                left = {n: t for n, t in turn.lane.timers.items() if n != name}
                turn.set(timers=left)
                _time_is_up(turn, name, event)
        case DeviceChanged(device=device, health=health, cause=cause):
            turn.set(devices={**turn.lane.devices, device: health})
            turn.look_again()
            _act_on(turn, device, cause)
        case PowerChanged():
            power.power_changed(turn, event)
        case NetworkChanged(is_online=is_online):
            turn.set(is_online=is_online)
        case ClockDistrusted(at_ms=at_ms):
            _distrust_clock(turn, at_ms)
        case RulesChanged(rules=rules):
            turn.set(next_rules=rules)
            if turn.lane.rules is None:
                turn.set(rules=rules)
            turn.look_again()
        case RosterChanged(version=version, attendants=attendants):
            if version >= turn.lane.roster_version:
                turn.set(roster_version=version, roster=attendants)
            else:
                ignore(turn, event)
        case Restarted():
            _restarted(turn, event)
        case DirectiveReceived():
            _directive(turn, event)
        case UpdateAsked():
            updating.asked(turn, event)
        case StateCarried():
            ignore(turn, event)


# -- the shopper -------------------------------------------------------------


def _begin_or_add(turn: Turn, event: ItemFound | ItemUnknown | StartPressed) -> None:
    mode = turn.lane.mode
    if selling.is_between_shoppers(mode):
        if isinstance(mode, Complete):
            turn.rest()
        if not isinstance(turn.lane.mode, Idle):
            ignore(turn, event)
            return
        scanning = selling.begin(turn, event)
    elif isinstance(mode, Attending) and checking.is_running(mode):
        if isinstance(event, StartPressed):
            ignore(turn, event)
        else:
            checking.looked_at(turn, mode, event)
        return
    elif isinstance(mode, Weighing):
        # Another scan instead of weighing: the shopper changed their mind.
        scanning = Scanning(mode.basket)
    elif isinstance(mode, Scanning):
        scanning = mode
    elif isinstance(mode, Declined) and not isinstance(event, StartPressed):
        scanning = Scanning(mode.basket)
    elif (
        isinstance(mode, Attending)
        and isinstance(event, ItemFound)
        and isinstance(core(mode), Scanning)
    ):
        # An attendant helps with an item that has no label.
        scanning = Scanning(changeable_basket(mode))  # type: ignore[arg-type]
    else:
        turn.do(Beep("refused"))
        ignore(turn, event)
        return
    match event:
        case ItemFound():
            selling.item_found(turn, scanning, event)
        case ItemUnknown():
            selling.item_unknown(turn, scanning.basket, event)
        case StartPressed():
            if turn.lane.mode is mode:
                turn.enter(mode)


def _help(turn: Turn, event: HelpPressed) -> None:
    match turn.lane.mode:
        case Idle() | Scanning() | Weighing() | Declined() as mode:
            turn.call("help", mode, subject=event.topic)
        case Paying() | OutcomeUnknown() | Complete() | Closed():
            turn.set(called=event.topic)
            turn.do(CallAttendant(f"help: {event.topic}"), InterventionMade("help"))
        case Intervention(is_quiet=True) as mode:
            bagging.call(turn, mode)
        case Intervention():
            turn.do(CallAttendant(f"help: {event.topic}"))
        case PinEntry() | Attending() | Servicing() | Training():
            ignore(turn, event)


def _help_cancelled(turn: Turn, event: HelpCancelled) -> None:
    match turn.lane.mode:
        case Intervention(reason="help" | "unknown_item" | "idle", resume=resume):
            attending.go_on(turn, resume)
        case Intervention(
            reason="void" | "void_sale" | "maximum_quantity" | "approvals",
            resume=resume,
        ):
            # Nothing was done yet: the shopper may go on with the basket as it is.
            turn.enter(resume)
        case Intervention(reason="scale_mismatch" | "random_check"):
            ignore(turn, event)
        case _ if turn.lane.called:
            turn.set(called="")
        case _:
            ignore(turn, event)


# -- receipts ----------------------------------------------------------------


def _receipt(turn: Turn, mode: Complete, choice: str) -> None:
    if choice == "paper":
        turn.enter(replace(mode, stage="printing"))
        owe_receipt(turn, mode.sale, is_copy=False)
    elif choice == "qr" and turn.rules.receipt_url:
        turn.enter(replace(mode, stage="qr"))
    else:
        turn.enter(replace(mode, stage="done"))


def _receipt_printed(turn: Turn, event: ReceiptPrinted) -> None:
    owed = turn.lane.receipts_owed
    turn.set(receipts_owed=tuple(o for o in owed if o.sale.sale_seq != event.sale_seq))
    _receipt_ended(turn, event.sale_seq, "done")


def _receipt_failed(turn: Turn, event: ReceiptFailed) -> None:
    owed = tuple(
        replace(o, is_failed=True) if o.sale.sale_seq == event.sale_seq else o
        for o in turn.lane.receipts_owed
    )
    turn.set(receipts_owed=owed)
    turn.do(CallAttendant("printer"), InterventionMade("receipt_failed"))
    _receipt_ended(turn, event.sale_seq, "failed")


def _receipt_ended(turn: Turn, sale_seq: int, stage: str) -> None:
    match turn.lane.mode:
        case Complete(sale=sale, stage="printing") as mode if sale.sale_seq == sale_seq:
            turn.enter(replace(mode, stage=stage))
        case _:
            pass


# -- time --------------------------------------------------------------------


def _time_is_up(turn: Turn, name: str, event: Event) -> None:
    if name.startswith("power_"):
        power.power_limit(turn, name, turn.lane.last_ms)
        return
    if name.startswith("query:"):
        paying.query_now(turn, name.removeprefix("query:"))
        return
    if name.startswith("undo:"):
        returning.undo_too_long(turn, name.removeprefix("undo:"))
        return
    match name, turn.lane.mode:
        case "lease", _:
            updating.lease_is_over(turn)
        case "settle", _:
            settlement.wanted(turn)
        case "preparing", _:
            paying.preparing_too_long(turn)
        case "asked", _:
            paying.asked_too_long(turn)
        case "checking", _:
            paying.checking_too_long(turn)
        case "confirm", _:
            paying.confirm_too_long(turn)
        case "idle", Scanning(basket=basket) as mode:
            if basket.standing:
                turn.do(Beep("attention"))
                turn.enter(replace(mode, is_warned=True))
            else:
                selling.drop(turn, basket, "idle", "", "")
        case "extend", Scanning(basket=basket):
            turn.call("idle", Scanning(basket))
        case "parked", Intervention(reason="idle", resume=Scanning(basket=basket)):
            attending.suspend(turn, basket, "idle", turn.lane.last_ms)
        case "notice", Scanning() as mode:
            # The idle timer runs on: only the words go.
            turn.set(mode=replace(mode, notice="", notice_item=""))
        case "notice", Idle():
            turn.enter(Idle())
        case (("bagging_look" | "bagging_wait"), _):
            bagging.time_is_up(turn)
        case "alone", Intervention(is_quiet=True) as mode:
            bagging.call(turn, mode)
        case "weighing", Weighing(basket=basket):
            turn.enter(Scanning(basket))
        case "help", Intervention(reason=reason) as mode:
            turn.do(CallAttendant(reason))
            turn.enter(mode)
        case "declined", Declined(basket=basket):
            turn.enter(Scanning(basket))
        case "receipt", Complete(stage="ask") as mode:
            _receipt(turn, mode, turn.rules.receipt_unanswered)
        case "printing", Complete(stage="printing", sale=sale):
            _receipt_failed(turn, ReceiptFailed(sale.sale_seq, "no answer"))
        case "thanks", Complete():
            turn.rest()
            power.after_sale(turn)
        case ("pin", PinEntry()) | ("attendant", Attending()):
            attending.left(turn)
        case "service", Servicing() as mode:
            service.left(turn, mode)
        case "serving", Servicing() as mode:
            service.too_long(turn, mode)
        case _:
            ignore(turn, event)


def _distrust_clock(turn: Turn, at_ms: int) -> None:
    # A lock-out must not last a year because the clock jumped back one.
    longest = at_ms + int(turn.limits.pin_lock_longest_seconds * 1000)
    pins = {
        number: PinCounter(c.wrong, min(c.locked_until_ms, longest))
        for number, c in turn.lane.pins.items()
    }
    lane_until = at_ms + int(turn.limits.lane_lock_seconds * 1000)
    turn.set(
        is_clock_trusted=False,
        pins=pins,
        lane_locked_until_ms=min(turn.lane.lane_locked_until_ms, lane_until),
    )
    turn.do(Alarm("the clock stands before the last entry"))


# -- the lane itself ---------------------------------------------------------


def _act_on(turn: Turn, device: str, cause: str) -> None:
    """Do something about what a device says is the matter with it."""
    match cause:
        case "settlement_required":
            settlement.wanted(turn)
        case "tampering":
            turn.do(
                Alarm(f"the {device} typed what no {device} types"),
                CallAttendant("tampering"),
                InterventionMade("tampering"),
            )
        case _:
            pass


def _directive(turn: Turn, event: DirectiveReceived) -> None:
    match event.order:
        case "pause":
            turn.set(pause=event.directive_id)
            turn.look_again()
        case "resume":
            turn.set(pause="")
            turn.look_again()
        case "approve" | "refuse":
            waiting = intervention(turn.lane.mode)
            if waiting is None or waiting.asked != event.asked:
                ignore(turn, event)
                return
            kind = InterventionApproved if event.order == "approve" else None
            answer = (kind or InterventionRefused)(
                event.asked, event.attendant, "console"
            )
            attending.intervention_ended(
                turn, answer, is_approved=event.order == "approve"
            )
        case "logs":
            # Sync collects and sends them; the journal says that somebody asked.
            pass
        case _:
            ignore(turn, event)


def _restarted(turn: Turn, event: Restarted) -> None:
    """Find the lane's place again after the program, or the machine, had stopped."""
    lane = turn.lane
    is_long = event.down_ms > turn.limits.resume_alone_seconds * 1000
    # Whoever was signed on has gone; what runs on battery is told anew; whatever
    # update the lane had closed for was this start, or did not come.
    turn.set(power="mains", power_stage=0, timers={}, lease="")
    if lane.settlement:
        # Whether it was run nobody knows: a second one is harmless (P11).
        turn.set(settlement=settlement.RUNNING)
    match unattended(lane.mode):
        case Paying(phase="preparing", basket=basket):
            # Nothing was asked: the intent is not on disk.
            _basket_again(turn, Scanning(basket), is_long, event.at_ms)
        case Paying(basket=basket, tender=tender):
            turn.enter(OutcomeUnknown(basket, tender, is_stale=is_long))
            turn.start_timer("checking", turn.limits.checking_seconds)
        case OutcomeUnknown(is_stale=is_stale) as mode:
            turn.enter(replace(mode, is_stale=is_stale or is_long))
            turn.start_timer("checking", turn.limits.checking_seconds)
        case Scanning() | Weighing() | Declined() | Intervention() as mode:
            _basket_again(turn, mode, is_long, event.at_ms)
        case Complete() as mode:
            turn.rest() if is_long else turn.enter(mode)
        case Closed(cause="attendant"):
            turn.enter(Closed("attendant"))
        case _:
            turn.rest()


def _basket_again(
    turn: Turn,
    mode: Scanning | Weighing | Declined | Intervention,
    is_long: bool,
    at_ms: int,
) -> None:
    basket = changeable_basket(mode)
    if basket is None:
        turn.rest()
        return
    turn.price(basket)
    if is_long:
        attending.suspend(turn, basket, "restart", at_ms)
    else:
        turn.enter(mode)


def resume(lane: Lane) -> list[Effect]:
    """Return what a lane still owes after a restart.

    Nothing is done again: an open payment is queried, never authorized; a reversal
    is queried before it is repeated; a receipt that may be half printed is printed
    whole, marked as a copy.
    """
    effects: list[Effect] = [ShowLight(light_of(lane.mode))]
    for attempt in lane.ledger.values():
        if attempt.stage is Stage.REFUNDING:
            effects.append(Refund(attempt, attempt.reversal_id))
        elif attempt.stage.is_open:
            effects.append(Query(attempt))
    for owed in lane.receipts_owed:
        if not owed.is_failed:
            effects.append(PrintReceipt(owed.sale, is_copy=True))
    if lane.settlement == settlement.RUNNING:
        effects.append(SettleTerminal())
    for name, timer in lane.timers.items():
        effects.append(SetTimer(name, timer.generation, timer.seconds))
    waiting = intervention(lane.mode)
    if waiting and not waiting.is_quiet:
        effects.append(CallAttendant(waiting.reason))
    if lane.open_items:
        effects.append(CallAttendant("check_payment"))
    return effects


# -- training ----------------------------------------------------------------

# What a training lane shares with the lane around it; all else stays inside.
_SHARED = (
    "seq",
    "timers",
    "roster",
    "roster_version",
    "pins",
    "lane_pin_wrong",
    "lane_locked_until_ms",
    "devices",
    "power",
    "power_stage",
    "is_online",
    "is_clock_trusted",
    "last_ms",
    "weight_grams",
    "is_weight_sold",
    "bagging",
)
_MONEY = (
    Authorize,
    CancelAuthorization,
    PrepareTender,
    Query,
    Refund,
    Reverse,
    SettleTerminal,
    OrderShutdown,
)


def _ends_training(event: Event) -> bool:
    match event:
        case Restarted() | PowerChanged(source="low" | "shutdown"):
            return True
        case _:
            return False


def is_of_training(lane: Lane, event: Event) -> bool:
    """Does this event happen inside a training, and in no total?

    An answer of the real terminal, rules and directives are the lane's around it.
    """
    if not isinstance(lane.mode, Training) or _ends_training(event):
        return False
    match event:
        case (
            TenderResult(attempt_id=attempt_id)
            | TenderQueried(attempt_id=attempt_id)
            | ReversalResult(attempt_id=attempt_id)
            | TenderConfirmed(attempt_id=attempt_id)
        ):
            return attempt_id in lane.mode.lane.ledger
        case RulesChanged() | DirectiveReceived() | TerminalSettled() | UpdateAsked():
            return False
        case _:
            return True


def _advance_training(
    lane: Lane, training: Training, event: Event
) -> tuple[Lane, list[Effect]]:
    inner = replace(training.lane, **{name: getattr(lane, name) for name in _SHARED})
    if isinstance(event, TrainingEnded | DayEnded):
        turn = Turn(lane)
        if isinstance(inner.mode, Attending) and isinstance(event, TrainingEnded):
            turn.rest()
        else:
            ignore(turn, event)
        return turn.lane, turn.effects
    if not is_of_training(lane, event):
        turn = Turn(lane)
        _happen(turn, event)
        return turn.lane, turn.effects
    inner, effects = advance(inner, event)
    shared = {name: getattr(inner, name) for name in _SHARED}
    outer = replace(lane, mode=replace(training, lane=inner), **shared)
    return outer, [e for e in effects if not isinstance(e, _MONEY)]


# -- how a state is written --------------------------------------------------

_state_decoder = msgspec.json.Decoder(Lane)
_state_encoder = msgspec.json.Encoder(order="deterministic")


def encode_state(lane: Lane) -> msgspec.Raw:
    """Return a lane at rest as JSON; an open basket's prices are left out."""
    return msgspec.Raw(_state_encoder.encode(replace(lane, priced=None)))


def decode_state(state: msgspec.Raw) -> Lane:
    """Return the lane that `encode_state` wrote."""
    return _state_decoder.decode(bytes(state))
