"""Whose each file of a root is, on small trees; and that two trees are the same."""

from __future__ import annotations

import hashlib

import pytest
from imagebuild import dpkg, libraries, manifest, same
from imagebuild.manifest import Manifest
from imagebuild.stage import BuildError

STATUS = """\
Package: awk
Status: install ok installed
Architecture: amd64
Source: gawk (2)
Version: 2+b1
Depends: libc6 (>= 2.38), shell | dash:any
Conffiles:
 /etc/awkrc 0123456789abcdef0123456789abcdef

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: library
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Provides: libc6 (= 2.41)
Version: 1
"""
NOTHING = Manifest({}, {}, {})


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    told = root / "var/lib/dpkg"
    for folder in ("usr/bin", "usr/lib", "etc/alternatives"):
        (root / folder).mkdir(parents=True)
    for folder in ("info", "alternatives"):
        (told / folder).mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    (told / "status").write_text(STATUS)
    (told / "info/awk.list").write_text("/.\n/usr/bin/gawk\n/lib\n/usr/lib/moved\n")
    (told / "info/library:amd64.list").write_text("/.\n/lib/library.so\n")
    (told / "diversions").write_text("/lib/moved\n/lib/moved.original\nlibrary\n")
    (told / "alternatives/awk").write_text(
        "auto\n/usr/bin/awk\nawk.1\n/usr/share/awk.1\n\n/usr/bin/gawk\n5\n\n"
    )
    for name in ("usr/bin/gawk", "usr/lib/library.so", "usr/lib/moved.original"):
        (root / name).write_text(name)
    (root / "etc/awkrc").write_text("x")
    (root / "usr/bin/awk").symlink_to("/etc/alternatives/awk")
    (root / "etc/alternatives/awk").symlink_to("/usr/bin/gawk")
    return root


OURS = Manifest({"var/lib/dpkg/*": "dpkg's own"}, {}, {})


def test_every_file_of_a_package_has_an_owner(root):
    known = dpkg.database(root)
    manifest.check(root, known, OURS, root)
    assert set(known.packages) == {"awk", "library"}
    assert known.owners["usr/lib/moved.original"] == "awk"
    assert known.owners["usr/lib/library.so"] == "library"
    assert known.packages["awk"].depends == (("libc6",), ("shell", "dash"))
    assert known.packages["awk"].source_version == "2"
    assert known.packages["library"].provides == {"libc6"}


def test_a_file_that_nobody_owns_is_named(root):
    (root / "usr/bin/backdoor").touch()
    (root / "usr/lib/aside").symlink_to("/tmp")  # noqa: S108 -- a link of a root
    with pytest.raises(
        BuildError, match=r"2 files belong to no(.|\n)*usr/bin/backdoor"
    ):
        manifest.check(root, dpkg.database(root), OURS, root)


def test_a_file_of_a_package_that_was_changed_is_named(root):
    digest = hashlib.md5(b"usr/bin/gawk", usedforsecurity=False).hexdigest()
    sums = root / "var/lib/dpkg/info/awk.md5sums"
    sums.write_text(f"{digest}  usr/bin/gawk\n")
    known = dpkg.database(root)
    manifest.check(root, known, OURS, root)
    (root / "usr/bin/gawk").write_text("something else")
    with pytest.raises(BuildError, match="not as their package shipped them"):
        manifest.check(root, known, OURS, root)
    allowed = Manifest(OURS.ours, {"usr/bin/g*": "mended"}, {})
    manifest.check(root, known, allowed, root)


def test_the_table_of_sizes_names_packages_and_our_own_parts(root):
    table = dict(manifest.sizes(root, dpkg.database(root), OURS))
    assert table["library"] == len("usr/lib/library.so")
    assert table["var/lib/dpkg/*"] > len(STATUS)
    assert list(table.values()) == sorted(table.values(), reverse=True)


def test_a_manifest_entry_without_a_reason_is_refused(tmp_path):
    path = tmp_path / "manifest.toml"
    path.write_text('[[ours]]\npaths = ["etc/*"]\n')
    with pytest.raises(BuildError, match="lacks reason or paths"):
        manifest.manifest(path)


def test_the_projects_own_manifest_can_be_read():
    assert manifest.manifest().ours


# -- what programs need ------------------------------------------------------------


def test_a_library_that_the_loader_does_not_find_is_named():
    answers = {
        "usr/bin/good": "\tlibc.so.6 => /lib/libc.so.6 (0x1)\n",
        "usr/bin/bad": "\tlibapt.so.7 => not found\n\tlibc.so.6 => /lib/libc.so.6\n",
        "usr/bin/static": "",
    }
    told = libraries.missing_libraries(list(answers), answers.__getitem__)
    assert told == ["usr/bin/bad needs libapt.so.7, which is not in the root"]


def test_a_script_whose_interpreter_left_is_named(root):
    script = root / "usr/bin/tool"
    script.write_text("#!/usr/bin/env gawk\n")
    script.chmod(0o755)
    libraries.check(root, {})
    script.write_text("#! /usr/bin/perl -w\n")
    with pytest.raises(BuildError, match="usr/bin/tool needs /usr/bin/perl"):
        libraries.check(root, {})
    libraries.check(root, {"usr/bin/*": "nobody starts it"})


def test_links_are_followed_inside_the_root(root):
    assert libraries.is_there(root, "/usr/bin/awk")
    assert libraries.is_there(root, "/lib/library.so")
    assert not libraries.is_there(root, "/usr/bin/sh")
    (root / "ring").symlink_to("ring")
    assert not libraries.is_there(root, "/ring")


# -- two builds ----------------------------------------------------------------------


def test_two_trees_that_are_the_same_differ_in_nothing(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name / "etc").mkdir(parents=True)
        (tmp_path / name / "etc/hosts").write_text("localhost")
        (tmp_path / name / "link").symlink_to("etc")
    assert list(same.differences(tmp_path / "one", tmp_path / "other")) == []


def test_what_differs_between_two_trees_is_named(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for tree, words in ((one, "aaa"), (other, "aab")):
        tree.mkdir()
        (tree / "words").write_text(words)
        (tree / "mode").touch()
        (tree / "link").symlink_to(words)
    (other / "mode").chmod(0o600)
    (one / "extra").touch()
    assert list(same.differences(one, other)) == [
        "extra: only in one",
        "link: where it leads",
        "mode: mode or owner",
        "words: content, first at byte 2",
    ]
    assert same.different_files(one, other, ["mode"]) == []
    (one / "words").write_text("aabb")
    assert same.different_files(one, other, ["words"]) == ["words: first at byte 3"]
