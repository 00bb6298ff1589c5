"""`[ups]` of lane.toml becomes NUT's files, and the lane finds its way to NUT."""

from __future__ import annotations

import grp
import os
import stat

import msgspec
import pytest
from typer.testing import CliRunner

from kiosk import ups_config
from kiosk.cli import app
from kiosk.settings import ConfigError, parse
from kiosk.ups_config import UpsSettings, files, problems

LANE = """
lane_id = "lane-1"
state_dir = "/var/lib/stillopen"
[store]
name = ["A Shop"]
currency = "EUR"
timezone = "Europe/Berlin"
[tax]
inclusive = true
rates = [{ tax_class = "standard", rate_ppm = 190000, letter = "A" }]
[devices.scanner]
driver = "serial"
port = "/dev/ttyS1"
[devices.printer]
driver = "escpos_network"
host = "192.0.2.1"
[devices.terminal]
driver = "zvt_tcp"
host = "192.0.2.2"
password_file = "/etc/stillopen/terminal-password"
"""
SERIAL = UpsSettings(driver="nutdrv_qx", port="/dev/ttyS0", protocol="megatec")
USB = UpsSettings(driver="usbhid-ups", usb="051D:0002", serial="AB12")


def rendered(ups: UpsSettings = SERIAL) -> dict[str, str]:
    return files(ups, "lanes", "monitors")


class TestTheNumbers:
    """Measured ones: reliability.md, section 2."""

    def test_a_flicker_and_a_plug_that_drops_off_are_both_survived(self):
        assert "POLLFREQ 2\nPOLLFREQALERT 2\n" in rendered()["upsmon.conf"]
        assert "MAXAGE 25\n" in rendered()["upsd.conf"]

    def test_the_flag_lies_where_a_read_only_machine_can_write(self):
        assert 'POWERDOWNFLAG "/run/nut/killpower"' in rendered()["upsmon.conf"]

    def test_files_have_five_seconds_to_close(self):
        assert "FINALDELAY 5\n" in rendered()["upsmon.conf"]

    def test_the_current_comes_back_after_the_cut(self):
        assert "offdelay = 60\n\tondelay = 180\n" in rendered()["ups.conf"]

    def test_the_mains_may_be_away_for_five_minutes(self):
        told = rendered()["upssched.conf"]
        assert "AT ONBATT * START-TIMER deadline 300\n" in told
        assert "AT ONLINE * CANCEL-TIMER deadline\n" in told
        assert "NOTIFYFLAG ONBATT SYSLOG+EXEC" in rendered()["upsmon.conf"]


class TestWhoMayWhat:
    def test_the_lane_may_order_the_shutdown_and_nothing_else(self):
        _, _, lane = rendered()["upsd.users"].partition("[lane]\n")
        assert lane == "\tpassword = lanes\n\tactions = FSD\n"

    def test_only_this_machine_may_ask(self):
        assert rendered()["upsd.conf"].startswith("LISTEN 127.0.0.1 3493\n")

    def test_the_watch_knows_its_own_password(self):
        told = "MONITOR ups@127.0.0.1:3493 1 monitor monitors primary"
        assert told in rendered()["upsmon.conf"]


class TestTheDriver:
    def test_is_told_line_and_dialect(self):
        told = rendered()["ups.conf"]
        assert '[ups]\n\tdriver = nutdrv_qx\n\tport = "/dev/ttyS0"\n' in told
        assert "\tprotocol = megatec\n" in told

    def test_is_told_which_of_two_on_usb(self):
        told = rendered(USB)["ups.conf"]
        assert "vendorid = 051d\n\tproductid = 0002\n\tserial" in told
        assert 'port = "auto"' in told

    def test_takes_the_word_of_the_ups_for_low_battery(self):
        assert "ignorelb" not in rendered(USB)["ups.conf"]

    def test_takes_the_measured_discharge_where_there_is_one(self):
        measured = msgspec.structs.replace(
            SERIAL,
            low_runtime_seconds=300,
            discharge=(240, 100, 720, 50),
            battery_volts=(10.4, 13.6),
        )
        told = rendered(measured)["ups.conf"]
        assert "\truntimecal = 240,100,720,50\n" in told
        assert "\tdefault.battery.voltage.low = 10.4\n" in told
        assert "\tignorelb\n\toverride.battery.runtime.low = 300\n" in told

    def test_plays_a_file_for_a_hat(self):
        told = rendered(UpsSettings(driver="dummy-ups", port="/run/hat.dev"))
        assert "\tmode = dummy-once\n" in told["ups.conf"]
        assert "delay" not in told["ups.conf"].replace("retrydelay", "")


@pytest.mark.parametrize(
    ("ups", "words"),
    [
        (UpsSettings(driver="dummy-ups"), "ups.port"),
        (UpsSettings(driver="nutdrv_qx", port=""), "ups.port"),
        (UpsSettings(driver="nutdrv_qx", low_runtime_seconds=300), "discharge"),
        (UpsSettings(driver="usbhid-ups", protocol="megatec"), "ups.protocol"),
        (UpsSettings(driver="nutdrv_qx", battery_volts=(13.6, 10.4)), "smaller first"),
    ],
)
def test_what_cannot_work_is_said(ups, words):
    assert words in " ".join(problems(ups))


@pytest.mark.parametrize("ups", [SERIAL, USB, UpsSettings()])
def test_what_works_is_not_complained_of(ups):
    assert problems(ups) == []


class TestTheLane:
    def test_finds_its_own_machines_nut_by_itself(self):
        lane = parse(LANE + '[ups]\ndriver = "usbhid-ups"\n', "lane.toml")
        told = lane.all_devices()["ups"]
        assert told["ups"] == ups_config.UPS_NAME
        assert told["user"] == ups_config.LANE_USER
        assert told["password_file"].startswith("/run/nut-conf/")

    def test_has_no_ups_unless_told(self):
        assert parse(LANE, "lane.toml").all_devices()["ups"] == {"driver": "none"}

    def test_keeps_what_it_is_told_of_another_machines_nut(self):
        other = '[devices.ups]\ndriver = "nut"\nups = "shop"\nhost = "192.0.2.9"\n'
        lane = parse(LANE + '[ups]\ndriver = "usbhid-ups"\n' + other, "lane.toml")
        assert lane.all_devices()["ups"]["ups"] == "shop"

    def test_is_not_started_with_a_ups_that_cannot_work(self):
        with pytest.raises(ConfigError, match=r"lane\.toml: ups\.port"):
            parse(LANE + '[ups]\ndriver = "dummy-ups"\n', "lane.toml")


class TestRender:
    @pytest.fixture
    def lane_toml(self, tmp_path):
        file = tmp_path / "lane.toml"
        file.write_text(LANE + '[ups]\ndriver = "nutdrv_qx"\nport = "/dev/ttyS0"\n')
        return file

    def render(self, lane_toml, folder, *more):
        words = ["ups", "render", "--to", str(folder), "--settings", str(lane_toml)]
        return CliRunner().invoke(app, [*words, *more])

    def test_writes_every_file_for_its_owner_alone(self, lane_toml, tmp_path):
        folder = tmp_path / "nut"
        assert self.render(lane_toml, folder).exit_code == 0
        assert {path.name for path in folder.iterdir()} == ups_config.NAMES
        for path in folder.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_gives_the_files_to_their_readers(self, lane_toml, tmp_path):
        ours = grp.getgrgid(os.getgid()).gr_name
        folder = tmp_path / "nut"
        more = ("--group", ours, "--lane-group", ours)
        assert self.render(lane_toml, folder, *more).exit_code == 0
        for path in folder.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o640

    def test_names_a_group_that_is_not_there(self, lane_toml, tmp_path):
        told = self.render(lane_toml, tmp_path / "nut", "--group", "nobody-knows-it")
        assert told.exit_code == 2
        assert "nobody-knows-it" in told.output

    def test_draws_new_passwords_at_each_boot(self, lane_toml, tmp_path):
        folder = tmp_path / "nut"
        self.render(lane_toml, folder)
        first = (folder / "lane-password").read_text()
        self.render(lane_toml, folder)
        second = (folder / "lane-password").read_text()
        assert len(first.strip()) >= 32
        assert first != second
        assert second.strip() in (folder / "upsd.users").read_text()

    def test_takes_the_files_away_when_the_ups_is_gone(self, lane_toml, tmp_path):
        folder = tmp_path / "nut"
        self.render(lane_toml, folder)
        lane_toml.write_text(LANE)
        assert self.render(lane_toml, folder).exit_code == 0
        assert list(folder.iterdir()) == []

    def test_works_with_a_slip_elsewhere_in_the_settings(self, lane_toml, tmp_path):
        lane_toml.write_text('lane_id = 7\n[ups]\ndriver = "usbhid-ups"\n')
        assert self.render(lane_toml, tmp_path / "nut").exit_code == 0

    @pytest.mark.parametrize("table", ['driver = "other"', 'drivr = "none"', "driver"])
    def test_says_what_is_wrong(self, lane_toml, tmp_path, table):
        lane_toml.write_text(f"[ups]\n{table}\n")
        told = self.render(lane_toml, tmp_path / "nut")
        assert told.exit_code == 2
        assert "[ups]" in told.output
        assert not (tmp_path / "nut").exists()
