"""What holds for every text: diagnostics and no exception; and every form of 0.10 keeps its digests."""

import hashlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.config.cluster_table import CLUSTER
from agentctl.domain.config.load import LoadedCluster, parse_config, resolve, wanted
from agentctl.domain.config.snapshot import FolderSnapshot
from agentctl.domain.policy.bundles import check_cedar

SCHEMA = b"node A { k: String @key v: Vector(4)? }\n"
QUERY = b"query q($x: String) { match { $a: A { k: $x } } return { $a.k } }\n"
FILES = {"a.pg": SCHEMA, "q.gq": QUERY, "p.yaml": b"version: 1\n", "t.sql": b"select 1\n"}

WORDS = st.sampled_from(
    [
        *CLUSTER.fields, "1", "yes", "true", "~", "''", "a.pg", "q.gq", "p.yaml", "t.sql", "g", "A", "k",
        "graph.g", "query.g.q", "schema.g", "provider.source.s", "cluster", "ops", "mcp", "ui.d",
        "kind", "file", "schema", "queries", "applies_to", "embedding", "source", "storage",
        "file", "options", "targets", "graph", "type", "mode", "merge", "map", "params", "query",
        "surface", "match", "need", "count", "from", "to", "A.v", "${X}", "s3://b/x", "file:///",
        "0 0 * * *", "7d", "0x1F", ".nan", "1e400", "99999999999999999999", "\u65e5\u672c", "\\", "*",
        "&a", "*a", "!!str x", "- x", "? y", "\t", "\u0085", "\ufeff",
    ]
)  # fmt: skip
TREES = st.recursive(
    WORDS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(WORDS, inner, max_size=4).map(
            lambda entries: "{" + ", ".join(f"{k}: {v}" for k, v in entries.items()) + "}"
        ),
    ),
    max_leaves=12,
)
CLUSTERS = st.dictionaries(st.sampled_from([*CLUSTER.fields]), TREES, max_size=5).map(
    lambda fields: "version: 1\n" + "".join(f"{k}: {v}\n" for k, v in fields.items())
)


def load(text: bytes, files: dict[str, bytes] | None = None) -> LoadedCluster:
    parsed = parse_config(text)
    names = wanted(parsed)
    there = FILES if files is None else files
    found = {path: data for path, data in there.items() if names.names(path)}
    snapshot = FolderSnapshot(files={"cluster.yaml": text, **found}, folders=frozenset({"/"}))
    return resolve(parsed, snapshot, check_cedar=check_cedar)


def in_order_and_placed(loaded: LoadedCluster) -> None:
    has_errors = any(d.severity == "error" for d in loaded.diagnostics)
    assert (loaded.desired is None) == has_errors
    assert len(set(loaded.diagnostics)) == len(loaded.diagnostics)
    places = [d.where for d in loaded.diagnostics if d.where and d.where.file == "cluster.yaml"]
    assert places == sorted(places, key=lambda w: (w.line, w.column))


@given(CLUSTERS)
def test_any_cluster_yaml_is_valid_or_has_diagnostics(text: str) -> None:
    in_order_and_placed(load(text.encode()))


@given(
    st.one_of(
        st.binary(max_size=300), st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace"))
    )
)
def test_any_bytes_are_valid_or_have_diagnostics(data: bytes) -> None:
    in_order_and_placed(load(data))
    in_order_and_placed(load(b"version: 1\nops: " + data))


@given(st.one_of(TREES, st.text(max_size=80)))
def test_any_policy_file_has_diagnostics_and_no_exception(text: str) -> None:
    cluster = b"version: 1\npolicies: {p: {file: p.yaml, applies_to: [cluster]}}\n"
    cedar = b"version: 1\npolicies: {p: {file: p.cedar, applies_to: [cluster]}}\n"
    data = text.encode("utf-8", "replace")

    in_order_and_placed(load(cluster, {"p.yaml": b"version: 1\nrules: " + data}))
    in_order_and_placed(load(cedar, {"p.cedar": data}))


NAMES = st.sampled_from(["g", "a_b", "Z-9", "x1"])


@st.composite
def folders_of_omnigraph(draw: Any) -> dict[str, Any]:
    """Draws the parsed form of a 0.10 cluster, as its structs hold it."""
    providers = {
        name: {"kind": "mock", **draw(st.sampled_from([{}, {"model": "m\u00fc"}]))}
        for name in draw(st.sets(NAMES, max_size=2))
    }
    forms = st.sampled_from(
        [{}, "q.gq", "./q.gq", ["q.gq"], ["./q.gq"], [], {"q": {"file": "q.gq"}}]
    )
    blobs = st.sampled_from(
        [
            [],
            [{"base": "s3://b/z/", "scope": "server_safe"}],
            [
                {"base": "S3://c//y", "scope": "embedded_only"},
                {"base": "s3://b", "scope": "server_safe"},
            ],
        ]
    )
    graphs = {}
    for name in draw(st.sets(NAMES, max_size=3)):
        bound = draw(
            st.sampled_from([None, *providers, *(f"provider.embedding.{p}" for p in providers)])
        )
        graphs[name] = {
            "schema": draw(st.sampled_from(["a.pg", "./a.pg", "x/../a.pg"])),
            "queries": draw(forms),
            "embedding_provider": bound,
        }
        allowed = draw(blobs)
        if allowed:
            graphs[name]["external_blobs"] = {"allow": allowed}
    policies = {}
    free = ["cluster", *graphs]
    for name in sorted(draw(st.sets(NAMES, max_size=2))):
        if free:
            scope = free.pop()
            spelled = (
                scope if scope == "cluster" else draw(st.sampled_from([scope, f"graph.{scope}"]))
            )
            policies[name] = {
                "file": draw(st.sampled_from(["p.yaml", "./p.yaml"])),
                "applies_to": [spelled],
            }
    return {
        "version": 1,
        "metadata": {"name": draw(st.sampled_from([None, "\u00dcn\u00ef", 'a "b"']))},
        "storage": draw(st.sampled_from([None, " s/ ", "s3://bkt/p/"])),
        "state": {
            "backend": draw(st.sampled_from([None, "cluster"])),
            "lock": draw(st.sampled_from([None, True, False])),
        },
        "providers": {"embedding": providers},
        "graphs": graphs,
        "policies": policies,
    }


def sha(*parts: str | bytes) -> str:
    joined = b"".join(p.encode() if isinstance(p, str) else p for p in parts)
    return hashlib.sha256(joined).hexdigest()


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def by_key(value: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(value.items(), key=lambda item: item[0].encode()))


def expected_digests(config: dict[str, Any]) -> tuple[dict[str, str], str]:
    """Returns resource digests and config digest by the formulas of control-plane 1.9 alone."""
    found: dict[str, str] = {}
    for name, profile in config["providers"]["embedding"].items():
        found[f"provider.embedding.{name}"] = sha("embedding-provider\0", compact(profile))
    for name in config["policies"]:
        found[f"policy.{name}"] = sha(b"version: 1\n")
    for name, graph in config["graphs"].items():
        found[f"schema.{name}"] = sha(SCHEMA)
        text = f"graph\0{name}\0schema\0{sha(SCHEMA)}\0"
        if graph["queries"]:
            found[f"query.{name}.q"] = sha(QUERY)
            text += f"query\0q\0{sha(QUERY)}\0"
        bound = graph["embedding_provider"]
        if bound is not None:
            full = bound if "." in bound else f"provider.embedding.{bound}"
            text += f"embedding_provider\0{full}\0{found[full]}\0"
        if "external_blobs" in graph:
            normal = {"s3://b/z/": "s3://b/z", "S3://c//y": "s3://c/y"}
            bases = sorted(
                (normal.get(b["base"], b["base"]), b["scope"])
                for b in graph["external_blobs"]["allow"]
            )
            shown = {"mode": "allow", "bases": [{"uri": u, "scope": s} for u, s in bases]}
            text += f"external_blob_policy\0{compact(shown)}\0"
        found[f"graph.{name}"] = sha(text)
    written = {
        **config,
        "providers": {"embedding": by_key(config["providers"]["embedding"])},
        "graphs": by_key(config["graphs"]),
        "policies": by_key(config["policies"]),
    }
    tail = "".join(f"{a}\0{d}\0" for a, d in by_key(found).items())
    return found, sha("cluster-config\0", compact(written), "\0", tail)


@given(folders_of_omnigraph())
def test_every_form_of_a_folder_of_omnigraph_keeps_its_digests(config: dict[str, Any]) -> None:
    loaded = load(json.dumps(config, ensure_ascii=False).encode())
    resources, config_digest = expected_digests(config)

    assert [d for d in loaded.diagnostics if d.severity == "error"] == []
    assert loaded.desired is not None
    assert loaded.desired.resource_digests == resources
    assert loaded.config_digest == config_digest


@given(
    folders_of_omnigraph(),
    st.sampled_from(["protect: []", "pipelines: ~", "ui: {dashboards: {}}", "env_file: .env"]),
)
def test_an_empty_section_or_an_env_file_changes_no_digest(
    config: dict[str, Any], more: str
) -> None:
    plain = "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items())
    one, other = load(plain.encode()), load(f"{plain}{more}\n".encode())

    assert one.config_digest == other.config_digest
    assert one.config_digest is not None
