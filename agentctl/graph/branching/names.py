"""What branches and tags are called, and the ids of commits. Source: graph-engine 1, 5."""

import re
from datetime import datetime
from typing import Final, Literal

import msgspec

from agentctl.domain.sandbox.lending import BRANCH_PREFIX
from agentctl.graph.layout import MAIN
from agentctl.graph.refusals import branch_invalid

NAME_LENGTH_MAX: Final = 100
RESERVED: Final = BRANCH_PREFIX
"""What the branches of sandboxes begin with; no user has one that does."""
_PART: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_NAME: Final = re.compile(rf"{_PART}(?:/{_PART})*")
_ID: Final = re.compile(rf"({_PART}(?:/{_PART})*):([1-9][0-9]{{0,18}})")


class CommitId(msgspec.Struct, frozen=True, kw_only=True):
    """``<branch>:<n>``, taken apart."""

    branch: str
    n: int


def name_problem(name: str) -> str | None:
    """Returns why no branch or tag can be called *name*, or None."""
    if len(name) > NAME_LENGTH_MAX:
        return f"it has more than {NAME_LENGTH_MAX} characters"
    if ".." in name:
        return "it has `..` in it"
    if not _NAME.fullmatch(name):
        return (
            "its parts, between slashes, are letters, digits, `.`, `-` and `_`,"
            " and begin and end with a letter or digit"
        )
    return None


def check_name(graph_id: str, name: str, what: Literal["branch", "tag"]) -> None:
    """Refuses what no branch, or no tag, can be called.

    A tag of digits alone would be taken for the number of a commit, and one that is a time for that.

    Raises:
        GraphError: `graph_branch_invalid`.
    """
    problem = name_problem(name)
    if problem is None and what == "branch" and name == MAIN:
        problem = "every graph has it from its first commit on"
    if problem is None and what == "tag" and name.isdecimal():
        problem = "it is a number, as commits have one"
    if problem is None and what == "tag" and time_named(name) is not None:
        problem = "it is a time, which stands for the newest commit made by then"
    if problem is None and name.startswith(RESERVED):
        problem = f"what begins with {RESERVED!r} is of sandboxes"
    if problem is not None:
        said = f"No {what} can be called {name!r}: {problem}"
        raise branch_invalid(
            graph_id, said, remedy="Choose another name: letters, digits, . - _ and /"
        )


def check_not_reserved(graph_id: str, branch: str) -> None:
    """Refuses to write to the branch of a sandbox but through the sandbox.

    Raises:
        GraphError: `graph_branch_invalid`.
    """
    if branch.startswith(RESERVED):
        said = f"The branch {branch!r} is of a sandbox, and is written in the sandbox alone"
        raise branch_invalid(graph_id, said, remedy="agentctl sandbox list")


def parse_commit_id(text: str) -> CommitId | None:
    """Returns the parts of a commit's id, or None where *text* is none."""
    found = _ID.fullmatch(text)
    return None if found is None else CommitId(branch=found[1], n=int(found[2]))


def time_named(text: str) -> datetime | None:
    """Returns the time that *text* is, with its offset; None where it is none."""
    if len(text) < len("2026-11-21T12:00Z") or text[10] not in "Tt ":
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo is not None else None
