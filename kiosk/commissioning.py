"""Commissioning a card terminal: proof that it can tell how a payment ended.

A small real payment is taken, asked about, and given back. Only a terminal that told
the truth about it may take shoppers' money (card-terminals.md 2 and 6.6): after a power
cut that answer is all there is. What was done is on disk before and after each step, so
that a trial which was cut short is finished, and given back, by the next one.

Runs while the lane is stopped or at its service screen; it is no sale and stands in no
total. Who calls it sees to it that no payment runs meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec.structs import replace

from hardware.ports import (
    Answer,
    Attempt,
    CardTerminal,
    Outcome,
    PayResult,
    QueryResult,
    Recovery,
    TerminalMoment,
    Watermark,
)
from kiosk.machine import TrialStep
from kiosk.records.disk import replace_file
from kiosk.records.documents import DeviceChoice, Documents

# A terminal that lost its line is asked for as long as it may wait for a card (ZVT T4,
# 180 s), and once more after the minute in which it may take a payment back.
PATIENCE_SECONDS = 300.0
ASK_AGAIN_SECONDS = 2.0

# Enough to be a payment everywhere, little enough to lose.
TRIAL_MINOR = 100
TRIAL_FILE = "trial-payment.json"
_MOMENTS = {
    TerminalMoment.WAITING_FOR_CARD: "card",
    TerminalMoment.ENTER_PIN: "pin",
    TerminalMoment.REMOVE_CARD: "take_card",
}
_WORDS = {
    "earlier": "An earlier trial payment was cut short: the terminal is asked about it.",
    "nothing_taken": "Nothing was taken by it.",
    "answers": "Terminal {terminal_id} answers.",
    "amount": "A trial payment of {amount_minor} {currency} (cents).",
    "card": "Hold a real card to the terminal now.",
    "pin": "Enter the card's PIN at the terminal.",
    "take_card": "Take the card.",
    "approved": "Approved.",
    "told": "The terminal tells that payment when it is asked.",
    "given_back": "The trial payment was given back.",
}


class NotCommissioned(Exception):
    """The terminal may not be used. The words are the technician's.

    `code` is the same in one word, `detail` what the terminal said.
    """

    def __init__(self, code: str, words: str, detail: str = "") -> None:
        super().__init__(words)
        self.code, self.detail = code, detail


class Trial(msgspec.Struct, frozen=True):
    """One trial payment and how far it came. `stage`: asked, approved, over."""

    attempt_id: str
    amount_minor: int
    currency: str
    terminal_id: str
    last_receipt: int
    mark: str
    stage: str = "asked"
    reference: str = ""

    @property
    def attempt(self) -> Attempt:
        """The trial as its terminal knows it."""
        return Attempt(
            self.attempt_id,
            self.amount_minor,
            self.currency,
            Watermark(self.terminal_id, self.last_receipt, self.mark),
            reference=self.reference,
        )


class Clock(Protocol):
    """How long something takes (`time`)."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...


def in_words(step: TrialStep) -> str:
    """Return a step as a line of English."""
    return _WORDS[step.code].format(**msgspec.structs.asdict(step))


def enable(
    folder: Path, driver: str, terminal: CardTerminal, terminal_id: str, at_ms: int
) -> None:
    """Keep for good that this terminal proved itself at this lane."""
    Documents(folder).choose_device(
        "terminal",
        DeviceChoice(
            driver,
            {
                "terminal_id": terminal_id,
                "recovery": terminal.capabilities().recovery.value,
                "commissioned_ms": str(at_ms),
            },
        ),
    )


class Commissioning:
    """Tries one terminal; `say` is told what happens, a step at a time."""

    def __init__(
        self,
        terminal: CardTerminal,
        trial_file: Path,
        say: Callable[[TrialStep], None],
        clock: Clock = time,
    ) -> None:
        self._terminal = terminal
        self._file = trial_file
        self._say = say
        self._clock = clock
        self._is_stopped = False
        self._running = ""

    def stop(self) -> None:
        """Ask no longer, and let no card be waited for. From another thread; what was
        taken is still given back."""
        self._is_stopped = True
        if running := self._running:
            self._terminal.cancel(running)

    def run(self, attempt_id: str, amount_minor: int, currency: str) -> str:
        """Return the id of the terminal that proved itself, or raise
        `NotCommissioned`."""
        self._finish_earlier()
        recovery = self._terminal.capabilities().recovery
        if recovery is Recovery.NONE:
            raise NotCommissioned(
                "trial_no_recovery",
                "This terminal cannot tell how a payment ended. It may be used only"
                " with payments.manual_reconciliation = true, and then staff must"
                " settle every payment that was cut short.",
            )
        mark = self._terminal.watermark()
        if mark is None:
            raise NotCommissioned(
                "trial_no_mark",
                "The terminal does not answer, or cannot tell its last transaction."
                " Check cable, address and password: `kiosk devices` says more.",
            )
        self._say(TrialStep("answers", terminal_id=mark.terminal_id))
        trial = Trial(
            attempt_id,
            amount_minor,
            currency,
            mark.terminal_id,
            mark.last_receipt,
            mark.mark,
        )
        result = self._pay(trial)
        self._compare(replace(trial, reference=result.reference), result)
        self._give_back(replace(trial, reference=result.reference))
        return mark.terminal_id

    # The sink of the trial payment.

    def moment(self, moment: TerminalMoment) -> None:
        """Tell the technician what to do at the terminal."""
        if moment in _MOMENTS:
            self._say(TrialStep(_MOMENTS[moment]))

    def result(self, result: PayResult) -> bool:
        """Keep the result before the terminal is told that it is safe."""
        if result.outcome is not Outcome.APPROVED:
            return True
        try:
            if trial := self._kept():
                self._keep(replace(trial, stage="approved", reference=result.reference))
        except (OSError, NotCommissioned):
            # What is not on disk must not be acknowledged; that it was asked for is.
            return False
        return True

    # Steps.

    def _pay(self, trial: Trial) -> PayResult:
        if self._is_stopped:
            raise NotCommissioned("trial_stopped", "Stopped; nothing was taken.")
        self._say(TrialStep("amount", "", trial.amount_minor, trial.currency))
        self._keep(trial)
        self._running = trial.attempt_id
        try:
            result = self._terminal.pay(trial.attempt, self)
        finally:
            self._running = ""
        if result.outcome is Outcome.UNKNOWN:
            raise NotCommissioned(
                "trial_unclear",
                f"The trial payment has no clear end ({result.detail or 'no answer'})."
                " Run this again: it asks the terminal, and gives the money back.",
                result.detail,
            )
        if result.outcome is not Outcome.APPROVED:
            self._over(trial)
            said = f"{result.outcome.value} {result.error.value} {result.detail}"
            code = "trial_stopped" if self._is_stopped else "trial_not_approved"
            raise NotCommissioned(
                code, f"The trial payment was not approved: {said}".rstrip(), said
            )
        self._say(TrialStep("approved"))
        return result

    def _compare(self, trial: Trial, paid: PayResult) -> None:
        told = self._ask(trial)
        found = told.result
        if (
            told.answer is not Answer.FOUND
            or found is None
            or (found.outcome, found.amount_minor, found.currency, found.reference)
            != (Outcome.APPROVED, trial.amount_minor, trial.currency, paid.reference)
        ):
            self._give_back(trial)
            raise NotCommissioned(
                "trial_untrue",
                "The terminal was asked for its last payment and did not tell the one"
                f" just made (it said: {told.answer.value}). It cannot be used: after"
                " a power cut nobody would know whether a shopper has paid.",
                told.answer.value,
            )
        self._say(TrialStep("told"))

    def _give_back(self, trial: Trial) -> None:
        undone = self._terminal.reverse(trial.attempt, f"{trial.attempt_id}-r")
        if undone.outcome is not Outcome.APPROVED:
            raise NotCommissioned(
                "trial_not_given_back",
                f"The trial payment {trial.reference} of {trial.amount_minor}"
                f" {trial.currency} was not given back: {undone.outcome.value}"
                f" {undone.detail}. Run this again, or reverse it at the terminal.",
                f"{trial.reference} {undone.outcome.value} {undone.detail}".strip(),
            )
        self._over(trial)
        self._say(TrialStep("given_back"))

    def _ask(self, trial: Trial) -> QueryResult:
        until = self._clock.monotonic() + PATIENCE_SECONDS
        while True:
            told = self._terminal.query(trial.attempt)
            if told.answer not in (Answer.IN_PROGRESS, Answer.UNREACHABLE):
                return told
            if self._is_stopped or self._clock.monotonic() > until:
                raise NotCommissioned(
                    "trial_silent",
                    "The terminal does not say how the trial payment ended."
                    " Run this again when it answers.",
                )
            self._clock.sleep(ASK_AGAIN_SECONDS)

    # A trial that was cut short.

    def _finish_earlier(self) -> None:
        trial = self._kept()
        if trial is None or trial.stage == "over":
            return
        self._say(TrialStep("earlier"))
        told = self._ask(trial)
        match told.answer:
            case Answer.FOUND if told.result and (
                told.result.outcome is Outcome.APPROVED
            ):
                self._give_back(replace(trial, reference=told.result.reference))
            case Answer.INDETERMINATE:
                raise NotCommissioned(
                    "trial_unknown",
                    f"Nobody can tell whether {trial.amount_minor} {trial.currency} were"
                    f" taken at terminal {trial.terminal_id}. Look into its own"
                    f" journal, reverse it there, then remove {self._file}.",
                    trial.terminal_id,
                )
            case _:
                self._over(trial)
                self._say(TrialStep("nothing_taken"))

    def _over(self, trial: Trial) -> None:
        self._keep(replace(trial, stage="over"))

    def _keep(self, trial: Trial) -> None:
        replace_file(self._file, msgspec.json.encode(trial))

    def _kept(self) -> Trial | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Trial)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise NotCommissioned(
                "trial_unreadable",
                f"{self._file} cannot be read ({error}); look into the terminal's own"
                " journal for a trial payment, then remove the file.",
            ) from error
