"""Everything that a schema says, held against the changed rows of one write.

In columns, never row by row; of the graph only what the changes touch is read. All violations are
found, each with its type, id, property and rule, as many as `Violations` lists and the rest counted.
Source: graph-engine 2, languages 1.3.
"""

from collections.abc import Mapping

from agentctl.graph.snapshot import Snapshot
from agentctl.graph.violations import Violations
from agentctl.graph.writes.changes import Changes
from agentctl.graph.writes.check_edges import check_cardinality, check_endpoints, check_orphans
from agentctl.graph.writes.check_keys import check_ids, check_unique
from agentctl.graph.writes.check_values import check_values
from agentctl.graph.writes.held import Held


def check(snapshot: Snapshot, changes: Changes, violations: Violations) -> Mapping[str, int]:
    """Adds to *violations* whatever the schema does not permit of the graph after *changes*.

    Edges are judged only where every line of an input could be read: a row that could not be would
    show up as a missing node of each of its edges.

    Args:
        snapshot: the graph before; its schema judges.
        changes: what is to be written.
        violations: where it is told; what was found before, as in reading lines, stays there.

    Returns:
        By type id, how many of the staged ids are in the graph already, so that their rows are
        replaced: `apply_changes` takes it, and need not look again.
    """
    whole = not violations.unreadable
    held = Held(snapshot, changes, violations)
    check_values(held)
    check_ids(held)
    check_unique(held)
    if whole:
        check_endpoints(held)
        check_orphans(held)
        check_cardinality(held)
    return matched_counts(held)


def matched_counts(held: Held) -> dict[str, int]:
    """Returns, by type id, how many of the staged ids are in the graph."""
    counts: dict[str, int] = {}
    for change in held.with_rows():
        found = held.matched(change)
        counts[change.type.id] = 0 if found is None else len(found)
    return counts
