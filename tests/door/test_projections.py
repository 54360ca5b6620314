"""The four projections follow from the registry: every way in is an operation's, and consent has few."""

from typing import Any

import pytest
from starlette.routing import Route

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.ledger.served import Served
from agentctl.faces.cli.verbs import VERBS
from agentctl.faces.http.app import make_server
from agentctl.faces.http.graphs import ROUTES
from agentctl.faces.http.service import Service
from agentctl.faces.mcp_server.projection import TOOLSETS, tools
from agentctl_tools.callers import TokenCaller
from agentctl_tools.catalog import CONSENT_WORDS, OPERATIONS
from agentctl_tools.envelopes import done
from agentctl_tools.operation import Envelope
from agentctl_tools.projections import (
    HTTP_FORCED,
    HTTP_LEFT_OUT,
    Projection,
    http_operations,
    projections,
)

WITHOUT_OPERATION = {"/healthz", "/readyz", "/openapi.json", "/metrics"}
"""Routes that tell of the process; `/metrics` asks the door whether the visitor may see `served`."""
BEHIND_RESOURCES = {"plan_show", "promoted"}
"""What the MCP server asks the door for besides its tools."""


def table() -> tuple[Projection, ...]:
    return projections({verb.name: verb.operations for verb in VERBS.values()})


def app() -> Any:
    async def nobody(_: str) -> TokenCaller | Diagnostic:
        raise NotImplementedError

    async def door(*_: object, **__: object) -> Envelope:
        return done("")

    async def refuse(_: Diagnostic) -> None:
        return None

    async def standing() -> Served:
        raise NotImplementedError

    service = Service(identify=nobody, door=door, refuse=refuse, now=lambda: 0.0, standing=standing)
    return make_server(service).app


def test_the_table_holds_every_operation_once_with_its_class_and_action() -> None:
    assert [p.operation for p in table()] == list(OPERATIONS)
    for projection in table():
        operation = OPERATIONS[projection.operation]
        assert projection.operation_class == operation.operation_class
        assert projection.action == operation.action


def test_every_operation_can_be_called_by_somebody() -> None:
    alone = [p.operation for p in table() if not (p.cli or p.tui or p.mcp or p.http)]

    assert set(alone) <= BEHIND_RESOURCES


def test_a_consent_is_given_at_a_terminal_and_nowhere_else() -> None:
    for projection in table():
        if projection.operation_class == "human_only":
            assert projection.mcp is None
            assert projection.http is None
            assert projection.cli or projection.tui, projection.operation


def test_the_tools_of_the_table_are_those_that_the_mcp_server_offers() -> None:
    told: dict[str, set[str]] = {}
    for projection in table():
        if projection.mcp is not None:
            told.setdefault(projection.mcp, set()).add(projection.operation)

    offered = tools(frozenset(TOOLSETS))
    assert told == {tool: {o.name for o in operations} for tool, operations in offered.items()}


def test_the_routes_of_the_table_are_those_of_the_server_and_it_has_no_others() -> None:
    served = {route.path for route in app().routes if isinstance(route, Route)}
    of_graphs = {route.path for route in ROUTES}

    assert served == of_graphs | WITHOUT_OPERATION | {"/v1/ops/{operation}", "/v1/ops/{op}/events"}
    assert {p.operation for p in table() if p.http} == {o.name for o in http_operations()}


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
def test_a_route_of_a_graph_is_another_form_of_an_operation_that_has_a_route(route: Any) -> None:
    streams = {"graph_export"}
    assert route.operation in {o.name for o in http_operations()} | streams
    reads = OPERATIONS[route.operation].operation_class == "read"
    assert reads or route.method in {"POST", "DELETE"}


def test_what_is_left_out_and_what_is_forced_are_operations_and_their_arguments() -> None:
    assert set(HTTP_LEFT_OUT) <= set(OPERATIONS)
    assert set(HTTP_LEFT_OUT).isdisjoint(CONSENT_WORDS)
    for name, forced in HTTP_FORCED.items():
        assert set(forced) <= set(OPERATIONS[name].arguments.__struct_fields__)


def test_a_verb_calls_no_operation_that_the_registry_does_not_have() -> None:
    told = {name for p in table() for name in ([p.operation] if p.cli or p.tui else [])}

    assert told == {name for verb in VERBS.values() for name in verb.operations}
