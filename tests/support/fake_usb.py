"""A USB bus with printers on it, as pyusb's backend: what is written becomes paper.

A simulator: no kernel and no cable is behind it.
"""

from __future__ import annotations

import errno
import queue
from typing import Any

import usb.backend
import usb.core
from usb.util import ENDPOINT_IN, ENDPOINT_OUT

from hardware.simulated.escpos_parse import take_real_time
from hardware.simulated.printer_mechanism import SimulatedPrinter

_LANGUAGES = bytes([4, 3, 9, 4])


class _Record:
    """A descriptor: names and numbers."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)
        self.extra_descriptors: list[int] = []


class FakePrinter:
    """A printer on the bus, plugged or not."""

    def __init__(
        self, paper: SimulatedPrinter | None, serial: str = "A1", interface: int = 7
    ) -> None:
        self.paper = paper
        self.serial = serial
        self.interface = interface
        self._is_plugged = True
        self.is_claimed_by_kernel = True
        self.answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._held = b""

    @property
    def is_plugged(self) -> bool:
        """Whether its plug is in, at both ends."""
        return self._is_plugged and not (self.paper and self.paper.is_unplugged)

    @is_plugged.setter
    def is_plugged(self, is_in: bool) -> None:
        self._is_plugged = is_in

    def take(self, data: bytes) -> None:
        assert self.paper is not None
        requests, other, self._held = take_real_time(self._held + data)
        for request in requests:
            if answer := self.paper.answer_now(request):
                self.answers.put(answer)
        self.paper.take(other, self.answers.put)


class FakeBus(usb.backend.IBackend):  # type: ignore[misc]  # pyusb has no types
    """What libusb would be asked."""

    def __init__(self, *printers: FakePrinter) -> None:
        super().__init__()
        self.printers = printers

    def enumerate_devices(self) -> Any:
        return (one for one in self.printers if one.is_plugged)

    def get_device_descriptor(self, dev: FakePrinter) -> Any:
        return _Record(
            bLength=18,
            bDescriptorType=1,
            bcdUSB=0x200,
            bDeviceClass=0,
            bDeviceSubClass=0,
            bDeviceProtocol=0,
            bMaxPacketSize0=64,
            idVendor=0x04B8,
            idProduct=0x0E28,
            bcdDevice=0x100,
            iManufacturer=0,
            iProduct=0,
            iSerialNumber=3,
            bNumConfigurations=1,
            address=1 + self.printers.index(dev),
            bus=1,
            port_number=1,
            port_numbers=(1,),
            speed=3,
        )

    def get_configuration_descriptor(self, dev: FakePrinter, config: int) -> Any:
        if config:
            raise IndexError
        return _Record(
            bLength=9,
            bDescriptorType=2,
            wTotalLength=32,
            bNumInterfaces=1,
            bConfigurationValue=1,
            iConfiguration=0,
            bmAttributes=0xC0,
            bMaxPower=1,
        )

    def get_interface_descriptor(
        self, dev: FakePrinter, intf: int, alt: int, config: int
    ) -> Any:
        if intf or alt:
            raise IndexError
        return _Record(
            bLength=9,
            bDescriptorType=4,
            bInterfaceNumber=0,
            bAlternateSetting=0,
            bNumEndpoints=2,
            bInterfaceClass=dev.interface,
            bInterfaceSubClass=1,
            bInterfaceProtocol=2,
            iInterface=0,
        )

    def get_endpoint_descriptor(
        self, dev: FakePrinter, ep: int, intf: int, alt: int, config: int
    ) -> Any:
        address = (ENDPOINT_OUT | 1, ENDPOINT_IN | 2)[ep]
        return _Record(
            bLength=7,
            bDescriptorType=5,
            bEndpointAddress=address,
            bmAttributes=2,
            wMaxPacketSize=64,
            bInterval=0,
            bRefresh=0,
            bSynchAddress=0,
        )

    def open_device(self, dev: FakePrinter) -> FakePrinter:
        return dev

    def close_device(self, dev_handle: FakePrinter) -> None:
        """Nothing is kept open."""

    def get_configuration(self, dev_handle: FakePrinter) -> int:
        return 1

    def set_configuration(self, dev_handle: FakePrinter, config_value: int) -> None:
        """There is one."""

    def claim_interface(self, dev_handle: FakePrinter, intf: int) -> None:
        if dev_handle.is_claimed_by_kernel:
            raise usb.core.USBError("busy", errno=errno.EBUSY)

    def release_interface(self, dev_handle: FakePrinter, intf: int) -> None:
        """It is free."""

    def is_kernel_driver_active(self, dev_handle: FakePrinter, intf: int) -> bool:
        return dev_handle.is_claimed_by_kernel

    def detach_kernel_driver(self, dev_handle: FakePrinter, intf: int) -> None:
        dev_handle.is_claimed_by_kernel = False

    def ctrl_transfer(
        self,
        dev_handle: FakePrinter,
        bmRequestType: int,
        bRequest: int,
        wValue: int,
        wIndex: int,
        data: Any,
        timeout: int,
    ) -> int:
        text = dev_handle.serial.encode("utf-16-le")
        told = bytes([2 + len(text), 3]) + text if wValue & 0xFF else _LANGUAGES
        size = min(len(told), len(data))
        for place in range(size):
            data[place] = told[place]
        return size

    def bulk_write(
        self, dev_handle: FakePrinter, ep: int, intf: int, data: Any, timeout: int
    ) -> int:
        if not dev_handle.is_plugged:
            raise usb.core.USBError("gone", errno=errno.ENODEV)
        taken = bytes(data[:64])
        dev_handle.take(taken)
        return len(taken)

    def bulk_read(
        self, dev_handle: FakePrinter, ep: int, intf: int, buff: Any, timeout: int
    ) -> int:
        if not dev_handle.is_plugged:
            raise usb.core.USBError("gone", errno=errno.ENODEV)
        try:
            told = dev_handle.answers.get(timeout=timeout / 1000)
        except queue.Empty as error:
            raise usb.core.USBTimeoutError("silent", errno=errno.ETIMEDOUT) from error
        for place, byte in enumerate(told):
            buff[place] = byte
        return len(told)
