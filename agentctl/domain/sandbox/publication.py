"""How far a publication came: PENDING, COMMITTED, PR_CREATED, MERGED, or FAILED on the way. Pure.

What was reached stays reached: a publication that failed keeps its commit and its pull request, and
a retry goes on from there, so that no second commit is made. Source: sandboxes 4, Publication.
"""

from typing import Final, Literal, assert_never

import msgspec

from agentctl.domain.sandbox.records import Publication, PublicationStatus

Event = Literal["commit", "open_pr", "merge", "fail", "retry"]
Stage = Literal["PENDING", "COMMITTED", "PR_CREATED", "MERGED"]

_LEADS: Final[dict[Event, tuple[tuple[Stage, ...], Stage]]] = {
    "commit": (("PENDING",), "COMMITTED"),
    "open_pr": (("COMMITTED", "PR_CREATED"), "PR_CREATED"),
    "merge": (("COMMITTED", "PR_CREATED"), "MERGED"),
}
"""From where, and where to. A pull request that was closed may be followed by another one; a remote
that is no forge has none, and its branch is merged all the same."""
_MOVES: Final = frozenset((before, to) for befores, to in _LEADS.values() for before in befores)


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """An event, or a status, that means nothing where the publication stands."""

    at: PublicationStatus
    reached: Stage
    wanted: str
    """The event, or the status, that was asked for."""


def reached(publication: Publication) -> Stage:
    """Returns the last stage that *publication* came to, whether or not it failed since."""
    if publication.status != "FAILED":
        return publication.status
    if publication.pr_url is not None:
        return "PR_CREATED"
    return "COMMITTED" if publication.commit_sha is not None else "PENDING"


def step(publication: Publication, event: Event) -> PublicationStatus | Rejection:
    """Returns the status after *event*."""
    at, stage = publication.status, reached(publication)
    refused = Rejection(at=at, reached=stage, wanted=event)
    match event:
        case "fail":
            return refused if at == "MERGED" else "FAILED"
        case "retry":
            return stage if at == "FAILED" else refused
        case "commit" | "open_pr" | "merge":
            befores, after = _LEADS[event]
            return after if at in befores else refused
        case _:
            assert_never(event)


def move(publication: Publication, to: PublicationStatus) -> PublicationStatus | Rejection:
    """Returns *to* where some event, or a retry and then one, leads there."""
    at, stage = publication.status, reached(publication)
    refused = Rejection(at=at, reached=stage, wanted=to)
    if to == "FAILED":
        return refused if at == "MERGED" else to
    if at == "FAILED" and to == stage:
        return to
    return to if (stage, to) in _MOVES else refused


def lacks(publication: Publication) -> str | None:
    """Returns the field that a publication of its status has to have and this one has not."""
    if publication.status in {"COMMITTED", "PR_CREATED", "MERGED"} and not publication.commit_sha:
        return "commit_sha"
    if publication.status == "PR_CREATED" and not publication.pr_url:
        return "pr_url"
    return None
