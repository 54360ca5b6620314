"""A request sent twice is done once and answered twice alike. Source: control-plane 3.2."""

from datetime import timedelta
from pathlib import Path

import pytest

from agentctl.domain.storage.protocol import CorruptError
from agentctl.engine.apply import apply
from agentctl.engine.keys_once import KEYS_FOLDER, LIFE
from agentctl.engine.results import ApplyResult
from agentctl.testing.builders import QUERY, Bench, folder_files, wanting
from agentctl.testing.crash import DownStore


def told(result: ApplyResult) -> tuple[object, ...]:
    return (
        result.op,
        result.applied_count,
        result.deferred_count,
        result.plan_digest,
        result.steps,
    )


async def test_a_repeated_request_gets_the_answer_of_the_op_whatever_happened_since(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))
    first = await apply(await bench.open(), bench.agent, wanting(idempotency_key="k"))
    bench.write({"supply.gq": QUERY.replace("all_packages", "renamed")})
    other = await apply(await bench.open(), bench.agent, wanting(idempotency_key="other"))

    again = await apply(await bench.open(), bench.agent, wanting(idempotency_key="k"))

    assert first.applied_count == 3
    assert other.op != first.op
    assert told(again) == told(first)
    assert again.state_observations.seq == other.state_observations.seq
    ops = [o for o in await (await bench.open()).journal.list() if o.action == "apply"]
    assert len(ops) == 2


async def test_an_answer_that_could_not_be_kept_does_not_undo_the_op(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))
    bench.wrap_store = lambda inner: DownStore(
        inner, lambda op, key: op == "create" and key.endswith(".result.json")
    )
    first = await apply(await bench.open(), bench.agent, wanting(idempotency_key="k"))
    bench.wrap_store = lambda inner: inner

    again = await apply(await bench.open(), bench.agent, wanting(idempotency_key="k"))

    assert first.ok
    assert (again.op, again.converged, again.steps) == (first.op, True, ())


async def test_a_damaged_answer_is_not_taken_for_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))
    await apply(await bench.open(), bench.agent, wanting(idempotency_key="k"))
    kept = next(k for k in bench.objects if k.endswith(".result.json"))
    bench.objects[kept] = b"{"

    with pytest.raises(CorruptError):
        await apply(await bench.open(), bench.agent, wanting(idempotency_key="k"))


async def test_a_key_and_its_answer_are_forgotten_together(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))
    cluster = await bench.open()
    await apply(cluster, bench.agent, wanting(idempotency_key="k"))
    assert len([k for k in bench.objects if k.startswith(KEYS_FOLDER)]) == 2

    bench.world.advance((LIFE + timedelta(seconds=1)).total_seconds())

    assert await cluster.keys.sweep() == 1
    assert [k for k in bench.objects if k.startswith(KEYS_FOLDER)] == []
