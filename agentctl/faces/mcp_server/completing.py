"""Completions of addresses and ids, from what the caller may read."""

from collections.abc import Iterable
from typing import Any, Final

import mcp_types as types

from agentctl.diagnostics.codes import CODES
from agentctl.faces.mcp_server.doorway import Context, Doorway, Doorways, doorway_of
from agentctl.faces.mcp_server.limits import require_look
from agentctl.faces.mcp_server.runtime import runtime_of
from agentctl_tools.catalog import OPERATIONS
from agentctl_tools.explain import TERMS

VALUES_MAX: Final = 100
"""By the protocol."""
_LISTED: Final = 200


class Completing:
    """Serves ``completion/complete``."""

    def __init__(self, doorways: Doorways) -> None:
        self._doorways = doorways

    async def __call__(
        self, context: Context, params: types.CompleteRequestParams
    ) -> types.CompleteResult:
        """Returns what the argument may become: what begins so first, then what holds it."""
        door = await doorway_of(self._doorways, context)
        require_look(runtime_of(context).quotas, door.principal)
        known = sorted(set(await _known(door, params)))
        value = params.argument.value.lower()
        first = [k for k in known if k.lower().startswith(value)]
        rest = [k for k in known if value in k.lower() and not k.lower().startswith(value)]
        found = [*first, *rest]
        return types.CompleteResult(
            completion=types.Completion(
                values=found[:VALUES_MAX], total=len(found), has_more=len(found) > VALUES_MAX
            )
        )


async def _known(door: Doorway, params: types.CompleteRequestParams) -> Iterable[str]:
    ref, name = params.ref, params.argument.name
    if name == "in":
        return await _sandboxes(door)
    if isinstance(ref, types.PromptReference):
        return await _resources(door) if name == "resource" else ()
    template = str(ref.uri).removeprefix("agentctl://").partition("/")[0]
    match template, name:
        case "op", "id":
            known = await _listed(door, "ops", {"limit": _LISTED}, "ops", "id")
        case "sandbox", "id":
            known = await _sandboxes(door)
        case "plan", "id":
            known = await _listed(door, "approvals", {}, "requests", "plan_digest")
        case "schema", "graph":
            applied = await _resources(door)
            known = [a.removeprefix("graph.") for a in applied if a.startswith("graph.")]
        case "rows", "query":
            known = await _queries(door, params.argument.value)
        case "explain", "what":
            known = [*CODES, *TERMS, *OPERATIONS]
        case _:
            known = []
    return known


async def _sandboxes(door: Doorway) -> list[str]:
    return await _listed(door, "sandbox_list", {}, "sandboxes", "sandbox")


async def _queries(door: Doorway, begun: str) -> list[str]:
    words = begun.partition(".")[2] or begun
    arguments = {"search": words, "limit": _LISTED}
    listed: Any = (await door("queries", arguments)).data
    return [f"{q.graph}.{q.name}" for q in getattr(listed, "queries", ())]


async def _resources(door: Doorway) -> list[str]:
    """Returns the addresses that are applied."""
    status: Any = (await door("status", {})).data
    return sorted(getattr(status, "resource_digests", {}))


async def _listed(
    door: Doorway, operation: str, arguments: dict[str, object], field: str, name: str
) -> list[str]:
    listed: Any = (await door(operation, arguments)).data
    values = (getattr(one, name, None) for one in getattr(listed, field, ()))
    return [str(value) for value in values if value]
