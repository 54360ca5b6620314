"""Remotes: where a sandbox's changes may be published, as the operator declares them.

A remote is an address that git pushes to, and where that is a forge, how its API is asked. A token is
only ever a reference here. Source: sandboxes 4, Publication; control-plane 3.1.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from agentctl.ids import Address, address_of

ForgeKind = Literal["github", "gitea"]
Transport = Literal["file", "ssh"]

FORGE_KINDS: Final = ("github", "gitea")
BRANCH_BASE: Final = "main"
URL_LENGTH_MAX: Final = 1024
_HOST: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\]"
_USER: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_SSH: Final = re.compile(rf"ssh://(?:{_USER}@)?(?:{_HOST})(?::[0-9]{{1,5}})?/.+")
_SCP: Final = re.compile(rf"{_USER}@(?:{_HOST}):(?![-/]?-).+")
_FILE: Final = re.compile(r"(?:file://)?/.+")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class ForgeProfile(msgspec.Struct, frozen=True, kw_only=True):
    """How the forge of a remote is asked."""

    kind: ForgeKind
    api: str
    """Where its API begins, e.g. ``https://host/api/v1``."""
    repo: str
    """``owner/name``."""
    token: str
    """A reference ``${NAME}``, never a value."""


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of ``publication.remotes``."""

    name: str
    url: str
    """What git pushes to: a whole path, ``file://``, ``ssh://`` or ``user@host:path``."""
    branch_base: str = BRANCH_BASE
    """The branch that a publication is to be merged into."""
    forge: ForgeProfile | None = None

    @property
    def address(self) -> Address:
        """``remote.<name>``."""
        return address_of("remote", self.name)


def remote_of(name: str, fields: Mapping[str, object]) -> Remote:
    """Returns the remote whose normal form *fields* are, as the catalog holds them."""
    return msgspec.convert({"name": name, **fields}, Remote)


def transport_of(url: str) -> Transport | None:
    """Returns how git reaches *url*; None for an address that nothing is pushed to."""
    if remote_url_fault(url) is not None:
        return None
    return "file" if _FILE.fullmatch(url) else "ssh"


def remote_url_fault(url: str) -> str | None:
    """Returns why nothing is pushed to *url*; None where it may be an address."""
    if len(url) > URL_LENGTH_MAX:
        return f"has more than {URL_LENGTH_MAX} characters"
    if any(c.isspace() or not c.isprintable() for c in url):
        return "holds a blank or a control character"
    if _FILE.fullmatch(url) or _SCP.fullmatch(url):
        return None
    if url.startswith("ssh://"):
        return _ssh_fault(url)
    if "://" in url or "::" in url:
        return "begins with neither `file://` nor `ssh://`, and git is reached in no other way"
    return "is neither a whole path nor `user@host:path`"


def _ssh_fault(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is no URL"
    if parts.password is not None:
        return "holds a password; ssh takes a key"
    return None if _SSH.fullmatch(url) else "is not `ssh://[user@]host[:port]/path`"


def api_fault(url: str) -> str | None:
    """Returns why no token is sent to *url*; None where it may be."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is no URL"
    if any(c.isspace() or not c.isprintable() for c in url):
        return "holds a blank or a control character"
    if parts.username is not None or parts.password is not None:
        return "holds a user; give `token` instead"
    if parts.query or parts.fragment:
        return "is the beginning of addresses, without `?` and `#`"
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or local):
        return "begins with `https://`, or with `http://` of this machine"
    return None
