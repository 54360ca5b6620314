"""What a forge has to do: find, open and look at pull requests. GitHub's and Gitea's shapes fit it."""

import re
from typing import Final, Literal, Protocol

import msgspec

from agentctl.domain.config.remotes import api_fault

PullState = Literal["open", "closed", "merged"]
_NUMBER: Final = re.compile(r"/pulls?/([0-9]{1,18})")
_URL_LENGTH_MAX: Final = 2_000


class ForgeError(Exception):
    """The forge was not reached, refused, or answered as none does; says why, and holds no secret."""

    def __init__(self, message: str, *, said: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.said = said
        """Its own words, made safe; may be empty."""
        self.status = status


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request."""

    number: int
    url: str
    """Where people look at it."""
    state: PullState
    head_sha: str | None = None
    """The newest commit of its branch, as the forge knows it."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request that is to be opened."""

    head: str
    """The branch with the changes, in the same repository."""
    base: str
    title: str
    body: str


class Forge(Protocol):
    """One repository at a forge. Busy answers are tried again within bounds; every call is safe to repeat."""

    async def find_pulls(self, head: str, base: str) -> tuple[Pull, ...]:
        """Returns the pull requests from branch *head* into *base*, open ones first, then the newest.

        Raises:
            ForgeError: it could not be asked.
        """
        ...

    async def open_pull(self, draft: Draft) -> Pull | None:
        """Opens one; returns None where the forge says that one is open for that branch already.

        Raises:
            ForgeError: it could not be opened, or nobody knows.
        """
        ...

    async def pull_state(self, number: int) -> Pull | None:
        """Returns the pull request of that number; None where it is not there any more.

        Raises:
            ForgeError: it could not be asked, or the repository is not seen.
        """
        ...

    async def aclose(self) -> None:
        """Gives the connections back."""
        ...


def checked_url(url: str, number: int) -> str:
    """Returns the address that a forge gave for one of its pull requests.

    Raises:
        ForgeError: it is no address of that pull request.
    """
    plain = len(url) <= _URL_LENGTH_MAX and url.isascii() and url.isprintable()
    # Behind a proxy a forge may know itself by http; nothing is sent there, so that does no harm.
    as_https = f"https://{url.removeprefix('http://')}" if url.startswith("http://") else url
    if plain and pull_number(url) == number and api_fault(as_https) is None:
        return url
    msg = "the forge gave no address for the pull request"
    raise ForgeError(msg)


def pull_number(url: str) -> int | None:
    """Returns the number that the address of a pull request ends in."""
    found = _NUMBER.search(url)
    return int(found[1]) if found is not None and url.endswith(found[0]) else None


def in_order(pulls: list[Pull]) -> tuple[Pull, ...]:
    """Returns pull requests, open ones first, then the newest."""
    return tuple(sorted(pulls, key=lambda pull: (pull.state != "open", -pull.number)))
