"""OpenTelemetry spans of operations, joined to the caller's trace by its `traceparent`.

The SDK opens a span for each message, with the parent that ``_meta.traceparent`` names; this one is
its child and says what was decided. Without an exporter all of it does nothing. A span holds names
and codes, never an argument, a value or an intent.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.trace import Span, StatusCode

from agentctl_tools.operation import Envelope, Operation

_tracer = trace.get_tracer("agentctl")


class OperationSpan:
    """The span of one call through the door."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def told(self, envelope: Envelope) -> None:
        """Records how the call ended."""
        self._span.set_attribute("agentctl.ok", envelope.ok)
        if not envelope.ok:
            codes = [d.code for d in envelope.diagnostics if d.severity == "error"]
            self._span.set_attribute("agentctl.codes", codes[:5])
            self._span.set_status(StatusCode.ERROR)


@contextmanager
def operation_span(operation: Operation, principal: str) -> Iterator[OperationSpan]:
    """Opens the span of one call."""
    who, _, human = principal.partition("\n")
    attributes = {
        "agentctl.operation": operation.name,
        "agentctl.class": operation.operation_class,
        "agentctl.principal": who,
        "agentctl.on_behalf_of": human,
    }
    with _tracer.start_as_current_span(
        f"agentctl {operation.name}", attributes=attributes, record_exception=False
    ) as span:
        yield OperationSpan(span)


@contextmanager
def joined(headers: Mapping[str, str]) -> Iterator[None]:
    """Makes the trace that ``traceparent`` of a request names the parent of what is done within."""
    given = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
    if not given:
        yield
        return
    token = contexts.attach(extract(given))
    try:
        yield
    finally:
        contexts.detach(token)
