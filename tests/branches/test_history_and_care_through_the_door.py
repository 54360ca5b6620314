"""Differences, feeds, exports, tags and care of a graph, as whoever stands at the door asks for them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.branches.branches_rig import Site, codes, package

pytestmark = pytest.mark.slow


async def test_what_differs_between_two_points_is_counted_and_shown(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()
    await site.put("main", package("a", "2"), package("c", "1"))

    report = (await site.ask("graph_diff", before="main:2", sample=1)).data
    nothing = (await site.ask("graph_diff", before="main:3")).data

    (kind,) = report.types  # type: ignore[attr-defined]
    assert (kind.type, kind.inserted, kind.updated, kind.deleted) == ("Package", 1, 1, 0)
    assert len(kind.sample) == 1
    assert nothing.types == ()  # type: ignore[attr-defined]
    assert codes(await site.ask("graph_diff", before="main:99")) == ["graph_point_missing"]


async def test_the_feed_is_followed_from_cursor_to_cursor_without_a_gap(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()
    await site.put("main", package("a", "2"))
    seen, since = [], "beginning"

    for _ in range(10):
        page = (await site.ask("graph_changes", since=since, limit=1)).data
        seen += [(c.commit, x.change, x.type) for c in page.commits for x in c.changes]  # type: ignore[attr-defined]
        since = page.cursor  # type: ignore[attr-defined]
        if page.is_all:  # type: ignore[attr-defined]
            break

    assert seen == [
        ("main:2", "inserted", "Package"),
        ("main:2", "inserted", "Package"),
        ("main:2", "inserted", "DependsOn"),
        ("main:3", "updated", "Package"),
    ]
    assert since == "main:3"
    assert codes(await site.ask("graph_changes", since="nowhere")) == ["feed_cursor_invalid"]


async def test_a_baseline_and_the_feed_from_it_are_the_whole(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()
    baseline = (await site.ask("graph_baseline")).data
    await site.put("main", package("c", "1"))

    told, lines = await site.exported(at=baseline.commit.id)  # type: ignore[attr-defined]
    later = (await site.ask("graph_changes", since=baseline.cursor)).data  # type: ignore[attr-defined]

    assert told.data.commit == "main:2"  # type: ignore[attr-defined]
    assert len(lines) == 3
    assert [x.id for c in later.commits for x in c.changes] == ["c"]  # type: ignore[attr-defined]


async def test_an_export_goes_out_in_blocks_and_loads_again(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()

    told, lines = await site.exported()
    again = await site.exported()
    whole = await site.ask("graph_export")

    assert told.ok, told
    assert told.data.rows == len(lines) == 3  # type: ignore[attr-defined]
    assert again[1] == lines
    assert sorted(set(json.loads(lines[0]))) == ["data", "type"]
    assert codes(whole) == ["not_supported_yet"]
    await site.put("main", *(line + b"\n" for line in lines))
    assert (await site.exported())[1] == lines


async def test_a_tag_is_made_for_good_listed_and_taken_away(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()

    made = await site.done("graph_tag", tag="v1")
    await site.put("main", package("c", "1"))
    other = await site.ask("graph_tag", tag="v1", intent="a test")
    listed = (await site.ask("graph_tags")).data
    diff = (await site.ask("graph_diff", before="v1")).data
    await site.done("graph_untag", tag="v1")
    missing = await site.ask("graph_untag", tag="v1", intent="a test")

    assert (made.tag.commit, made.op.action) == ("main:2", "graph_tag")
    assert codes(other) == ["graph_tag_exists"]
    assert [(t.name, t.commit) for t in listed.tags] == [("v1", "main:2")]  # type: ignore[attr-defined]
    assert diff.before == "main:2"  # type: ignore[attr-defined]
    assert codes(missing) == ["graph_point_missing"]
    assert (await site.ask("graph_tags")).data.tags == ()  # type: ignore[attr-defined]


async def test_a_whole_graph_is_said_to_be_whole_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()

    whole = await site.ask("graph_verify")
    (dataset, *_) = sorted((site.bench.path / "graphs").rglob("data/*.lance"))
    dataset.unlink()
    damaged = await site.ask("graph_verify")

    assert whole.ok, whole
    assert whole.data.rows == 3  # type: ignore[attr-defined]
    assert not damaged.ok
    assert damaged.diagnostics


async def test_optimize_leaves_the_rows_and_says_when_all_was_in_order(tmp_path: Path) -> None:
    site = await Site(tmp_path).begin()
    for number in range(4):
        await site.put("main", package(f"p{number}", "1"))
    before = (await site.exported())[1]

    await site.done("graph_optimize")
    again = await site.done("graph_optimize")

    assert (await site.exported())[1] == before
    assert again.report.commit is None
    assert (await site.ask("graph_verify")).ok


async def test_a_cleanup_lets_go_of_what_is_old_and_of_nothing_younger_than_the_floor(
    tmp_path: Path,
) -> None:
    site = await Site(tmp_path).begin()
    await site.done("graph_tag", tag="kept", at="main:2")
    await site.put("main", package("a", "2"))
    await site.put("main", package("a", "3"))
    before = await site.cluster.graphs.history("supply")

    below = await site.ask("graph_cleanup", older_than_s=3600, intent="a test")
    told = await site.ask("graph_waste", older_than_s=0)

    assert codes(below) == ["retention_floor"]
    assert await site.cluster.graphs.history("supply") == before
    assert told.data.rehearsal  # type: ignore[attr-defined]

    site.bench.world.advance(timedelta(days=30).total_seconds())
    cleaned = await site.done("graph_cleanup")

    assert cleaned.op.status == "success"
    assert sum(cleaned.report.commits.values()) >= 1
    assert codes(await site.ask("graph_diff", before="main:3")) == ["feed_gap"]
    assert (await site.ask("graph_diff", before="kept")).ok
    assert (await site.ask("graph_verify")).ok


async def test_the_floor_of_a_cleanup_is_the_applied_retention_of_deleted_graphs(
    tmp_path: Path,
) -> None:
    """It was seven days whatever the cluster said."""
    kept = "ops:\n  retention: { detached: 30d }\n"
    site = await Site(tmp_path).begin(kept, gate="ops")
    await site.put("main", package("a", "2"))
    await site.put("main", package("a", "3"))
    site.bench.world.advance(timedelta(days=20).total_seconds())
    day_s = 86_400

    below = await site.ask("graph_cleanup", older_than_s=8 * day_s, intent="a test")
    by_itself = await site.done("graph_cleanup")
    told = await site.ask("graph_waste", older_than_s=8 * day_s)
    site.bench.world.advance(timedelta(days=20).total_seconds())
    later = await site.done("graph_cleanup")

    assert codes(below) == ["retention_floor"]
    assert "30 days" in below.diagnostics[0].message
    assert below.data.op is None  # type: ignore[attr-defined]
    assert not any(by_itself.report.commits.values())
    assert sum(told.data.commits.values()) >= 1  # type: ignore[attr-defined]
    assert sum(later.report.commits.values()) >= 1
