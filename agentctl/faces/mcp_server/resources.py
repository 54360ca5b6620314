"""The resources of the server: wholes behind the links of bounded results, read through the door."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

import mcp_types as types
import msgspec

from agentctl.faces.mcp_server.doorway import Doorway
from agentctl.faces.mcp_server.projection import unknown_arguments

SCHEME: Final = "agentctl://"
ROWS_MAX: Final = 10_000
PAGE_CHARACTERS: Final = 32_000
"""Of one read; the rest follows under ``?offset=``."""
_OFFSET: Final = re.compile(r"\?offset=([0-9]{1,12})")

RESOURCES: Final = (
    types.Resource(
        name="cluster",
        uri="agentctl://cluster",
        description="Status of the cluster, whole.",
        mime_type="application/json",
    ),
    types.Resource(
        name="approvals",
        uri="agentctl://approvals",
        description="The requests that wait for a human.",
        mime_type="application/json",
    ),
    types.Resource(
        name="ops",
        uri="agentctl://ops",
        description="The newest changes, whole.",
        mime_type="application/json",
    ),
    types.Resource(
        name="sandboxes",
        uri="agentctl://sandboxes",
        description="Your sandboxes that are open.",
        mime_type="application/json",
    ),
)
TEMPLATES: Final = (
    types.ResourceTemplate(
        name="plan",
        uri_template="agentctl://plan/{id}",
        description="A kept plan, whole.",
        mime_type="application/json",
    ),
    types.ResourceTemplate(
        name="op",
        uri_template="agentctl://op/{id}",
        description="One op with its lineage.",
        mime_type="application/json",
    ),
    types.ResourceTemplate(
        name="sandbox",
        uri_template="agentctl://sandbox/{id}",
        description="One sandbox: its base, its snapshots, what it uses up.",
        mime_type="application/json",
    ),
    types.ResourceTemplate(
        name="schema",
        uri_template="agentctl://schema/{graph}",
        description="The schema of a graph.",
        mime_type="application/json",
    ),
    types.ResourceTemplate(
        name="explain",
        uri_template="agentctl://explain/{what}",
        description="What a code, a term or a tool means; of a tool the schema of its data.",
        mime_type="application/json",
    ),
    types.ResourceTemplate(
        name="rows",
        uri_template="agentctl://rows/{query}/{params}",
        description="All rows of a stored read; params are JSON, percent-encoded.",
        mime_type="application/json",
    ),
    types.ResourceTemplate(
        name="read",
        uri_template="agentctl://read/{tool}/{arguments}",
        description="The whole answer of `query` or `run_query`; arguments are JSON, as to the tool.",
        mime_type="application/json",
    ),
)

_WHOLES: Final[Mapping[str, tuple[str, Mapping[str, object]]]] = {
    "cluster": ("status", {}),
    "approvals": ("approvals", {}),
    "ops": ("ops", {"limit": 200}),
    "sandboxes": ("sandbox_list", {}),
}
"""The call behind each of `RESOURCES`."""


class UnknownResourceError(LookupError):
    """No resource has that URI."""


async def read_resource(uri: str, door: Doorway) -> str:
    """Returns the JSON text of a resource.

    Raises:
        UnknownResourceError: there is none of that URI; the message says why.
    """
    operation, arguments = _meant(split_offset(uri)[0])
    envelope = await door(operation, arguments)
    if not envelope.ok and envelope.data is None:
        raise UnknownResourceError("; ".join(d.message for d in envelope.diagnostics))
    return msgspec.json.encode(envelope.data).decode()


def split_offset(uri: str) -> tuple[str, int]:
    """Returns the URI of the whole and where its page begins, in characters."""
    found = _OFFSET.search(uri)
    if found is None or found.end() != len(uri):
        return uri, 0
    return uri[: found.start()], int(found[1])


def _meant(uri: str) -> tuple[str, dict[str, Any]]:  # noqa: PLR0911  # one return a kind
    kind, *parts = uri.removeprefix(SCHEME).split("/")
    if not parts and kind in _WHOLES:
        operation, whole = _WHOLES[kind]
        return operation, dict(whole)
    match kind, [unquote(part) for part in parts]:
        case "plan", [plan_id]:
            return "plan_show", {"plan_id": plan_id}
        case "op", [op_id]:
            return "ops", {"id": op_id}
        case "sandbox", [sandbox_id]:
            return "sandbox_show", {"in": sandbox_id}
        case "schema", [graph]:
            return "schema", {"graph": graph}
        case "explain", [what]:
            return "explain", {"what": what}
        case (("rows" | "read"), [named, given]):
            return _read(uri, kind, named, given)
        case _:
            msg = f"there is no resource {uri}"
            raise UnknownResourceError(msg)


def _read(uri: str, kind: str, named: str, text: str) -> tuple[str, dict[str, Any]]:
    """Returns the call of a stored read by its name, or of any by the arguments of its tool."""
    if kind == "rows":
        params = _object(uri, "params", text)
        return "run_query", {"query": named, "params": params, "limit": ROWS_MAX}
    given = _object(uri, "arguments", text)
    unknown = unknown_arguments(named, given)
    if named not in {"query", "run_query"} or unknown:
        msg = f"there is no resource {uri}" if not unknown else f"{named} takes no {unknown[0]}"
        raise UnknownResourceError(msg)
    return named, given


def _object(uri: str, name: str, text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as invalid:
        msg = f"{name} of {uri} are no JSON object"
        raise UnknownResourceError(msg) from invalid
