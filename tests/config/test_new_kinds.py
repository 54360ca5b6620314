"""Resources of the kinds that 0.10 does not have: addresses, fields, digests, edges, settings."""

import hashlib
import json
from typing import Any

import pytest

from agentctl.domain.config.digests import config_json
from agentctl.domain.config.model import ApplyGroup, Move
from agentctl.ids import ParsedAddress, parse_address, query_address

SCHEMA = "node Package { name: String @key size: U64? vector: Vector(4)? }\nedge Uses: Package -> Package\n"
QUERIES = (
    "query one($name: String, $size: U64?) { match { $p: Package { name: $name } } return { $p.size } }\n"
    "query all_names() { match { $p: Package } return { $p.name } }\n"
)
SQL = "select 1\n"
CLUSTER = """\
version: 1
env_file: .env
providers:
  embedding: {e: {kind: mock}}
  source: {s: {kind: http, base_url: "https://h", credentials: "${T}", options: {path: /x, timeout: 2m}}}
  storage: {c: {kind: file, uri: "file:///srv/cold"}}
graphs: {g: {schema: g.pg, queries: q.gq}}
apply: {concurrency: 2, groups: {z: [schema.g, graph.g], a: [alias.big, "binding.query.g.one->mcp"]}}
pipelines:
  p:
    source: provider.source.s
    transform: {sql: ./t.sql}
    targets: [{graph: g, type: Uses, mode: append, map: {from: a, to: b}}]
    schedule: "@weekly"
embeddings: {v: {provider: e, model: m, graph: graph.g, property: Package.vector}}
ui: {dashboards: {d: {file: d.json, queries: [all_names]}}}
aliases: {big: {query: one, params: {size: 18446744073709551615}}}
bindings:
  - {query: one, surface: mcp}
  - {query: query.g.one, surface: ui.d, name: first}
approvals: {r: {match: {classes: [irreversible, authority, authority]}}}
ops: {retention: {detached: 0}}
publication:
  remotes:
    r: {url: 'git@h:o/r.git', forge: {kind: gitea, api: 'https://h/api/v1', repo: o/r, token: '${T}'}}
protect: [ops, graph.g]
moved: [{from: query.old.one, to: query.g.one}, {from: graph.old, to: graph.g}]
forget: [policy.gone, pipeline.gone]
"""
FILES = {"cluster.yaml": CLUSTER, "g.pg": SCHEMA, "q.gq": QUERIES, "t.sql": SQL, "d.json": "{}"}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


FIELDS: dict[str, tuple[str, dict[str, Any]]] = {
    "alias.big": ("alias", {"query": "query.g.one", "params": {"size": "18446744073709551615"}}),
    "approval.r": (
        "approval",
        {
            "match": {"classes": ["authority", "irreversible"]},
            "need": {"count": 1, "roles": []},
            "separate": False,
            "assurance": "file",
            "tolerance": {"percent": 1, "rows": 100},
            "expires": 86400,
        },
    ),
    "binding.query.g.one->mcp": ("binding", {"query": "query.g.one", "surface": "mcp"}),
    "binding.query.g.one->ui.d": (
        "binding",
        {"query": "query.g.one", "surface": "ui.d", "name": "first"},
    ),
    "embedding.v": (
        "embedding",
        {
            "provider": "provider.embedding.e",
            "model": "m",
            "graph": "graph.g",
            "property": "Package.vector",
        },
    ),
    "ops": (
        "ops",
        {
            "archive": {"backend": "s3", "tool": "restic", "prefix": "ops"},
            "retention": {"keep_last": 50, "keep_monthly": 12, "keep_yearly": 3, "detached": 0},
        },
    ),
    "pipeline.p": (
        "pipeline",
        {
            "source": "provider.source.s",
            "transform": {"sql": sha(SQL.encode())},
            "targets": [
                {
                    "graph": "graph.g",
                    "type": "Uses",
                    "mode": "append",
                    "map": {"from": "a", "to": "b"},
                }
            ],
            "schedule": "0 0 * * 0",
        },
    ),
    "provider.source.s": (
        "source-provider",
        {
            "kind": "http",
            "base_url": "https://h",
            "credentials": "${T}",
            "options": {"path": "/x", "timeout": 120},
        },
    ),
    "provider.storage.c": ("storage-provider", {"kind": "file", "uri": "file:///srv/cold"}),
    "remote.r": (
        "remote",
        {
            "url": "git@h:o/r.git",
            "branch_base": "main",
            "forge": {"kind": "gitea", "api": "https://h/api/v1", "repo": "o/r", "token": "${T}"},
        },
    ),
    "ui.d": ("ui", {"file": sha(b"{}"), "queries": ["query.g.all_names"]}),
}


async def test_each_kind_has_its_address_its_normal_fields_and_their_digest(load: Any) -> None:
    desired = (await load(FILES)).desired

    assert {r.address: r.fields for r in desired.others} == {a: f for a, (_, f) in FIELDS.items()}
    for resource in desired.others:
        word, fields = FIELDS[resource.address]
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        assert resource.digest == sha(f"{word}\0{canonical}".encode()), resource.address
    assert [r.address for r in desired.others] == sorted(FIELDS)
    assert {r.address: r.path for r in desired.others if r.path} == {
        "pipeline.p": "t.sql",
        "ui.d": "d.json",
    }
    assert desired.resource_digests.keys() >= FIELDS.keys()


async def test_the_files_that_resources_name_are_part_of_the_source(load: Any) -> None:
    loaded = await load({**FILES, ".env": "T=secret\n"})

    assert sorted(loaded.files) == ["cluster.yaml", "d.json", "g.pg", "q.gq", "t.sql"]
    assert loaded.desired.env_file == ".env"


async def test_a_change_of_a_named_file_changes_its_resource_alone(load: Any) -> None:
    before = (await load(FILES)).desired
    after = (await load({**FILES, "t.sql": "select 2\n"})).desired
    moved = {a for a, d in after.resource_digests.items() if d != before.resource_digests[a]}

    assert moved == {"pipeline.p"}
    assert before.config_digest != after.config_digest


async def test_what_depends_on_what(load: Any) -> None:
    desired = (await load(FILES)).desired
    edges = {(d.source, d.target) for d in desired.dependencies if d.source in FIELDS}

    assert edges == {
        ("alias.big", "query.g.one"),
        ("binding.query.g.one->mcp", "query.g.one"),
        ("binding.query.g.one->ui.d", "query.g.one"),
        ("binding.query.g.one->ui.d", "ui.d"),
        ("embedding.v", "provider.embedding.e"),
        ("embedding.v", "schema.g"),
        ("pipeline.p", "graph.g"),
        ("pipeline.p", "provider.source.s"),
        ("pipeline.p", "schema.g"),
        ("ui.d", "query.g.all_names"),
    }


async def test_the_sections_that_are_no_resources(load: Any) -> None:
    desired = (await load(FILES)).desired

    assert desired.apply.concurrency == 2
    assert [(g.name, g.members) for g in desired.apply.groups] == [
        ("a", ("alias.big", "binding.query.g.one->mcp")),
        ("z", ("graph.g", "schema.g")),
    ]
    assert desired.protect == ("graph.g", "ops")
    assert [(m.source, m.target) for m in desired.moved] == [
        ("graph.old", "graph.g"),
        ("query.old.one", "query.g.one"),
    ]
    assert desired.forget == ("pipeline.gone", "policy.gone")
    assert isinstance(desired.moved[0], Move)
    assert isinstance(desired.apply.groups[0], ApplyGroup)


async def test_the_new_sections_follow_policies_in_the_config_digest(load: Any) -> None:
    written = (await load(FILES)).parsed.written
    document = json.loads(config_json(written))

    assert list(document) == [
        "version", "metadata", "storage", "state", "providers", "graphs", "policies",
        "providers.source", "providers.storage", "apply", "pipelines", "embeddings", "ui", "aliases",
        "bindings", "approvals", "ops", "publication", "protect", "moved", "forget",
    ]  # fmt: skip
    assert document["providers"] == {"embedding": {"e": {"kind": "mock"}}}
    assert document["bindings"][0] == {"query": "one", "surface": "mcp"}
    assert document["pipelines"]["p"]["transform"] == {"sql": "./t.sql"}


async def test_spelling_a_default_or_a_reference_otherwise_changes_no_resource(load: Any) -> None:
    before = (await load(FILES)).desired
    text = CLUSTER.replace("query: one, params", "query: query.g.one, params").replace(
        "approvals: {r: {", 'approvals: {r: {expires: 24h, need: {count: 1}, separate: "false", '
    )
    after = (await load({**FILES, "cluster.yaml": text.replace('"false"', "false")})).desired

    assert after.resource_digests == before.resource_digests
    assert after.config_digest != before.config_digest


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("provider.source.s", ParsedAddress(kind="source_provider", name="s")),
        ("provider.storage.s", ParsedAddress(kind="storage_provider", name="s")),
        ("provider.embedding.s", ParsedAddress(kind="embedding_provider", name="s")),
        ("pipeline.p", ParsedAddress(kind="pipeline", name="p")),
        ("ui.d", ParsedAddress(kind="ui", name="d")),
        ("ops", ParsedAddress(kind="ops", name="ops")),
        ("remote.r", ParsedAddress(kind="remote", name="r")),
        (
            "binding.query.g.q->ui.d",
            ParsedAddress(kind="binding", name="ui.d", graph="g", query=query_address("g", "q")),
        ),
        ("binding.query.g.q->graph.g", None),
        ("binding.query.g->mcp", None),
        ("binding.graph.g->mcp", None),
        ("binding.query.g.q", None),
        ("provider.disk.s", None),
        ("ops.x", None),
        ("pipeline.a.b", None),
        ("ui.1", None),
        ("", None),
    ],
)
def test_an_address_is_parsed_or_is_none(text: str, parsed: ParsedAddress | None) -> None:
    assert parse_address(text) == parsed
