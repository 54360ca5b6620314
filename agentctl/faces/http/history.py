"""What requests about branches and the history of a graph ask of their operations."""

from typing import Any

from starlette.requests import Request

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.faces.http.body import read_object

_DIGITS_MAX = 18


async def branch_create(request: Request) -> dict[str, Any] | Diagnostic:
    """Asks for a branch; the body names it."""
    return await _write(request, "a branch over HTTP")


async def branch_merge(request: Request) -> dict[str, Any] | Diagnostic:
    """Asks for a merge; the body names the branches."""
    return await _write(request, "a merge over HTTP")


async def branch_delete(request: Request) -> dict[str, Any] | Diagnostic:
    """Asks for the end of a branch, which the path names."""
    return {
        **_graph(request),
        **_reason(request, "a deletion over HTTP"),
        "branch": request.path_params["branch"],
        "unmerged": request.query_params.get("unmerged") == "true",
    }


async def export(request: Request) -> dict[str, Any] | Diagnostic:
    """Asks for all rows at a point, which the body may name."""
    return await _body(request)


async def baseline(request: Request) -> dict[str, Any] | Diagnostic:
    """Asks where to take an export and to go on from it."""
    return await _body(request)


async def changes(request: Request) -> dict[str, Any] | Diagnostic:
    """Asks for a part of the feed."""
    asked = {**_graph(request), **_text(request, "branch"), **_text(request, "since")}
    return asked | _number(request, "limit")


async def commit_changes(request: Request) -> dict[str, Any] | Diagnostic:
    """Asks what one commit changed, which the path names by its id."""
    commit: str = request.path_params["commit"]
    branch, _, number = commit.rpartition(":")
    if not branch or not number.isdecimal() or len(number) > _DIGITS_MAX:
        why = "a commit's id is `<branch>:<n>`"
        return error("commit_not_found", f"graph.{request.path_params['graph']}", why)
    before = f"{branch}:{max(int(number) - 1, 1)}"
    asked = {"before": before, "after": commit, "branch": branch}
    return {**_graph(request), **asked, **_number(request, "sample")}


async def _write(request: Request, reason: str) -> dict[str, Any] | Diagnostic:
    body = await _body(request)
    return body if isinstance(body, Diagnostic) else {**_reason(request, reason), **body}


async def _body(request: Request) -> dict[str, Any] | Diagnostic:
    body = await read_object(request)
    return body if isinstance(body, Diagnostic) else {**body, **_graph(request)}


def _graph(request: Request) -> dict[str, Any]:
    return {"graph": request.path_params["graph"]}


def _reason(request: Request, reason: str) -> dict[str, Any]:
    return {
        "intent": request.headers.get("agentctl-intent", reason),
        "idempotency_key": request.headers.get("idempotency-key"),
    }


def _text(request: Request, name: str) -> dict[str, Any]:
    given = request.query_params.get(name)
    return {} if given is None else {name: given}


def _number(request: Request, name: str) -> dict[str, Any]:
    given = request.query_params.get(name)
    if given is None:
        return {}
    return {name: int(given) if given.isdecimal() and len(given) <= _DIGITS_MAX else given}
