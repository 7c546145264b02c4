# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate authorities of a company: read from files, judged as Go and OpenSSL do. Knows nothing of who will trust them."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import InputError, ToolMissing, WorkstationError
from ..core.system.command import Cli, Output
from ..core.system.files import check_path

if TYPE_CHECKING:
    from cryptography import x509

# Thousands of authorities; the list that a system trusts has a quarter of it.
MOST_BYTES = 1 << 20
# What both Go (1.24) and OpenSSL refuse below.
LEAST_RSA_BITS = 1024
KEYCHAIN = "/Library/Keychains/System.keychain"
# Where each has the files of an administrator: Debian and Ubuntu, Fedora and its kin, Arch.
LINUX = (
    ("usr/local/share/ca-certificates", "**/*.crt"),
    ("etc/pki/ca-trust/source/anchors", "*"),
    ("etc/ca-certificates/trust-source/anchors", "*"),
)
_WHAT = "a certificate authority"
_NOTHING_FOUND = 44
_SECONDS = 30.0
_OLDEST = 42


def _converted(command: str) -> str:
    return f"Convert it with '{command}', and give that file."


_BEGIN = re.compile(rb"-----BEGIN ((?:X509 )?CERTIFICATE)-----")
_BLOCK = re.compile(_BEGIN.pattern + rb"((?:(?!-----BEGIN ).)*?)-----END \1-----", re.DOTALL)
# With a label, PuTTY's, or in DER form: a SEQUENCE that begins with the version 0 or 1.
_PRIVATE_KEY = re.compile(rb"(?i)- ?BEGIN [^\r\n-]{0,40}PRIVATE KEY|PuTTY-User-Key-File|\A\x30[\s\S]{1,4}\x02\x01[\x00\x01]")
_ONLY_CERTIFICATE = "Put the certificate alone into a file, and keep the key to yourself."
_AGAIN = "Copy the whole file again from where it comes from."
_ONLY_AUTHORITIES = "Give only the certificates of authorities."
_NEWER = "Ask your company for a newer one."
# Content that is not a certificate: its sign, its name, and the remedy.
_KINDS = (
    (rb"\A\s*\Z", "it is empty", _AGAIN),
    (rb"\A(\xff\xfe|\xfe\xff)", "it is saved as UTF-16", "Save it as UTF-8."),
    (rb"(?i)\A\s*<(!doctype|html|head|body)", "it is a web page", "Log in there, and download the certificate again."),
    (rb"\APK\x03\x04", "it is a ZIP archive", "Unpack it, and give the certificate that is in it."),
    (
        rb"\A\xfe\xed\xfe\xed",
        "it is a Java keystore",
        _converted("keytool -exportcert -rfc -keystore FILE -alias NAME -file ca.pem"),
    ),
    # A SEQUENCE with version 3, and a SEQUENCE with the identifier of PKCS #7.
    (rb"\A\x30[\s\S]{1,4}\x02\x01\x03", "it is PKCS #12", _converted("openssl pkcs12 -in FILE -cacerts -nokeys -out ca.pem")),
    (
        rb"\A\x30[\s\S]{1,4}\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07",
        "it is PKCS #7",
        _converted("openssl pkcs7 -inform DER -in FILE -print_certs -out ca.pem"),
    ),
    (rb"-----BEGIN (PKCS7|CMS)-----", "it is PKCS #7", _converted("openssl pkcs7 -in FILE -print_certs -out ca.pem")),
    (rb"-----BEGIN TRUSTED CERT", "it has OpenSSL's own form", _converted("openssl x509 -in FILE -out ca.pem")),
    (rb"-----BEGIN (NEW )?CERTIFICATE REQ", "it is a request for a certificate", "Give the certificate that was issued for it."),
    (rb"-----BEGIN X509 CRL", "it is a list of revoked certificates", "Give the certificate of its issuer."),
    (rb"(?m)-----BEGIN [A-Z0-9 ]*PUBLIC KEY|^(ssh|ecdsa)-\S+ AAAA", "it is a public key", "Give the certificate that holds it."),
    (rb"", "it holds no certificate", "Give a file with '-----BEGIN CERTIFICATE-----' in it, or one in DER form."),
)


@dataclass(frozen=True)
class Authority:
    """One certificate of an authority. pem: its block alone, with a line break at its end; fingerprint: SHA-256 in hex."""

    pem: str
    subject: str
    ends: datetime
    fingerprint: str


def authorities_in(content: bytes, source: str, now: datetime) -> tuple[Authority, ...]:
    """Return the authorities of a file, each once. Raises InputError where one can't be used, or none is there."""
    refuse = _Refusal(source)
    if len(content) > MOST_BYTES:
        raise refuse(f"it has more than {MOST_BYTES >> 20} MiB", "Give only the certificates of your company.")
    if _PRIVATE_KEY.search(content):
        raise refuse("it holds a private key", _ONLY_CERTIFICATE)
    found = _certificates(content, refuse)
    if not found:
        raise next(refuse(what, remedy) for sign, what, remedy in _KINDS if re.search(sign, content))
    judged = [_judged(certificate, now, refuse) for certificate in found]
    return _each_once(judged)


def authorities_from(files: Sequence[str], *, now: datetime) -> tuple[Authority, ...]:
    """Return the authorities of these files, each once. Raises InputError; of several bad files, its "refusals" has all."""
    found: list[Authority] = []
    wrong: list[InputError] = []
    for file in dict.fromkeys(files):
        try:
            found += authorities_in(_content(file), file, now)
        except InputError as error:
            wrong.append(error)
    if len(wrong) > 1:
        sentences = [error.message for error in wrong]
        raise InputError(" ".join(sentences), refusals=sentences)
    if wrong:
        raise wrong[0]
    return _each_once(found)


def local_authorities(
    system: str, run: Callable[..., Output] | None = None, *, now: datetime | None = None, root: Path = Path("/")
) -> tuple[Authority, ...]:
    """Return the authorities that an administrator has added to this machine; what is none, or has expired, is left out.

    run: runs security(1), as Cli("security").run does. root: where the directories of Linux are.
    """
    moment = now or datetime.now(UTC)
    contents = _in_keychain(run or Cli("security").run) if system == "Darwin" else _in_directories(root)
    return _each_once(authority for content in contents for authority in _usable(content, moment))


def _each_once(authorities: Iterable[Authority]) -> tuple[Authority, ...]:
    return tuple({authority.fingerprint: authority for authority in authorities}.values())


def _in_keychain(run: Callable[..., Output]) -> Iterator[bytes]:
    done = run("find-certificate", "-a", "-p", KEYCHAIN, check=False, timeout=_SECONDS)
    if done.rc not in (0, _NOTHING_FOUND):
        remedy = f"Run 'security find-certificate -a -p {KEYCHAIN}', and look at what it says."
        raise WorkstationError(f"read '{KEYCHAIN}'", f"security ended with exit code {done.rc}", remedy, stderr=done.stderr)
    yield done.stdout.encode()


def _in_directories(root: Path) -> Iterator[bytes]:
    for directory, pattern in LINUX:
        for path in sorted((root / directory).glob(pattern)):
            with contextlib.suppress(InputError):
                yield _content(str(path))


def _usable(content: bytes, now: datetime) -> Iterator[Authority]:
    for block in [match.group() for match in _BLOCK.finditer(content)] or [content]:
        with contextlib.suppress(InputError):
            yield from authorities_in(block, "", now)


def _content(file: str) -> bytes:
    """Return what is in a file, up to a byte more than is allowed."""
    path = os.path.expanduser(file)  # noqa: PTH111 - Path.expanduser raises for an unknown user
    check_path(_WHAT, path)
    refuse = _Refusal(file)
    try:
        # A pipe or a device may never end.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            what = "a directory" if Path(path).is_dir() else "not a file"
            raise refuse(f"it is {what}", "Give the path of a file.")
        with Path(path).open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise refuse((error.strerror or str(error)).lower(), "Give the path of a file that you can read.") from error


@dataclass(frozen=True)
class _Refusal:
    """Makes the sentence why a file can't be used."""

    source: str

    def __call__(self, reason: str, remedy: str) -> InputError:
        return InputError(f"use '{self.source}' as {_WHAT}", reason, remedy)


def _loader() -> Callable[[bytes], x509.Certificate]:
    """Return what reads DER. Ansible needs the package itself; on another host than Ansible's own it may be missing or old."""
    with contextlib.suppress(ImportError):
        from cryptography import x509

        if hasattr(x509.Certificate, "not_valid_after_utc"):
            return x509.load_der_x509_certificate
    raise ToolMissing("cryptography", remedy=f"Install it into Ansible's Python: pip install 'cryptography>={_OLDEST}'.")


def _certificates(content: bytes, refuse: _Refusal) -> list[x509.Certificate]:
    """Return the certificates of a PEM file, whatever is between them, or the one of a DER file."""
    begun, blocks = len(_BEGIN.findall(content)), list(_BLOCK.finditer(content))
    if begun != len(blocks):
        raise refuse("a certificate in it has no line '-----END CERTIFICATE-----'", _AGAIN)
    load = _loader()
    if not begun:
        # Else a file of another kind, which has a word of its own.
        with contextlib.suppress(ValueError):
            return [load(content)]
        return []
    found = []
    for number, block in enumerate(blocks, 1):
        try:
            found.append(load(base64.b64decode(b"".join(block[2].split()), validate=True)))
        except (ValueError, binascii.Error):
            raise refuse(f"certificate {number} of {begun} is damaged", _AGAIN) from None
    return found


def _judged(certificate: x509.Certificate, now: datetime, refuse: _Refusal) -> Authority:
    """Return an authority. Raises InputError for what is none, or what clients will not take."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        subject = "".join(letter if letter.isprintable() else "?" for letter in certificate.subject.rfc4514_string())
        fault = _fault(certificate, now)
        pem = certificate.public_bytes(Encoding.PEM).decode()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension):
        raise refuse("a certificate in it is damaged", _AGAIN) from None
    if fault:
        reason, remedy = fault
        raise refuse(f"'{subject[:80]}' {reason}", remedy)
    return Authority(pem, subject, certificate.not_valid_after_utc, certificate.fingerprint(SHA256()).hex())


def _fault(certificate: x509.Certificate, now: datetime) -> tuple[str, str] | None:
    """Return why a certificate is of no use as an authority, and the remedy."""
    if not _signs(certificate):
        return "is a certificate of a server or a person, not of an authority", _ONLY_AUTHORITIES
    if not _may_sign(certificate):
        return "may not sign certificates (its key usage lacks keyCertSign)", _ONLY_AUTHORITIES
    if now > certificate.not_valid_after_utc:
        return f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}", _NEWER
    if now < certificate.not_valid_before_utc:
        begins = f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"
        return begins, "Check the clock of this laptop, or give one that is valid today."
    weak = _weakness(certificate)
    return (weak, _NEWER) if weak else None


def _signs(certificate: x509.Certificate) -> bool:
    from cryptography import x509

    if certificate.version == x509.Version.v1:
        # It has no field to say so: a root of the nineties. A server of version 1 has another issuer.
        return bool(certificate.issuer == certificate.subject)
    with contextlib.suppress(x509.ExtensionNotFound):
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    return False


def _may_sign(certificate: x509.Certificate) -> bool:
    from cryptography import x509

    with contextlib.suppress(x509.ExtensionNotFound):
        return bool(certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign)
    return True


def _weakness(certificate: x509.Certificate) -> str:
    """Return what Go and OpenSSL object to in the key or the signature; an empty string for nothing."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.hashes import MD5, SHA1

    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < LEAST_RSA_BITS:
            return f"has an RSA key of {key.key_size} bits, which is too weak"
    elif not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        return "has a key of a kind that docker and Kubernetes can't use"
    # Nobody checks the signature of a root: it is trusted because it is listed.
    algorithm = certificate.signature_hash_algorithm if certificate.issuer != certificate.subject else None
    return f"is signed with {algorithm.name.upper()}, which is too weak" if isinstance(algorithm, MD5 | SHA1) else ""
