"""`sandbox_write`: loads rows or runs a stored mutation in a sandbox; nothing real changes."""

from typing import Annotated, Any, Literal

import msgspec

from agentctl_tools import insides, load_rows, mutate
from agentctl_tools.envelopes import failed, refused
from agentctl_tools.fields import Branch, SandboxNamed
from agentctl_tools.load import LoadAnswer
from agentctl_tools.operation import Call, Envelope, Operation

INTENT = "tried in a sandbox"


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sandbox_write` takes: rows for a graph, or a stored mutation."""

    within: SandboxNamed = msgspec.field(name="in")
    graph: Annotated[str, msgspec.Meta(description="Of `rows`.", max_length=200)] | None = None
    rows: (
        Annotated[
            str,
            msgspec.Meta(
                description="NDJSON, one row a line.", max_length=load_rows.ROWS_CHARACTERS_MAX
            ),
        ]
        | None
    ) = None
    mode: Literal["append", "merge", "overwrite"] = "append"
    query: (
        Annotated[str, msgspec.Meta(description="Or a stored mutation.", max_length=400)] | None
    ) = None
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    branch: Branch = "main"


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    if call.cluster.sandbox is None:
        return failed((insides.not_found(given.within),))
    if (given.rows is None) == (given.query is None):
        why = "it takes either `graph` with `rows`, or `query` with `params`"
        return refused("invalid_arguments", "$", why, remedy="Send one of the two.")
    if given.query is not None:
        asked: msgspec.Struct = mutate.Arguments(
            query=given.query, params=given.params, branch=given.branch, intent=INTENT
        )
        return await mutate.OPERATION.handler(msgspec.structs.replace(call, arguments=asked))
    if given.graph is None:
        why = "`rows` are of a graph, and none is named"
        return refused("invalid_arguments", "$.graph", why, remedy="Name it in `graph`.")
    asked = load_rows.Arguments(
        graph=given.graph, rows=given.rows, mode=given.mode, branch=given.branch, intent=INTENT
    )
    return await load_rows.OPERATION.handler(msgspec.structs.replace(call, arguments=asked))


OPERATION = Operation(
    name="sandbox_write",
    operation_class="write",
    recorded=True,
    action="sandbox_use",
    arguments=Arguments,
    handler=_handle,
    describe="Try. Loads rows into a graph of a sandbox, or runs a stored mutation there.",
    resource=insides.resource,
    context=lambda _: insides.CONTEXT,
    result=LoadAnswer | mutate.MutateAnswer,
    inside=True,
    mcp_tool="sandbox_write",
)
