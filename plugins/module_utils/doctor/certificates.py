# SPDX-License-Identifier: GPL-3.0-or-later
"""Until when a certificate is valid, read from its DER form: Python itself tells it only of a peer that it has verified. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION = 0x30, 0xA0
# UTCTime has two digits of the year, GeneralizedTime four.
_FORMS = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}


def ends_in_pem(content: bytes) -> list[datetime]:
    """Return when each certificate of a PEM file ends. Raises ValueError for an unreadable one."""
    try:
        return [ends(base64.b64decode(found)) for found in _PEM.findall(content)]
    except binascii.Error as error:
        raise ValueError("it is not PEM") from error


def ends(der: bytes) -> datetime:
    """Return when a certificate ends. Raises ValueError for what is not one."""
    try:
        body = _inside(_inside(der, _SEQUENCE)[0], _SEQUENCE)[0]
        if body[0] == _VERSION:
            body = _after(body)
        # Serial number, signature algorithm and issuer come before the validity.
        for _skipped in range(3):
            body = _after(body)
        validity = _inside(body, _SEQUENCE)[0]
        last = _after(validity)
        text, _rest = _inside(last, last[0])
        return datetime.strptime(text.decode("ascii"), _FORMS[last[0]]).replace(tzinfo=UTC)
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise ValueError("it is not a certificate") from error


def _inside(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Return the content of the first element, which must have this tag, and what follows it."""
    if data[0] != tag:
        raise ValueError("it is not a certificate")
    start, length = _length(data)
    return data[start : start + length], data[start + length :]


def _after(data: bytes) -> bytes:
    """Return what follows the first element."""
    return _inside(data, data[0])[1]


def _length(data: bytes) -> tuple[int, int]:
    """Return where the content of the first element begins, and how long it is."""
    first = data[1]
    if first < 0x80:
        return 2, first
    octets = first & 0x7F
    return 2 + octets, int.from_bytes(data[2 : 2 + octets], "big")
