"""cluster.yaml by itself: strict fields, with a place and a remedy for each fault."""

from typing import Any

import pytest

from agentctl.domain.config.cluster_file import parse_config
from agentctl.domain.config.storage_root import StorageRoot

MINIMAL = "version: 1\n"


def told(text: str) -> list[str]:
    return [
        f"{d.where} {d.path} {d.code}: {d.message}" for d in parse_config(text.encode()).diagnostics
    ]


def remedy(text: str) -> str | None:
    (only,) = parse_config(text.encode()).diagnostics
    return only.remedy


def test_the_smallest_cluster_has_only_a_version() -> None:
    parsed = parse_config(MINIMAL.encode())

    assert parsed.diagnostics == ()
    assert parsed.header_usable
    assert (parsed.name, parsed.storage, parsed.lock) == (None, None, True)


def test_empty_sections_and_nulls_are_absent_ones() -> None:
    text = "version: 1\nmetadata:\nstorage: ~\nstate:\nproviders:\n  embedding: {}\ngraphs:\npolicies: {}\n"

    assert told(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["None cluster.yaml invalid_cluster_yaml: the file is empty"]),
        ("- 1\n", ["cluster.yaml:1:1 cluster.yaml invalid_cluster_yaml: the file is no mapping of fields"]),
        ("metadata: {}\n", ["cluster.yaml:1:1 cluster.yaml invalid_cluster_yaml: `cluster.yaml` lacks the field `version`"]),
        ("version: '1'\n", ["cluster.yaml:1:10 cluster.yaml invalid_cluster_yaml: `version` takes the integer 1, not text"]),
        ("version: 2\n", ["cluster.yaml:1:10 cluster.yaml unsupported_cluster_config_version: `version` is 2; this release reads 1"]),
        ("version: 1\nmetadata: {name: ' '}\n", ["cluster.yaml:2:18 cluster.yaml empty_metadata_name: `name` in `metadata` is blank"]),
        ("version: 1\nmetadata: {name: [a]}\n", ["cluster.yaml:2:18 cluster.yaml invalid_cluster_yaml: `name` in `metadata` takes text, not a list"]),
        ("version: 1\nstate: {backend: s3}\n", ["cluster.yaml:2:18 cluster.yaml unsupported_state_backend: `backend` in `state` is `s3`"]),
        ("version: 1\nstate: {lock: yes}\n", ["cluster.yaml:2:15 cluster.yaml invalid_cluster_yaml: `lock` in `state` takes `true` or `false`, not `yes`"]),
        ("version: 1\nstate: cluster\n", ["cluster.yaml:2:8 cluster.yaml invalid_cluster_yaml: `state` takes a mapping, not text"]),
        ("version: 1\nstorage: ' '\n", ["cluster.yaml:2:10 cluster.yaml invalid_storage_root: `storage` is blank"]),
        ("version: 1\nstorage: s3:///p\n", ["cluster.yaml:2:10 cluster.yaml invalid_storage_root: `storage` names no bucket after `s3://`"]),
        ("version: 1\nstorage: file://b/p\n", ["cluster.yaml:2:10 cluster.yaml invalid_storage_root: `storage` needs an absolute path after `file://`"]),
        ("version: 1\nstorage: gs://b\n", ["cluster.yaml:2:10 cluster.yaml invalid_storage_root: `storage` has the scheme `gs`; only `s3://`, `file://` and plain paths are known"]),
    ],
)  # fmt: skip
def test_a_fault_of_the_header(text: str, expected: list[str]) -> None:
    assert told(text) == expected
    assert not parse_config(text.encode()).header_usable


def test_a_number_where_text_is_wanted_is_taken_as_written() -> None:
    assert parse_config(b"version: 1\nmetadata: {name: 007}\n").name == "007"


@pytest.mark.parametrize(
    ("written", "uri"),
    [(" store/ ", "store"), ("/", "/"), ("file:///var/x//", "file:///var/x"), ("../s", "../s")],
)
def test_storage_has_one_spelling(written: str, uri: str) -> None:
    parsed = parse_config(f"version: 1\nstorage: '{written}'\n".encode())

    assert parsed.storage == StorageRoot(uri=uri, scheme="file")
    assert parsed.written is not None
    assert parsed.written.storage is not None
    assert parsed.written.storage.text == written


def test_an_unknown_field_is_told_with_the_one_that_was_meant() -> None:
    text = "version: 1\ngraph:\n  g: {schema: a.pg}\n"

    assert told(text) == [
        "cluster.yaml:2:1 cluster.yaml invalid_cluster_yaml: unknown field `graph` in `cluster.yaml`"
    ]
    assert remedy(text) == "Did you mean `graphs`?"
    assert remedy("version: 1\ngraphs: {g: {schema: a.pg, querys: q}}\n") == (
        "Did you mean `queries`?"
    )
    assert remedy("version: 1\nzzz: 1\n") == (
        "Take it out; the fields are version, metadata, storage, state, env_file, providers, graphs,"
        " policies, apply, pipelines, embeddings, ui, aliases, bindings, approvals, ops,"
        " publication, protect, moved, forget."
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("graphs: {g: {schema: a.pg, streaming: true}}", "cluster.yaml:2:28 graph.g removed_streaming_declaration: `graphs.g.streaming` was removed"),
        ("graphs: {g: {schema: a.pg, queries: {q: {file: q.gq, expose: true}}}}", "cluster.yaml:2:54 query.g.q invalid_cluster_yaml: `expose` is no field of a cluster"),
        ("graphs: {g: {}}", "cluster.yaml:2:10 graph.g invalid_cluster_yaml: `graphs.g` lacks the field `schema`"),
        ("graphs: {g: }", "cluster.yaml:2:10 graph.g invalid_cluster_yaml: `graphs.g` lacks the field `schema`"),
        ("graphs: {g: {schema: }}", "cluster.yaml:2:14 graph.g invalid_cluster_yaml: `schema` in `graphs.g` has no value"),
        ("graphs: {g: a.pg}", "cluster.yaml:2:13 graph.g invalid_cluster_yaml: `graphs.g` takes a mapping, not text"),
        ("graphs: {g.1: {schema: a.pg}}", "cluster.yaml:2:10 cluster.yaml invalid_resource_id: `g.1` is no graph id"),
        ("graphs: {ä: {schema: a.pg}}", "cluster.yaml:2:10 cluster.yaml invalid_resource_id: `ä` is no graph id"),
        ('graphs: {g: {schema: "a\\0b"}}', "cluster.yaml:2:22 graph.g invalid_cluster_yaml: a path may not hold control characters"),
        ("graphs: {g: {schema: a.pg, queries: 5}}", "cluster.yaml:2:37 graph.g invalid_cluster_yaml: `graphs.g.queries` takes a path, not an integer"),
        ("graphs: {g: {schema: a.pg, queries: }}", "cluster.yaml:2:37 graph.g invalid_cluster_yaml: `graphs.g.queries` takes a path, not nothing"),
        ("graphs: {g: {schema: a.pg, queries: [true]}}", "cluster.yaml:2:38 graph.g invalid_cluster_yaml: an item of `graphs.g.queries` takes a path, not a boolean"),
        ("graphs: {g: {schema: a.pg, queries: {q: a.gq}}}", "cluster.yaml:2:41 query.g.q invalid_cluster_yaml: `graphs.g.queries.q` takes a mapping, not text"),
        ("graphs: {g: {schema: a.pg, queries: {q: {file: 1.5}}}}", "cluster.yaml:2:48 query.g.q invalid_cluster_yaml: `file` in `graphs.g.queries.q` takes a path, not a number"),
        ("graphs: {g: {schema: a.pg, queries: {1q: {file: q}}}}", "cluster.yaml:2:38 graph.g invalid_resource_id: `1q` is no query id"),
        ("policies: {p: {file: p.yaml}}", "cluster.yaml:2:12 policy.p invalid_cluster_yaml: `policies.p` lacks the field `applies_to`"),
        ("policies: {p: {file: p.yaml, applies_to: []}}", "cluster.yaml:2:30 policy.p policy_missing_applies_to: `policies.p.applies_to` is empty"),
        ("policies: {p: {applies_to: [cluster]}}", "cluster.yaml:2:12 policy.p invalid_cluster_yaml: `policies.p` lacks the field `file`"),
        ("policies: {p: {file: p.yaml, applies_to: cluster}}", "cluster.yaml:2:42 policy.p invalid_cluster_yaml: `policies.p.applies_to` takes a list, not text"),
    ],
)  # fmt: skip
def test_a_fault_of_a_resource(text: str, expected: str) -> None:
    parsed = parse_config(f"version: 1\n{text}\n".encode())

    assert told(f"version: 1\n{text}\n") == [expected]
    assert parsed.header_usable


def test_every_fault_is_told_at_once() -> None:
    text = (
        "version: 3\nstorage: ''\npipelines: 5\ngraphs:\n  g: {schema: a.pg, queries: 5}\nnope: 1\n"
    )

    assert [line.split()[2] for line in told(text)] == [
        "unsupported_cluster_config_version:",
        "invalid_storage_root:",
        "invalid_cluster_yaml:",
        "invalid_cluster_yaml:",
        "invalid_cluster_yaml:",
    ]


def test_the_header_stays_usable_where_only_a_graph_is_wrong() -> None:
    text = "version: 1\nmetadata: {name: n}\nstorage: s\nstate: {lock: false}\ngraphs: {g: 5}\n"
    parsed = parse_config(text.encode())

    assert parsed.header_usable
    assert (parsed.name, parsed.lock) == ("n", False)
    assert parsed.storage == StorageRoot(uri="s", scheme="file")


async def test_a_missing_folder_and_a_missing_file_say_how_to_begin(
    load: Any, tmp_path: Any, told: Any
) -> None:
    empty = await load({})
    (tmp_path / "cluster.yaml").mkdir()
    folder = await load({})

    assert [(d.code, d.remedy) for d in empty.diagnostics] == [
        ("cluster_config_read_error", f"agentctl init {tmp_path}")
    ]
    assert told(folder) == [
        "cluster.yaml error cluster_config_read_error: `cluster.yaml` cannot be read: it is no regular file"
    ]
