# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS and its client library report, as one sentence with the next step. Loaded only after something failed."""

from __future__ import annotations

import re

from .ecr_registries import TokenKey
from .errors import WorkstationError

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
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
UNLOADED = frozenset({"CredentialRetrievalError", "MetadataRetrievalError", "RefreshWithMFAUnsupportedError"})
NETWORK = frozenset({"HTTPClientError", "ConnectionError"})


class TokenRefused(WorkstationError):
    """AWS gave no token. kind is a stable word for programs: sso_expired, no_credentials, access_denied, ..."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message, kind=kind)
        self.kind = kind


def explain(error: Exception, key: TokenKey, hosts: tuple[str, ...], environment_profile: str = "") -> TokenRefused:
    """Return the failure in the user's words."""
    what = f"Could not get a token for registry '{hosts[0]}'" + (f" and {len(hosts) - 1} more" if len(hosts) > 1 else "")
    kind, reason, remedy = _judge(error, key, environment_profile)
    return TokenRefused(f"{what}: {reason}. {remedy}", kind)


def _judge(error: Exception, key: TokenKey, environment_profile: str) -> tuple[str, str, str]:
    profile = key.identity.profile or environment_profile
    who = str(key.identity)
    login = f"aws sso login --profile {profile}" if profile else "aws sso login"
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return _judge_answer(response.get("Error", {}), key, who, login)
    said = _short(error)
    names = {cls.__name__ for cls in type(error).__mro__}
    judgements = (
        (
            {"ProfileNotFound"},
            "no_profile",
            f"the AWS profile '{profile}' does not exist",
            f"Create it with 'aws configure sso --profile {profile}', or correct the name.",
        ),
        (SSO, "sso_expired", f"the SSO session of {who} has expired", f"Log in with '{login}' and run again."),
        (
            LOGIN,
            "sso_expired",
            f"the login session of {who} has expired",
            f"Log in with '{login.replace('aws sso login', 'aws login')}' and run again.",
        ),
        (
            MISSING,
            "no_credentials",
            f"there are no AWS credentials for {who}",
            "Name a profile for the registry, or log in with 'aws sso login' or 'aws configure'.",
        ),
        (
            UNLOADED,
            "no_credentials",
            f"the credentials of {who} could not be loaded: {said}",
            "Run the profile's credential_process by hand, or correct the profile.",
        ),
        (
            NETWORK,
            "network",
            f"AWS did not answer in region {key.region}: {said}",
            "Check the network, the VPN and the proxy, and run again.",
        ),
    )
    for family, kind, reason, remedy in judgements:
        if names & family:
            return kind, reason, remedy
    return "aws", f"the AWS client gave up for {who}: {said}", "Correct the AWS configuration and run again."


def _judge_answer(answer: dict[str, str], key: TokenKey, who: str, login: str) -> tuple[str, str, str]:
    code, message = str(answer.get("Code", "")), str(answer.get("Message", ""))
    if code in SKEW or (code in SIGNATURE and re.search(r"expired|not yet current|timestamp", message, re.IGNORECASE)):
        return "clock_skew", "AWS refused the time of this machine", "Set the clock (turn on automatic time) and run again."
    if code in EXPIRED:
        return "sso_expired", f"the credentials of {who} have expired", f"Log in again, with '{login}' if it uses SSO."
    if code in UNKNOWN_KEY or code in SIGNATURE:
        return "no_credentials", f"AWS does not know the credentials of {who}", "Log in again or correct the access key."
    if code in THROTTLED:
        return "throttled", "AWS is throttling requests and kept doing so", "Wait a minute and run again."
    if code in DENIED or code == "ForbiddenException":
        service = "ecr-public" if key.public else "ecr"
        action = re.search(r"perform:? ([a-z0-9-]+:\w+)", message)
        named = action[1] if action else f"{service}:GetAuthorizationToken"
        return "access_denied", f"{who} may not do {named}", f"Ask for a policy that allows {named}."
    return "aws", f"AWS answered {who} with {code or 'an error'}", "Look the code up in AWS' documentation and run again."


def _short(error: Exception) -> str:
    """Return the first line of what the library says, without passwords and queries in addresses, without a full stop."""
    line = re.sub(r"//[^/@\s]*@", "//", (str(error).splitlines() or [""])[0])
    return re.sub(r"\?\S*", "", line)[:200].rstrip(". ") or type(error).__name__
