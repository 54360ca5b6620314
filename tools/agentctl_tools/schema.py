"""`schema`: the text of a graph's schema, applied or as a draft would have it."""

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.model import DesiredGraph
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import GraphId, In
from agentctl_tools.nearness import nearest
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.targets import loaded_of, target_of


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `schema` takes."""

    graph: GraphId
    within: In = msgspec.field(default="cluster", name="in")


class SchemaText(msgspec.Struct, frozen=True, kw_only=True):
    """A schema as it is written."""

    graph: str
    file: str
    digest: str
    """SHA-256 of its bytes."""
    applied: bool
    """Whether the ledger records exactly this one."""
    source: str


async def _handle(call: Call) -> Envelope:
    graph_id: str = call.arguments.graph
    loaded = await loaded_of(call.cluster, call.caller, target_of(call.arguments.within))
    if isinstance(loaded, Diagnostic):
        return failed((loaded,))
    if loaded.desired is None:
        return failed(loaded.diagnostics)
    graph = loaded.desired.graph(graph_id)
    if graph is None:
        near = nearest(graph_id, [g.id for g in loaded.desired.graphs])
        hint = f"Did you mean `{near}`?" if near else None
        told = error("graph_not_found", f"graph.{graph_id}", "no such graph", remedy=hint)
        return failed((told,))
    head = await call.cluster.ledger.head()
    recorded = None
    if head is not None:
        applied = head.envelope.state.applied_revision.resources
        resource = applied.get(f"schema.{graph_id}")
        recorded = resource.digest if resource is not None else None
    return _answer(graph, loaded.desired.files[graph.schema.file], recorded)


def _answer(graph: DesiredGraph, source: bytes, recorded: str | None) -> Envelope:
    nodes, edges = len(graph.schema.catalog.nodes), len(graph.schema.catalog.edges)
    data = SchemaText(
        graph=graph.id,
        file=graph.schema.file,
        digest=graph.schema.digest,
        applied=recorded == graph.schema.digest,
        source=source.decode("utf-8", "replace"),
    )
    told = "applied" if data.applied else "not applied as it stands"
    return done(
        f"{count(nodes, 'node type')}, {count(edges, 'edge type')}; {told}.",
        data=data,
        more=f"agentctl://schema/{graph.id}",
    )


OPERATION = Operation(
    name="schema",
    operation_class="read",
    action="schema_read",
    arguments=Arguments,
    handler=_handle,
    describe="Look. The schema of a graph: node and edge types with their properties.",
    resource=lambda given: f"graph.{given.graph}",
    result=SchemaText,
    inside=True,
    mcp_tool="schema",
    idempotent=True,
)
