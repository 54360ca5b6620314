"""Gitea's pull requests, which are Forgejo's too. Source: its API v1, `repository`."""

from typing import Final

import msgspec

from agentctl.adapters.forge.asking import Asking, decoded
from agentctl.adapters.forge.forge import Draft, Pull, PullState, checked_url, in_order

_PAGE: Final = 50
_OPEN_PAGES_MAX: Final = 40
_CLOSED_PAGES_MAX: Final = 4
"""Of those that are closed, the newest: the list cannot be asked for one branch."""


class _Repository(msgspec.Struct, frozen=True):
    full_name: str


class _Side(msgspec.Struct, frozen=True):
    ref: str = ""
    sha: str | None = None
    repo: _Repository | None = None


class _Pull(msgspec.Struct, frozen=True):
    number: int
    html_url: str
    state: str
    merged: bool = False
    head: _Side = _Side()
    base: _Side = _Side()


class Gitea:
    """One repository at a Gitea or Forgejo server."""

    def __init__(self, asking: Asking, repo: str) -> None:
        self._asking = asking
        self._repo = repo
        self._pulls = f"/repos/{repo}/pulls"

    async def find_pulls(self, head: str, base: str) -> tuple[Pull, ...]:
        """Returns the pull requests of a branch, open ones first."""
        found: list[Pull] = []
        for state, pages in (("open", _OPEN_PAGES_MAX), ("closed", _CLOSED_PAGES_MAX)):
            for page in range(1, pages + 1):
                listed = await self._page(state, page)
                found += [_told(pull) for pull in listed if self._is_of(pull, head, base)]
                if not listed:
                    break
        return in_order(found)

    async def open_pull(self, draft: Draft) -> Pull | None:
        """Opens one; None where one is open already."""
        body = {"title": draft.title, "body": draft.body, "head": draft.head, "base": draft.base}
        answer = await self._asking.ask("POST", self._pulls, body=body)
        if answer.status == 201:
            return _told(decoded(answer, _Pull))
        if answer.status == 409:
            return None
        raise self._asking.refusal(answer, "open a pull request")

    async def pull_state(self, number: int) -> Pull | None:
        """Returns it; None where the repository is there and it is not."""
        answer = await self._asking.ask("GET", f"{self._pulls}/{number}")
        if answer.status == 200:
            return _told(decoded(answer, _Pull))
        if answer.status == 404:
            seen = await self._asking.ask("GET", f"/repos/{self._repo}")
            if seen.status == 200:
                return None
        raise self._asking.refusal(answer, "show the pull request")

    async def aclose(self) -> None:
        """Gives the connections back."""
        await self._asking.aclose()

    async def _page(self, state: str, page: int) -> tuple[_Pull, ...]:
        params = {"state": state, "sort": "recentupdate", "page": str(page), "limit": str(_PAGE)}
        answer = await self._asking.ask("GET", self._pulls, params=params)
        if answer.status != 200:
            raise self._asking.refusal(answer, "list pull requests")
        return decoded(answer, tuple[_Pull, ...])

    def _is_of(self, pull: _Pull, head: str, base: str) -> bool:
        """Returns whether it leads from a branch of this repository, not of a fork, into *base*."""
        own = pull.head.repo is None or pull.head.repo.full_name.lower() == self._repo.lower()
        return own and pull.head.ref == head and pull.base.ref == base


def _told(pull: _Pull) -> Pull:
    closed: PullState = "merged" if pull.merged else "closed"
    return Pull(
        number=pull.number,
        url=checked_url(pull.html_url, pull.number),
        state="open" if pull.state == "open" else closed,
        head_sha=pull.head.sha,
    )
