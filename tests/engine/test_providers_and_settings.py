"""Providers and settings of graphs are what the ledger alone holds; kinds without a step wait aloud."""

from pathlib import Path

import msgspec

from agentctl.domain.ledger.codec import state_text
from agentctl.domain.ledger.state import State
from agentctl.engine.advance import composite_diagnostics
from agentctl.engine.apply import apply
from agentctl.engine.planning import make_plan
from agentctl.engine.refresh import refresh
from agentctl.testing.builders import QUERY, Bench, ask, decide, folder_files, recorded, wanting

PROVIDER = "provider.embedding.e"


def yaml(*, kind: str = "mock", graph: str = "", more: str = "") -> str:
    key = "" if kind == "mock" else ", api_key: '${KEY}'"
    return (
        "version: 1\n"
        f"providers: {{embedding: {{e: {{kind: {kind}{key}}}}}}}\n"
        f"graphs: {{supply: {{schema: supply.pg, queries: supply.gq{graph}}}}}\n{more}"
    )


BOUND = ", embedding_provider: e"
BLOBS = ", external_blobs: {allow: [{base: 's3://bucket/a/', scope: embedded_only}]}"


async def test_a_graph_bound_to_a_mock_converges_and_the_ledger_holds_profile_and_binding(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply") | {"cluster.yaml": yaml(graph=BOUND)})

    applied = await apply(cluster, bench.agent, wanting())
    again = await apply(cluster, bench.agent, wanting())

    assert applied.converged, applied.diagnostics
    assert [s.resource for s in applied.steps] == [
        "graph.supply",
        PROVIDER,
        "query.supply.all_packages",
    ]
    state = await recorded(cluster)
    resources = state.applied_revision.resources
    assert resources[PROVIDER].embedding_profile == {"kind": "mock"}
    assert resources["graph.supply"].embedding_provider == PROVIDER
    assert composite_diagnostics(state) == ()
    assert msgspec.json.decode(state_text(state), type=State) == state
    assert not again.state_written


async def test_a_provider_with_a_secret_waits_and_its_graph_follows_when_it_is_let(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    files = {"cluster.yaml": yaml(kind="openai", graph=BOUND)}
    cluster = await bench.begun(folder_files("supply") | files)

    waiting = await apply(cluster, bench.agent, wanting())
    await decide(cluster, await ask(cluster, bench.agent, PROVIDER))
    applied = await apply(cluster, bench.agent, wanting())

    assert waiting.ok
    assert not waiting.converged
    assert [n.resource for n in waiting.approvals_required] == [PROVIDER]
    assert "KEY" in waiting.approvals_required[0].reason
    assert applied.converged, applied.diagnostics
    profile = (await recorded(cluster)).applied_revision.resources[PROVIDER].embedding_profile
    assert profile == {"kind": "openai", "api_key": "${KEY}"}


async def test_a_graph_gets_its_blobs_with_a_consent_that_outlives_a_query(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply") | {"cluster.yaml": yaml()})
    await apply(cluster, bench.agent, wanting())
    bench.write({"cluster.yaml": yaml(graph=BLOBS)})
    request = await ask(cluster, bench.agent, "graph.supply")
    bench.write({"supply.gq": QUERY.replace("asc", "desc")})
    between = await apply(cluster, bench.agent, wanting())
    await decide(cluster, request)

    applied = await apply(cluster, bench.agent, wanting())

    assert not between.converged
    assert applied.converged, applied.diagnostics
    graph = (await recorded(cluster)).applied_revision.resources["graph.supply"]
    assert graph.external_blob_policy == {
        "mode": "allow",
        "bases": [{"uri": "s3://bucket/a", "scope": "embedded_only"}],
    }


async def test_what_was_allowed_and_bound_is_taken_back_without_asking(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply") | {"cluster.yaml": yaml(graph=BOUND)})
    await apply(cluster, bench.agent, wanting())
    bare = "version: 1\ngraphs: {supply: {schema: supply.pg, queries: supply.gq}}\n"
    bench.write({"cluster.yaml": bare})

    applied = await apply(cluster, bench.agent, wanting())
    refreshed = await refresh(cluster, bench.sarah, "look")

    assert applied.converged, applied.diagnostics
    resources = (await recorded(cluster)).applied_revision.resources
    assert PROVIDER not in resources
    assert resources["graph.supply"].embedding_provider is None
    assert refreshed.ok


async def test_a_kind_without_a_step_is_told_and_never_recorded(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    more = "aliases: {deps: {query: query.supply.all_packages}}\n"
    cluster = await bench.begun(folder_files("supply") | {"cluster.yaml": yaml(more=more)})

    applied = await apply(cluster, bench.agent, wanting())
    again = await apply(cluster, bench.agent, wanting())
    planned = await make_plan(cluster, bench.agent)

    assert applied.ok
    assert not applied.converged
    assert [(d.code, d.path) for d in applied.diagnostics if d.severity == "warning"] == [
        ("apply_unsupported_change", "alias.deps")
    ]
    assert "alias.deps" not in (await recorded(cluster)).applied_revision.resources
    assert not again.state_written
    assert [(c.resource, c.disposition) for c in planned.result.changes] == [
        ("alias.deps", "deferred")
    ]


async def test_a_declared_move_deletes_nothing_and_a_forgotten_graph_stays(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply", "spare"))
    await apply(cluster, bench.agent, wanting())
    bench.write(
        {
            "cluster.yaml": "version: 1\n"
            "graphs: {parts: {schema: supply.pg, queries: supply.gq}}\n"
            "moved: [{from: graph.supply, to: graph.parts}]\nforget: [graph.spare]\n"
        }
    )

    applied = await apply(cluster, bench.agent, wanting())

    assert applied.ok, applied.diagnostics
    assert applied.approvals_required == ()
    assert [(c.resource, c.operation, c.disposition) for c in applied.changes] == [
        ("graph.parts", "update", "deferred"),
        ("graph.spare", "delete", "deferred"),
    ]
    assert await cluster.graphs.roots() == ("spare", "supply")
    assert {g: (await cluster.graphs.observe(g)).presence for g in ("spare", "supply")} == {
        "spare": "live",
        "supply": "live",
    }
