"""The generated cluster is right, the same for everyone, and as big as it says."""

from pathlib import Path

import pytest

from agentctl.adapters.cache.folder_cache import FolderCache
from agentctl.engine.folder_check import check_folder
from agentctl.testing.big_cluster import GRAPH, BigCluster, big_cluster, write_cluster

SOME = BigCluster(types=60, files=40, queries_per_file=5)
BY_DEFAULT = {"external_blob_ingress_default_deny"}
"""A remark about every graph that allows no blobs outside."""


def test_the_same_size_gives_the_same_bytes() -> None:
    assert big_cluster(SOME) == big_cluster(SOME)
    assert big_cluster(SOME) != big_cluster(BigCluster(types=60, files=40, seed=8))


def test_the_default_is_a_thousand_files_and_ten_thousand_queries_over_two_hundred_types() -> None:
    files = big_cluster(BigCluster())

    queries = [text for path, text in files.items() if path.endswith(".gq")]
    schema = files[f"{GRAPH}.pg"].decode()
    assert len(queries) == 1_000
    assert sum(text.count(b"\nquery ") + text.startswith(b"query ") for text in queries) == 10_000
    assert schema.count("\nnode ") + schema.count("\nedge ") == 200


def test_it_is_valid(tmp_path: Path) -> None:
    write_cluster(tmp_path, big_cluster(SOME))

    found = check_folder(tmp_path, None)

    assert found.result.ok
    assert {d.code for d in found.result.diagnostics} <= BY_DEFAULT
    assert len(found.result.resources) == 2 + SOME.files * SOME.queries_per_file
    assert found.additions


@pytest.mark.slow
def test_a_big_one_is_valid_and_an_edit_of_it_parses_one_file(tmp_path: Path) -> None:
    folder, cache = tmp_path / "cluster", tmp_path / "cache"
    write_cluster(folder, big_cluster(BigCluster()))

    first = check_folder(folder, FolderCache(cache, folder))
    edited = folder / "queries" / "q0500.gq"
    edited.write_bytes(edited.read_bytes() + b"// again\n")
    again = check_folder(folder, FolderCache(cache, folder))

    assert first.result.ok
    assert {d.code for d in first.result.diagnostics} <= BY_DEFAULT
    assert len(first.result.resources) == 10_002
    assert again.use.tally.query_files_parsed == 1
    assert again.use.tally.query_files_checked == 1
    assert len(again.result.resources) == 10_002
