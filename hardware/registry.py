"""Driver names in lane.toml -> devices. The only file that names drivers.

A driver is imported when it is asked for, so that a lane loads only what it has
and a production image can be built without the simulators.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec

Options = Mapping[str, Any]
# Says, from a driver's thread, whether a label's text names something.
IsKnown = Callable[[str], bool]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86400)]
PaperMm = Annotated[int, msgspec.Meta(ge=58, le=80)]

SIMULATED = "simulated"


class DeviceConfigError(Exception):
    """A device's options are wrong. `key` is dotted: `devices.printer.host`."""

    def __init__(self, key: str, expected: str) -> None:
        super().__init__(f"{key}: {expected}")
        self.key = key
        self.expected = expected


class _Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of one driver."""


class _None(_Shape, frozen=True):
    """A driver without options."""


class _Serial(_Shape, frozen=True):
    port: Text
    baud: Annotated[int, msgspec.Meta(ge=300, le=921600)] = 9600


class _Camera(_Shape, frozen=True):
    source: Text
    frames_per_second: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    shown_frames: Annotated[int, msgspec.Meta(ge=1)] = 8
    is_looping: bool = False


class _SimulatedScanner(_Shape, frozen=True):
    link: str = ""


class _NetworkPrinter(_Shape, frozen=True):
    host: Text
    port: Port = 9100
    width_mm: PaperMm = 80


class _SerialPrinter(_Shape, frozen=True):
    port: Text
    baud: Annotated[int, msgspec.Meta(ge=300, le=921600)] = 9600
    width_mm: PaperMm = 80


class _FilePrinter(_Shape, frozen=True):
    path: Text
    width_mm: PaperMm = 80


class _SimulatedPrinter(_Shape, frozen=True):
    port_file: Text
    width_mm: PaperMm = 80


class _SimulatedTerminal(_Shape, frozen=True):
    port_file: Text
    pay_seconds: Annotated[float, msgspec.Meta(gt=0, le=600)] = 150.0


class _Zvt(_Shape, frozen=True, kw_only=True):
    """What ZVT over TCP and over a serial line have in common."""

    # A file of its own, readable by the lane alone: lane.toml holds no secret.
    password_file: Text
    currency: Text = "EUR"
    # The number on the terminal: another one that answers is noticed.
    terminal_id: str = ""
    charset: Literal["cp437", "latin-1", "iso8859-2", "utf-8"] = "cp437"
    prints: bool = False
    watch_seconds: Seconds = 60.0
    dialogue_seconds: Seconds = 180.0
    idle_apart_seconds: Seconds = 5.0
    answers_apart_seconds: Seconds = 60.0


class _ZvtTcp(_Zvt, frozen=True, kw_only=True):
    host: Text
    port: Port = 20007


class _ZvtSerial(_Zvt, frozen=True, kw_only=True):
    device: Text
    baud: Annotated[int, msgspec.Meta(ge=300, le=921600)] = 9600


class _Nut(_Shape, frozen=True):
    ups: Text
    host: Text = "127.0.0.1"
    port: Port = 3493
    poll_seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 2.0
    # Who may order a shutdown at upsd; without it upsmon alone does.
    user: str = ""
    password_file: str = ""


class _SimulatedScale(_Shape, frozen=True):
    division_grams: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1


_Choice = TypeVar("_Choice", bound=_Shape)


class Driver(Generic[_Choice]):
    """One driver: the shape of its options, and how it is made of them."""

    def __init__(self, shape: type[_Choice], make: Callable[[_Choice], object]) -> None:
        self.shape = shape
        self._make = make

    def make(self, options: dict[str, Any]) -> object:
        """Make the device. Raises what `msgspec.convert` raises."""
        return self._make(msgspec.convert(options, self.shape))


def drivers(device: str) -> list[str]:
    """Return the names of the drivers that a device can have."""
    return sorted(_TABLE.get(device, {}))


def is_simulator(driver: str) -> bool:
    """Whether a driver's name is that of a simulator."""
    return driver == SIMULATED


def build(device: str, options: Options, is_known: IsKnown | None = None) -> Any:
    """Return the device that `options` describe; touches no hardware yet.

    A camera believes a label that `is_known` at its first sight.

    `device` is its table's name in lane.toml (`printer`), `options["driver"]` the
    driver's. Typed `Any`: what a name stands for is the reader's of lane.toml to
    know. Raises `DeviceConfigError`.
    """
    driver = _driver(device, options)
    _check(device, driver.shape, options)
    made = driver.make({k: v for k, v in options.items() if k != "driver"})
    if isinstance(made, _CameraToBe):
        return made.build(is_known)
    return made


def problems(device: str, options: Options) -> list[str]:
    """Return what is wrong with a device's options, in words, key first."""
    try:
        _check(device, _driver(device, options).shape, options)
    except DeviceConfigError as error:
        return [str(error)]
    return []


def _driver(device: str, options: Options) -> Driver[Any]:
    if device not in _TABLE:
        known = ", ".join(_TABLE)
        raise DeviceConfigError(
            f"devices.{device}", f"there is no such device; expected one of {known}"
        )
    known = ", ".join(drivers(device))
    key = f"devices.{device}.driver"
    if "driver" not in options:
        raise DeviceConfigError(key, f"is needed and missing; one of {known}")
    name = options["driver"]
    if not isinstance(name, str) or name not in _TABLE[device]:
        raise DeviceConfigError(
            key, f"there is no driver {name!r}; expected one of {known}"
        )
    return _TABLE[device][name]


def _check(device: str, shape: type[_Shape], options: Options) -> None:
    """Raise for the first option that is unknown, missing or of a wrong kind."""
    given = {key: value for key, value in options.items() if key != "driver"}
    fields = {field.name: field for field in msgspec.structs.fields(shape)}
    prefix = f"devices.{device}"
    for key in given:
        if key not in fields:
            known = ", ".join(fields) or "none"
            raise DeviceConfigError(
                f"{prefix}.{key}",
                f"the driver {options['driver']!r} has no such option; it has: {known}",
            )
    for name, field in fields.items():
        if field.required and name not in given:
            raise DeviceConfigError(f"{prefix}.{name}", "is needed and missing")
    try:
        checked = msgspec.convert(given, shape)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$.")
        key = re.split(r"[.\[`]", where)[0]
        words = message[:1].lower() + message[1:].replace("`", "")
        raise DeviceConfigError(f"{prefix}.{key}", words) from error
    width_mm = getattr(checked, "width_mm", 80)
    if width_mm not in (58, 80):
        raise DeviceConfigError(
            f"{prefix}.width_mm", f"expected 58 or 80, got {width_mm}"
        )
    if isinstance(checked, _Camera):
        from hardware.scanner.camera import camera_command

        try:
            camera_command(checked.source)
        except ValueError as error:
            raise DeviceConfigError(f"{prefix}.source", str(error)) from error


# -- constructors: each imports its driver when it is called ------------------


def _serial_scanner(options: _Serial) -> object:
    from hardware.scanner.serial_scanner import SerialScanner, serial_port

    return SerialScanner(serial_port(options.port, options.baud))


class _CameraToBe:
    """A camera scanner that waits to be told how to ask for known labels."""

    def __init__(self, options: _Camera) -> None:
        self._options = options

    def build(self, is_known: IsKnown | None) -> object:
        """Make the scanner."""
        from hardware.scanner.camera import CameraScanner, camera_command

        options = self._options
        command = camera_command(
            options.source,
            options.frames_per_second,
            options.shown_frames,
            options.is_looping,
        )
        return CameraScanner(command, is_known)


def _simulated_scanner(options: _SimulatedScanner) -> object:
    from hardware.simulated.scanner_device import SimulatedScannerDevice

    return SimulatedScannerDevice(Path(options.link) if options.link else None)


def _network_printer(options: _NetworkPrinter) -> object:
    from hardware.printer.escpos_printer import EscposPrinter
    from hardware.printer.layout import WIDTH_OF_PAPER
    from hardware.printer.wires import NetworkWire

    return EscposPrinter(
        lambda: NetworkWire(options.host, options.port),
        WIDTH_OF_PAPER[options.width_mm],
    )


def _serial_printer(options: _SerialPrinter) -> object:
    from hardware.printer.escpos_printer import EscposPrinter
    from hardware.printer.layout import WIDTH_OF_PAPER
    from hardware.printer.wires import SerialWire

    return EscposPrinter(
        lambda: SerialWire(options.port, options.baud),
        WIDTH_OF_PAPER[options.width_mm],
    )


def _file_printer(options: _FilePrinter) -> object:
    from hardware.printer.escpos_printer import EscposPrinter
    from hardware.printer.layout import WIDTH_OF_PAPER
    from hardware.printer.wires import FileWire

    return EscposPrinter(
        lambda: FileWire(options.path), WIDTH_OF_PAPER[options.width_mm]
    )


def _simulated_printer(options: _SimulatedPrinter) -> object:
    from hardware.printer.escpos_printer import EscposPrinter
    from hardware.printer.layout import WIDTH_OF_PAPER
    from hardware.printer.wires import NetworkWire
    from hardware.simulated.control import LOOPBACK
    from hardware.simulated.frames import read_port_file

    # Read at each connection: a simulator started anew listens elsewhere.
    return EscposPrinter(
        lambda: NetworkWire(LOOPBACK, read_port_file(Path(options.port_file)).port),
        WIDTH_OF_PAPER[options.width_mm],
    )


def _simulated_terminal(options: _SimulatedTerminal) -> object:
    from hardware.simulated.terminal import SimulatedTerminal

    return SimulatedTerminal(Path(options.port_file), options.pay_seconds)


def _zvt_tcp(options: _ZvtTcp) -> object:
    from hardware.terminal.zvt import ZvtTerminal
    from hardware.terminal.zvt_link import TcpLink

    return ZvtTerminal(
        lambda: TcpLink(options.host, options.port), _zvt_profile(options)
    )


def _zvt_serial(options: _ZvtSerial) -> object:
    from hardware.terminal.zvt import ZvtTerminal
    from hardware.terminal.zvt_link import SerialLink

    return ZvtTerminal(
        lambda: SerialLink(options.device, options.baud), _zvt_profile(options)
    )


def _zvt_profile(options: _Zvt) -> Any:
    from hardware.terminal.zvt import Profile
    from hardware.terminal.zvt_commands import Password
    from hardware.terminal.zvt_dialogue import Timers

    try:
        password = Password(Path(options.password_file).read_text().strip())
    except (OSError, ValueError) as error:
        raise DeviceConfigError(
            "devices.terminal.password_file",
            f"{options.password_file}: {_reason(error)}",
        ) from error
    return Profile(
        password,
        options.currency,
        options.terminal_id,
        options.charset,
        options.prints,
        Timers(dialogue_seconds=options.dialogue_seconds),
        options.idle_apart_seconds,
        options.answers_apart_seconds,
        options.watch_seconds,
    )


def _reason(error: OSError | ValueError) -> str:
    words = error.strerror if isinstance(error, OSError) else str(error)
    return words or type(error).__name__


def _simulated_scale(options: _SimulatedScale) -> object:
    from hardware.simulated.scale import SimulatedScale

    return SimulatedScale(options.division_grams)


def _simulated_ups(options: _None) -> object:
    from hardware.simulated.ups import SimulatedUps

    return SimulatedUps()


def _simulated_light(options: _None) -> object:
    from hardware.simulated.light import SimulatedLight

    return SimulatedLight()


def _nut_ups(options: _Nut) -> object:
    from hardware.ups.nut_client import NutClient
    from hardware.ups.nut_ups import Login, NutUps

    login = None
    if options.user:
        try:
            password = Path(options.password_file).read_text().strip()
        except OSError as error:
            raise DeviceConfigError(
                "devices.ups.password_file",
                f"{options.password_file}: {_reason(error)}",
            ) from error
        login = Login(options.user, password)
    return NutUps(
        lambda: NutClient(options.host, options.port),
        options.ups,
        options.poll_seconds,
        login,
    )


def _no_scale(options: _None) -> object:
    from hardware.absent import NoScale

    return NoScale()


def _no_ups(options: _None) -> object:
    from hardware.absent import NoUps

    return NoUps()


def _no_light(options: _None) -> object:
    from hardware.absent import NoLight

    return NoLight()


_TABLE: dict[str, dict[str, Driver[Any]]] = {
    "scanner": {
        "serial": Driver(_Serial, _serial_scanner),
        "camera": Driver(_Camera, _CameraToBe),
        SIMULATED: Driver(_SimulatedScanner, _simulated_scanner),
    },
    # A second scanner beside the first.
    "camera": {"camera": Driver(_Camera, _CameraToBe)},
    "printer": {
        "escpos_network": Driver(_NetworkPrinter, _network_printer),
        "escpos_serial": Driver(_SerialPrinter, _serial_printer),
        "escpos_file": Driver(_FilePrinter, _file_printer),
        SIMULATED: Driver(_SimulatedPrinter, _simulated_printer),
    },
    "terminal": {
        "zvt_tcp": Driver(_ZvtTcp, _zvt_tcp),
        "zvt_serial": Driver(_ZvtSerial, _zvt_serial),
        SIMULATED: Driver(_SimulatedTerminal, _simulated_terminal),
    },
    "scale": {
        SIMULATED: Driver(_SimulatedScale, _simulated_scale),
        "none": Driver(_None, _no_scale),
    },
    "ups": {
        "nut": Driver(_Nut, _nut_ups),
        SIMULATED: Driver(_None, _simulated_ups),
        "none": Driver(_None, _no_ups),
    },
    "light": {
        SIMULATED: Driver(_None, _simulated_light),
        "none": Driver(_None, _no_light),
    },
}
