"""Settings of every kind are recorded, and their fields kept; kinds without a step wait aloud."""

from pathlib import Path

import msgspec

from agentctl.domain.ledger.codec import state_text
from agentctl.domain.ledger.state import State
from agentctl.engine.advance import composite_diagnostics
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.planning import make_plan
from agentctl.engine.refresh import refresh
from agentctl.testing.builders import (
    POLICY,
    QUERY,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)

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


async def test_a_remote_waits_for_a_person_who_sees_where_changes_and_the_token_go(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    forge = "forge: {kind: gitea, api: 'https://h/api/v1', repo: o/r, token: '${T}'}"
    more = f"publication: {{remotes: {{origin: {{url: 'git@h:o/r.git', {forge}}}}}}}\n"
    cluster = await bench.begun(folder_files("supply") | {"cluster.yaml": yaml(more=more)})

    waiting = await apply(cluster, bench.agent, wanting())
    await decide(cluster, await ask(cluster, bench.agent, "remote.origin"))
    applied = await apply(cluster, bench.agent, wanting())
    bench.write({"cluster.yaml": yaml()})
    taken = await apply(cluster, bench.agent, wanting())

    assert [(n.resource, n.reason) for n in waiting.approvals_required] == [
        (
            "remote.origin",
            "changes may be published to git@h:o/r.git, and secret ${T} will be sent to"
            " https://h/api/v1",
        )
    ]
    assert applied.converged, applied.diagnostics
    assert taken.converged, taken.diagnostics
    assert "remote.origin" not in (await recorded(cluster)).applied_revision.resources


async def test_a_kind_without_a_step_is_told_and_never_recorded(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    more = "ui: {dashboards: {deps: {file: d.json}}}\n"
    files = {"cluster.yaml": yaml(more=more), "d.json": "{}"}
    cluster = await bench.begun(folder_files("supply") | files)

    applied = await apply(cluster, bench.agent, wanting())
    again = await apply(cluster, bench.agent, wanting())
    planned = await make_plan(cluster, bench.agent)

    assert applied.ok
    assert not applied.converged
    assert [(d.code, d.path) for d in applied.diagnostics if d.severity == "warning"] == [
        ("apply_unsupported_change", "ui.deps")
    ]
    assert "ui.deps" not in (await recorded(cluster)).applied_revision.resources
    assert not again.state_written
    assert [(c.resource, c.disposition) for c in planned.result.changes] == [
        ("ui.deps", "deferred")
    ]


SETTINGS = """\
aliases: {deps: {query: query.supply.all_packages}}
bindings: [{query: query.supply.all_packages, surface: mcp}]
approvals: {deletions: {match: {classes: [irreversible]}, need: {count: 2}}}
ops: {retention: {detached: 14d}}
providers:
  embedding: {e: {kind: mock}}
  storage: {bucket: {kind: s3, uri: 's3://bucket/a'}}
  source: {site: {kind: http, base_url: 'https://example.org', credentials: '${SITE}'}}
protect: [graph.supply]
apply: {concurrency: 3}
"""
GATED = ("approval.deletions", "cluster", "ops", "provider.source.site", "provider.storage.bucket")


def with_settings(more: str = SETTINGS) -> str:
    graphs = "version: 1\ngraphs: {supply: {schema: supply.pg, queries: supply.gq}}\n"
    return graphs + more


async def settled(bench: Bench) -> Cluster:
    cluster = await bench.begun(folder_files("supply") | {"cluster.yaml": with_settings()})
    await apply(cluster, bench.agent, wanting())
    for resource in GATED:
        await decide(cluster, await ask(cluster, bench.agent, resource))
    applied = await apply(cluster, bench.agent, wanting())
    assert applied.converged, applied.diagnostics
    return cluster


async def test_settings_are_applied_and_their_fields_are_read_back_hashed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await settled(bench)

    resources = (await recorded(cluster)).applied_revision.resources
    digest = resources["approval.deletions"].digest
    fields = await cluster.catalog.read_fields("approval.deletions", digest)
    bound = await cluster.catalog.read_fields(BINDING, resources[BINDING].digest)
    head = await cluster.ledger.head()

    assert fields is not None
    assert fields["need"] == {"count": 2, "roles": []}
    assert bound == {"query": "query.supply.all_packages", "surface": "mcp"}
    assert f"__cluster/resources/approval/deletions/{digest}.json" in bench.objects
    assert {"alias.deps", "ops", "provider.storage.bucket"} <= set(resources)
    assert head is not None
    assert head.envelope.protected == ("graph.supply",)
    assert head.envelope.settings.concurrency == 3
    assert (await make_plan(cluster, bench.agent)).result.changes == ()


BINDING = "binding.query.supply.all_packages->mcp"


async def test_an_altered_setting_is_not_believed_and_is_published_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await settled(bench)
    digest = (await recorded(cluster)).applied_revision.resources["alias.deps"].digest
    (key,) = [k for k in bench.objects if "/resources/alias/deps/" in k]
    bench.objects[key] = b"{}"

    read = await cluster.catalog.read_fields("alias.deps", digest)
    refreshed = await refresh(cluster, bench.sarah, "look")
    applied = await apply(cluster, bench.agent, wanting())

    assert read is None
    assert [d.code for d in refreshed.diagnostics] == ["catalog_payload_mismatch"]
    assert applied.converged, applied.diagnostics
    assert await cluster.catalog.read_fields("alias.deps", digest) is not None


async def test_settings_that_leave_the_folder_leave_the_ledger_behind_their_gates(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await settled(bench)
    bench.write({"cluster.yaml": with_settings("")})

    first = await apply(cluster, bench.agent, wanting())
    waiting = [n.resource for n in first.approvals_required]
    for resource in waiting:
        await decide(cluster, await ask(cluster, bench.agent, resource))
    last = await apply(cluster, bench.agent, wanting())

    assert waiting == ["approval.deletions", "cluster", "ops"]
    assert last.converged, last.diagnostics
    resources = (await recorded(cluster)).applied_revision.resources
    assert sorted(resources) == ["graph.supply", "query.supply.all_packages", "schema.supply"]
    head = await cluster.ledger.head()
    assert head is not None
    assert head.envelope.protected == ()


async def test_an_apply_that_only_protects_is_recorded_though_the_state_stays(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply") | {"cluster.yaml": with_settings("")})
    await apply(cluster, bench.agent, wanting())
    before = await cluster.ledger.head()
    bench.write({"cluster.yaml": with_settings("protect: [graph.supply]\n")})
    await decide(cluster, await ask(cluster, bench.agent, "cluster"))

    applied = await apply(cluster, bench.agent, wanting())
    again = await apply(cluster, bench.agent, wanting())

    after = await cluster.ledger.head()
    assert before is not None
    assert after is not None
    assert applied.converged
    assert after.seq == before.seq + 1
    assert after.envelope.protected == ("graph.supply",)
    assert not again.state_written


async def test_something_forgotten_leaves_the_ledger_and_its_data_stays(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply", "spare"))
    await apply(cluster, bench.agent, wanting())
    forgotten = cluster_yaml("supply") + "forget: [graph.spare]\n"
    bench.write({"cluster.yaml": forgotten})

    waiting = await apply(cluster, bench.agent, wanting())
    await decide(cluster, await ask(cluster, bench.agent, "graph.spare"))
    applied = await apply(cluster, bench.agent, wanting())
    again = await apply(cluster, bench.agent, wanting())
    bench.write({"cluster.yaml": cluster_yaml("supply", "spare")})
    await refresh(cluster, bench.sarah, "look")
    back = await apply(cluster, bench.agent, wanting())

    assert [n.resource for n in waiting.approvals_required] == ["graph.spare"]
    assert applied.converged, applied.diagnostics
    assert again.changes == ()
    assert (await cluster.graphs.observe("spare")).presence == "live"
    assert back.converged, back.diagnostics
    assert [c.kind for c in await cluster.graphs.history("spare")] == ["create"]


async def test_a_moved_query_and_a_moved_policy_keep_what_they_are(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    files = folder_files("supply")
    policies = "policies: {old: {file: p.yaml, applies_to: [supply]}}"
    files |= {"cluster.yaml": cluster_yaml("supply", policies=policies), "p.yaml": POLICY}
    cluster = await bench.begun(files)
    assert (await apply(cluster, bench.agent, wanting())).converged
    moved = (
        "policies: {new: {file: p.yaml, applies_to: [supply]}}\n"
        "moved: [{from: policy.old, to: policy.new},"
        " {from: query.supply.all_packages, to: query.supply.packages}]"
    )
    bench.write(
        {
            "cluster.yaml": cluster_yaml("supply", policies=moved),
            "supply.gq": QUERY.replace("all_packages", "packages"),
        }
    )

    applied = await apply(cluster, bench.agent, wanting())
    again = await apply(cluster, bench.agent, wanting())

    assert applied.converged, applied.diagnostics
    assert applied.approvals_required == ()
    resources = (await recorded(cluster)).applied_revision.resources
    assert {"policy.new", "query.supply.packages"} <= set(resources)
    assert not {"policy.old", "query.supply.all_packages"} & set(resources)
    assert resources["policy.new"].applies_to == ("graph.supply",)
    assert again.changes == ()
