"""Reads through the control plane: stored queries and ad hoc ones, at a point of a branch, within bounds.

A read looks at one commit. Where nothing but the newest of `main` is asked for, any engine of graphs
answers; points, branches, bounds and plans need its data plane. Source: graph-engine 3.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.engine.cluster import Cluster
from agentctl.engine.embedders import bound_embedder
from agentctl.engine.gather import observe_graph
from agentctl.engine.graph_data import has_data, place_of
from agentctl.engine.stored import seen_at, stored_query, wrong_kind
from agentctl.graph.asking import NEWEST, Point
from agentctl.graph.layout import MAIN
from agentctl.graph.port import GraphError, ReadReply
from agentctl.graph.reads.explained import Explained
from agentctl.graph.reads.options import MEMORY_BYTES, ReadOptions
from agentctl.ids import graph_address
from agentctl.languages.query.params import bind_params
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.ir import SchemaIr, catalog_of

Explain = Literal["plan", "analyze"]
TEXT: str = "query"
"""How diagnostics name the text of an ad hoc query."""
_GRAPHS: str = "agentctl graph list"
"""Tells which graphs there are, and how each of them is."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Where a read looks, how far it goes, and whether its plan is wanted in place of its rows."""

    branch: str = MAIN
    at: str | None = None
    """A commit's number, a commit's id, a tag or a time; None is the newest of the branch."""
    explain: Explain | None = None
    """`plan` tells what would be done; `analyze` does it, and tells what that took."""
    limit: int | None = None
    deadline_s: float | None = None
    memory_bytes: int = MEMORY_BYTES

    @property
    def point(self) -> Point:
        """The commit that is read, as the engine takes it."""
        return Point(branch=self.branch, at=self.at)

    @property
    def is_plain(self) -> bool:
        """Whether it is the newest of `main`, and its rows."""
        return (self.branch, self.at, self.explain) == (MAIN, None, None)


class QueryReply(ReadReply, frozen=True, kw_only=True, omit_defaults=True):
    """The rows of a read, or its plan."""

    plan: Explained | None = None
    """Where it was asked for; there are no rows then."""


class QueryOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a query, or why there is none."""

    reply: QueryReply | None
    diagnostics: tuple[Diagnostic, ...] = ()


async def read_stored(
    cluster: Cluster, address: str, params: Mapping[str, object], look: Look
) -> QueryOutcome:
    """Returns the answer of a stored read of the applied revision."""
    found = await stored_query(cluster, address, look.point)
    if found.query is None:
        return _none(*found.diagnostics)
    refused = wrong_kind(found.query, address, changes=False)
    if refused is not None:
        return _none(refused)
    return await _answer(cluster, found.graph, found.query, params, look, path=address)


async def read_text(
    cluster: Cluster, graph: str, text: str, params: Mapping[str, object], look: Look
) -> QueryOutcome:
    """Returns the answer of an ad hoc read: one declaration of a query, which nobody stored.

    It is checked against the schema of the commit that is read.
    """
    live = await observe_graph(cluster, graph)
    if live.presence != "live" or live.ir is None:
        code = "graph_not_found" if live.presence == "absent" else "graph_observation_error"
        why = f"graph {graph} is {live.presence}, so nothing of it is read"
        told = error(code, graph_address(graph), why, detail=live.error, remedy=_GRAPHS)
        return _none(told)
    if look.point != NEWEST:
        try:
            live = await seen_at(cluster, live, look.point)
        except GraphError as failure:
            return _none(failure.diagnostic)
    assert live.ir is not None, "it lives"
    query = _one_read(text, live.ir)
    if isinstance(query, tuple):
        return _none(*query)
    return await _answer(cluster, graph, query, params, look, path=TEXT)


def _one_read(text: str, ir: SchemaIr) -> CheckedQuery | tuple[Diagnostic, ...]:
    """Returns the one read that a text declares, checked, or why it is none."""
    # Many commands may read, and few do.
    from agentctl.languages.query.compile import check_query, parse_query_file

    file = parse_query_file(text.encode(), file=TEXT)
    if has_errors(file.diagnostics):
        return file.diagnostics
    if len(file.declarations) != 1:
        why = f"the text declares {len(file.declarations)} queries; it has to be one"
        return (error("invalid_arguments", "$.query", why, remedy="query q() { … }"),)
    checked = check_query(file.declarations[0], catalog_of(ir))
    if checked.query is None or has_errors(checked.diagnostics):
        return checked.diagnostics
    if checked.query.mutates:
        why = "an ad hoc query only reads; what changes a graph is stored and applied first"
        return (error("query_wrong_kind", TEXT, why, remedy="agentctl mutate GRAPH.NAME"),)
    return checked.query


async def _answer(  # what is read, where, and with what
    cluster: Cluster,
    graph: str,
    query: CheckedQuery,
    params: Mapping[str, object],
    look: Look,
    *,
    path: str,
) -> QueryOutcome:
    bound = bind_params(query, params, path=path)
    if has_errors(bound.diagnostics):
        return _none(*bound.diagnostics)
    try:
        reply = await _read(cluster, graph, query, bound.values, look)
    except GraphError as failure:
        return _none(failure.diagnostic)
    return QueryOutcome(reply=reply, diagnostics=bound.diagnostics)


async def _read(
    cluster: Cluster, graph: str, query: CheckedQuery, values: Mapping[str, object], look: Look
) -> QueryReply:
    async with bound_embedder(cluster, graph) as embedder:
        if look.is_plain and not has_data(cluster):
            reply = await cluster.graphs.run(
                graph, query, values, limit=look.limit, embedder=embedder
            )
            return _of(reply)
        place = await place_of(cluster, graph)
        data, root = place.data, place.root
        options = ReadOptions(
            limit=look.limit, deadline_s=look.deadline_s, memory_bytes=look.memory_bytes
        )
        if look.explain is None:
            return _of(
                await data.run(
                    root, query, values, options=options, point=look.point, embedder=embedder
                )
            )
        commit = await data.commit_at(root, branch=look.branch, at=look.at)
        told = await data.explain(
            root,
            query,
            values,
            analyze=look.explain == "analyze",
            options=options,
            point=Point(branch=look.branch, at=commit.id),
            embedder=embedder,
        )
    return QueryReply(
        query_name=query.name,
        target={"branch": commit.branch},
        row_count=0,
        columns=(),
        rows=(),
        graph_commit_id=commit.id,
        plan=told,
    )


def _of(reply: ReadReply) -> QueryReply:
    return QueryReply(
        query_name=reply.query_name,
        target=reply.target,
        row_count=reply.row_count,
        columns=reply.columns,
        rows=reply.rows,
        graph_commit_id=reply.graph_commit_id,
    )


def _none(*told: Diagnostic) -> QueryOutcome:
    return QueryOutcome(reply=None, diagnostics=told)
