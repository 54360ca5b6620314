"""What is damaged, edited or of another version: told clearly, nothing lost. Source: control-plane 1.8, 3.2."""

from pathlib import Path

import msgspec
import pytest

from agentctl.domain.ledger.codec import STATE_KEY, ledger_key
from agentctl.domain.storage.lease import beat_key, lease_key
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.leases import CLUSTER, StateLockHeldError
from agentctl.engine.ledger import LedgerUnreadableError
from agentctl.engine.refresh import refresh
from agentctl.engine.status import locks, status
from agentctl.testing.builders import Bench, folder_files, wanting


async def applied(tmp_path: Path) -> tuple[Bench, Cluster]:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    return bench, cluster


def recorded(bench: Bench) -> dict[str, bytes]:
    aside = ("__cluster/leases/", "ops/", "__cluster/lock")
    return {k: v for k, v in bench.objects.items() if not k.startswith(aside)}


@pytest.mark.parametrize("damage", ["edited", "truncated", "missing", "older", "garbage"])
async def test_a_state_json_that_is_not_the_ledgers_is_told_and_written_anew_by_any_writer(
    tmp_path: Path, damage: str
) -> None:
    bench, cluster = await applied(tmp_path)
    right = bench.objects[STATE_KEY]
    first = await cluster.ledger.at(1)
    assert first is not None
    wrong = {
        "edited": right.replace(b"applied", b"drifted"),
        "truncated": right[:100],
        "older": first.state_text,
        "garbage": b"\x00\xff",
    }
    if damage == "missing":
        del bench.objects[STATE_KEY]
    else:
        bench.objects[STATE_KEY] = wrong[damage]
    later = await bench.open()

    seen = await status(later, bench.sarah)
    result = await apply(later, bench.sarah, wanting())

    assert [(d.code, d.severity) for d in seen.diagnostics] == [("state_cas_mismatch", "warning")]
    assert [(d.code, d.severity) for d in result.diagnostics] == [("state_cas_mismatch", "note")]
    assert (result.ok, result.converged, result.state_written) == (True, True, False)
    assert bench.objects[STATE_KEY] == right
    assert (await status(later, bench.sarah)).diagnostics == ()


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ("cut short", "invalid_state_json"),
        ("empty", "invalid_state_json"),
        ("unknown field", "invalid_state_json"),
        ("another number", "ledger_chain_broken"),
        ("another predecessor", "ledger_chain_broken"),
        ("lower epoch", "ledger_chain_broken"),
        ("of the future", "unsupported_state_version"),
        ("needs a newer reader", "unsupported_state_version"),
    ],
)
async def test_a_ledger_object_that_cannot_be_trusted_stops_every_writer_and_is_left_as_it_is(
    tmp_path: Path, damage: str, code: str
) -> None:
    bench, cluster = await applied(tmp_path)
    head = await cluster.ledger.head()
    assert head is not None
    key = ledger_key(head.seq)
    data = bench.objects[key]
    altered: dict[str, dict[str, object]] = {
        "unknown field": {"surprise": 1},
        "another number": {"seq": head.seq + 1},
        "another predecessor": {"previous": "sha256:" + "0" * 64},
        "lower epoch": {"epoch": 0},
        "of the future": {"version": 2},
        "needs a newer reader": {"min_reader": 2},
    }
    short = {"cut short": data[: len(data) // 2], "empty": b""}
    bench.objects[key] = short.get(damage) or (
        b""
        if damage == "empty"
        else msgspec.json.encode(msgspec.json.decode(data) | altered.get(damage, {}))
    )
    before = recorded(bench)
    later = await bench.open()

    seen = await status(later, bench.sarah)
    for doing in (apply(later, bench.sarah, wanting()), refresh(later, bench.sarah, "look")):
        with pytest.raises(LedgerUnreadableError) as refused:
            await doing
        assert refused.value.diagnostic.code == code

    assert code in {d.code for d in seen.diagnostics if d.severity == "error"}
    assert recorded(bench) == before


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (b"{", "invalid_state_lock"),
        (b'{"version": 2, "holder": "of another release"}', "unsupported_state_lock_version"),
    ],
)
async def test_a_lock_of_another_version_is_honoured_until_its_time_is_over(
    tmp_path: Path, record: bytes, code: str
) -> None:
    bench, cluster = await applied(tmp_path)
    holder = await _next_epoch(bench)
    bench.objects[lease_key(CLUSTER, holder)] = record
    later = await bench.open()

    seen = await status(later, bench.sarah)
    (listed,) = await locks(later, bench.sarah)
    with pytest.raises(StateLockHeldError):
        await apply(later, bench.sarah, wanting())
    bench.world.advance(31)
    result = await apply(later, bench.sarah, wanting())

    assert code in {d.code for d in seen.diagnostics if d.severity == "warning"}
    assert (listed.lock_id, listed.diagnostic is not None) == (None, True)
    assert result.ok, result.diagnostics
    del cluster


@pytest.mark.parametrize("beat", [b"", b"\xff", b'{"released": true}', b'{"version": 9}'])
async def test_a_beat_that_cannot_be_read_releases_nothing_and_stops_nobody_for_good(
    tmp_path: Path, beat: bytes
) -> None:
    bench, cluster = await applied(tmp_path)
    async with cluster.leases.hold(CLUSTER, principal="tom", operation="apply") as lease:
        later = await bench.open()
        bench.world.living.add(cluster.world.pid)
        bench.objects[beat_key(CLUSTER, lease.epoch)] = beat
        with pytest.raises(StateLockHeldError):
            await apply(later, bench.sarah, wanting())
        bench.world.advance(31)
        assert (await apply(later, bench.sarah, wanting())).ok


async def _next_epoch(bench: Bench) -> int:
    folder = "__cluster/leases/cluster/"
    taken = [k.removeprefix(folder).partition(".")[0] for k in bench.objects if folder in k]
    return max(int(n) for n in taken) + 1
