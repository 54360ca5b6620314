"""Freezing stops every commit at once; only an enrolled human thaws. Source: control-plane 3.2."""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from agentctl.domain.ledger.envelope import Freeze
from agentctl.domain.ledger.freezes import (
    CONSENT_NAMESPACE,
    FREEZE_KEY,
    FreezeFile,
    FreezeRecord,
    FreezeResult,
    ThawRecord,
    covers,
    encode,
    in_force,
    record_key,
    thaw_bytes,
    thaw_key,
)
from agentctl.engine import freeze_ops
from agentctl.engine.apply import apply
from agentctl.engine.bracket import LEASELESS_LIFE
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import graph_list, load
from agentctl.engine.freezing import CACHE_S, FrozenError
from agentctl.engine.leases import CLUSTER
from agentctl.engine.planning import make_plan
from agentctl.engine.refresh import refresh
from agentctl.engine.status import status
from agentctl.instants import format_instant
from agentctl.testing.builders import (
    QUERY,
    ROWS,
    SCHEMA,
    WIDER_SCHEMA,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.clock import START
from agentctl.testing.consent import caller, key_of
from agentctl.testing.crash import Crash
from agentctl_tools.door import call

WHY = "wrong rows are coming in"


async def frozen(bench: Bench, cluster: Cluster, scope: str = "cluster") -> Freeze:
    made = await freeze_ops.freeze(cluster, bench.agent, scope, WHY)
    assert made.ok, made.diagnostics
    assert made.freeze is not None
    return made.freeze


async def thawed(cluster: Cluster, freeze: Freeze, *, by: str = "sarah") -> None:
    ended = await freeze_ops.thaw(cluster, caller(by), freeze.id, "mended", signer=key_of(by))
    assert ended.ok, ended.diagnostics


async def applied(tmp_path: Path) -> tuple[Bench, Cluster]:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply", "parts"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    return bench, cluster


async def kinds(cluster: Cluster) -> list[str]:
    return [head.envelope.kind for head in await cluster.ledger.history()]


async def test_an_agent_freezes_and_then_nothing_is_committed_by_anyone(tmp_path: Path) -> None:
    bench, cluster = await applied(tmp_path)
    await frozen(bench, cluster)
    before = await cluster.ledger.head()

    for doing in (
        apply(cluster, bench.sarah, wanting()),
        refresh(cluster, bench.sarah, "look"),
        load(
            cluster,
            bench.sarah,
            "supply",
            ROWS.splitlines(keepends=True),
            mode="append",
            intent="rows",
        ),
    ):
        with pytest.raises(FrozenError) as refused:
            await doing
        assert refused.value.diagnostic.code == "frozen"
        assert WHY in refused.value.diagnostic.message

    assert await cluster.ledger.head() == before
    assert await cluster.leases.locks() == ()


async def test_a_freeze_and_its_thaw_are_revisions_that_leave_the_state_alone(
    tmp_path: Path,
) -> None:
    bench, cluster = await applied(tmp_path)
    before = await cluster.ledger.head()
    freeze = await frozen(bench, cluster)
    during = await cluster.ledger.head()
    await thawed(cluster, freeze)
    after = await cluster.ledger.head()

    assert before is not None
    assert during is not None
    assert after is not None
    assert (await kinds(cluster))[:2] == ["thaw", "freeze"]
    assert [f.id for f in during.envelope.freezes] == [freeze.id]
    assert after.envelope.freezes == ()
    assert before.state_cas == during.state_cas == after.state_cas
    assert (await apply(cluster, bench.sarah, wanting())).ok


async def test_a_freeze_and_a_thaw_are_ops_that_end(tmp_path: Path) -> None:
    bench, cluster = await applied(tmp_path)
    await thawed(cluster, await frozen(bench, cluster))

    thaw, freeze = await cluster.journal.list(limit=2)

    assert [(o.action, o.status, o.actor.identity) for o in (freeze, thaw)] == [
        ("freeze", "success", "agent:sarah"),
        ("thaw", "success", "sarah"),
    ]


async def test_a_frozen_graph_stands_still_and_the_others_go_on(tmp_path: Path) -> None:
    bench, cluster = await applied(tmp_path)
    await frozen(bench, cluster, "graph.supply")
    bench.write({"supply.pg": WIDER_SCHEMA, "parts.pg": WIDER_SCHEMA})

    result = await apply(await bench.open(), bench.sarah, wanting())

    dispositions = {str(c.resource): (c.disposition, c.reason) for c in result.changes}
    assert dispositions["schema.supply"] == ("blocked", "frozen")
    assert dispositions["schema.parts"] == ("applied", None)
    assert [d.code for d in result.diagnostics if d.severity == "error"] == ["frozen"]
    with pytest.raises(FrozenError):
        await load(
            cluster,
            bench.sarah,
            "supply",
            ROWS.splitlines(keepends=True),
            mode="append",
            intent="rows",
        )
    report, _ = await load(
        cluster, bench.sarah, "parts", ROWS.splitlines(keepends=True), mode="append", intent="rows"
    )
    assert report.commit is not None


async def test_a_graph_that_is_not_there_cannot_be_frozen_and_the_caller_is_told(
    tmp_path: Path,
) -> None:
    bench, cluster = await applied(tmp_path)

    result = await freeze_ops.freeze(cluster, bench.agent, "graph.suply", WHY)

    assert [d.code for d in result.diagnostics] == ["graph_not_found"]
    assert await freeze_ops.freezes(cluster, bench.sarah) == ()


async def test_a_freeze_holds_against_a_command_that_has_the_lease_and_the_next_one_records_it(
    tmp_path: Path,
) -> None:
    bench, cluster = await applied(tmp_path)
    other = await bench.open()
    async with cluster.leases.hold(CLUSTER, principal="sarah", operation="apply"):
        bench.world.living.add(cluster.world.pid)
        made = await _while_time_passes(bench, other)
        cluster.world.advance(CACHE_S)  # type: ignore[attr-defined]  # a still world
        with pytest.raises(FrozenError):
            await cluster.freezes.require_thawed("graph.supply")
    assert made.ok
    assert [d.code for d in made.diagnostics] == ["freeze_not_recorded"]
    assert made.seq is None

    with pytest.raises(FrozenError):
        await apply(await bench.open(), bench.sarah, wanting())

    assert (await kinds(cluster))[0] == "freeze"


async def _while_time_passes(bench: Bench, cluster: Cluster) -> FreezeResult:
    import anyio

    made: list[FreezeResult] = []

    async def freeze() -> None:
        made.append(await freeze_ops.freeze(cluster, bench.agent, "cluster", WHY))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(freeze)
            while not made:
                await anyio.wait_all_tasks_blocked()
                bench.world.advance(0.5)
    return made[0]


async def test_two_who_freeze_at_once_both_do(tmp_path: Path) -> None:
    bench, cluster = await applied(tmp_path)
    other = await bench.open()
    first = await frozen(bench, cluster)
    second = await frozen(bench, other)
    await thawed(cluster, first)

    with pytest.raises(FrozenError) as refused:
        await apply(await bench.open(), bench.sarah, wanting())

    assert second.id in (refused.value.diagnostic.remedy or "")


@pytest.mark.parametrize("lost", ["record", "copy", "both"])
async def test_losing_a_record_of_a_freeze_thaws_nothing(tmp_path: Path, lost: str) -> None:
    bench, cluster = await applied(tmp_path)
    freeze = await frozen(bench, cluster)
    if lost in {"record", "both"}:
        del bench.objects[record_key(freeze.id)]
    if lost in {"copy", "both"}:
        del bench.objects[FREEZE_KEY]

    with pytest.raises(FrozenError):
        await apply(await bench.open(), bench.sarah, wanting())
    with pytest.raises(FrozenError):
        await load(
            await bench.open(),
            bench.sarah,
            "supply",
            ROWS.splitlines(keepends=True),
            mode="append",
            intent="rows",
        )


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b'{"version": 9, "freezes": []}'])
async def test_a_freeze_file_that_cannot_be_read_freezes_and_can_be_thawed(
    tmp_path: Path, damage: bytes
) -> None:
    bench, _ = await applied(tmp_path)
    bench.objects[FREEZE_KEY] = damage
    cluster = await bench.open()

    with pytest.raises(FrozenError):
        await apply(cluster, bench.sarah, wanting())
    (held,) = await freeze_ops.freezes(cluster, bench.sarah)
    await thawed(cluster, held)

    assert (await apply(cluster, bench.sarah, wanting())).ok
    assert FREEZE_KEY not in bench.objects


async def test_a_freeze_that_only_the_ledger_remembers_stops_what_moves_graphs(
    tmp_path: Path,
) -> None:
    bench, cluster = await applied(tmp_path)
    freeze = await frozen(bench, cluster, "graph.supply")
    for key in (FREEZE_KEY, record_key(freeze.id)):
        del bench.objects[key]
    other = await bench.open()
    await other.ledger.head()

    with pytest.raises(FrozenError):
        await other.freezes.require_thawed("graph.supply")
    await other.freezes.require_thawed("graph.parts")
    await thawed(other, freeze)
    await other.freezes.require_thawed("graph.supply")


async def test_a_damaged_record_still_freezes_under_its_own_id(tmp_path: Path) -> None:
    bench, cluster = await applied(tmp_path)
    freeze = await frozen(bench, cluster)
    bench.objects[record_key(freeze.id)] = b"damaged"
    later = await bench.open()

    (held,) = await freeze_ops.freezes(later, bench.sarah)
    await thawed(later, held)

    assert held.id == freeze.id
    assert await freeze_ops.freezes(await bench.open(), bench.sarah) == ()


async def test_what_a_person_writes_into_the_freeze_file_by_hand_freezes_too(
    tmp_path: Path,
) -> None:
    bench, _ = await applied(tmp_path)
    by_hand = Freeze(
        id="by-hand", scope="cluster", since=format_instant(START), reason="stop", by="sarah"
    )
    bench.objects[FREEZE_KEY] = encode(FreezeFile(freezes=(by_hand,)))
    cluster = await bench.open()

    with pytest.raises(FrozenError):
        await apply(cluster, bench.sarah, wanting())
    await thawed(cluster, by_hand)

    assert (await apply(cluster, bench.sarah, wanting())).ok


async def test_a_freeze_with_an_end_lifts_itself(tmp_path: Path) -> None:
    bench, cluster = await applied(tmp_path)
    until = format_instant(cluster.world.now() + timedelta(hours=2))
    made = await freeze_ops.freeze(cluster, bench.agent, "cluster", WHY, until=until)
    assert made.ok
    later = await bench.open()
    with pytest.raises(FrozenError):
        await apply(later, bench.sarah, wanting())

    bench.world.advance(7201)

    assert (await apply(later, bench.sarah, wanting())).ok
    head = await later.ledger.head()
    assert head is not None
    assert head.envelope.freezes == ()


async def test_nobody_but_an_enrolled_human_with_their_own_key_thaws(tmp_path: Path) -> None:
    bench, cluster = await applied(tmp_path)
    freeze = await frozen(bench, cluster)

    for who, key in ((bench.agent, "agent"), (caller("sarah"), "mallory"), (caller("tom"), "tom")):
        refused = await freeze_ops.thaw(cluster, who, freeze.id, "please", signer=key_of(key))
        assert [d.code for d in refused.diagnostics] == ["human_only"]

    assert len(await freeze_ops.freezes(cluster, bench.sarah)) == 1


Forge = Callable[[], bytes]
FORGERIES = [
    "other key",
    "other cluster",
    "other freeze",
    "other namespace",
    "altered reason",
    "of a revoked human",
    "of an agent",
    "no thaw at all",
]


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_thaw_is_obeyed_by_nobody_and_told(tmp_path: Path, forgery: str) -> None:
    bench, cluster = await applied(tmp_path)
    freeze = await frozen(bench, cluster)
    good = await _good_thaw(bench, cluster, freeze)
    if forgery == "of a revoked human":
        await cluster.principals.revoke(
            principal_id="sarah", reason="lost", by="sarah", signer=key_of("sarah")
        )
    bench.objects[thaw_key(freeze.id)] = _forged(good, forgery)
    later = await bench.open()

    with pytest.raises(FrozenError):
        await apply(later, bench.sarah, wanting())
    assert [d.code for d in await later.freezes.remarks()] == ["invalid_freeze_record"]


async def _good_thaw(bench: Bench, cluster: Cluster, freeze: Freeze) -> ThawRecord:
    """The thaw that sarah would have signed; the freeze is as if it had never been thawed."""
    kept = dict(bench.objects)
    await thawed(cluster, freeze)
    record = msgspec.json.decode(bench.objects[thaw_key(freeze.id)], type=ThawRecord)
    bench.objects.clear()
    bench.objects.update(kept)
    return record


def _forged(good: ThawRecord, forgery: str) -> bytes:
    def signed(signer: str, namespace: str = CONSENT_NAMESPACE, **fields: object) -> bytes:
        statement = msgspec.structs.replace(good.statement, **fields)
        key, signature = key_of(signer).sign(thaw_bytes(statement), namespace)
        return encode(ThawRecord(op=None, statement=statement, key=key, signature=signature))

    altered = msgspec.structs.replace(good.statement, reason="another")
    made: dict[str, Forge] = {
        "other key": lambda: signed("mallory"),
        "other cluster": lambda: signed("sarah", cluster_id="0" * 64),
        "other freeze": lambda: signed("sarah", freeze="another"),
        "other namespace": lambda: signed("sarah", "agentctl-gate-v1"),
        "altered reason": lambda: encode(msgspec.structs.replace(good, statement=altered)),
        "of a revoked human": lambda: encode(good),
        "of an agent": lambda: signed("agent", by="agent:sarah"),
        "no thaw at all": lambda: b"{}",
    }
    return made[forgery]()


async def test_a_thaw_outlives_the_key_that_signed_it_once_it_is_recorded(tmp_path: Path) -> None:
    bench, cluster = await applied(tmp_path)
    await thawed(cluster, await frozen(bench, cluster))
    await cluster.principals.revoke(
        principal_id="sarah", reason="lost", by="sarah", signer=key_of("sarah")
    )

    assert (await apply(await bench.open(), bench.sarah, wanting())).ok


def test_a_frozen_cluster_covers_everything_and_a_frozen_graph_itself() -> None:
    def freeze(scope: str) -> Freeze:
        return Freeze(id="f", scope=scope, since="", reason="", by="")

    scopes = ("cluster", "graph.a", "graph.a@main", "graph.ab", "graph.b@main")

    assert [covers(freeze("cluster"), s) for s in scopes] == [True] * 5
    assert [covers(freeze("graph.a"), s) for s in scopes] == [False, True, True, False, False]


def test_a_freeze_that_stands_in_two_places_is_one() -> None:
    one = Freeze(id="f", scope="cluster", since="", reason="", by="")

    assert in_force((one, one), thawed=frozenset(), now=START) == (one,)
    assert in_force((one, one), thawed=frozenset({"f"}), now=START) == ()


async def test_the_freeze_verb_says_what_holds_and_refuses_an_end_in_the_past(
    tmp_path: Path,
) -> None:
    bench, cluster = await applied(tmp_path)

    past = await call(
        cluster,
        bench.sarah,
        "freeze",
        {"intent": WHY, "until": format_instant(START - timedelta(days=1))},
    )
    garbled = await call(cluster, bench.sarah, "freeze", {"intent": WHY, "until": "soon"})
    made = await call(cluster, bench.sarah, "freeze", {"intent": WHY, "until": "2h"})
    listed = await call(cluster, bench.sarah, "freezes", {})

    assert [d.code for e in (past, garbled) for d in e.diagnostics] == ["invalid_arguments"] * 2
    assert made.ok
    assert listed.summary == "1 freeze in force."


async def test_the_thaw_verb_asks_for_the_name_of_what_is_frozen(tmp_path: Path) -> None:
    bench, cluster = await applied(tmp_path)
    freeze = await frozen(bench, cluster)
    arguments = {"freeze": freeze.id, "reason": "mended"}
    sarah = caller("sarah", at_terminal=True)

    for typed in (None, "", "yes"):
        refused = await call(
            cluster, sarah, "thaw", arguments | {"confirmation": typed}, signer=key_of("sarah")
        )
        assert [d.code for d in refused.diagnostics] == ["confirmation_mismatch"]
    confirmed = arguments | {"confirmation": "cluster"}
    unsigned = await call(cluster, sarah, "thaw", confirmed)
    done = await call(cluster, sarah, "thaw", confirmed, signer=key_of("sarah"))
    again = await call(cluster, sarah, "thaw", confirmed, signer=key_of("sarah"))

    assert [d.code for d in unsigned.diagnostics] == ["human_key_missing"]
    assert done.summary == "Thawed."
    assert [d.code for d in again.diagnostics] == ["freeze_not_found"]


async def test_a_freeze_that_comes_while_rows_come_in_stops_them(tmp_path: Path) -> None:
    bench, cluster = await applied(tmp_path)
    before = await cluster.graphs.history("supply")
    other = await bench.open()

    async def rows() -> AsyncIterator[bytes]:
        for line in ROWS.splitlines(keepends=True):
            yield line
        await frozen(bench, other, "graph.supply")
        cluster.world.advance(CACHE_S)  # type: ignore[attr-defined]  # a still world

    with pytest.raises(FrozenError):
        await load(cluster, bench.sarah, "supply", rows(), mode="append", intent="rows")

    assert await cluster.graphs.history("supply") == before
    assert {o.status for o in await other.journal.list() if o.action == "load"} == {"failed"}


async def test_status_and_plan_say_what_is_frozen(tmp_path: Path) -> None:
    bench, cluster = await applied(tmp_path)
    await frozen(bench, cluster)

    seen = await status(cluster, bench.sarah)
    planned = await make_plan(cluster, bench.sarah)

    for diagnostics in (seen.diagnostics, planned.result.diagnostics):
        assert [(d.code, d.severity) for d in diagnostics] == [("frozen", "warning")]


async def test_a_frozen_graph_is_not_purged(tmp_path: Path) -> None:
    bench, cluster = await applied(tmp_path)
    bench.write({"cluster.yaml": cluster_yaml("supply"), "parts.pg": None, "parts.gq": None})
    await decide(cluster, await ask(cluster, bench.agent, "graph.parts"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    held = Freeze(id="parts", scope="graph.parts", since="", reason=WHY, by="sarah")
    bench.objects[record_key("parts")] = encode(FreezeRecord(op=None, freeze=held))
    bench.world.advance(8 * 86_400)

    frozen_still = await refresh(await bench.open(), bench.sarah, "look")
    later = await bench.open()
    await thawed(later, held)
    gone = await refresh(later, bench.sarah, "look")

    assert [d.code for d in frozen_still.diagnostics] == ["frozen"]
    assert gone.ok
    live = {g.id: g.presence for g in await graph_list(later, bench.sarah)}
    assert live["parts"] == "purged"


async def test_every_crash_of_a_freeze_or_a_thaw_leaves_it_frozen_or_not(tmp_path: Path) -> None:
    """Whatever write it died behind: the next command sees one of the two, and goes on."""
    died = 0
    for verb in ("freeze", "thaw"):
        for at in range(1, 40):
            path = tmp_path / f"{verb}{at}"
            path.mkdir()
            bench, cluster = await applied(path)
            freeze = await frozen(bench, cluster) if verb == "thaw" else None
            dying, store = await bench.crashing(at, "after")
            with suppress(Crash):
                await (thawed(dying, freeze) if freeze is not None else frozen(bench, dying))
            holds = await freeze_ops.freezes(await bench.open(), bench.sarah)
            for again in holds:
                await thawed(await bench.open(), again)
            bench.world.advance(LEASELESS_LIFE.total_seconds())
            fresh = await bench.open()
            assert (await apply(fresh, bench.sarah, wanting())).ok, (verb, at)
            assert await fresh.ledger.verify() == ()
            assert not await fresh.journal.unfinished()
            head = await fresh.ledger.head()
            assert head is not None
            assert head.envelope.freezes == ()
            if not store.crashed:
                break
            died += 1

    assert died > 15


async def test_a_frozen_graph_does_not_escape_by_another_name(tmp_path: Path) -> None:
    bench, cluster = await applied(tmp_path)
    freeze = await frozen(bench, cluster, "graph.supply")
    moved = "moved:\n  - {from: graph.supply, to: graph.stock}\n"
    files = {"stock.pg": SCHEMA, "stock.gq": QUERY, "supply.pg": None, "supply.gq": None}
    bench.write({"cluster.yaml": cluster_yaml("stock", "parts") + moved, **files})

    held = await apply(await bench.open(), bench.sarah, wanting())
    assert "graph.supply" in (await recorded(cluster)).applied_revision.resources
    assert [d.code for d in held.diagnostics if d.severity == "error"] == ["frozen"]

    await thawed(cluster, freeze)
    await apply(await bench.open(), bench.sarah, wanting())
    assert "graph.stock" in (await recorded(cluster)).applied_revision.resources
