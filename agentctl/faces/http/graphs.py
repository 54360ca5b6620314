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
from agentctl.faces.http import history, loads
from agentctl.faces.http.body import read_object
from agentctl.faces.http.desk import Desk, too_many
from agentctl.faces.http.line_stream import LineStream
from agentctl.faces.http.operations import Operations, result_of
from agentctl.faces.http.problems import (
    BUG,
    NOT_FOUND,
    PRECONDITION_FAILED,
    json_answer,
    status_for,
    status_of,
)
from agentctl.faces.http.quotas import WAIT_S
from agentctl_tools.callers import TokenCaller
from agentctl_tools.envelopes import failed
from agentctl_tools.operation import Envelope, Notify

IF_COMMIT: Final = "omnigraph-if-graph-commit"
"""The header with the commit that a conditional write is meant for."""
_UNKNOWN_QUERY: Final = {"error": "there is no such query", "code": "query_not_found"}
"""Of a query that is not there, and of one that the caller may not run: nobody tells them apart."""

Shape = Callable[[Any], object]
Ask = Callable[[Request], Awaitable[dict[str, Any] | Diagnostic]]


class GraphRoute(msgspec.Struct, frozen=True, kw_only=True):
    """One route, and the operation that answers it."""

    path: str
    method: Literal["GET", "POST", "DELETE"]
    operation: str
    ask: Ask
    """Makes the operation's arguments of a request."""
    shape: Shape
    """Makes the reply of the operation's data."""
    summary: str
    is_load: bool = False
    is_query: bool = False
    is_export: bool = False
    """Whether the reply is lines, which go out as they are read."""
    is_conditional: bool = False
    """Whether a header names the commit that the branch must be at."""
    takes: tuple[str, ...] = ()
    """Parameters of the query string."""

    def described(self) -> dict[str, Any]:
        """Returns the route's part of the OpenAPI document."""
        names = [
            part[1:-1].partition(":")[0] for part in self.path.split("/") if part.startswith("{")
        ]
        described: dict[str, Any] = {
            "operationId": f"{self.method.lower()}{self.path}".translate(_WORDS),
            "summary": self.summary,
            "tags": ["graphs"],
            "x-agentctl-operation": self.operation,
            "parameters": [
                {"name": n, "in": "path", "required": True, "schema": {"type": "string"}}
                for n in names
            ]
            + [{"name": n, "in": "query", "schema": {"type": "string"}} for n in self.takes],
            "responses": {
                "200": _document("The reply.", {}),
                "default": _document("The refusal.", _ERROR),
            },
        }
        if self.is_conditional:
            header = {"name": IF_COMMIT, "in": "header", "required": True}
            described["parameters"].append({**header, "schema": {"type": "string"}})
        if self.method == "POST":
            kind = "application/x-ndjson" if self.takes else "application/json"
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
            if route.is_export:
                return self._export(route, visitor, arguments)
            run = self._operations.begin(visitor.caller, route.operation, arguments)
            if run is None:
                return too_many(WAIT_S)
            envelope = await result_of(run)
            if not envelope.ok:
                return _refused(envelope, route)
            return json_answer(route.shape(envelope.data))

        slots = self._desk.quotas.loads if route.is_load else None
        return self._desk.route(handle, slots=slots)

    def _export(
        self, route: GraphRoute, visitor: TokenCaller, arguments: Mapping[str, object]
    ) -> Response:
        """Returns the answer that goes out while the operation reads."""

        async def read(take: Notify) -> Envelope:
            return await self._desk.call(visitor.caller, route.operation, arguments, notify=take)

        return LineStream(read, lambda envelope: _refused(envelope, route))


def _refused(envelope: Envelope, route: GraphRoute) -> Response:
    """Returns a refusal in the form of these routes: the first error, and one detail: where, and what to do."""
    errors = [d for d in envelope.diagnostics if d.severity == "error"]
    if route.is_query and any(d.code in {"denied", "query_not_found"} for d in errors):
        return json_answer(_UNKNOWN_QUERY, status=NOT_FOUND)
    first = next((d for d in errors if status_for(d.code) == status_of(envelope)), None)
    if first is None:
        return json_answer({"error": envelope.summary}, status=status_of(envelope))
    told: dict[str, Any] = {"error": first.message, "code": first.code}
    if first.code == "read_set_conflict" and route.is_conditional:
        told["precondition_failure"] = {"path": first.path, **_race(envelope.data)}
        return json_answer(told, status=PRECONDITION_FAILED)
    if first.code == "read_set_conflict":
        told["read_set_conflict"] = {"path": first.path, **_race(envelope.data)}
    elif first.code == "merge_conflict":
        told["merge_conflicts"] = _conflicts(envelope.data)
    elif first.code == "feed_gap":
        told["change_feed_gap"] = {"path": first.path}
    elif first.code == "graph_not_served":
        told["recovery_required"] = {"path": first.path}
    elif first.code in {"body_too_large", "rate_limited"}:
        told["resource_limit"] = {"path": first.path}
    elif status_of(envelope) < BUG:
        told["diagnostics"] = errors
    return json_answer(told, status=status_of(envelope))


def _conflicts(data: Any) -> object:  # noqa: ANN401  # an answer of `branch_merge`
    """Returns the conflicts of a merge, each with its base, ours and theirs."""
    report = getattr(data, "report", None)
    return () if report is None else report.conflicts


def _race(data: object) -> dict[str, object]:
    """Returns the commits of a write that lost: the one that it was meant for, and the one there is."""
    race = getattr(data, "race", None)
    return {} if race is None else {"expected": race.expected, "actual": race.actual}


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


async def _text(request: Request) -> dict[str, Any] | Diagnostic:
    """Asks for an ad hoc read; `snapshot` is the point, as OmniGraph calls it."""
    body = await read_object(request)
    if isinstance(body, Diagnostic):
        return body
    asked = {("at" if name == "snapshot" else name): value for name, value in body.items()}
    return {**asked, "graph": request.path_params["graph"]}


async def _mutation(request: Request) -> dict[str, Any] | Diagnostic:
    """Asks for a stored mutation, named in the path or by `query` in the body."""
    body = await read_object(request)
    if isinstance(body, Diagnostic):
        return body
    graph = request.path_params["graph"]
    named = str(request.path_params.get("query") or body.get("query") or "")
    return {
        "intent": request.headers.get("agentctl-intent", "a mutation over HTTP"),
        "idempotency_key": request.headers.get("idempotency-key"),
        **body,
        "query": f"{graph}.{named.removeprefix(f'{graph}.')}",
    }


async def _mutation_if(request: Request) -> dict[str, Any] | Diagnostic:
    """Asks for a stored mutation of one commit alone, which the header names."""
    asked = await _mutation(request)
    commit = request.headers.get(IF_COMMIT)
    if isinstance(asked, Diagnostic):
        return asked
    if not commit:
        why = "the request names no commit that the branch must be at"
        remedy = f"Send its id in the header {IF_COMMIT}."
        return error("invalid_arguments", "$.if_commit", why, remedy=remedy)
    return {**asked, "if_commit": commit}


def _same(data: Any) -> object:  # noqa: ANN401  # whatever the operation gives
    return data


def _mutated(data: Any) -> object:  # noqa: ANN401  # a MutateAnswer
    """Returns the write reply of OmniGraph 0.10; of a change that was made before, what its op tells."""
    report = data.report
    return {
        "branch": data.branch,
        "query_name": data.query.rpartition(".")[2],
        "affected_nodes": report.affected_nodes if report is not None else None,
        "affected_edges": report.affected_edges if report is not None else None,
        "actor_id": data.op.actor.identity,
        "op": data.op.id,
        "commit": report.commit if report is not None else None,
    }


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
        path="/graphs/{graph}/query",
        method="POST",
        operation="query",
        ask=_text,
        shape=_same,
        summary="Look. Runs an ad hoc read; `query` is its text, `params`, `branch`, `at` as asked.",
    ),
    GraphRoute(
        path="/graphs/{graph}/queries/{query}/if-graph-commit",
        method="POST",
        operation="mutate",
        ask=_mutation_if,
        shape=_mutated,
        summary="Real. Runs a stored mutation of the commit that the header names, or nothing.",
        is_query=True,
        is_conditional=True,
    ),
    GraphRoute(
        path="/graphs/{graph}/mutate",
        method="POST",
        operation="mutate",
        ask=_mutation,
        shape=_mutated,
        summary="Real. Runs a stored mutation; the body has `query`, `params` and `branch`.",
        is_query=True,
    ),
    GraphRoute(
        path="/graphs/{graph}/mutate/if-graph-commit",
        method="POST",
        operation="mutate",
        ask=_mutation_if,
        shape=_mutated,
        summary="Real. The same of the commit that `Omnigraph-If-Graph-Commit` names, or nothing.",
        is_query=True,
        is_conditional=True,
    ),
    GraphRoute(
        path="/graphs/{graph}/load",
        method="POST",
        operation="load_rows",
        ask=loads.document,
        shape=loads.reply,
        summary="Real. Loads `rows`, a text of NDJSON, by one commit, or nothing at all.",
        is_load=True,
    ),
    GraphRoute(
        path="/graphs/{graph}/load/ndjson",
        method="POST",
        operation="load_rows",
        ask=loads.lines,
        shape=loads.reply,
        summary="Real. Loads NDJSON rows by one commit, or nothing at all.",
        is_load=True,
        takes=loads.TAKES,
    ),
    GraphRoute(
        path="/graphs/{graph}/branches",
        method="GET",
        operation="branch_list",
        ask=_graph,
        shape=_same,
        summary="Look. The branches, with their newest commits.",
    ),
    GraphRoute(
        path="/graphs/{graph}/branches",
        method="POST",
        operation="branch_create",
        ask=history.branch_create,
        shape=lambda data: data.branch,
        summary="Real. Cuts a branch; the body has `branch`, `source` and `at`.",
    ),
    GraphRoute(
        path="/graphs/{graph}/branches/merge",
        method="POST",
        operation="branch_merge",
        ask=history.branch_merge,
        shape=lambda data: data.report,
        summary="Real. Merges branch `source` `into` another, by one commit or not at all.",
    ),
    GraphRoute(
        path="/graphs/{graph}/branches/{branch:path}",
        method="DELETE",
        operation="branch_delete",
        ask=history.branch_delete,
        shape=lambda data: {"branch": data.branch},
        summary="Real. Deletes a branch; `?unmerged=true` with what only it holds.",
    ),
    GraphRoute(
        path="/graphs/{graph}/export",
        method="POST",
        operation="graph_export",
        ask=history.export,
        shape=_same,
        summary="Look. All rows as NDJSON that a load reads; the body has `branch` and `at`.",
        is_export=True,
    ),
    GraphRoute(
        path="/graphs/{graph}/commits/{commit:path}/changes",
        method="GET",
        operation="graph_diff",
        ask=history.commit_changes,
        shape=_same,
        summary="Look. What one commit changed: counts, and `?sample=` of each type.",
    ),
    GraphRoute(
        path="/graphs/{graph}/changes",
        method="GET",
        operation="graph_changes",
        ask=history.changes,
        shape=_same,
        summary="Look. The change feed: `?since=`, `?branch=`, `?limit=`.",
    ),
    GraphRoute(
        path="/graphs/{graph}/changes/baseline",
        method="POST",
        operation="graph_baseline",
        ask=history.baseline,
        shape=_same,
        summary="Look. At which commit to export, and where the feed goes on from it.",
    ),
)
"""In the order of the OpenAPI document."""
