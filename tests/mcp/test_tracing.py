"""Spans join the caller's trace, and hold names and codes only."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import mcp_types as types
import pytest
from mcp import Client
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentctl.faces.mcp_server.server import make_server
from agentctl.faces.mcp_server.streamable import Bearer, mcp_app
from agentctl.testing.builders import Bench, folder_files
from agentctl_tools.entrance import Entrance

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
HANDSHAKE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "t", "version": "1"},
}
SECRET = "a very secret intent"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)
    return kept


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    yield exporter
    exporter.clear()


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = [s for s in spans.get_finished_spans() if s.name == name]
    return found


async def test_a_call_is_a_span_of_the_callers_trace(
    tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))

    async with Client(make_server(Entrance(cluster, bench.agent))) as client:
        await client.call_tool(
            "apply",
            {"plan_id": "0" * 64, "intent": SECRET, "idempotency_key": "1"},
            meta=types.RequestParamsMeta(traceparent=PARENT),  # type: ignore[typeddict-unknown-key]
        )

    ours = named(spans, "agentctl apply")
    message = named(spans, "tools/call apply")
    assert ours.parent is not None
    assert ours.parent.span_id == message.context.span_id
    assert f"{ours.context.trace_id:032x}" == TRACE
    assert dict(ours.attributes or {}) == {
        "agentctl.operation": "apply",
        "agentctl.class": "write",
        "agentctl.principal": "agent:sarah",
        "agentctl.on_behalf_of": "sarah",
        "agentctl.ok": False,
        "agentctl.codes": ("plan_not_found",),
    }
    for span in spans.get_finished_spans():
        assert SECRET not in span.to_json()


async def test_over_http_the_header_names_the_parent(
    tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))

    async def bearer_of(_secret: str) -> Bearer:
        return Bearer(door=Entrance(cluster, bench.agent), principal="agent:sarah")

    app = mcp_app(bearer_of, url="http://127.0.0.1:8932/mcp")
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8932") as web:
            answer = await web.post(
                "/mcp",
                json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HANDSHAKE},
                headers={
                    "Authorization": "Bearer x",
                    "Accept": "application/json, text/event-stream",
                    "traceparent": PARENT,
                },
            )

    assert answer.status_code == 200
    told = [s for s in spans.get_finished_spans() if f"{s.context.trace_id:032x}" == TRACE]
    assert [s.name for s in told] == ["initialize"]
