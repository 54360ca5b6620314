"""Digests byte for byte. Source: control-plane 1.9, whose two vectors these are."""

import hashlib
from typing import Any

from agentctl.domain.config.digests import (
    config_digest,
    config_json,
    file_digest,
    graph_composite,
    provider_digest,
    source_digest,
    source_manifest,
)
from agentctl.domain.config.given import Text
from agentctl.domain.config.written import (
    QueryEntry,
    QueryMap,
    QueryPath,
    QueryPaths,
    WrittenBlobBase,
    WrittenCluster,
    WrittenGraph,
    WrittenPolicy,
    WrittenProvider,
)

SCHEMA = "node A { k: String @key }\n"
QUERY = "query q() { match { $a: A } return { $a.k } }\n"
CLUSTER = """\
version: 1
graphs:
  g:
    schema: a.pg
    queries: "a.gq"
policies:
  p:
    file: p.yaml
    applies_to: [g]
"""
FOLDER = {"cluster.yaml": CLUSTER, "a.pg": SCHEMA, "a.gq": QUERY, "p.yaml": "version: 1\n"}


async def test_the_first_vector_holds_for_a_folder(load: Any) -> None:
    loaded = await load(FOLDER)

    assert loaded.desired.resource_digests == {
        "graph.g": "6a1837cf4840d2d6da51c54de772cea7ea089eb7141135cd1b7b49272488872c",
        "policy.p": "09bfcc6a14b83e2192b8673677725c84883ee9cd0c70e45c9ec09daa8f2b2847",
        "query.g.q": "f39718c00743314055ae85b6e23ada1a78012435ccc15e36f647d76c2eae079e",
        "schema.g": "27ea1f687d448dd34d2a160a0a4310fb5906b7f845e9e555ee545923464f3631",
    }
    assert loaded.config_digest == (
        "46e5008e021048825a212094557f8af97a36539939f00cfc2d40821e4830b784"
    )


def test_the_second_vector_holds_with_a_provider() -> None:
    provider = WrittenProvider(name="e", kind="mock", model="m1")
    written = WrittenCluster(
        name=Text(text="Ünï"),
        storage=Text(text="s3://bkt/p/"),
        backend="cluster",
        lock=False,
        providers=(provider,),
        graphs=(
            WrittenGraph(
                id=Text(text="g"),
                schema=Text(text="./a.pg"),
                queries=QueryPaths(paths=(Text(text="q.gq"),)),
                embedding_provider=Text(text="e"),
            ),
        ),
        policies=(
            WrittenPolicy(
                name=Text(text="p"), file=Text(text="p.yaml"), applies_to=(Text(text="graph.g"),)
            ),
        ),
    )
    queries = (
        b"query b() { match { $a: A } return { $a.k } }\n\n"
        b"query a() { match { $a: A } return { $a.k } }\n"
    )
    query = file_digest(queries)
    schema = file_digest(SCHEMA.encode())
    graph = graph_composite(
        "g",
        schema,
        {"b": query, "a": query},
        provider=("provider.embedding.e", provider_digest(provider)),
    )
    resources = {
        "provider.embedding.e": provider_digest(provider),
        "schema.g": schema,
        "query.g.a": query,
        "query.g.b": query,
        "graph.g": graph,
        "policy.p": file_digest(b"version: 1\n"),
    }

    assert provider_digest(provider) == (
        "49832ebd4cdc9eba94904808f372fc2ea84017de7fd678ae7707efa5213f9ec8"
    )
    assert query == "d873557f14b322fd72a1cc488b4b344bb2953432bf529dca44124f297f2edd6d"
    assert graph == "06bc5a494612700e5158eaf2c92ae9638d80dd17ce6f6c6a89a2f40630285adb"
    assert config_digest(written, resources) == (
        "9fc41abd4f6ed722f6f178f503cfacc3b3625f7a0b3fc79e429bbf09fd2b2380"
    )


async def test_the_second_vector_holds_for_a_folder(load: Any) -> None:
    text = (
        "version: 1\nmetadata: {name: Ünï}\nstorage: s3://bkt/p/\nstate: {backend: cluster, lock: false}\n"
        "providers: {embedding: {e: {provider: mock, model: m1}}}\n"
        "graphs: {g: {schema: ./a.pg, queries: [q.gq], embedding_provider: e}}\n"
        "policies: {p: {file: p.yaml, applies_to: [graph.g]}}\n"
    )
    both = "query b() { match { $a: A } return { $a.k } }\n\nquery a() { match { $a: A } return { $a.k } }\n"
    loaded = await load({**FOLDER, "cluster.yaml": text, "q.gq": both})

    assert loaded.desired.resource_digests["graph.g"] == (
        "06bc5a494612700e5158eaf2c92ae9638d80dd17ce6f6c6a89a2f40630285adb"
    )
    assert loaded.config_digest == (
        "9fc41abd4f6ed722f6f178f503cfacc3b3625f7a0b3fc79e429bbf09fd2b2380"
    )
    assert loaded.parsed.storage.uri == "s3://bkt/p"


def test_the_parsed_form_is_serialised_as_serde_does() -> None:
    written = WrittenCluster(
        name=Text(text='a"\\/\b\f\n\r\t\x01\x7fü\u2028'),
        graphs=(
            WrittenGraph(
                id=Text(text="z"),
                schema=Text(text="z.pg"),
                queries=QueryMap(
                    entries=(
                        QueryEntry(name=Text(text="b"), file=Text(text="b.gq")),
                        QueryEntry(name=Text(text="a"), file=Text(text="./b.gq")),
                    )
                ),
                external_blobs=(
                    WrittenBlobBase(base="s3://z/", scope="server_safe"),
                    WrittenBlobBase(base="s3://a/", scope="embedded_only"),
                ),
            ),
            WrittenGraph(
                id=Text(text="_A"), schema=Text(text="a.pg"), queries=QueryPath(path=Text(text="q"))
            ),
        ),
    )

    assert config_json(written).decode() == (
        '{"version":1,"metadata":{"name":"a\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7fü\u2028"},'
        '"storage":null,"state":{"backend":null,"lock":null},"providers":{"embedding":{}},'
        '"graphs":{"_A":{"schema":"a.pg","queries":"q","embedding_provider":null},'
        '"z":{"schema":"z.pg","queries":{"a":{"file":"./b.gq"},"b":{"file":"b.gq"}},'
        '"embedding_provider":null,"external_blobs":{"allow":['
        '{"base":"s3://z/","scope":"server_safe"},{"base":"s3://a/","scope":"embedded_only"}]}}},'
        '"policies":{}}'
    )


def test_an_allowed_blob_place_is_part_of_the_composite_sorted_by_its_uri() -> None:
    bases = [("s3://z/", "server_safe"), ("s3://a/", "embedded_only")]
    text = (
        'graph\0g\0schema\0\0external_blob_policy\0{"mode":"allow","bases":['
        '{"uri":"s3://a/","scope":"embedded_only"},{"uri":"s3://z/","scope":"server_safe"}]}\0'
    )

    assert graph_composite("g", None, {}, blob_bases=bases) == (
        hashlib.sha256(text.encode()).hexdigest()
    )


async def test_comments_and_layout_of_cluster_yaml_do_not_move_the_config_digest(load: Any) -> None:
    first = await load(FOLDER)
    second = await load(
        {
            "cluster.yaml": "# a remark\n{version: 1, policies: {p: {applies_to: [g], file: p.yaml}},"
            " graphs: {g: {queries: a.gq, schema: a.pg}}}\n"
        }
    )

    assert first.config_digest == second.config_digest
    assert first.source_digest != second.source_digest


async def test_the_spelling_of_a_path_and_the_form_of_queries_move_only_the_config_digest(
    load: Any,
) -> None:
    first = await load(FOLDER)
    spelt = await load({"cluster.yaml": CLUSTER.replace("schema: a.pg", "schema: ./a.pg")})
    listed = await load({"cluster.yaml": CLUSTER.replace('"a.gq"', "[a.gq]")})

    assert len({first.config_digest, spelt.config_digest, listed.config_digest}) == 3
    assert first.desired.resource_digests == spelt.desired.resource_digests
    assert first.desired.resource_digests == listed.desired.resource_digests


async def test_a_source_is_the_manifest_of_the_named_files_and_nothing_else(load: Any) -> None:
    loaded = await load({**FOLDER, "unnamed.gq": "query z() {}", ".env": "SECRET=1"})
    expected = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in FOLDER.items()}

    assert loaded.source.files == expected
    manifest = (
        '{"files":{'
        + ",".join(f'"{path}":"{expected[path]}"' for path in sorted(expected))
        + '},"version":1}'
    )
    assert loaded.source_digest == hashlib.sha256(manifest.encode()).hexdigest()
    assert loaded.source_digest == source_digest(source_manifest(loaded.files))
    assert loaded.desired.source_digest == loaded.source_digest
