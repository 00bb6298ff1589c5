"""Where an update stands after a start: what is remembered, held against what is.

Pure. The running slot comes from the root's hash, the rest from the boot loader; what
the updater wrote down last may be one step behind both.
"""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.updater.bootloader import BootState, Slot, Ustate
from kiosk.updater.machine import Running
from kiosk.updater.store import Failed, Phase, State, Status
from kiosk.updater.words import Reason

# One that was stopped before its check was over may have met a power cut: once more.
_TRIES_WITHOUT_VERDICT = 2


def settle(
    state: State, boot: BootState | None, slot: Slot | None, running: Running
) -> State:
    """Return the state as the boot loader and the running slot prove it to be."""
    if boot is None or slot is None:
        return state
    if _was_left_for_rot(state, boot, slot):
        return _left_for_rot(state, slot, running)
    state = _brought_up_to_date(state, boot, slot)
    if boot.latest.slot is slot and boot.is_good(slot):
        state = replace(state, home=slot, home_release=running.release)
    return state


def _was_left_for_rot(state: State, boot: BootState, slot: Slot) -> bool:
    """Did the initial file system leave a release that was kept?

    The boot loader gives up only what is on trial, which is never the slot at home.
    """
    left = boot.of(slot.other)
    is_given_up = (
        left is not None and left.ustate is Ustate.FAILED and not left.revision
    )
    return is_given_up and state.home is slot.other and boot.is_good(slot)


def _left_for_rot(state: State, slot: Slot, running: Running) -> State:
    return State(
        phase=Phase.FALLEN_BACK,
        release=state.home_release,
        from_release=running.release,
        from_slot=slot,
        to_slot=slot.other,
        reason=Reason.ROOT_UNREADABLE,
        # No failure of the release: whoever brings it again has it written anew.
        failed=state.failed,
        home=slot,
        home_release=running.release,
    )


def _brought_up_to_date(state: State, boot: BootState, slot: Slot) -> State:
    if state.phase.is_over:
        return state
    if slot is state.to_slot:
        return _on_the_new(state, boot)
    match state.phase:
        case Phase.WRITING:
            # SWUpdate says INSTALLED last of all: without it, nothing counts.
            is_done = boot.ustate is Ustate.INSTALLED
            return replace(state, phase=Phase.WRITTEN) if is_done else state
        case Phase.WRITTEN | Phase.LEASE | Phase.REBOOTING | Phase.TESTING:
            if boot.ustate is Ustate.INSTALLED:
                return replace(state, phase=Phase.LEASE)
            if boot.has_failed:
                return _fell_back(state)
            return _lost(state)
        case _:
            return state


def _on_the_new(state: State, boot: BootState) -> State:
    if boot.ustate is not Ustate.OK:
        return replace(state, phase=Phase.TESTING)
    if not state.is_rescue:
        return replace(state, phase=Phase.KEPT, reason=None, detail="")
    return replace(
        state,
        phase=Phase.FALLEN_BACK,
        failed=_with_failure(state, state.from_release, Reason.FAILED_STARTS),
    )


def _fell_back(state: State) -> State:
    if state.is_rescue:
        return replace(
            state,
            phase=Phase.KEPT,
            reason=Reason.FAILED_STARTS,
            detail="the other release does not work either",
        )
    reason = state.reason or Reason.NEVER_FINISHED
    return replace(
        state,
        phase=Phase.FALLEN_BACK,
        reason=reason,
        failed=_with_failure(state, state.release, reason),
    )


def _lost(state: State) -> State:
    if state.is_rescue:
        # Cut off before the boot loader was told: the next start decides anew.
        return replace(state, phase=Phase.KEPT)
    return replace(state, phase=Phase.REFUSED, reason=Reason.LOST)


def _with_failure(state: State, release: str, reason: Reason) -> dict[str, Failed]:
    before = state.failed.get(release)
    failed = Failed(reason, before.times + 1 if before else 1)
    return {**state.failed, release: failed}


def may_be_tried(state: State, release: str) -> bool:
    """May a release be installed, for all that is known of it?"""
    failed = state.failed.get(release)
    if failed is None:
        return True
    has_verdict = failed.reason is not Reason.NEVER_FINISHED
    return not has_verdict and failed.times < _TRIES_WITHOUT_VERDICT


def status_of(
    state: State,
    running: Running,
    slot: Slot | None,
    boot: BootState | None,
    waits_for: str = "",
) -> Status:
    """Return what others may know."""
    return Status(
        phase=state.phase,
        release=state.release,
        running_release=running.release,
        running_slot=slot,
        reason=state.reason,
        words=_words(state),
        detail=state.detail,
        waits_for=waits_for,
        other_slot_is_good=bool(boot and slot and boot.is_good(slot.other)),
        failed={name: found.reason.value for name, found in state.failed.items()},
        at_ms=state.at_ms,
    )


def _words(state: State) -> str:
    why = state.reason.words if state.reason else ""
    match state.phase:
        case Phase.IDLE:
            return "No update was tried yet."
        case Phase.WRITING:
            return f"Release {state.release} is being written. Selling goes on."
        case Phase.WRITTEN | Phase.LEASE:
            return (
                f"Release {state.release} is ready. The machine restarts when nobody"
                " is served."
            )
        case Phase.REBOOTING:
            return f"The machine restarts into release {state.release}."
        case Phase.TESTING:
            return f"Release {state.release} is being checked."
        case Phase.KEPT:
            return why or f"Release {state.release} passed its check and is kept."
        case Phase.FALLEN_BACK if state.is_rescue:
            return f"Fell back from release {state.from_release}. {why}"
        case Phase.FALLEN_BACK:
            return f"Fell back to release {state.from_release}. {why}"
        case Phase.REFUSED:
            return why
