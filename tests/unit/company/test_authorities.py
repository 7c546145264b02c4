# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of certificate authorities: what is used, and what a person hears of every other file."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.company.authorities import (
    KEYCHAIN,
    Authority,
    authorities_from,
    authorities_in,
    local_authorities,
)
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError, ToolMissing, WorkstationError
from ansible_collections.laptop.containers.plugins.module_utils.core.system.command import Cli
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

# After the five below were made.
NOW = datetime(2027, 1, 1, tzinfo=UTC)
# Made by openssl: cryptography makes nothing so weak or old.
WEAK_KEY = b"""\
-----BEGIN CERTIFICATE-----
MIIBdTCCAR+gAwIBAgIUE7nYBVkuvcuCxOCwde91SWhdlCYwDQYJKoZIhvcNAQEL
BQAwDzENMAsGA1UEAwwEV2VhazAeFw0yNjEyMDIxMDAwMDdaFw0zNjExMjkxMDAw
MDdaMA8xDTALBgNVBAMMBFdlYWswXDANBgkqhkiG9w0BAQEFAANLADBIAkEA4HTu
KFeB5mGHM0dgORT+t0/TiQvPEXQj10L2CA9TaRt3UL8cKg+evK+v6XzX+6YYZ9SU
BipwlKbLveckCcywCQIDAQABo1MwUTAdBgNVHQ4EFgQUzS7rYMl3bmAyL8ic0tEi
TozqpgMwHwYDVR0jBBgwFoAUzS7rYMl3bmAyL8ic0tEiTozqpgMwDwYDVR0TAQH/
BAUwAwEB/zANBgkqhkiG9w0BAQsFAANBAFPSllpLjvhriTpm7pV3viEwBudLtX6H
kFEwowhQZdFbWQHva0C0vWltr+9G6eBVpEaWqIDEkJX70aQMwjaqJHw=
-----END CERTIFICATE-----
"""
SHA1_ROOT = b"""\
-----BEGIN CERTIFICATE-----
MIIBeTCCASCgAwIBAgIUBZ7UC3Fjc7vzNG4AjUiOeDqCpvswCQYHKoZIzj0EATAT
MREwDwYDVQQDDAhPbGQgUm9vdDAeFw0yNjEyMDIxMDAxMTVaFw0zNjExMjkxMDAx
MTVaMBMxETAPBgNVBAMMCE9sZCBSb290MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD
QgAE3iqLgGp8EtCmZvsoW3KqWMKRuC16afcCjmDT8bqAe0Kh92zJ4W2xCidS0pjb
VOtJt7tVk/0wtCNekfod7L919aNTMFEwHQYDVR0OBBYEFPhUwsia+hHFWodtqagY
xhfmgi9wMB8GA1UdIwQYMBaAFPhUwsia+hHFWodtqagYxhfmgi9wMA8GA1UdEwEB
/wQFMAMBAf8wCQYHKoZIzj0EAQNIADBFAiBk0eP4TfdNPKdSqDGVzULdzYrap9i5
5qDojkwTjDGfAQIhAO/sfQbMt2F/DedMqp2KczCmzNXZEaN4M52F3xCv04t3
-----END CERTIFICATE-----
"""
SHA1_ISSUER = b"""\
-----BEGIN CERTIFICATE-----
MIIBjDCCATOgAwIBAgIUUhnYZ3PRPfElqZVbZNQis9FFHcwwCQYHKoZIzj0EATAT
MREwDwYDVQQDDAhPbGQgUm9vdDAeFw0yNjEyMDIxMDAxMTVaFw0zNjExMjkxMDAx
MTVaMBYxFDASBgNVBAMMC09sZCBJc3N1aW5nMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEp/xQwpE++vRcy0OuEBupbOoIKN78HGTSikzl7d/cdpgbKA05hhOYMqSe
hR9N6omJBn3P5TbKPfTsmFqdHerQMaNjMGEwDwYDVR0TAQH/BAUwAwEB/zAOBgNV
HQ8BAf8EBAMCAgQwHQYDVR0OBBYEFMU1GViBKa5WTmuJY4iEDvK6ojyoMB8GA1Ud
IwQYMBaAFPhUwsia+hHFWodtqagYxhfmgi9wMAkGByqGSM49BAEDSAAwRQIhAJFC
tMOgFGqgoZLHLJAYjXViUv3BTcBdiGljcUsoR1hoAiAUoPXY8uDs9EYc2dq4gctx
dFuD2TBfxCoit7ssef9RXw==
-----END CERTIFICATE-----
"""
VERSION_1 = b"""\
-----BEGIN CERTIFICATE-----
MIIBIDCBxwIUOPRucokBtMgnffbVd6QqHOYaTuMwCgYIKoZIzj0EAwIwEzERMA8G
A1UEAwwIT2xkIFJvb3QwHhcNMjYxMjAyMTAwMDA3WhcNMzYxMTI5MTAwMDA3WjAT
MREwDwYDVQQDDAhPbGQgUm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMM3
StG9HLuViuNWwaZ2P2u31rS86/4p2w+l/RnbUjFiKIu8k1tgTseGo0Mdis3NjObu
c3Lj52MCtnwdE89hgVcwCgYIKoZIzj0EAwIDSAAwRQIhAI4XOZ/vEfmEwDDNMU+e
iazoVOhg3SPQskpasKEjAnnBAiAYZFn+3lScFE2YZ13rCQTgfteDENPpxqMFyrpw
LBBaIA==
-----END CERTIFICATE-----
"""
VERSION_1_SERVER = b"""\
-----BEGIN CERTIFICATE-----
MIIBIjCByQIUDNovC/fHpBlh7xlX7YfbUNi33WMwCgYIKoZIzj0EAwIwEzERMA8G
A1UEAwwIT2xkIFJvb3QwHhcNMjYxMjAyMTAwNTU2WhcNMzYxMTI5MTAwNTU2WjAV
MRMwEQYDVQQDDApPbGQgU2VydmVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
X05S5uzxlXwERPacb0PVhJrVSzfHHXsfuVE0Wt8yBxSJn+oXJlx4Pe5I3ic2maBg
MApmrYoWkaWojElPO1MXRDAKBggqhkjOPQQDAgNIADBFAiAwwn6w2mk16PEyxX1V
YXi9mfBcPk4IBx+YoiPE7esraQIhAPWwI3V8+m8mB4YkQL8GV1Jg01PFqypibieq
nJCxseVs
-----END CERTIFICATE-----
"""
KEY = ec.generate_private_key(ec.SECP256R1())
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
PKCS8, OPENSSH = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.OpenSSH
OLD_FORM = serialization.PrivateFormat.TraditionalOpenSSL
OPEN, LOCKED = serialization.NoEncryption(), serialization.BestAvailableEncryption(b"password")


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)] if name else [])


def certificate(
    name: str = "Example Root",
    *,
    issuer: str | None = None,
    ca: bool | None = True,
    signs: bool | None = True,
    days: tuple[int, int] = (-30, 3650),
    key: ec.EllipticCurvePrivateKey | ed448.Ed448PrivateKey = KEY,
) -> x509.Certificate:
    """Make a certificate. A value of None leaves the extension out."""
    made = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(name if issuer is None else issuer))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
    )
    if ca is not None:
        made = made.add_extension(x509.BasicConstraints(ca, None), critical=True)
    if signs is not None:
        others = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign")
        usage = dict.fromkeys(others, True) | {"key_cert_sign": signs, "encipher_only": False, "decipher_only": False}
        made = made.add_extension(x509.KeyUsage(**usage), critical=True)
    return made.sign(key, None if isinstance(key, ed448.Ed448PrivateKey) else hashes.SHA256())


def pem(name: str = "Example Root", **options: object) -> bytes:
    return certificate(name, **options).public_bytes(PEM)  # type: ignore[arg-type]


def request() -> bytes:
    return x509.CertificateSigningRequestBuilder().subject_name(named("x")).sign(KEY, hashes.SHA256()).public_bytes(PEM)


def revoked() -> bytes:
    made = x509.CertificateRevocationListBuilder().issuer_name(named("Example Root")).last_update(NOW)
    return made.next_update(NOW + timedelta(days=1)).sign(KEY, hashes.SHA256()).public_bytes(PEM)


def public(encoding: serialization.Encoding, form: serialization.PublicFormat) -> bytes:
    return KEY.public_key().public_bytes(encoding, form)


MADE = certificate()
ROOT, ROOT_DER, OTHER = MADE.public_bytes(PEM), MADE.public_bytes(DER), pem("Other Root")
BODY = ROOT.splitlines(keepends=True)

# What is used, and the subjects of the authorities that are found.
GOOD: dict[str, tuple[bytes, list[str]]] = {
    "one root": (ROOT, ["CN=Example Root"]),
    "DER": (ROOT_DER, ["CN=Example Root"]),
    "a bundle with comments": (
        b"# Example\n\n" + ROOT + b"subject=CN = Other \xe4\n" + OTHER,
        ["CN=Example Root", "CN=Other Root"],
    ),
    "line breaks of Windows": (ROOT.replace(b"\n", b"\r\n"), ["CN=Example Root"]),
    "line breaks of an old Mac": (ROOT.replace(b"\n", b"\r"), ["CN=Example Root"]),
    "UTF-8 with a byte order mark": (b"\xef\xbb\xbf" + ROOT, ["CN=Example Root"]),
    "no line break at the end": (ROOT.rstrip(), ["CN=Example Root"]),
    "two in a row without a line break": (ROOT.rstrip() + OTHER, ["CN=Example Root", "CN=Other Root"]),
    "the same twice": (ROOT + OTHER + ROOT, ["CN=Example Root", "CN=Other Root"]),
    "an old label": (ROOT.replace(b" CERTIFICATE", b" X509 CERTIFICATE"), ["CN=Example Root"]),
    "an intermediate": (pem("Issuing", issuer="Example Root"), ["CN=Issuing"]),
    "no key usage": (pem(signs=None), ["CN=Example Root"]),
    "a root of version 1": (VERSION_1, ["CN=Old Root"]),
    "a root that is signed with SHA-1": (SHA1_ROOT, ["CN=Old Root"]),
    "no subject": (pem(""), [""]),
    "the last second": (pem(days=(-1, 0)), ["CN=Example Root"]),
}

AGAIN = "Copy the whole file again from where it comes from."
ALONE = "Put the certificate alone into a file, and keep the key to yourself."
ONLY = "Give only the certificates of authorities."
NEWER = "Ask your company for a newer one."
# What is refused, and the reason and the remedy.
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", f"it is empty. {AGAIN}"),
    "blank": (b" \r\n\t\n", f"it is empty. {AGAIN}"),
    "2 MiB": (ROOT * 3000, "it has more than 1 MiB. Give only the certificates of your company."),
    "some text": (b"hello", "it holds no certificate. Give a file with '-----BEGIN CERTIFICATE-----' in it, or one in DER form."),
    "nothing but dashes": (
        b"-" * (1 << 20),
        "it holds no certificate. Give a file with '-----BEGIN CERTIFICATE-----' in it, or one in DER form.",
    ),
    "UTF-16": (b"\xff\xfe" + ROOT.decode().encode("utf-16-le"), "it is saved as UTF-16. Save it as UTF-8."),
    "a web page": (
        b"\n<!DOCTYPE html><html>Log in</html>",
        "it is a web page. Log in there, and download the certificate again.",
    ),
    "a ZIP archive": (b"PK\x03\x04\x14", "it is a ZIP archive. Unpack it, and give the certificate that is in it."),
    "a Java keystore": (
        b"\xfe\xed\xfe\xed\0\0\0\2",
        "it is a Java keystore. Convert it with 'keytool -exportcert -rfc -keystore FILE -alias NAME -file ca.pem',"
        " and give that file.",
    ),
    "PKCS #12": (
        pkcs12.serialize_key_and_certificates(b"me", KEY, certificate(), None, LOCKED),
        "it is PKCS #12. Convert it with 'openssl pkcs12 -in FILE -cacerts -nokeys -out ca.pem', and give that file.",
    ),
    "PKCS #7": (
        pkcs7.serialize_certificates([certificate()], DER),
        "it is PKCS #7. Convert it with 'openssl pkcs7 -inform DER -in FILE -print_certs -out ca.pem', and give that file.",
    ),
    "PKCS #7 as PEM": (
        pkcs7.serialize_certificates([certificate()], PEM),
        "it is PKCS #7. Convert it with 'openssl pkcs7 -in FILE -print_certs -out ca.pem', and give that file.",
    ),
    "OpenSSL's trusted form": (
        ROOT.replace(b" CERTIFICATE", b" TRUSTED CERTIFICATE"),
        "it has OpenSSL's own form. Convert it with 'openssl x509 -in FILE -out ca.pem', and give that file.",
    ),
    "a request": (request(), "it is a request for a certificate. Give the certificate that was issued for it."),
    "a revocation list": (revoked(), "it is a list of revoked certificates. Give the certificate of its issuer."),
    "a public key": (
        public(PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        "it is a public key. Give the certificate that holds it.",
    ),
    "a public key of ssh": (
        public(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH),
        "it is a public key. Give the certificate that holds it.",
    ),
    "a key beside it": (ROOT + KEY.private_bytes(PEM, PKCS8, OPEN), f"it holds a private key. {ALONE}"),
    "a key alone": (KEY.private_bytes(PEM, PKCS8, OPEN), f"it holds a private key. {ALONE}"),
    "a key of an old form": (KEY.private_bytes(PEM, OLD_FORM, OPEN) + ROOT, f"it holds a private key. {ALONE}"),
    "an encrypted key": (ROOT + KEY.private_bytes(PEM, PKCS8, LOCKED), f"it holds a private key. {ALONE}"),
    "a key of OpenSSH": (KEY.private_bytes(PEM, OPENSSH, OPEN), f"it holds a private key. {ALONE}"),
    "a key as DER": (KEY.private_bytes(DER, PKCS8, OPEN), f"it holds a private key. {ALONE}"),
    "a key of PuTTY": (b"PuTTY-User-Key-File-3: ssh-ed25519\n", f"it holds a private key. {ALONE}"),
    "a key without an end": (KEY.private_bytes(PEM, PKCS8, OPEN)[:99], f"it holds a private key. {ALONE}"),
    "no END": (b"".join(BODY[:-1]), f"a certificate in it has no line '-----END CERTIFICATE-----'. {AGAIN}"),
    "no END of the first": (
        b"".join(BODY[:-1]) + OTHER,
        f"a certificate in it has no line '-----END CERTIFICATE-----'. {AGAIN}",
    ),
    "a cut line": (ROOT + OTHER[:-40], f"a certificate in it has no line '-----END CERTIFICATE-----'. {AGAIN}"),
    "a truncated block": (ROOT + b"".join([*BODY[:4], BODY[-1]]), f"certificate 2 of 2 is damaged. {AGAIN}"),
    "no base64": (BODY[0] + b"@@@@\n" + BODY[-1], f"certificate 1 of 1 is damaged. {AGAIN}"),
    "base64 of something else": (
        BODY[0] + base64.b64encode(b"hello") + b"\n" + BODY[-1],
        f"certificate 1 of 1 is damaged. {AGAIN}",
    ),
    "an empty block": (BODY[0] + BODY[-1], f"certificate 1 of 1 is damaged. {AGAIN}"),
    "truncated DER": (
        ROOT_DER[:-9],
        "it holds no certificate. Give a file with '-----BEGIN CERTIFICATE-----' in it, or one in DER form.",
    ),
    "expired": (pem(days=(-30, -1)), f"'CN=Example Root' expired on 2026-12-31. {NEWER}"),
    "one expired in a bundle": (ROOT + pem("Old", days=(-30, -1)), f"'CN=Old' expired on 2026-12-31. {NEWER}"),
    "not yet valid": (
        pem(days=(1, 2)),
        "'CN=Example Root' is not valid before 2027-01-02. Check the clock of this laptop, or give one that is valid today.",
    ),
    "a server": (
        pem("proxy", issuer="Example Root", ca=None),
        f"'CN=proxy' is a certificate of a server or a person, not of an authority. {ONLY}",
    ),
    "a server that says so": (
        pem("proxy", ca=False),
        f"'CN=proxy' is a certificate of a server or a person, not of an authority. {ONLY}",
    ),
    "a server of version 1": (
        VERSION_1_SERVER,
        f"'CN=Old Server' is a certificate of a server or a person, not of an authority. {ONLY}",
    ),
    "it may not sign": (
        pem(signs=False),
        f"'CN=Example Root' may not sign certificates (its key usage lacks keyCertSign). {ONLY}",
    ),
    "RSA of 512 bits": (WEAK_KEY, f"'CN=Weak' has an RSA key of 512 bits, which is too weak. {NEWER}"),
    "an intermediate that is signed with SHA-1": (
        SHA1_ISSUER,
        f"'CN=Old Issuing' is signed with SHA1, which is too weak. {NEWER}",
    ),
    "a key that Go does not know": (
        pem(key=ed448.Ed448PrivateKey.generate()),
        f"'CN=Example Root' has a key of a kind that docker and Kubernetes can't use. {NEWER}",
    ),
    "letters that a terminal obeys": (pem("\x1b[2J", days=(-30, -1)), f"'CN=?[2J' expired on 2026-12-31. {NEWER}"),
}


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    """Return a writer of files."""

    def write(content: bytes, name: str = "ca.pem") -> str:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


def subjects(authorities: tuple[Authority, ...]) -> list[str]:
    return [authority.subject for authority in authorities]


@pytest.mark.parametrize("name", GOOD)
def test_authorities_are_found(file: Callable[..., str], name: str) -> None:
    content, known = GOOD[name]
    assert subjects(authorities_from([file(content)], now=NOW)) == known


@pytest.mark.parametrize("name", BAD)
def test_every_other_file_is_refused_with_one_sentence(file: Callable[..., str], name: str) -> None:
    content, why = BAD[name]
    path = file(content)
    with pytest.raises(InputError) as caught:
        authorities_from([path], now=NOW)
    assert caught.value.message == f"Could not use '{path}' as a certificate authority: {why}"


def test_an_authority_has_its_block_alone_and_its_fingerprint() -> None:
    (found,) = authorities_in(b"# Example\n" + ROOT.replace(b"\n", b"\r\n"), "ca.pem", NOW)
    assert found == Authority(ROOT.decode(), "CN=Example Root", MADE.not_valid_after_utc, MADE.fingerprint(hashes.SHA256()).hex())
    with pytest.raises(FrozenInstanceError):
        found.pem = ""  # type: ignore[misc]


def test_nothing_of_a_key_is_in_a_failure(file: Callable[..., str]) -> None:
    lines = KEY.private_bytes(PEM, PKCS8, OPEN).decode().splitlines()[1:-1]
    with pytest.raises(InputError) as caught:
        authorities_from([file(ROOT + KEY.private_bytes(PEM, PKCS8, OPEN)), file(b"", "b")], now=NOW)
    assert len(lines) == 3
    assert not [line for line in lines if line in f"{caught.value!r} {caught.value.result}"]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("{}/none.pem", "no such file or directory. Give the path of a file that you can read."),
        ("{}", "it is a directory. Give the path of a file."),
        ("{}/pipe", "it is not a file. Give the path of a file."),
        ("{}/loop", "too many levels of symbolic links. Give the path of a file that you can read."),
        ("{}/file/ca.pem", "not a directory. Give the path of a file that you can read."),
        ("ca.pem", "it is not absolute. Start it with '/' or '~/'."),
        ("", "it is not absolute. Start it with '/' or '~/'."),
        ("~no-such-user/ca.pem", "it is not absolute. Start it with '/' or '~/'."),
        ("{}/a\0b", "it names no file. Give the path of a file."),
    ],
)
def test_what_is_no_file_is_refused(tmp_path: Path, path: str, why: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    given = path.format(tmp_path)
    with pytest.raises(InputError) as caught:
        authorities_from([given], now=NOW)
    assert caught.value.message == f"Could not use '{given}' as a certificate authority: {why}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file: run the tests as another user")
def test_a_file_of_another_user_is_refused(file: Callable[..., str]) -> None:
    path = file(ROOT)
    Path(path).chmod(0)
    with pytest.raises(InputError, match=r"permission denied\. Give the path of a file that you can read\."):
        authorities_from([path], now=NOW)


def test_all_bad_files_are_told_at_once(file: Callable[..., str]) -> None:
    paths = [file(b"", "a"), file(ROOT, "b"), file(b"hello", "c")]
    with pytest.raises(InputError) as caught:
        authorities_from(paths, now=NOW)
    refusals = caught.value.context["refusals"]
    assert [sentence.split(":")[0] for sentence in refusals] == [
        f"Could not use '{path}' as a certificate authority" for path in paths[::2]
    ]
    assert caught.value.message == " ".join(refusals)


def test_several_files_make_one_list_and_home_is_known(home: Path, file: Callable[..., str]) -> None:
    (home / "ca.cer").write_bytes(ROOT_DER)
    paths = [file(OTHER + ROOT), "~/ca.cer", file(ROOT, "again"), file(VERSION_1, "old")]
    assert subjects(authorities_from(paths, now=NOW)) == ["CN=Other Root", "CN=Example Root", "CN=Old Root"]
    assert authorities_from([], now=NOW) == ()


def test_without_the_library_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ToolMissing, match=r"'cryptography'.*pip install 'cryptography>=42'\.$"):
        authorities_in(ROOT, "ca.pem", NOW)


def test_an_administrators_authorities_on_linux(tmp_path: Path, file: Callable[..., str]) -> None:
    debian, fedora = "usr/local/share/ca-certificates", "etc/pki/ca-trust/source/anchors"
    expired = pem("Old", days=(-30, -1))
    for name, content in {
        f"{debian}/company/root.crt": ROOT,
        f"{debian}/bundle.crt": expired + OTHER + pem("proxy", ca=False) + KEY.private_bytes(PEM, PKCS8, OPEN),
        f"{debian}/notes.txt": pem("Not Read"),
        f"{debian}/broken.crt": b"hello",
        f"{debian}/directory.crt/other.crt": ROOT,
        f"{fedora}/root.pem": ROOT,
        f"{fedora}/more.cer": certificate("Fedora").public_bytes(DER),
        f"{fedora}/expired.pem": expired,
    }.items():
        file(content, name)
    found = local_authorities("Linux", now=NOW, root=tmp_path)
    assert subjects(found) == ["CN=Other Root", "CN=Example Root", "CN=Fedora"]
    assert local_authorities("Linux", now=NOW, root=tmp_path / "none") == ()


def security(place: Path, script: str) -> Cli:
    """Return a program that answers as security(1) of macOS does."""
    (place / "security").write_text(f"#!/bin/sh\n{script}\n")
    (place / "security").chmod(0o755)
    return Cli("security", environment={"PATH": f"{place}:/usr/bin:/bin"})


def test_an_administrators_authorities_on_a_mac(tmp_path: Path, file: Callable[..., str]) -> None:
    listed = file(ROOT + pem("com.apple.kerberos.kdc", ca=None) + pem("Old", days=(-30, -1)) + pem("Issuing", issuer="Apple"))
    cli = security(tmp_path, f'test "$*" = "find-certificate -a -p {KEYCHAIN}" && cat "{listed}"')
    assert subjects(local_authorities("Darwin", cli.run, now=NOW)) == ["CN=Example Root", "CN=Issuing"]


def test_a_keychain_without_certificates_has_none_and_a_broken_one_is_a_failure(tmp_path: Path) -> None:
    none = security(tmp_path, "echo 'security: SecKeychainSearchCopyNext: The item could not be found.' >&2; exit 44")
    assert local_authorities("Darwin", none.run, now=NOW) == ()
    with pytest.raises(WorkstationError, match=f"Could not read '{KEYCHAIN}': security ended with exit code 50"):
        local_authorities("Darwin", security(tmp_path, "exit 50").run, now=NOW)
