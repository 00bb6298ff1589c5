"""Every example lane and the udev rules beside it are right, and fit each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hardware import registry
from kiosk.settings import load

FOLDER = Path(__file__).parents[2] / "hardware" / "profiles"
PROFILES = sorted(FOLDER.glob("*.toml"))
RULES = FOLDER / "60-stillopen.rules"
NAME = "/dev/stillopen/"

# udev(7): what a rule may compare and what it may set.
_MATCHES = {"SUBSYSTEM", "KERNEL", "ATTR", "ATTRS", "ENV"}
_SETS = {"SYMLINK": "+=", "GROUP": "=", "MODE": "=", "ENV": "="}
_PART = re.compile(r'([A-Z]+)(?:\{([A-Za-z_]+)\})?(==|!=|\+=|=)"([^"]*)"')

Part = tuple[str, str, str, str]


def parse(line: str) -> list[Part]:
    """Return a rule's parts: key, attribute, operator, value. Raises `ValueError`."""
    parts: list[Part] = []
    for text in line.split(", "):
        found = _PART.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no part of a rule")
        key, attribute, operator, value = found.groups()
        parts.append((key, attribute or "", operator, value))
    return parts


def rules() -> list[list[Part]]:
    lines = RULES.read_text(encoding="utf-8").splitlines()
    return [parse(line) for line in lines if line and not line.startswith("#")]


def named(parts: list[Part]) -> set[str]:
    return {f"/dev/{value}" for key, _, _, value in parts if key == "SYMLINK"}


def words(options: object) -> list[str]:
    """Return all text in a device's options."""
    if isinstance(options, dict):
        return [word for value in options.values() for word in words(value)]
    if isinstance(options, list):
        return [word for value in options for word in words(value)]
    return [options] if isinstance(options, str) else []


def devices(profile: Path) -> list[str]:
    return [
        NAME + word.partition(NAME)[2]
        for options in load(profile).devices.values()
        for word in words(options)
        if NAME in word
    ]


def test_there_are_profiles_and_rules():
    assert len(PROFILES) >= 3
    assert len(rules()) >= 5


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_a_profile_is_a_lane_of_real_devices(profile):
    settings = load(profile)
    assert settings.production
    for device, options in settings.all_devices().items():
        assert registry.problems(device, options) == []
        assert not registry.is_simulator(options["driver"])


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_name_of_a_profile_is_given_by_a_rule(profile):
    given = {name for parts in rules() for name in named(parts)}
    assert set(devices(profile)) - given == set()


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_device_that_types_has_its_rights(profile):
    chosen = {
        tuple(str(options["usb"]).split(":"))
        for options in load(profile).devices.values()
        if "usb" in options
    }
    readable = {
        (at.get("idVendor"), at.get("idProduct"))
        for parts in rules()
        if ("SUBSYSTEM", "", "==", "input") in parts
        for at in [{a: value for key, a, _, value in parts if key == "ATTRS"}]
    }
    assert chosen <= readable


@pytest.mark.parametrize("parts", rules(), ids=lambda parts: str(parts[1:3]))
def test_a_rule_names_one_kind_of_device_and_gives_it_to_the_lane_alone(parts):
    for key, _, operator, _ in parts:
        assert key in _MATCHES if operator in ("==", "!=") else _SETS[key] == operator
    matched = {attribute for _, attribute, operator, _ in parts if operator == "=="}
    assert {"idVendor", "idProduct"} <= matched
    set_to = {key: value for key, _, op, value in parts if op in ("=", "+=")}
    assert set_to["GROUP"] in ("stillopen", "nut")
    assert re.fullmatch(r"06[46]0", set_to["MODE"])


def test_no_two_rules_give_the_same_name():
    given = [name for parts in rules() for name in named(parts)]
    assert len(given) == len(set(given))


@pytest.mark.parametrize(
    "line", ['MODE="0660" GROUP="x"', "MODE=0660", 'mode="0660"', 'MODE:"0660"', ""]
)
def test_what_udev_would_not_understand_is_found(line):
    with pytest.raises(ValueError, match="no part of a rule"):
        parse(line)
