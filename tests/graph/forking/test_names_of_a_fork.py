"""Whatever is named inside a sandbox, it is the sandbox's. Source: ADR 27."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.adapters.backends.memory import MemoryStore
from agentctl.domain.storage.protocol import StoredObject
from agentctl.graph.asking import Point
from agentctl.graph.branching.names import name_problem
from agentctl.graph.forking.fork import Fork, LentGraph
from agentctl.graph.forking.view import ForkStore
from agentctl.graph.layout import MAIN, commit_key, commits_prefix
from agentctl.graph.port import GraphError
from agentctl.ids import ulid
from tests.conformance.test_graph_port import all_of
from tests.graph.forking.forking_rig import SANDBOX
from tests.graph.forking.lending_rig import OTHER, Lending, person

LENT: Final = {"g": LentGraph(incarnation=ulid(1, bytes(10)), base=2)}
FORK: Final = Fork(sandbox=SANDBOX, lent=LENT)
NEIGHBOUR: Final = Fork(sandbox=OTHER, lent=LENT)
HOSTILE: Final = (
    "",
    ".",
    "..",
    "/",
    "//",
    "../main",
    "../../main",
    f"../{OTHER}",
    f"sandbox/{OTHER}",
    f"sandbox/{OTHER}/dev",
    f"sandbox/{SANDBOX}",
    f"/../{OTHER}",
    f"%2F..%2F{OTHER}",
    f"..%2F{OTHER}",
    "main/../main",
    "main:3",
    f"sandbox/{OTHER}:1",
    f"../{OTHER}:1",
    "main:3~~",
    f"sandbox%2F{OTHER}",
    "dev",
    "dev:2",
    "dev/../../main",
    "main\u200b",
    "release",
    "@main",
    "base/main:3",
    "2026-11-21T00:02:00Z",
    "2026-11-21T00:04:00Z",
    "1" * 19,
)
"""None of them is a branch, a commit or a tag of the sandbox."""
Call = Callable[[], Awaitable[object]]
names = st.one_of(
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from([*"/.%:~@-_ \n", "main", "sandbox", SANDBOX, OTHER, ".."])).map(
        "".join
    ),
    st.text(),
)


@given(name=names)
def test_a_name_inside_is_one_of_the_forks_own_branches_outside(name: str) -> None:
    outside = FORK.outside(name)

    assert (outside == FORK.trunk) == (name == MAIN)
    assert outside == FORK.trunk or outside.startswith(f"{FORK.trunk}/")
    assert NEIGHBOUR.inside(outside) is None
    assert outside != MAIN


@given(name=names)
def test_a_name_that_goes_out_comes_back_as_it_was(name: str) -> None:
    if name_problem(name) is None:
        assert FORK.inside(FORK.outside(name)) == name


@given(name=names)
def test_a_branch_that_is_not_the_forks_has_no_name_inside(name: str) -> None:
    if not (name == FORK.trunk or name.startswith(f"{FORK.trunk}/")):
        assert FORK.inside(name) is None


@given(name=names)
async def test_no_key_inside_leads_to_an_object_of_others(name: str) -> None:
    store = MemoryStore()
    for branch in (MAIN, "dev", NEIGHBOUR.trunk, f"{NEIGHBOUR.trunk}/dev"):
        await store.create(commit_key("g", 1, branch), b"theirs")
    view = ForkStore(store, FORK)

    for key in (
        commit_key("g", 1, name),
        commits_prefix("g", name),
        f"graphs/g.omni/_graph/commits/{name}/00000000000000000001.json",
        f"graphs/g.omni/_graph/pins/{name}",
        f"graphs/g.omni/_graph/{name}",
        f"graphs/g.omni/{name}",
        f"graphs/{name}",
        name,
    ):
        assert await found(view, key) == (None, ())


async def found(view: ForkStore, key: str) -> tuple[StoredObject | None, tuple[str, ...]]:
    """Returns what is read and listed there; nothing where a store takes no such key."""
    try:
        read, listed = await view.read(key), await view.list(key)
    except AssertionError:  # of the store: that is no key
        return None, ()
    return read, listed


@pytest.mark.slow
async def test_no_verb_takes_a_name_for_what_is_outside_of_the_sandbox(tmp_path: Path) -> None:
    rig = Lending(tmp_path)
    await rig.lend()
    await rig.hide()
    await rig.real.tag("g", "release", stamp=rig.stamp())
    await rig.load(rig.inside, person("mine"))
    before, own = await rig.outside(), await rig.inside.digest("g")

    for name in HOSTILE:
        for told in await everything(rig, name):
            for hidden in ("secret", "hidden", "theirs"):
                assert hidden not in told, (name, told)
            assert OTHER not in told or OTHER in name, (name, told)

    assert await rig.outside() == before
    assert await rig.inside.digest("g") == own
    assert [branch.name for branch in await rig.inside.branches("g")] == [MAIN, "made"]


async def everything(rig: Lending, name: str) -> list[str]:
    """Returns what each verb says where *name* is a branch, a point, or both."""
    graphs, stamp = rig.inside, rig.stamp
    query = all_of("Person")

    async def lines(branch: str, at: str | None) -> list[bytes]:
        return [block async for block in graphs.export("g", branch=branch, at=at)]

    async def feed(since: str, branch: str) -> list[object]:
        return [page async for page in graphs.changes("g", since=since, branch=branch)]

    calls: tuple[Call, ...] = (
        lambda: graphs.commit_at("g", branch=name),
        lambda: graphs.commit_at("g", at=name),
        lambda: graphs.schema_text_at("g", branch=name),
        lambda: graphs.commits("g", branch=name, or_ended=True),
        lambda: graphs.digest("g", branch=name, at="1"),
        lambda: graphs.observe_branch("g", name),
        lambda: graphs.content_at("g", 1, branch=name),
        lambda: graphs.check_revertible("g", 1, branch=name),
        lambda: graphs.run("g", query, {}, point=Point(branch=name)),
        lambda: graphs.run("g", query, {}, point=Point(at=name)),
        lambda: graphs.diff("g", name),
        lambda: graphs.diff("g", "1", name),
        lambda: graphs.is_unmerged("g", name),
        lambda: lines(name, None),
        lambda: lines(MAIN, name),
        lambda: feed(name, MAIN),
        lambda: feed("beginning", name),
        lambda: graphs.branch_create("g", "made", source=name, stamp=stamp()),
        lambda: graphs.branch_create("g", "made", at=name, stamp=stamp()),
        lambda: graphs.branch_delete("g", name, observed=1, stamp=stamp()),
        lambda: graphs.brought_back("g", name, stamp=stamp()),
        lambda: graphs.merge("g", name, stamp=stamp()),
        lambda: graphs.merge("g", MAIN, into=name, stamp=stamp()),
        lambda: graphs.fence("g", observed=1, branch=name, stamp=stamp()),
        lambda: graphs.revert("g", 1, branch=name, observed=1, stamp=stamp()),
        lambda: graphs.optimize("g", branch=name, stamp=stamp()),
        lambda: rig.load(graphs, person("x"), branch=name),
    )
    told: list[str] = []
    for call in calls:
        try:
            told.append(str(await call()))
        except GraphError as refused:
            told.append(str(refused.diagnostic))
    return told
