# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks like a secret, in the one place that says so: names of settings, logins in addresses, forms of tokens. Pure.

A text of a tool is not ours, so redact() errs towards hiding. The timers load this file by its path: standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

HIDDEN = "(hidden)"
NOT_SHOWN = "(not shown)"
# A shorter value is too common to be hidden wherever it stands.
SHORTEST = 6
_WORDS = frozenset(("disabled", "enabled", "optional", "required", "default", "password", "secret", "changeme"))

_KEYS = (
    "access|account|api|app|auth|aws|client|deploy|ecdsa|encryption|hmac|host|jwt|license|master|private|registry|rsa|secret|"
    "service|session|shared|signing|ssh|ssl|storage|tls|webhook"
)
# What a name of a secret holds. "auth" stands alone: author, authority and authentication name no secret.
_MARK = (
    r"(?:secret|passw|passphrase|passcode|(?<!by)(?<!com)(?<!sur)(?<!over)(?<!under)pass(?![a-z])|[_.-]pwd(?![a-z])|requirepass"
    rf"|masterauth|token|credential|(?:{_KEYS})[_.-]?key|(?<![a-z])(?:auth|cookie|psk|otp)(?![a-z])|(?<![a-z])sig(?:nature)?(?==))"
)
# A name that ends so says something about a secret, and is not that of the secret.
_ABOUT = (
    r"(?:names?|namespaces?|files?|paths?|dir|ttl|type|length|count|min|max|expir(?:y|es|ation)|url|uri|endpoint|class|provider|stdin"
    r"|helpers?|store|limit|left|sock|director(?:y|ies)|\.py)(?![a-z0-9_.-])"
)
# Options and variables of this collection that say where pull secrets are, and hold none.
_OURS = r"(?:secret_refresh(?![a-z0-9.-])|[a-z0-9_.-]{0,80}pull_secrets?(?![a-z0-9_.-]))"
# Bounded, because a text may be one long word.
_NAME = rf"(?i:(?!{_OURS})(?![a-z0-9_.-]{{0,80}}{_ABOUT})[a-z0-9_.-]{{0,60}}?{_MARK}[a-z0-9_.-]{{0,60}})"
_IS_NAME = re.compile(rf"{_NAME}\Z")
# User and password in an address: either may hold an @, and a password a slash.
_LOGIN = re.compile(r"(?<=//)\S{1,2000}(?=@)")
# A user without a password is one, and not a token, if the name is a plain word.
_PLAIN_USER = re.compile(r"[A-Za-z]{1,16}(?:[.-][A-Za-z]{1,16})*\d{0,4}\Z")
_BEGINNING = (
    r"(?:gh[pousr]_|github_pat_|gl(?:pat|dt|rt|ptt|soat)-|xox[abeoprs]-|xapp-|sk[-_]|rk_live_|pk_live_|npm_|pypi-"
    r"|dckr_(?:pat|oat)_|dop_v1_|hf_|hv[sbr]\.|shp(?:at|ss|ca)_|ATATT|ATBB|lin_api_|NRAK-|PMAK-|AGE-SECRET-KEY-1|ya29\.|AIza|figd_|rpa_|tfe_|pscale_tkn_"
    r"|sntrys_|glsa_|lsv2_|nvapi-|eyJ)"
)
_IS_TOKEN = re.compile(_BEGINNING)

# What only redact() uses is text, which re compiles at its first use: a run that redacts nothing is 20 ms shorter.
# The value of a named secret: quoted (also inside of a quoted text), or the rest of the line up to the next name.
_NEXT = r"""(?=[\s,;&]+["']?[\w.-]+["']?[=:](?!//)|\\[nrt]|["\n\r]|\Z)"""
_VALUE = rf"""(\\+"(?:(?!\\+").)*\\+"|"(?:[^"\\]|\\.)*"|'[^'\n]*'|[^\s"'\[{{][^\n"]*?{_NEXT})"""
_WORD_VALUE = r"""(\\+"(?:(?!\\+").)*\\+"|"(?:[^"\\]|\\.)*"|'[^'\n]*'|[^\s"',\]]+)"""
_BLOCK = (
    rf"""(?m)^([ \t]*)((?:- )?["']?{_NAME}["']?[ \t]*:[ \t]*[|>][-+0-9]*[ \t]*\n)"""
    r"""((?:(?:\1[ \t]+.*|[ \t]*)(?:\n|\Z))+?)(?=\1\S|\Z|^\S)"""
)
_PAIR = rf"""(["']?\bname["']?\s*[:=]\s*["']?{_NAME}["']?\s*,?\s*["']?value["']?\s*[:=][ \t]*){_WORD_VALUE}"""
# Not the beginning of our own sentence, in which the reason comes next.
_NAMED = re.compile(rf"""((?<![A-Za-z0-9_.-])(?<!Could not get a ){_NAME}\\*["']?[ \t]*(?:=>|[:=])[ \t]*){_VALUE}""")
_FLAG = rf"""((?<![\w-])--?{_NAME}(?:["'],\s*["']|=|[ \t]+)){_WORD_VALUE}"""
_HEADER = (
    r"""(?i)(\b(?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:[a-z]+\s+)?|\b(?:set-)?cookie["']?\s*[:=]\s*["']?"""
    r"""|\bx-[a-z-]*(?:key|token|secret|auth|signature)[a-z-]*["']?[:=\s]\s*["']?)[^\n"']+"""
)
_FORMS = (
    (r"(?s)-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", HIDDEN),
    (r"\b((?i:Basic|Bearer|Negotiate|ApiKey))\s+(?=\S*[A-Z0-9=])[A-Za-z0-9._~+/=-]{6,}", rf"\1 {HIDDEN}"),
    (r"(?<=hooks\.slack\.com/services/)\S+|(?<=/api/webhooks/)\S+|(?<=api\.telegram\.org/bot)[^\s/]+", HIDDEN),
    # AWS' key ids, tokens that say whose they are, JSON web tokens, k3s' tokens, Twilio's and Mailgun's keys.
    (r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}\b", HIDDEN),
    (rf"(?<![A-Za-z0-9]){_BEGINNING}[A-Za-z0-9_.~+/=-]{{10,}}", HIDDEN),
    (r"\bSG\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}|\bK10[0-9a-f]{32,}::\S+|\b(?:SK|AC)[0-9a-f]{32}\b", HIDDEN),
    (r"\bkey-[0-9a-f]{32}\b|(?<![\w.])s\.[A-Za-z0-9]{24}\b|\b\d{8,10}:AA[A-Za-z0-9_-]{30,}", HIDDEN),
    (
        r"""(?<![\w-])((?:-u|-U|--user|--proxy-user|--creds)(?:["'],\s*["']|[= ]?\s*)["']?)(?!\d+:\d+\b)"""
        r"""[^\s"':/]+:[^\s"'/]+""",
        rf"\1{HIDDEN}",
    ),
    (
        r"\b((?:sshpass|(?:docker|nerdctl|podman|helm registry) login|mysql(?:dump|admin)?|redis-cli)\b"
        r"[^\n|;]*?\s-[pa] ?)[^\s-]\S*",
        rf"\1{HIDDEN}",
    ),
    (rf"(<{_NAME}>)[^<]+(?=</)", rf"\1{HIDDEN}"),
    (r"(\b(?:echo|printf)\s+)[^|\n]+(?=\|[^|\n]*--password-stdin)", rf"\1{HIDDEN} "),
    (r"(\bmachine\s+\S+\s+login\s+\S+\s+password\s+)\S+", rf"\1{HIDDEN}"),
    (
        r"(?<!sha256:)(?<![A-Za-z0-9+/=_-])(?![0-9a-f]{40,64}\b)(?=[A-Za-z+/_-]{0,200}[0-9])"
        r"(?:(?=[a-z0-9+/_-]{0,200}[A-Z])[A-Za-z0-9+/_-]{40,}|[a-z0-9]{40,})={0,2}(?![A-Za-z0-9])",
        HIDDEN,
    ),
)
# A digest, a commit and an id name content, and hide nothing.
_HEX = (
    r"(?i)(\b(?:commit|revision|tree|parent|object|sha\d+|md5|container|image|id|head|checkout)[ :=]+)?"
    r"(?<![a-z0-9+/=_-])(?:[0-9a-f]{40}|[0-9a-f]{32})(?![a-z0-9+/=_-])"
)
# What a setting of such a name may be as well, and references to a secret that stands elsewhere.
_NO_SECRET = re.compile(
    r"""["'\\]*(?i:true|false|yes|no|null|none|nil|0|\*+|[|>][-+0-9]*"""
    r"""|\(hidden\)|\(not shown\)|\$\{?\w+\}?|\{\{.*\}\}|)["'\\]*\Z"""
)


def is_secret_name(name: str) -> bool:
    """Whether a setting, variable, key or flag of this name holds a secret."""
    return bool(_IS_NAME.match(name))


def logins_in(value: object) -> set[str]:
    """Return every login before the host of an address, in a value of any shape: user and password, or a token alone."""
    return {login for text in _texts(value) for login in _LOGIN.findall(text) if _is_login(login)}


def _is_login(login: str) -> bool:
    if ":" in login:
        return True
    return "/" not in login and bool(_IS_TOKEN.match(login) or not _PLAIN_USER.match(login))


def without_logins(text: str, instead: str = "") -> str:
    """Return a text whose addresses have lost the user and password before the host."""
    return re.sub(r"(?<=//)\S{0,2000}@", f"{instead}@" if instead else "", text)


def secrets_in(value: object) -> set[str]:
    """Return what must not be shown of options of any shape: values of secrets' names, logins, and the passwords in them."""
    found = {text for text in _named(value) if len(text) >= SHORTEST and text not in _WORDS}
    for login in logins_in(value):
        password = login.partition(":")[2] or login
        found |= {login, *(form for form in (password, unquote(password)) if len(form) >= SHORTEST)}
    return found


def _named(value: object, named: bool = False) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _named(item, named or is_secret_name(str(key)))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _named(item, named)
    elif isinstance(value, str):
        if named:
            yield value
        else:
            # Variables that are given as one text: A=b AWS_SECRET_ACCESS_KEY=c
            yield from (found[2].strip("\"'\\,;&}") for found in _NAMED.finditer(value) if not _NO_SECRET.match(found[2]))


def hidden(value: Any, named: bool = False) -> Any:
    """Return a setting with all credentials in it left out."""
    if isinstance(value, Mapping):
        return {key: hidden(item, named or is_secret_name(str(key))) for key, item in value.items()}
    if isinstance(value, list):
        return [hidden(item, named) for item in value]
    if not isinstance(value, str):
        return value
    return NOT_SHOWN if named else _LOGIN.sub(lambda found: NOT_SHOWN if _is_login(found[0]) else found[0], value)


def redact(text: str) -> str:
    """Return a text without what looks like a secret."""
    text = re.sub(_BLOCK, lambda found: f"{found[1]}{found[2]}{found[1]}  {HIDDEN}\n", text)
    for form, instead in _FORMS:
        text = re.sub(form, instead, text)
    text = re.sub(_HEX, lambda found: found[0] if found[1] else HIDDEN, text)
    text = _LOGIN.sub(lambda found: HIDDEN if _is_login(found[0]) else found[0], text)
    text = re.sub(_HEADER, rf"\1{HIDDEN}", text)
    for named in (_PAIR, _FLAG, _NAMED):
        text = re.sub(named, _without_value, text)
    return text


def _without_value(found: re.Match[str]) -> str:
    name, value = found.groups()
    if _NO_SECRET.match(value):
        return str(found[0])
    quote = re.match(r"""\\*["']|""", value)
    around = quote[0] if quote else ""
    return f"{name}{around}{HIDDEN}{around}"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in (*value, *value.values()):
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
