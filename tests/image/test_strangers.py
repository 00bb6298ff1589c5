"""Strangers at one machine: at its USB ports, on its network and with its clock.

In order: each test goes on where the one before it left the machine. The kernel is made
to say all that it does (`ignore_loglevel`), so that silence means something.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import frames_on_wire as wire
import pytest
import strange_disk
import stranger_on_net
from appliance_screen import has_label, place, says
from appliance_setup import GOODS, enrol
from appliance_usb import FOUND, PLUG_SECONDS, joined, port_of_newest, pull
from build import EPOCH
from frames_on_wire import Heard
from imagebuild.machine import Machine
from imagebuild.stand import Stand
from stranger_on_net import Stranger
from usb_liar import Plug, Pretended

OUT = Path(__file__).parents[2] / "var" / "test-image" / "strangers"
BOOT_SECONDS = 420.0
# As QEMU's user network gives it.
KIOSK = IPv4Address("10.0.2.15")
NAMES = "10.0.2.3"
# The card terminal has a cable of its own.
SHOP = {("10.0.2.101", 8081), ("10.0.2.102", 8443)}
SCANNER = ("03:01:01",)
CAMERA = ("0e:01:00", *["0e:02:00"] * 12, "01:01:00", *["01:02:00"] * 5)
# Each kind that the camera has, and room for fifteen of another.
KINDS = tuple(dict.fromkeys(CAMERA))
WITNESS = Pretended(0x0627, 0x0001, SCANNER, "Witness")
LIARS = {
    "scanner-with-a-disk": Pretended(0x0627, 0x0001, (*SCANNER, "08:06:50")),
    "scanner-with-a-second-keyboard": Pretended(0x0627, 0x0001, SCANNER * 2),
    "scanner-that-is-a-network-card": Pretended(
        0x0627, 0x0001, ("02:06:00", "0a:00:00")
    ),
    "scanner-of-another-product": Pretended(0x0627, 0x0002, SCANNER),
    "hub-that-types": Pretended(0x1D6B, 0x0104, ("09:00:00", *SCANNER)),
    "camera-with-disks": Pretended(0x046D, 0x0825, KINDS + ("08:06:50",) * 15),
    "camera-that-types": Pretended(0x046D, 0x0825, KINDS + SCANNER * 15),
}


@pytest.fixture(scope="module")
def stand(disk: Path) -> Iterator[Stand]:
    """A machine that tells all, with a stranger's wire on its network."""
    shutil.rmtree(OUT, ignore_errors=True)
    stand = Stand(disk, OUT, GOODS, is_shared=True, more_words="ignore_loglevel")
    yield stand
    stand.close()


@pytest.fixture(scope="module")
def stick(stand: Stand) -> Path:
    """A stick that wants to be booted."""
    return strange_disk.make(stand.folder / "stick")


@pytest.fixture(scope="module")
def stranger(stand: Stand) -> Iterator[Stranger]:
    """Somebody on the kiosk's network."""
    with Stranger(stand.stranger, stand.segment) as stranger:
        yield stranger


# -- its USB ports ---------------------------------------------------------


def test_it_boots_to_the_welcome(stand: Stand, stranger: Stranger) -> None:
    stand.machine.start()
    stand.machine.wait_for("Starting C:BOOT0", BOOT_SECONDS)
    # What firmware said until then is not the kiosk's.
    stranger.listen(1)
    stranger.heard.clear()
    enrol(stand)


def test_what_says_that_it_is_the_scanner_and_is_no_more_is_let_in(
    stand: Stand,
) -> None:
    with _plugged(stand.machine, WITNESS, "honest") as port:
        stand.machine.wait_for(f"usb {port}: authorized to connect", PLUG_SECONDS)
        stand.machine.wait_for("input: Acme Witness", PLUG_SECONDS)


def test_the_camera_as_it_is_is_let_in(stand: Stand) -> None:
    camera = Pretended(0x046D, 0x0825, CAMERA, "Camera")
    with _plugged(stand.machine, camera, "camera") as port:
        stand.machine.wait_for(f"usb {port}: authorized to connect", PLUG_SECONDS)


@pytest.mark.parametrize("name", LIARS)
def test_a_liar_is_kept_out(stand: Stand, name: str) -> None:
    since = len(stand.machine.said)
    with _plugged(stand.machine, LIARS[name], name) as port:
        _is_kept_out(stand.machine, port, since, f"beside-{name}")


@pytest.mark.parametrize(
    "kind",
    [
        *("usb-mouse", "usb-tablet", "usb-audio", "usb-ccid"),
        *("usb-mtp", "usb-net", "usb-storage"),
    ],
)
def test_a_strange_device_is_kept_out(stand: Stand, stick: Path, kind: str) -> None:
    options: dict[str, str] = {}
    if kind == "usb-mtp":
        options = {"rootdir": str(stick.parent)}
    if kind == "usb-net":
        stand.machine.tell("netdev_add", type="hubport", id="stray", hubid=7)
        options = {"netdev": "stray"}
    if kind == "usb-storage":
        node = {"node-name": "stick", "filename": str(stick), "read-only": True}
        stand.machine.tell("blockdev-add", driver="file", **node)
        options = {"drive": "stick"}
    since = len(stand.machine.said)
    stand.machine.tell("device_add", driver=kind, id=kind, **options)
    port = port_of_newest(stand.machine, since)
    try:
        _is_kept_out(stand.machine, port, since, f"beside-{kind}")
    finally:
        pull(stand.machine, kind, port)


# -- its network -----------------------------------------------------------


def test_nothing_on_its_network_answers_but_its_card(
    stand: Stand, stranger: Stranger
) -> None:
    me, kiosk = stranger.me, stranger.find(KIOSK)
    assert stranger.send(kiosk, stranger_on_net.every_port(me, kiosk)) == 65535
    stranger.send(kiosk, stranger_on_net.common_datagrams(me, kiosk))
    stranger.send(kiosk, stranger_on_net.tricks(me, kiosk))
    stranger.send(kiosk, stranger_on_net.over_ipv6(me, kiosk, range(1, 1024)))
    stranger.listen(5)
    assert [str(heard) for heard in stranger.answers(kiosk)] == []
    assert not any(heard.kind == wire.IPV6 for heard in _of_kiosk(stranger))


def test_it_speaks_to_nobody_but_its_shop(stand: Stand, stranger: Stranger) -> None:
    # What it said since its kernel was started has waited in the wire.
    stranger.listen(30)
    assert [str(h) for h in _of_kiosk(stranger) if not _is_expected(h)] == []


# -- its clock, its boot ---------------------------------------------------


def test_it_starts_with_a_dead_clock_and_a_stick_that_wants_to_be_booted(
    stand: Stand, stick: Path
) -> None:
    stand.machine.kill()
    stand.machine.start(
        *("-rtc", "base=2000-01-01T00:00:00"),
        *("-drive", f"if=none,id=stick,format=raw,readonly=on,file={stick}"),
        *("-device", "usb-storage,drive=stick,id=stick"),
    )
    # With or without the band that asks a colleague to confirm the date.
    is_welcome = has_label(place("attract", "start", banners=1))
    stand.wait_until_shown("attract-2000", is_welcome, BOOT_SECONDS)
    assert re.search("setting system clock to 2000-01-01", stand.machine.said)


def test_the_loader_takes_no_environment_from_the_stick(stand: Stand) -> None:
    said = stand.machine.said
    assert re.findall(r"Starting C:\w+", said) == ["Starting C:BOOT0"]


def test_the_stick_that_was_there_first_is_kept_out(stand: Stand) -> None:
    said = stand.machine.said
    (port,) = re.findall(rf"{FOUND}=46f4, idProduct=0001", said)
    _is_kept_out(stand.machine, port, 0, "beside-the-stick")


def test_a_scan_makes_a_line_whatever_the_clock_says(stand: Stand) -> None:
    stand.scan("9520000000011")
    stand.wait_until_shown("scanning-2000", says("Whole milk"), 60)
    stand.type("9520000000028")
    stand.wait_until_shown("typed-2000", says("Whole milk", "Rye bread"), 60)


def test_its_clock_stood_after_the_image_was_made(stand: Stand) -> None:
    stand.machine.kill()
    layer = stand.machine.folder / "disk.qcow2"
    assert strange_disk.state_mounted_at(layer) > int(EPOCH)


def test_without_its_firewall_the_same_stranger_is_answered(disk: Path) -> None:
    """The scan above would have heard an answer."""
    # A machine of its own: DATA opens only with the words that it was made with.
    words = "ignore_loglevel systemd.mask=nftables.service"
    stand = Stand(disk, OUT / "open", is_shared=True, more_words=words)
    try:
        with Stranger(stand.stranger, stand.segment) as stranger:
            stand.machine.start()
            kiosk = stranger.find(KIOSK, BOOT_SECONDS)
            stranger.heard.clear()
            some = (
                wire.tcp(stranger.me, kiosk, (40000, port)) for port in range(1, 200)
            )
            stranger.send(kiosk, [*some, wire.ping(stranger.me, kiosk)])
            kinds = {heard.protocol for heard in stranger.answers(kiosk)}
            assert kinds == {wire.TCP, wire.ICMP}
    finally:
        stand.close()


# -- how it is told --------------------------------------------------------


@contextmanager
def _plugged(machine: Machine, device: Pretended, name: str) -> Iterator[str]:
    """Plug a made-up device in, and tell at which port the kernel found it."""
    path = machine.folder / f"{name}.usb"
    with Plug(path, device) as plug, joined(machine, plug, name) as port:
        yield port


def _is_kept_out(machine: Machine, port: str, since: int, witness: str) -> None:
    """Assert that a device is found, refused, and used by nothing.

    USBGuard takes devices in turn: once a later one is in, it has decided on this one.
    """
    with _plugged(machine, WITNESS, witness) as other:
        machine.wait_for(f"usb {other}: authorized to connect", PLUG_SECONDS, since)
    said = machine.said[since:]
    assert f"usb {port}: Device is not authorized for usage" in said
    assert f"usb {port}: authorized to connect" not in said
    assert not re.findall(r"\[sd[a-z]\]|usb-storage \d|register 'cdc_ether'", said)
    typing = re.findall(r"input: (.+?) as /devices/\S+/usb\d+/(\d+-[\d.]+)/", said)
    assert not [name for name, where in typing if where == port]


def _of_kiosk(stranger: Stranger) -> list[Heard]:
    card = stranger.find(KIOSK).card
    return [heard for heard in stranger.heard if heard.source == card]


def _is_expected(heard: Heard) -> bool:
    """Whether a kiosk has that to say: its card, its address, names, time, its shop."""
    if heard.kind == wire.ARP:
        return True
    if heard.kind == wire.IPV4 and heard.protocol == wire.UDP:
        is_name = (heard.receiver, heard.port) == (NAMES, 53)
        return is_name or heard.port in {67, 123}
    place = (heard.receiver, heard.port)
    return (heard.kind, heard.protocol) == (wire.IPV4, wire.TCP) and place in SHOP
