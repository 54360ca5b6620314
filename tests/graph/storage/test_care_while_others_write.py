"""Cleanup and optimize cross loads, mutations and merges at every call of the storage: nothing is lost.

Whoever stands still lets the other do all of its work before it goes on. Source: graph-engine 1, 6.
"""

import itertools
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.data_port import Retention
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.loads.sources import LoadOptions, NdjsonSource
from agentctl.graph.port import GraphError
from agentctl.testing.sampling import sampled
from agentctl.testing.suspended import SuspendedStore
from tests.graph.writes.writes_bench import Bench, stamp

pytestmark = pytest.mark.slow

SCHEMA = "node Person { slug: String @key  age: I32? @index }\nedge Knows: Person -> Person\n"
NOW = datetime(2027, 1, 1, tzinfo=UTC)
BRANCHES = ("main", "dev")
CLEAR = frozenset({"read_set_conflict", "graph_busy", "lease_lost"})
NEVER = 10**9

Act = Callable[[LanceGraphs], Awaitable[object]]


def line(slug: str) -> bytes:
    return b'{"type": "Person", "data": {"slug": "%s", "age": 1}}\n' % slug.encode()


async def loaded(graphs: LanceGraphs, branch: str, *slugs: str, number: int) -> object:
    return await graphs.load_from(
        "g",
        [NdjsonSource(lines=[line(slug) for slug in slugs])],
        branch=branch,
        options=LoadOptions(mode="append"),
        stamp=stamp(number),
    )


async def prepared(root: Path) -> Bench:
    """A graph with old commits of rows that went, on two branches that both moved."""
    here = await Bench(root).becomes(SCHEMA)
    number = itertools.count(100)
    await loaded(here.graphs, "main", "a", "b", "gone", number=next(number))
    await here.graphs.branch_create("g", "dev", stamp=stamp(next(number)))
    for branch, slug in itertools.product(BRANCHES, "xyz"):
        await loaded(here.graphs, branch, f"{branch}{slug}", number=next(number))
    for branch in BRANCHES:
        await here.do('delete Person where slug = "gone"', branch=branch, nonce=next(number))
    return here


def writes(here: Bench) -> dict[str, Act]:
    """Returns what writes, by what it is and the branch that it writes to."""

    def load(branch: str) -> Act:
        return lambda graphs: loaded(graphs, branch, "new", number=801)

    def mutation(branch: str) -> Act:
        text = 'insert Person { slug: "new" }'
        return lambda graphs: here.do(text, graphs=graphs, branch=branch, nonce=802)

    def merge(into: str) -> Act:
        source = "dev" if into == "main" else "main"
        return lambda graphs: graphs.merge("g", source, into=into, stamp=stamp(803))

    kinds = {"load": load, "mutation": mutation, "merge": merge}
    return {f"{kind} {b}": made(b) for kind, made in kinds.items() for b in BRANCHES}


CARES: dict[str, Act] = {
    "cleanup": lambda graphs: graphs.cleanup(
        "g", Retention(older_than=timedelta(0)), now=NOW, stamp=stamp(901)
    ),
    "optimize main": lambda graphs: graphs.optimize("g", branch="main", stamp=stamp(902)),
    "optimize dev": lambda graphs: graphs.optimize("g", branch="dev", stamp=stamp(903)),
}
WRITES = tuple(f"{kind} {b}" for kind in ("load", "mutation", "merge") for b in BRANCHES)


async def people(graphs: LanceGraphs, branch: str) -> frozenset[bytes]:
    blocks = [block async for block in graphs.export("g", branch=branch)]
    return frozenset(
        line.split(b'"slug":')[1].split(b'"')[1]
        for line in b"".join(blocks).splitlines()
        if b'"slug":' in line
    )


async def told(act: Act, graphs: LanceGraphs) -> str | None:
    """Returns the code of a refusal; None of what was done."""
    try:
        await act(graphs)
    except GraphError as failure:
        return failure.diagnostic.code
    return None


async def counted(here: Bench, act: Act, root: Path) -> int:
    """Returns how many calls *act* makes where nobody crosses it."""
    shutil.copytree(here.root, root)

    async def nothing() -> None:
        """Nobody crosses it."""

    store = SuspendedStore(LocalStore(root), NEVER, nothing)
    graphs = LanceGraphs(store, before_table_write=store.in_thread, mint=here.minted)
    assert await told(act, graphs) is None
    return store.calls


async def test_each_care_that_is_crossed_has_something_to_do(tmp_path: Path) -> None:
    """So that the test below is about something."""
    here = await prepared(tmp_path)

    tidied = [await here.graphs.optimize("g", branch=b, stamp=stamp(902)) for b in BRANCHES]
    cleaned = await here.graphs.cleanup(
        "g", Retention(older_than=timedelta(0)), now=NOW, stamp=stamp(901)
    )

    assert None not in [report.commit for report in tidied]
    assert {branch for branch, count in cleaned.commits.items() if count} == {*BRANCHES}
    assert cleaned.bytes_removed > 0


@pytest.mark.parametrize("suspended", ["write", "care"])
@pytest.mark.parametrize("care", CARES)
@pytest.mark.parametrize("write", WRITES)
async def test_what_crosses_at_any_call_loses_nothing(
    tmp_path: Path, write: str, care: str, suspended: str
) -> None:
    here = await prepared(tmp_path / "first")
    before = {branch: await people(here.graphs, branch) for branch in BRANCHES}
    target = write.split()[1]
    added = frozenset().union(*before.values()) if "merge" in write else before[target] | {b"new"}
    after = before | {target: added}
    late, early = writes(here)[write], CARES[care]
    if suspended == "care":
        late, early = early, late
    calls = await counted(here, late, tmp_path / "counted")
    for at in sampled(range(1, calls + 1), 3, of=f"{write} {care} {suspended}"):
        root = tmp_path / str(at)
        shutil.copytree(tmp_path / "first", root)
        others = LanceGraphs(LocalStore(root), mint=here.minted)
        said: list[str | None] = []

        async def meanwhile(graphs: LanceGraphs = others, heard: list[str | None] = said) -> None:
            heard.append(await told(early, graphs))

        store = SuspendedStore(LocalStore(root), at, meanwhile)
        own = LanceGraphs(store, before_table_write=store.in_thread, mint=here.minted)
        said.append(await told(late, own))

        assert len(said) == 2, at
        wrote = said[0 if suspended == "care" else 1]
        assert {*said} <= {None, *CLEAR}, (at, said)
        now = {branch: await people(others, branch) for branch in BRANCHES}
        assert now == (before if wrote is not None else after), (at, said)
        seen = await others.verify("g")
        assert seen.is_whole, (at, said, seen.problems)
