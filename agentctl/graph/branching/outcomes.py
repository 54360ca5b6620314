"""What a merge will be, by what three commits name: decided without looking at a row. Source: graph-engine 5."""

from collections.abc import Mapping
from typing import Literal

from agentctl.graph.commit import Commit, SchemaRef, TypeState

MergeOutcome = Literal["already_up_to_date", "fast_forward", "merged"]


def outcome_of(base: Commit, ours: Commit, theirs: Commit) -> MergeOutcome:
    """Returns what a merge of these commits would be, by what they name."""
    if _content(theirs) in (_content(base), _content(ours)):
        return "already_up_to_date"
    return "fast_forward" if _content(ours) == _content(base) else "merged"


def merged_schema(base: SchemaRef, ours: SchemaRef, theirs: SchemaRef) -> SchemaRef | None:
    """Returns the schema of a merge: of the branch that changed it, None where both did.

    Two texts of one catalog are one schema; ours stays.
    """
    if theirs in (base, ours) or base.ir_digest == ours.ir_digest == theirs.ir_digest:
        return ours
    return theirs if base == ours else None


def _content(commit: Commit) -> tuple[str, str, Mapping[str, TypeState]]:
    return commit.schema.source_digest, commit.schema.ir_digest, commit.types
