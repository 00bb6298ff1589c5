"""A receipt printer on USB, through pyusb: chosen by its numbers, never guessed.

Opens, writes, reads and lets go. Reads no status: the driver does, as on every wire.
"""

from __future__ import annotations

import errno
from typing import Any

import msgspec
import usb.core
import usb.util

# USB device class definition for printing devices, 1.1.
PRINTER_CLASS = 7
WRITE_MS = 8000
PACKET_BYTES = 512


class UsbChoice(msgspec.Struct, frozen=True):
    """Which printer is meant: vendor, product, and the serial number where two are."""

    vendor: int
    product: int
    serial: str = ""

    def __str__(self) -> str:
        numbers = f"{self.vendor:04x}:{self.product:04x}"
        return f"{numbers} serial {self.serial}" if self.serial else numbers


class UsbWire:
    """An open printer interface of a USB device. All trouble is an OSError."""

    def __init__(self, choice: UsbChoice, backend: Any = None) -> None:
        self._device = _find(choice, backend)
        try:
            self._interface = _printer_interface(self._device, choice)
            self._number = self._interface.bInterfaceNumber
            # usblp, the kernel's own driver, takes every printer it sees.
            if self._device.is_kernel_driver_active(self._number):
                self._device.detach_kernel_driver(self._number)
            usb.util.claim_interface(self._device, self._number)
        except NotImplementedError as error:
            usb.util.dispose_resources(self._device)
            raise OSError(f"the USB printer {choice}: {error}") from error
        except usb.core.USBError:
            usb.util.dispose_resources(self._device)
            raise
        self._out = _bulk(self._interface, usb.util.ENDPOINT_OUT)
        self._in = _bulk(self._interface, usb.util.ENDPOINT_IN)
        if self._out is None:
            self.close()
            raise OSError(f"the USB device {choice} takes no bytes")
        self.answers = self._in is not None

    def write(self, data: bytes) -> None:
        while data:
            sent = self._out.write(data, WRITE_MS)
            if not sent:
                raise TimeoutError("the printer takes no bytes")
            data = data[sent:]

    def read(self, seconds: float) -> bytes:
        if self._in is None:
            return b""
        try:
            # A whole packet: libusb calls a shorter buffer an overflow.
            return bytes(self._in.read(PACKET_BYTES, max(1, int(seconds * 1000))))
        except usb.core.USBTimeoutError:
            return b""

    def close(self) -> None:
        try:
            usb.util.release_interface(self._device, self._number)
        finally:
            usb.util.dispose_resources(self._device)


def _find(choice: UsbChoice, backend: Any) -> Any:
    try:
        found = [
            device
            for device in usb.core.find(
                find_all=True,
                idVendor=choice.vendor,
                idProduct=choice.product,
                backend=backend,
            )
            if not choice.serial or _serial(device) == choice.serial
        ]
    except usb.core.NoBackendError as error:
        raise OSError("libusb-1.0-0 is not installed") from error
    if not found:
        raise OSError(errno.ENODEV, f"no USB printer {choice}")
    if len(found) > 1:
        # Two of a kind: whichever came first would be a guess.
        raise OSError(f"{len(found)} USB printers are {choice}: give the serial number")
    return found[0]


def _serial(device: Any) -> str:
    try:
        return str(device.serial_number or "")
    except (usb.core.USBError, ValueError):
        # Without the right to open it, its serial number cannot be read.
        return ""


def _printer_interface(device: Any, choice: UsbChoice) -> Any:
    for configuration in device:
        for interface in configuration:
            if interface.bInterfaceClass == PRINTER_CLASS:
                return interface
    raise OSError(f"the USB device {choice} is no printer")


def _bulk(interface: Any, direction: int) -> Any:
    return usb.util.find_descriptor(
        interface,
        custom_match=lambda endpoint: (
            usb.util.endpoint_direction(endpoint.bEndpointAddress) == direction
            and usb.util.endpoint_type(endpoint.bmAttributes)
            == usb.util.ENDPOINT_TYPE_BULK
        ),
    )
