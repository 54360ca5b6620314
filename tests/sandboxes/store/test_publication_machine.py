"""How far a publication may come, from everywhere. Source: sandboxes 4, Publication.

A remote that is no forge has no pull request, and its branch is merged all the same.
"""

from itertools import product

import msgspec
import pytest

from agentctl.domain.sandbox.publication import Event, Rejection, Stage, lacks, move, reached, step
from agentctl.domain.sandbox.records import Publication, PublicationStatus
from agentctl.testing.sandbox_records import publication

EVENTS: tuple[Event, ...] = ("commit", "open_pr", "merge", "fail", "retry")
STATUSES: tuple[PublicationStatus, ...] = (
    "PENDING",
    "COMMITTED",
    "PR_CREATED",
    "MERGED",
    "FAILED",
)
PLACES: dict[str, tuple[Publication, Stage]] = {
    "pending": (publication(status="PENDING"), "PENDING"),
    "committed": (publication(status="COMMITTED", commit_sha="c"), "COMMITTED"),
    "opened": (publication(status="PR_CREATED", commit_sha="c", pr_url="u"), "PR_CREATED"),
    "merged": (publication(status="MERGED", commit_sha="c", pr_url="u"), "MERGED"),
    "failed first": (publication(status="FAILED"), "PENDING"),
    "failed to push": (publication(status="FAILED", commit_sha="c"), "COMMITTED"),
    "failed later": (publication(status="FAILED", commit_sha="c", pr_url="u"), "PR_CREATED"),
}
STEPS: dict[tuple[str, Event], PublicationStatus] = {
    ("pending", "commit"): "COMMITTED",
    ("pending", "fail"): "FAILED",
    ("committed", "open_pr"): "PR_CREATED",
    ("committed", "merge"): "MERGED",
    ("committed", "fail"): "FAILED",
    ("opened", "open_pr"): "PR_CREATED",
    ("opened", "merge"): "MERGED",
    ("opened", "fail"): "FAILED",
    ("failed first", "retry"): "PENDING",
    ("failed first", "fail"): "FAILED",
    ("failed to push", "retry"): "COMMITTED",
    ("failed to push", "fail"): "FAILED",
    ("failed later", "retry"): "PR_CREATED",
    ("failed later", "fail"): "FAILED",
}
MOVES: set[tuple[str, PublicationStatus]] = {
    ("pending", "COMMITTED"),
    ("pending", "FAILED"),
    ("committed", "PR_CREATED"),
    ("committed", "MERGED"),
    ("committed", "FAILED"),
    ("opened", "PR_CREATED"),
    ("opened", "MERGED"),
    ("opened", "FAILED"),
    ("failed first", "PENDING"),
    ("failed first", "COMMITTED"),
    ("failed first", "FAILED"),
    ("failed to push", "COMMITTED"),
    ("failed to push", "PR_CREATED"),
    ("failed to push", "MERGED"),
    ("failed to push", "FAILED"),
    ("failed later", "PR_CREATED"),
    ("failed later", "MERGED"),
    ("failed later", "FAILED"),
}


@pytest.mark.parametrize(("place", "event"), list(product(PLACES, EVENTS)))
def test_an_event_leads_where_the_table_says_and_nowhere_else(place: str, event: Event) -> None:
    at, stage = PLACES[place]
    refused = Rejection(at=at.status, reached=stage, wanted=event)

    assert step(at, event) == STEPS.get((place, event), refused)


@pytest.mark.parametrize(("place", "to"), list(product(PLACES, STATUSES)))
def test_a_move_goes_on_or_fails_or_goes_back_to_what_was_reached(
    place: str, to: PublicationStatus
) -> None:
    at, stage = PLACES[place]
    refused = Rejection(at=at.status, reached=stage, wanted=to)

    assert move(at, to) == (to if (place, to) in MOVES else refused)


@pytest.mark.parametrize("place", PLACES)
def test_what_was_reached_is_known_also_after_a_failure(place: str) -> None:
    at, stage = PLACES[place]

    assert reached(at) == stage


def test_a_status_that_promises_more_than_there_is_lacks_it() -> None:
    bare = publication()

    told = {
        status: lacks(msgspec.structs.replace(bare, status=status, commit_sha=sha))
        for sha in (None, "c")
        for status in STATUSES
        if sha or status == "COMMITTED"
    }
    assert lacks(msgspec.structs.replace(bare, status="COMMITTED")) == "commit_sha"
    assert told == {
        "PENDING": None,
        "COMMITTED": None,
        "PR_CREATED": "pr_url",
        "MERGED": None,
        "FAILED": None,
    }
