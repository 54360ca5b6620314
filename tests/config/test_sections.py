"""The sections that OmniGraph 0.10 only reserves: typed, resolved, and wrong with a place for each fault."""

from typing import Any

import pytest

SCHEMA = """\
node Package {
  name: String @key
  size: I64?
  vector: Vector(4)? @embed(name, model="m1")
}
node Note { text: String }
edge DependsOn: Package -> Package { range: String? }
"""
QUERIES = """\
query package($name: String, $least: I64?) {
  match { $p: Package { name: $name } }
  return { $p.name, $p.size }
}

query names() {
  match { $p: Package }
  return { $p.name }
}
"""
TOP = """\
version: 1
graphs:
  g: {schema: g.pg, queries: q.gq}
  h: {schema: g.pg, queries: q.gq}
"""
PROVIDERS = """\
providers:
  embedding: {main: {kind: mock}}
  source: {index: {kind: python-env}, main: {kind: python-env}}
"""
FILES = {"g.pg": SCHEMA, "q.gq": QUERIES, "t.sql": "select 1\n", "d.json": "{}\n"}


@pytest.fixture
def faults(load: Any) -> Any:
    """Returns the errors of a cluster with one more section, as `line:column code path: message`."""

    async def found(section: str, *, severity: str = "error") -> list[str]:
        loaded = await load({**FILES, "cluster.yaml": TOP + section})
        return [
            f"{d.where.line - TOP.count(chr(10))}:{d.where.column} {d.code} {d.path}: {d.message}"
            for d in loaded.diagnostics
            if d.severity == severity
        ]

    return found


SOURCE = "providers:\n  source:\n    s: "
PIPE = "providers: {source: {s: {kind: python-env}}}\npipelines:\n  p: "


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (SOURCE + "{}", "3:5 invalid_cluster_yaml provider.source.s: `providers.source.s` lacks the field `kind`"),
        (SOURCE + "{kind: ftp}", "3:15 invalid_cluster_yaml provider.source.s: `kind` in `providers.source.s` is `ftp`"),
        (SOURCE + "{kind: http}", "3:5 invalid_source_provider provider.source.s: a source of kind `http` needs `base_url`"),
        (SOURCE + "{kind: http, base_url: host}", "3:31 invalid_source_provider provider.source.s: `base_url` of a source of kind `http` begins with `http://` or `https://` and a host"),
        (SOURCE + "{kind: http, base_url: 'https://u@h'}", "3:31 invalid_source_provider provider.source.s: `base_url` of a source of kind `http` holds a user; give `credentials` instead"),
        (SOURCE + "{kind: http, base_url: 'http://[x'}", "3:31 invalid_source_provider provider.source.s: `base_url` of a source of kind `http` is no URL"),
        (SOURCE + "{kind: python-env, base_url: x}", "3:27 invalid_source_provider provider.source.s: a source of kind `python-env` has no `base_url`"),
        (SOURCE + "{kind: file, options: {}}", "3:21 invalid_cluster_yaml provider.source.s: `providers.source.s.options` lacks the field `path`"),
        (SOURCE + "{kind: file}", "3:5 invalid_cluster_yaml provider.source.s: `providers.source.s.options` lacks the field `path`"),
        (SOURCE + "{kind: python-env, options: {bucket: b}}", "3:37 invalid_cluster_yaml provider.source.s: unknown field `bucket` in `providers.source.s.options`"),
        (SOURCE + "{kind: github, options: {repository: x, read: files}}", "3:45 invalid_cluster_yaml provider.source.s: `repository` in `providers.source.s.options` is `x`, which is no repository"),
        (SOURCE + "{kind: python-env, credentials: abc}", "3:40 secret_inline provider.source.s: `credentials` in `providers.source.s` is a literal, and secrets are references"),
        ("providers: {storage: {c: {kind: s3, uri: 's3://'}}}", "1:42 invalid_storage_provider provider.storage.c: `uri` names no bucket after `s3://`"),
        ("providers: {storage: {c: {kind: s3, uri: cold}}}", "1:42 invalid_storage_provider provider.storage.c: `uri` is no URI"),
        ("providers: {storage: {c: {kind: s3, uri: 'file:///x'}}}", "1:42 invalid_storage_provider provider.storage.c: `uri` begins with `file://`, and the kind is `s3`"),
        ("providers: {storage: {c: {kind: file, uri: 'file:///x', region: r}}}", "1:57 invalid_storage_provider provider.storage.c: a place of kind `file` has no `region`"),
        ("providers: {blob: {}}", "1:13 invalid_cluster_yaml cluster.yaml: unknown field `blob` in `providers`"),
        ("apply: {concurrency: 17}", "1:22 invalid_cluster_yaml cluster.yaml: `concurrency` in `apply` takes an integer from 1 to 16, not `17`"),
        ("apply: {concurrency: four}", "1:22 invalid_cluster_yaml cluster.yaml: `concurrency` in `apply` takes an integer from 1 to 16, not `four`"),
        ("apply: {groups: {x: []}}", "1:18 invalid_cluster_yaml cluster.yaml: `apply.groups.x` is empty"),
        ("apply: {groups: {x: [graph.k]}}", "1:22 dangling_reference cluster.yaml: the graph `graph.k` is not declared"),
        ("apply: {groups: {x: [g]}}", "1:22 ambiguous_reference cluster.yaml: `g` does not say which resource is meant"),
        ("apply: {groups: {x: ['a b']}}", "1:22 invalid_cluster_yaml cluster.yaml: `a b` is no typed address"),
        ("apply: {groups: {x: [graph.g], y: [graph.g]}}", "1:36 duplicate_reference cluster.yaml: `graph.g` is in an apply group already"),
        (PIPE + "{source: index, targets: [{graph: g, type: Note, mode: append}]}", "3:15 dangling_reference pipeline.p: the source provider `index` is not declared"),
        (PIPE + "{source: s, targets: [{graph: g, type: Note, mode: append}]}", "3:15 ambiguous_reference pipeline.p: `s` does not say which source provider is meant"),
        (PIPE + "{source: graph.g, targets: [{graph: g, type: Note, mode: append}]}", "3:15 wrong_kind_reference pipeline.p: `graph.g` is a graph, not a source provider"),
        (PIPE + "{source: provider.source.s, targets: []}", "3:34 invalid_cluster_yaml pipeline.p: `pipelines.p.targets` is empty"),
        (PIPE + "{source: provider.source.s}", "3:3 invalid_cluster_yaml pipeline.p: `pipelines.p` lacks the field `targets`"),
        (PIPE + "{source: provider.source.s, targets: [{graph: k, type: Note, mode: append}]}", "3:52 dangling_graph_reference pipeline.p: the graph `k` is not declared"),
        (PIPE + "{source: provider.source.s, targets: [{graph: g, type: Not, mode: append}]}", "3:61 invalid_pipeline pipeline.p: the graph `g` has no node or edge type `Not`"),
        (PIPE + "{source: provider.source.s, targets: [{graph: g, type: Note, mode: upsert}]}", "3:73 invalid_cluster_yaml pipeline.p: `mode` in `pipelines.p.targets[0]` is `upsert`"),
        (PIPE + "{source: provider.source.s, targets: [{graph: g, type: Note, mode: merge}]}", "3:73 invalid_pipeline pipeline.p: `merge` needs a `@key`, and `Note` has none"),
        (PIPE + "{source: provider.source.s, targets: [{graph: g, type: Note, mode: append, map: {tex: t}}]}", "3:87 invalid_pipeline pipeline.p: `Note` has no property `tex`"),
        (PIPE + "{source: provider.source.s, targets: [{graph: g, type: Note, mode: append, map: {from: t}}]}", "3:87 invalid_pipeline pipeline.p: `Note` has no property `from`"),
        (PIPE + "{source: provider.source.s, targets: [{graph: g, type: Note, mode: append}], transform: {sql: u.sql}}", "3:100 resource_file_missing pipeline.p: there is no file `u.sql`"),
        (PIPE + "{source: provider.source.s, targets: [{graph: g, type: Note, mode: append}], schedule: '61 * * * *'}", "3:93 invalid_schedule pipeline.p: `schedule` in `pipelines.p` is no schedule: `61` is no minute, which is from 0 to 59"),
        (PIPE + "{source: provider.source.s, targets: [{graph: g, type: Note, mode: append}], branch: 'a b'}", "3:91 invalid_cluster_yaml pipeline.p: `branch` in `pipelines.p` is `a b`, which is no name of a branch"),
        ("ui: {dashboards: {d: {queries: [query.g.names]}}}", "1:19 invalid_cluster_yaml ui.d: `ui.dashboards.d` lacks the field `file`"),
        ("ui: {dashboards: {d: {file: d.json, queries: [names]}}}", "1:47 ambiguous_reference ui.d: `names` does not say which query is meant"),
        ("ui: {dashboards: {d: {file: d.json, queries: [query.g.name]}}}", "1:47 dangling_reference ui.d: the query `query.g.name` is not declared"),
        ("ui: {dashboards: {d: {file: d.json, queries: [query.g.names, query.g.names]}}}", "1:62 duplicate_reference ui.d: `query.g.names` is listed twice"),
        ("ui: {boards: {}}", "1:6 invalid_cluster_yaml cluster.yaml: unknown field `boards` in `ui`"),
        ("aliases: {a: {query: schema.g}}", "1:22 wrong_kind_reference alias.a: `schema.g` is a schema, not a query"),
        ("aliases: {a: {query: query.g.package, params: {nam: x}}}", "1:48 invalid_alias alias.a: `package` declares no parameter `nam`"),
        ("aliases: {a: {query: query.g.package, params: {least: many}}}", "1:55 invalid_alias alias.a: the parameter `least` is I64?, and the value given is not"),
        ("aliases: {a: {query: query.g.package, params: {least: .inf}}}", "1:55 invalid_cluster_yaml alias.a: `aliases.a.params.least` holds `.inf`, which is no number of JSON"),
        ("bindings: [{query: query.g.names}]", "1:12 invalid_cluster_yaml cluster.yaml: `bindings[0]` lacks the field `surface`"),
        ("bindings: [{query: query.g.names, surface: web}]", "1:44 dangling_reference cluster.yaml: the dashboard `web` is not declared"),
        ("bindings: [{query: query.g.names, surface: graph.g}]", "1:44 wrong_kind_reference cluster.yaml: `graph.g` is a graph, not a dashboard"),
        ("bindings: [{query: query.g.names, surface: mcp}, {query: query.g.names, surface: mcp}]", "1:58 duplicate_reference binding.query.g.names->mcp: `query.g.names` is bound to `mcp` twice"),
        ("bindings: [{query: query.g.names, surface: mcp, name: n}, {query: query.h.names, surface: mcp, name: n}]", "1:102 duplicate_reference binding.query.h.names->mcp: two queries are called `n` on `mcp`"),
        ("bindings: [null]", "1:12 invalid_cluster_yaml cluster.yaml: `bindings[0]` has no value"),
        ("approvals: {r: {match: {classes: [reversible]}}}", "1:35 invalid_cluster_yaml approval.r: an item of `approvals.r.match.classes` is `reversible`"),
        ("approvals: {r: {match: {resources: ['*']}}}", "1:37 invalid_cluster_yaml approval.r: `*` is no typed address"),
        ("approvals: {r: {need: {count: 0}}}", "1:31 invalid_cluster_yaml approval.r: `count` in `approvals.r.need` takes an integer from 1 to 20, not `0`"),
        ("approvals: {r: {assurance: strong}}", "1:28 invalid_cluster_yaml approval.r: `assurance` in `approvals.r` is `strong`"),
        ("approvals: {r: {expires: 0}}", "1:26 invalid_cluster_yaml approval.r: `expires` in `approvals.r` is `0`, which is no span of time"),
        ("approvals: {r: {separate: yes}}", "1:27 invalid_cluster_yaml approval.r: `separate` in `approvals.r` takes `true` or `false`, not `yes`"),
        ("ops: {retention: {detached: soon}}", "1:29 invalid_cluster_yaml cluster.yaml: `detached` in `ops.retention` is `soon`, which is no span of time"),
        ("ops: {archive: {tool: tar}}", "1:23 invalid_cluster_yaml cluster.yaml: `tool` in `ops.archive` is `tar`"),
        ("protect: [graph.g, graph.g]", "1:20 duplicate_reference cluster.yaml: `graph.g` is listed twice"),
        ("protect: graph.g", "1:10 invalid_cluster_yaml cluster.yaml: `protect` takes a list, not text"),
        ("moved: [{from: graph.old, to: query.g.names}]", "1:31 invalid_moved cluster.yaml: a graph does not become a query"),
        ("moved: [{from: graph.h, to: graph.g}]", "1:16 invalid_moved cluster.yaml: `graph.h` is moved, and still declared"),
        ("moved: [{from: graph.old, to: graph.new}]", "1:31 invalid_moved cluster.yaml: `graph.new` is moved to, and not declared"),
        ("moved: [{from: alias.old, to: graph.g}]", "1:16 wrong_kind_reference cluster.yaml: `alias.old` is an alias, not a graph or a query or a policy"),
        ("moved: [{from: graph.old, to: graph.g}, {from: graph.old, to: graph.h}]", "1:48 duplicate_reference cluster.yaml: `graph.old` is moved twice"),
        ("forget: [graph.g]", "1:10 invalid_forget cluster.yaml: `graph.g` is to be forgotten, and still declared"),
        ("moved: [{from: graph.old, to: graph.g}]\nforget: [graph.old]", "2:10 invalid_forget cluster.yaml: `graph.old` is to be forgotten, and moved"),
        ("env_file: ' '", "1:11 invalid_cluster_yaml cluster.yaml: a path may not be blank"),
        ("env_file: g.pg", "1:11 path_not_config cluster.yaml: `g.pg` holds secrets by `env_file`, and is config as well"),
        ("env_file: __cluster/../Graphs/x", "1:11 path_not_config cluster.yaml: `Graphs/x` is state or data, which hold no secrets"),
        ("expose: true", "1:1 invalid_cluster_yaml cluster.yaml: `expose` is no field of a cluster"),
        ("mcp: {expose: true}", "1:1 invalid_cluster_yaml cluster.yaml: `mcp` is no field of a cluster"),
        ("env_file: ../secrets", "1:11 path_outside_folder cluster.yaml: `../secrets` is outside the cluster folder"),
    ],
)  # fmt: skip
async def test_a_fault_of_a_section_is_told_once_at_its_place(
    faults: Any, section: str, expected: str
) -> None:
    assert await faults(section + "\n") == [expected]


EMBED = PROVIDERS + "embeddings:\n  e: {provider: main, model: %s, graph: %s, property: %s}\n"


@pytest.mark.parametrize(
    ("model", "graph", "named", "expected"),
    [
        ("m1", "g", "Package.vector", []),
        ("m2", "g", "Package.vector", ["5:30 invalid_embedding embedding.e: the model is `m2`, and `@embed` of `Package.vector` says `m1`"]),
        ("m1", "g", "Package.name", ["5:54 invalid_embedding embedding.e: `Package.name` is String, and only a vector can be embedded into"]),
        ("m1", "g", "Package.vectr", ["5:54 invalid_embedding embedding.e: `Package` has no property `vectr`"]),
        ("m1", "g", "Packag.vector", ["5:54 invalid_embedding embedding.e: the graph `g` has no node type `Packag`"]),
        ("m1", "g", "vector", ["5:54 invalid_cluster_yaml embedding.e: `property` in `embeddings.e` is `vector`, which is no property"]),
        ("m1", "k", "Package.vector", ["5:41 dangling_graph_reference embedding.e: the graph `k` is not declared"]),
    ],
)  # fmt: skip
async def test_an_embedding_has_a_vector_of_the_same_model(
    faults: Any, model: str, graph: str, named: str, expected: list[str]
) -> None:
    assert await faults(EMBED % (model, graph, named)) == expected


async def test_what_is_protected_or_ruled_over_and_not_declared_is_a_warning(faults: Any) -> None:
    text = (
        "protect: [graph.k]\napprovals: {r: {match: {resources: [graph.gg, graph.*, query.*]}}}\n"
    )

    assert await faults(text) == []
    assert await faults(text, severity="warning") == [
        "1:11 reference_not_declared cluster.yaml: `graph.k` is protected and not declared",
        "2:37 reference_not_declared approval.r: the rule is about `graph.gg`, which is not declared",
    ]


async def test_a_reference_into_a_file_that_does_not_parse_is_not_told_as_well(load: Any) -> None:
    loaded = await load(
        {
            **FILES,
            "q.gq": QUERIES + "query more( {",
            "cluster.yaml": TOP + "aliases: {a: {query: query.g.more}, b: {query: query.h.less}}\n",
        }
    )

    assert {d.code for d in loaded.diagnostics} == {"query_parse_error"}


async def test_a_resource_with_mistakes_is_declared_all_the_same(faults: Any) -> None:
    text = (
        "providers: {embedding: {main: 5}}\n"
        "embeddings: {e: {provider: main, model: m1, graph: g, property: Package.vector}}\n"
        "protect: [embedding.e]\n"
    )

    assert await faults(text) == [
        "1:31 invalid_cluster_yaml provider.embedding.main:"
        " `providers.embedding.main` takes a mapping, not an integer"
    ]


async def test_places_count_characters_under_wide_ones_tabs_and_quotes(load: Any) -> None:
    text = TOP + 'aliases:\n  a: {"query": query.g.package, params: {"näme": "日本\t", nope: 1}}\n'
    loaded = await load({**FILES, "cluster.yaml": text})

    assert [(str(d.where), d.where.end_column, d.message) for d in loaded.diagnostics] == [
        ("cluster.yaml:6:42", 48, "`package` declares no parameter `näme`"),
        ("cluster.yaml:6:57", 61, "`package` declares no parameter `nope`"),
    ]


async def test_everything_wrong_is_told_at_once_sorted_and_once(load: Any) -> None:
    text = (
        "version: 2\nnope: 1\ngraphs:\n  g: {schema: g.pg, queries: q.gq, embedding_provider: e}\n"
        "pipelines: {p: {source: x}}\naliases: {a: {query: zzz}}\nforget: [graph.g]\n"
    )
    loaded = await load({**FILES, "cluster.yaml": text})

    assert [f"{d.where.line} {d.code}" for d in loaded.diagnostics] == [
        "1 unsupported_cluster_config_version",
        "2 invalid_cluster_yaml",
        "4 dangling_embedding_provider_reference",
        "5 invalid_cluster_yaml",
        "5 dangling_reference",
        "6 dangling_reference",
        "7 invalid_forget",
    ]


async def test_a_hundred_mistakes_are_enough_and_the_rest_is_counted(load: Any) -> None:
    names = "".join(f"  a{n}: {{query: query.g.nope{n}}}\n" for n in range(500))
    loaded = await load({**FILES, "cluster.yaml": TOP + "aliases:\n" + names})

    assert len(loaded.diagnostics) == 101
    assert loaded.diagnostics[0].message == "400 more problems of this file are not shown"
