"""What of graphs is served: the applied schema, the newest commits, and how the listener stands.

A process that serves withholds what is not as the ledger records it; one that does not serve
withholds nothing here.
"""

from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ledger.served import Served
from agentctl.engine import data
from agentctl.engine.absent import state_missing
from agentctl.engine.advance import recorded_digests
from agentctl.engine.cluster import Cluster
from agentctl.engine.revisions import load_revision
from agentctl.engine.serving import Serving
from agentctl.graph.port import CommitInfo
from agentctl.ids import schema_address
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import PAGE_ROWS, GraphId, Limit
from agentctl_tools.nearness import nearest
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.schema import SchemaText


class NoArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`served` takes no arguments."""


class SchemaArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_schema` takes."""

    graph: GraphId


class CommitArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_commits` takes."""

    graph: GraphId
    id: Annotated[str, msgspec.Meta(description="Only this one.", max_length=200)] | None = None
    limit: Limit = PAGE_ROWS


class Commits(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    commits: tuple[CommitInfo, ...]


async def withheld(cluster: Cluster, graph_id: str) -> Diagnostic | None:
    """Returns why a process that serves does not serve this graph; None where it does."""
    if cluster.serving is None:
        return None
    looked = await cluster.serving()
    return looked.withheld.get(graph_id) if looked.ready else looked.diagnostics[0]


async def _served(call: Call) -> Envelope:
    look = call.cluster.serving or Serving(call.cluster).look
    looked = await look()
    if not looked.ready:
        return failed(looked.diagnostics, data=looked)
    told = tuple(looked.withheld[g] for g in sorted(looked.withheld))
    summary = f"Revision {looked.state_revision}, {count(len(looked.graphs), 'graph')} served."
    return done(summary, data=looked, diagnostics=told, ok=True)


async def _schema(call: Call) -> Envelope:
    graph_id: str = call.arguments.graph
    told = await withheld(call.cluster, graph_id)
    if told is not None:
        return failed((told,))
    head = await call.cluster.ledger.head()
    if head is None:
        return failed((state_missing(),))
    recorded = recorded_digests(head.envelope.state)
    digest = recorded.get(schema_address(graph_id))
    if digest is None:
        return failed((_no_graph(graph_id, recorded),))
    revision = await load_revision(call.cluster.store, call.cluster.ledger, head.seq)
    graph = revision.desired.graph(graph_id) if revision.desired is not None else None
    if revision.desired is None or graph is None or graph.schema.digest != digest:
        return failed(revision.diagnostics or (_no_graph(graph_id, recorded),))
    source = revision.desired.files[graph.schema.file].decode("utf-8", "replace")
    text = SchemaText(
        graph=graph_id, file=graph.schema.file, digest=digest, applied=True, source=source
    )
    return done("The applied schema.", data=text)


async def _commits(call: Call) -> Envelope:
    given = call.arguments
    told = await withheld(call.cluster, given.graph)
    if told is not None:
        return failed((told,))
    shown = await data.graph_show(call.cluster, call.caller, given.graph)
    if shown is None:
        return failed((_no_graph(given.graph, {}),))
    commits = shown.commits
    if given.id is not None:
        commits = tuple(c for c in commits if c.id == given.id)
        if not commits:
            why = "none of the newest commits has that id"
            return failed((error("commit_not_found", f"graph.{given.graph}", why),))
    commits = commits[: given.limit]
    return done(f"{count(len(commits), 'commit')}.", data=Commits(commits=commits))


def _no_graph(graph_id: str, recorded: object) -> Diagnostic:
    known = [str(a).removeprefix("graph.") for a in recorded] if isinstance(recorded, dict) else []
    near = nearest(graph_id, known)
    hint = f"Did you mean `{near}`?" if near else None
    why = "the applied revision has no such graph"
    return error("graph_not_found", f"graph.{graph_id}", why, remedy=hint)


SERVED = Operation(
    name="served",
    operation_class="read",
    action="cluster_status",
    arguments=NoArguments,
    handler=_served,
    describe="Look. Which revision and which graphs are served, and what is withheld.",
    resource=lambda _: "cluster",
    result=Served,
    idempotent=True,
)
SCHEMA = Operation(
    name="graph_schema",
    operation_class="read",
    action="schema_read",
    arguments=SchemaArguments,
    handler=_schema,
    describe="Look. The schema of a graph as it was applied.",
    resource=lambda given: f"graph.{given.graph}",
    result=SchemaText,
    idempotent=True,
)
COMMITS = Operation(
    name="graph_commits",
    operation_class="read",
    action="read",
    arguments=CommitArguments,
    handler=_commits,
    describe="Look. The newest commits of a graph.",
    resource=lambda given: f"graph.{given.graph}",
    result=Commits,
    idempotent=True,
)
