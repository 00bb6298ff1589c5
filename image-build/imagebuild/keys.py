"""The keys that sign an image, and who may use which.

Development keys are made on this machine when they are first wanted and lie under
`var/`; their certificates say so by name. A production build takes a folder of keys by
`STILLOPEN_KEYS` and refuses development ones. Never writes a key into the project.

| name | signs or opens |
|---|---|
| secure-boot | boot loader and kernel (UEFI Secure Boot, db) |
| update | update bundles (CMS; code signing) |
| pcr | what the TPM must see before it unlocks DATA (signed PCR 11 policy) |
| escrow | nothing: each kiosk encrypts its recovery key to it |
| fleet | release lists and downgrade permissions (Ed25519) |
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from imagebuild.stage import CACHE, BuildError, say

_BITS = 3072
# A kiosk may stand for ten years, and its clock may be wrong.
_DAYS = 20 * 365
_DEVELOPMENT = "DEVELOPMENT"
CERTIFIED = ("secure-boot", "update")
BARE = ("pcr", "escrow", "fleet")
# The private halves that a build uses; the others belong in a safe.
_SIGNS = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
_SIGNING = ("secure-boot", "update", "pcr")


class Keys:
    """A folder of keys: `NAME.key` (PEM), and `NAME.crt` or `NAME.pub` beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def private(self, name: str) -> Path:
        """Return the file of a private key."""
        return self.folder / f"{name}.key"

    def public(self, name: str) -> Path:
        """Return the file that the world may see: certificate or public key."""
        return self.folder / f"{name}.{'crt' if name in CERTIFIED else 'pub'}"

    def words(self) -> str:
        """Return what makes builds with these keys differ from others."""
        return "".join(self.public(name).read_text() for name in (*CERTIFIED, *BARE))

    @property
    def is_development(self) -> bool:
        """Whether any of them was made by this build."""
        return any(_DEVELOPMENT in _subject(self.public(name)) for name in CERTIFIED)


def chosen(variant: str) -> Keys:
    """Return the keys for a variant, made first when they are development's.

    Raises `BuildError` where a production build has none, or has development's.
    """
    given = os.environ.get("STILLOPEN_KEYS", "")
    if variant == "development":
        return _development()
    if not given:
        raise BuildError(
            "A production image needs its own keys.\n"
            "Set STILLOPEN_KEYS to their folder (image-build/README.md, Keys)."
        )
    keys = Keys(Path(given))
    wanted = [keys.public(name) for name in (*CERTIFIED, *BARE)]
    wanted += [keys.private(name) for name in _SIGNING]
    for file in wanted:
        if not file.is_file():
            raise BuildError(f"{file} is missing (image-build/README.md, Keys).")
    if keys.is_development:
        raise BuildError(
            f"{keys.folder} holds development keys: whoever has a clone could sign for"
            " your shops. Make keys of your own (image-build/README.md, Keys)."
        )
    return keys


def _development() -> Keys:
    keys = Keys(CACHE / "keys" / "development")
    if not keys.folder.is_dir():
        say("Making development keys; they are kept under var/image/keys")
        aside = CACHE / "keys" / "new"
        make(aside, f"Stillopen {_DEVELOPMENT}")
        aside.rename(keys.folder)
    return keys


def make(folder: Path, owner: str) -> None:
    """Make a whole set of keys, named after their owner, in a new folder."""
    folder.mkdir(parents=True, mode=0o700)
    keys = Keys(folder)
    for name in CERTIFIED:
        key = rsa.generate_private_key(65537, _BITS)
        _write(keys.private(name), _pem(key), 0o600)
        certificate = _certificate(key, f"{owner} {name}", is_code=name == "update")
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        _write(keys.public(name), pem, 0o644)
    makers: dict[str, Callable[[], rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey]] = {
        # The TPM takes RSA of 2048 bits everywhere, of 3072 not.
        "pcr": lambda: rsa.generate_private_key(65537, 2048),
        "escrow": lambda: rsa.generate_private_key(65537, _BITS),
        "fleet": ed25519.Ed25519PrivateKey.generate,
    }
    for name, made in makers.items():
        bare = made()
        _write(keys.private(name), _pem(bare), 0o600)
        public = bare.public_key().public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo,
        )
        _write(keys.public(name), public, 0o644)


def signer_name(keys: Keys) -> str:
    """Return the common name that signs this image's updates."""
    certificate = x509.load_pem_x509_certificate(keys.public("update").read_bytes())
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


def _certificate(
    key: rsa.RSAPrivateKey, name: str, *, is_code: bool
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=_DAYS))
        # Its own anchor, and nobody else's: it can name no further signers.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(_SIGNS, critical=True)
    )
    if is_code:
        use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        builder = builder.add_extension(use, critical=False)
    return builder.sign(key, hashes.SHA256())


def _subject(file: Path) -> str:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    return certificate.subject.rfc4514_string()


def _pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(file: Path, content: bytes, mode: int) -> None:
    file.touch(mode=mode)
    file.write_bytes(content)
