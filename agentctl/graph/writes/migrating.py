"""Migrations: another schema for a branch, by one commit `schema`, or a refusal that changes nothing.

The rows are judged first where the schema permits less; then the datasets get what it adds (columns,
wider columns, indexes, datasets of new types), pinned; the commit decides. What it leaves out stays
in the data until an erasure, so that an earlier commit can be gone back to. A crash leaves the old
schema or the new one. Source: graph-engine 2, control-plane 2.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agentctl.graph.commit import Commit, TypeState, next_commit
from agentctl.graph.judging import Asked, judgements, refuse_broken
from agentctl.graph.layout import MAIN
from agentctl.graph.migration import check_migration, check_types
from agentctl.graph.port import SchemaPayload, Stamp
from agentctl.graph.roots import GraphRoots

if TYPE_CHECKING:
    from agentctl.graph.tables import Tables


async def migrate(
    roots: GraphRoots,
    graph_id: str,
    *,
    schema: SchemaPayload,
    observed: int,
    stamp: Stamp,
    branch: str = MAIN,
) -> int:
    """Makes *schema* the one in force on top of commit *observed* of *branch*; returns the number.

    A branch keeps the schema that it was cut with until it is asked here, or merged. The identities
    of *schema* are those that its IR says, so that a branch that is given main's IR has main's types.

    Raises:
        GraphError: `schema_rows_violate`, with how many rows break what; nothing is changed.
        ReadSetConflictError: another writer was faster.
    """
    check_types(graph_id, schema.ir)
    head, done = await roots.begin(graph_id, observed, stamp, branch=branch)
    if done is not None:
        return done
    before = await roots.ir(graph_id, head)
    check_migration(before, schema.ir)
    asked = judgements(before, schema.ir)
    if asked:
        await _judge(roots, graph_id, head, asked)
    ref = await roots.write_schema(graph_id, schema)
    tag = roots.tag(head.n + 1, stamp, head.branch)

    def reshape(tables: "Tables") -> Mapping[str, TypeState]:
        from agentctl.graph.writing import reshape_types

        return reshape_types(tables, head, schema.ir, tag=tag)

    types = await roots.on_tables(graph_id, head.incarnation, reshape)
    commit = next_commit(head, "schema", stamp, schema=ref, types=types)
    return await roots.log.append(graph_id, commit, head=head)


async def _judge(roots: GraphRoots, graph_id: str, head: Commit, asked: tuple[Asked, ...]) -> None:
    """Refuses a schema that the rows of *head* break."""

    def count(tables: "Tables") -> list[tuple[Asked, int]]:
        from agentctl.graph.writes.judged import broken_rows

        return [(each, broken_rows(tables, head, each)) for each in asked]

    refuse_broken(graph_id, await roots.on_tables(graph_id, head.incarnation, count))
