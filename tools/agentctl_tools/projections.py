"""The four projections of the registry: which command, tool, route and page leads to which operation.

Everything here follows from the catalog, and from the table of verbs that the command line is built
from: nothing is listed twice. Source: access-and-faces 3.2.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from agentctl_tools.catalog import OPERATIONS
from agentctl_tools.operation import Operation, OperationClass

TUI: Final = "tui"
"""The verb whose operations are those of the terminal's pages."""
HTTP_ROUTE: Final = "/v1/ops/{operation}"

HTTP_LEFT_OUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "load": "it reads a file of the operator's own machine; `load_rows` takes the rows",
        "graph_export": "its lines go out as they are read; `POST /graphs/{graph}/export` sends them",
        "notify": "it runs what the profile of the operator's own machine names",
        "audit_anchor": "it writes where only the operator's own process may",
        "archive_fetch": "it writes a folder of the operator's own machine",
        "backup_create": "it writes to a place of the operator's own machine",
        "backup_list": "it reads a place of the operator's own machine",
        "backup_verify": "it reads a place of the operator's own machine",
    }
)
"""What has no route although it is nobody's consent, and why: it is about the machine it runs on."""
HTTP_FORCED: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType(
    {"reconcile": MappingProxyType({"once": True})}
)
"""Arguments that a request cannot choose: one that would run for months is made once."""


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """One operation, and every way that leads to it."""

    operation: str
    operation_class: OperationClass
    action: str
    cli: tuple[str, ...]
    """Verbs."""
    tui: bool
    mcp: str | None
    """The tool, in whatever toolset."""
    http: str | None
    """The route; the routes of graphs lead to the same operations."""


def http_operations() -> tuple[Operation, ...]:
    """Returns the operations that have a route, in the order of the catalog.

    A consent has none: asked for, it is refused by the door, which records that.
    """
    return tuple(
        o
        for o in OPERATIONS.values()
        if o.operation_class != "human_only" and o.name not in HTTP_LEFT_OUT
    )


def projections(verbs: Mapping[str, Iterable[str]]) -> tuple[Projection, ...]:
    """Returns every operation with its projections, in the order of the catalog.

    Args:
        verbs: the operations of each verb of the command line.
    """
    routes = {o.name for o in http_operations()}
    by_verb = {verb: frozenset(operations) for verb, operations in verbs.items()}
    return tuple(
        Projection(
            operation=o.name,
            operation_class=o.operation_class,
            action=o.action,
            cli=tuple(v for v, called in by_verb.items() if o.name in called and v != TUI),
            tui=o.name in by_verb.get(TUI, frozenset()),
            mcp=o.mcp_tool,
            http=HTTP_ROUTE.format(operation=o.name) if o.name in routes else None,
        )
        for o in OPERATIONS.values()
    )
