"""A lent graph and a graph of its own go the same way, whatever is done to both. Source: ADR 27."""

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Literal

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.asking import Point
from agentctl.graph.forking.cutting import cut_trunk
from agentctl.graph.forking.fork import Fork, LentGraph
from agentctl.graph.forking.forked import ForkedGraphs
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.layout import MAIN
from agentctl.graph.loads.sources import LoadOptions, Mode, NdjsonSource
from agentctl.graph.port import GraphError, SchemaPayload, Stamp
from agentctl.testing.checked_queries import checked
from agentctl.testing.crash import CrashingStore
from tests.conformance.test_graph_port import BASE, INCARNATIONS, all_of, minter, payload
from tests.graph.forking.forking_rig import SANDBOX, graphs_on

WIDER: Final = BASE.replace("age: I32? @index", "age: I32? @index  nick: String?")
SCHEMAS: Final = (BASE, WIDER)
BRANCHES: Final = (MAIN, "dev", "a/b", "nope", "sandbox/x")
SLUGS: Final = ("ann", "bob", "cyd", "dee")
BASE_COMMIT: Final = 2
FIRST: Final = 3
"""The first commit that both have: below it one has its rows by a load, and one by its base."""
INSERT: Final = checked(
    "query q($slug: String, $age: I32) { insert Person { slug: $slug, age: $age } }", BASE
)

PHASES: Final = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without shrinking, which would take minutes: a story tells by itself what went another way."""
Graphs = LanceGraphs | ForkedGraphs
Verb = Literal[
    "load",
    "insert",
    "cut",
    "end",
    "merge",
    "migrate",
    "revert",
    "detach",
    "restore",
    "fence",
    "pin",
    "optimize",
]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is done to both."""

    verb: Verb
    branch: str
    other: str
    """A second branch."""
    at: int
    lines: tuple[bytes, ...]
    mode: Mode
    number: int
    """What else is chosen."""
    epoch: int


lines = st.one_of(
    st.builds(
        lambda slug, age: f'{{"type":"Person","data":{{"slug":"{slug}","age":{age}}}}}'.encode(),
        st.sampled_from(SLUGS),
        st.integers(0, 3),
    ),
    st.builds(
        lambda one, two: f'{{"edge":"Knows","from":"{one}","to":"{two}"}}'.encode(),
        st.sampled_from(SLUGS),
        st.sampled_from(SLUGS),
    ),
)
steps = st.builds(
    Step,
    verb=st.sampled_from(
        [
            *["load"] * 5,
            *["insert"] * 2,
            *["cut"] * 4,
            *["merge"] * 4,
            "end",
            "migrate",
            "revert",
            "detach",
            *["restore"] * 2,
            "fence",
            "pin",
            "optimize",
        ]
    ),
    branch=st.sampled_from([MAIN, MAIN, "dev", "dev", *BRANCHES]),
    other=st.sampled_from([MAIN, "dev", *BRANCHES]),
    at=st.integers(FIRST, 6),
    lines=st.lists(lines, min_size=1, max_size=3).map(tuple),
    mode=st.sampled_from(["append", "merge", "merge", "overwrite"]),
    number=st.integers(0, 3),
    epoch=st.sampled_from([1, 1, 1, 1, 0]),
)


class Twin:
    """One of the two."""

    def __init__(self, graphs: Graphs) -> None:
        self.graphs = graphs

    async def do(self, step: Step, stamp: Stamp) -> object:
        """Returns what the verb answers, without what only tells where rows lie."""
        calls: dict[Verb, Callable[[Step, Stamp], Awaitable[object]]] = {
            "load": self._load,
            "insert": self._insert,
            "cut": self._cut,
            "end": self._end,
            "merge": self._merge,
            "migrate": self._migrate,
            "revert": self._revert,
            "detach": self._detach,
            "restore": self._restore,
            "fence": self._fence,
            "pin": self._pin,
            "optimize": self._optimize,
        }
        return await told(calls[step.verb](step, stamp))

    async def shows(self) -> dict[str, object]:
        """Returns all that can be seen from the first common commit on."""
        live = await self.graphs.observe("g")
        found: dict[str, object] = {
            "live": msgspec.structs.replace(live, uri="", bytes=0, content=None),
            "pins": await self.graphs.pins("g"),
            "branches": await told(self.graphs.branches("g")),
        }
        for branch in BRANCHES:
            seen = await self.graphs.observe_branch("g", branch)
            history = await told(self.graphs.commits("g", branch=branch, or_ended=True))
            found[branch] = (
                msgspec.structs.replace(seen, uri="", bytes=0, content=None),
                history[: 1 - FIRST] if branch == MAIN and isinstance(history, tuple) else history,
                await told(self.graphs.digest("g", branch=branch)),
                await told(self._rows(branch)),
                await told(self._feed(branch)),
                await told(self.graphs.diff("g", f"main:{FIRST}", branch)),
                await told(self.graphs.is_unmerged("g", branch)),
            )
        if live.presence == "live":
            found["whole"] = (await self.graphs.verify("g")).problems
        return found

    async def _load(self, step: Step, stamp: Stamp) -> object:
        return await self.graphs.load_from(
            "g",
            [NdjsonSource(lines=step.lines)],
            branch=step.branch,
            options=LoadOptions(mode=step.mode, rejected_max=step.number % 2),
            stamp=stamp,
        )

    async def _insert(self, step: Step, stamp: Stamp) -> object:
        values = {"slug": SLUGS[step.number], "age": step.number}
        at = f"{step.branch}:{step.at}" if step.mode == "append" else None
        return await self.graphs.mutate(
            "g", INSERT, values, branch=step.branch, if_commit=at, stamp=stamp
        )

    async def _cut(self, step: Step, stamp: Stamp) -> object:
        at = (None, str(step.at), f"main:{step.at}", step.other)[step.number]
        return await self.graphs.branch_create(
            "g", step.branch, source=step.other, at=at, stamp=stamp
        )

    async def _end(self, step: Step, stamp: Stamp) -> object:
        seen = await self._head(step.branch)
        return await self.graphs.branch_delete("g", step.branch, observed=seen, stamp=stamp)

    async def _merge(self, step: Step, stamp: Stamp) -> object:
        return await self.graphs.merge("g", step.branch, into=step.other, stamp=stamp)

    async def _migrate(self, step: Step, stamp: Stamp) -> object:
        head = await self.graphs.commit_at("g", branch=step.branch)
        ir = await self.graphs.schema_at("g", branch=step.branch)
        schema: SchemaPayload = payload(SCHEMAS[step.number % 2], ir)
        return await self.graphs.migrate(
            "g", schema=schema, observed=head.n, stamp=stamp, branch=step.branch
        )

    async def _revert(self, step: Step, stamp: Stamp) -> object:
        seen = await self._head(step.branch)
        at = step.at if step.branch == MAIN else step.number
        return await self.graphs.revert("g", at, branch=step.branch, observed=seen, stamp=stamp)

    async def _detach(self, _: Step, stamp: Stamp) -> object:
        return await self.graphs.detach("g", observed=await self._head(MAIN), stamp=stamp)

    async def _restore(self, step: Step, stamp: Stamp) -> object:
        found = INCARNATIONS[0 if step.number else 1]
        return await self.graphs.restore("g", incarnation=found, stamp=stamp)

    async def _fence(self, step: Step, stamp: Stamp) -> object:
        seen = await self._head(step.branch)
        return await self.graphs.fence("g", observed=seen, branch=step.branch, stamp=stamp)

    async def _pin(self, step: Step, stamp: Stamp) -> object:
        made = await self.graphs.pin("g", step.at, stamp=stamp)
        if step.number == 0:
            await self.graphs.unpin("g", step.at, op=stamp.op)
        return made

    async def _optimize(self, step: Step, stamp: Stamp) -> object:
        return await self.graphs.optimize("g", branch=step.branch, stamp=stamp)

    async def _head(self, branch: str) -> int:
        return (await self.graphs.observe_branch("g", branch)).commit or 0

    async def _rows(self, branch: str) -> object:
        return await self.graphs.run("g", all_of("Person"), {}, point=Point(branch=branch))

    async def _feed(self, branch: str) -> object:
        since = f"main:{FIRST}" if branch == MAIN else "beginning"
        return [page async for page in self.graphs.changes("g", since=since, branch=branch)]


async def told(call: Awaitable[object]) -> object:
    """Returns what a call answers, or its refusal."""
    try:
        return await call
    except GraphError as refused:
        return type(refused), refused.diagnostic


async def plain(folder: Path) -> Twin:
    """A graph whose rows were loaded by its second commit."""
    graphs = graphs_on(CrashingStore(LocalStore(folder)), minter())
    await created(graphs)
    await graphs.fence("g", observed=2, stamp=stamp(3))
    return Twin(graphs)


async def lent(folder: Path) -> Twin:
    """One that was lent with these rows, and only fences since."""
    real = graphs_on(CrashingStore(LocalStore(folder)), minter())
    await created(real)
    await cut_trunk(real, "g", SANDBOX, base=BASE_COMMIT, stamp=stamp(2))
    own = LanceGraphs(LocalStore(folder / "sandboxes" / SANDBOX))
    fork = Fork(
        sandbox=SANDBOX, lent={"g": LentGraph(incarnation=INCARNATIONS[0], base=BASE_COMMIT)}
    )
    inside = ForkedGraphs(real, own, fork)
    await inside.fence("g", observed=1, stamp=stamp(59))
    await inside.fence("g", observed=2, stamp=stamp(3))
    return Twin(inside)


async def created(graphs: LanceGraphs) -> None:
    await graphs.create("g", schema=payload(BASE), incarnation=INCARNATIONS[0], stamp=stamp(1))
    rows = [b'{"type":"Person","data":{"slug":"ann"}}', b'{"type":"Person","data":{"slug":"bob"}}']
    await graphs.load("g", rows, mode="append", stamp=stamp(2))


def stamp(number: int, *, epoch: int = 1) -> Stamp:
    return Stamp(
        op=f"x:{number}",
        actor="x",
        on_behalf_of=None,
        intent="test",
        epoch=epoch,
        nonce=f"{number:032x}",
        at=f"2026-11-21T00:{number:02d}:00.000Z",
    )


def assert_same(one: dict[str, object], other: dict[str, object], step: Step) -> None:
    """Compares part by part, so that what differs is told and not everything."""
    assert one.keys() == other.keys()
    for name, shown in one.items():
        there = other[name]
        if isinstance(shown, tuple) and isinstance(there, tuple):
            for mine, theirs in zip(shown, there, strict=True):
                assert mine == theirs, (name, step)
        assert shown == there, (name, step)


@pytest.mark.slow
@settings(
    max_examples=40, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.too_slow]
)
@given(story=st.lists(steps, min_size=3, max_size=10))
async def test_a_lent_graph_goes_the_way_of_one_of_its_own(story: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one, other = await plain(Path(folder) / "plain"), await lent(Path(folder) / "lent")
        for number, step in enumerate(story, 4):
            made = stamp(number, epoch=step.epoch)
            assert await one.do(step, made) == await other.do(step, made), step
            assert_same(await one.shows(), await other.shows(), step)
