"""Embedding providers, external blobs and the file of secrets. Source: control-plane 1.1, 1.8, 1.11."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agentctl.domain.config.blobs import normal_blob_base
from agentctl.domain.config.digests import provider_digest
from agentctl.domain.config.model import BlobBase, EmbeddingProfile
from agentctl.domain.config.providers import destination
from agentctl.domain.config.secrets import reference_name
from agentctl.domain.config.written import WrittenProvider

SCHEMA = "node A { k: String @key }\n"
TOP = "version: 1\ngraphs:\n  g:\n    schema: a.pg\n"
LITERAL = "sk-abcdefghijklmnopqrstuvwxyz012345"


def faults(loaded: Any) -> list[str]:
    return [f"{d.where} {d.code} {d.path}: {d.message}" for d in loaded.diagnostics]


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("{kind: mock}", None),
        ("{provider: mock}", None),
        ("{api_key: '${K}'}", None),
        ("{kind: openai}", "1:25 embedding_api_key_required: the provider `e` of kind `openai` has no `api_key`"),
        ("{}", "1:25 embedding_api_key_required: the provider `e` of kind `openai-compatible` has no `api_key`"),
        ("", "1:25 embedding_api_key_required: the provider `e` of kind `openai-compatible` has no `api_key`"),
        ("{kind: open-ai, api_key: '${K}'}", "1:35 invalid_embedding_provider: `kind` in `providers.embedding.e` is `open-ai`"),
        ("{kind: mock, model: ' '}", "1:48 invalid_embedding_provider: `model` in `providers.embedding.e` is blank"),
        ("{kind: mock, base_url: host}", "1:51 invalid_embedding_provider: `base_url` in `providers.embedding.e` is `host`, which is no http or https URL"),
        ("{kind: mock, api_key: $K}", "1:50 embedding_api_key_inline: `api_key` in `providers.embedding.e` is a literal, and secrets are references"),
        ("{kind: mock, api_key: '${1K}'}", "1:50 embedding_api_key_inline: `api_key` in `providers.embedding.e` is a literal, and secrets are references"),
        ("{kind: mock, provider: openai}", "1:41 invalid_cluster_yaml: `providers.embedding.e` has `kind` and `provider`, which are the same field"),
        ("{kind: mock, modle: m}", "1:41 invalid_cluster_yaml: unknown field `modle` in `providers.embedding.e`"),
    ],
)  # fmt: skip
async def test_an_embedding_provider(load: Any, provider: str, expected: str | None) -> None:
    text = f"providers: {{embedding: {{e: {provider}}}}}\nversion: 1\n"
    loaded = await load({"cluster.yaml": text})
    told = [f"{d.where.line}:{d.where.column} {d.code}: {d.message}" for d in loaded.diagnostics]

    assert told == ([] if expected is None else [expected])
    assert {d.path for d in loaded.diagnostics} <= {"provider.embedding.e"}


async def test_a_literal_secret_is_not_repeated_anywhere(load: Any) -> None:
    text = (
        f"version: 1\nmetadata: {{name: {LITERAL}}}\nproviders:\n  embedding:\n"
        f"    e: {{kind: {LITERAL}, api_key: {LITERAL}, {LITERAL}: 1}}\n"
        "  source:\n    s: {kind: http, base_url: 'https://u:hunter2@h', credentials: hunter2}\n"
        f"graphs: {{g: {{schema: a.pg, embedding_provider: {LITERAL}}}}}\n"
    )
    loaded = await load({"cluster.yaml": text, "a.pg": SCHEMA})
    told = repr([(d.message, d.detail, d.remedy, d.related) for d in loaded.diagnostics])

    assert {d.code for d in loaded.diagnostics} >= {"embedding_api_key_inline", "secret_inline"}
    assert LITERAL not in told
    assert "hunter2" not in told


def test_the_profile_is_digested_as_written_and_defaults_only_say_where_a_key_goes() -> None:
    written = WrittenProvider(name="e", kind="openai", api_key="${K}")
    profile = EmbeddingProfile(kind="openai", api_key="${K}")

    assert provider_digest(written) != provider_digest(
        WrittenProvider(name="e", kind="openai", api_key="${K}", model="text-embedding-3-large")
    )
    assert destination(profile) == "https://api.openai.com/v1"
    assert destination(EmbeddingProfile(kind="mock")) is None


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ("e", None),
        ("provider.embedding.e", None),
        ("f", "dangling_embedding_provider_reference"),
        ("provider.embedding.f", "dangling_embedding_provider_reference"),
        ("provider.source.e", "wrong_kind_reference"),
        ("graph.g", "wrong_kind_reference"),
    ],
)
async def test_a_graph_is_bound_to_a_provider(load: Any, bound: str, expected: str | None) -> None:
    text = (
        f"{TOP}    embedding_provider: {bound}\nproviders: {{embedding: {{e: {{kind: mock}}}}}}\n"
    )
    loaded = await load({"cluster.yaml": text, "a.pg": SCHEMA})

    assert [d.code for d in loaded.diagnostics] == ([] if expected is None else [expected])
    if expected is None:
        graph = loaded.desired.graphs[0]
        assert graph.embedding_provider == "provider.embedding.e"
        assert ("graph.g", "provider.embedding.e") in {
            (d.source, d.target) for d in loaded.desired.dependencies
        }


@pytest.mark.parametrize(
    ("written", "uri"),
    [
        ("s3://b", "s3://b"),
        ("S3://b//x/./y/", "s3://b/x/y"),
        ("file:///a/../b/", "file:///b"),
        ("file://localhost/a", "file:///a"),
        ("file:///", "file:///"),
        ("file://host/a", None),
        ("file://", None),
        ("s3://", None),
        ("s3://u:p@b/x", None),
        ("s3://b/x?y", None),
        ("https://b/x", None),
        ("/a", None),
    ],
)
def test_a_blob_base_has_one_spelling(written: str, uri: str | None) -> None:
    assert normal_blob_base(written) == uri


async def test_external_blobs_are_normalised_and_sorted(load: Any, tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    text = (
        f"{TOP}    external_blobs:\n      allow:\n"
        "        - {base: 's3://z/x/', scope: server_safe}\n"
        f"        - {{base: 'file://{tmp_path}/a%20b', scope: embedded_only}}\n"
    )
    loaded = await load({"cluster.yaml": text, "a.pg": SCHEMA}, confined=False)

    assert faults(loaded) == []
    assert loaded.desired.graphs[0].external_blobs == (
        BlobBase(uri=f"file://{tmp_path}/a%20b", scope="embedded_only"),
        BlobBase(uri="s3://z/x", scope="server_safe"),
    )


@pytest.mark.parametrize(
    ("bases", "expected"),
    [
        ("{base: 'gs://b', scope: server_safe}", ["6:19 invalid_external_blob_base: `gs://b` is no place that blobs may lie under"]),
        ("{base: 'file:///nowhere', scope: embedded_only}", ["6:19 invalid_external_blob_base: there is no folder `/nowhere`"]),
        ("{base: 'file:///tmp', scope: server_safe}", ["6:19 invalid_external_blob_base: `file:///tmp` is a folder of one machine, which is not `server_safe`"]),
        ("{base: 's3://b', scope: any}", ["6:36 invalid_cluster_yaml: `scope` in `graphs.g.external_blobs.allow[0]` is `any`"]),
        ("{base: 's3://b'}", ["6:12 invalid_cluster_yaml: `graphs.g.external_blobs.allow[0]` lacks the field `scope`"]),
        ("{base: 's3://b/x', scope: server_safe}, {base: 's3://b/xy', scope: server_safe}", []),
        ("{base: 's3://b/x/y', scope: server_safe}, {base: 's3://b/x', scope: server_safe}", ["6:19 invalid_external_blob_policy: `s3://b/x/y` and `s3://b/x` overlap"]),
        ("{base: 's3://b/x', scope: server_safe}, {base: 's3://b/x/', scope: embedded_only}", ["6:59 invalid_external_blob_policy: `s3://b/x` and `s3://b/x` overlap"]),
    ],
)  # fmt: skip
async def test_a_blob_base_that_does_not_hold(load: Any, bases: str, expected: list[str]) -> None:
    text = f"{TOP}    external_blobs: {{allow:\n          [{bases}]}}\n"
    loaded = await load({"cluster.yaml": text, "a.pg": SCHEMA})

    assert [
        f"{d.where.line}:{d.where.column} {d.code}: {d.message}" for d in loaded.diagnostics
    ] == expected


async def test_validate_alone_says_that_external_blobs_are_denied(load: Any) -> None:
    loaded = await load({"cluster.yaml": TOP, "a.pg": SCHEMA})

    assert loaded.diagnostics == ()
    assert [(d.code, d.path, str(d.where)) for d in loaded.remarks] == [
        ("external_blob_ingress_default_deny", "graph.g", "cluster.yaml:3:3")
    ]


async def test_an_env_file_that_git_tracks_is_a_warning(load: Any, tmp_path: Path) -> None:
    files = {"cluster.yaml": TOP + "env_file: .env\n", "a.pg": SCHEMA, ".env": "K=1\n"}
    before = await load(files)
    git(tmp_path, "init", "-q")
    untracked = await load(files)
    git(tmp_path, "add", "-f", ".env")
    tracked = await load(files)

    assert before.diagnostics == untracked.diagnostics == ()
    assert faults(tracked) == [
        "cluster.yaml:5:11 env_file_tracked cluster.yaml: `.env` holds secrets, and git tracks it"
    ]
    assert tracked.diagnostics[0].remedy == "git rm --cached -- .env"
    assert tracked.desired.env_file == ".env"
    assert ".env" not in tracked.files


async def test_without_git_nothing_is_tracked(
    load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q")
    files = {"cluster.yaml": TOP + "env_file: .env\n", "a.pg": SCHEMA, ".env": "K=1\n"}
    await load(files)
    git(tmp_path, "add", "-f", ".env")
    monkeypatch.setenv("PATH", "/nowhere")

    assert (await load(files)).diagnostics == ()


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", *arguments],
        cwd=folder,
        check=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"},
    )


def test_a_reference_is_the_whole_text() -> None:
    assert reference_name("${API_KEY}") == "API_KEY"
    assert [reference_name(t) for t in ("$A", "${A}x", "${A-b}", "${}", " ${A}")] == [None] * 5
