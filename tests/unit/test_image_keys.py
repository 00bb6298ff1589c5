"""Who may sign what: development keys never sign for a shop, and none signs for another."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from imagebuild import disk, keys, release
from imagebuild.stage import PROJECT, BuildError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> keys.Keys:
    folder = tmp_path_factory.mktemp("keys") / "shop"
    keys.make(folder, "A shop")
    return keys.Keys(folder)


def test_a_production_image_asks_for_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STILLOPEN_KEYS", raising=False)
    with pytest.raises(BuildError, match="needs its own keys"):
        keys.chosen("production")


def test_a_production_image_refuses_development_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "keys"
    keys.make(folder, "Stillopen DEVELOPMENT")
    monkeypatch.setenv("STILLOPEN_KEYS", str(folder))
    with pytest.raises(BuildError, match="holds development keys"):
        keys.chosen("production")


def test_a_production_image_names_the_key_that_is_missing(
    made: keys.Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    for file in made.folder.iterdir():
        if file.name != "pcr.key":
            (folder / file.name).write_bytes(file.read_bytes())
    monkeypatch.setenv("STILLOPEN_KEYS", str(folder))
    with pytest.raises(BuildError, match=r"pcr\.key is missing"):
        keys.chosen("production")


def test_a_production_image_needs_no_private_key_of_escrow_or_fleet(
    made: keys.Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    for file in made.folder.iterdir():
        if file.name not in ("escrow.key", "fleet.key"):
            (folder / file.name).write_bytes(file.read_bytes())
    monkeypatch.setenv("STILLOPEN_KEYS", str(folder))
    assert keys.chosen("production").folder == folder


def test_the_update_certificate_signs_code_and_no_further_certificates(
    made: keys.Keys,
) -> None:
    certificate = x509.load_pem_x509_certificate(made.public("update").read_bytes())
    limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert not limits.value.ca
    use = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert list(use.value) == [ExtendedKeyUsageOID.CODE_SIGNING]
    assert keys.signer_name(made) == "A shop update"


def test_private_keys_are_their_owners_alone(made: keys.Keys) -> None:
    for file in made.folder.glob("*.key"):
        assert file.stat().st_mode & 0o077 == 0


def test_partitions_follow_each_other_without_a_gap_or_an_overlap() -> None:
    at = 1
    begins = disk.begin_mib()
    for name, size, _ in disk.PARTITIONS:
        assert begins[name] == at
        at += size
    assert disk.size_mib() == at + 1


def test_a_production_root_is_of_no_played_fleet(
    made: keys.Keys, tmp_path: Path
) -> None:
    (tmp_path / "etc/stillopen").mkdir(parents=True)
    fleet = PROJECT / "ansible/group_vars/all.yml"
    (tmp_path / "etc/stillopen/fleet.toml").write_text(fleet.read_text())
    words = release.Words("1.0.0", "production", "a test's")
    with pytest.raises(BuildError, match="is the one that tests play"):
        release.write(tmp_path, words, made)
