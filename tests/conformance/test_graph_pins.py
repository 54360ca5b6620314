"""Pins and reverts, as every graph port promises them: on Lance and in memory. Source: ops 5."""

import itertools
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.canonical import sha256_hex
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.port import GraphError, GraphPort, ReadSetConflictError, SchemaPayload, Stamp
from agentctl.ids import ulid
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import SchemaIr, evolve_ir
from agentctl.testing.graphs import MemoryGraphs, MemoryRoots

BASE = "node Person { slug: String @key  age: I32? }\n"
WIDER = "node Person { slug: String @key  age: I32?  nick: String? }\n"
ANN = b'{"type":"Person","data":{"slug":"ann","age":31}}'
BOB = b'{"type":"Person","data":{"slug":"bob"}}'
INCARNATION, LATER = ulid(1, bytes(10)), ulid(2, bytes(10))
Ports = Callable[[], GraphPort]


@pytest.fixture(params=["memory", "lance"])
def ports(request: pytest.FixtureRequest, tmp_path: Path) -> Ports:
    """Opens the same storage again and again."""
    if request.param == "memory":
        roots = MemoryRoots()
        return lambda: MemoryGraphs(roots)
    return lambda: LanceGraphs(LocalStore(tmp_path))


def stamp(number: int, *, epoch: int = 1) -> Stamp:
    return Stamp(
        op=f"local-x:{number}",
        actor="x",
        on_behalf_of=None,
        intent="test",
        epoch=epoch,
        nonce=f"{number:032x}",
        at="2026-11-21T03:30:00.000Z",
    )


def payload(text: str, before: SchemaIr | None = None) -> SchemaPayload:
    compiled = compile_schema(text.encode(), file="g.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    assert compiled.shape_digest is not None
    numbers = itertools.count(1000 if before else 1)
    return SchemaPayload(
        source=text.encode(),
        source_digest=sha256_hex(text.encode()),
        shape_digest=compiled.shape_digest,
        ir=evolve_ir(before, compiled.catalog, lambda: ulid(5, next(numbers).to_bytes(10))),
    )


async def filled(port: GraphPort) -> int:
    """A graph with one person; returns the newest commit's number."""
    await port.create("g", schema=payload(BASE), incarnation=INCARNATION, stamp=stamp(1))
    report = await port.load("g", [ANN], mode="append", stamp=stamp(2))
    assert report.commit == "main:2", report
    return 2


async def test_a_revert_brings_back_rows_and_schema_by_a_commit_of_its_own(ports: Ports) -> None:
    port = ports()
    await filled(port)
    then = await port.observe("g")
    await port.load("g", [BOB], mode="append", stamp=stamp(3))
    assert then.ir is not None
    await port.migrate("g", schema=payload(WIDER, then.ir), observed=3, stamp=stamp(4))

    number = await port.revert("g", 2, observed=4, stamp=stamp(5))

    now = await ports().observe("g")
    assert (number, now.commit) == (5, 5)
    assert (now.rows, now.ir, now.content) == ({"Person": 1}, then.ir, then.content)
    assert (await port.history("g", limit=1))[0].kind == "revert"


async def test_a_graph_goes_on_from_where_it_was_reverted_to(ports: Ports) -> None:
    port = ports()
    await filled(port)
    await port.load("g", [BOB], mode="append", stamp=stamp(3))
    await port.revert("g", 2, observed=3, stamp=stamp(4))

    again = await ports().load("g", [BOB], mode="append", stamp=stamp(5))

    assert (again.diagnostics, again.commit) == ((), "main:5")
    assert (await port.observe("g")).rows == {"Person": 2}


async def test_a_revert_is_undone_by_another(ports: Ports) -> None:
    port = ports()
    await filled(port)
    await port.load("g", [BOB], mode="append", stamp=stamp(3))
    before = await port.observe("g")
    await port.revert("g", 2, observed=3, stamp=stamp(4))

    await port.revert("g", 3, observed=4, stamp=stamp(5))

    assert (await port.observe("g")).content == before.content


async def test_a_revert_that_was_made_is_not_made_again(ports: Ports) -> None:
    port = ports()
    await filled(port)
    first = await port.revert("g", 1, observed=2, stamp=stamp(3))

    again = await ports().revert("g", 1, observed=2, stamp=stamp(3))

    assert first == again == (await port.observe("g")).commit


async def test_a_revert_loses_against_whoever_wrote_first(ports: Ports) -> None:
    port = ports()
    await filled(port)
    await port.load("g", [BOB], mode="append", stamp=stamp(3))

    with pytest.raises(ReadSetConflictError):
        await port.revert("g", 1, observed=2, stamp=stamp(4))
    with pytest.raises(GraphError) as lower:
        await port.revert("g", 1, observed=3, stamp=stamp(5, epoch=0))
    assert lower.value.diagnostic.code == "lease_lost"


@pytest.mark.parametrize("number", [0, 3, 99])
async def test_a_commit_that_is_not_there_is_neither_pinned_nor_gone_back_to(
    ports: Ports, number: int
) -> None:
    port = ports()
    await filled(port)

    with pytest.raises(GraphError) as reverted:
        await port.revert("g", number, observed=2, stamp=stamp(3))
    with pytest.raises(GraphError) as pinned:
        await port.pin("g", number, stamp=stamp(4))

    codes = {reverted.value.diagnostic.code, pinned.value.diagnostic.code}
    assert codes == {"graph_revert_refused"}
    assert (await port.observe("g")).commit == 2


async def test_an_earlier_graph_of_that_id_is_not_gone_back_to(ports: Ports) -> None:
    port = ports()
    await filled(port)
    await port.detach("g", observed=2, stamp=stamp(3))
    await port.create("g", schema=payload(BASE), incarnation=LATER, stamp=stamp(4))

    for number in (2, 3):
        with pytest.raises(GraphError) as failure:
            await port.revert("g", number, observed=4, stamp=stamp(5))
        assert failure.value.diagnostic.code == "graph_revert_refused"


async def test_what_was_purged_is_not_pinned(ports: Ports) -> None:
    port = ports()
    await filled(port)
    await port.detach("g", observed=2, stamp=stamp(3))
    await port.purge("g", incarnation=INCARNATION, observed=3, stamp=stamp(9))

    with pytest.raises(GraphError) as failure:
        await port.pin("g", 2, stamp=stamp(4))
    assert failure.value.diagnostic.code == "graph_revert_refused"


async def test_a_pin_stays_until_its_op_lets_go(ports: Ports) -> None:
    port = ports()
    await filled(port)
    first = await port.pin("g", 1, stamp=stamp(7))
    second = await port.pin("g", 1, stamp=stamp(8))
    again = await ports().pin("g", 1, stamp=msgspec.structs.replace(stamp(7), at="later"))

    held = await ports().pins("g")
    await port.unpin("g", 1, op=first.op)
    await port.unpin("g", 1, op=first.op)

    assert again == first
    assert held == (first, second)
    assert await ports().pins("g") == (second,)


async def test_the_content_of_a_commit_is_told_by_its_pin(ports: Ports) -> None:
    port = ports()
    await filled(port)
    live = await port.observe("g")

    made = await port.pin("g", 2, stamp=stamp(7))

    assert made.content == live.content
    await port.load("g", [BOB], mode="append", stamp=stamp(8))
    assert (await port.observe("g")).content != live.content
