"""lane.toml names drivers; what is wrong there is said with key and expectation."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hardware.diagnose import diagnose
from hardware.ports import Health
from hardware.printer.escpos_printer import EscposPrinter
from hardware.registry import (
    DeviceConfigError,
    build,
    drivers,
    is_simulator,
    problems,
)
from hardware.scanner.camera import CameraScanner
from hardware.scanner.serial_scanner import SerialScanner
from hardware.simulated.terminal import SimulatedTerminal


@pytest.mark.parametrize(
    ("device", "options", "kind"),
    [
        ("scanner", {"driver": "serial", "port": "/dev/scanner"}, SerialScanner),
        ("camera", {"driver": "camera", "source": "folder:x"}, CameraScanner),
        ("printer", {"driver": "escpos_network", "host": "printer"}, EscposPrinter),
        ("printer", {"driver": "escpos_serial", "port": "/dev/p"}, EscposPrinter),
        ("printer", {"driver": "escpos_file", "path": "/dev/usb/lp0"}, EscposPrinter),
        ("printer", {"driver": "simulated", "port_file": "p"}, EscposPrinter),
        ("terminal", {"driver": "simulated", "port_file": "t"}, SimulatedTerminal),
    ],
)
def test_a_driver_is_made_of_its_options_and_touches_nothing_yet(device, options, kind):
    assert problems(device, options) == []
    assert isinstance(build(device, options), kind)


@pytest.mark.parametrize(
    "device", ["scale", "bagging", "ups", "light", "speaker", "keypad"]
)
@pytest.mark.parametrize("driver", ["simulated", "none"])
def test_what_a_lane_may_lack_keeps_its_port_all_the_same(device, driver):
    made = build(device, {"driver": driver})
    made.open(lambda told: None)
    made.close()


@pytest.mark.parametrize(
    ("device", "options", "words"),
    [
        ("drawer", {"driver": "x"}, "devices.drawer: there is no such device"),
        ("printer", {}, "devices.printer.driver: is needed and missing; one of esc"),
        (
            "printer",
            {"driver": "epson"},
            "devices.printer.driver: there is no driver 'epson'; expected one of",
        ),
        (
            "printer",
            {"driver": "escpos_network"},
            "devices.printer.host: is needed and missing",
        ),
        (
            "printer",
            {"driver": "escpos_network", "host": "p", "prot": 1},
            "devices.printer.prot: the driver 'escpos_network' has no such option;"
            " it has: width_mm",
        ),
        (
            "printer",
            {"driver": "escpos_network", "host": "p", "port": "9100"},
            "devices.printer.port: expected int, got str",
        ),
        (
            "printer",
            {"driver": "escpos_network", "host": "p", "port": 70000},
            "devices.printer.port: expected int <= 65535",
        ),
        (
            "printer",
            {"driver": "escpos_file", "path": "p", "width_mm": 72},
            "devices.printer.width_mm: expected 58 or 80, got 72",
        ),
        (
            "scanner",
            {"driver": "serial", "port": ""},
            "devices.scanner.port: expected str of length >= 1",
        ),
        (
            "scanner",
            {"driver": "camera", "source": "the webcam"},
            "devices.scanner.source: ",
        ),
        (
            "light",
            {"driver": "none", "colour": "red"},
            "devices.light.colour: the driver 'none' has no such option; it has: none",
        ),
        ("printer", {"driver": ["serial"]}, "devices.printer.driver: "),
    ],
)
def test_a_wrong_option_is_named_with_its_key_and_what_was_expected(
    device, options, words
):
    (problem,) = problems(device, options)
    assert problem.startswith(words)
    with pytest.raises(DeviceConfigError) as error:
        build(device, options)
    assert str(error.value) == problem
    assert error.value.key == problem.split(":")[0]


def test_only_the_simulated_drivers_are_simulators():
    named = {
        name for device in ("scanner", "printer", "ups") for name in drivers(device)
    }
    assert {name for name in named if is_simulator(name)} == {"simulated"}


def test_naming_drivers_loads_none_of_them():
    program = (
        "import sys, hardware.registry, hardware.diagnose;"
        "print([m for m in sys.modules if m.startswith('hardware.')"
        " and m.count('.') > 1 or m in ('serial', 'escpos', 'cv2')])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_the_installer_gets_one_line_a_device(tmp_path):
    lines = list(
        diagnose(
            {
                "printer": {"driver": "escpos_file", "path": str(tmp_path / "lp0")},
                "light": {"driver": "none"},
                "scale": {"driver": "simulated"},
                "terminal": {"driver": "simulated", "port_file": "nowhere"},
                "ups": {"driver": "magic"},
            },
            patience_seconds=0.5,
        )
    )
    assert [line.health for line in lines] == [
        Health.READY,
        None,
        Health.READY,
        Health.ABSENT,
        Health.ABSENT,
    ]
    assert [str(line).split() for line in lines][2] == ["scale", "simulated", "ready"]
    assert str(lines[4]).endswith(
        "devices.ups.driver: there is no driver 'magic'; expected one of none, nut, simulated"
    )
