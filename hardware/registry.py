"""Driver names in lane.toml -> devices. The only file that names drivers.

A driver is imported when it is asked for, so that a lane loads only what it has
and a production image can be built without the simulators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from hardware.option_faults import fault
from hardware.options import (
    Camera,
    Escpos,
    FilePrinter,
    Hid,
    HidPad,
    NetworkPrinter,
    NexoLocal,
    Nothing,
    Nut,
    RelayBoard,
    Serial,
    SerialLabels,
    SerialPrinter,
    Shape,
    SimulatedPrinter,
    SimulatedScale,
    SimulatedScanner,
    SimulatedTerminal,
    SystemSound,
    UsbPrinter,
    Zvt,
    ZvtSerial,
    ZvtTcp,
)

Options = Mapping[str, Any]
# Says, from a driver's thread, whether a label's text names something.
IsKnown = Callable[[str], bool]

SIMULATED = "simulated"


class DeviceConfigError(Exception):
    """A device's options are wrong. `key` is dotted: `devices.printer.host`."""

    def __init__(self, key: str, expected: str) -> None:
        super().__init__(f"{key}: {expected}")
        self.key = key
        self.expected = expected


_Choice = TypeVar("_Choice", bound=Shape)


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


def _check(device: str, shape: type[Shape], options: Options) -> None:
    """Raise for the first option that is unknown, missing or of a wrong kind."""
    wrong = fault(shape, options)
    if wrong is not None:
        raise DeviceConfigError(f"devices.{device}.{wrong.key}", wrong.expected)
    if shape is Camera:
        from hardware.scanner.camera import camera_command

        try:
            camera_command(options["source"])
        except ValueError as error:
            key = f"devices.{device}.source"
            raise DeviceConfigError(key, str(error)) from error


# -- constructors: each imports its driver when it is called ------------------


def _serial_scanner(options: SerialLabels) -> object:
    from hardware.scanner.framing import Marks
    from hardware.scanner.serial_scanner import SerialScanner, serial_port

    marks = Marks(options.prefix.encode(), options.suffix.encode())
    return SerialScanner(serial_port(options.port, options.baud), marks=marks)


def _hid_scanner(options: Hid) -> object:
    from hardware.input_device import Choice, InputDevice
    from hardware.scanner.hid_layouts import key_map
    from hardware.scanner.hid_scanner import HidScanner

    choice = Choice(options.usb.lower(), options.serial, options.port)
    return HidScanner(
        lambda: InputDevice(choice),
        key_map(options.layout),
        options.gs_as_ctrl_bracket,
    )


class _CameraToBe:
    """A camera scanner that waits to be told how to ask for known labels."""

    def __init__(self, options: Camera) -> None:
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


def _simulated_scanner(options: SimulatedScanner) -> object:
    from hardware.simulated.scanner_device import SimulatedScannerDevice

    return SimulatedScannerDevice(Path(options.link) if options.link else None)


def _network_printer(options: NetworkPrinter) -> object:
    from hardware.printer.wires import NetworkWire

    return _escpos(
        lambda: NetworkWire(options.host, options.port), options, options.status_back
    )


def _serial_printer(options: SerialPrinter) -> object:
    from hardware.printer.wires import SerialWire

    return _escpos(
        lambda: SerialWire(options.port, options.baud), options, options.status_back
    )


def _usb_printer(options: UsbPrinter) -> object:
    from hardware.printer.usb_wire import UsbChoice, UsbWire

    vendor, product = (int(part, 16) for part in options.usb.split(":"))
    choice = UsbChoice(vendor, product, options.serial)
    return _escpos(lambda: UsbWire(choice), options, options.status_back)


def _file_printer(options: FilePrinter) -> object:
    from hardware.printer.wires import FileWire

    return _escpos(lambda: FileWire(options.path), options, pushes_status=False)


def _simulated_printer(options: SimulatedPrinter) -> object:
    from hardware.printer.wires import NetworkWire
    from hardware.simulated.control import LOOPBACK
    from hardware.simulated.frames import read_port_file

    # Read at each connection: a simulator started anew listens elsewhere.
    return _escpos(
        lambda: NetworkWire(LOOPBACK, read_port_file(Path(options.port_file)).port),
        options,
        options.status_back,
    )


def _escpos(connect: Callable[[], Any], options: Escpos, pushes_status: bool) -> object:
    from hardware.printer.compose import Model
    from hardware.printer.encode import CODE_PAGES
    from hardware.printer.escpos_printer import EscposPrinter
    from hardware.printer.layout import WIDTH_OF_PAPER

    pages = CODE_PAGES
    if options.code_pages is not None:
        pages = tuple((number, codec) for codec, number in options.code_pages.items())
    model = Model(
        WIDTH_OF_PAPER[options.width_mm],
        pages,
        options.native_qr,
        options.beeper_off,
    )
    logo = Path(options.logo) if options.logo else None
    return EscposPrinter(connect, model, logo, pushes_status)


def _simulated_terminal(options: SimulatedTerminal) -> object:
    from hardware.simulated.terminal import SimulatedTerminal

    return SimulatedTerminal(Path(options.port_file), options.pay_seconds)


def _zvt_tcp(options: ZvtTcp) -> object:
    from hardware.terminal.zvt import ZvtTerminal
    from hardware.terminal.zvt_link import TcpLink

    return ZvtTerminal(
        lambda: TcpLink(options.host, options.port), _zvt_profile(options)
    )


def _zvt_serial(options: ZvtSerial) -> object:
    from hardware.terminal.zvt import ZvtTerminal
    from hardware.terminal.zvt_link import SerialLink

    return ZvtTerminal(
        lambda: SerialLink(options.device, options.baud), _zvt_profile(options)
    )


def _zvt_profile(options: Zvt) -> Any:
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


def _nexo_local(options: NexoLocal) -> object:
    from hardware.terminal.nexo import NexoTerminal, Profile
    from hardware.terminal.nexo_crypto import Key, check_passphrase
    from hardware.terminal.nexo_link import Address, HttpsLink

    try:
        passphrase = Path(options.passphrase_file).read_text().strip()
        check_passphrase(passphrase)
    except (OSError, ValueError) as error:
        raise DeviceConfigError(
            "devices.terminal.passphrase_file",
            f"{options.passphrase_file}: {_reason(error)}",
        ) from error
    address = Address(
        options.host,
        options.poi_id,
        Path(options.root_certificate),
        options.environment,
        options.port,
    )
    profile = Profile(
        Key(passphrase, options.key_name, options.key_version),
        options.poi_id,
        options.sale_id,
        answers_apart_seconds=options.answers_apart_seconds,
        watch_seconds=options.watch_seconds,
    )
    return NexoTerminal(HttpsLink(address), profile)


def _reason(error: OSError | ValueError) -> str:
    words = error.strerror if isinstance(error, OSError) else str(error)
    return words or type(error).__name__


def _simulated_scale(options: SimulatedScale) -> object:
    from hardware.simulated.scale import SimulatedScale

    return SimulatedScale(options.division_grams)


def _simulated_ups(options: Nothing) -> object:
    from hardware.simulated.ups import SimulatedUps

    return SimulatedUps()


def _simulated_light(options: Nothing) -> object:
    from hardware.simulated.light import SimulatedLight

    return SimulatedLight()


def _mettler_8217(options: Serial) -> object:
    from hardware.scale.mettler_8217 import Mettler8217, serial_port

    return Mettler8217(serial_port(options.port, options.baud))


def _relay_light(options: RelayBoard) -> object:
    from hardware.light.relay_light import RelayLight, Relays, serial_port

    relays = Relays(options.green, options.amber, options.red, options.call)
    return RelayLight(serial_port(options.port, options.baud), relays)


def _nut_ups(options: Nut) -> object:
    from hardware.ups.nut_client import NutClient
    from hardware.ups.nut_ups import Login, NutUps

    login = None
    if options.user:
        login = Login(options.user, password_file=options.password_file)
    return NutUps(
        lambda: NutClient(options.host, options.port),
        options.ups,
        options.poll_seconds,
        login,
    )


def _hid_keypad(options: HidPad) -> object:
    from hardware.input_device import Choice, InputDevice
    from hardware.keypad.hid_keypad import HidKeypad
    from hardware.keypad.keys import codes_of

    codes = codes_of({str(key): code for key, code in options.keys.items()})
    choice = Choice(options.usb.lower(), options.serial, options.port)
    return HidKeypad(
        lambda: InputDevice(choice, needs=next(iter(codes.values()))), codes
    )


def _simulated_keypad(options: Nothing) -> object:
    from hardware.simulated.keypad import SimulatedKeypad

    return SimulatedKeypad()


def _system_speaker(options: SystemSound) -> object:
    from hardware.audio.system_speaker import SystemSpeaker

    return SystemSpeaker(options.player, options.volume, options.languages)


def _simulated_speaker(options: Nothing) -> object:
    from hardware.simulated.speaker import SimulatedSpeaker

    return SimulatedSpeaker()


def _none(device: str) -> Callable[[Nothing], object]:
    def make(options: Nothing) -> object:
        from hardware.absent import ABSENT

        return ABSENT[device]()

    return make


_SCALE: dict[str, Driver[Any]] = {
    "mettler_8217": Driver(Serial, _mettler_8217),
    SIMULATED: Driver(SimulatedScale, _simulated_scale),
    "none": Driver(Nothing, _none("scale")),
}
_SCANNER: dict[str, Driver[Any]] = {
    "serial": Driver(SerialLabels, _serial_scanner),
    "hid": Driver(Hid, _hid_scanner),
    "camera": Driver(Camera, _CameraToBe),
    SIMULATED: Driver(SimulatedScanner, _simulated_scanner),
}
_TABLE: dict[str, dict[str, Driver[Any]]] = {
    "scanner": _SCANNER,
    # More scanners beside the first: one on a cable, for what is heavy, and a camera.
    "hand_scanner": _SCANNER,
    "camera": {"camera": Driver(Camera, _CameraToBe)},
    "printer": {
        "escpos_network": Driver(NetworkPrinter, _network_printer),
        "escpos_serial": Driver(SerialPrinter, _serial_printer),
        "escpos_usb": Driver(UsbPrinter, _usb_printer),
        "escpos_file": Driver(FilePrinter, _file_printer),
        SIMULATED: Driver(SimulatedPrinter, _simulated_printer),
    },
    "terminal": {
        "zvt_tcp": Driver(ZvtTcp, _zvt_tcp),
        "zvt_serial": Driver(ZvtSerial, _zvt_serial),
        "nexo_local": Driver(NexoLocal, _nexo_local),
        SIMULATED: Driver(SimulatedTerminal, _simulated_terminal),
    },
    "scale": _SCALE,
    "bagging": _SCALE,  # under the bags
    "ups": {
        "nut": Driver(Nut, _nut_ups),
        SIMULATED: Driver(Nothing, _simulated_ups),
        "none": Driver(Nothing, _none("ups")),
    },
    "light": {
        "relay_board": Driver(RelayBoard, _relay_light),
        SIMULATED: Driver(Nothing, _simulated_light),
        "none": Driver(Nothing, _none("light")),
    },
    "keypad": {
        "hid": Driver(HidPad, _hid_keypad),
        SIMULATED: Driver(Nothing, _simulated_keypad),
        "none": Driver(Nothing, _none("keypad")),
    },
    "speaker": {
        "system": Driver(SystemSound, _system_speaker),
        SIMULATED: Driver(Nothing, _simulated_speaker),
        "none": Driver(Nothing, _none("speaker")),
    },
}
