"""What a technician sets for one network card, and whether it can be so.

The same rules on the screen, in the lane and in the caretaker. Touches no network.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, NetmaskValueError

import msgspec

# A Linux interface's name: at most 15 bytes, and nothing a unit file gives a meaning.
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
_MOST_NAMES = 3


class NetworkSetting(msgspec.Struct, frozen=True, omit_defaults=True):
    """One card's IPv4: by DHCP when `address` is empty, else as it says.

    `address` carries its prefix (192.0.2.10/24); `names` are name servers.
    """

    interface: str = ""
    address: str = ""
    gateway: str = ""
    names: tuple[str, ...] = ()


def address_of(text: str) -> IPv4Address | None:
    """Return one machine's address, or None where no machine can have it."""
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return None
    is_odd = (
        address.is_loopback
        or address.is_multicast
        or address.is_link_local
        or address.is_unspecified
        or address.is_reserved
    )
    return None if is_odd else address


def problem(setting: NetworkSetting) -> str:
    """Return what is wrong with a setting in one word, or nothing.

    interface, address, prefix, gateway, names: the part that cannot be so.
    """
    if not _INTERFACE.fullmatch(setting.interface):
        return "interface"
    if not setting.address:
        return "gateway" if setting.gateway else "names" if setting.names else ""
    host, slash, prefix = setting.address.partition("/")
    if not address_of(host):
        return "address"
    if not (slash and prefix.isascii() and prefix.isdigit() and 8 <= int(prefix) <= 30):
        return "prefix"
    try:
        own = IPv4Interface(setting.address)
    except (AddressValueError, NetmaskValueError):
        return "address"
    network = own.network
    if own.ip in (network.network_address, network.broadcast_address):
        return "address"
    if setting.gateway:
        gateway = address_of(setting.gateway)
        edges = (own.ip, network.network_address, network.broadcast_address)
        if gateway is None or gateway not in network or gateway in edges:
            return "gateway"
    if len(setting.names) > _MOST_NAMES or not all(map(address_of, setting.names)):
        return "names"
    return ""
