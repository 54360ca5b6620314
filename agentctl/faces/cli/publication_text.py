"""Publications as the command line prints them."""

from typing import Any

from agentctl.foreign import Foreign, show


def publication_line(publication: Any) -> str:  # noqa: ANN401  # a Publication, or what a door elsewhere sent
    """Returns a publication in a line, with why it failed in another."""
    facts = (publication.repo_url, publication.branch, publication.commit_sha, publication.pr_url)
    told = " ".join(show(Foreign(fact), limit=200) for fact in facts if fact)
    why = f"\n  {show(Foreign(publication.error_msg), limit=400)}" if publication.error_msg else ""
    return f"{publication.status} {told} ({publication.id}){why}\n"
