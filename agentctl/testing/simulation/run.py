"""Runs the simulation of a seed: a quiet beginning, a rough middle, and an end where all must hold."""

import asyncio
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.domain.config.drafting import HomecomingRecord
from agentctl.domain.policy.principals import FirstHuman
from agentctl.engine.drafts import HOMECOMINGS, blob_key
from agentctl.testing.consent import key_of
from agentctl.testing.simulation.actors import actors_of
from agentctl.testing.simulation.checks import check_graphs, check_loads, check_quiet
from agentctl.testing.simulation.folders import GRAPHS
from agentctl.testing.simulation.loop import run_virtually
from agentctl.testing.simulation.network import Weather
from agentctl.testing.simulation.remembering import remembered_judgements
from agentctl.testing.simulation.world import Bug, Simulation, operator

CALM: Final = Weather()
ROUGH: Final = Weather(lost=0.02, refused=0.02, late=0.015, stalled=0.01)
LOSING: Final = Weather(lost=0.05)
SLOW: Final = Weather(latency_s=(0.05, 3.0), stalled=0.02)
WEATHERS: Final = (CALM, ROUGH, ROUGH, LOSING, SLOW)
_QUIET_S: Final = 120.0
_ACTS: Final = (1, 5)
"""How many things each actor does."""
_PATIENCE_S: Final = 60.0
_PURGE_S: Final = 8 * 24 * 3600.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a seed gave."""

    seed: int | str
    digest: str
    """Of the trace."""
    trace: bytes
    commands: int
    faults: Counter[str]
    transitions: Counter[str]
    bug: str | None = None
    """What must never happen and did."""


def simulate(seed: int | str) -> Outcome:
    """Returns what happens under *seed*, always the same."""
    shared = Path("/dev/shm")  # noqa: S108  # memory, where there is one
    path = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    folder = path / "folder"
    folder.mkdir()
    try:
        with remembered_judgements():
            return run_virtually(lambda: _simulate(seed, folder))
    finally:
        shutil.rmtree(path)


async def _simulate(seed: int | str, path: Path) -> Outcome:
    rng = random.Random(f"{seed}/weather")  # noqa: S311  # chances, not secrets
    rough = rng.choice(WEATHERS)
    simulation = Simulation(seed, path, CALM)
    bug: str | None = None
    try:
        await _begin(simulation)
        simulation.network.weather = rough
        await _live(simulation, rng, rng.randint(*_ACTS))
        simulation.network.weather = CALM
        await _end(simulation)
    except (Bug, AssertionError) as found:
        bug = f"{type(found).__name__}: {found}"
        simulation.trace.add("world", "BUG", bug)
    trace = simulation.trace
    return Outcome(
        seed=seed,
        digest=trace.digest,
        trace=trace.text,
        commands=simulation.commands,
        faults=trace.faults,
        transitions=trace.transitions,
        bug=bug,
    )


async def _begin(simulation: Simulation) -> None:
    simulation.folder.write()
    host = simulation.hosts[0]
    process = simulation.machines[host].start("founder", str(simulation.seed))
    cluster = await simulation.open(process)
    human = FirstHuman(id="sarah", key=key_of("sarah").key, assurance="file")
    await cluster.principals.genesis(human=human, signer=key_of("sarah"))
    for name, kind in (("tom", "human"), ("agent:sarah", "agent"), ("agent:tom", "agent")):
        await cluster.principals.add(
            principal_id=name,
            kind="human" if kind == "human" else "agent",
            key=key_of(name).key,
            assurance="file" if kind == "human" else None,
            by="sarah",
            signer=key_of("sarah"),
        )
    process.exit()
    await _must(simulation, "import", {"intent": "begin"})
    await _must(simulation, "apply", {"intent": "begin"})
    for graph in GRAPHS[:2]:
        await simulation.load(host, operator("sarah"), graph)


async def _live(simulation: Simulation, rng: random.Random, commands: int) -> None:
    """Lets everybody act at once while things go wrong; a bug in one ends it all."""
    actors = [
        asyncio.ensure_future(actor.live(acts, commands)) for actor, acts in actors_of(simulation)
    ]
    trouble = asyncio.ensure_future(_trouble(simulation, rng))
    try:
        await asyncio.gather(*actors)
    finally:
        for task in (*actors, trouble):
            task.cancel()
        await asyncio.gather(*actors, trouble, return_exceptions=True)


async def _trouble(simulation: Simulation, rng: random.Random) -> None:
    """Kills, pauses, cuts and sets clocks, until it is cancelled."""
    trace, network = simulation.trace, simulation.network
    while True:
        await simulation.pass_time(rng.expovariate(1 / 5.0))
        running = simulation.processes
        (kind,) = rng.choices(("kill", "pause", "outage", "clock"), (10, 8, 1, 4))
        if kind == "outage":
            seconds = rng.choice((0.2, 1.0, 5.0, 20.0))
            trace.fault("outage", "world", f"{seconds:.1f}")
            network.out_until = max(network.out_until, simulation.loop.time() + seconds)
        elif kind == "clock":
            machine = simulation.machines[rng.choice(simulation.hosts)]
            machine.offset_s += rng.choice((-1, 1)) * rng.choice((0.5, 40.0, 7200.0))
            trace.fault("clock jump", machine.host, f"{machine.offset_s:.1f}")
        elif running and kind == "kill":
            process = rng.choice(running)
            trace.fault("killed", process.name)
            process.kill()
        elif running:
            process, seconds = rng.choice(running), rng.choice((1.0, 12.0, 45.0, 90.0))
            trace.fault("paused", process.name, f"{seconds:.0f}")
            process.pause(seconds)


async def _end(simulation: Simulation) -> None:
    """Lets all come to rest, settles what is left as a person would, and looks."""
    await simulation.pass_time(_QUIET_S)
    for machine in simulation.machines.values():
        machine.offset_s = 0.0
    await _thawed(simulation)
    await _settle(simulation)
    await simulation.pass_time(_PURGE_S)
    await _settle_again(simulation)
    process = simulation.machines[simulation.hosts[0]].start("auditor", str(simulation.seed))
    cluster = await simulation.open(process)
    await check_quiet(cluster)
    head = await cluster.ledger.head()
    assert head is not None, "the ledger is gone"
    check_graphs(simulation.roots, head.envelope.state)
    check_loads(simulation.roots, simulation.loads)
    process.exit()


async def _settle(simulation: Simulation) -> None:
    """Does what is left, looks, does what the look has shown; then nothing may be left."""
    _put_back(simulation)
    await _must(simulation, "apply", {"intent": "what is left", "wait_s": _PATIENCE_S})
    await _must(simulation, "refresh", {"intent": "a last look"})
    await _must(simulation, "apply", {"intent": "what the look has shown"})
    for graph in sorted(simulation.roots.by_id):
        await simulation.load(simulation.hosts[0], operator("sarah"), graph, wait_s=_PATIENCE_S)


def _put_back(simulation: Simulation) -> None:
    """Puts back files that somebody edited while a draft's were half written, as the product asks."""
    for key in [k for k in simulation.objects if k.startswith(HOMECOMINGS)]:
        record = msgspec.json.decode(simulation.objects[key], type=HomecomingRecord)
        for file in record.files:
            path = simulation.folder.path / file.path
            digest = sha256_hex(path.read_bytes()) if path.is_file() else None
            if digest in {file.old, file.new}:
                continue
            simulation.trace.add("sarah", "puts back", file.path)
            if file.old is None:
                path.unlink()
            else:
                path.write_bytes(simulation.objects[blob_key(record.draft, file.old)])


async def _settle_again(simulation: Simulation) -> None:
    """Lets an apply do what time has brought; the next one must find nothing to do."""
    await _must(simulation, "apply", {"intent": "what is due"})
    before = {k: v for k, v in simulation.objects.items() if k.startswith("__cluster/ledger/")}
    await _must(simulation, "apply", {"intent": "nothing is left"})
    after = {k: v for k, v in simulation.objects.items() if k.startswith("__cluster/ledger/")}
    if before != after:
        msg = "an apply wrote to the ledger though the one before it had done all"
        raise Bug(msg)


async def _thawed(simulation: Simulation) -> None:
    """Ends what somebody froze."""
    host, sarah, signer = simulation.hosts[0], operator("sarah"), key_of("sarah")
    listed = await simulation.command(host, sarah, "freezes", {})
    assert listed is not None
    for held in listed.data.freezes:  # type: ignore[attr-defined]
        arguments = {"freeze": held.id, "reason": "all is quiet", "confirmation": held.scope}
        ended = await simulation.command(host, sarah, "thaw", arguments, signer)
        if ended is None or not ended.ok:
            msg = f"a freeze cannot be ended: {ended!r}"
            raise Bug(msg)


async def _must(simulation: Simulation, operation: str, arguments: dict[str, object]) -> None:
    """Runs what must succeed, because nothing is in its way any more."""
    host = simulation.hosts[0]
    done = await simulation.command(host, operator("sarah"), operation, arguments)
    if done is None or not done.ok:
        msg = f"{operation} did not succeed though nothing was in its way: {done!r}"
        raise Bug(msg)
