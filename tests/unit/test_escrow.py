"""DATA's recovery key: only the fleet's owner reads it, and none is lost half made."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kiosk.escrow import EscrowError, opened, seal_anew, sealed

KEY = "jjbvuegh-tcrtiebu-bfntuikr-htvgujct-kvbgkitl-bcuvtkbf-hfkjncid-grvchnjb"


def _pair() -> tuple[bytes, bytes]:
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private, public


PRIVATE, PUBLIC = _pair()


def test_the_owner_reads_what_the_kiosk_sealed() -> None:
    text = sealed(KEY, PUBLIC)
    assert KEY not in text
    assert opened(text, PRIVATE) == KEY


def test_another_key_opens_nothing() -> None:
    with pytest.raises(EscrowError, match="does not open"):
        opened(sealed(KEY, PUBLIC), _pair()[0])


def test_the_kiosk_keeps_the_key_sealed_alone(tmp_path: Path) -> None:
    owner = tmp_path / "escrow.pub"
    owner.write_bytes(PUBLIC)
    target = tmp_path / "recovery-key.escrow"
    seal_anew(["echo", KEY], owner, target)
    assert opened(target.read_text(), PRIVATE) == KEY
    assert [file.name for file in tmp_path.iterdir() if file != owner] == [target.name]


def test_no_key_means_no_file(tmp_path: Path) -> None:
    owner = tmp_path / "escrow.pub"
    owner.write_bytes(PUBLIC)
    target = tmp_path / "recovery-key.escrow"
    with pytest.raises(EscrowError, match="no recovery key was made"):
        seal_anew(["false"], owner, target)
    assert not target.exists()


def test_without_the_owners_key_nothing_is_added_to_data(tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    with pytest.raises(OSError, match=r"escrow\.pub"):
        seal_anew(["touch", str(mark)], tmp_path / "escrow.pub", tmp_path / "sealed")
    assert not mark.exists()
