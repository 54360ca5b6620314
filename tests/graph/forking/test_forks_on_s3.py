"""A sandbox on an object store, over the storage that sandboxes have. Source: ADR 27."""

from collections.abc import AsyncIterator

import pytest

from agentctl.adapters.backends.s3 import S3Store
from agentctl.adapters.backends.s3_settings import S3Root
from agentctl.adapters.backends.sharing import SharingStore
from agentctl.domain.sandbox.lending import room_of
from agentctl.graph.forking.cutting import cut_trunk
from agentctl.graph.forking.fork import Fork, LentGraph
from agentctl.graph.forking.forked import ForkedGraphs
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.port import GraphError
from tests.conformance.test_graph_port import (
    BASE,
    INCARNATIONS,
    PEOPLE,
    WIDER,
    payload,
    stamp,
)
from tests.graph.forking.forking_rig import SANDBOX
from tests.graph.forking.lending_rig import person, rows

pytestmark = pytest.mark.slow


@pytest.fixture
async def store(seaweed_root: S3Root) -> AsyncIterator[S3Store]:
    found = S3Store(seaweed_root)
    yield found
    await found.aclose()


async def test_a_graph_is_lent_written_deleted_and_made_again_on_a_store(store: S3Store) -> None:
    real = LanceGraphs(store)
    await real.create("g", schema=payload(BASE), incarnation=INCARNATIONS[0], stamp=stamp(1))
    await real.load("g", PEOPLE, mode="append", stamp=stamp(2))
    before = await real.digest("g")
    await cut_trunk(real, "g", SANDBOX, base=2, stamp=stamp(3))
    fork = Fork(sandbox=SANDBOX, lent={"g": LentGraph(incarnation=INCARNATIONS[0], base=2)})
    inside = ForkedGraphs(real, LanceGraphs(SharingStore(store, room_of(SANDBOX))), fork)

    await inside.load("g", [person("cyd")], mode="append", stamp=stamp(4))
    schema = payload(WIDER, payload(BASE).ir)
    await inside.migrate("g", schema=schema, observed=2, stamp=stamp(5))
    await inside.branch_create("g", "dev", stamp=stamp(6))
    await inside.pin("g", 1, stamp=stamp(7))
    live = await inside.observe("g")
    whole = await inside.verify("g")
    difference = await inside.diff("g", "main:1")
    await inside.detach("g", observed=3, stamp=stamp(8))
    await inside.restore("g", incarnation=INCARNATIONS[0], stamp=stamp(9))
    again = await rows(inside)
    await inside.detach("g", observed=5, stamp=stamp(10))
    with pytest.raises(GraphError) as refused:
        await inside.purge("g", incarnation=INCARNATIONS[0], observed=6, stamp=stamp(11))
    await inside.create("g", schema=payload(BASE), incarnation=INCARNATIONS[1], stamp=stamp(12))
    await inside.load("g", [person("zoe")], mode="append", stamp=stamp(13))

    assert (live.presence, live.branches, dict(live.rows)["Person"]) == ("live", ("main", "dev"), 3)
    assert whole.is_whole
    assert [(t.type, t.inserted) for t in difference.types] == [("Person", 1)]
    assert len(again) == 4
    assert refused.value.diagnostic.code == "not_in_a_sandbox"
    assert len(await rows(inside)) == 1
    assert await real.digest("g") == before
    assert (await real.verify("g")).is_whole
