"""What requests to load rows ask of their operation.

A parameter that nobody knows is refused: a load into another branch than was meant would be a commit.
"""

from typing import Any, Final

from starlette.requests import Request

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.faces.http.body import read_body, read_object
from agentctl.foreign import Foreign, show

LOAD_BYTES_MAX: Final = 32 << 20
"""Of one body. Source: access-and-faces 2.4."""
TAKES: Final = ("branch", "max_errors", "mode")
"""The parameters of a load of lines."""
_DIGITS_MAX: Final = 18
_SHOWN_CELLS: Final = 80


async def lines(request: Request) -> dict[str, Any] | Diagnostic:
    """Asks for a load of the NDJSON lines of the body, by what the query string says."""
    given = dict(request.query_params)
    unknown = next((name for name in given if name not in TAKES), None)
    if unknown is not None:
        return _unknown(unknown)
    body = await read_body(request, bytes_max=LOAD_BYTES_MAX)
    if isinstance(body, Diagnostic):
        return body
    try:
        rows = body.decode()
    except UnicodeDecodeError as failure:
        line = body.count(b"\n", 0, failure.start) + 1
        return error("invalid_arguments", "$", f"line {line} of the rows is no UTF-8")
    asked: dict[str, Any] = {**_reason(request), **given, "rows": rows}
    bound = given.get("max_errors", "")
    if bound.isdecimal() and len(bound) <= _DIGITS_MAX:
        asked["max_errors"] = int(bound)
    return asked | {"graph": request.path_params["graph"]}


async def document(request: Request) -> dict[str, Any] | Diagnostic:
    """Asks for a load of the lines that `rows` of a JSON body holds, by its other members."""
    if request.query_params:
        return _unknown(next(iter(request.query_params)))
    body = await read_object(request, bytes_max=LOAD_BYTES_MAX)
    if isinstance(body, Diagnostic):
        return body
    return {**_reason(request), **body, "graph": request.path_params["graph"]}


def reply(data: Any) -> object:  # noqa: ANN401  # a LoadAnswer
    """Returns the reply to a load: by which commit, and what was set aside."""
    report = data.report
    told: dict[str, Any] = {
        "graph": data.graph,
        "branch": data.branch,
        "mode": data.mode,
        "commit": report.commit,
        "rows": report.rows,
        "rejected": report.rejected,
    }
    return {**told, "diagnostics": report.diagnostics} if report.rejected else told


def _reason(request: Request) -> dict[str, Any]:
    return {
        "intent": request.headers.get("agentctl-intent", "a load over HTTP"),
        "idempotency_key": request.headers.get("idempotency-key"),
    }


def _unknown(name: str) -> Diagnostic:
    shown = show(Foreign(name), limit=_SHOWN_CELLS)
    why = f"a load takes no parameter `{shown}`; nothing was loaded"
    remedy = f"POST …/load/ndjson takes {', '.join(TAKES)}; POST …/load takes them in its body."
    if name == "from":
        remedy = "Cut the branch first: POST …/branches with `branch` and `source`; then load."
    return error("invalid_arguments", f"$.{shown}", why, remedy=remedy)
