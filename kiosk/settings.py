"""lane.toml -> frozen settings, read once. An error names file, key and what was
expected. Never reads the environment and never writes a file.
"""

from __future__ import annotations

import re
import tomllib
import zlib
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from hardware import registry
from kiosk import ups_config
from kiosk.domain import promotion, restricted, tax
from kiosk.domain.currency import MINOR_DIGITS, NUMERIC_CODES
from kiosk.domain.label import LabelRules
from kiosk.domain.policy import BaggingPolicy, CheckPolicy, Limits, OfflinePolicy, Rules
from kiosk.domain.pricing import PricingRules
from kiosk.domain.promotion import Offer
from kiosk.domain.tax import TaxRules
from kiosk.ups_config import UpsSettings

_NEEDED = ("scanner", "terminal", "printer")
_LANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_LARGEST_LIMIT = 10_000_000
_MAY_LACK = ("scale", "bagging", "ups", "light", "speaker", "keypad")


class ConfigError(Exception):
    """A setting is wrong. The message is for whoever edits the file."""


class _Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Unknown keys are errors: a misspelt setting must not be silently ignored."""


class StoreSettings(_Shape, frozen=True):
    """The shop. `name` are the receipt's first lines."""

    name: tuple[str, ...]
    currency: str
    timezone: str
    languages: tuple[str, ...] = ("en",)
    # The trading day closes at this local time, "HH:MM", when the lane is idle.
    day_ends_at: str = "04:00"


class ReceiptSettings(_Shape, frozen=True):
    """`required`: the country forbids a sale without a printed receipt."""

    required: bool = False
    unanswered: Literal["paper", "none"] = "none"
    url: str = ""
    width_mm: Literal[58, 80] = 80


class LabelSettings(_Shape, frozen=True):
    """In-store labels. `country` chooses ready rules; `restricted` adds own ones."""

    country: str = ""
    restricted: tuple[restricted.RestrictedRule, ...] = ()
    coupon_prefixes: tuple[str, ...] = ()


class PanelSettings(_Shape, frozen=True):
    """The screen. Sizes on it are in millimetres, so the diagonal must be right."""

    width_px: int = 1080
    height_px: int = 1920
    diagonal_inches: float = 21.5


class SyncSettings(_Shape, frozen=True):
    """Where the back office is. Empty: the lane sells for itself."""

    server_url: str = ""
    server_key: str = ""
    enrol_token: str = ""
    # The shop's PIN secret; without it PINs are checked with the machine's own.
    pins_secret: str = ""
    # An idle lane says hello so often: a restored back office is healed within it.
    hello_seconds: float = 20
    # After many failures in a row the lane tries again at least so often.
    longest_retry_seconds: float = 120
    # A back office that takes longer to answer counts as gone.
    answer_seconds: float = 10


class PaymentSettings(_Shape, frozen=True):
    """How much the shop risks with card payments.

    `manual_reconciliation` enables a terminal that cannot tell how a payment ended;
    staff then settle every one that was cut short.
    """

    manual_reconciliation: bool = False
    offline: OfflinePolicy = OfflinePolicy()


class Settings(_Shape, frozen=True):
    """All that one lane is told by its file."""

    lane_id: str
    state_dir: str
    store: StoreSettings
    tax: TaxRules
    production: bool = False
    # Age and other approvals are collected and asked for once, at payment.
    approvals_at_end: bool = True
    catalog: str = ""
    # Rows of it that cannot be understood: they are left out, or nothing is loaded.
    catalog_bad_rows: Literal["leave_out", "refuse"] = "leave_out"
    receipt: ReceiptSettings = ReceiptSettings()
    labels: LabelSettings = LabelSettings()
    panel: PanelSettings = PanelSettings()
    sync: SyncSettings = SyncSettings()
    payments: PaymentSettings = PaymentSettings()
    limits: Limits = Limits()
    bagging: BaggingPolicy = BaggingPolicy()
    checks: CheckPolicy = CheckPolicy()
    offers: tuple[Offer, ...] = ()
    # The UPS on this machine, which its NUT watches and the lane asks.
    ups: UpsSettings = UpsSettings()
    devices: dict[str, dict[str, Any]] = {}

    def rules(self) -> Rules:
        """Return what baskets are sold by."""
        pricing = PricingRules(self.store.currency, self.tax, self.offers)
        rules = Rules(
            version="",
            pricing=pricing,
            limits=self.limits,
            languages=self.store.languages,
            approvals_at_end=self.approvals_at_end,
            receipt_required=self.receipt.required,
            receipt_unanswered=self.receipt.unanswered,
            receipt_url=self.receipt.url,
            store=self.store.name,
            offline=self.payments.offline,
            bagging=msgspec.structs.replace(self.bagging, is_on=self.has_bagging),
            checks=self.checks,
        )
        return msgspec.structs.replace(rules, version=version_of(rules))

    def label_rules(self) -> LabelRules:
        """Return how in-store labels are read."""
        ready = restricted.EXAMPLES.get(self.labels.country, ())
        return LabelRules(
            restricted=(*self.labels.restricted, *ready),
            coupon_prefixes=self.labels.coupon_prefixes,
            currency_decimals=MINOR_DIGITS.get(self.store.currency, 2),
        )

    def all_devices(self) -> dict[str, dict[str, Any]]:
        """Return the devices' options, with "none" for those a lane may lack.

        A UPS of this machine's own needs no `[devices.ups]`.
        """
        absent: dict[str, dict[str, Any]] = {
            device: {"driver": "none"} for device in _MAY_LACK
        }
        if self.ups.is_there:
            absent["ups"] = ups_config.lane_device()
        return {**absent, **self.devices}

    @property
    def has_bagging(self) -> bool:
        """Does this lane have a scale under the bags?"""
        return self.all_devices()["bagging"].get("driver") != "none"

    @property
    def state(self) -> Path:
        """Where this lane keeps its journal, keys and catalogue."""
        return Path(self.state_dir)


def version_of(rules: Rules) -> str:
    """Return a short name for exactly these rules."""
    content = msgspec.json.encode(msgspec.structs.replace(rules, version=""))
    return f"{zlib.crc32(content):08x}"


def load(path: Path) -> Settings:
    """Read a lane's settings; `ConfigError` says what is wrong with them."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"{path}: cannot be read: {reason}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: byte {error.start} is no UTF-8 text; save the file as UTF-8"
        ) from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Settings:
    """Read settings from text; `name` stands for the file in messages."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: not TOML: {error}") from error
    _check_tables(table, name)
    try:
        settings = msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {_in_words(str(error))}") from error
    _check(settings, name)
    return settings


# What TOML calls the kinds that msgspec names.
_KINDS = {
    "str": "text in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list in [ ]",
    "object": "a table",
}


def _in_words(error: str) -> str:
    """Say msgspec's message with the key first: `$.store.name` -> `store.name`."""
    message, _, where = error.partition(" - at `$")
    path = where.rstrip("`").lstrip(".")
    key = path or "the file"
    if message.startswith("Object contains unknown field "):
        unknown = message.removeprefix("Object contains unknown field ").strip("`")
        key = f"{path}.{unknown}" if path else unknown
        known = _choices(path)
        return f"{key}: there is no such setting{_one_of(known)}"
    if message.startswith("Object missing required field "):
        missing = message.removeprefix("Object missing required field ").strip("`")
        key = f"{path}.{missing}" if path else missing
        return f"{key}: is needed and missing"
    if message.startswith("Invalid enum value "):
        value = message.removeprefix("Invalid enum value ")
        return f"{key}: {value} is not possible{_one_of(_choices(path))}"
    words = re.sub(r"`(\w+)`", lambda kind: _KINDS.get(kind[1], kind[1]), message)
    return f"{key}: {words[:1].lower()}{words[1:]}"


def _one_of(known: list[str]) -> str:
    return f"; expected one of {', '.join(known)}" if known else ""


def _choices(path: str) -> list[str]:
    """Return what may stand at a place: a table's settings, or a setting's values."""
    here: Any = msgspec.inspect.type_info(Settings)
    for part in re.findall(r"\[[^\]]*\]|[^.\[\]]+", path):
        if part.startswith("["):
            here = getattr(here, "item_type", None)
        elif isinstance(here, msgspec.inspect.StructType):
            fields = {field.encode_name: field.type for field in here.fields}
            here = fields.get(part)
    match here:
        case msgspec.inspect.StructType(fields=found):
            return [field.encode_name for field in found]
        case msgspec.inspect.LiteralType(values=values):
            return [str(value) for value in values]
        case msgspec.inspect.EnumType(cls=kind):
            return [str(member.value) for member in kind]
        case _:
            return []


def _check_tables(table: dict[str, Any], name: str) -> None:
    """Refuse a device that is not a table, by its name."""
    devices = table.get("devices", {})
    if isinstance(devices, dict):
        for device, options in devices.items():
            if not isinstance(options, dict):
                raise ConfigError(
                    f"{name}: devices.{device}: expected a table [devices.{device}]"
                    f" with driver = ..., got {options!r}"
                )


def _check(settings: Settings, name: str) -> None:
    """Refuse what is well-formed and still cannot work."""
    faults: list[str] = []
    try:
        ZoneInfo(settings.store.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        faults.append(
            f"store.timezone: {settings.store.timezone!r} is no time zone;"
            " expected a name like Europe/Berlin"
        )
    if not settings.store.languages:
        faults.append("store.languages: expected at least one, like en")
    country = settings.labels.country
    if country and country not in restricted.EXAMPLES:
        known = ", ".join(sorted(restricted.EXAMPLES))
        faults.append(
            f"labels.country: {country!r} is unknown; expected one of {known}"
        )
    if not _LANE_ID.fullmatch(settings.lane_id):
        faults.append(
            f"lane_id: {settings.lane_id!r}: expected letters, digits, - and _, like"
            " lane-3 (it stands on receipts and in addresses)"
        )
    if settings.store.currency not in NUMERIC_CODES.values():
        faults.append(
            f"store.currency: {settings.store.currency!r} is no currency;"
            " expected three letters like EUR"
        )
    if not _TIME.fullmatch(settings.store.day_ends_at):
        faults.append("store.day_ends_at: expected a local time like 04:00")
    panel = settings.panel
    if not (panel.width_px > 0 and panel.height_px > 0 and panel.diagonal_inches > 0):
        faults.append("panel: width_px, height_px and diagonal_inches must be above 0")
    limits = msgspec.structs.asdict(settings.limits)
    faults += [
        f"limits.{key}: expected a number from 0 to {_LARGEST_LIMIT}, got {value}"
        for key, value in limits.items()
        # Not a number is not in any order, so it is asked for this way round.
        if not 0 <= value <= _LARGEST_LIMIT
    ]
    for table, values in (
        ("payments.offline", settings.payments.offline),
        ("bagging", settings.bagging),
        ("checks", settings.checks),
    ):
        faults += [
            f"{table}.{key}: expected 0 or more, got {value}"
            for key, value in msgspec.structs.asdict(values).items()
            # Not a number is not in any order, so it is asked for this way round.
            if not 0 <= value <= _LARGEST_LIMIT * 1000
        ]
    faults += [f"tax: {fault}" for fault in tax.problems(settings.tax)]
    faults += ups_config.problems(settings.ups)
    faults += [f"offers: {fault}" for fault in promotion.problems(settings.offers)]
    faults += [
        f"devices.{device}: is needed and missing; a lane cannot sell without"
        for device in _NEEDED
        if device not in settings.devices
    ]
    for device, options in settings.devices.items():
        faults += registry.problems(device, options)
        driver = str(options.get("driver", ""))
        if settings.production and registry.is_simulator(driver):
            faults.append(
                f"devices.{device}.driver: {driver!r} is a simulator, and"
                " production = true allows none; name the real device's driver"
            )
    if faults:
        raise ConfigError("\n".join(f"{name}: {fault}" for fault in faults))
