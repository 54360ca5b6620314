"""An object store in a bucket of S3, or of a server that speaks it.

Create-only is ``PutObject`` with ``If-None-Match: *`` and nothing else of S3's conditions is used,
for some servers ignore the others. Nobody repeats a write but the machines that re-read first: a
repetition after a lost response would be told that another one made the object. So botocore's
retries are off, and so are those that aiohttp makes on its own when a kept connection has died.
Reads and listings are tried again. Source: control-plane 3.2.

This module is the only one that knows aiobotocore; it is imported when an S3 root is opened.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import anyio
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import BotoCoreError, ClientError

from agentctl.adapters.backends.s3_errors import answer_code, failure_of
from agentctl.adapters.backends.s3_settings import (
    DEFAULT_REGION,
    S3Root,
    S3Settings,
    settings_from,
)
from agentctl.domain.storage.keys import is_key, is_prefix
from agentctl.domain.storage.protocol import RefusedError, StoredObject, UnavailableError

READ_ATTEMPT_COUNT_MAX: Final = 3
"""How often a read that was not answered is asked in all."""
READ_PAUSE_S: Final = 0.2
CONFLICT_ATTEMPT_COUNT_MAX: Final = 5
"""How often a create that the store refused for another one under way is sent in all."""
KEY_BYTES_MAX: Final = 1024

T = TypeVar("T")


class _PlainSession(AIOHTTPSession):  # type: ignore[misc]  # untyped
    """Sends each request once, at once.

    aiohttp repeats a PUT on its own when a kept connection was closed. botocore asks whether it may
    send a body, which costs a round trip and is not covered by the read timeout.
    """

    async def send(self, request: Any) -> Any:  # noqa: ANN401  # botocore's
        if "Expect" in request.headers:  # it is not signed
            del request.headers["Expect"]
        return await super().send(request)

    async def _get_session(self, proxy_url: str | None) -> Any:  # noqa: ANN401  # aiohttp's
        session = await super()._get_session(proxy_url)
        session._retry_connection = False  # noqa: SLF001  # its only switch; a test looks
        return session


class S3Identity:
    """Who asks and where: for the store's own connection and for the graph engine's alike."""

    def __init__(self, settings: S3Settings | None = None) -> None:
        self.settings = settings if settings is not None else settings_from()
        self._session: AioSession | None = None

    def client(self) -> Any:  # noqa: ANN401  # a context of a client that botocore makes at run time
        """Returns what opens a connection.

        Raises:
            UnavailableError: the profile or the endpoint cannot be used.
        """
        session, settings = self._begun(), self.settings
        try:
            return session.create_client(
                "s3",
                region_name=self._region(session),
                endpoint_url=settings.endpoint,
                config=_config(session, settings),
            )
        except (BotoCoreError, ValueError) as failure:
            raise failure_of(failure, "connect") from failure

    async def table_options(self) -> dict[str, str]:
        """Returns the words by which the graph engine reaches the same store as the same identity.

        They hold the secret key: they are handed to the engine, never shown and never kept.
        """
        session, settings = self._begun(), self.settings

        async def find() -> Any:  # noqa: ANN401  # botocore's
            found = await session.get_credentials()
            return None if found is None else await found.get_frozen_credentials()

        credentials = await _translated("find credentials", find)
        options = {
            "aws_region": self._region(session),
            "aws_virtual_hosted_style_request": str(not settings.path_style).lower(),
        }
        if settings.endpoint is not None:
            options["aws_endpoint"] = settings.endpoint
            options["allow_http"] = str(settings.endpoint.startswith("http://")).lower()
        if credentials is not None:
            options["aws_access_key_id"] = credentials.access_key
            options["aws_secret_access_key"] = credentials.secret_key
            if credentials.token:
                options["aws_session_token"] = credentials.token
        return options

    def _begun(self) -> AioSession:
        if self._session is None:
            self._session = get_session()
        return self._session

    def _region(self, session: AioSession) -> str:
        found: str | None = self.settings.region or session.get_config_variable("region")
        return found or DEFAULT_REGION


class S3Store:
    """Objects of one root. Its connection is opened at the first call and closed by `aclose`."""

    def __init__(self, root: S3Root, settings: S3Settings | None = None) -> None:
        self._root = root
        self._identity = S3Identity(settings)
        self._open = contextlib.AsyncExitStack()
        self._client: Any = None
        self._opening = anyio.Lock()

    @property
    def uri(self) -> str:
        """The root as an ``s3://`` URI."""
        return self._root.uri

    async def read(self, key: str) -> StoredObject | None:
        """Returns the object, or None where there is none."""
        name = self._name(key)

        async def get() -> StoredObject | None:
            client = await self._connected()
            try:
                found = await client.get_object(Bucket=self._root.bucket, Key=name)
            except ClientError as answer:
                if answer_code(answer) == "NoSuchKey":
                    return None
                raise
            async with found["Body"] as body:
                return StoredObject(key=key, data=await body.read())

        return await self._asked(f"read {key}", get)

    async def create(self, key: str, data: bytes) -> bool:
        """Writes the object if there is none; returns whether this call did."""
        name = self._name(key)

        async def put() -> bool:
            client = await self._connected()
            for attempt in range(CONFLICT_ATTEMPT_COUNT_MAX):
                try:
                    await client.put_object(
                        Bucket=self._root.bucket, Key=name, Body=data, IfNoneMatch="*"
                    )
                except ClientError as answer:
                    code = answer_code(answer)
                    if code in {"PreconditionFailed", "412"}:
                        return False
                    if code != "ConditionalRequestConflict":
                        raise
                    # Another create is under way. This one did nothing, so it may be sent again.
                    await anyio.sleep(READ_PAUSE_S * attempt)
                else:
                    return True
            msg = f"create {key}: other writers kept getting in between"
            raise UnavailableError(msg)

        return await self._told(f"create {key}", put)

    async def replace(self, key: str, data: bytes) -> None:
        """Writes the object, over what is there."""
        name = self._name(key)

        async def put() -> None:
            client = await self._connected()
            await client.put_object(Bucket=self._root.bucket, Key=name, Body=data)

        await self._told(f"replace {key}", put)

    async def delete(self, key: str) -> None:
        """Removes the object; one that is not there is no error."""
        name = self._name(key)

        async def remove() -> None:
            client = await self._connected()
            await client.delete_object(Bucket=self._root.bucket, Key=name)

        await self._told(f"delete {key}", remove)

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Returns the keys that begin with *prefix* and sort behind *after*, in order of bytes."""
        behind = after.encode()
        found = [entry["Key"] async for entry in self._entries(prefix, after=after)]
        keys = (name.removeprefix(self._root.prefix) for name in found)
        wanted = {key for key in keys if is_key(key) and key.encode() > behind}
        return tuple(sorted(wanted, key=str.encode))

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Returns the names of what lies right below *prefix* and has keys below it, in order."""
        assert prefix == "" or prefix.endswith("/"), prefix
        names: set[str] = set()
        async for page in self._pages(prefix, Delimiter="/"):
            for entry in page.get("CommonPrefixes", ()):
                key = entry["Prefix"].removeprefix(self._root.prefix)
                names.add(key.removeprefix(prefix).rstrip("/"))
        return tuple(sorted((n for n in names if is_key(n)), key=str.encode))

    async def size_bytes(self, prefix: str) -> int:
        """Returns the sum of the sizes of the objects whose keys begin with *prefix*."""
        return sum([entry["Size"] async for entry in self._entries(prefix)])

    async def clock(self) -> datetime | None:
        """Returns the time of the store's answer, to the second; None where it does not tell."""

        async def ask() -> datetime | None:
            client = await self._connected()
            answer = await client.head_bucket(Bucket=self._root.bucket)
            return _date_of(answer["ResponseMetadata"]["HTTPHeaders"])

        return await self._asked("ask the time", ask)

    async def setting(self, ask: Callable[[Any, str], Awaitable[T]]) -> T:
        """Returns what *ask*, given the client and the bucket, reads of the bucket's settings.

        Raises:
            RefusedError: the store does not tell these credentials, or has no such setting.
        """

        async def call() -> T:
            return await ask(await self._connected(), self._root.bucket)

        return await self._asked("look at the bucket", call)

    async def aclose(self) -> None:
        """Closes the connection; a later call opens one anew."""
        async with self._opening:
            self._client = None
            await self._open.aclose()

    def _name(self, key: str) -> str:
        assert is_key(key), f"not a key: {key!r}"
        name = self._root.prefix + key
        if len(name.encode()) > KEY_BYTES_MAX:
            msg = f"{key[:64]}…: a name in a bucket has at most {KEY_BYTES_MAX} bytes"
            code, remedy = "storage_refused", "Choose a shorter prefix or name."
            raise RefusedError(code, msg, remedy=remedy)
        return name

    async def _entries(self, prefix: str, *, after: str = "") -> AsyncIterator[dict[str, Any]]:
        start = _start_after(prefix, after)
        more = {"StartAfter": self._root.prefix + start} if start else {}
        async for page in self._pages(prefix, **more):
            for entry in page.get("Contents", ()):
                yield entry

    async def _pages(self, prefix: str, **more: str) -> AsyncIterator[Mapping[str, Any]]:
        assert is_prefix(prefix), f"not a prefix: {prefix!r}"
        token: dict[str, str] = {}
        while True:

            async def ask(token: dict[str, str] = token) -> Mapping[str, Any]:
                client = await self._connected()
                page: Mapping[str, Any] = await client.list_objects_v2(
                    Bucket=self._root.bucket, Prefix=self._root.prefix + prefix, **more, **token
                )
                return page

            page = await self._asked(f"list {prefix}", ask)
            yield page
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    async def _connected(self) -> Any:  # noqa: ANN401  # a client that botocore makes at run time
        if self._client is not None:
            return self._client
        async with self._opening:
            if self._client is None:
                self._client = await self._open.enter_async_context(self._identity.client())
        return self._client

    async def _asked(self, what: str, act: Callable[[], Awaitable[T]]) -> T:
        """Returns what a call that changes nothing returns; it is tried a few times."""
        for attempt in range(1, READ_ATTEMPT_COUNT_MAX):
            try:
                return await _translated(what, act)
            except RefusedError as refused:
                if refused.code != "storage_throttled":
                    raise
            except UnavailableError:
                pass
            await anyio.sleep(READ_PAUSE_S * attempt)
        return await _translated(what, act)

    async def _told(self, what: str, act: Callable[[], Awaitable[T]]) -> T:
        """Returns what a write returns; it is sent once, and to its end though the caller is cancelled."""
        settings = self._identity.settings
        limit_s = settings.connect_timeout_s + 2 * settings.read_timeout_s
        with anyio.move_on_after(limit_s, shield=True):
            return await _translated(what, act)
        msg = f"{what}: no answer within {limit_s:.0f} s"
        raise UnavailableError(msg)


def _config(session: AioSession, settings: S3Settings) -> AioConfig:
    written = session.get_scoped_config().get("s3") or {}
    style = "path" if settings.path_style else "auto"
    return AioConfig(
        connect_timeout=settings.connect_timeout_s,
        read_timeout=settings.read_timeout_s,
        max_pool_connections=settings.connection_count_max,
        retries={"total_max_attempts": 1, "mode": "standard"},
        s3={"addressing_style": style, **written},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        http_session_cls=_PlainSession,
        user_agent_extra="agentctl",
    )


async def _translated(what: str, act: Callable[[], Awaitable[T]]) -> T:
    try:
        return await act()
    except (ClientError, BotoCoreError, OSError) as failure:
        raise failure_of(failure, what) from failure


def _start_after(prefix: str, after: str) -> str:
    """Returns a key that sorts before all wanted ones also where folders sort before their likes.

    S3 orders by bytes, in which ``a.b`` comes before ``a/b``. Servers that keep folders order
    them otherwise, so the listing begins a little earlier than asked and what is too much is left
    out: at the last character that any server sorts behind the slash, less one.
    """
    rest = after.removeprefix(prefix)
    if not after.startswith(prefix) or not rest:
        return ""
    end = next((i for i, character in enumerate(rest) if character <= "/"), len(rest))
    return prefix + rest[: end - 1] if end > 1 else ""


def _date_of(headers: Mapping[str, str]) -> datetime | None:
    try:
        return parsedate_to_datetime(headers["date"]).astimezone(UTC)
    except (KeyError, ValueError, TypeError):
        return None
