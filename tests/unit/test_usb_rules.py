"""USBGuard's rules: what a kiosk has is let in, and nothing that only looks like it.

Read by a matcher of our own after usbguard-rules.conf(5): the attributes of a rule must
all hold, `equals` and `equals-ordered` are what USBGuard 1.1.3 does (RuleAttribute.hpp),
no rule means blocked.
Where USBGuard is installed its own parser reads the file too.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from imagebuild import usb_rules
from imagebuild.stage import BuildError
from imagebuild.usb_rules import Device

from kiosk.settings import load

PROFILES = usb_rules.DEVICES.parent
LANES = sorted(PROFILES.glob("*.toml"))
PARSER = shutil.which("usbguard-rule-parser")


class Plugged(msgspec.Struct, frozen=True):
    """A device as the kernel describes it."""

    usb: str
    interfaces: tuple[str, ...]
    serial: str = ""
    port: str = "1-1"


def equals(rule: Sequence[str], device: Sequence[str]) -> bool:
    # One-sided: the device's own need not all stand in the rule.
    return len(rule) == len(device) and set(rule) <= set(device)


def equals_ordered(rule: Sequence[str], device: Sequence[str]) -> bool:
    return tuple(rule) == tuple(device)


EQUAL = {"equals": equals, "equals-ordered": equals_ordered}


def is_let_in(text: str, plugged: Plugged) -> bool:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return any(matches(line, plugged) for line in lines)


def matches(line: str, plugged: Plugged) -> bool:
    target, *words = shlex.split(line)
    assert target == "allow", "this policy has no other rules"
    held = []
    while words:
        match words:
            case ["id", usb, *words]:
                held.append(usb == plugged.usb)
            case ["serial", serial, *words]:
                held.append(serial == plugged.serial)
            case ["via-port", port, *words]:
                held.append(port == plugged.port)
            case ["with-interface", how, "{", *words]:
                end = words.index("}")
                held.append(EQUAL[how](words[:end], plugged.interfaces))
                words = words[end + 1 :]
            case _:
                raise AssertionError(f"{words[0]} is not in the grammar")
    return all(held)


@pytest.fixture(scope="module")
def shipped() -> str:
    return usb_rules.RULES.read_text(encoding="utf-8")


def test_the_shipped_rules_are_made_from_the_list_of_today(shipped):
    assert shipped == usb_rules.rules(usb_rules.devices())


@pytest.mark.skipif(PARSER is None, reason="needs USBGuard's own parser")
def test_usbguard_itself_reads_the_rules():
    command = [str(PARSER), "-f", str(usb_rules.RULES)]
    assert subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.parametrize("lane", LANES, ids=lambda path: path.stem)
def test_what_a_profile_names_by_its_id_is_let_in(lane, shipped):
    ids = {o["usb"].lower() for o in load(lane).devices.values() if "usb" in o}
    assert ids <= {device.usb for device in usb_rules.devices()}


def test_what_udev_gives_a_name_is_let_in():
    text = (PROFILES / "60-stillopen.rules").read_text(encoding="utf-8")
    named = re.findall(r'idVendor}=="(\w+)".*?idProduct}=="(\w+)"', text)
    known = {device.usb for device in usb_rules.devices()}
    assert {":".join(one) for one in named} <= known


@pytest.mark.parametrize("device", usb_rules.devices(), ids=lambda d: d.name)
class TestEveryListedDevice:
    def test_is_let_in_as_it_is(self, device, shipped):
        assert is_let_in(shipped, Plugged(device.usb, tuple(device.kinds())))

    @pytest.mark.parametrize(
        "extra", ["08:06:50", "03:01:01", "02:06:00", "09:00:00", "e0:01:01"]
    )
    def test_is_blocked_with_one_interface_more(self, device, shipped, extra):
        grown = (*device.kinds(), extra)
        assert not is_let_in(shipped, Plugged(device.usb, grown))

    @pytest.mark.parametrize("other", ["08:06:50", "02:06:00", "03:01:02"])
    def test_is_blocked_with_another_class(self, device, shipped, other):
        assert not is_let_in(shipped, Plugged(device.usb, (other,)))

    @pytest.mark.parametrize("other", ["08:06:50", "02:06:00", "03:01:01"])
    def test_is_blocked_with_another_in_the_place_of_a_repeated_one(
        self, device, shipped, other
    ):
        kinds = list(dict.fromkeys(device.kinds()))
        kinds += [other] * (len(device.kinds()) - len(kinds))
        is_itself = kinds == device.kinds()
        assert is_let_in(shipped, Plugged(device.usb, tuple(kinds))) == is_itself

    def test_is_blocked_with_one_interface_less(self, device, shipped):
        fewer = tuple(device.kinds()[1:])
        assert not is_let_in(shipped, Plugged(device.usb, fewer))


@pytest.mark.parametrize(
    "stranger",
    [
        Plugged("046d:c31c", ("03:01:01",)),  # a keyboard
        Plugged("046d:c31c", ("03:01:01", "03:00:00")),
        Plugged("0627:0001", ("03:01:02",)),  # QEMU's mouse has its keyboard's id
        Plugged("0627:0001", ("03:00:00",)),  # and so has its tablet
        Plugged("46f4:0001", ("08:06:50",)),  # QEMU's disk
        Plugged("0525:a4a2", ("02:02:ff", "0a:00:00")),  # QEMU's network card
        Plugged("05e0:1200", ("03:01:01", "03:01:01")),
        Plugged("1d6b:0104", ("09:00:00", "03:01:01")),  # a hub that types
        Plugged("ffff:ffff", ()),
    ],
    ids=str,
)
def test_a_stranger_is_blocked(stranger, shipped):
    assert not is_let_in(shipped, stranger)


@pytest.mark.parametrize("protocols", [("00",), ("01",), ("01", "02"), ("03",)])
def test_hubs_are_let_in_whoever_made_them(protocols, shipped):
    interfaces = tuple(f"09:00:{protocol}" for protocol in protocols)
    assert is_let_in(shipped, Plugged("05e3:0608", interfaces))


class TestADeviceThatIsPinned:
    device = Device("scale", "0403:6001", ("ff:ff:ff",), 'SC "1', "1-2.3")
    as_it_is = Plugged("0403:6001", ("ff:ff:ff",), 'SC "1', "1-2.3")

    def test_is_let_in(self):
        assert is_let_in(usb_rules.rules([self.device]), self.as_it_is)

    @pytest.mark.parametrize("change", [{"serial": "SC 1"}, {"port": "1-2"}])
    def test_is_blocked_when_it_is_another_or_elsewhere(self, change):
        other = msgspec.structs.replace(self.as_it_is, **change)
        assert not is_let_in(usb_rules.rules([self.device]), other)


@pytest.mark.parametrize(
    ("interface", "words"),
    [
        ("08:06:50", "storage"),
        ("02:06:00", "network card"),
        ("e0:01:01", "wireless"),
        ("09:00:00", "a hub"),
        ("03:01", "no interface"),
        ("03:*:*", "no interface"),
        ("ff:ff:ff x0", "no interface"),
    ],
)
def test_what_no_list_may_let_in_is_refused(interface, words):
    with pytest.raises(BuildError, match=words):
        usb_rules.rules([Device("it", "1234:5678", (interface,))])


@pytest.mark.parametrize(
    "text",
    [
        '[[device]]\nname = "it"\nusb = "0403:*"\ninterfaces = ["ff:ff:ff"]',
        '[[device]]\nname = "it"\nusb = "0403:6001"\ninterfaces = []',
        '[[device]]\nname = "it"\nusb = "0403:6001"',
        '[[device]]\nname = "it"\nusb = "1:2"\nport = "1-1"\ninterfaces = ["ff:ff:ff"]',
        "[[device]",
    ],
)
def test_a_list_that_lets_in_too_much_is_refused(tmp_path: Path, text):
    (tmp_path / "devices.toml").write_text(text)
    with pytest.raises(BuildError, match=r"devices\.toml"):
        usb_rules.devices(tmp_path)
