"""How the rows of a sandbox come home: a branch merge for each graph, and what must be before it.

The plan says what would be merged and what it waits for; whoever carries it out looks again at
everything. Definitions come home by the config patch, never by a merge. Source: sandboxes 4,
ChangeSet.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from agentctl.domain.plan.model import Migration
from agentctl.domain.sandbox.difference import RowChanges
from agentctl.domain.sandbox.manifest import Count
from agentctl.ids import Address, graph_address, schema_address

MergeWay = Literal["merge", "load"]
WaitReason = Literal["graph", "schema", "approval"]

_ENTITY_FIELDS: Final = ("type_kind", "type_name", "name", "property_name", "entity")


class MergeRows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many rows of one type would come."""

    type_name: str
    added: Count
    changed: Count
    removed: Count


class MergeWait(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that must be before a merge."""

    reason: WaitReason
    """``graph``: it is created first; ``schema``: it is migrated first; ``approval``: a human agrees."""
    address: Address


class GraphMerge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the rows of one graph come home."""

    graph: str
    way: MergeWay
    """``load`` where the graph was made in the sandbox, so that nothing is there to merge into."""
    branch: str
    commit: Count
    """Of `branch`, with everything that is to come."""
    into: str
    into_commit: Count | None
    """Where `into` stood when the sandbox was opened; None where the graph was not there."""
    rows: tuple[MergeRows, ...]
    """Sorted by type."""
    schema_steps: tuple[str, ...]
    """What a migration of `into` does first, in its order, e.g. ``add_property Person email``."""
    supported: bool
    """Whether that migration can be done at all."""
    protected: bool
    """Whether the merge is gated."""
    waits: tuple[MergeWait, ...]
    """In the order in which they are to be met."""


class MergePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the rows of a sandbox come home."""

    graphs: tuple[GraphMerge, ...] = ()
    """Those with rows that differ, sorted by graph."""


class MergeSource(msgspec.Struct, frozen=True, kw_only=True):
    """One graph of a sandbox, and where it came from."""

    graph: str
    branch: str
    commit: int
    into: str = "main"
    into_commit: int | None
    """None for a graph that was made in the sandbox."""
    migration: Migration | None = None
    """From the schema of `into` to the sandbox's; None where they are one."""


def merge_plan(
    sources: Iterable[MergeSource], rows: Iterable[RowChanges], *, protected: Collection[str]
) -> MergePlan:
    """Returns the plan.

    Args:
        sources: the sandbox's graphs; a graph without rows that differ is left out.
        rows: what became of them since the sandbox was opened.
        protected: addresses that are protected outside of the sandbox, by the applied config.
    """
    by_graph: dict[str, list[MergeRows]] = {}
    for found in rows:
        if found.added or found.changed or found.removed:
            by_graph.setdefault(found.graph, []).append(_rows(found))
    return MergePlan(
        graphs=tuple(
            _merge(source, by_graph[source.graph], protected)
            for source in sorted(sources, key=lambda s: s.graph)
            if source.graph in by_graph
        )
    )


def step_words(step: Mapping[str, object]) -> str:
    """Returns one migration step in a few words of its own fields."""
    words = [str(step["kind"])]
    words += [str(step[name]) for name in _ENTITY_FIELDS if name in step]
    if step["kind"] in {"rename_type", "rename_property"}:
        words += [f"{step['from']} -> {step['to']}"]
    return " ".join(words)


def _merge(
    source: MergeSource, rows: Iterable[MergeRows], protected: Collection[str]
) -> GraphMerge:
    is_protected = graph_address(source.graph) in protected
    migration = source.migration
    return GraphMerge(
        graph=source.graph,
        way="load" if source.into_commit is None else "merge",
        branch=source.branch,
        commit=source.commit,
        into=source.into,
        into_commit=source.into_commit,
        rows=tuple(sorted(rows, key=lambda r: r.type_name)),
        schema_steps=() if migration is None else tuple(map(step_words, migration.steps)),
        supported=migration is None or migration.supported,
        protected=is_protected,
        waits=tuple(_waits(source, protected=is_protected)),
    )


def _waits(source: MergeSource, *, protected: bool) -> Iterator[MergeWait]:
    if source.into_commit is None:
        yield MergeWait(reason="graph", address=graph_address(source.graph))
    elif source.migration is not None and source.migration.steps:
        yield MergeWait(reason="schema", address=schema_address(source.graph))
    if protected:
        yield MergeWait(reason="approval", address=graph_address(source.graph))


def _rows(found: RowChanges) -> MergeRows:
    return MergeRows(
        type_name=found.type_name,
        added=found.added,
        changed=found.changed,
        removed=found.removed,
    )
