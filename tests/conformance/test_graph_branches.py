"""Branches, as every graph port promises them: on Lance and in memory. Source: graph-engine 5."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.canonical import sha256_hex
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.port import GraphError, GraphPort, ReadSetConflictError, SchemaPayload, Stamp
from agentctl.ids import ulid
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import evolve_ir
from agentctl.testing.graphs import MemoryGraphs, MemoryRoots

SCHEMA = b"node Person { slug: String @key }\n"
ANN = b'{"type":"Person","data":{"slug":"ann"}}'
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


def payload() -> SchemaPayload:
    compiled = compile_schema(SCHEMA, file="g.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    assert compiled.shape_digest is not None
    numbers = itertools.count(1)
    return SchemaPayload(
        source=SCHEMA,
        source_digest=sha256_hex(SCHEMA),
        shape_digest=compiled.shape_digest,
        ir=evolve_ir(None, compiled.catalog, lambda: ulid(5, next(numbers).to_bytes(10))),
    )


async def branched(port: GraphPort) -> None:
    """A graph with one person, and a branch `dev` of it."""
    await port.create("g", schema=payload(), incarnation=INCARNATION, stamp=stamp(1))
    await port.load("g", [ANN], mode="append", stamp=stamp(2))
    await port.branch_create("g", "dev", stamp=stamp(3))


async def heads(port: GraphPort) -> list[tuple[str, str, str]]:
    found = await port.branches("g")
    return [(b.name, b.head.id, b.head.kind) for b in found]


async def code(refused: object) -> str:
    with pytest.raises(GraphError) as caught:
        await refused  # type: ignore[misc]  # a coroutine of the port
    return caught.value.diagnostic.code


async def test_a_branch_begins_with_a_commit_of_its_own_and_is_listed(ports: Ports) -> None:
    port = ports()
    await branched(port)
    await port.load("g", [BOB], mode="append", stamp=stamp(4))
    made = await port.branch_create("g", "a/b", at="2", stamp=stamp(5))
    again = await port.branch_create("g", "a/b", at="2", stamp=stamp(5))

    assert made == again
    assert (made.head.id, made.head.rows, made.schema) == (
        "a/b:1",
        {"Person": 1},
        payload().shape_digest,
    )
    assert await heads(ports()) == [
        ("main", "main:3", "write"),
        ("a/b", "a/b:1", "branch"),
        ("dev", "dev:1", "branch"),
    ]
    assert (await ports().observe("g")).branches == ("main", "a/b", "dev")


async def test_what_cannot_be_a_branch_is_refused(ports: Ports) -> None:
    port = ports()
    await branched(port)

    assert await code(port.branch_create("g", "dev", stamp=stamp(4))) == "graph_branch_exists"
    assert await code(port.branch_create("g", "main", stamp=stamp(4))) == "graph_branch_invalid"
    assert await code(port.branch_create("g", "a b", stamp=stamp(4))) == "graph_branch_invalid"
    of_a_sandbox = port.branch_create("g", "sandbox/x", stamp=stamp(4))
    assert await code(of_a_sandbox) == "graph_branch_invalid"
    not_ours = port.branch_delete("g", "sandbox/x", observed=1, stamp=stamp(4))
    assert await code(not_ours) == "graph_branch_invalid"
    nowhere = port.branch_create("g", "x", source="nope", stamp=stamp(4))
    assert await code(nowhere) == "graph_branch_missing"
    unheard = port.branch_create("g", "x", at="main:7", stamp=stamp(4))
    assert await code(unheard) == "graph_point_missing"
    assert [name for name, _, _ in await heads(ports())] == ["main", "dev"]


async def test_a_branch_is_deleted_once_and_its_name_goes_on_counting(ports: Ports) -> None:
    port = ports()
    await branched(port)

    number = await port.branch_delete("g", "dev", observed=1, stamp=stamp(4))
    again = await port.branch_delete("g", "dev", observed=1, stamp=stamp(4))
    gone = await code(port.branch_delete("g", "dev", observed=2, stamp=stamp(5)))
    made = await port.branch_create("g", "dev", stamp=stamp(6))

    assert (number, again, gone, made.head.id) == (2, 2, "graph_branch_missing", "dev:3")
    assert await code(port.branch_delete("g", "main", observed=2, stamp=stamp(7))) == (
        "graph_branch_invalid"
    )


async def test_a_deletion_loses_against_a_commit_and_against_a_higher_epoch(ports: Ports) -> None:
    port = ports()
    await branched(port)
    fence = await port.fence("g", observed=1, branch="dev", stamp=stamp(4, epoch=2))

    with pytest.raises(ReadSetConflictError):
        await port.branch_delete("g", "dev", observed=1, stamp=stamp(5, epoch=2))
    assert fence == 2
    assert await code(port.branch_delete("g", "dev", observed=2, stamp=stamp(6))) == "lease_lost"


async def test_branches_end_with_their_graph_and_come_back_with_it(ports: Ports) -> None:
    port = ports()
    await branched(port)
    await port.branch_create("g", "old", stamp=stamp(4))
    await port.branch_delete("g", "old", observed=1, stamp=stamp(5))
    await port.detach("g", observed=2, stamp=stamp(6, epoch=7))
    detached = await ports().observe("g")
    refused = await code(port.branch_create("g", "new", stamp=stamp(7)))

    await port.restore("g", incarnation=INCARNATION, stamp=stamp(8, epoch=7))

    assert (detached.branches, refused) == (("main",), "graph_detached")
    assert await heads(ports()) == [("main", "main:4", "restore"), ("dev", "dev:3", "restore")]
    assert await ports().fence("g", observed=3, branch="dev", stamp=stamp(9)) == 4


async def test_a_new_graph_of_that_id_has_none_of_the_old_ones_branches(ports: Ports) -> None:
    port = ports()
    await branched(port)
    await port.detach("g", observed=2, stamp=stamp(4))
    await port.create("g", schema=payload(), incarnation=LATER, stamp=stamp(5))

    assert await heads(ports()) == [("main", "main:4", "create")]
    assert (await port.branch_create("g", "dev", stamp=stamp(6))).head.id == "dev:3"


async def test_nothing_is_erased_under_a_branch(ports: Ports) -> None:
    port = ports()
    await branched(port)

    refused = await code(port.erase("g", observed=2, stamp=stamp(4)))
    await port.branch_delete("g", "dev", observed=1, stamp=stamp(5))

    assert refused == "graph_pinned"
    assert await port.erase("g", observed=2, stamp=stamp(6)) == 3
