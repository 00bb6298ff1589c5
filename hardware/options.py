"""What lane.toml may say of each driver: the shapes of their options.

Values only. A shape's names are the keys in lane.toml; what has no default is needed.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86400)]
PaperMm = Annotated[int, msgspec.Meta(ge=58, le=80)]
Language = Annotated[str, msgspec.Meta(pattern="^[a-z]{2,3}(-[a-z0-9]{2,8})*$")]
KeyCode = Annotated[int, msgspec.Meta(ge=1, le=767)]
PadKey = Literal[
    "up",
    "down",
    "left",
    "right",
    "select",
    "help",
    "volume_up",
    "volume_down",
    "faster",
    "slower",
    "headphones_in",
    "headphones_out",
]
Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]
UsbId = Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{4}:[0-9a-fA-F]{4}$")]
# Latin, Greek and Cyrillic: scripts that need no shaping.
CodePage = Literal[
    "cp437", "cp737", "cp775", "cp850", "cp852", "cp855", "cp858", "cp860", "cp861",
    "cp863", "cp865", "cp866", "cp869", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254",
    "cp1257", "cp1258",
]  # fmt: skip
Relay = Annotated[int, msgspec.Meta(ge=0, le=16)]


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of one driver."""


class Nothing(Shape, frozen=True):
    """A driver without options."""


class Serial(Shape, frozen=True):
    port: Text
    baud: Annotated[int, msgspec.Meta(ge=300, le=921600)] = 9600


class SerialLabels(Serial, frozen=True):
    # What the scanner is set to send before and after each label. Without it every
    # usual end is understood; with it nothing else is a label. Letters and digits in a
    # suffix would cut labels, GS is part of some.
    prefix: Annotated[str, msgspec.Meta(pattern=r"^[\x01-\x1c\x1e-\x7e]{0,8}\Z")] = ""
    suffix: Annotated[
        str, msgspec.Meta(pattern=r"^[\x01-\x1c\x1e-\x2c\x3a-\x40\x5e\x7b-\x7e]{0,4}\Z")
    ] = ""


class Hid(Shape, frozen=True):
    # Vendor and product as lsusb prints them; never guessed.
    usb: UsbId
    serial: str = ""
    port: str = ""
    layout: Literal["us", "de", "fr"] = "us"
    # The scanner is set to type GS (29) as Ctrl and ].
    gs_as_ctrl_bracket: bool = False


class Camera(Shape, frozen=True):
    source: Text
    frames_per_second: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    shown_frames: Annotated[int, msgspec.Meta(ge=1)] = 8
    is_looping: bool = False


class SimulatedScanner(Shape, frozen=True):
    link: str = ""


class Escpos(Shape, frozen=True, kw_only=True):
    """What receipt printers on every wire have in common."""

    width_mm: PaperMm = 80
    # The printer's own numbers, `cp858 = 19`, in the order in which they are tried;
    # without them Epson's.
    code_pages: Annotated[dict[CodePage, Byte], msgspec.Meta(min_length=1)] | None = (
        None
    )
    # Whether the printer draws QR codes itself (`GS ( k`).
    native_qr: bool = True
    # A picture file, printed above every receipt.
    logo: str = ""
    # Tells an Epson not to beep at open cover, end of paper and errors.
    beeper_off: bool = False


class NetworkPrinter(Escpos, frozen=True, kw_only=True):
    host: Text
    port: Port = 9100
    status_back: bool = True


class SerialPrinter(Escpos, frozen=True, kw_only=True):
    port: Text
    baud: Annotated[int, msgspec.Meta(ge=300, le=921600)] = 9600
    status_back: bool = True


class UsbPrinter(Escpos, frozen=True, kw_only=True):
    # Vendor and product as lsusb prints them; never guessed.
    usb: UsbId
    # Needed where two of a kind are plugged in.
    serial: str = ""
    status_back: bool = True


class FilePrinter(Escpos, frozen=True, kw_only=True):
    path: Text


class SimulatedPrinter(Escpos, frozen=True, kw_only=True):
    port_file: Text
    status_back: bool = True


class SimulatedTerminal(Shape, frozen=True):
    port_file: Text
    pay_seconds: Annotated[float, msgspec.Meta(gt=0, le=600)] = 150.0


class Zvt(Shape, frozen=True, kw_only=True):
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


class ZvtTcp(Zvt, frozen=True, kw_only=True):
    host: Text
    port: Port = 20007


class ZvtSerial(Zvt, frozen=True, kw_only=True):
    device: Text
    baud: Annotated[int, msgspec.Meta(ge=300, le=921600)] = 9600


class NexoLocal(Shape, frozen=True, kw_only=True):
    """An Adyen terminal in local mode. Its key is set in the Customer Area too."""

    host: Text
    # Model and serial number, as the terminal shows them: V400m-347374578.
    poi_id: Annotated[str, msgspec.Meta(pattern="^[a-zA-Z0-9]{3,}-[a-zA-Z0-9]{9,15}$")]
    sale_id: Text
    # The terminals' fleet root, as the acquirer publishes it.
    root_certificate: Text
    # A file of its own, readable by the lane alone: lane.toml holds no secret.
    passphrase_file: Text
    key_name: Text
    key_version: Annotated[int, msgspec.Meta(ge=0)] = 1
    environment: Literal["live", "test"] = "live"
    port: Port = 8443
    watch_seconds: Seconds = 60.0
    answers_apart_seconds: Seconds = 15.0


class Nut(Shape, frozen=True):
    ups: Text
    host: Text = "127.0.0.1"
    port: Port = 3493
    poll_seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 2.0
    # Who may order a shutdown at upsd; without it upsmon alone does.
    user: str = ""
    password_file: str = ""


class RelayBoard(Shape, frozen=True):
    port: Text
    baud: Annotated[int, msgspec.Meta(ge=300, le=921600)] = 9600
    green: Relay = 1
    amber: Relay = 2
    red: Relay = 3
    call: Relay = 4


class SimulatedScale(Shape, frozen=True):
    division_grams: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1


class HidPad(Shape, frozen=True):
    # Vendor and product as lsusb prints them; never guessed.
    usb: Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{4}:[0-9a-fA-F]{4}$")]
    serial: str = ""
    port: str = ""
    # The kernel's code for each key that is not the usual one.
    keys: dict[PadKey, KeyCode] = {}


class SystemSound(Shape, frozen=True):
    # What plays a WAV from its standard input; `-D NAME` chooses ALSA's device.
    player: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)] = (
        "aplay",
        "-q",
        "-",
    )
    volume: Annotated[int, msgspec.Meta(ge=0, le=100)] = 50
    # What must be spoken here: a voice that is missing is told at the start.
    languages: tuple[Language, ...] = ()
