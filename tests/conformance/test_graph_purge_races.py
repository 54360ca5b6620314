"""Of a purge and a restore exactly one is ever done, wherever either was suspended. Source: control-plane 3.5; ADR 13."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.adapters.backends.memory import MemoryStore
from agentctl.adapters.backends.s3 import S3Store
from agentctl.adapters.backends.s3_settings import S3Root
from agentctl.canonical import sha256_hex
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.port import GraphError, GraphPort, ReadSetConflictError, SchemaPayload, Stamp
from agentctl.ids import ulid
from agentctl.languages.query.plan import Binding, CheckedQuery, EntityRef, Output, Pattern
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import evolve_ir
from agentctl.testing.crash import NEVER, Crash, CrashingStore, How, LostResponseStore
from agentctl.testing.graphs import MemoryGraphs, MemoryRoots
from agentctl.testing.sampling import LONG
from agentctl.testing.suspended import Meanwhile, SuspendedStore

SCHEMA = "node Person { slug: String @key }\nnode Note { text: String }\n"
PEOPLE = [b'{"type":"Person","data":{"slug":"ann"}}', b'{"type":"Person","data":{"slug":"bob"}}']
INCARNATION, LATER = ulid(1, bytes(10)), ulid(2, bytes(10))
ENOUGH = 10_000


class Ground:
    """A storage that outlives its ports; *store* is None for graphs in memory."""

    def __init__(self, store: ObjectStore | None) -> None:
        self.store = store
        self.roots = MemoryRoots()

    def port(self, at: int = NEVER, how: How = "before") -> GraphPort:
        """A process that may die at a write."""
        store = CrashingStore(self.store or MemoryStore(), at, how)
        if self.store is None:
            return MemoryGraphs(self.roots, before_table_write=store.before_table_write)
        return LanceGraphs(store, before_table_write=store.before_table_write)

    def suspended(self, at: int, meanwhile: Meanwhile) -> tuple[GraphPort, SuspendedStore]:
        """A process that stands still before its call *at*, while something else happens."""
        store = SuspendedStore(self.store or MemoryStore(), at, meanwhile)
        if self.store is None:
            return MemoryGraphs(self.roots, before_table_write=store.at_once), store
        return LanceGraphs(store, before_table_write=store.in_thread), store

    def behind(self, store: Callable[[ObjectStore], ObjectStore]) -> GraphPort:
        """A process whose storage is wrapped."""
        if self.store is None:
            pytest.skip("graphs in memory have no storage that could not answer")
        return LanceGraphs(store(self.store))


MakeGround = Callable[[], Ground]


STORES = ("lance", *(["lance on S3"] if LONG else []))
"""Of an object store each of many races takes a second."""


@pytest.fixture(params=["memory", *(pytest.param(w, marks=pytest.mark.slow) for w in STORES)])
async def make_ground(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MakeGround]:
    numbers = itertools.count()
    stores: list[ObjectStore] = []

    def make() -> Ground:
        if request.param == "memory":
            return Ground(None)
        name = str(next(numbers))
        stores.append(
            _on_s3(request, name) if "S3" in request.param else LocalStore(tmp_path / name)
        )
        return Ground(stores[-1])

    yield make
    for store in stores:
        await store.aclose()


def _on_s3(request: pytest.FixtureRequest, name: str) -> ObjectStore:
    root = request.getfixturevalue("seaweed_root")
    assert isinstance(root, S3Root)
    return S3Store(S3Root(bucket=root.bucket, prefix=f"{root.prefix}{name}/"))


def stamp(number: int) -> Stamp:
    return Stamp(
        op=f"abc:{number}",
        actor="sarah",
        on_behalf_of=None,
        intent="a test wants it",
        epoch=1,
        nonce=f"{number:032x}",
        at=f"2026-11-21T03:30:00.{number:03d}Z",
    )


def payload() -> SchemaPayload:
    compiled = compile_schema(SCHEMA.encode(), file="test.pg")
    assert compiled.catalog is not None
    assert compiled.shape_digest is not None
    numbers = itertools.count(1)
    return SchemaPayload(
        source=SCHEMA.encode(),
        source_digest=sha256_hex(SCHEMA.encode()),
        shape_digest=compiled.shape_digest,
        ir=evolve_ir(None, compiled.catalog, lambda: ulid(5, next(numbers).to_bytes(10))),
    )


async def detached(ground: Ground) -> None:
    """A graph of two people whose tombstone is commit 3."""
    graphs = ground.port()
    await graphs.create("g", schema=payload(), incarnation=INCARNATION, stamp=stamp(1))
    await graphs.load("g", PEOPLE, mode="append", stamp=stamp(2))
    await graphs.detach("g", observed=2, stamp=stamp(3))


async def purge(graphs: GraphPort, number: int = 20) -> None:
    await graphs.purge("g", incarnation=INCARNATION, observed=3, stamp=stamp(number))


async def restore(graphs: GraphPort, number: int = 30) -> int:
    return await graphs.restore("g", incarnation=INCARNATION, stamp=stamp(number))


async def people(graphs: GraphPort) -> list[object]:
    query = CheckedQuery(
        name="all",
        params=(),
        pattern=Pattern(bindings=(Binding(var="x", type_name="Person"),)),
        outputs=(Output(name="x", value=EntityRef(var="x"), type=None),),
    )
    rows = (await graphs.run("g", query, {})).rows
    return [row["x"]["slug"] for row in rows]  # type: ignore[index]  # entities are objects


async def kinds(graphs: GraphPort) -> list[str]:
    return [commit.kind for commit in reversed(await graphs.history("g"))][3:]


async def said(act: Awaitable[object]) -> GraphError | None:
    """Returns why it was not done, or None."""
    try:
        await act
    except GraphError as refused:
        return refused
    return None


async def test_a_purger_suspended_anywhere_destroys_nothing_that_was_restored(
    make_ground: MakeGround,
) -> None:
    """At each thing that a purge does: the graph is restored meanwhile, or it is told why not."""
    outcomes: list[list[str]] = []
    for at in range(1, ENOUGH):
        ground = make_ground()
        await detached(ground)
        refused: list[GraphError | None] = []

        async def meanwhile(
            ground: Ground = ground, refused: list[GraphError | None] = refused
        ) -> None:
            refused.append(await said(restore(ground.port())))

        purger, suspended = ground.suspended(at, meanwhile)
        late = await said(purge(purger))
        if not refused:
            break
        graphs = ground.port()
        outcomes.append(await kinds(graphs))
        if outcomes[-1] == ["restore"]:
            assert refused == [None], at
            assert late is not None, at
            assert late.diagnostic.code == "graph_not_detached", at
            assert "nothing of it was removed" in late.diagnostic.message
            assert "main:4 (restore) of sarah, op abc:30" in (late.diagnostic.detail or "")
            assert await people(graphs) == ["ann", "bob"], at
        else:
            assert outcomes[-1] == ["purge"], at
            assert late is None, at
            assert refused[0] is not None, at
            assert refused[0].diagnostic.code == "graph_restore_refused", at
            assert "main:4 (purge) of sarah, op abc:20" in refused[0].diagnostic.message
            assert (await graphs.observe("g")).presence == "purged", at
        assert suspended.calls >= at
    assert ["restore"] in outcomes
    assert ["purge"] in outcomes


async def test_a_restorer_suspended_anywhere_brings_back_all_or_says_that_it_came_too_late(
    make_ground: MakeGround,
) -> None:
    outcomes: list[list[str]] = []
    for at in range(1, ENOUGH):
        ground = make_ground()
        await detached(ground)
        purged: list[GraphError | None] = []

        async def meanwhile(
            ground: Ground = ground, purged: list[GraphError | None] = purged
        ) -> None:
            purged.append(await said(purge(ground.port())))

        restorer, _ = ground.suspended(at, meanwhile)
        late = await said(restore(restorer))
        if not purged:
            break
        graphs = ground.port()
        outcomes.append(await kinds(graphs))
        if outcomes[-1] == ["restore"]:
            assert late is None, at
            assert await people(graphs) == ["ann", "bob"], at
        else:
            assert outcomes[-1] == ["purge"], at
            assert purged == [None], at
            assert late is not None, at
            assert late.diagnostic.code == "graph_restore_refused", at
            assert (await graphs.observe("g")).presence == "purged", at
    assert ["purge"] in outcomes


async def test_a_purger_paused_for_days_has_no_say_over_a_later_tombstone(
    make_ground: MakeGround,
) -> None:
    """The graph came back and was deleted again: it is kept until its own time."""
    ground = make_ground()
    await detached(ground)

    async def meanwhile() -> None:
        graphs = ground.port()
        await restore(graphs)
        await graphs.detach("g", observed=4, stamp=stamp(32))

    purger, _ = ground.suspended(1, meanwhile)
    with pytest.raises(ReadSetConflictError) as late:
        await purge(purger)

    graphs = ground.port()
    assert "expected main:3, found main:5 (tombstone)" in late.value.diagnostic.message
    assert await restore(graphs, 33) == 6
    assert await people(graphs) == ["ann", "bob"]


async def test_after_the_claim_a_crash_leaves_a_purge_that_goes_on_and_no_way_back(
    make_ground: MakeGround,
) -> None:
    ground = make_ground()
    await detached(ground)
    with pytest.raises(Crash):
        await purge(ground.port(2))  # The claim is write 1; nothing is removed yet.
    graphs = ground.port()

    seen = await graphs.observe("g")
    refused = await said(restore(graphs))
    load = await said(graphs.load("g", PEOPLE, mode="append", stamp=stamp(31)))
    pin = await said(graphs.pin("g", 2, stamp=stamp(32)))
    await purge(graphs, 21)
    done = await graphs.observe("g")

    assert (seen.presence, seen.commit, seen.partly_purged) == ("detached", 4, True)
    assert seen.purge_since == stamp(20).at
    assert seen.rows == {"Person": 2, "Note": 0}
    assert refused is not None
    assert refused.diagnostic.message == (
        "The graph 'g' cannot be restored: its purge was decided by commit main:4 (purge) of sarah,"
        " op abc:20, at 2026-11-21T03:30:00.020Z."
    )
    assert load is not None
    assert load.diagnostic.code == "graph_detached"
    assert "its purge was decided by" in load.diagnostic.message
    assert "graph restore" not in (load.diagnostic.remedy or ""), "it would be refused"
    assert pin is not None
    assert pin.diagnostic.code == "graph_revert_refused"
    assert await kinds(graphs) == ["purge"]
    assert (done.presence, done.partly_purged, done.bytes) == ("purged", False, 0)


async def test_a_crash_before_the_claim_leaves_a_graph_that_can_be_restored(
    make_ground: MakeGround,
) -> None:
    ground = make_ground()
    await detached(ground)
    with pytest.raises(Crash):
        await purge(ground.port(1))
    graphs = ground.port()

    seen = await graphs.observe("g")

    assert (seen.presence, seen.partly_purged, seen.purge_since) == ("detached", False, None)
    assert await restore(graphs) == 4
    assert await people(graphs) == ["ann", "bob"]


async def test_a_claim_whose_response_is_lost_is_known_again_by_its_nonce(
    make_ground: MakeGround,
) -> None:
    ground = make_ground()
    await detached(ground)
    lost: list[LostResponseStore] = []

    def wrap(store: ObjectStore) -> ObjectStore:
        lost.append(LostResponseStore(store, lambda op, key: op == "create" and "/commits/" in key))
        return lost[0]

    await purge(ground.behind(wrap))

    assert [key.rpartition("/")[2] for key in lost[0].lost] == [f"{4:020d}.json"]
    assert await kinds(ground.port()) == ["purge"]
    assert (await ground.port().observe("g")).presence == "purged"


async def test_of_two_purgers_one_decides_and_both_go_on(make_ground: MakeGround) -> None:
    for at in range(1, ENOUGH):
        ground = make_ground()
        await detached(ground)
        ran: list[int] = []

        async def meanwhile(ground: Ground = ground, ran: list[int] = ran) -> None:
            ran.append(1)
            await purge(ground.port(), 21)

        first, _ = ground.suspended(at, meanwhile)
        await purge(first)
        if not ran:
            break
        assert await kinds(ground.port()) == ["purge"], at
        assert (await ground.port().observe("g")).presence == "purged", at


async def test_a_new_graph_over_a_claim_is_not_touched_by_the_removal_that_goes_on(
    make_ground: MakeGround,
) -> None:
    ground = make_ground()
    await detached(ground)
    with pytest.raises(Crash):
        await purge(ground.port(2))
    graphs = ground.port()

    number = await graphs.create("g", schema=payload(), incarnation=LATER, stamp=stamp(40))
    await graphs.load("g", PEOPLE[:1], mode="append", stamp=stamp(41))
    await purge(graphs, 21)

    assert number == 5
    assert await people(graphs) == ["ann"]
    assert await kinds(graphs) == ["purge", "create", "write"]


async def test_a_purge_bears_the_epoch_of_its_tombstone(make_ground: MakeGround) -> None:
    """It holds no lease of the graph; its number decides, and later epochs are not barred by it."""
    ground = make_ground()
    await detached(ground)
    graphs = ground.port()

    await graphs.purge("g", incarnation=INCARNATION, observed=3, stamp=_of_epoch(99))
    made = await said(graphs.create("g", schema=payload(), incarnation=LATER, stamp=stamp(40)))

    assert made is None


async def test_a_purge_that_broke_off_before_there_were_claims_goes_on(
    make_ground: MakeGround,
) -> None:
    """What an older release left: a tombstone on top, and some of the data gone."""
    ground = make_ground()
    await detached(ground)
    await _partly_removed(ground)
    graphs = ground.port()

    seen = await graphs.observe("g")
    refused = await said(restore(graphs))
    await purge(graphs)

    assert (seen.presence, seen.partly_purged, seen.purge_since) == ("detached", True, None)
    assert refused is not None
    assert refused.diagnostic.code == "graph_restore_refused"
    assert (await graphs.observe("g")).presence == "purged"


async def _partly_removed(ground: Ground) -> None:
    if ground.store is None:
        ground.roots.by_id["g"].purging.add(INCARNATION)
        return
    keys = await ground.store.list(f"graphs/g.omni/data/{INCARNATION}/")
    versions = [key for key in keys if "/_versions/" in key]
    dataset = versions[0].split("/_versions/")[0]
    for key in versions:
        if key.startswith(dataset):
            await ground.store.delete(key)
    if isinstance(ground.store, LocalStore):
        uri = ground.store.uri.removeprefix("file://")
        (Path(uri) / dataset / "_versions").rmdir()


def _of_epoch(epoch: int) -> Stamp:
    return Stamp(
        op="abc:20",
        actor="sarah",
        on_behalf_of=None,
        intent="a test wants it",
        epoch=epoch,
        nonce=f"{20:032x}",
        at="2026-11-21T03:30:00.020Z",
    )
