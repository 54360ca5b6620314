"""S3 without a network: requests of the product's own client are answered by moto in this process."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.s3.models import s3_backends

from agentctl.adapters.backends import s3
from agentctl.adapters.backends.s3 import S3Identity, S3Store
from agentctl.adapters.backends.s3_settings import S3Root, S3Settings
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.testing.moto_in_process import ACCOUNT, answered

BUCKET = "crash-suite"
SETTINGS = S3Settings(region="us-east-1")


class BucketDisk:
    """A prefix of a bucket, as a disk of the crash suite."""

    count = 0

    def __init__(self, client: Any) -> None:
        BucketDisk.count += 1
        self.prefix = f"{BucketDisk.count}/"
        self._client = client

    def connect(self) -> ObjectStore:
        """Returns another store over the one client, which costs much to make and keeps nothing."""
        store = S3Store(S3Root(bucket=BUCKET, prefix=self.prefix), SETTINGS)
        store._client = self._client
        return store

    def tear(self, key: str, data: bytes) -> None:
        """A request that breaks off leaves nothing: S3 takes objects whole."""

    def copied(self, path: Path) -> "BucketDisk":
        del path
        other = BucketDisk(self._client)
        backend = s3_backends[ACCOUNT]["aws"]
        for name, found in list(backend.buckets[BUCKET].keys.items()):
            if name.startswith(self.prefix):
                key = other.prefix + name.removeprefix(self.prefix)
                backend.put_object(BUCKET, key, found.value)
        return other


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
    backend = s3_backends[ACCOUNT]["aws"]
    backend.create_bucket(BUCKET, "us-east-1")
    yield BucketDisk(asyncio.run(_client()))
    backend.reset()
