"""What a failure of S3 means: which diagnostic, and whether the outcome of a write is known.

A store that answered with a refusal did nothing, which is `RefusedError`. Anything that ends without
an answer, or with an answer that servers also give after the work was done, is `UnavailableError`:
the outcome of a write is unknown then.
"""

from http import HTTPStatus
from typing import Final

import msgspec

from agentctl.domain.storage.protocol import (
    BackendError,
    RefusedError,
    UnavailableError,
    UnsuitableError,
)
from agentctl.foreign import Foreign, show

TEXT_MAX: Final = 300
"""How much of a store's own words is told."""


class _Refusal(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    says: str
    remedy: str


_EXPIRED: Final = _Refusal(
    code="storage_credentials_expired",
    says="the credentials for the storage have expired",
    remedy="Renew them (for a profile: aws sso login), then run the command again.",
)
_MISSING: Final = _Refusal(
    code="storage_credentials_missing",
    says="there are no credentials for the storage, or it does not know them",
    remedy="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.",
)
_DENIED: Final = _Refusal(
    code="storage_denied",
    says="these credentials may not do this on the storage",
    remedy="agentctl doctor prints which rights the storage root needs.",
)
_NO_BUCKET: Final = _Refusal(
    code="storage_bucket_missing",
    says="there is no such bucket",
    remedy="Create the bucket, or correct `storage` or the endpoint.",
)
_SKEWED: Final = _Refusal(
    code="storage_clock_skewed",
    says="this machine's clock is too far from the storage's",
    remedy="Set this machine's clock, then run the command again.",
)
_THROTTLED: Final = _Refusal(
    code="storage_throttled",
    says="the storage asks for fewer requests",
    remedy="Wait a little, then run the command again.",
)
_FULL: Final = _Refusal(
    code="storage_full",
    says="the storage has no room left",
    remedy="Make room, then run the command again; what was written is whole.",
)

_BY_CODE: Final = {
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "InvalidAccessKeyId": _MISSING,
    "InvalidClientTokenId": _MISSING,
    "UnrecognizedClientException": _MISSING,
    "InvalidToken": _MISSING,
    "SignatureDoesNotMatch": _MISSING,
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "AllAccessDisabled": _DENIED,
    "AccountProblem": _DENIED,
    "Forbidden": _DENIED,
    "403": _DENIED,
    "NoSuchBucket": _NO_BUCKET,
    "InvalidBucketName": _NO_BUCKET,
    "PermanentRedirect": _NO_BUCKET,
    "AuthorizationHeaderMalformed": _NO_BUCKET,
    "RequestTimeTooSkewed": _SKEWED,
    "RequestExpired": _SKEWED,
    "SlowDown": _THROTTLED,
    "TooManyRequests": _THROTTLED,
    "Throttling": _THROTTLED,
    "ThrottlingException": _THROTTLED,
    "RequestLimitExceeded": _THROTTLED,
    "429": _THROTTLED,
    "QuotaExceeded": _FULL,
    "XMinioStorageFull": _FULL,
    "InsufficientStorage": _FULL,
    "507": _FULL,
}
_UNKNOWN: Final = frozenset({"RequestTimeout", "OperationAborted", "408"})
"""Client errors by their number after which nobody knows."""
_BY_EXCEPTION: Final = {
    "NoCredentialsError": _MISSING,
    "PartialCredentialsError": _MISSING,
    "ProfileNotFound": _MISSING,
    "CredentialRetrievalError": _EXPIRED,
    "UnauthorizedSSOTokenError": _EXPIRED,
    "SSOTokenLoadError": _EXPIRED,
    "TokenRetrievalError": _EXPIRED,
    "RefreshWithMFAUnsupportedError": _EXPIRED,
}


def failure_of(error: Exception, what: str) -> BackendError:
    """Returns what to raise for an exception of the client while it did *what*."""
    code, status, said = _answer(error)
    refusal = _BY_CODE.get(code) or _BY_EXCEPTION.get(type(error).__name__)
    if refusal is None and status == 404 and code in {"404", "NotFound"}:
        refusal = _NO_BUCKET
    if refusal is not None:
        told = f"{what}: {refusal.says} ({said})"
        return RefusedError(refusal.code, told, remedy=refusal.remedy)
    if 400 <= status < 500 and code not in _UNKNOWN:
        return RefusedError(
            "storage_refused",
            f"{what}: the storage refused the request ({said})",
            remedy="agentctl doctor says what this storage can and cannot do.",
        )
    if status == HTTPStatus.NOT_IMPLEMENTED or code == "NotImplemented":
        return UnsuitableError(f"{what}: the storage does not know this request ({said})")
    return UnavailableError(f"{what}: {said}")


def answer_code(error: Exception) -> str:
    """Returns the store's own word for what is wrong, or nothing where it did not answer."""
    return _answer(error)[0]


def _answer(error: Exception) -> tuple[str, int, str]:
    """Returns the error's code, its HTTP status and a text; empty and 0 where there was no answer."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        text = f"{type(error).__name__}: {error}"
        return "", 0, show(Foreign(text), limit=TEXT_MAX)
    told = response.get("Error", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))
    return code, int(status), show(Foreign(f"{status} {code} {message}".strip()), limit=TEXT_MAX)
