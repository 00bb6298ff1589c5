"""network.toml and the file that networkd reads: one card's address, set by hand.

One card at a time: the others ask by DHCP, as the root's own 80-wired.network has it.
Writes and reads text; touches no network.
"""

from __future__ import annotations

import tomllib

import msgspec

from kiosk.domain.network import NetworkSetting, problem


class NetworkFileError(ValueError):
    """The file says what cannot be. The words are the technician's."""


def to_toml(setting: NetworkSetting) -> str:
    """Return what network.toml holds. Every value was looked at by `problem`."""
    _check(setting)
    names = ", ".join(f'"{name}"' for name in setting.names)
    return (
        "# One network card of this lane, set at its service screen.\n"
        "# Without an address it asks by DHCP.\n"
        f'interface = "{setting.interface}"\n'
        f'address = "{setting.address}"\n'
        f'gateway = "{setting.gateway}"\n'
        f"names = [{names}]\n"
    )


def from_toml(text: str) -> NetworkSetting:
    """Return what network.toml says, or raise `NetworkFileError`."""
    try:
        setting = msgspec.convert(tomllib.loads(text), NetworkSetting)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise NetworkFileError(f"network.toml: {error}") from error
    _check(setting)
    return setting


def to_unit(setting: NetworkSetting) -> str:
    """Return networkd's file for a card."""
    _check(setting)
    lines = ["[Match]", f"Name={setting.interface}", "", "[Network]"]
    if setting.address:
        lines += ["DHCP=no", f"Address={setting.address}"]
        lines += [f"Gateway={setting.gateway}"] if setting.gateway else []
        lines += [f"DNS={name}" for name in setting.names]
    else:
        lines.append("DHCP=ipv4")
    lines += ["LinkLocalAddressing=no", "IPv6AcceptRA=no"]
    return "\n".join(lines) + "\n"


def _check(setting: NetworkSetting) -> None:
    if wrong := problem(setting):
        raise NetworkFileError(f"network.toml: {wrong} cannot be so")
