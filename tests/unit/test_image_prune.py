"""What leaves the root and what must stay, on small trees."""

from __future__ import annotations

import pytest
from imagebuild import dpkg, prune
from imagebuild.lists import entries, matcher
from imagebuild.stage import BuildError

KERNEL = "usr/lib/modules/6.1-test"


@pytest.fixture
def kernel(tmp_path):
    """A root with four modules, of which usbhid needs hid, and ext4 crc32c softly."""
    folder = tmp_path / "root" / KERNEL
    modules = {
        "kernel/drivers/hid/usbhid.ko.xz": ["kernel/drivers/hid/hid.ko.xz"],
        "kernel/drivers/hid/hid.ko.xz": [],
        "kernel/drivers/bluetooth/btusb.ko.xz": ["kernel/drivers/hid/hid.ko.xz"],
        "kernel/fs/ext4.ko.xz": [],
        "kernel/crypto/crc32c-generic.ko.xz": [],
    }
    for path in modules:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    lines = (f"{path}: {' '.join(others)}" for path, others in modules.items())
    (folder / "modules.dep").write_text("\n".join(lines) + "\n")
    (folder / "modules.softdep").write_text(
        "# made by depmod\nsoftdep ext4 pre: crc32c_generic\n"
    )
    (folder / "modules.builtin").write_text("kernel/drivers/tpm.ko\n")
    return tmp_path / "root"


def listed(tmp_path, *lines):
    path = tmp_path / "some.list"
    path.write_text("\n".join(lines) + "\n")
    return path


def left(kernel):
    return sorted(path.name for path in kernel.rglob("*.ko.xz"))


def test_a_module_stays_with_what_it_needs_and_the_rest_goes(kernel, tmp_path):
    kept = prune.modules(kernel, listed(tmp_path, "kernel/drivers/hid/usbhid  # keys"))
    assert left(kernel) == ["hid.ko.xz", "usbhid.ko.xz"]
    assert len(kept) == 2
    assert not (kernel / KERNEL / "kernel/drivers/bluetooth").exists()


def test_what_a_module_asks_for_softly_stays_too(kernel, tmp_path):
    prune.modules(kernel, listed(tmp_path, "kernel/fs/*  # disks"))
    assert left(kernel) == ["crc32c-generic.ko.xz", "ext4.ko.xz"]


def test_a_module_that_the_kernel_has_not_stops_the_build(kernel, tmp_path):
    with pytest.raises(BuildError, match="no module kernel/fs/ext5"):
        prune.modules(
            kernel, listed(tmp_path, "kernel/fs/ext4 kernel/fs/ext5  # disks")
        )
    assert len(left(kernel)) == 5


def test_what_is_built_in_may_be_listed(kernel, tmp_path):
    prune.modules(kernel, listed(tmp_path, "kernel/drivers/tpm kernel/fs/*  # both"))
    assert "ext4.ko.xz" in left(kernel)


def test_the_initial_file_system_loses_no_module_that_it_names(kernel, tmp_path):
    asked = kernel / "etc/initramfs-tools/modules"
    asked.parent.mkdir(parents=True)
    asked.write_text("# disks\ntpm\next4\n")
    prune.modules(kernel, listed(tmp_path, "kernel/fs/ext4  # disks"))
    asked.write_text("usbhid\n")
    with pytest.raises(BuildError, match="needs usbhid"):
        prune.modules(kernel, listed(tmp_path, "kernel/fs/ext4  # disks"))


def test_firmware_stays_when_a_module_names_it_and_links_keep_their_target(tmp_path):
    store = tmp_path / "usr/lib/firmware"
    (store / "i915").mkdir(parents=True)
    for name in ("i915/new.bin.xz", "i915/old.bin", "radio.bin"):
        (store / name).write_text(name)
    (store / "i915/dmc.bin.xz").symlink_to("new.bin.xz")
    prune.firmware(tmp_path, ["i915/dmc.bin"])
    names = sorted(path.name for path in store.rglob("*") if not path.is_dir())
    assert names == ["dmc.bin.xz", "new.bin.xz"]


def test_a_line_without_a_reason_is_refused(tmp_path):
    with pytest.raises(BuildError, match=r"some.list, line 2: package bash has no"):
        entries(listed(tmp_path, "package apt  # a new root", "package bash"))


def test_a_star_crosses_slashes_and_nothing_matches_no_pattern():
    assert matcher(["usr/lib/*"]).match("usr/lib/a/b")
    assert not matcher(["usr/lib"]).match("usr/lib/a")
    assert not matcher([]).match("")


@pytest.fixture
def root(tmp_path):
    """A root with the packages apt and dash, and links into both."""
    root = tmp_path / "root"
    info = root / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/share/apt").mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    for name in ("usr/bin/apt", "usr/share/apt/words", "usr/bin/dash"):
        (root / name).write_text(name)
    (root / "usr/bin/package-tool").symlink_to("apt")
    (root / "usr/bin/never-there").symlink_to("missing")
    (info / "apt.list").write_text(
        "/.\n/bin/apt\n/usr/share/apt\n/usr/share/apt/words\n"
    )
    (info / "dash.list").write_text("/.\n/usr/bin/dash\n")
    stanza = (
        "Package: {}\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n"
    )
    status = "\n".join(stanza.format(name) for name in ("apt", "dash"))
    (root / "var/lib/dpkg/status").write_text(status)
    return root


def test_a_package_leaves_whole_with_the_links_that_led_to_it(root, tmp_path):
    goes = listed(tmp_path, "package apt  # the root never changes")
    prune.purge(root, dpkg.database(root), goes)
    names = sorted(path.name for path in (root / "usr/bin").iterdir())
    assert names == ["dash", "never-there"]
    assert not (root / "usr/share").exists()
    assert prune.gone("package", goes) == {"apt"}


def test_nothing_is_purged_while_something_is_mounted(root, tmp_path, monkeypatch):
    table = tmp_path / "mounts"
    table.write_text(f"devtmpfs {root}/usr/share devtmpfs rw 0 0\n")
    monkeypatch.setattr("imagebuild.prune.MOUNTS", table)
    goes = listed(tmp_path, "path usr/share/*  # no use")
    with pytest.raises(BuildError, match="usr/share is mounted"):
        prune.purge(root, dpkg.database(root), goes)
    assert (root / "usr/share/apt/words").exists()


def test_paths_leave_by_pattern(root, tmp_path):
    goes = listed(tmp_path, "path usr/share/* var/lib/dpkg usr/bin/never-there  # x")
    prune.purge(root, dpkg.database(root), goes)
    assert not (root / "usr/share/apt").exists()
    assert not (root / "var/lib/dpkg").exists()
    assert not (root / "usr/bin/never-there").is_symlink()
    assert (root / "usr/bin/dash").exists()


def test_a_python_package_leaves_with_its_caches_and_spares_its_neighbours(tmp_path):
    site = tmp_path / prune.SITE
    for name in ("faker/a.py", "faker/__pycache__/a.pyc", "six.py", "namespace/b.py"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).touch()
    record = site / "faker-1.dist-info/RECORD"
    record.parent.mkdir()
    record.write_text(
        "../../bin/faker,sha256=x,1\nfaker/a.py,sha256=x,1\n"
        '"namespace/c,d.py",,\nfaker-1.dist-info/RECORD,,\n'
    )
    prune.purge(
        tmp_path, dpkg.Database({}, frozenset()), listed(tmp_path, "python faker # x")
    )
    assert sorted(path.name for path in site.iterdir()) == ["namespace", "six.py"]


def test_all_but_what_is_named_leaves_a_folder(tmp_path):
    data = tmp_path / "root/data"
    for name in ("de.dat", "de_AT.dat", "fr.dat", "sub/x.py"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).touch()
    none = dpkg.Database({}, frozenset())
    line = listed(tmp_path, "others data de.dat de_*.dat  # spoken")
    prune.purge(tmp_path / "root", none, line)
    assert sorted(path.name for path in data.iterdir()) == ["de.dat", "de_AT.dat"]
    gone = listed(tmp_path, "others data de.dat nl.dat  # spoken")
    with pytest.raises(BuildError, match=r"no nl\.dat in data"):
        prune.purge(tmp_path / "root", none, gone)


def test_a_package_that_is_not_there_cannot_be_purged(root, tmp_path):
    with pytest.raises(BuildError, match="no package emacs"):
        prune.purge(root, dpkg.database(root), listed(tmp_path, "package emacs  # big"))


def test_the_projects_own_lists_have_reasons():
    assert len(entries(prune.MODULES_LIST)) > 20
    assert "apt" in prune.gone("package")
