"""The registry as MCP tools: names, descriptions, input schemas and annotations, and nothing else.

They are all that a model sees, so they carry the risk: a description begins with Look, Try or Real.
Two operations may share a tool; which one is meant is told by the argument that only it takes.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import mcp_types as types
import msgspec

from agentctl_tools.catalog import OPERATIONS
from agentctl_tools.operation import Operation
from agentctl_tools.tool_bounds import HIDDEN

ENVELOPE_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "ok": {"type": "boolean"},
        "summary": {"type": "string"},
        "next": {"type": "array", "items": {"type": "object"}},
        "data": {},
        "diagnostics": {"type": "array", "items": {"type": "object"}},
        "more": {"type": ["string", "null"]},
    },
    "required": ["ok", "summary", "next", "data", "diagnostics", "more"],
}
"""The output schema of every tool; `explain` has the full one of each."""

ALWAYS_REQUIRED: Final = ("intent", "idempotency_key")
"""What a change over MCP must bring although the command line has defaults."""
DEFAULTS: Final[Mapping[str, Mapping[str, object]]] = {
    "apply": {"without_gated": False},
    "reconcile": {"once": True},
}
"""Where a tool's default is another than the command line's: with open gates nothing is done, and
one call reconciles once."""
TOOLSETS: Final = ("operator", "commands", "rows", "playbooks")
"""What ``--toolsets`` takes; off by default. Their operations say in `toolset` which they are of."""
DESCRIPTIONS: Final[Mapping[str, str]] = {
    "approve": (
        "Real. Your half of an approval, never consent. With `gate`: asks a human to decide it "
        "(asked again, it is the same request). With `decision`: hands in one that an enrolled "
        "human signed elsewhere."
    ),
}
"""Of tools that stand for two operations."""

_UNSAID: Final = frozenset({"minLength", "maxLength", "pattern", "minimum"})


@cache
def tools(toolsets: frozenset[str] = frozenset()) -> Mapping[str, tuple[Operation, ...]]:
    """Returns the operations behind each tool, in the order of the catalog."""
    found: dict[str, tuple[Operation, ...]] = {}
    for operation in OPERATIONS.values():
        if operation.mcp_tool is None or not _in(operation, toolsets):
            continue
        assert operation.operation_class != "human_only", "consent has no projection here"
        found[operation.mcp_tool] = (*found.get(operation.mcp_tool, ()), operation)
    return found


def _in(operation: Operation, toolsets: frozenset[str]) -> bool:
    return operation.toolset is None or operation.toolset in toolsets


def operation_for(tool: str, arguments: Mapping[str, object]) -> Operation:
    """Returns the operation that a call of *tool* means."""
    candidates = tools(frozenset(TOOLSETS))[tool]
    for operation in candidates[1:]:
        own = _fields(operation) - _fields(candidates[0])
        if own & set(arguments):
            return operation
    return candidates[0]


def unknown_arguments(tool: str, arguments: Mapping[str, object]) -> tuple[str, ...]:
    """Returns the arguments that only the command line has; here they are as unknown as any."""
    return tuple(sorted(HIDDEN.get(tool, frozenset()) & set(arguments)))


def with_defaults(tool: str, arguments: Mapping[str, object]) -> dict[str, object]:
    """Returns the arguments with the tool's own defaults filled in."""
    return {**DEFAULTS.get(tool, {}), **arguments}


@cache
def tool_list(toolsets: frozenset[str] = frozenset()) -> tuple[types.Tool, ...]:
    """Returns the tools, in one order for everyone."""
    return tuple(_tool(name, operations) for name, operations in tools(toolsets).items())


def seen_bytes(tool: types.Tool) -> int:
    """Returns how much JSON a model sees of a tool, in ASCII: name, description and input schema."""
    seen = {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}
    return len(json.dumps(seen, separators=(",", ":")))


def input_schema_of(tool: str) -> Mapping[str, Any] | None:
    """Returns the input schema of a tool of the registry, in any toolset; None of others."""
    return _schemas().get(tool)


@cache
def _schemas() -> Mapping[str, Mapping[str, Any]]:
    return {tool.name: tool.input_schema for tool in tool_list(frozenset(TOOLSETS))}


@cache
def agent_bytes() -> int:
    """Returns how much JSON a model sees of the agent role's own tools."""
    return 2 + sum(seen_bytes(tool) + 1 for tool in tool_list())


def _tool(name: str, operations: tuple[Operation, ...]) -> types.Tool:
    first = operations[0]
    return types.Tool(
        name=name,
        description=DESCRIPTIONS.get(name, first.describe),
        input_schema=_input_schema(name, operations),
        output_schema=ENVELOPE_SCHEMA,
        annotations=types.ToolAnnotations(
            read_only_hint=all(o.operation_class == "read" for o in operations),
            destructive_hint=any(o.destructive for o in operations),
            idempotent_hint=all(o.idempotent for o in operations),
            open_world_hint=False,
        ),
    )


def _input_schema(name: str, operations: tuple[Operation, ...]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: set[str] | None = None
    for operation in operations:
        schema = _schema_of(operation.arguments)
        known = schema.get("properties", {})
        hidden = HIDDEN.get(name, frozenset())
        properties |= {k: _short(v) for k, v in known.items() if k not in hidden}
        wanted = set(schema.get("required", ()))
        required = wanted if required is None else required & wanted
    always = {field for field in ALWAYS_REQUIRED if field in properties}
    for field, default in DEFAULTS.get(name, {}).items():
        if field in properties:
            properties[field] = {**properties[field], "default": default}
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    needed = sorted((required or set()) | always)
    return schema | ({"required": needed} if needed else {})


def _schema_of(arguments: type[msgspec.Struct]) -> dict[str, Any]:
    (reference,), definitions = msgspec.json.schema_components(
        [arguments], ref_template="#/$defs/{name}"
    )
    root = dict(definitions.pop(reference["$ref"].rsplit("/", 1)[1]))
    assert not definitions, f"{arguments}: arguments of a tool are flat"
    return {key: value for key, value in root.items() if key not in {"title", "description"}}


def _short(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns a property's schema as short as it can be said: what may be left out is no null.

    How long a text or how small a number may be is left to the door, which says so to whoever sends
    another one.
    """
    kept = {k: v for k, v in schema.items() if k != "anyOf" and k not in _UNSAID}
    choices = [c for c in schema.get("anyOf", []) if c != {"type": "null"}]
    if len(choices) == 1:
        kept |= {k: v for k, v in choices[0].items() if k not in _UNSAID}
    elif choices:
        kept["anyOf"] = choices
    if kept.get("default", ...) in (None, False, "", {}, [], ()):
        del kept["default"]
    return kept


def _fields(operation: Operation) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(operation.arguments)}
