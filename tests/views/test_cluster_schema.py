"""The JSON Schema of cluster.yaml takes what the reader takes, so that no editor marks it as wrong."""

import copy
import json
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.config.cluster_table import CLUSTER
from agentctl.domain.config.load import FolderSnapshot, parse_config, resolve
from agentctl.views.cluster_schema import cluster_schema

ROOT: Final = Path(__file__).parents[2]
SCHEMA: Final = cluster_schema()
VALIDATOR: Final = jsonschema.Draft7Validator(SCHEMA)

EVERYTHING: Final = """\
version: 1
metadata: {name: supply-chain}
storage: s3://bucket/supply
state: {backend: cluster, lock: true}
env_file: .env.local
providers:
  embedding:
    open: {kind: openai-compatible, base_url: "https://host/v1", model: m, api_key: "${KEY}"}
    fake: {provider: mock}
  source:
    feed: {kind: http, base_url: "https://host", credentials: "${FEED}", options: {path: rows}}
    files: {kind: file, options: {path: rows/*.csv, format: csv}}
    code: {kind: github, options: {repository: owner/name, read: issues}}
    here: {kind: python-env}
  storage:
    cold: {kind: s3, uri: "s3://cold/x", region: eu}
graphs:
  supply:
    schema: supply.pg
    queries: queries/
    embedding_provider: open
    external_blobs: {allow: [{base: "s3://blobs/x", scope: server_safe}]}
  other: {schema: other.pg, queries: [a.gq, b.gq]}
  third: {schema: third.pg, queries: {one: {file: one.gq}}}
policies:
  readers: {file: readers.yaml, applies_to: [supply, graph.other]}
apply: {concurrency: 4, groups: {both: [graph.supply, graph.other]}}
pipelines:
  daily:
    source: provider.source.feed
    transform: {sql: daily.sql}
    targets: [{graph: supply, type: Package, mode: merge, map: {name: n}}]
    schedule: "0 3 * * *"
embeddings:
  names: {provider: open, model: m, graph: supply, property: Package.vec}
ui: {dashboards: {main: {file: main.yaml, queries: [query.supply.impact]}}}
aliases: {json: {query: query.supply.impact, params: {name: json, deep: {a: [1, null]}}}}
bindings: [{query: query.supply.impact, surface: ui.main, name: impact}]
approvals:
  two:
    match: {classes: [irreversible], resources: [graph.*]}
    need: {count: 2, roles: [owners]}
    separate: true
    tolerance: {percent: 1, rows: 100}
    expires: 24h
ops: {archive: {backend: local}, retention: {keep_last: 50, detached: 7d}}
publication:
  remotes:
    origin: {url: "git@host:o/r.git", forge: {kind: github, api: "https://host", repo: o/r, token: "${T}"}}
protect: [graph.supply]
moved: [{from: graph.old, to: graph.supply}]
forget: [graph.gone]
"""


SCHEMA_TEXT: Final = b"node Package { name: String @key  vec: Vector(4)? }\n"


def query(name: str) -> bytes:
    return f"query {name}() {{ match {{ $p: Package }} return {{ $p.name }} limit 1 }}\n".encode()


FILES: Final = {
    "supply.pg": SCHEMA_TEXT,
    "other.pg": SCHEMA_TEXT,
    "third.pg": SCHEMA_TEXT,
    "queries/impact.gq": query("impact"),
    "a.gq": query("a"),
    "b.gq": query("b"),
    "one.gq": query("one"),
    "readers.yaml": b"version: 1\n",
    "daily.sql": b"select 1\n",
    "main.yaml": b"title: x\n",
}


def mistakes(document: str) -> list[str]:
    """What loading says of the file, in a folder that has whatever `EVERYTHING` names."""
    data = document.encode()
    snapshot = FolderSnapshot(
        files=FILES | {"cluster.yaml": data}, listings={"queries": ("impact.gq",)}
    )
    found = resolve(parse_config(data), snapshot).diagnostics
    return [d.message for d in found if d.severity == "error"]


def refused_by_reader(document: object) -> bool:
    return bool(mistakes(json.dumps(document)))


def refused_by_schema(document: object) -> bool:
    return not VALIDATOR.is_valid(document)


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_a_file_with_every_section_is_taken_by_both() -> None:
    document = yaml.safe_load(EVERYTHING)

    assert [
        d.message for d in parse_config(EVERYTHING.encode()).diagnostics if d.severity == "error"
    ] == []
    assert [e.message for e in VALIDATOR.iter_errors(document)] == []
    assert set(document) == set(CLUSTER.fields)


def test_every_field_of_the_file_is_described() -> None:
    def blank(shape: object, path: str) -> list[str]:
        if not isinstance(shape, dict):
            return []
        found = [
            f"{path}.{name}"
            for name, field in shape.get("properties", {}).items()
            if not field.get("description")
        ]
        for key, inner in shape.items():
            if key in {"properties", "then"} and isinstance(inner, dict):
                continue
            found += blank(inner, f"{path}.{key}")
        for name, field in shape.get("properties", {}).items():
            found += blank(field, f"{path}.{name}")
        return found

    assert blank(SCHEMA, "") == []


EXAMPLES: Final = sorted(
    path
    for drawer in ("evals", "docs", "tests/e2e", "tools")
    for path in (ROOT / drawer).rglob("cluster.yaml")
)


@pytest.mark.skipif(not EXAMPLES, reason="runs in a checkout, not beside a wheel")
def test_the_examples_of_this_repository_are_taken() -> None:
    for path in EXAMPLES:
        VALIDATOR.validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "text",
    [
        "graphs: {a: {schema: a.pg}}",
        "version: 2",
        "version: 1\nunknown: 1",
        "version: 1\nstate: {backend: s3}",
        "version: 1\ngraphs: {a: {queries: q/}}",
        "version: 1\ngraphs: {1a: {schema: a.pg}}",
        "version: 1\ngraphs: {a: {schema: a.pg, expose: true}}",
        "version: 1\nproviders: {embedding: {e: {kind: mock, provider: mock}}}",
        "version: 1\nproviders: {embedding: {e: {kind: gemini, api_key: literal}}}",
        "version: 1\nproviders: {source: {s: {kind: file}}}",
        "version: 1\nproviders: {source: {s: {kind: s3, options: {bucket: b, table: t}}}}",
        "version: 1\npolicies: {p: {file: p.yaml, applies_to: []}}",
        "version: 1\napply: {concurrency: 17}",
        "version: 1\nops: {retention: {detached: soon}}",
        "version: 1\nbindings: [{query: q, surface: tv}]",
    ],
)
def test_what_is_plainly_wrong_is_refused_by_both(text: str) -> None:
    document = yaml.safe_load(text)

    assert refused_by_reader(document)
    assert refused_by_schema(document)


PLACES: Final = st.integers(0, 10_000)
VALUES: Final = st.sampled_from(
    (
        None,
        "",
        "x",
        "graph.supply",
        "${KEY}",
        0,
        1,
        2,
        True,
        [],
        ["x"],
        {},
        {"file": "x"},
        1.5,
        "7d",
    )
)


def mutated(document: Any, place: int, value: object) -> Any:
    """Replaces, or takes out where *value* is `...`, the leaf or branch number *place*."""
    changed = copy.deepcopy(document)
    slots: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        keys = (
            node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        )
        for key in list(keys):
            slots.append((node, key))
            walk(node[key])

    walk(changed)
    node, key = slots[place % len(slots)]
    if value is ...:
        del node[key]
    else:
        node[key] = value
    return changed


@given(st.lists(st.tuples(PLACES, st.one_of(st.just(...), VALUES)), min_size=1, max_size=2))
def test_what_the_reader_takes_the_schema_takes(changes: list[tuple[int, object]]) -> None:
    document = yaml.safe_load(EVERYTHING)
    for place, value in changes:
        document = mutated(document, place, value)

    if not refused_by_reader(document):
        assert [e.message for e in VALIDATOR.iter_errors(document)] == []
