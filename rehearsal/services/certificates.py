# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority for one day's Kubernetes API."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 30
_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=True, key_cert_sign=True, crl_sign=True,
    content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
    decipher_only=False,
)  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    # The traditional form is the one that kube-apiserver takes for a public key, too.
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


# From now: a laptop's clock may be behind.
_VALID = (datetime.timedelta(hours=-1), datetime.timedelta(days=DAYS))
Validity = tuple[datetime.timedelta, datetime.timedelta]


def _builder(name: x509.Name, key: ec.EllipticCurvePrivateKey, valid: Validity = _VALID) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + valid[0])
        .not_valid_after(now + valid[1])
    )


class Authority:
    """The authority; its files are DIRECTORY/ca.crt and ca.key."""

    def __init__(self, directory: Path) -> None:
        self.certificate_file = directory / "ca.crt"
        self._key_file = directory / "ca.key"
        if not self._key_file.exists():
            directory.mkdir(parents=True, exist_ok=True)
            key = _key()
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rehearsal-ca")])
            made = _builder(name, key).issuer_name(name)
            made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            # Python 3.13 and newer refuse an authority that does not say what its key is for and how it is recognised.
            made = made.add_extension(_SIGNS_CERTIFICATES, critical=True)
            made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            self.certificate_file.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
            write_secret(self._key_file, _pem(key))
        self._certificate = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
        loaded = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        self._key = loaded

    def issue(
        self,
        user: str,
        groups: tuple[str, ...] = (),
        *,
        server: bool = False,
        hosts: tuple[str, ...] = (),
        address: str = "127.0.0.1",
        valid: Validity = _VALID,
    ) -> Pair:
        """A certificate for a user of the API, or for a server on the loopback that also goes by these host names."""
        names = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
        names += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        key = _key()
        made = _builder(x509.Name(names), key, valid).issuer_name(self._certificate.subject)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = made.add_extension(issuer, critical=False)
        if server:
            loopback = x509.IPAddress(ipaddress.ip_address(address))
            names_of_it = [loopback, *(x509.DNSName(name) for name in ("localhost", *hosts))]
            made = made.add_extension(x509.SubjectAlternativeName(names_of_it), critical=False)
        certificate = made.sign(self._key, hashes.SHA256())
        return Pair(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(content)
