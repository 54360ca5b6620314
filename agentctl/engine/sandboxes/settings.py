"""How a store of sandboxes is opened. A URL may hold a password, so no rendering shows it."""

import re
from typing import Final

import msgspec

_PASSWORD: Final = re.compile(r"(?<=://)([^:/?#@\s]*):\S*@")
_SECRET_QUERY: Final = re.compile(
    r"(?<=[?&])([a-z_]*(?:pass|secret|token)[a-z_]*)=[^&#\s]*", re.IGNORECASE
)
HIDDEN: Final = "***"


class StoreConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where the history of sandboxes is, and how it may be used."""

    url: str
    """``sqlite:///<path>`` or ``postgresql://<user>@<host>/<database>``."""
    max_open_conns: int = 10
    max_idle_conns: int = 5
    conn_max_lifetime_s: int = 1800
    auto_migrate: bool = True
    """Whether tables are made and brought up to this release on opening."""
    read_only: bool = False
    connect_timeout_s: float = 10.0
    """Also how long is waited for a free connection."""
    busy_timeout_s: float = 30.0
    """How long SQLite waits for another writer."""

    def __repr__(self) -> str:
        """Returns it without the password."""
        return f"StoreConfig(url={without_password(self.url)!r}, read_only={self.read_only})"


def without_password(text: str) -> str:
    """Returns *text* with the passwords of all URLs in it replaced."""
    return _SECRET_QUERY.sub(rf"\1={HIDDEN}", _PASSWORD.sub(rf"\1:{HIDDEN}@", text))
