"""Whether the server is up, whether it can serve, and what Prometheus reads.

The first two are asked without a token and say yes or no; why not, `served` tells who may know.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from agentctl.faces.http.desk import Desk
from agentctl.faces.http.metrics import CONTENT_TYPE
from agentctl.faces.http.problems import HEADERS, OK, UNAVAILABLE, answered, json_answer
from agentctl_tools.callers import TokenCaller

_YES: Final = {"ok": True}
_NO: Final = {"ok": False}


class Health:
    """The three routes; one for each server."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def healthz(self, _request: Request) -> Response:
        """Answers that the process answers."""
        return json_answer(_YES)

    async def readyz(self, _request: Request) -> Response:
        """Answers whether requests can be served: the ledger is read, and nothing stops all graphs."""
        service = self._desk.service
        if service.is_stopping() or not (await service.standing()).ready:
            return json_answer(_NO, status=UNAVAILABLE)
        return json_answer(_YES)

    async def metrics(self, _request: Request, visitor: TokenCaller) -> Response:
        """Answers with the counts, to whoever may see the cluster's status."""
        allowed = await self._desk.call(visitor.caller, "served", {})
        if not allowed.ok and allowed.data is None:
            return answered(allowed)
        standing = await self._desk.service.standing()
        self._desk.metrics.stands(
            revision=standing.state_revision,
            served=len(standing.graphs),
            withheld=len(standing.withheld),
        )
        page = self._desk.metrics.page()
        return Response(page, status_code=OK, media_type=CONTENT_TYPE, headers=dict(HEADERS))
