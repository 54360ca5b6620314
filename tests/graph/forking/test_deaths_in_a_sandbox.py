"""Wherever a sandbox's process dies, its graphs are as before or as after, and the base is as it was."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

from agentctl.graph.forking.cutting import cut_trunk
from agentctl.graph.forking.forked import ForkedGraphs
from agentctl.graph.layout import MAIN
from agentctl.graph.loads.sources import LoadOptions, NdjsonSource
from agentctl.graph.port import Stamp
from agentctl.testing.crash import Crash, How
from agentctl.testing.sampling import sampled
from tests.conformance.test_graph_port import BASE, INCARNATIONS, WIDER, payload
from tests.graph.forking.forking_rig import SANDBOX
from tests.graph.forking.lending_rig import OTHER, Lending, person, rows

pytestmark = pytest.mark.slow

Act = Callable[[ForkedGraphs], Awaitable[object]]


def stamp(number: int) -> Stamp:
    return Stamp(
        op=f"inside:{number}",
        actor="x",
        on_behalf_of=None,
        intent="test",
        epoch=1,
        nonce=f"{1000 + number:032x}",
        at=f"2026-11-21T05:{number:02d}:00.000Z",
    )


async def _load(graphs: ForkedGraphs) -> object:
    lines = [person("cyd"), person("ann", 7)]
    return await graphs.load("g", lines, mode="merge", stamp=stamp(1))


async def _branch(graphs: ForkedGraphs) -> object:
    return await graphs.branch_create("g", "dev", stamp=stamp(2))


async def _load_dev(graphs: ForkedGraphs) -> object:
    source = NdjsonSource(lines=[person("dee")])
    options = LoadOptions(mode="merge")
    return await graphs.load_from("g", [source], branch="dev", options=options, stamp=stamp(3))


async def _migrate(graphs: ForkedGraphs) -> object:
    schema = payload(WIDER, payload(BASE).ir)
    return await graphs.migrate("g", schema=schema, observed=2, stamp=stamp(4))


async def _merge(graphs: ForkedGraphs) -> object:
    return await graphs.merge("g", "dev", stamp=stamp(5))


async def _detach(graphs: ForkedGraphs) -> object:
    return await graphs.detach("g", observed=4, stamp=stamp(6))


async def _restore(graphs: ForkedGraphs) -> object:
    return await graphs.restore("g", incarnation=INCARNATIONS[0], stamp=stamp(7))


async def _detach_again(graphs: ForkedGraphs) -> object:
    return await graphs.detach("g", observed=6, stamp=stamp(8))


async def _create(graphs: ForkedGraphs) -> object:
    return await graphs.create(
        "g", schema=payload(BASE), incarnation=INCARNATIONS[1], stamp=stamp(9)
    )


async def _load_own(graphs: ForkedGraphs) -> object:
    return await graphs.load("g", [person("zoe")], mode="append", stamp=stamp(10))


STORY: Final[Sequence[Act]] = (
    _load,
    _branch,
    _load_dev,
    _migrate,
    _merge,
    _detach,
    _restore,
    _detach_again,
    _create,
    _load_own,
)
OWN: Final = frozenset({_create, _load_own})
"""Those that write to the sandbox's own root."""


async def state(rig: Lending) -> tuple[object, ...]:
    """Returns what the sandbox sees of its graph; edges, whose ids are minted, are counted alone."""
    graphs = rig.port()[0]
    live = await graphs.observe("g")
    known = (live.presence, live.commit, live.incarnation, live.source_digest, dict(live.rows))
    branches = live.branches if live.presence == "live" else ()
    nodes = [
        [line for line in await rows(graphs, branch=branch) if '"edge"' not in line]
        for branch in branches
    ]
    return (*known, branches, *nodes)


async def opened(folder: Path) -> Lending:
    rig = Lending(folder)
    await rig.lend()
    await rig.hide()
    return rig


@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("place", range(len(STORY)), ids=[act.__name__[1:] for act in STORY])
async def test_a_death_at_any_write_leaves_old_or_new_and_repeating_converges(
    tmp_path: Path, place: int, how: How
) -> None:
    act = STORY[place]
    whole = await opened(tmp_path / "whole")
    states = [await state(whole)]
    writes = 0
    for number, done in enumerate(STORY):
        port, counter = whole.port(own=done in OWN)
        await done(port)
        writes = counter.writes if number == place else writes
        states.append(await state(whole))
    assert writes > 0

    for at in sampled(range(1, writes + 1), 1, of=f"deaths {place} {how}"):
        rig = await opened(tmp_path / str(at))
        base = await rig.outside()
        for done in STORY[:place]:
            await done(rig.port()[0])
        with pytest.raises(Crash):
            await act(rig.port(at, how, own=act in OWN)[0])

        assert await state(rig) in half_done(act, states[place], states[place + 1]), at
        await act(rig.port()[0])
        assert await state(rig) == states[place + 1], at
        for number, done in enumerate(STORY[place + 1 :], place + 1):
            await done(rig.port()[0])
            assert await state(rig) == states[number + 1], (at, done)
        assert await rig.outside() == base


def half_done(
    act: Act, before: tuple[object, ...], after: tuple[object, ...]
) -> tuple[tuple[object, ...], ...]:
    """Returns what may be seen after a death: a restore brings `main` back before its branches."""
    if act is not _restore:
        return before, after
    *known, _, main, _ = after
    return before, after, (*known, (MAIN,), main)


@pytest.mark.parametrize("how", ["before", "after"])
async def test_a_death_while_a_trunk_is_cut_leaves_it_or_none(tmp_path: Path, how: How) -> None:
    rig = await opened(tmp_path)
    graphs = rig.dying(1, how)
    with pytest.raises(Crash):
        await cut_trunk(graphs, "g", "again", base=2, stamp=stamp(30))

    names = set(await rig.real.branch_names("g"))
    assert ("sandbox/again" in names) == (how == "after")
    await cut_trunk(rig.real, "g", "again", base=2, stamp=stamp(30))
    names = set(await rig.real.branch_names("g"))
    assert names == {MAIN, "dev", f"sandbox/{SANDBOX}", f"sandbox/{OTHER}", "sandbox/again"}
