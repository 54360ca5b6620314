"""What a command tells at the door, how its process would end, and what it changed: for tests of diagnostics."""

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.faces.cli.exit_codes import ExitCode, exit_code
from agentctl.graph.port import GraphError, GraphPort
from agentctl.testing.builders import Bench
from agentctl.testing.crash import DownStore
from agentctl.testing.sites import do
from agentctl_tools.envelopes import failed
from agentctl_tools.failures import diagnostics_of
from agentctl_tools.operation import Envelope

ATTEMPTS: Final = ("__cluster/audit/", "__cluster/leases/", "__cluster/lock.json", "ops/")
"""That somebody tried is recorded, and that they held a lease meanwhile; it is no change."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """How one command ended."""

    envelope: Envelope
    exit_code: ExitCode
    changed: tuple[str, ...]
    """Keys of the storage and ids of graphs that are not as they were, attempts left out."""

    @property
    def ok(self) -> bool:
        """Whether the command did what was asked."""
        return self.envelope.ok

    @property
    def data(self) -> Any:  # of the operation
        """The operation's own answer."""
        return self.envelope.data

    @property
    def codes(self) -> list[tuple[str, str]]:
        """Each diagnostic's code and the first letter of its severity."""
        return [(d.code, d.severity[0].upper()) for d in self.envelope.diagnostics]

    def one(self, code: str) -> Diagnostic:
        """Returns the one diagnostic of that code, which has to be there."""
        found = [d for d in self.envelope.diagnostics if d.code == code]
        assert len(found) == 1, (code, self.envelope.diagnostics)
        return found[0]

    def tells(self, code: str, severity: str, path: str) -> bool:
        """Returns whether it tells *code* once, so gravely (``E``, ``W``, ``N``), of *path*."""
        found = self.one(code)
        assert found.message, found
        return (found.severity[0].upper(), found.path) == (severity, path)


async def told(
    bench: Bench,
    operation: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    by: Caller | None = None,
    **more: object,
) -> Told:
    """Runs an operation in a process of its own, as *by* (sarah), and looks what came of it."""
    before = seen(bench)
    given = {**(arguments or {}), **more}
    try:
        cluster = await bench.open()
    except Exception as failure:
        known = diagnostics_of(failure)
        if known is None:
            raise
        envelope = failed(known)
    else:
        envelope = await do(cluster, operation, given, by=by or bench.sarah)
    after = seen(bench)
    moved = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    return Told(
        envelope=envelope,
        exit_code=exit_code(ok=envelope.ok, diagnostics=envelope.diagnostics),
        changed=tuple(sorted(moved)),
    )


def silent(bench: Bench, operation: str, part: str) -> None:
    """From the next process on, that operation on keys with *part* gets no answer."""

    def wrap(store: ObjectStore) -> ObjectStore:
        return DownStore(store, lambda asked, key: asked == operation and part in key)

    bench.wrap_store = wrap


class _Refusing:
    """Graphs of which one does one thing not."""

    def __init__(self, inner: GraphPort, method: str, graph_id: str) -> None:
        self._inner = inner
        self._method = method
        self._graph_id = graph_id

    def __getattr__(self, name: str) -> object:
        method = getattr(self._inner, name)
        if name != self._method:
            return method

        async def refused(graph_id: str, *args: Any, **more: Any) -> object:
            if graph_id == self._graph_id:
                raise GraphError(error("graph_corrupt", f"graph.{graph_id}", "the disk is broken"))
            return await method(graph_id, *args, **more)

        return refused


def refusing(bench: Bench, method: str, graph_id: str = "supply") -> None:
    """From the next process on, the graph engine does not do that to that graph."""
    bench.wrap_graphs = lambda graphs: cast("GraphPort", _Refusing(graphs, method, graph_id))


def answering(bench: Bench) -> None:
    """From the next process on, storage and graphs do what they are asked."""
    bench.wrap_store = lambda store: store
    bench.wrap_graphs = lambda graphs: graphs


def seen(bench: Bench) -> dict[str, object]:
    """Returns what the storage of a bench in memory holds, attempts left out."""
    objects: dict[str, object] = {
        key: data for key, data in bench.objects.items() if not key.startswith(ATTEMPTS)
    }
    graphs: dict[str, object] = {
        f"graph.{graph_id}": (len(root.commits), len(root.purged), len(root.purging))
        for graph_id, root in bench.roots.by_id.items()
    }
    return objects | graphs
