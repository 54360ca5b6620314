"""`queries`: finds stored queries of the applied revision."""

from typing import Annotated

import msgspec

from agentctl.engine import data
from agentctl.foreign import Foreign, show
from agentctl.ids import parse_address
from agentctl.languages.query.descriptor import Descriptor
from agentctl_tools.envelopes import count, done
from agentctl_tools.fields import PAGE_ROWS, Inside, Limit, Offset
from agentctl_tools.operation import Call, Envelope, Next, Operation
from agentctl_tools.policies import permitted_queries, policies_for

QUOTED_CELLS_MAX = 300


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `queries` takes."""

    within: Inside = msgspec.field(default="cluster", name="in")
    search: Annotated[
        str, msgspec.Meta(description="Words in the name or description.", max_length=200)
    ] = ""
    graph: Annotated[str | None, msgspec.Meta(description="Only of this graph.")] = None
    limit: Limit = PAGE_ROWS
    offset: Offset = 0


class AuthorSays(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Words by the query's author: foreign text, bounded, made harmless to show."""

    description: str | None = None
    instruction: str | None = None


class QueryListed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One stored query."""

    name: str
    graph: str
    address: str
    mutation: bool
    params: tuple[Descriptor, ...]
    columns: tuple[Descriptor, ...]
    by_the_querys_author: AuthorSays | None = None
    trouble: str | None = None
    """Why it cannot run now."""


class QueryList(msgspec.Struct, frozen=True, kw_only=True):
    """The queries found."""

    queries: tuple[QueryListed, ...]
    total: int


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    policies = await policies_for(call.cluster, call.caller)
    if isinstance(policies, Envelope):
        return policies
    seen = await permitted_queries(call.cluster, call.caller, policies, "list_query")
    known = await data.list_queries(call.cluster, call.caller, seen)
    words = given.search.lower().split()
    found = [
        q
        for q in known
        if (given.graph is None or q.address.startswith(f"query.{given.graph}."))
        and all(w in f"{q.address} {q.description or ''}".lower() for w in words)
    ]
    page = tuple(found[given.offset : given.offset + given.limit])
    calls: tuple[Next, ...] = ()
    if given.offset + len(page) < len(found):
        arguments = {"search": given.search, "offset": given.offset + len(page)}
        calls = (Next(tool="queries", arguments=arguments, why="The rest of the list."),)
    return done(
        f"{count(len(found), 'query', 'queries')}.",
        data=QueryList(queries=tuple(map(_listed, page)), total=len(found)),
        next_calls=calls,
    )


def _listed(entry: data.QueryEntry) -> QueryListed:
    parsed = parse_address(entry.address)
    assert parsed is not None
    assert parsed.graph is not None
    says = AuthorSays(
        description=_quoted(entry.description), instruction=_quoted(entry.instruction)
    )
    return QueryListed(
        name=parsed.name,
        graph=parsed.graph,
        address=entry.address,
        mutation=entry.mutation,
        params=entry.params,
        columns=entry.columns,
        by_the_querys_author=says if entry.description or entry.instruction else None,
        trouble=entry.trouble,
    )


def _quoted(text: str | None) -> str | None:
    return show(Foreign(text), limit=QUOTED_CELLS_MAX) if text is not None else None


OPERATION = Operation(
    name="queries",
    operation_class="read",
    action="list_query",
    arguments=Arguments,
    handler=_handle,
    describe="Look. Finds stored queries with their parameters. Run one with run_query.",
    inside=True,
    resource=lambda given: f"graph.{given.graph}" if given.graph else "cluster",
    result=QueryList,
    mcp_tool="queries",
    idempotent=True,
)
