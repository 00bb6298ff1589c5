"""`[ups]` of lane.toml -> the files that NUT reads. Values and text only: writes nothing.

NUT alone decides when the machine goes down; the lane may ask earlier, and no more than
ask (`LANE_USER`). The numbers are measured ones: see the reason beside each.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

UPS_NAME = "ups"  # as in nut-driver@ups.service
PORT = 3493
# Where the rendered files lie, and the files of /etc/nut point.
FOLDER = "/run/nut-conf"
LANE_USER = "lane"
LANE_PASSWORD_FILE = "lane-password"  # noqa: S105  (a file's name)
_MONITOR_USER = "monitor"
# What Debian's NUT looks for in /etc/nut, and what the lane looks for.
NAMES = frozenset(
    {
        "nut.conf",
        "ups.conf",
        "upsd.conf",
        "upsd.users",
        "upsmon.conf",
        "upssched.conf",
        LANE_PASSWORD_FILE,
    }
)

# A flicker of 2.5 s is missed every second time with NUT's 5.
_POLL_SECONDS = 2
# UPSes with a USB plug drop off the bus at the moment the mains go (NUT issue 2925), and
# 2.8.1 orders the shutdown at once when contact is lost on battery: so it takes its time.
_MAXAGE_SECONDS = 25
_HOSTSYNC_SECONDS = 15
_DEADTIME_SECONDS = 15
_FINALDELAY_SECONDS = 5
# From the last command to the cut. The command is given when every file system is
# unmounted, and the machine waits 80 s for the cut (systemd-shutdown ends a hook after
# 90): so the cut comes before. Megatec knows only whole minutes from 60 s on.
_OFFDELAY_SECONDS = 60
# Long enough for power supplies to run dry; below 60 it is cut to nothing by nutdrv_qx,
# which then never switches on again.
_ONDELAY_SECONDS = 180

_Text = Annotated[str, msgspec.Meta(pattern=r'^[^"\\\n\r#]*$', max_length=128)]
_Percent = Annotated[int, msgspec.Meta(ge=1, le=99)]
_Positive = Annotated[int, msgspec.Meta(ge=1, le=86400)]
_Volts = Annotated[float, msgspec.Meta(gt=0, le=1000)]


class UpsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The UPS on this machine's own cable. `none`: there is none, and NUT stays off."""

    driver: Literal["none", "nutdrv_qx", "usbhid-ups", "dummy-ups"] = "none"
    # A serial line; "auto" for USB; for dummy-ups the file it plays.
    port: _Text = "auto"
    # nutdrv_qx: the dialect, where it is not to be guessed (`megatec`).
    protocol: _Text = ""
    # On USB: vendor and product as lsusb prints them, and which one of two.
    usb: Annotated[str, msgspec.Meta(pattern="^([0-9a-fA-F]{4}:[0-9a-fA-F]{4})?$")] = ""
    serial: _Text = ""
    # When the battery counts as low. Without these the UPS's own word is taken; with
    # them only they are, so set them for a UPS that knows its runtime or charge.
    low_runtime_seconds: _Positive | None = None
    low_charge_percent: _Percent | None = None
    # nutdrv_qx: a measured discharge, seconds and charge at two loads (`runtimecal`), and
    # the battery's volts when empty and full.
    discharge: tuple[_Positive, _Positive, _Positive, _Positive] | None = None
    battery_volts: tuple[_Volts, _Volts] | None = None
    # On battery so long, the machine is shut down whatever the battery says.
    deadline_seconds: _Positive = 300

    @property
    def is_there(self) -> bool:
        """Is a UPS on this machine?"""
        return self.driver != "none"


def problems(ups: UpsSettings) -> list[str]:
    """Return what is well-formed and still cannot work, key first."""
    faults: list[str] = []
    is_qx = ups.driver == "nutdrv_qx"
    if ups.is_there and not ups.port:
        faults.append('ups.port: expected a serial line like /dev/ttyS0, or "auto"')
    if ups.driver == "dummy-ups" and ups.port == "auto":
        faults.append("ups.port: dummy-ups plays a file; expected its name")
    for key in ("protocol", "discharge", "battery_volts"):
        if getattr(ups, key) and not is_qx:
            faults.append(f"ups.{key}: is for the driver nutdrv_qx")
    if is_qx and ups.low_runtime_seconds and not ups.discharge:
        faults.append(
            "ups.low_runtime_seconds: nutdrv_qx knows no runtime without"
            " ups.discharge = [seconds, percent, seconds, percent]"
        )
    if ups.battery_volts and ups.battery_volts[0] >= ups.battery_volts[1]:
        faults.append("ups.battery_volts: expected [empty, full], the smaller first")
    return faults


def lane_device() -> dict[str, str]:
    """Return the options of `[devices.ups]` that reach this machine's own NUT."""
    return {
        "driver": "nut",
        "ups": UPS_NAME,
        "user": LANE_USER,
        "password_file": f"{FOLDER}/{LANE_PASSWORD_FILE}",
    }


def files(
    ups: UpsSettings, lane_password: str, monitor_password: str
) -> dict[str, str]:
    """Return NUT's files by name; none for a machine without a UPS."""
    if not ups.is_there:
        return {}
    return {
        "nut.conf": "MODE=standalone\n",
        "ups.conf": _ups_conf(ups),
        "upsd.conf": f"LISTEN 127.0.0.1 {PORT}\nMAXAGE {_MAXAGE_SECONDS}\nMAXCONN 16\n",
        "upsd.users": (
            f"[{_MONITOR_USER}]\n\tpassword = {monitor_password}\n\tupsmon primary\n"
            # No more than FSD: not to log in as primary, not to set, not to command.
            f"[{LANE_USER}]\n\tpassword = {lane_password}\n\tactions = FSD\n"
        ),
        "upsmon.conf": _upsmon_conf(monitor_password),
        "upssched.conf": _upssched_conf(ups.deadline_seconds),
        LANE_PASSWORD_FILE: f"{lane_password}\n",
    }


def _ups_conf(ups: UpsSettings) -> str:
    lines = [
        "user = nut",
        "maxretry = 3",
        "retrydelay = 5",
        f"pollinterval = {_POLL_SECONDS}",
        f"[{UPS_NAME}]",
        f"\tdriver = {ups.driver}",
        f'\tport = "{ups.port}"',
    ]
    if ups.driver == "dummy-ups":
        # Read anew when the file changes: a bridge of a HAT's writes it.
        lines.append("\tmode = dummy-once")
    else:
        lines += [
            f"\toffdelay = {_OFFDELAY_SECONDS}",
            f"\tondelay = {_ONDELAY_SECONDS}",
        ]
    if ups.driver in ("nutdrv_qx", "usbhid-ups"):
        lines.append(f"\tpollfreq = {_POLL_SECONDS}")
    if ups.protocol:
        lines.append(f"\tprotocol = {ups.protocol}")
    if ups.usb:
        vendor, product = ups.usb.lower().split(":")
        lines += [f"\tvendorid = {vendor}", f"\tproductid = {product}"]
    if ups.serial:
        lines.append(f'\tserial = "{ups.serial}"')
    if ups.discharge:
        lines.append(f"\truntimecal = {','.join(map(str, ups.discharge))}")
    if ups.battery_volts:
        empty, full = ups.battery_volts
        lines += [
            f"\tdefault.battery.voltage.low = {empty}",
            f"\tdefault.battery.voltage.high = {full}",
        ]
    if ups.low_runtime_seconds or ups.low_charge_percent:
        # The driver itself says when the battery is low; the UPS's word is not heard.
        lines.append("\tignorelb")
    if ups.low_runtime_seconds:
        lines.append(f"\toverride.battery.runtime.low = {ups.low_runtime_seconds}")
    if ups.low_charge_percent:
        lines.append(f"\toverride.battery.charge.low = {ups.low_charge_percent}")
    return "\n".join(lines) + "\n"


def _upsmon_conf(password: str) -> str:
    told = ("ONLINE", "ONBATT")
    logged = ("LOWBATT", "FSD", "COMMOK", "COMMBAD", "SHUTDOWN", "REPLBATT", "NOCOMM")
    lines = [
        f"MONITOR {UPS_NAME}@127.0.0.1:{PORT} 1 {_MONITOR_USER} {password} primary",
        "MINSUPPLIES 1",
        "RUN_AS_USER nut",
        'SHUTDOWNCMD "/usr/bin/systemctl poweroff"',
        "NOTIFYCMD /usr/sbin/upssched",
        f"POLLFREQ {_POLL_SECONDS}",
        f"POLLFREQALERT {_POLL_SECONDS}",
        f"HOSTSYNC {_HOSTSYNC_SECONDS}",
        f"DEADTIME {_DEADTIME_SECONDS}",
        f"FINALDELAY {_FINALDELAY_SECONDS}",
        # Memory: writable, there until the last hook, and gone after the boot.
        'POWERDOWNFLAG "/run/nut/killpower"',
        *(f"NOTIFYFLAG {word} SYSLOG+EXEC" for word in told),
        # There is no terminal to write on.
        *(f"NOTIFYFLAG {word} SYSLOG" for word in logged),
    ]
    return "\n".join(lines) + "\n"


def _upssched_conf(seconds: int) -> str:
    return (
        "CMDSCRIPT /usr/lib/stillopen-ups/deadline\n"
        "PIPEFN /run/nut/upssched.pipe\n"
        "LOCKFN /run/nut/upssched.lock\n"
        f"AT ONBATT * START-TIMER deadline {seconds}\n"
        "AT ONLINE * CANCEL-TIMER deadline\n"
    )
