"""Routes of graphs as OmniGraph 0.10 has them, as far as the engine serves them: reads, rows, commits.

Each is a projection of an operation, under the same policy and quota; only the form is another: the
reply itself in place of the envelope, and ``{error, code}`` for a refusal. What is served is the
applied revision. Source: access-and-faces 2.1.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.faces.http.body import read_body, read_object
from agentctl.faces.http.desk import Desk, too_many
from agentctl.faces.http.operations import Operations, result_of
from agentctl.faces.http.problems import NOT_FOUND, json_answer, status_for, status_of
from agentctl.faces.http.quotas import WAIT_S
from agentctl_tools.callers import TokenCaller
from agentctl_tools.envelopes import failed
from agentctl_tools.operation import Envelope

LOAD_BYTES_MAX: Final = 32 << 20
LINE_BYTES_MAX: Final = 32 << 20
_UNKNOWN_QUERY: Final = {"error": "there is no such query", "code": "query_not_found"}
"""Of a query that is not there, and of one that the caller may not run: nobody tells them apart."""

Shape = Callable[[Any], object]
Ask = Callable[[Request], Awaitable[dict[str, Any] | Diagnostic]]


class GraphRoute(msgspec.Struct, frozen=True, kw_only=True):
    """One route, and the operation that answers it."""

    path: str
    method: Literal["GET", "POST"]
    operation: str
    ask: Ask
    """Makes the operation's arguments of a request."""
    shape: Shape
    """Makes the reply of the operation's data."""
    summary: str
    is_load: bool = False
    is_query: bool = False

    def described(self) -> dict[str, Any]:
        """Returns the route's part of the OpenAPI document."""
        names = [part[1:-1] for part in self.path.split("/") if part.startswith("{")]
        described: dict[str, Any] = {
            "operationId": f"{self.method.lower()}{self.path}".translate(_WORDS),
            "summary": self.summary,
            "tags": ["graphs"],
            "x-agentctl-operation": self.operation,
            "parameters": [
                {"name": n, "in": "path", "required": True, "schema": {"type": "string"}}
                for n in names
            ],
            "responses": {
                "200": _document("The reply.", {}),
                "default": _document("The refusal.", _ERROR),
            },
        }
        if self.method == "POST":
            kind = "application/x-ndjson" if self.is_load else "application/json"
            described["requestBody"] = {"content": {kind: {"schema": {}}}}
        return described


class GraphRoutes:
    """The endpoints; one set for each server."""

    def __init__(self, desk: Desk, operations: Operations) -> None:
        self._desk = desk
        self._operations = operations

    def endpoint(self, route: GraphRoute) -> Callable[[Request], Awaitable[Response]]:
        """Returns the endpoint of a route."""

        async def handle(request: Request, visitor: TokenCaller) -> Response:
            arguments = await route.ask(request)
            if isinstance(arguments, Diagnostic):
                return _refused(failed((arguments,)), route)
            run = self._operations.begin(visitor.caller, route.operation, arguments)
            if run is None:
                return too_many(WAIT_S)
            envelope = await result_of(run)
            if not envelope.ok:
                return _refused(envelope, route)
            return json_answer(route.shape(envelope.data))

        slots = self._desk.quotas.loads if route.is_load else None
        return self._desk.route(handle, slots=slots)


def _refused(envelope: Envelope, route: GraphRoute) -> Response:
    """Returns a refusal in the form of these routes: the first error, and what it says of where."""
    errors = [d for d in envelope.diagnostics if d.severity == "error"]
    if route.is_query and any(d.code in {"denied", "query_not_found"} for d in errors):
        return json_answer(_UNKNOWN_QUERY, status=NOT_FOUND)
    first = next((d for d in errors if status_for(d.code) == status_of(envelope)), None)
    if first is None:
        return json_answer({"error": envelope.summary}, status=status_of(envelope))
    told: dict[str, Any] = {"error": first.message, "code": first.code}
    if first.code == "read_set_conflict":
        told["read_set_conflict"] = {"path": first.path}
    elif first.code == "graph_not_served":
        told["recovery_required"] = {"path": first.path}
    elif first.code in {"body_too_large", "rate_limited"}:
        told["resource_limit"] = {"path": first.path}
    elif len(errors) > 1 or first.where is not None:
        told["diagnostics"] = errors
    return json_answer(told, status=status_of(envelope))


async def _nothing(_request: Request) -> dict[str, Any] | Diagnostic:
    return {}


async def _graph(request: Request) -> dict[str, Any] | Diagnostic:
    return {"graph": request.path_params["graph"]}


async def _commits(request: Request) -> dict[str, Any] | Diagnostic:
    limit = request.query_params.get("limit")
    asked: dict[str, Any] = {"graph": request.path_params["graph"]}
    if limit is not None:
        asked["limit"] = int(limit) if limit.isdecimal() and len(limit) < 7 else limit
    return asked


async def _commit(request: Request) -> dict[str, Any] | Diagnostic:
    return {"graph": request.path_params["graph"], "id": request.path_params["commit"]}


async def _queries(request: Request) -> dict[str, Any] | Diagnostic:
    return {"graph": request.path_params["graph"], "limit": 200}


async def _query(request: Request) -> dict[str, Any] | Diagnostic:
    body = await read_object(request)
    if isinstance(body, Diagnostic):
        return body
    named = f"{request.path_params['graph']}.{request.path_params['query']}"
    return {**body, "query": named}


async def _rows(request: Request) -> dict[str, Any] | Diagnostic:
    body = await read_body(request, bytes_max=LOAD_BYTES_MAX)
    if isinstance(body, Diagnostic):
        return body
    try:
        rows = body.decode()
    except UnicodeDecodeError as failure:
        line = body.count(b"\n", 0, failure.start) + 1
        return error("invalid_arguments", "$", f"line {line} of the rows is no UTF-8")
    asked: dict[str, Any] = {
        "graph": request.path_params["graph"],
        "rows": rows,
        "intent": request.headers.get("agentctl-intent", "a load over HTTP"),
        "idempotency_key": request.headers.get("idempotency-key"),
    }
    if "mode" in request.query_params:
        asked["mode"] = request.query_params["mode"]
    return asked


def _same(data: Any) -> object:  # noqa: ANN401  # whatever the operation gives
    return data


def _loaded(data: Any) -> object:  # noqa: ANN401  # a LoadAnswer
    return {"graph": data.graph, "mode": data.mode, "commit": data.report.commit}


_WORDS: Final = str.maketrans({"{": None, "}": None, "/": "_"})
_ERROR: Final = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "code": {"type": "string"}},
    "required": ["error"],
}


def _document(told: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": told, "content": {"application/json": {"schema": schema}}}


ROUTES: Final = (
    GraphRoute(
        path="/graphs",
        method="GET",
        operation="graph_list",
        ask=_nothing,
        shape=_same,
        summary="Look. Every graph: live, detached or purged.",
    ),
    GraphRoute(
        path="/graphs/{graph}/snapshot",
        method="GET",
        operation="graph_show",
        ask=_graph,
        shape=_same,
        summary="Look. One graph: its rows by type, its newest commit.",
    ),
    GraphRoute(
        path="/graphs/{graph}/schema",
        method="GET",
        operation="graph_schema",
        ask=_graph,
        shape=_same,
        summary="Look. The schema as it was applied.",
    ),
    GraphRoute(
        path="/graphs/{graph}/commits",
        method="GET",
        operation="graph_commits",
        ask=_commits,
        shape=_same,
        summary="Look. The newest commits.",
    ),
    GraphRoute(
        path="/graphs/{graph}/commits/{commit}",
        method="GET",
        operation="graph_commits",
        ask=_commit,
        shape=lambda data: data.commits[0],
        summary="Look. One of the newest commits.",
    ),
    GraphRoute(
        path="/graphs/{graph}/queries",
        method="GET",
        operation="queries",
        ask=_queries,
        shape=_same,
        summary="Look. The stored queries that the caller may see.",
    ),
    GraphRoute(
        path="/graphs/{graph}/queries/{query}",
        method="POST",
        operation="run_query",
        ask=_query,
        shape=_same,
        summary="Look. Runs a stored read; the body has `params` and `limit`.",
        is_query=True,
    ),
    GraphRoute(
        path="/graphs/{graph}/load/ndjson",
        method="POST",
        operation="load_rows",
        ask=_rows,
        shape=_loaded,
        summary="Real. Loads NDJSON rows by one commit, or nothing at all; `?mode=`.",
        is_load=True,
    ),
)
"""In the order of the OpenAPI document."""
