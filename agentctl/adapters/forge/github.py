"""GitHub's pull requests. Source: its REST API, version 2022-11-28, `pulls`."""

from typing import Final

import msgspec

from agentctl.adapters.forge.asking import Asking, decoded
from agentctl.adapters.forge.forge import Draft, ForgeError, Pull, checked_url, in_order

HEADERS: Final = {
    "accept": "application/vnd.github+json",
    "x-github-api-version": "2022-11-28",
}
_LISTED_MAX: Final = "50"
"""Of one branch: the newest are enough."""
_EXISTS: Final = "pull request already exists"


class _Head(msgspec.Struct, frozen=True):
    sha: str | None = None


class _Pull(msgspec.Struct, frozen=True):
    number: int
    html_url: str
    state: str
    head: _Head = _Head()
    merged_at: str | None = None


class _Error(msgspec.Struct, frozen=True):
    message: str | None = None


class _Refusal(msgspec.Struct, frozen=True):
    message: str = ""
    errors: tuple[_Error, ...] = ()


class GitHub:
    """One repository at GitHub, or at a GitHub Enterprise server."""

    def __init__(self, asking: Asking, repo: str) -> None:
        self._asking = asking
        self._repo = repo
        self._pulls = f"/repos/{repo}/pulls"

    async def find_pulls(self, head: str, base: str) -> tuple[Pull, ...]:
        """Returns the pull requests of a branch, open ones first."""
        owner = self._repo.partition("/")[0]
        params = {"head": f"{owner}:{head}", "base": base, "state": "all", "per_page": _LISTED_MAX}
        params |= {"sort": "created", "direction": "desc"}
        answer = await self._asking.ask("GET", self._pulls, params=params)
        if answer.status != 200:
            raise self._asking.refusal(answer, "list pull requests")
        return in_order([_told(pull) for pull in decoded(answer, tuple[_Pull, ...])])

    async def open_pull(self, draft: Draft) -> Pull | None:
        """Opens one; None where one is open already."""
        body = {"title": draft.title, "body": draft.body, "head": draft.head, "base": draft.base}
        answer = await self._asking.ask("POST", self._pulls, body=body)
        if answer.status == 201:
            return _told(decoded(answer, _Pull))
        if answer.status == 422 and _exists(answer.body):
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


def _told(pull: _Pull) -> Pull:
    if pull.state not in {"open", "closed"}:
        msg = "the forge told a pull request that is neither open nor closed"
        raise ForgeError(msg)
    state = "merged" if pull.merged_at is not None else pull.state
    return msgspec.convert(
        {
            "number": pull.number,
            "url": checked_url(pull.html_url, pull.number),
            "state": state,
            "head_sha": pull.head.sha,
        },
        Pull,
    )


def _exists(body: bytes) -> bool:
    try:
        refusal = msgspec.json.decode(body, type=_Refusal)
    except msgspec.DecodeError:
        return False
    return any(_EXISTS in (error.message or "") for error in refusal.errors)
