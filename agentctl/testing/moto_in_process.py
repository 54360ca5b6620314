"""S3 without a network: requests of the product's own client are answered by moto in this process."""

import functools
import re
from collections.abc import Callable
from typing import Any, Final, Self

from aiobotocore.awsrequest import AioAWSResponse
from moto.core.request import normalize_request
from moto.s3.models import s3_backends
from werkzeug.exceptions import HTTPException

ACCOUNT: Final = "123456789012"


class _Raw:
    """The body of an answer, as aiohttp would give it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self, size: int = -1) -> bytes:
        """Returns the next bytes, all of them by default."""
        taken = self._body if size < 0 else self._body[:size]
        self._body = self._body[len(taken) :]
        return taken

    @property
    def content(self) -> "_Raw":
        """The stream, which is this."""
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def close(self) -> None:
        """Nothing is open."""


@functools.cache
def _routes() -> list[tuple[re.Pattern[str], Callable[..., Any]]]:
    return [(re.compile(url), act) for url, act in s3_backends[ACCOUNT]["aws"].urls.items()]


async def answered(_: object, request: Any) -> AioAWSResponse:  # noqa: ANN401  # botocore's
    """Stands in for `s3._PlainSession.send`, the sending of a request over a network."""
    asked = normalize_request(request)
    plain = request.url.partition("?")[0]
    act = next(act for url, act in _routes() if url.match(plain))
    try:
        status, headers, body = act(asked, asked.raw_url, asked.headers)
    except HTTPException as refused:
        status, headers, body = refused.code, refused.get_headers(), refused.get_body()
    data = body.encode() if isinstance(body, str) else body
    lower = {str(name).lower(): str(value) for name, value in dict(headers).items()}
    return AioAWSResponse("http://moto", status, lower, _Raw(data))


def refusing_with(status: int, code: str) -> AioAWSResponse:
    """Returns an answer with S3's document of an error."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
    headers = {"content-type": "application/xml"}
    return AioAWSResponse("http://moto", status, headers, _Raw(body.encode()))
