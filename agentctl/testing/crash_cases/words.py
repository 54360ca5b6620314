"""What the cases of the crash suite are told in: beginnings, commands, and what must be there after."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from agentctl.domain.ledger.codec import ledger_key
from agentctl.domain.ledger.state import AppliedResource
from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import QUERY, ROWS, WIDER_SCHEMA, Files, cluster_yaml, folder_files
from agentctl.testing.consent import key_of
from agentctl.testing.sites import AGENT, SARAH, Site, do
from agentctl_tools.operation import Envelope

Preparation = Callable[[Site], Awaitable[None]]
Command = Callable[[Site, Cluster], Awaitable[Envelope]]
Check = Callable[[Site, Cluster], Awaitable[None]]

NO_ID: Final = "01J00000000000000000000000"
"""Names nothing: what a command is given again whose object is gone."""
MORE_QUERIES: Final = f"{QUERY}\nquery names() {{ match {{ $p: Package }} return {{ $p.name }} }}\n"
PAYLOADS: Final = "__cluster/resources/query/supply/"


def asks(
    operation: str,
    arguments: Mapping[str, Any],
    *,
    by: Caller = SARAH,
    key: str | None = None,
) -> Command:
    """Returns the command that asks an operation of the struck process, signing with that *key*."""

    async def asked(site: Site, cluster: Cluster) -> Envelope:
        del site
        signer = key_of(key) if key is not None else None
        return await do(cluster, operation, arguments, by=by, signer=signer)

    return asked


def given(*steps: Preparation) -> Preparation:
    """Returns the preparation that takes these, one after the other."""

    async def prepare(site: Site) -> None:
        for step in steps:
            await step(site)

    return prepare


def after(command: Command) -> Preparation:
    """Returns the preparation in which a process gave that command, and it went well."""

    async def prepare(site: Site) -> None:
        envelope = await command(site, await site.open())
        assert envelope.ok, envelope.diagnostics

    return prepare


def folder(files: Files) -> Preparation:
    """Returns the preparation that puts files into the folder, or takes them away."""

    async def prepare(site: Site) -> None:
        site.write(files)

    return prepare


def commits(*more: Check, **kinds_of: str) -> Check:
    """Returns the check that graphs have commits of these kinds, oldest first, and that *more* hold."""

    async def check(site: Site, cluster: Cluster) -> None:
        for graph, wanted in kinds_of.items():
            assert kinds(site, graph) == wanted.split(), (graph, kinds(site, graph))
        for one in more:
            await one(site, cluster)

    return check


def kinds(site: Site, graph: str) -> list[str]:
    """Returns the kinds of a graph's commits, oldest first, without fences: they change nothing."""
    return [c.kind for c in site.roots.by_id[graph].commits if c.kind != "fence"]


def names(site: Site, graph: str) -> list[str]:
    """Returns the keys of the nodes of a graph."""
    root = site.roots.by_id[graph]
    assert root.head is not None
    tables = root.tables[root.head.nonce]
    return sorted(name for rows in tables.values() for name, e in rows.items() if not e.src)


def answers(query: str, rows: int | None = None) -> Check:
    """Returns the check that a stored query is answered, with so many rows."""

    async def check(site: Site, cluster: Cluster) -> None:
        del site
        answered = await do(cluster, "run_query", {"query": query})
        assert answered.ok, answered.diagnostics
        assert rows in {None, answered.data.row_count}  # type: ignore[attr-defined]

    return check


async def applied_resources(cluster: Cluster) -> Mapping[str, AppliedResource]:
    """Returns what the ledger's newest object says is applied."""
    head = await cluster.ledger.head()
    assert head is not None
    return head.envelope.state.applied_revision.resources


async def newest_without(cluster: Cluster, address: str) -> int:
    """Returns the newest apply in the ledger that has not applied *address*."""
    return max(
        head.seq
        for head in await cluster.ledger.history(limit=100)
        if head.envelope.kind == "apply"
        and address not in head.envelope.state.applied_revision.resources
    )


def apply_with(**arguments: object) -> Command:
    """Returns the command that applies the folder."""
    return asks("apply", {"intent": "what the folder says"} | arguments)


applied: Final = apply_with()


def loaded(graph: str, rows: bytes) -> Command:
    """Returns the command that loads rows into a graph."""

    async def load(site: Site, cluster: Cluster) -> Envelope:
        file = site.path / "rows.ndjson"
        file.write_bytes(rows)
        return await do(cluster, "load", {"graph": graph, "file": str(file), "intent": "rows"})

    return load


async def two_declared(site: Site) -> None:
    """Two graphs are declared, and none is there."""
    await site.begun(folder_files("supply", "spare"))


two_empty: Final = given(two_declared, after(applied))
two_with_rows: Final = given(two_empty, after(loaded("supply", ROWS)), after(loaded("spare", ROWS)))
"""Two graphs are there, each with rows."""
wider: Final = given(two_with_rows, folder({"supply.pg": WIDER_SCHEMA}))
query_written: Final = given(two_with_rows, folder({"supply.gq": MORE_QUERIES}))
query_added: Final = given(query_written, after(applied))
spare_removed: Final = given(
    two_with_rows,
    folder({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")}),
)
"""One of the two is not declared any more."""

untouched: Final = commits(supply="create write")
not_detached: Final = commits(spare="create write")


async def widened(site: Site, cluster: Cluster) -> None:
    """The graph was widened once, and has its rows."""
    await commits(supply="create write schema")(site, cluster)
    assert names(site, "supply") == ["a", "b"]


def asking_for(gate: str = "graph.spare") -> Command:
    """Returns the command by which an agent asks for consent to a gate of the plan."""
    arguments = {"gate": gate, "intent": "not used", "idempotency_key": f"ask-{gate}"}
    return asks("request_approval", arguments, by=AGENT)


def deciding(verdict: str, *, reason: str = "seen", **more: object) -> Command:
    """Returns the command by which sarah decides the newest request."""

    async def decide(site: Site, cluster: Cluster) -> Envelope:
        del site
        request = (await cluster.approvals.records()).requests[-1]
        arguments = {
            "request_id": request.request_id,
            "verdict": verdict,
            "gate_digest": request.gate_digest,
            "reason": reason,
            "confirmation": request.statement.resource,
        }
        return await do(cluster, "decide", arguments | more)

    return decide


def asked_for(gate: str = "graph.spare") -> Preparation:
    """Returns the preparation in which consent to a gate was asked for."""
    return after(asking_for(gate))


approved: Final = after(deciding("approve"))
"""Sarah approved the newest request."""
removal_asked: Final = given(spare_removed, asked_for())
removal_approved: Final = given(removal_asked, approved)
removed: Final = given(removal_approved, after(applied))


def consented_to(gate: str) -> Preparation:
    """Returns the preparation in which consent to a gate was asked for and given."""
    return given(asked_for(gate), approved)


def passed(seconds: float) -> Preparation:
    """Returns the preparation in which that much time went by."""

    async def prepare(site: Site) -> None:
        await site.start().sleep(seconds)

    return prepare


def enrolled(name: str, *groups: str) -> Command:
    """Returns the command that enrols a human with the key of that name."""
    arguments = {"id": name, "key": key_of(name).key, "assurance": "file", "in_groups": groups}
    return asks("identity_add_human", arguments)


def lost(*prefixes: str) -> Preparation:
    """Returns the preparation in which the storage lost what it had under these."""

    async def prepare(site: Site) -> None:
        store = site.disk.connect()
        for prefix in prefixes:
            for key in await store.list(prefix):
                await store.delete(key)

    return prepare


async def forgotten_revisions(site: Site) -> None:
    """The ledger keeps its newest objects only."""
    cluster = await site.open()
    head = await cluster.ledger.head()
    assert head is not None
    for seq in range(1, head.seq - 1):
        await cluster.store.delete(ledger_key(seq))
