"""Clusters on paper: desired, recorded and live values that fit together, without a folder or storage.

For tests of the planner and of views. Contents are short texts whose digests are real; a schema is
given as types with properties, e.g. ``{"Package": "name! note?"}``: ``!`` is the key, ``?``
nullable, ``#`` indexed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from agentctl.canonical import digest_of, sha256_hex
from agentctl.diagnostics.span import Span
from agentctl.domain.config.model import (
    Dependency,
    DesiredCluster,
    DesiredGraph,
    DesiredPolicy,
    DesiredQuery,
    DesiredSchema,
    ResourceSummary,
)
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.ledger.state import AppliedResource, AppliedRevision, State
from agentctl.domain.plan.inputs import PlanInputs
from agentctl.ids import Address, graph_address, policy_address, query_address, schema_address
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.ir import evolve_ir
from agentctl.languages.schema.types import (
    Catalog,
    EdgeType,
    NodeType,
    Property,
    PropertyType,
    Scalar,
)

NOW: Final = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)
CLUSTER_ID: Final = "c" * 64
WHERE: Final = Span(file="paper.pg", line=1, column=1, end_line=1, end_column=1)

Types = Mapping[str, str]
"""Properties by type name; an edge's name is ``Name: From -> To``."""


def paper_catalog(types: Types) -> Catalog:
    """Returns the catalog that *types* describe."""
    nodes: list[NodeType] = []
    edges: list[EdgeType] = []
    for declared, text in types.items():
        name, _, ends = declared.partition(":")
        words = text.split()
        properties = tuple(_property(word) for word in words)
        if ends:
            source, _, target = (part.strip() for part in ends.partition("->"))
            edges.append(
                EdgeType(
                    name=name, source=source, target=target, properties=properties, where=WHERE
                )
            )
        else:
            key = tuple(word.rstrip("!") for word in words if word.endswith("!"))
            nodes.append(NodeType(name=name, properties=properties, key=key, where=WHERE))
    return Catalog(nodes=tuple(nodes), edges=tuple(edges))


def paper_graph(
    graph_id: str, types: Types, *, queries: Mapping[str, str] | None = None, remark: str = ""
) -> DesiredGraph:
    """Returns a declared graph; *remark* changes the schema's bytes and not its shape."""
    catalog = paper_catalog(types)
    text = repr(dict(types))
    schema = DesiredSchema(
        file=f"{graph_id}.pg",
        digest=sha256_hex(f"{remark}{text}".encode()),
        shape_digest=f"sha256:{sha256_hex(text.encode())}",
        catalog=catalog,
    )
    stored = tuple(
        DesiredQuery(
            name=name,
            file=f"{name}.gq",
            digest=sha256_hex(content.encode()),
            checked=CheckedQuery(name=name, params=()),
        )
        for name, content in sorted((queries or {}).items())
    )
    composite = digest_of([graph_id, schema.digest, [[q.name, q.digest] for q in stored]])
    return DesiredGraph(id=graph_id, schema=schema, queries=stored, digest=composite)


def paper_policy(name: str, content: str, applies_to: tuple[str, ...]) -> DesiredPolicy:
    """Returns a declared policy bundle."""
    return DesiredPolicy(
        name=name,
        file=f"{name}.yaml",
        digest=sha256_hex(content.encode()),
        applies_to=tuple(sorted(applies_to)),
    )


def paper_cluster(
    *graphs: DesiredGraph, policies: tuple[DesiredPolicy, ...] = ()
) -> DesiredCluster:
    """Returns the desired state that declares these graphs and policies."""
    summaries: list[ResourceSummary] = []
    edges: set[Dependency] = set()
    for graph in graphs:
        own, schema = graph_address(graph.id), schema_address(graph.id)
        summaries.append(ResourceSummary(address=own, kind="graph", digest=graph.digest))
        summaries.append(
            ResourceSummary(
                address=schema, kind="schema", digest=graph.schema.digest, path=graph.schema.file
            )
        )
        edges.add(Dependency(source=schema, target=own))
        for query in graph.queries:
            address = query_address(graph.id, query.name)
            summaries.append(
                ResourceSummary(address=address, kind="query", digest=query.digest, path=query.file)
            )
            edges |= {Dependency(source=address, target=target) for target in (own, schema)}
    for policy in policies:
        address = policy_address(policy.name)
        summaries.append(
            ResourceSummary(address=address, kind="policy", digest=policy.digest, path=policy.file)
        )
        edges |= {
            Dependency(source=address, target=Address(scope))
            for scope in policy.applies_to
            if scope != "cluster"
        }
    digests = {s.address: s.digest for s in summaries}
    scopes = [[p.name, list(p.applies_to)] for p in policies]
    return DesiredCluster(
        name="paper",
        storage=None,
        lock=True,
        graphs=tuple(sorted(graphs, key=lambda g: g.id)),
        policies=tuple(sorted(policies, key=lambda p: p.name)),
        config_digest=digest_of([digests, scopes]),
        resources=tuple(sorted(summaries, key=lambda s: s.address)),
        dependencies=tuple(sorted(edges)),
        files={},
        source_digest=digest_of(digests),
    )


def paper_state(cluster: DesiredCluster, *, revision: int = 1) -> State:
    """Returns the state of a ledger to which *cluster* was applied."""
    bindings = {policy_address(p.name): p.applies_to for p in cluster.policies}
    return State(
        state_revision=revision,
        applied_revision=AppliedRevision(
            config_digest=cluster.config_digest,
            resources={
                s.address: AppliedResource(digest=s.digest, applies_to=bindings.get(s.address))
                for s in cluster.resources
            },
        ),
    )


def paper_live(
    graph: DesiredGraph, *, rows: Mapping[str, int] | None = None, commit: int = 1
) -> LiveGraph:
    """Returns what a root shows to which *graph* was applied."""
    ids = iter(range(1_000_000))
    return LiveGraph(
        graph_id=graph.id,
        uri=f"file:///paper/graphs/{graph.id}.omni",
        presence="live",
        commit=commit,
        nonce="0" * 32,
        incarnation="01J9ZZZZZZZZZZZZZZZZZZZZZZ",
        source_digest=graph.schema.digest,
        shape_digest=graph.schema.shape_digest,
        ir=evolve_ir(None, graph.schema.catalog, lambda: f"{next(ids):026d}"),
        rows=rows or {},
        bytes=4096 * sum((rows or {}).values()),
        last_write="2026-11-21T03:00:00.000Z",
        branches=("main",),
    )


def paper_inputs(
    desired: DesiredCluster,
    applied: DesiredCluster | None = None,
    *,
    rows: Mapping[str, Mapping[str, int]] | None = None,
    **changed: object,
) -> PlanInputs:
    """Returns the inputs of a plan from *applied* (None: no ledger) to *desired*.

    Args:
        desired: what is wanted.
        applied: what was applied, and is live.
        rows: row counts by graph id.
        changed: fields of `PlanInputs` that are to be otherwise.
    """
    state = paper_state(applied) if applied else None
    inputs = PlanInputs(
        desired=desired,
        state=state,
        cluster_id=CLUSTER_ID,
        principal="agent:sarah",
        now=NOW,
        state_cas=f"sha256:{digest_of(state)}" if state else None,
        state_revision=state.state_revision if state else 0,
        principals_head="sha256:" + "d" * 64,
        live={
            g.id: paper_live(g, rows=(rows or {}).get(g.id))
            for g in (applied.graphs if applied else ())
        },
    )
    return msgspec.structs.replace(inputs, **changed)


_SCALARS: Final = {scalar.value: scalar for scalar in Scalar}


def _property(word: str) -> Property:
    """``name``, ``name:I64``, then any of ``?`` nullable, ``#`` indexed, ``!`` key."""
    bare = word.rstrip("?#!")
    marks = word[len(bare) :]
    name, _, scalar = bare.partition(":")
    return Property(
        name=name,
        type=PropertyType(scalar=_SCALARS[scalar or "String"], nullable="?" in marks),
        indexed="#" in marks or "!" in marks,
        where=WHERE,
    )
