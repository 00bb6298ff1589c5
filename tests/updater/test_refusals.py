"""What is not installed, with its one reason, and the old release untouched."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from imagebuild.bundle import describe
from imagebuild.release import Words
from made_bundles import ROOT, bundle, in_inbox, member
from simulated_machine import NOON
from updated import Kiosk

from kiosk.records.keys import SigningKey
from kiosk.sync.wire import seal
from kiosk.updater.bootloader import Slot
from kiosk.updater.bundle import Bundle, read
from kiosk.updater.permission import DOWNGRADE_DOMAIN, Downgrade
from kiosk.updater.store import Phase
from kiosk.updater.words import Reason

GOOD = bundle()
BAD: dict[str, tuple[bytes, Reason]] = {
    "a picture": (b"\x89PNG" + bytes(200), Reason.NOT_A_BUNDLE),
    "an empty file": (b"", Reason.NOT_A_BUNDLE),
    "no description": (
        member("readme", b"hello") + member("TRAILER!!!", b""),
        Reason.NOT_A_BUNDLE,
    ),
    "no version": (
        member("sw-description", b"software = {};")
        + member("sw-description.sig", b"x")
        + member("TRAILER!!!", b""),
        Reason.NOT_A_BUNDLE,
    ),
    "half of it": (GOOD[: len(GOOD) // 2], Reason.TRUNCATED),
    "all but its end": (GOOD[: GOOD.index(b"TRAILER") - 20], Reason.TRUNCATED),
    "a broken header": (
        GOOD.replace(b"070702", b"070709").replace(b"070709", b"070702", 1),
        Reason.TAMPERED,
    ),
    "no signature": (bundle(key=""), Reason.UNSIGNED),
    "another's signature": (bundle(key="mallory"), Reason.WRONG_KEY),
    "a changed description": (
        GOOD.replace(b'"2.0.0"', b'"9.0.0"'),
        Reason.TAMPERED,
    ),
    "a changed root": (
        bundle(changed=ROOT + b"2.0.0" + b"!"),
        Reason.TAMPERED,
    ),
    "other hardware": (bundle(hardware="arm64-v1"), Reason.WRONG_HARDWARE),
    "an older release": (bundle("0.9.0"), Reason.OLDER),
    "the one that runs": (bundle("1.0.0"), Reason.RUNNING_ALREADY),
}


@pytest.mark.parametrize(("content", "reason"), BAD.values(), ids=BAD.keys())
def test_it_is_refused_with_its_reason(
    kiosk: Kiosk, content: bytes, reason: Reason
) -> None:
    in_inbox(kiosk.folders.inbox, content)
    kiosk.live()
    assert kiosk.status.phase is Phase.REFUSED
    assert kiosk.status.reason is reason
    assert kiosk.status.words == reason.words
    assert kiosk.machine.slot is Slot.A
    assert kiosk.machine.starts == 1
    assert not list(kiosk.folders.inbox.iterdir())


@pytest.mark.parametrize("length", range(0, len(GOOD), 37))
def test_no_part_of_a_bundle_is_taken_for_a_whole(kiosk: Kiosk, length: int) -> None:
    if length >= GOOD.index(b"TRAILER!!!") + 11:
        return
    in_inbox(kiosk.folders.inbox, GOOD[:length])
    kiosk.live()
    assert kiosk.status.reason in (Reason.TRUNCATED, Reason.NOT_A_BUNDLE)


def test_after_a_refusal_the_next_one_is_taken(kiosk: Kiosk) -> None:
    in_inbox(kiosk.folders.inbox, b"junk", "a.swu")
    in_inbox(kiosk.folders.inbox, GOOD, "b.swu")
    kiosk.live()
    assert kiosk.status.phase is Phase.KEPT


def test_a_half_written_slot_does_not_start(kiosk: Kiosk) -> None:
    in_inbox(kiosk.folders.inbox, bundle(changed=ROOT + b"2.0.0" + b"!"))
    kiosk.live()
    kiosk.machine.boot()
    kiosk.give("2.0.1").live()
    assert kiosk.status.phase is Phase.KEPT


def test_a_full_disk_is_said(kiosk: Kiosk) -> None:
    kiosk.machine.free = 1000
    kiosk.give().live()
    assert kiosk.status.reason is Reason.NO_SPACE


def test_a_boot_loader_that_cannot_be_read_stops_everything(kiosk: Kiosk) -> None:
    kiosk.machine.loader_answers = False
    kiosk.give()
    kiosk.update()
    assert kiosk.status.reason is Reason.NO_BOOT_LOADER


def test_an_unknown_root_stops_everything(kiosk: Kiosk) -> None:
    kiosk.machine.root_is_known = False
    kiosk.give()
    kiosk.update()
    assert kiosk.status.reason is Reason.NO_SLOT


def test_a_link_in_the_inbox_is_no_bundle(kiosk: Kiosk, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(GOOD)
    kiosk.folders.inbox.mkdir()
    (kiosk.folders.inbox / "x.swu").symlink_to(tmp_path / "secret")
    kiosk.live()
    assert kiosk.status.reason is Reason.UNREADABLE
    assert (tmp_path / "secret").exists()


def test_a_pipe_in_the_inbox_is_no_bundle(kiosk: Kiosk) -> None:
    kiosk.folders.inbox.mkdir()
    os.mkfifo(kiosk.folders.inbox / "x.swu")
    kiosk.live()
    assert kiosk.status.reason is Reason.UNREADABLE


# -- going back, with a permission ---------------------------------------------


def permit(
    kiosk: Kiosk,
    *,
    release: str = "0.9.0",
    machine_id: str = "m1",
    hours: float = 1,
    key: bytes = b"fleet",
) -> None:
    owner = SigningKey.from_seed(b"fleet".ljust(32))
    kiosk.folders.fleet_key.write_text(owner.public.hex())
    signer = SigningKey.from_seed(key.ljust(32))
    until = NOON + int(hours * 3_600_000)
    allowed = seal(signer, DOWNGRADE_DOMAIN, Downgrade(release, machine_id, until))
    kiosk.folders.inbox.mkdir(exist_ok=True)
    kiosk.folders.permission.write_bytes(msgspec.json.encode(allowed))


def test_a_permission_lets_the_one_release_back_once(kiosk: Kiosk) -> None:
    permit(kiosk)
    kiosk.give("0.9.0").live()
    assert kiosk.status.phase is Phase.KEPT
    assert kiosk.status.running_release == "0.9.0"
    assert not kiosk.folders.permission.exists()


WRONG = {
    "another release": {"release": "0.8.0"},
    "another machine": {"machine_id": "m2"},
    "too late": {"hours": -1},
    "another key": {"key": b"mallory"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_permission_for_something_else_is_none(
    kiosk: Kiosk, wrong: dict[str, object]
) -> None:
    permit(kiosk, **wrong)  # type: ignore[arg-type]
    kiosk.give("0.9.0").live()
    assert kiosk.status.reason is Reason.OLDER
    assert "permission" in kiosk.status.detail


def test_a_permission_that_is_garbage_is_none(kiosk: Kiosk) -> None:
    permit(kiosk)
    kiosk.folders.permission.write_bytes(b"{}")
    kiosk.give("0.9.0").live()
    assert kiosk.status.reason is Reason.OLDER


def test_the_bundle_that_the_image_build_describes_is_understood(
    tmp_path: Path,
) -> None:
    told = describe(Words("2.1.0", "production", "c0ffee"), "ab" * 32, "cd" * 32)
    path = tmp_path / "stillopen-2.1.0.swu"
    path.write_bytes(
        member("sw-description", told.encode())
        + member("sw-description.sig", b"signed")
        + member("TRAILER!!!", b"")
    )
    assert read(path) == Bundle("2.1.0", path.stat().st_size)
    for slot in Slot:
        assert f"    {slot.selection}: {{" in told
        assert f'"/dev/disk/by-partlabel/{slot.root_label}"' in told
        assert f'name = "kernelfile"; value = "C:{slot.boot_label}:k.efi"' in told
