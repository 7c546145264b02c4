# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way in which AWS gives no token is its own sentence with its own next step."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.ecr.failures import explain
from ansible_collections.laptop.containers.plugins.module_utils.ecr.registries import Identity, TokenKey
from botocore import exceptions as aws

KEY = TokenKey(Identity(profile="dev"), "eu-central-1")
HOSTS = ("123456789012.dkr.ecr.eu-central-1.amazonaws.com",)


def answer(code: str, message: str = "no", operation: str = "GetAuthorizationToken") -> Exception:
    error: Exception = aws.ClientError({"Error": {"Code": code, "Message": message}}, operation)
    return error


CASES = [
    pytest.param(aws.UnauthorizedSSOTokenError(), "sso_expired", "aws sso login --profile dev", id="SSO expired"),
    pytest.param(
        aws.SSOTokenLoadError(profile_name="dev", error_msg="gone"), "sso_expired", "aws sso login --profile dev", id="no SSO"
    ),
    pytest.param(
        aws.TokenRetrievalError(provider="sso", error_msg="expired"), "sso_expired", "aws sso login", id="SSO refresh failed"
    ),
    pytest.param(answer("ExpiredTokenException"), "sso_expired", "have expired", id="session keys expired"),
    pytest.param(aws.ProfileNotFound(profile="dev"), "no_profile", "profile 'dev' does not exist", id="no such profile"),
    pytest.param(aws.NoCredentialsError(), "no_credentials", "no AWS credentials", id="none"),
    pytest.param(
        aws.PartialCredentialsError(provider="env", cred_var="x"), "no_credentials", "no AWS credentials", id="half a pair"
    ),
    pytest.param(
        aws.CredentialRetrievalError(provider="custom-process", error_msg="boom"),
        "no_credentials",
        "credential_process",
        id="credential_process failed",
    ),
    pytest.param(answer("UnrecognizedClientException"), "no_credentials", "does not know", id="unknown key"),
    pytest.param(
        answer("AccessDeniedException", "User x is not authorized to perform: ecr:GetAuthorizationToken on resource: *"),
        "access_denied",
        "may not do ecr:GetAuthorizationToken",
        id="denied",
    ),
    pytest.param(
        answer("AccessDenied", "User: x is not authorized to perform: sts:AssumeRole on resource: y"),
        "access_denied",
        "may not do sts:AssumeRole",
        id="role denied",
    ),
    pytest.param(
        answer("AccessDenied", "Roles may not be assumed by root accounts.", "AssumeRole"),
        "access_denied",
        "may not do sts:AssumeRole",
        id="role denied without its name",
    ),
    pytest.param(
        answer("ForbiddenException", "No access", "GetRoleCredentials"),
        "access_denied",
        "(sso:GetRoleCredentials). Correct sso_account_id and sso_role_name",
        id="permission set not assigned",
    ),
    pytest.param(
        answer(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", "AssumeRole"
        ),
        "aws",
        "to AssumeRole (The requested DurationSeconds exceeds the MaxSessionDuration set for this role). Correct the options",
        id="longer than the role allows",
    ),
    pytest.param(
        answer("RegionDisabledException", "STS is not activated in this region for account:1", "AssumeRole"),
        "aws",
        "STS is not activated in this region",
        id="a region without STS",
    ),
    pytest.param(EOFError("EOF when reading a line"), "mfa", "'aws sts get-caller-identity --profile dev'", id="MFA"),
    pytest.param(aws.RefreshWithMFAUnsupportedError(), "mfa", "wants an MFA code", id="MFA again"),
    pytest.param(
        aws.SSLError(endpoint_url="https://api.ecr", error="[SSL: CERTIFICATE_VERIFY_FAILED] self signed certificate in chain"),
        "tls",
        "AWS_CA_BUNDLE",
        id="a proxy that intercepts TLS",
    ),
    pytest.param(answer("ThrottlingException"), "throttled", "throttling", id="throttled"),
    pytest.param(answer("RequestTimeTooSkewed"), "clock_skew", "Set the clock", id="clock"),
    pytest.param(
        answer("InvalidSignatureException", "Signature expired: 20261123T000000Z is now earlier than ..."),
        "clock_skew",
        "Set the clock",
        id="signature of another time",
    ),
    pytest.param(aws.EndpointConnectionError(endpoint_url="https://api.ecr"), "network", "Check the network", id="unreachable"),
    pytest.param(aws.ConnectTimeoutError(endpoint_url="https://api.ecr"), "network", "Check the network", id="connect time-out"),
    pytest.param(aws.ReadTimeoutError(endpoint_url="https://api.ecr"), "network", "Check the network", id="read time-out"),
    pytest.param(aws.ProxyConnectionError(proxy_url="http://u:p@x", error="no"), "network", "Check the network", id="proxy"),
    pytest.param(answer("ServerException"), "aws", "ServerException", id="AWS' own trouble"),
    pytest.param(aws.InvalidConfigError(error_msg="bad"), "aws", "Correct the AWS configuration", id="bad configuration"),
]


@pytest.mark.parametrize(("error", "kind", "said"), CASES)
def test_a_failure_is_named_with_what_to_do(error: Exception, kind: str, said: str) -> None:
    refused = explain(error, KEY, HOSTS)
    assert refused.kind == kind
    assert said in refused.message
    assert refused.message.startswith(f"Could not get a token for registry '{HOSTS[0]}': ")
    assert refused.message.endswith(".")
    assert "\n" not in refused.message


def test_the_profile_of_the_environment_appears_in_the_login_command() -> None:
    key = TokenKey(Identity(), "eu-central-1")
    assert "aws sso login --profile team" in explain(aws.UnauthorizedSSOTokenError(), key, HOSTS, "team").message
    assert "'aws sso login'" in explain(aws.UnauthorizedSSOTokenError(), key, HOSTS).message


@pytest.mark.parametrize(("region", "end"), [("eu-centrl-1", " Did you mean 'eu-central-1'?"), ("eu-central-1", "run again.")])
def test_where_no_answer_comes_a_region_that_may_be_meant_is_named(region: str, end: str) -> None:
    error = aws.EndpointConnectionError(endpoint_url=f"https://api.ecr.{region}.amazonaws.com")
    assert explain(error, TokenKey(Identity(), region), HOSTS).message.endswith(end)


def test_the_public_gallery_names_its_own_action() -> None:
    key = TokenKey(Identity(), "us-east-1", public=True)
    assert "ecr-public:GetAuthorizationToken" in explain(answer("AccessDeniedException"), key, HOSTS).message


def test_several_registries_behind_one_token_are_counted() -> None:
    assert "and 2 more" in explain(aws.NoCredentialsError(), KEY, (*HOSTS, "b", "c")).message


def test_the_password_of_a_proxy_stays_out() -> None:
    error = aws.HTTPClientError(error="could not connect to http://user:hunter2@proxy:3128/?token=hunter3")
    message = explain(error, KEY, HOSTS).message
    assert "proxy:3128" in message
    assert "hunter" not in message


def test_what_a_credential_process_prints_stays_out() -> None:
    message = explain(aws.CredentialRetrievalError(provider="custom-process", error_msg="hunter2 is locked"), KEY, HOSTS).message
    assert "could not be loaded: its credential_process failed. Correct" in message
    assert "hunter" not in message


def test_the_external_id_stays_out_of_what_aws_dislikes_about_it() -> None:
    key = TokenKey(Identity(external_id="between us"), "eu-central-1")
    error = answer("ValidationError", "1 validation error detected: Value 'between us' at 'externalId' is wrong", "AssumeRole")
    message = explain(error, key, HOSTS).message
    assert "Value '***' at 'externalId'" in message and "between us" not in message


@pytest.mark.parametrize("password", ["hunter2", "hun@ter2", "hun/ter2", "hun?ter2"])
def test_the_password_of_any_address_stays_out(password: str) -> None:
    error = aws.EndpointConnectionError(endpoint_url=f"https://me:{password}@api.ecr/")
    message = explain(error, KEY, HOSTS).message
    assert "//api.ecr" in message and "ter2" not in message and "me:" not in message
