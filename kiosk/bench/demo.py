"""A whole day in a shop, without a hand: real processes, real bytes, real faults.

Plays shopper, attendant and electrician through the scanner's wire, the camera's
pictures, the glass and the plugs; then holds the books against each other. It looks
at the screen and waits for it, and posts nothing to the lane itself.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from hardware.simulated.control import ControlError
from kiosk.bench import books
from kiosk.bench.play import STAFF, PlayError, PlayOptions, Shop
from kiosk.bench.window import Seen

# What the demo shortens, in seconds; everything else is as in a shop.
SHORTENED = {
    "receipt_seconds": 4,
    "thanks_seconds": 1,
    "query_seconds": 0.5,
    "battery_banner_seconds": 0.5,
    "battery_no_basket_seconds": 4,
}
PATIENCE_SECONDS = 20.0
_TAP_AGAIN_SECONDS = 1.5
_KEY_SECONDS = 0.35

MILK, SPAGHETTI, PENNE, FUSILLI, CHOCOLATE = (
    "9520000000011",
    "9520000000080",
    "9520000000097",
    "9520000000103",
    "9520000000158",
)
YOGHURT, WINE, WATER, BREAD = (
    "9520000000042",
    "9520000000240",
    "9520000000219",
    "9520000000028",
)


class DemoFailed(Exception):
    """Something was not so. The words say what was expected and what was there."""


def demo(out: Path) -> int:
    """Play the day, print its account, and return the exit status."""
    console = Console()
    if out.exists():
        # Only a folder that a demo or a play made may go: not somebody's home.
        if any(out.iterdir()) and not (out / "lane.toml").exists():
            console.print(f"[bold red]{out} is not a demo's folder: it is kept[/]")
            return 1
        shutil.rmtree(out)
    out.mkdir(parents=True)
    day = Day(Shop(PlayOptions(out, limits=SHORTENED)), console)
    began = time.monotonic()
    try:
        result = day.play()
    except (DemoFailed, PlayError, ControlError, OSError) as failure:
        day.picture("failed")
        console.print(f"[bold red]FAILED[/] {failure}")
        console.print(f"logs: {day.shop.folder / 'logs'}")
        return 1
    finally:
        day.shop.stop()
    shortened = ", ".join(f"{name} {value}" for name, value in SHORTENED.items())
    console.print(f"waits shortened by settings: {shortened}")
    console.print("and of sync: hello 2 s, answer 2 s, longest retry 3 s")
    console.print("and of the terminal: idle 0.5 s apart, answers 1 s apart")
    console.print(f"screenshots, receipts, journal: {day.shop.folder}")
    console.print(f"took {time.monotonic() - began:.0f} s")
    for fault in result.faults:
        console.print(f"[bold red]FAULT[/] {fault}")
    console.print(result.line, highlight=False)
    return 1 if result.faults else 0


class Day:
    """One day. Each method is one scene."""

    def __init__(self, shop: Shop, console: Console) -> None:
        self.shop = shop
        self._console = console
        self._pictures = shop.folder / "screens"
        self._pictures.mkdir(exist_ok=True)
        self._taken = 0

    def play(self) -> books.Books:
        """Play all scenes and compare the books."""
        self._say("opening the shop")
        self.shop.start()
        self._until("the lane is open", lambda s: s.mode == "Idle")
        self.picture("attract")
        self.first_sale()
        self.offline()
        self.plug_pulled_while_paying()
        self.battery()
        return self.closing()

    # -- scenes --------------------------------------------------------------

    def first_sale(self) -> None:
        """Five items by serial bytes, one by camera, one weighed, wine, an offer."""
        for label in (MILK, SPAGHETTI, PENNE, FUSILLI, CHOCOLATE):
            self._scan(label)
        self.picture("scanning-offer")
        self._say("five items scanned on the serial line; 3 pasta became an offer")
        before = self._lines()
        self.shop.camera.hold_up_label(YOGHURT)
        self._until("the camera's item", lambda s: self._lines(s) == before + 1)
        self._say("a sixth read by the camera from a picture")
        self._weigh("plu:4131", 512)
        self._say("apples weighed: 0.512 kg")
        self._scan(WINE)
        self._tap_until(
            "pay", "waiting for a colleague", lambda s: s.mode == "Intervention"
        )
        self.picture("waiting-for-attendant")
        self._sign_on()
        self.picture("attendant")
        self._tap_until("approve", "back at the basket", lambda s: s.mode == "Scanning")
        self._say("wine approved by Ana with her PIN")
        # A terminal that is set up wrongly tells more than it may.
        self.shop.terminal.tell("terminal", "twist_next", twist="leak")
        self._pay()
        self.picture("receipt-choice")
        self._tap_until(
            "receipt_paper", "a receipt on paper", lambda _: bool(self._receipts())
        )
        self.picture("thanks")
        self._until("the next shopper", lambda s: s.mode == "Idle")
        self._say("paid by card, receipt printed")

    def offline(self) -> None:
        """The cable is cut: three sales."""
        self.shop.cable.pull()
        self._until("the lane knows", lambda s: not s.state.get("is_online", True))
        for labels in ((BREAD,), (WATER, WATER), (MILK, CHOCOLATE, BREAD)):
            for label in labels:
                self._scan(label)
            if len(labels) == 3:
                self.picture("offline")
            self._pay()
            self._no_receipt()
        self._say("network cable cut; three sales made offline")

    def plug_pulled_while_paying(self) -> None:
        """SIGKILL in the middle of a card payment; the payment is found."""
        self._scan(BREAD)
        self._scan(MILK)
        self._tap_until(
            "pay", "the terminal", lambda s: self._moment(s) == "waiting_for_card"
        )
        self.picture("follow-the-terminal")
        lane = self.shop.parts["lane"]
        lane.kill()
        self._say("lane killed (SIGKILL) while the terminal waits for the card")
        if not self.shop.terminal.tell("terminal", "present_card", wait_seconds=5):
            raise DemoFailed("the terminal took no card while the lane was dead")
        attempt = self._ledger()[-1]["id"]
        self.shop.terminal.tell(
            "terminal", "wait_for", attempt_id=attempt, state="approved", seconds=8
        )
        self.shop.start_lane()
        self._until("the payment found", lambda s: s.mode == "Complete")
        self.picture("payment-found")
        self._no_receipt()
        charged = [one for one in self._ledger() if one["id"] == attempt]
        if len(charged) != 1:
            raise DemoFailed(f"the card was charged {len(charged)} times")
        self._say("restarted; the payment was found at the terminal and finished once")

    def battery(self) -> None:
        """On battery, then low: suspended and stopped; mains back: resumed, paid."""
        self._scan(MILK)
        self._scan(CHOCOLATE)
        self.shop.ups.tell("ups", "mains_lost")
        self._until("the battery banner", lambda s: s.state.get("power_stage", 0) >= 1)
        self.picture("battery-banner")
        self.shop.ups.tell("ups", "battery_low")
        self._until("suspended", lambda s: bool(s.state.get("suspended")))
        self.picture("battery-low")
        if not self.shop.ups.tell("ups", "wait_for_order", seconds=5.0):
            raise DemoFailed("no safe shutdown was ordered on low battery")
        lane = self.shop.parts["lane"]
        lane.stop()
        status = lane.wait(5)
        if status != 0:
            raise DemoFailed(f"the lane did not stop cleanly: exit status {status}")
        self._say("battery low: basket suspended, shutdown ordered, lane stopped clean")
        self.shop.ups.tell("ups", "mains_back")
        self.shop.start_lane()
        self._until("the lane is open", lambda s: s.mode == "Idle")
        self.picture("resume-offered")
        self._tap_until(
            "resume_own", "the basket again", lambda s: s.mode == "Scanning"
        )
        self._pay()
        self._no_receipt()
        self._say("mains back: basket resumed and paid")

    def closing(self) -> books.Books:
        """The cable is back; everything arrives; the books are compared."""
        self.shop.cable.plug()
        self._until("back online", lambda s: bool(s.state.get("is_online", True)))
        lane = self.shop.parts["lane"]
        lane.stop()
        ledger = self._ledger()
        journal = self.shop.state / "journal"
        office_db = self.shop.folder / "office" / "office.db"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            result = books.compare(journal, office_db, ledger)
            if not result.faults or time.monotonic() > deadline:
                break
            # The messenger and the office are other processes: their books are read.
            time.sleep(0.2)
        if result.sales != 6:
            fault = f"{result.sales} sales were made, not 6"
            result = msgspec.structs.replace(result, faults=(*result.faults, fault))
        searched, leaks = books.card_data(
            self.shop.folder, self.shop.folder / "terminal.db"
        )
        if leaks:
            fault = f"card data in {', '.join(leaks)}"
            result = msgspec.structs.replace(result, faults=(*result.faults, fault))
        else:
            self._say(
                "the terminal let a card number and a track slip; they are in none of"
                f" {searched} files"
            )
        self._say(
            f"{result.sales} sales, {result.sales_minor / 100:.2f} EUR in the journal,"
            f" {result.terminal_minor / 100:.2f} EUR at the terminal"
        )
        return result

    # -- what a person does --------------------------------------------------

    def _scan(self, label: str) -> None:
        before = self._lines()
        self.shop.scanner.type(label)
        self._until(f"item {label}", lambda s: self._lines(s) > before)

    def _weigh(self, item: str, grams: int) -> None:
        before = self._lines()
        self.shop.window.tell("scale", "put", grams=grams)
        slug = "".join(c if c.isalnum() else "_" for c in item)
        self._tap("produce")
        self.picture("produce")
        state = self.shop.window.state()
        if f"item_{slug}" not in state.controls:
            for page in (c for c in state.controls if c.startswith("page_")):
                self._tap(page)
                if f"item_{slug}" in self.shop.window.state().controls:
                    break
        self._tap(f"item_{slug}")
        self._until("the weighed item", lambda s: self._lines(s) == before + 1)
        self.shop.window.tell("scale", "take_off")

    def _sign_on(self) -> None:
        number, _, pin, _ = STAFF[0]
        self._tap("staff")
        self._type(number)
        self._tap("enter")
        self._type(pin)
        self.picture("pin-pad")
        self._tap_until("enter", "Ana signed on", lambda s: s.mode == "Attending")

    def _type(self, digits: str) -> None:
        for key in digits:
            self._tap(f"key_{key}")
            # A finger lifts and comes back; faster repeats are taken for a bounce.
            time.sleep(_KEY_SECONDS)

    def _pay(self) -> None:
        self._tap_until("pay", "the terminal's turn", lambda s: s.mode == "Paying")
        if not self.shop.terminal.tell("terminal", "present_card", wait_seconds=8):
            raise DemoFailed("the terminal asked for no card")
        self._until("paid", lambda s: s.mode == "Complete")

    def _no_receipt(self) -> None:
        self._tap_until("receipt_none", "thanks", lambda s: self._stage(s) != "ask")
        self._until("the next shopper", lambda s: s.mode == "Idle")

    # -- looking -------------------------------------------------------------

    def picture(self, name: str) -> None:
        """Keep what is on the screen, if there is a screen."""
        self._taken += 1
        path = self._pictures / f"{self._taken:02d}-{name}.png"
        try:
            path.write_bytes(self.shop.window.screenshot())
        except (OSError, ControlError):
            self._taken -= 1

    def _say(self, what: str) -> None:
        self._console.print(f"[green]*[/] {what}", highlight=False)

    def _tap(self, name: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.shop.window.tap_control(name):
            if time.monotonic() > deadline:
                there = ", ".join(self.shop.window.state().controls)
                raise DemoFailed(
                    f"no button {name!r} on the screen; there are: {there}"
                )
            # The screen is another process: it is looked at, as a person would.
            time.sleep(0.05)

    def _tap_until(self, name: str, what: str, is_so: Callable[[Seen], bool]) -> Seen:
        """Tap a button as a person does: again, when nothing happened.

        Buttons are dead for the moment in which they appear, against double taps.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            self._tap(name)
            again = time.monotonic() + _TAP_AGAIN_SECONDS
            while time.monotonic() < again:
                seen = self.shop.window.state()
                if is_so(seen):
                    return seen
                # As above: looked at until it changes.
                time.sleep(0.05)
        raise DemoFailed(f"tapped {name!r} in vain; waited for: {what}")

    def _until(self, what: str, is_so: Callable[[Seen], bool]) -> Seen:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            seen = self.shop.window.state()
            if is_so(seen):
                return seen
            if time.monotonic() > deadline:
                raise DemoFailed(
                    f"waited in vain for: {what}; the lane is {seen.mode}"
                    f" over {seen.under} at entry {seen.seq}"
                )
            # The screen is another process: it is looked at, as a person would.
            time.sleep(0.05)

    def _lines(self, seen: Seen | None = None) -> int:
        state = (seen or self.shop.window.state()).state
        basket = state.get("mode", {}).get("basket", {})
        return len(basket.get("lines", ()))

    def _moment(self, seen: Seen) -> str:
        return str(seen.state.get("mode", {}).get("moment", ""))

    def _stage(self, seen: Seen) -> str:
        mode = seen.state.get("mode", {})
        return str(mode.get("stage", "ask")) if seen.mode == "Complete" else seen.mode

    def _ledger(self) -> list[dict[str, Any]]:
        ledger = self.shop.terminal.tell("terminal", "ledger")
        return msgspec.convert(ledger, list[dict[str, Any]])

    def _receipts(self) -> list[Path]:
        return sorted(self.shop.receipts.glob("*.png"))
