"""``POST /v1/ops/{operation}``: any operation of the registry, as JSON, through the one door.

The answer is the envelope; with ``Accept: text/event-stream`` it is the run's events, and the
envelope as the last of them. Whatever may change something goes on when its client hangs up.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from starlette.requests import Request
from starlette.responses import Response

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.policy.caller import Caller
from agentctl.faces.http.answers import EventStream
from agentctl.faces.http.body import read_object
from agentctl.faces.http.desk import Desk, principal_of, too_many
from agentctl.faces.http.events import Emit, Feed, Feeds
from agentctl.faces.http.problems import answered, refused_with
from agentctl.faces.http.quotas import WAIT_S
from agentctl.faces.http.streams import wants_events
from agentctl_tools.callers import TokenCaller
from agentctl_tools.catalog import OPERATIONS
from agentctl_tools.envelopes import refused
from agentctl_tools.operation import Envelope
from agentctl_tools.projections import HTTP_FORCED, HTTP_LEFT_OUT

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

KEY_HEADER = "idempotency-key"


class Operations:
    """The route and the runs it began; one for each server."""

    def __init__(self, desk: Desk, feeds: Feeds) -> None:
        self._desk = desk
        self._feeds = feeds
        self._tasks: TaskGroup | None = None
        self._under_way = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Owns the runs while the server is up; at its end they are through."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._tasks = None

    def is_busy(self) -> bool:
        """Returns whether any run is under way."""
        return self._under_way > 0

    async def post(self, request: Request, visitor: TokenCaller) -> Response:
        """Answers one call."""
        name: str = request.path_params["operation"]
        given = await read_object(request)
        if isinstance(given, Diagnostic):
            return refused_with(given)
        refusal, arguments = _arguments(request, name, given)
        if refusal is not None:
            return answered(refusal)
        streams = wants_events(request)
        if streams and not self._desk.quotas.streams.has_room(principal_of(visitor.caller)):
            return too_many(WAIT_S)  # Before anything is begun: what is refused is not done.
        run = self.begin(visitor.caller, name, arguments)
        if run is None:
            return too_many(WAIT_S)
        if streams:
            return EventStream(run.forward)
        return answered(await result_of(run))

    def begin(self, caller: Caller, name: str, arguments: Mapping[str, object]) -> "Run | None":
        """Begins a call, which belongs to the server from here on; None where too many run.

        A run is counted until it is over, whoever still listens: hanging up makes no room.
        """
        assert self._tasks is not None, "calls are made while the server is up"
        if not self._desk.quotas.runs.enter(principal_of(caller)):
            return None
        run = Run()
        self._tasks.start_soon(self._run, run, caller, name, arguments)
        return run

    async def _run(
        self, run: "Run", caller: Caller, name: str, arguments: Mapping[str, object]
    ) -> None:
        async def notify(event: Any) -> None:  # noqa: ANN401  # an ApplyEvent
            self._feeds.take(run, event)

        self._under_way += 1
        try:
            run.answer = await self._desk.call(caller, name, arguments, notify=notify)
        finally:
            self._under_way -= 1
            self._desk.quotas.runs.leave(principal_of(caller))
            run.end(run.answer if run.answer is not None else _cut_off())


class Run(Feed):
    """A feed, and the answer at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: Envelope | None = None

    async def forward(self, emit: Emit) -> None:
        """Hands every event on, from the first to the last."""
        async for event in self.after(0):
            await emit(event)


async def result_of(run: Run) -> Envelope:
    """Returns what a run is answered, when it is over."""
    await run.over.wait()
    return run.answer if run.answer is not None else _cut_off()


def _cut_off() -> Envelope:
    told = "the server ended before the call did; `status` and `ops` tell what was done"
    return refused("server_stopping", "operation", told)


def _arguments(
    request: Request, name: str, given: Mapping[str, object]
) -> tuple[Envelope | None, Mapping[str, object]]:
    """Returns the arguments as the operation takes them, or why the route does not take them."""
    why = HTTP_LEFT_OUT.get(name)
    if why is not None:
        return refused("unknown_operation", "operation", f"`{name}` has no route: {why}"), {}
    forced = HTTP_FORCED.get(name, {})
    clashing = next((f for f, v in forced.items() if given.get(f, v) != v), None)
    if clashing is not None:
        told = f"over HTTP `{clashing}` is always {forced[clashing]!r}"
        return refused("invalid_arguments", f"$.{clashing}", told), {}
    return None, {**_keyed(request, name, given), **forced}


def _keyed(request: Request, name: str, given: Mapping[str, object]) -> Mapping[str, object]:
    """Returns the arguments with the key of the header `Idempotency-Key`, where one is taken."""
    key = request.headers.get(KEY_HEADER)
    operation = OPERATIONS.get(name)
    takes = operation is not None and "idempotency_key" in operation.arguments.__struct_fields__
    return {"idempotency_key": key, **given} if key is not None and takes else given
