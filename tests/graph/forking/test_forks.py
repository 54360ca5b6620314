"""Graphs of a sandbox: what it sees, what it makes of its own, and what it leaves alone. Source: ADR 27."""

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentctl.graph.asking import Point
from agentctl.graph.branching.names import RESERVED
from agentctl.graph.data_port import GraphData, Retention
from agentctl.graph.forking.cutting import cut_trunk
from agentctl.graph.forking.forked import ForkedGraphs
from agentctl.graph.forking.view import ForkStore
from agentctl.graph.layout import (
    MAIN,
    branch_of_ref,
    commit_key,
    format_key,
    ir_key,
    number_of_ref,
)
from agentctl.graph.loads.sources import LoadOptions, NdjsonSource
from agentctl.graph.naming import write_name
from agentctl.graph.port import GraphError, GraphPort, ReadSetConflictError
from agentctl.testing.checked_queries import checked
from tests.conformance.test_graph_port import (
    BASE,
    INCARNATIONS,
    WIDER,
    all_of,
    payload,
)
from tests.graph.forking.lending_rig import OTHER, Lending, knows, person, rows

LATER = datetime(2027, 1, 1, tzinfo=UTC)
AT_ONCE = Retention(keep=1, older_than=timedelta(0), grace=timedelta(0))


@pytest.fixture
async def rig(tmp_path: Path) -> Lending:
    found = Lending(tmp_path)
    await found.lend()
    return found


async def said(refused: Awaitable[object]) -> str:
    with pytest.raises(GraphError) as caught:
        await refused
    return caught.value.diagnostic.code


def slugs(lines: list[str]) -> set[str]:
    return {line.split('"slug":"')[1].split('"')[0] for line in lines if '"slug"' in line}


async def test_both_protocols_of_graphs_are_there(rig: Lending) -> None:
    port: GraphPort = rig.inside
    data: GraphData = rig.inside

    assert (await port.observe("g")).presence == "live"
    assert (await data.commit_at("g")).id == "main:1"


async def test_a_lent_graph_begins_with_the_rows_of_its_base(rig: Lending) -> None:
    await rig.hide()

    live = await rig.inside.observe("g")
    (first,) = await rig.inside.history("g")

    assert (live.presence, live.commit, live.branches) == ("live", 1, ("main",))
    assert dict(live.rows) == {"Person": 2, "Note": 0, "Knows": 1}
    assert live.uri == rig.inside.uri("g") == f"{rig.own_store.uri}/graphs/g.omni"
    assert (first.id, first.kind) == ("main:1", "create")
    assert len(await rows(rig.inside)) == 3
    assert await said(rig.real.commit_at("g", branch=rig.fork.trunk)) == "graph_branch_missing"
    assert await said(rig.real.commit_at("g", at=f"{rig.fork.trunk}:1")) == "graph_point_missing"
    assert await rig.inside.roots() == ("g",)


async def test_opening_copies_no_dataset(tmp_path: Path) -> None:
    rig = Lending(tmp_path)
    await rig.lend()
    before = sorted(p for p in (tmp_path / "graphs").rglob("data/**/*"))

    await cut_trunk(rig.real, "g", OTHER, base=2, stamp=rig.stamp())

    assert sorted(p for p in (tmp_path / "graphs").rglob("data/**/*")) == before


async def test_cutting_a_trunk_again_with_the_same_nonce_is_harmless(rig: Lending) -> None:
    stamp = rig.stamp()
    made = await cut_trunk(rig.real, "g", OTHER, base=1, stamp=stamp)

    assert await cut_trunk(rig.real, "g", OTHER, base=1, stamp=stamp) == made
    refused = cut_trunk(rig.real, "g", OTHER, base=1, stamp=rig.stamp())
    assert await said(refused) == "graph_branch_exists"


async def test_everything_done_inside_leaves_the_base_as_it_was(rig: Lending) -> None:
    await rig.hide()
    before = await rig.outside()

    await rig.load(rig.inside, person("cyd"), knows("cyd", "ann"))
    await rig.inside.branch_create("g", "dev", stamp=rig.stamp())
    await rig.load(rig.inside, person("dee", 4), branch="dev")
    await rig.load(rig.inside, person("ann", 99))
    await rig.inside.merge("g", "dev", stamp=rig.stamp())
    await rig.inside.pin("g", 2, stamp=rig.stamp())
    head = (await rig.inside.commit_at("g")).n
    schema = payload(WIDER, payload(BASE).ir)
    await rig.inside.migrate("g", schema=schema, observed=head, stamp=rig.stamp())
    await rig.inside.optimize("g", stamp=rig.stamp())
    await rig.inside.optimize("g", branch="dev", stamp=rig.stamp())
    head = (await rig.inside.commit_at("g")).n
    await rig.inside.erase("g", observed=head, stamp=rig.stamp())
    await rig.inside.revert("g", 2, observed=head + 1, stamp=rig.stamp())
    await rig.inside.detach("g", observed=head + 2, stamp=rig.stamp())
    await rig.inside.restore("g", incarnation=INCARNATIONS[0], stamp=rig.stamp())
    together = (person("ann"), person("bob"), person("cyd"), person("eve"))
    await rig.load(rig.inside, *together, mode="overwrite", branch="dev")

    assert await rig.outside() == before
    assert slugs(await rows(rig.inside)) == {"ann", "bob", "cyd"}
    assert (await rig.real.verify("g")).is_whole
    assert (await rig.inside.verify("g")).is_whole


async def test_datasets_know_what_a_sandbox_writes_by_its_real_branches(rig: Lending) -> None:
    """By these names a cleanup, and the end of the sandbox, tell whose a version is."""
    before = await refs(rig)

    await rig.load(rig.inside, person("cyd"))
    await rig.inside.branch_create("g", "dev", stamp=rig.stamp())
    insert = checked('query q() { insert Person { slug: "dee" } }', BASE)
    await rig.inside.mutate("g", insert, {}, branch="dev", stamp=rig.stamp())
    await rig.load(rig.inside, person("eve"))
    await rig.inside.merge("g", "dev", stamp=rig.stamp())
    schema = payload(WIDER, payload(BASE).ir)
    await rig.inside.migrate("g", schema=schema, observed=4, stamp=rig.stamp())
    await rig.inside.optimize("g", stamp=rig.stamp())

    written = await refs(rig) - before
    assert {branch_of_ref(name) for name in written} == {rig.fork.trunk, f"{rig.fork.trunk}/dev"}
    numbers = {number_of_ref(n) for n in written if branch_of_ref(n) == rig.fork.trunk}
    assert numbers >= {2, 3, 4, 5}


async def refs(rig: Lending) -> set[str]:
    """Returns the names of all tags and Lance branches of the real graph's datasets."""
    keys = await rig.store.list("graphs/g.omni/data/")
    return {key.rpartition("/")[2].removesuffix(".json") for key in keys if "/_refs/" in key}


async def test_commits_are_named_as_they_are_inside_in_every_answer(rig: Lending) -> None:
    loaded = await rig.load(rig.inside, person("cyd"))
    await rig.inside.branch_create("g", "dev", stamp=rig.stamp())
    insert = checked('query q() { insert Person { slug: "dee" } }', BASE)
    wrote = await rig.inside.mutate("g", insert, {}, branch="dev", stamp=rig.stamp())
    merged = await rig.inside.merge("g", "dev", stamp=rig.stamp())
    diff = await rig.inside.diff("g", "main:1", "main")
    pages = [page async for page in rig.inside.changes("g", since="beginning")]
    reply = await rig.inside.run("g", all_of("Person"), {}, point=Point(branch="dev"))

    assert (loaded, wrote.commit) == ("main:2", "dev:2")
    assert (merged.commit, merged.ours, merged.theirs) == ("main:3", "main:2", "dev:2")
    assert merged.base == "main:2"
    assert (diff.before, diff.after) == ("main:1", "main:3")
    assert [(page.commit, page.cursor) for page in pages] == [
        ("main:2", "main:2"),
        ("main:3", "main:3"),
    ]
    assert (reply.target, reply.graph_commit_id) == ({"branch": "dev"}, "dev:2")
    assert [b.name for b in await rig.inside.branches("g")] == ["main", "dev"]


async def test_a_time_before_the_sandbox_was_opened_is_none_of_its_history(rig: Lending) -> None:
    refused = rig.inside.commit_at("g", at="2026-11-21T00:02:00Z")

    assert await said(refused) == "graph_point_missing"
    assert (await rig.real.commit_at("g", at="2026-11-21T00:02:00Z")).id == "main:2"


async def test_deleting_a_lent_graph_inside_ends_its_branches_alone(rig: Lending) -> None:
    await rig.hide()
    await rig.inside.branch_create("g", "dev", stamp=rig.stamp())
    before = await rig.outside()

    await rig.inside.detach("g", observed=1, stamp=rig.stamp())

    assert (await rig.inside.observe("g")).presence == "detached"
    assert await said(rig.inside.run("g", all_of("Person"), {})) == "graph_detached"
    assert await rig.outside() == before
    names = {branch.name for branch in await rig.real.branches("g")}
    assert names == {"main", "dev"}
    await rig.inside.restore("g", incarnation=INCARNATIONS[0], stamp=rig.stamp())
    assert [b.name for b in await rig.inside.branches("g")] == ["main", "dev"]


async def test_a_graph_made_over_a_deleted_one_is_the_sandboxs_own(rig: Lending) -> None:
    await rig.inside.pin("g", 1, stamp=rig.stamp())
    await rig.inside.detach("g", observed=1, stamp=rig.stamp())
    before = await rig.outside()
    schema = payload(BASE)

    number = await rig.inside.create(
        "g", schema=schema, incarnation=INCARNATIONS[1], stamp=rig.stamp()
    )
    await rig.load(rig.inside, person("zoe"))
    await rig.inside.tag("g", "v1", stamp=rig.stamp())

    live = await rig.inside.observe("g")
    assert (number, live.presence, live.incarnation) == (1, "live", INCARNATIONS[1])
    assert slugs(await rows(rig.inside)) == {"zoe"}
    assert [(pin.commit, pin.branch) for pin in await rig.inside.pins("g")] == [(1, MAIN)]
    assert [tag.name for tag in await rig.inside.tags("g")] == ["v1"]
    refused = rig.inside.restore("g", incarnation=INCARNATIONS[0], stamp=rig.stamp())
    assert await said(refused) == "graph_restore_refused"
    assert await rig.outside() == before
    assert slugs(await rows(rig.port()[0])) == {"zoe"}, "whoever opens it anew sees it too"


async def test_a_lent_graph_that_lives_is_not_made_again(rig: Lending) -> None:
    with pytest.raises(ReadSetConflictError) as caught:
        await rig.inside.create(
            "g", schema=payload(BASE), incarnation=INCARNATIONS[1], stamp=rig.stamp()
        )

    assert "found main:1 (create)" in caught.value.diagnostic.message
    assert not (rig.folder / "sandboxes").exists()


async def test_a_new_graph_lies_in_the_sandbox_and_nobody_else_sees_it(rig: Lending) -> None:
    await rig.inside.create(
        "h", schema=payload(BASE), incarnation=INCARNATIONS[2], stamp=rig.stamp()
    )

    assert await rig.inside.roots() == ("g", "h")
    assert await rig.real.roots() == ("g",)
    assert await rig.of(OTHER).roots() == ()


async def test_a_record_of_a_name_is_no_graph_that_lies_over_a_lent_one(rig: Lending) -> None:
    """A graph that was renamed inside, deleted and made again."""
    await write_name(rig.own_store, "g", "people", op="x:1", at="2026-11-21T00:00:00Z")

    assert (await rig.inside.observe("g")).presence == "live"
    await rig.inside.detach("g", observed=1, stamp=rig.stamp())
    await rig.inside.create(
        "g", schema=payload(BASE), incarnation=INCARNATIONS[1], stamp=rig.stamp()
    )
    assert (await rig.inside.observe("g")).incarnation == INCARNATIONS[1]


async def test_what_belongs_to_the_whole_real_graph_is_not_done_in_a_sandbox(rig: Lending) -> None:
    await rig.real.tag("g", "release", at="1", stamp=rig.stamp())
    await rig.inside.branch_create("g", "dev", stamp=rig.stamp())
    before = await rig.outside()
    for refused in (
        rig.inside.tag("g", "mine", stamp=rig.stamp()),
        rig.inside.untag("g", "release"),
        rig.inside.cleanup("g", AT_ONCE, now=LATER, stamp=rig.stamp()),
        rig.inside.purge("g", incarnation=INCARNATIONS[0], observed=1, stamp=rig.stamp()),
    ):
        assert await said(refused) == "not_in_a_sandbox"
    await rig.inside.detach("g", observed=1, stamp=rig.stamp())
    refused = rig.inside.purge("g", incarnation=INCARNATIONS[0], observed=2, stamp=rig.stamp())
    assert await said(refused) == "not_in_a_sandbox"

    assert await rig.inside.tags("g") == ()
    assert await rig.outside() == before


async def test_an_erasure_inside_is_a_fence_and_takes_nothing_away(rig: Lending) -> None:
    await rig.load(rig.inside, person("ann", 50))
    stamp = rig.stamp()

    number = await rig.inside.erase("g", observed=2, stamp=stamp)

    assert await rig.inside.erase("g", observed=2, stamp=stamp) == number == 3
    assert (await rig.inside.history("g"))[0].kind == "fence"
    await rig.inside.revert("g", 1, observed=3, stamp=rig.stamp())


async def test_a_cleanup_of_the_real_graph_keeps_what_an_open_sandbox_needs(rig: Lending) -> None:
    await rig.load(rig.inside, person("cyd"), person("ann", 32))
    await rig.inside.branch_create("g", "dev", stamp=rig.stamp())
    await rig.load(rig.inside, person("dee"), branch="dev")
    for age in range(5):
        await rig.load(rig.real, person("ann", age), person("bob"), mode="overwrite")
        await rig.load(rig.inside, person("bob", age))
    await rig.inside.pin("g", 2, stamp=rig.stamp())
    before = {n: await rows_at(rig.inside, str(n)) for n in (1, 2, 7)}
    difference = await rig.inside.diff("g", "main:1")

    report = await rig.real.cleanup("g", AT_ONCE, now=LATER, stamp=rig.stamp(epoch=40))

    assert report.commits["main"] > 0
    assert report.commits[RESERVED] > 0, "what the sandbox wrote and nothing names goes too"
    assert {n: await rows_at(rig.inside, str(n)) for n in (1, 2, 7)} == before
    told = await rig.inside.diff("g", "main:1", "7")
    assert (told.types, told.before) == (difference.types, "main:1")
    assert (await rig.inside.verify("g")).is_whole
    assert await said(rig.inside.digest("g", at="4")) == "graph_collected"
    await rig.load(rig.inside, person("zoe"))
    merged = await rig.inside.merge("g", "dev", stamp=rig.stamp())
    assert merged.outcome == "merged"


async def rows_at(graphs: ForkedGraphs, at: str) -> bytes:
    return b"".join([block async for block in graphs.export("g", at=at)])


async def test_the_fence_of_a_cleanup_bars_no_writer_of_a_sandbox(rig: Lending) -> None:
    """Leases of a sandbox are its own, and so are their epochs."""
    for age in range(3):
        await rig.load(rig.real, person("ann", age), person("bob"), mode="overwrite", epoch=40)

    await rig.real.cleanup("g", AT_ONCE, now=LATER, stamp=rig.stamp(epoch=41))

    assert [c.kind for c in await rig.inside.history("g")] == ["fence", "create"]
    assert await rig.load(rig.inside, person("cyd"), epoch=1) == "main:3"


async def test_a_real_graph_is_not_erased_under_a_sandbox(rig: Lending) -> None:
    assert await said(rig.real.erase("g", observed=2, stamp=rig.stamp())) == "graph_pinned"


async def test_a_real_graph_that_is_deleted_takes_the_sandboxs_with_it(rig: Lending) -> None:
    await rig.real.detach("g", observed=2, stamp=rig.stamp(epoch=40))
    assert (await rig.inside.observe("g")).presence == "detached"

    await rig.real.restore("g", incarnation=INCARNATIONS[0], stamp=rig.stamp(epoch=41))
    assert (await rig.inside.observe("g")).presence == "live"
    assert await rig.load(rig.inside, person("cyd"), epoch=1) == "main:4", "leases are its own"


async def test_users_write_to_no_branch_of_a_sandbox(rig: Lending) -> None:
    trunk, stamp = rig.fork.trunk, rig.stamp()
    insert = checked('query q() { insert Person { slug: "dee" } }', BASE)
    wider = payload(WIDER, payload(BASE).ir)
    before = await rig.inside.history("g")
    for refused in (
        rig.real.branch_create("g", f"{trunk}/x", stamp=stamp),
        rig.real.branch_create("g", f"sandbox/{OTHER}", stamp=stamp),
        rig.real.branch_delete("g", trunk, observed=1, stamp=stamp),
        rig.real.merge("g", MAIN, into=trunk, stamp=stamp),
        rig.real.mutate("g", insert, {}, branch=trunk, stamp=stamp),
        rig.real.revert("g", 1, branch=trunk, observed=1, stamp=stamp),
        rig.real.optimize("g", branch=trunk, stamp=stamp),
        rig.real.migrate("g", schema=wider, observed=1, stamp=stamp, branch=trunk),
        rig.real.load_from(
            "g", [NdjsonSource(lines=[])], branch=trunk, options=LoadOptions(), stamp=stamp
        ),
        rig.real.tag("g", "sandbox/release", stamp=stamp),
        rig.inside.branch_create("g", f"sandbox/{OTHER}", stamp=stamp),
    ):
        assert await said(refused) == "graph_branch_invalid"
    assert await rig.inside.history("g") == before


async def test_a_branch_of_a_sandbox_is_merged_into_the_real_graph(rig: Lending) -> None:
    await rig.load(rig.inside, person("cyd"))
    await rig.load(rig.real, person("dee"))

    report = await rig.real.merge("g", rig.fork.trunk, stamp=rig.stamp())

    assert report.outcome == "merged"
    assert slugs(await rows(rig.real)) == {"ann", "bob", "cyd", "dee"}


async def test_a_name_that_would_be_too_long_outside_is_refused(rig: Lending) -> None:
    fits = "n" * rig.fork.name_length_max
    await rig.inside.branch_create("g", fits, stamp=rig.stamp())

    refused = rig.inside.branch_create("g", fits + "n", stamp=rig.stamp())

    assert await said(refused) == "graph_branch_invalid"
    assert (await rig.real.branch_names("g"))[-1] == f"{rig.fork.trunk}/{fits}"
    assert [b.name for b in await rig.real.branches("g")] == ["main"]


async def test_a_graph_whose_trunk_was_not_cut_is_not_there(rig: Lending) -> None:
    inside = rig.of(OTHER)

    assert (await inside.observe("g")).presence == "absent"
    assert await inside.roots() == ()
    assert await said(inside.digest("g")) == "graph_root_missing"


async def test_the_storage_as_a_sandbox_sees_it_holds_nothing_of_others(rig: Lending) -> None:
    await rig.hide()
    await rig.real.tag("g", "release", stamp=rig.stamp())
    await rig.real.pin("g", 1, stamp=rig.stamp())
    await rig.inside.pin("g", 1, stamp=rig.stamp())
    view = ForkStore(rig.store, rig.fork)

    keys = await view.list("graphs/g.omni/")
    parts = [key.removeprefix("graphs/g.omni/") for key in keys if "/data/" not in key]
    kinds = sorted({part.rpartition("/")[0] for part in parts})

    assert kinds == ["_graph", "_graph/commits/main", "_graph/pins", "_graph/schema"]
    assert len([part for part in parts if "/pins/" in part]) == 1
    assert all([await view.read(key) is not None for key in keys])
    assert await view.list("graphs/h.omni/") == await view.list("__cluster/") == ()
    assert await view.read("graphs/g.omni/_graph/tags/release.json") is None
    assert await view.folders("graphs/g.omni/_graph/commits/") == ("main",)
    refused = (
        view.create(format_key("g"), b"{}"),
        view.create("graphs/h.omni/_graph/format.json", b"{}"),
        view.create("graphs/g.omni/_graph/tags/x.json", b"{}"),
        view.create("__cluster/x", b"{}"),
        view.replace(commit_key("g", 1), b"{}"),
        view.delete(commit_key("g", 1)),
        view.delete(ir_key("g", "0")),
        view.delete("graphs/g.omni/data/x"),
    )
    for call in refused:
        assert await said(call) == "not_in_a_sandbox"
