"""The card terminal's trial at the service screen, with the lane's own driver.

Runs on the terminal's one worker, so that no payment can come between. Decides nothing
about a terminal: `kiosk.commissioning` does. Asks no caretaker and needs no root.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from hardware.ports import CardTerminal
from kiosk.commissioning import (
    TRIAL_FILE,
    TRIAL_MINOR,
    Commissioning,
    NotCommissioned,
    Trial,
    enable,
)
from kiosk.domain.service import DONE
from kiosk.machine import TrialStep
from kiosk.records.disk import replace_file
from kiosk.records.documents import DocumentDamaged

log = logging.getLogger(__name__)


class TerminalTrial:
    """Tries one lane's terminal. `run` and `forget` are called from the terminal's
    worker, `stop` from another thread; each returns an outcome and its detail."""

    def __init__(
        self,
        terminal: CardTerminal,
        driver: str,
        documents: Path,
        currency: str,
        now_ms: Callable[[], int],
    ) -> None:
        self._terminal, self._driver = terminal, driver
        self._folder, self._file = documents, documents / TRIAL_FILE
        self._currency, self._now_ms = currency, now_ms
        self._running: Commissioning | None = None

    def run(self, say: Callable[[TrialStep], None]) -> tuple[str, str]:
        """Take a small payment, ask about it, give it back, and enable the terminal."""
        trial = self._running = Commissioning(self._terminal, self._file, say)
        attempt_id = f"trial-{secrets.token_hex(8)}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            terminal_id = trial.run(attempt_id, TRIAL_MINOR, self._currency)
            at_ms = self._now_ms()
            enable(self._folder, self._driver, self._terminal, terminal_id, at_ms)
        except NotCommissioned as reason:
            log.warning("the terminal was not commissioned: %s", reason)
            return reason.code, reason.detail
        except (OSError, DocumentDamaged) as error:
            log.error("the terminal's trial cannot be written down: %s", error)
            return "trial_not_kept", str(error)
        finally:
            self._running = None
        return DONE, terminal_id

    def stop(self) -> tuple[str, str]:
        """Wait for no card any more. The trial itself tells how it ended."""
        if trial := self._running:
            trial.stop()
        return DONE, ""

    def forget(self) -> tuple[str, str]:
        """Forget a trial payment that a person settled at the terminal."""
        try:
            kept = self._file.read_bytes()
            # Kept for whoever asks later; the next one overwrites it.
            replace_file(self._file.with_suffix(".settled"), kept)
            self._file.unlink()
        except FileNotFoundError:
            return DONE, ""
        except OSError as error:
            return "trial_not_kept", str(error)
        return DONE, ""

    def is_unclear(self) -> bool:
        """Is there a trial payment of which nobody knows how it ended?

        The next payment would make the terminal forget it.
        """
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=Trial)
        except FileNotFoundError:
            return False
        except (OSError, msgspec.DecodeError):
            return True
        return kept.stage == "asked"
