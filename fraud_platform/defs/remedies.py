"""What to do about an answer of a bucket, a database or a server: one clause for whoever has to mend it.

Finding out that something is wrong belongs to `doctor`; here an error is only read.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from fraud_platform.errors import ModelError, PlatformError
from fraud_platform.logs import event_record
from fraud_platform.storage import is_storage_failure

_RENEW = "renew the credential (a role of the machine renews itself)"
_KEY = "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the file or profile they come from"
_GRANT = (
    "let this account s3:ListBucket on the bucket and s3:GetObject, s3:PutObject and s3:DeleteObject below the prefix"
)

# Error codes of S3 and of AWS's token service, as a client finds them in an answer
# (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
_BY_CODE = {
    "ExpiredToken": _RENEW,
    "ExpiredTokenException": _RENEW,
    "TokenRefreshRequired": _RENEW,
    "RequestExpired": _RENEW,
    "InvalidAccessKeyId": _KEY,
    "SignatureDoesNotMatch": _KEY,
    "InvalidToken": _KEY,
    "InvalidClientTokenId": _KEY,
    "AccessDenied": _GRANT,
    # What a HEAD request is refused with: such an answer has no text.
    "403": _GRANT,
    # As that of an expired credential; whichever request comes next tells more.
    "400": f"{_RENEW} if it has expired; `fraud-platform doctor` tells",
    "NoSuchBucket": "create the bucket or correct its name",
    "RequestTimeTooSkewed": "set the clock of this machine right",
}
_BY_CLIENT_ERROR = {
    "NoCredentialsError": "give the machine a role, or set AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE or the AWS_* keys",
    "PartialCredentialsError": _KEY,
    "EndpointConnectionError": "start the server behind AWS_ENDPOINT_URL, or correct it; without it, check the network",
    "ConnectTimeoutError": "check AWS_ENDPOINT_URL and the network",
    "TokenRetrievalError": _RENEW,
    "UnauthorizedSSOTokenError": _RENEW,
    "SSOTokenLoadError": _RENEW,
    "ProfileNotFound": "correct AWS_PROFILE",
    "ConfigParseError": "mend that file; it is plain UTF-8, without a byte order mark",
}
_BY_TEXT = {
    "password authentication failed": "correct the password or the user in FRAUD_POSTGRES_URL, or the password's file",
    "no password supplied": "name the password's file in FRAUD_POSTGRES_PASSWORD_FILE",
    "too many clients|too many connections|remaining connection slots": (
        "end who holds connections without need, or raise max_connections of PostgreSQL"
    ),
    "no pg_hba.conf entry": "let this machine and user in with pg_hba.conf, or correct FRAUD_POSTGRES_URL",
    r'database ".*" does not exist': "create the database (deploy/postgres/create_databases.sh) or correct its name",
    "Invalid endpoint": "write AWS_ENDPOINT_URL like http://127.0.0.1:9000",
    "error code 401": "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to a login of the MLflow server",
    "Invalid Host header": "add the host of MLFLOW_TRACKING_URI to the server's MLFLOW_SERVER_ALLOWED_HOSTS",
}


# Up to the last @: whoever forgot to escape a password must not see it printed.
_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):\S*@")


def masked(url: str) -> str:
    """`url` with its password, if it carries one, replaced by stars."""
    return _PASSWORD.sub(r"\1:****@", url)


def first_line(error: object) -> str:
    """What an error says first, without passwords; its kind where it says nothing."""
    text = str(error).strip()
    return masked(text.splitlines()[0]) if text else type(error).__name__


def said_by_driver(error: BaseException) -> BaseException:
    """What a database's driver said, where Dagster's own error only counts its tries; else `error` itself."""
    if type(error).__name__ != "DagsterPostgresException" or error.__cause__ is None:
        return error
    return getattr(error.__cause__, "orig", None) or error.__cause__


def in_one_line(error: BaseException, otherwise: str = "") -> str:
    """What an error says first and what to do about it; `otherwise` where nothing better is known."""
    remedy = remedy_for(error)
    return "; ".join(filter(None, (first_line(error), otherwise if remedy is None else remedy)))


@contextmanager
def told_in_one_line(log: logging.Logger, what: str) -> Iterator[None]:
    """Says in `log` what is wrong with `what` and what to do, where its storage refuses.

    Raises:
        PlatformError: it did; the message is that line.
    """
    try:
        yield
    except Exception as error:
        if not is_storage_failure(error):
            raise
        told = PlatformError(f"{what}: {in_one_line(error, 'run `fraud-platform doctor`')}")
        log.error(str(told), extra=event_record("storage_refused"))
        raise told from error


def remedy_for(error: BaseException) -> str | None:
    """What to do about `error`; empty where its message says so itself, None where nothing better is known."""
    for link in _chain(error):
        # A RegistryError does not know how the registry is started.
        if type(link) in (PlatformError, ModelError):
            return ""
        code = getattr(link, "response", None)
        if isinstance(code, dict) and (remedy := _BY_CODE.get(code.get("Error", {}).get("Code", ""))):
            return remedy
        if remedy := _BY_CLIENT_ERROR.get(type(link).__name__):
            return remedy
        for pattern, remedy in _BY_TEXT.items():
            if re.search(pattern, str(link)):
                return remedy
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, then what caused it, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
