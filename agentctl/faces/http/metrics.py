"""What Prometheus reads: requests, calls, what is under way, and how the cluster stands.

Labels are routes, operations and codes of ours: no principal, no address, no argument. A registry
of its own, so that two servers in one process count apart.
"""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0

from agentctl_tools.catalog import OPERATIONS
from agentctl_tools.operation import Envelope

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_1_0_0
BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)
OTHER: Final = "other"
"""The label of whatever is no operation or route of ours, so that nobody makes labels by asking."""


class Metrics:
    """The counts of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "agentctl_http_requests",
            "Requests answered.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "agentctl_http_request_seconds",
            "How long requests took.",
            ("route",),
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._calls = Counter(
            "agentctl_operation_calls",
            "Calls of operations through the door.",
            ("operation", "outcome"),
            registry=self._registry,
        )
        self._under_way = Gauge(
            "agentctl_http_requests_under_way",
            "Authenticated requests that are being answered now.",
            registry=self._registry,
        )
        self._streams = Gauge(
            "agentctl_http_event_streams", "Open event streams.", registry=self._registry
        )
        self._revision = Gauge(
            "agentctl_applied_revision", "The revision that is served.", registry=self._registry
        )
        self._graphs = Gauge(
            "agentctl_graphs",
            "Graphs of the applied revision, by whether they are served.",
            ("standing",),
            registry=self._registry,
        )

    def answered(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Counts a request."""
        self._requests.labels(route=route, method=method, status=str(status)).inc()
        self._seconds.labels(route=route).observe(seconds)

    def called(self, operation: str, envelope: Envelope) -> None:
        """Counts a call, by how it ended: ``ok``, or the first error's code."""
        outcome = "ok"
        if not envelope.ok:
            errors = (d.code for d in envelope.diagnostics if d.severity == "error")
            outcome = next(errors, "not_ok")
        known = operation if operation in OPERATIONS else OTHER
        self._calls.labels(operation=known, outcome=outcome).inc()

    def watch_under_way(self, count: Callable[[], float]) -> None:
        """Takes the number of requests under way from *count* at each reading."""
        self._under_way.set_function(count)

    def watch_streams(self, count: Callable[[], float]) -> None:
        """Takes the number of open event streams from *count* at each reading."""
        self._streams.set_function(count)

    def stands(self, *, revision: int, served: int, withheld: int) -> None:
        """Notes how the cluster stands."""
        self._revision.set(revision)
        self._graphs.labels(standing="served").set(served)
        self._graphs.labels(standing="withheld").set(withheld)

    def page(self) -> bytes:
        """Returns the page, in Prometheus' text format."""
        return generate_latest(self._registry)
