"""Merge, differences and the feed on an object store, through the same code. Source: graph-engine 7."""

from collections.abc import AsyncIterator

import pytest

from agentctl.adapters.backends.s3 import S3Store
from agentctl.adapters.backends.s3_settings import S3Root
from tests.graph.merging.merge_model import merged
from tests.graph.merging.merge_rig import SORTS, MergeRig, State, city, person

BASE: State = city("bern") | city("genf", 1) | city("sion") | person("ann", "bern")


@pytest.fixture
async def on_s3(seaweed_root: S3Root) -> AsyncIterator[MergeRig]:
    store = S3Store(seaweed_root)
    yield MergeRig(store)
    await store.aclose()


def no_scan(*_: object) -> None:
    msg = "the deletion file was not read"
    raise AssertionError(msg)


@pytest.mark.slow
async def test_branches_on_an_object_store_merge_and_their_deletions_are_read_without_a_scan(
    on_s3: MergeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = on_s3
    await rig.begin(BASE)
    await rig.branch("feat")
    ours = {k: r for k, r in BASE.items() if k[1] != "sion"} | person("ann", "bern", age=1)
    theirs = BASE | city("genf", 2) | person("eva", "genf")
    await rig.become(ours)
    await rig.become(theirs, "feat")

    monkeypatch.setattr("agentctl.graph.branching.fragments._scanned_deletions", no_scan)
    report = await rig.merge("feat")
    pages = [page async for page in rig.graphs.changes("g", since="main:3")]

    assert (report.outcome, report.commit) == ("merged", "main:4")
    assert await rig.rows() == merged(SORTS, BASE, ours, theirs)
    assert [(c.change, c.id) for page in pages for c in page.changes] == [
        ("inserted", "eva"),
        ("updated", "genf"),
        ("inserted", "l-eva"),
    ]
