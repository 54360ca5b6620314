"""A lent graph and a graph of its own go the same way, whatever is done to both. Source: ADR 27."""

import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Literal

import msgspec
import pytest

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
from agentctl.testing.sampling import sampled
from tests.conformance.test_graph_port import BASE, INCARNATIONS, all_of, minter, payload
from tests.graph.forking.forking_rig import SANDBOX, graphs_on

WIDER: Final = BASE.replace("age: I32? @index", "age: I32? @index  nick: String?")
SCHEMAS: Final = (BASE, WIDER)
BRANCHES: Final = (MAIN, "dev", "a/b", "nope", "sandbox/x")
BASE_COMMIT: Final = 2
FIRST: Final = 3
"""The first commit that both have: below it one has its rows by a load, and one by its base."""
INSERT: Final = checked(
    "query q($slug: String, $age: I32) { insert Person { slug: $slug, age: $age } }", BASE
)

STORY_COUNT: Final = 200
STEP_COUNT: Final = 16
LOOK_EVERY: Final = 4
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


VERBS: Final[dict[Verb, int]] = {
    "load": 8,
    "insert": 6,
    "cut": 4,
    "merge": 8,
    "end": 1,
    "migrate": 3,
    "revert": 2,
    "detach": 1,
    "restore": 2,
    "fence": 1,
    "pin": 2,
    "optimize": 2,
}
"""How often each is chosen."""
SOMEWHERE: Final = (*[MAIN] * 6, *["dev"] * 5, *["a/b"] * 3, "nope", "sandbox/x")


def story_of(seed: int) -> list[Step]:
    """Returns steps at random, after some that give them something to go on."""
    dice = random.Random(seed)
    first = [step_of(dice, verb) for verb in ("load", "insert", "cut", "cut", "insert", "load")]
    places = (MAIN, MAIN, "dev", "a/b", "dev", MAIN)
    begun = [
        msgspec.structs.replace(step, branch=place, other=MAIN, mode="merge", number=0, epoch=1)
        for step, place in zip(first, places, strict=True)
    ]
    then = dice.choices(list(VERBS), weights=list(VERBS.values()), k=STEP_COUNT)
    return begun + [step_of(dice, verb) for verb in then]


def step_of(dice: random.Random, verb: Verb) -> Step:
    return Step(
        verb=verb,
        branch=dice.choice(SOMEWHERE),
        other=dice.choice(SOMEWHERE),
        at=dice.randint(FIRST, 8),
        lines=tuple(line_of(dice) for _ in range(dice.randint(1, 3))),
        mode=dice.choice(("append", "merge", "merge", "merge", "overwrite")),
        number=dice.randint(0, 3),
        epoch=0 if dice.random() < 0.04 else 1,
    )


def line_of(dice: random.Random) -> bytes:
    slugs = ("ann", "bob", f"p{dice.randint(0, 9)}")
    if dice.random() < 0.2:
        one, two = dice.choice(slugs), dice.choice(slugs)
        return f'{{"edge":"Knows","from":"{one}","to":"{two}"}}'.encode()
    slug, age = dice.choice(slugs), dice.randint(0, 3)
    return f'{{"type":"Person","data":{{"slug":"{slug}","age":{age}}}}}'.encode()


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
            "pins": [
                msgspec.structs.replace(pin, content="") for pin in await self.graphs.pins("g")
            ],
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
        values = {"slug": f"q{stamp.op[2:]}", "age": step.number}
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
        return msgspec.structs.replace(made, content="")

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


def chosen() -> list[int]:
    """Returns which stories are told: under the long profile all, else some in which is each verb."""
    found = sampled(range(STORY_COUNT), 5, of="stories of twins")
    missing = set(VERBS) - {step.verb for seed in found for step in story_of(seed)}
    for seed in range(STORY_COUNT):
        here = {step.verb for step in story_of(seed)} & missing
        if here:
            found.append(seed)
            missing -= here
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", chosen())
async def test_a_lent_graph_goes_the_way_of_one_of_its_own(seed: int, tmp_path: Path) -> None:
    one, other = await plain(tmp_path / "plain"), await lent(tmp_path / "lent")
    story = story_of(seed)
    for number, step in enumerate(story, FIRST + 1):
        made = stamp(number, epoch=step.epoch)
        assert await one.do(step, made) == await other.do(step, made), step
        if number % LOOK_EVERY == 0 or step is story[-1]:
            assert_same(await one.shows(), await other.shows(), step)
