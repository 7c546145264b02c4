# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS and its client library report, as one sentence with the next step. Loaded only after something failed."""

from __future__ import annotations

import re

from ..core.errors import WorkstationError
from ..core.options import suggestion
from ..core.secrecy.patterns import without_logins
from .registries import TokenKey

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "ForbiddenException", "UnauthorizedOperation"})
UNKNOWN_KEY = frozenset({"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "AuthFailure"})
SKEW = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"})
THROTTLED = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"})
SIGNATURE = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch"})
# Class names of botocore. They are compared as text, so that this file can be read and tested without botocore.
SSO = frozenset(
    {"SSOError", "SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError", "PendingAuthorizationExpiredError"}
)
LOGIN = frozenset({"LoginRefreshRequired", "LoginTokenLoadError", "LoginError"})
MISSING = frozenset({"NoCredentialsError", "PartialCredentialsError", "NoAuthTokenError"})
# Without a keyboard, a request for an MFA code finds the end of the input.
MFA = frozenset({"EOFError", "RefreshWithMFAUnsupportedError"})
UNLOADED = frozenset({"CredentialRetrievalError", "MetadataRetrievalError", "ProgramFailed", "Unsendable"})
TLS = frozenset({"SSLError"})
NETWORK = frozenset({"HTTPClientError", "ConnectionError"})
# The operations on the way to a token, and the service whose policy allows them.
SERVICES = {"AssumeRole": "sts", "AssumeRoleWithWebIdentity": "sts", "GetRoleCredentials": "sso", "CreateToken": "sso-oauth"}
# What went wrong by the families of its class: kind, reason, next step. The first that fits counts.
JUDGEMENTS: tuple[tuple[frozenset[str], str, str, str], ...] = (
    (frozenset({"Unreadable"}), "aws", "AWS' answer holds none", "Check that the endpoint is ECR's."),
    (
        frozenset({"ProfileNotFound"}),
        "no_profile",
        "the AWS profile '{profile}' does not exist",
        "Create it with 'aws configure sso --profile {profile}', or correct the name.",
    ),
    (SSO, "sso_expired", "the SSO session of {who} has expired", "Log in with 'aws sso login{option}' and run again."),
    (LOGIN, "sso_expired", "the login session of {who} has expired", "Log in with 'aws login{option}' and run again."),
    (
        MISSING,
        "no_credentials",
        "there are no AWS credentials for {who}",
        "Name a profile for the registry, or log in with 'aws sso login' or 'aws configure'.",
    ),
    (
        MFA,
        "mfa",
        "{who} wants an MFA code, and there is no terminal to type it",
        "Type it for 'aws sts get-caller-identity{option}', whose session is used while it lasts, and run again.",
    ),
    (
        UNLOADED,
        "no_credentials",
        "the credentials of {who} could not be loaded: {said}",
        "Correct the variables, the profile or its credential_process, and run again.",
    ),
    (
        TLS,
        "tls",
        "TLS with AWS in region {region} failed: {said}",
        "Where a proxy intercepts TLS, name the file with its CA in AWS_CA_BUNDLE, or as ca_bundle in ~/.aws/config.",
    ),
    (
        NETWORK,
        "network",
        "AWS did not answer in region {region}: {said}",
        "Check the network, the VPN and the proxy, and run again.",
    ),
)
# The same by the code of AWS' answer.
ANSWERS: tuple[tuple[frozenset[str], str, str, str], ...] = (
    (SKEW, "clock_skew", "AWS refused the time of this machine", "Set the clock (turn on automatic time) and run again."),
    (
        EXPIRED,
        "sso_expired",
        "the credentials of {who} have expired",
        "Log in again, with 'aws sso login{option}' if it uses SSO.",
    ),
    (
        UNKNOWN_KEY | SIGNATURE,
        "no_credentials",
        "AWS does not know the credentials of {who}",
        "Log in again or correct the access key.",
    ),
    (THROTTLED, "throttled", "AWS is throttling requests and kept doing so", "Wait a minute and run again."),
)


class TokenRefused(WorkstationError):
    """AWS gave no token. kind is a stable word for programs: sso_expired, no_credentials, access_denied, ..."""

    def __init__(self, what: str, reason: str, remedy: str, kind: str) -> None:
        super().__init__(what, reason, remedy, kind=kind)
        self.kind = kind


class Unreadable(Exception):
    """An answer that the AWS client can't read."""


class Unsendable(Exception):
    """Credentials that no request can carry."""


def explain(
    error: Exception, key: TokenKey, hosts: tuple[str, ...], environment_profile: str = "", *, sso: bool = False
) -> TokenRefused:
    """Return the failure in the user's words. sso: the profile logs in with SSO, and what it keeps of that may be damaged."""
    what = f"get a token for registry '{hosts[0]}'" + (f" and {len(hosts) - 1} more" if len(hosts) > 1 else "")
    kind, reason, remedy = _judge(error, key, environment_profile, sso=sso)
    return TokenRefused(what, reason, remedy, kind)


def _judge(error: Exception, key: TokenKey, environment_profile: str, *, sso: bool) -> tuple[str, str, str]:
    profile = key.identity.profile or environment_profile
    option = f" --profile {profile}" if profile else ""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return _judge_answer(response.get("Error", {}), str(getattr(error, "operation_name", "")), key, option)
    facts = {"who": str(key.identity), "profile": profile, "option": option, "region": key.region, "said": short(error)}
    names = {cls.__name__ for cls in type(error).__mro__}
    if sso and not _is_known(error):
        # The client meets a cache that it can't read with an exception of Python's.
        names = set(SSO)
    for family, kind, reason, remedy in JUDGEMENTS:
        if names & family:
            help_ = _likely_region(key.region) if kind == "network" else ""
            return kind, reason.format(**facts), remedy.format(**facts) + help_
    return "aws", "the AWS client gave up for {who}: {said}".format(**facts), "Correct the AWS configuration and run again."


def _likely_region(region: str) -> str:
    """Return the region that may be meant, where the AWS client does not know this one: a new one would be no mistake."""
    import botocore.session

    session = botocore.session.Session()
    known = {name for one in session.get_available_partitions() for name in session.get_available_regions("ecr", one)}
    return "" if region in known else suggestion(region, known)


def _judge_answer(answer: dict[str, str], operation: str, key: TokenKey, option: str) -> tuple[str, str, str]:
    code, message, who = str(answer.get("Code", "")), str(answer.get("Message", "")), str(key.identity)
    if code in DENIED:
        return "access_denied", *_denied(message, operation, key)
    out_of_time = code in SIGNATURE and re.search(r"expired|not yet current|timestamp", message, re.IGNORECASE)
    for codes, kind, reason, remedy in ANSWERS:
        if code in codes or (kind == "clock_skew" and out_of_time):
            return kind, reason.format(who=who), remedy.format(option=option)
    # AWS repeats what it dislikes, the external id as well.
    said = _line(message.replace(key.identity.external_id, "***") if key.identity.external_id else message)
    reason = f"AWS answered {who} with {_in_words(code, operation, said)}"
    if code in ("ValidationError", "ValidationException"):
        return "aws", reason, "Correct the options of the registry, or the profile, and run again."
    return "aws", reason, "Look the code up in AWS' documentation and run again."


def _in_words(code: str, operation: str, said: str) -> str:
    return f"{code or 'an error'}{f' to {operation}' if operation else ''}{f' ({said})' if said else ''}"


def _denied(message: str, operation: str, key: TokenKey) -> tuple[str, str]:
    """Return what was not allowed and whom to ask: the message names the action, else the operation does."""
    service = SERVICES.get(operation, "ecr-public" if key.public else "ecr")
    action = re.search(r"perform:? ([a-z0-9-]+:\w+)", message)
    named = action[1] if action else f"{service}:{operation or 'GetAuthorizationToken'}"
    if operation == "GetRoleCredentials":
        remedy = "Correct sso_account_id and sso_role_name of the profile, or ask to be assigned that permission set."
        return f"SSO gives {key.identity} no access to the account and role of its profile ({named})", remedy
    return f"{key.identity} may not do {named}", f"Ask for a policy that allows {named}."


def short(error: Exception) -> str:
    """Return the first line of what the library says, without passwords and queries in addresses, without a full stop."""
    if getattr(error, "kwargs", {}).get("provider") == "custom-process":
        # What a program prints when it fails is not ours to repeat: it may be what it was to keep.
        return "its credential_process failed"
    if not _is_known(error):
        # The words of Python's own exceptions are what the client was working on.
        return type(error).__name__
    return _line(re.sub(r"\?\S*", "", without_logins((str(error).splitlines() or [""])[0]))) or type(error).__name__


def _is_known(error: Exception) -> bool:
    """Whether an exception is of the client, whose sentences are for people, or of this room."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] not in (
        "builtins",
        "dateutil",
        "json",
        "binascii",
    )


def _line(text: str) -> str:
    return (text.splitlines() or [""])[0][:200].rstrip(". ")
