"""Which licences a package names, from small copyright files made up for this."""

from __future__ import annotations

import re
import tomllib
from email.parser import HeaderParser

import pytest
from imagebuild import licenses

KNOWN = licenses.table()
WORDINGS = tomllib.loads(licenses.TABLE.read_text())["wordings"]
NOTICE = (
    "This is free software under the terms of the GNU {} License as published by\n"
    "the Free Software Foundation; either version {} of the License, or (at your\n"
    "option) any later version.\n"
)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "usr/share/doc").mkdir(parents=True)
    return tmp_path


def write(root, package, text):
    file = root / "usr/share/doc" / package / "copyright"
    file.parent.mkdir()
    file.write_text(text)


def named(root, package):
    told = [one["license"] for one in licenses.debian(KNOWN, root, package)]
    return [one.get("id", one.get("name")) for one in told]


def granted(wording):
    """Return a wording as a copyright file has it: indented, by somebody."""
    full = re.sub(r"\[[^]]*\]", "", wording["words"]).replace("<>", "Ann of ACME, Inc.")
    return "Copyright 2020 Ann\n\n" + full.replace("\n", "\n * ") + "\n\nThanks.\n"


def metadata(*lines):
    return HeaderParser().parsestr("\n".join(lines) + "\n\nwords\n")


@pytest.mark.parametrize("wording", WORDINGS, ids=lambda one: one.get("id", "name"))
def test_a_licences_own_words_name_it_alone(root, wording):
    write(root, "a", granted(wording))
    kind = "id" if "id" in wording else "name"
    assert licenses.debian(KNOWN, root, "a") == [
        {"license": {kind: wording[kind], "acknowledgement": "concluded"}}
    ]


@pytest.mark.parametrize("wording", WORDINGS, ids=lambda one: one.get("id", "name"))
def test_a_word_more_is_another_licence(root, wording):
    write(root, "a", granted(wording).replace(" the ", " the evil ", 1))
    assert named(root, "a") == []


@pytest.mark.parametrize(
    "more",
    [
        "Except as contained in this notice, ask Ann first.",
        "The views and conclusions contained in the software are Ann's.",
        "You acknowledge that this software is not for reactors.",
        "You are under no obligation whatsoever to thank Ann.",
    ],
)
def test_words_that_go_on_are_not_the_shorter_licence(root, more):
    (mit,) = (one for one in WORDINGS if one.get("id") == "MIT")
    write(root, "a", granted(mit).replace("\n\nThanks.", f"\n\n{more}"))
    assert named(root, "a") == []


def test_two_licences_are_both_named_with_spellings_and_options(root):
    mit, isc = (
        next(one for one in WORDINGS if one.get("id") == name)
        for name in ("MIT", "ISC")
    )
    spelt = granted(mit).replace("sublicense", "sub-\nlicense")
    spelt = spelt.replace("NONINFRINGEMENT", "NON-INFRINGEMENT").replace(
        "permission notice", "permission notice (including the next\nparagraph)"
    )
    write(root, "a", spelt + granted(isc))
    assert named(root, "a") == ["ISC", "MIT"]


@pytest.mark.parametrize(
    ("kind", "version", "spdx"),
    [
        ("General Public", "2", "GPL-2.0-or-later"),
        ("Lesser General Public", "2.1", "LGPL-2.1-or-later"),
        ("Library General Public", "2", "LGPL-2.0-or-later"),
        ("Free Documentation", "1.3", "GFDL-1.3-or-later"),
    ],
)
def test_a_gnu_notice_names_version_and_later(root, kind, version, spdx):
    write(root, "a", NOTICE.format(kind, version))
    assert named(root, "a") == [spdx]


def test_documentation_without_invariant_sections_is_told_apart(root):
    write(
        root,
        "a",
        "GNU Free Documentation License, Version 1.2 or any later version published by"
        " the Free Software Foundation; with no Invariant Sections, no Front-Cover"
        " Texts, and no Back-Cover Texts.",
    )
    assert named(root, "a") == ["GFDL-1.2-no-invariants-or-later"]


def test_a_version_that_gnu_never_made_gets_no_spdx_id(root):
    write(root, "a", NOTICE.format("Lesser General Public", "9"))
    assert licenses.debian(KNOWN, root, "a") == [
        {"license": {"name": "LGPL-9+", "acknowledgement": "concluded"}}
    ]


def test_a_common_licence_that_is_pointed_to_is_named(root):
    write(
        root,
        "a",
        "See /usr/share/common-licenses/Apache-2.0. The packaging is under the GPL,\n"
        "see `/usr/share/common-licenses/GPL-2'.\n",
    )
    told = [one["license"] for one in licenses.debian(KNOWN, root, "a")]
    assert told == [
        {"id": "Apache-2.0", "acknowledgement": "concluded"},
        # Nothing says whether a later version would do.
        {"name": "GPL-2", "acknowledgement": "concluded"},
    ]


def test_a_notice_says_more_than_the_file_that_holds_its_text(root):
    notice = NOTICE.format("General Public", "2")
    write(root, "a", f"{notice}The newest is in /usr/share/common-licenses/GPL-3.\n")
    assert named(root, "a") == ["GPL-2.0-or-later"]


def test_the_folder_of_common_licences_names_none(root):
    write(root, "a", "Texts are in /usr/share/common-licenses/ .\n")
    assert named(root, "a") == []


def test_a_short_name_that_means_several_licences_gets_no_spdx_id(root):
    shorts = ("GPL-2", "MIT", "Expat", "gpl-3.0+", "BSD-3-clause or GPL-2+", "house")
    write(
        root,
        "a",
        "Format: machines\n" + "".join(f"\nLicense: {one}\n text\n" for one in shorts),
    )
    told = [one["license"] for one in licenses.debian(KNOWN, root, "a")]
    assert [one["id"] for one in told if "id" in one] == ["GPL-3.0-or-later", "MIT"]
    assert [one["name"] for one in told if "name" in one] == [
        *("BSD-3-clause or GPL-2+", "GPL-2", "MIT", "house")
    ]
    assert {one["acknowledgement"] for one in told} == {"declared"}


def test_another_packages_folder_is_followed_inside_the_root(root):
    doc = root / "usr/share/doc"
    write(root, "a", "See /usr/share/common-licenses/MPL-2.0\n")
    (doc / "relative").symlink_to("a")
    (doc / "absolute").symlink_to("/usr/share/doc/relative")
    (doc / "up").symlink_to("../../../usr/share/doc/absolute")
    for package in ("relative", "absolute", "up"):
        assert named(root, package) == ["MPL-2.0"]


def test_links_that_lead_outside_or_round_name_nothing(root, tmp_path_factory):
    doc = root / "usr/share/doc"
    outside = tmp_path_factory.mktemp("ours")
    (outside / "copyright").write_text("See /usr/share/common-licenses/MPL-2.0\n")
    (doc / "outside").symlink_to(outside)
    (doc / "round").symlink_to("round")
    for package in ("outside", "round", "missing"):
        assert named(root, package) == []


def test_python_declares_an_expression_a_classifier_or_a_field():
    declared = {"acknowledgement": "declared"}
    mit = "Classifier: License :: OSI Approved :: MIT License"
    bsd = "Classifier: License :: OSI Approved :: BSD License"
    assert licenses.python(KNOWN, metadata("License-Expression: MIT", bsd)) == [
        {"expression": "MIT"} | declared
    ]
    assert licenses.python(KNOWN, metadata(mit, bsd, "License: mine")) == [
        {"license": {"id": "MIT"} | declared},
        {"license": {"name": "BSD License"} | declared},
    ]
    assert licenses.python(KNOWN, metadata("License: mine")) == [
        {"license": {"name": "mine"} | declared}
    ]
    whole = metadata("License: Do as you", " like.")
    assert licenses.python(KNOWN, whole) == []


def test_the_build_says_whose_licence_is_unknown(root):
    write(root, "read", "See /usr/share/common-licenses/MPL-2.0\n")
    said = licenses.summary(
        [
            {"name": "read", "licenses": licenses.debian(KNOWN, root, "read")},
            {
                "name": "told",
                "licenses": licenses.python(KNOWN, metadata("License-Expression: MIT")),
            },
            {"name": "zlib"},
            {"name": "acl"},
        ]
    )
    assert said == (
        "Licences: declared by 1 components, concluded from a text for 1,"
        " unknown for 2: acl, zlib."
    )
