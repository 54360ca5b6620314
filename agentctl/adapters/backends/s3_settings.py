"""Where an S3 root is and how it is reached, from the standard AWS variables and profile.

The same answers go to our own connection and to the graph engine's, so that a ledger and its graphs
are always read as the same identity. Importing this costs nothing; botocore is loaded when asked.
"""

import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import msgspec

from agentctl.domain.storage.keys import is_key
from agentctl.domain.storage.protocol import UnsuitableError

DEFAULT_REGION: Final = "us-east-1"
ENDPOINT_VARIABLES: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
REGION_VARIABLES: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")


class S3Root(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket, and what all keys in it begin with."""

    bucket: str
    prefix: str = ""
    """Empty, or ends with a slash."""

    @property
    def uri(self) -> str:
        """``s3://bucket[/prefix]`` without trailing slash."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


class S3Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a store is reached; credentials are looked up by the client itself."""

    endpoint: str | None = None
    """None: the store of AWS."""
    region: str | None = None
    """None: the profile's, or `DEFAULT_REGION`."""
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 20.0
    connection_count_max: int = 32

    @property
    def path_style(self) -> bool:
        """Whether the bucket stands in the path: whoever names an endpoint has no name per bucket."""
        return self.endpoint is not None


def root_of(uri: str) -> S3Root:
    """Returns the root that an ``s3://`` URI names.

    Raises:
        UnsuitableError: it names no bucket, or a prefix that no key could begin with.
    """
    parts = urlsplit(uri)
    prefix = unquote(parts.path).strip("/")
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        msg = f"an s3:// root is s3://bucket or s3://bucket/prefix, not {uri}"
        raise UnsuitableError(msg)
    if prefix and not is_key(prefix):
        msg = f"the prefix of {uri} has a part that is empty or begins with a dot"
        raise UnsuitableError(msg)
    return S3Root(bucket=parts.netloc, prefix=f"{prefix}/" if prefix else "")


def settings_from(environ: Mapping[str, str] = os.environ) -> S3Settings:
    """Returns what the environment says."""
    return S3Settings(
        endpoint=_first(environ, ENDPOINT_VARIABLES), region=_first(environ, REGION_VARIABLES)
    )


def object_uri(root: S3Root, key: str) -> str:
    """Returns the URI of what lies under *key*, as the graph engine takes it."""
    return f"s3://{root.bucket}/{quote(root.prefix + key)}"


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)
