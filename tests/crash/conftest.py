"""S3 without a network: requests of the product's own client are answered by moto in this process."""

import asyncio
import functools
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import parsers
from botocore.useragent import UserAgentString
from botocore.utils import parse_timestamp
from moto.s3.models import s3_backends

from agentctl.adapters.backends import s3
from agentctl.adapters.backends.s3 import S3Identity, S3Store
from agentctl.adapters.backends.s3_settings import S3Root, S3Settings
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.testing.moto_in_process import ACCOUNT, answered
from agentctl.testing.sites import MemoryDisk

PREFIX = "root/"
NUMBERS = itertools.count(100)
SETTINGS = S3Settings(region="us-east-1")


class BucketDisk:
    """A bucket of its own, as a disk of the crash suite."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._backend = s3_backends[ACCOUNT]["aws"]
        self._name = f"crash-{next(NUMBERS)}"
        self._keys = self._backend.create_bucket(self._name, "us-east-1").keys

    def connect(self) -> ObjectStore:
        """Returns another store over the one client, which costs much to make and keeps nothing."""
        store = S3Store(S3Root(bucket=self._name, prefix=PREFIX), SETTINGS)
        store._client = self._client
        return store

    def peeked(self) -> MemoryDisk:
        """Returns the same objects without a request, for the eyes of the harness."""
        begins = len(PREFIX)
        return MemoryDisk({name[begins:]: found.value for name, found in self._keys.items()})

    def tear(self, key: str, data: bytes) -> None:
        """A request that breaks off leaves nothing: S3 takes objects whole."""

    def copied(self, path: Path) -> "BucketDisk":
        """Returns another that has the same objects of moto's: no request changes one, only which is there."""
        other = self.fresh(path)
        for name, found in self._keys.items():
            found.dispose = _kept
            other._keys[name] = found
        return other

    def fresh(self, path: Path) -> "BucketDisk":
        """Returns another that is empty."""
        del path
        return BucketDisk(self._client)

    def discard(self) -> None:
        """Forgets the bucket; moto looks through all that it has."""
        del self._backend.buckets[self._name]


def _kept(**_: object) -> None:
    """Stands in for the closing of an object that another bucket still has."""


async def _client() -> Any:
    return await S3Identity(SETTINGS).client().__aenter__()


@pytest.fixture
def bucket_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketDisk]:
    """A fresh root on S3, answered in this process."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setattr(s3._PlainSession, "send", answered)
    # Nearly a fifth of a request: the same few words are made, and the same few instants parsed.
    words = functools.cache(UserAgentString.to_string)
    monkeypatch.setattr(UserAgentString, "to_string", words)
    monkeypatch.setattr(parsers, "DEFAULT_TIMESTAMP_PARSER", functools.cache(parse_timestamp))
    backend = s3_backends[ACCOUNT]["aws"]
    yield BucketDisk(asyncio.run(_client()))
    backend.reset()
