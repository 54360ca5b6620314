"""`promoted_queries`: the stored reads that policy makes tools of their own, with typed arguments."""

import re
from typing import Any, Final

import msgspec

from agentctl.domain.policy.promote import promoted
from agentctl.engine import data
from agentctl.foreign import Foreign, show
from agentctl.languages.query.descriptor import Descriptor
from agentctl_tools.envelopes import count, done
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.policies import policies_for

AUTHOR_CELLS_MAX: Final = 160
NAME_MAX: Final = 64
"""Of a tool; clients refuse longer ones."""
_NAME: Final = re.compile(r"q_[A-Za-z0-9_-]+", re.ASCII)
_TYPES: Final[dict[str, dict[str, Any]]] = {
    "string": {"type": "string"},
    "blob": {"type": "string"},
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "bigint": {"type": "integer"},
    "float": {"type": "number"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
}


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `promoted_queries` takes."""

    tool: str | None = None
    """Only the one of that name."""


class Promoted(msgspec.Struct, frozen=True, kw_only=True):
    """One query as a tool."""

    tool: str
    """``q_<graph>_<name>``."""
    query: str
    """``graph.name``."""
    describe: str
    schema: dict[str, Any]
    """Of its parameters, as JSON Schema."""


class PromotedList(msgspec.Struct, frozen=True, kw_only=True):
    """Those that the caller may run now."""

    tools: tuple[Promoted, ...]


def tool_name(query: str) -> str | None:
    """Returns the name of the tool for ``graph.name``; None where it would be no name of a tool."""
    name = "q_" + query.replace(".", "_", 1)
    return name if len(name) <= NAME_MAX and _NAME.fullmatch(name) is not None else None


async def _handle(call: Call) -> Envelope:
    policies = await policies_for(call.cluster, call.caller)
    if isinstance(policies, Envelope):
        return policies
    named: dict[str, str] = {}
    for query in promoted(policies, call.caller):
        name = tool_name(query)
        if name is not None:
            named.setdefault(name, query)  # Two queries of one name: the first by address has it.
    wanted = call.arguments.tool
    meant = {f"query.{q}": (t, q) for t, q in named.items() if wanted in (None, t)}
    listed = await data.list_queries(call.cluster, call.caller, frozenset(meant)) if meant else ()
    found = [
        _promoted(*meant[entry.address], entry)
        for entry in listed
        if entry.trouble is None and not entry.mutation
    ]
    return done(f"{count(len(found), 'query', 'queries')}.", data=PromotedList(tools=tuple(found)))


def _promoted(name: str, query: str, entry: data.QueryEntry) -> Promoted:
    told = f"Look. Runs the stored read {query}."
    if entry.description:
        said = show(Foreign(entry.description), limit=AUTHOR_CELLS_MAX).replace('"', "'")
        told += f' By the query\'s author: "{said}"'
    required = [p.name for p in entry.params if not p.nullable]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {p.name: _type(p) for p in entry.params},
        "additionalProperties": False,
    }
    if required:
        schema["required"] = required
    return Promoted(tool=name, query=query, describe=told, schema=schema)


def _type(param: Descriptor) -> dict[str, Any]:
    match param.kind:
        case "list":
            return {"type": "array", "items": _TYPES.get(param.item_kind or "", {})}
        case "vector":
            bound = {} if param.vector_dim is None else {"minItems": param.vector_dim}
            return {"type": "array", "items": {"type": "number"}, **bound}
        case kind:
            return _TYPES.get(kind, {})


OPERATION = Operation(
    name="promoted_queries",
    operation_class="read",
    action="list_query",
    arguments=Arguments,
    handler=_handle,
    describe="Look. The stored reads that policy makes tools of their own.",
    resource=lambda _: "cluster",
    result=PromotedList,
    idempotent=True,
)
