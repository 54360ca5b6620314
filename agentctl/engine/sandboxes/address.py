"""The URL of a database: what SQLAlchemy and the drivers are given for it.

Understands what people have, such as ``postgres://…?sslmode=disable``. A URL that is not
understood is never repeated, as it may hold a password.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

import msgspec
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.engine.sandboxes.errors import InvalidError
from agentctl.engine.sandboxes.settings import StoreConfig

Database = Literal["sqlite", "postgresql"]

_DATABASES: Final[Mapping[str, Database]] = {
    "sqlite": "sqlite",
    "sqlite+aiosqlite": "sqlite",
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "postgresql+asyncpg": "postgresql",
}
_PARAMETERS: Final = frozenset({"sslmode", "ssl", "host", "port", "user", "password"})
_SSL_MODES: Final = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})


class DatabaseAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a database is."""

    database: Database
    url: URL
    file: Path | None
    """Of SQLite."""
    connect_args: Mapping[str, object]
    """What the driver is given besides the URL."""


def database_address(config: StoreConfig) -> DatabaseAddress:
    """Returns where the database of *config* is.

    Raises:
        InvalidError: the URL names no database that a store can be in.
    """
    try:
        url = make_url(config.url)
    except (ArgumentError, ValueError):
        raise InvalidError(_told("it is no URL")) from None
    database = _DATABASES.get(url.drivername)
    if database is None:
        raise InvalidError(_told(f"{url.drivername} is not known"))
    return _sqlite(url, config) if database == "sqlite" else _postgresql(url, config)


def _sqlite(url: URL, config: StoreConfig) -> DatabaseAddress:
    path = url.database or ""
    if path in {"", ":memory:"} or path.startswith("file:"):
        raise InvalidError(_told("the part after sqlite:/// has to be the path of a file"))
    if url.query:
        raise InvalidError(_told("a file takes no parameters"))
    file = Path(path).absolute()
    name = f"file:{quote(str(file))}" if config.read_only else str(file)
    query = {"mode": "ro", "uri": "true"} if config.read_only else {}
    return DatabaseAddress(
        database="sqlite",
        url=URL.create("sqlite+aiosqlite", database=name, query=query),
        file=file,
        connect_args={"timeout": config.busy_timeout_s},
    )


def _postgresql(url: URL, config: StoreConfig) -> DatabaseAddress:
    query = dict(url.query)
    unknown = sorted(set(query) - _PARAMETERS)
    if unknown:
        raise InvalidError(_told(f"{unknown[0]} is no parameter it may have"))
    ssl = query.pop("sslmode", query.pop("ssl", None))
    if ssl is not None:
        if ssl not in _SSL_MODES:
            raise InvalidError(_told(f"sslmode is one of {', '.join(sorted(_SSL_MODES))}"))
        query["ssl"] = ssl
    user, password = query.pop("user", url.username), query.pop("password", url.password)
    settings = {"application_name": "agentctl"}
    if config.read_only:
        settings["default_transaction_read_only"] = "on"
    return DatabaseAddress(
        database="postgresql",
        url=url.set(
            drivername="postgresql+asyncpg",
            username=user if isinstance(user, str) else None,
            password=password if isinstance(password, str) else None,
            query=query,
        ),
        file=None,
        connect_args={"timeout": config.connect_timeout_s, "server_settings": settings},
    )


def _told(why: str) -> Diagnostic:
    message = f"the URL of the store of sandboxes is not understood: {why}"
    remedy = "Write sqlite:///PATH or postgresql://USER@HOST/DATABASE."
    return error("sandbox_store_url_invalid", "sandbox_store", message, remedy=remedy)
