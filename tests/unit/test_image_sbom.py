"""The bill of materials, from a small root."""

from __future__ import annotations

import json

import pytest
from imagebuild import dpkg, prune, sbom
from imagebuild.stage import BuildError

STATUS = """\
Package: zlib1g
Status: install ok installed
Architecture: amd64
Source: zlib (1:1.3)
Version: 1:1.3+b1
Depends: libc6 (>= 2)
Homepage: https://zlib.net/

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.41

Package: apt
Status: install ok installed
Architecture: amd64
Version: 3
"""
SUMS = {"zlib1g": "a" * 64, "libc6": "b" * 64, "apt": "c" * 64}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(STATUS)
    licence = tmp_path / "usr/share/doc/zlib1g/copyright"
    licence.parent.mkdir(parents=True)
    licence.write_text("Format: x\n\nLicense: Zlib\n text\n\nLicense: GPL-2+\n text\n")
    for name, told in {
        "stillopen-0.1.0": "Name: stillopen\nVersion: 0.1.0\nLicense-Expression: Apache-2.0",
        "typing_extensions-4": "Name: typing_extensions\nVersion: 4\n"
        "Classifier: License :: OSI Approved :: MIT License",
    }.items():
        folder = tmp_path / prune.SITE / f"{name}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\n{told}\n\nwords\n")
    return tmp_path


def bill(root, epoch=1764115200):
    known = dpkg.database(root)
    components = [
        *sbom.debian(known, root, SUMS),
        *sbom.python(root / prune.SITE, {"typing-extensions==4": "d" * 64}),
    ]
    return sbom.document(components, sbom.depends(known), epoch)


def test_it_names_debians_packages_with_hash_licence_and_purl(root):
    told = {one["bom-ref"]: one for one in json.loads(bill(root))["components"]}
    zlib = told["deb:zlib1g"]
    assert zlib["purl"] == (
        "pkg:deb/debian/zlib1g@1:1.3%2Bb1?arch=amd64&distro=debian-13"
        "&upstream=zlib%401:1.3"
    )
    assert zlib["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert zlib["licenses"] == [
        {"license": {"id": "GPL-2.0-or-later", "acknowledgement": "declared"}},
        {"license": {"id": "Zlib", "acknowledgement": "declared"}},
    ]
    assert "licenses" not in told["deb:libc6"]


def test_what_leaves_the_root_is_not_in_it(root):
    assert "deb:apt" not in bill(root)


def test_it_names_pythons_packages_and_ourselves(root):
    told = {one["bom-ref"]: one for one in json.loads(bill(root))["components"]}
    assert told["python:typing-extensions"]["purl"] == "pkg:pypi/typing-extensions@4"
    assert told["python:typing-extensions"]["hashes"][0]["content"] == "d" * 64
    assert told["python:stillopen"]["purl"] == "pkg:generic/stillopen@0.1.0"
    assert told["python:stillopen"]["licenses"] == [
        {"expression": "Apache-2.0", "acknowledgement": "declared"}
    ]


def test_it_says_what_needs_what(root):
    edges = {one["ref"]: one for one in json.loads(bill(root))["dependencies"]}
    assert edges["deb:zlib1g"]["dependsOn"] == ["deb:libc6"]
    assert "python:stillopen" in edges["appliance"]["dependsOn"]


def test_the_same_root_gives_the_same_bytes_and_another_gives_another_number(root):
    first = bill(root)
    assert bill(root) == first
    assert json.loads(first)["metadata"]["timestamp"] == "2025-11-26T00:00:00Z"
    licence = root / "usr/share/doc/zlib1g/copyright"
    licence.unlink()
    assert json.loads(bill(root))["serialNumber"] != json.loads(first)["serialNumber"]


def test_what_is_in_no_lock_stops_the_build(root):
    with pytest.raises(BuildError, match="libc6 is in the root and not in root"):
        list(sbom.debian(dpkg.database(root), root, {"zlib1g": "a" * 64}))
    with pytest.raises(BuildError, match="pip did not fetch it"):
        list(sbom.python(root / prune.SITE, {}))


def test_locks_and_pips_report_give_the_hashes(tmp_path):
    lock = tmp_path / "root.lock"
    lock.write_text(f"zlib1g 1 amd64 {'a' * 64} 10 pool/z.deb\n")
    assert sbom.locked(lock) == {"zlib1g": "a" * 64}
    archive = {"archive_info": {"hashes": {"sha256": "d" * 64}}}
    metadata = {"name": "Typing_Extensions", "version": "4"}
    report = tmp_path / "report.json"
    report.write_text(
        json.dumps({"install": [{"metadata": metadata, "download_info": archive}]})
    )
    assert sbom.fetched(report) == {"typing-extensions==4": "d" * 64}
