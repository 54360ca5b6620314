"""Random small graphs and queries: the engine over Lance gives what the plain evaluation gives.

Both ways of reading are tried, by index lookups and by columns, and so are both index states.
"""

import functools
import itertools
import tempfile
from pathlib import Path
from typing import Any

import anyio
import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agentctl.adapters.backends.local import LocalStore
from agentctl.canonical import sha256_hex
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.location import data_folder
from agentctl.graph.log import CommitLog
from agentctl.graph.port import GraphError, SchemaPayload, Stamp
from agentctl.graph.reads.options import ExecutorName, ReadOptions
from agentctl.graph.reads.running import run_query
from agentctl.graph.snapshot import Snapshot
from agentctl.graph.tables import Tables
from agentctl.ids import ulid
from agentctl.languages.query.plan import (
    Aggregate,
    Binding,
    CheckedQuery,
    EntityRef,
    Filter,
    OrderItem,
    Output,
    ParamRef,
    Pattern,
    PropertyRef,
    Traversal,
    Value,
)
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import SchemaIr, evolve_ir
from agentctl.languages.schema.types import PropertyType, Scalar
from agentctl.testing.graphs import MemoryGraphs

SCHEMA = """
node A { k: String @key  s: String?  i: I32? @index  l: I64?  u: U64?  f: F32?  g: F64?  b: Bool?  d: Date?  t: DateTime? }
node B { k: I64 @key  s: String }
edge Aa: A -> A { w: I32?  s: String? }
edge Ab: A -> B { d: Date? }
edge Ba: B -> A
"""
SCALARS: dict[str, dict[str, Scalar]] = {
    "A": {
        "k": Scalar.STRING,
        "s": Scalar.STRING,
        "i": Scalar.I32,
        "l": Scalar.I64,
        "u": Scalar.U64,
        "f": Scalar.F32,
        "g": Scalar.F64,
        "b": Scalar.BOOL,
        "d": Scalar.DATE,
        "t": Scalar.DATETIME,
    },
    "B": {"k": Scalar.I64, "s": Scalar.STRING},
    "Aa": {"w": Scalar.I32, "s": Scalar.STRING},
    "Ab": {"d": Scalar.DATE},
    "Ba": {},
}
ENDS = {"Aa": ("A", "A"), "Ab": ("A", "B"), "Ba": ("B", "A")}
NUMBERS = {Scalar.I32, Scalar.I64, Scalar.U64, Scalar.F32, Scalar.F64}
TEXTS = ["", "a", "b", "ab", "ba", "it's", "é", "😀", "a\nb", "a\\b", "%", '"', "`", "\u202e"]
POOLS: dict[Scalar, st.SearchStrategy[Any]] = {
    Scalar.STRING: st.sampled_from(TEXTS),
    Scalar.BOOL: st.booleans(),
    Scalar.I32: st.sampled_from([-(2**31), -1, 0, 1, 2, 7, 2**31 - 1]),
    Scalar.I64: st.sampled_from([-(2**63), -(2**53) - 1, -1, 0, 1, 2, 2**53 - 1, 2**53, 2**63 - 1]),
    Scalar.U64: st.sampled_from([0, 1, 2, 2**53 + 1, 2**63, 2**64 - 1]),
    Scalar.F32: st.sampled_from([0.1, -0.5, 0.0, 1.0, 2.0, 16777217, 3e38]),
    Scalar.F64: st.sampled_from([0.1, -0.5, 0.0, 1.0, 2.0, 1e300, -1e-300, 9007199254740993.0]),
    Scalar.DATE: st.sampled_from([-719162, -1, 0, 1, 18321, 2932896]),
    Scalar.DATETIME: st.sampled_from([-62135596800000, -1, 0, 1, 1600000000123, 253402300799999]),
}


def type_of(scalar: Scalar) -> PropertyType:
    return PropertyType(scalar=scalar, nullable=True)


def schema() -> SchemaPayload:
    compiled = compile_schema(SCHEMA.encode(), file="test.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    assert compiled.shape_digest is not None
    numbers = itertools.count(1)
    return SchemaPayload(
        source=SCHEMA.encode(),
        source_digest=sha256_hex(SCHEMA.encode()),
        shape_digest=compiled.shape_digest,
        ir=evolve_ir(None, compiled.catalog, lambda: ulid(5, next(numbers).to_bytes(10))),
    )


def stamp(number: int) -> Stamp:
    return Stamp(
        op="abc:1",
        actor="a",
        on_behalf_of=None,
        intent="i",
        epoch=1,
        nonce=f"{number:032x}",
        at="2026-11-21T03:30:00.000Z",
    )


@st.composite
def graph_lines(draw: st.DrawFn) -> list[bytes]:
    """Lines of a small graph: few nodes, many edges, parallel ones and loops among them."""
    lines: list[object] = []
    keys: dict[str, list[str]] = {}
    for name, pool in (("A", st.sampled_from(TEXTS)), ("B", st.integers(-2, 3))):
        own = draw(st.lists(pool, unique=True, max_size=5))
        keys[name] = [str(k) for k in own]
        for key in own:
            data: dict[str, object] = {"k": key} | (
                {"s": draw(POOLS[Scalar.STRING])} if name == "B" else {}
            )
            for prop, scalar in SCALARS[name].items():
                if prop != "k" and name == "A" and draw(st.booleans()):
                    data[prop] = draw(POOLS[scalar])
            lines.append({"type": name, "data": data})
    for edge, (source, target) in ENDS.items():
        if keys[source] and keys[target]:
            for _ in range(draw(st.integers(0, 6))):
                data = {
                    prop: draw(POOLS[scalar])
                    for prop, scalar in SCALARS[edge].items()
                    if draw(st.booleans())
                }
                ends = {
                    "from": draw(st.sampled_from(keys[source])),
                    "to": draw(st.sampled_from(keys[target])),
                }
                lines.append({"edge": edge, **ends, "data": data})
    return [msgspec.json.encode(line) for line in lines]


@st.composite
def operand(draw: st.DrawFn, types: dict[str, str], scalars: set[Scalar]) -> PropertyRef | None:
    """A property of some variable whose type is one of *scalars*, if there is one."""
    choices = [
        PropertyRef(var=var, property=prop, type=type_of(scalar))
        for var, owner in types.items()
        for prop, scalar in SCALARS[owner].items()
        if scalar in scalars
    ]
    return draw(st.sampled_from(choices)) if choices else None


@st.composite
def filters(draw: st.DrawFn, types: dict[str, str]) -> Filter | None:
    left = draw(operand(types, set(Scalar)))
    if left is None:
        return None
    scalar = left.type.scalar
    family = NUMBERS if scalar in NUMBERS else {scalar}
    comparisons = ["=", "!=", "<", "<=", ">", ">="]
    if scalar is Scalar.STRING:
        comparisons += ["contains", "starts_with"]
    right: Any
    match draw(st.integers(0, 3)):
        case 0:
            right = draw(operand(types, family))
        case 1:
            right = ParamRef(name="p", type=type_of(scalar))
        case _:
            other = draw(st.sampled_from(sorted(family, key=lambda s: s.value)))
            value = draw(st.none() | POOLS[other]) if draw(st.booleans()) else draw(POOLS[other])
            right = Value(value=value, type=type_of(other))
    assert right is not None
    sides = (left, right)
    if draw(st.integers(0, 4)) == 0:
        sides = (right, left)
    return Filter(left=sides[0], comparison=draw(st.sampled_from(comparisons)), right=sides[1])


@st.composite
def traversals(draw: st.DrawFn, nodes: dict[str, str], number: int) -> Traversal | None:
    edge = draw(st.sampled_from(sorted(ENDS)))
    ends: list[str | None] = []
    for owner in ENDS[edge]:
        known = [var for var, name in nodes.items() if name == owner]
        fresh = [f"n{len(nodes)}"] if len(nodes) < 3 else []
        var = draw(st.sampled_from([*known, *fresh, None]))
        if var is not None:
            nodes[var] = owner
        ends.append(var)
    bounded = edge in {"Aa", "Ab"} and draw(st.booleans())
    low = draw(st.integers(1, 3)) if bounded else 1
    high = low + draw(st.integers(0, 3)) if bounded else 1
    return Traversal(
        source=ends[0],
        target=ends[1],
        edge_type=edge,
        edge_var=f"e{number}" if not bounded and draw(st.booleans()) else None,
        hops=(low, high),
        anchor=draw(st.sampled_from(["source", "target"])),
    )


@st.composite
def queries(draw: st.DrawFn) -> tuple[CheckedQuery, dict[str, object]]:
    nodes: dict[str, str] = {}
    if draw(st.booleans()):
        nodes["n0"] = draw(st.sampled_from(["A", "B"]))
    count = draw(st.integers(0 if nodes else 1, 2))
    steps = [draw(traversals(nodes, number)) for number in range(count)]
    if not nodes:
        nodes["n0"] = "A"
    walked = [s for s in steps if s is not None]
    types = dict(nodes) | {s.edge_var: s.edge_type for s in walked if s.edge_var is not None}
    found = [draw(filters(types)) for _ in range(draw(st.integers(0, 2)))]
    kept = tuple(f for f in found if f is not None)
    params: dict[str, object] = {}
    for test in kept:
        for side in (test.left, test.right):
            if isinstance(side, ParamRef):
                params["p"] = draw(st.none() | POOLS[side.type.scalar])
                same = side.type
                kept = tuple(
                    f
                    for f in kept
                    if all(not isinstance(s, ParamRef) or s.type == same for s in (f.left, f.right))
                )
                break
    outputs = draw(output_lists(types, nodes))
    grouped = any(isinstance(o.value, Aggregate) for o in outputs)
    for output in outputs:
        given = output.value.argument if isinstance(output.value, Aggregate) else None
        if isinstance(given, ParamRef) and given.name not in params:
            params[given.name] = draw(st.none() | POOLS[given.type.scalar])
    order: list[OrderItem] = []
    for _ in range(draw(st.integers(0, 2))):
        by = None if grouped or draw(st.booleans()) else draw(operand(types, set(Scalar)))
        place = draw(st.integers(0, len(outputs) - 1)) if by is None else None
        order.append(OrderItem(output=place, property=by, descending=draw(st.booleans())))
    query = CheckedQuery(
        name="q",
        params=(),
        pattern=Pattern(
            bindings=tuple(Binding(var=v, type_name=t) for v, t in nodes.items()),
            traversals=tuple(walked),
            filters=kept,
        ),
        outputs=outputs,
        order=tuple(order),
        limit=draw(st.none() | st.integers(0, 5)),
    )
    return query, params


@st.composite
def output_lists(
    draw: st.DrawFn, types: dict[str, str], nodes: dict[str, str]
) -> tuple[Output, ...]:
    outputs: list[Output] = []
    for place in range(draw(st.integers(1, 3))):
        name = f"c{place}"
        ref = draw(operand(types, set(Scalar)))
        match draw(st.integers(0, 3)):
            case 0 if ref is not None:
                outputs.append(Output(name=name, value=ref, type=ref.type))
            case 1:
                outputs.append(draw(aggregates(name, types)))
            case 2:
                outputs.append(
                    Output(
                        name=name,
                        value=Value(value=7, type=type_of(Scalar.I64)),
                        type=type_of(Scalar.I64),
                    )
                )
            case _:
                var = draw(st.sampled_from(sorted(nodes)))
                outputs.append(Output(name=name, value=EntityRef(var=var), type=None))
    return tuple(outputs)


@st.composite
def aggregates(draw: st.DrawFn, name: str, types: dict[str, str]) -> Output:
    function = draw(st.sampled_from(["count", "sum", "avg", "min", "max"]))
    allowed = set(NUMBERS) if function in ("sum", "avg") else NUMBERS | {Scalar.STRING}
    if function == "count":
        allowed = set(Scalar)
    ref = draw(operand(types, allowed))
    if ref is None or (function == "count" and draw(st.booleans())):
        var = draw(st.sampled_from(sorted(types)))
        value = Aggregate(function="count", argument=EntityRef(var=var))
        return Output(name=name, value=value, type=PropertyType(scalar=Scalar.I64))
    argument: PropertyRef | Value | ParamRef = ref
    match draw(st.integers(0, 3)):
        case 0:
            argument = Value(value=draw(POOLS[ref.type.scalar]), type=ref.type)
        case 1:
            argument = ParamRef(name=f"of {ref.type.scalar}", type=ref.type)
        case _:
            pass
    scalar = {"count": Scalar.I64, "sum": Scalar.F64, "avg": Scalar.F64}.get(
        function, ref.type.scalar
    )
    return Output(
        name=name,
        value=Aggregate(function=function, argument=argument),  # type: ignore[arg-type]  # one of the literals
        type=type_of(scalar),
    )


async def snapshot_and_answers(
    folder: Path,
    lines: list[bytes],
    asked: list[tuple[CheckedQuery, dict[str, object]]],
    *,
    indexed: bool,
) -> tuple[Snapshot, list[object]]:
    """Loads *lines* into Lance and into memory; returns one's snapshot and the other's answers."""
    store, made, numbers = LocalStore(folder), schema(), itertools.count(1)
    lance = LanceGraphs(
        store,
        mint=lambda: ulid(9, next(numbers).to_bytes(10)),
        index_rows_min=1 if indexed else 1000,
    )
    again = itertools.count(1)
    memory = MemoryGraphs(mint=lambda: ulid(9, next(again).to_bytes(10)))
    for port in (lance, memory):
        await port.create("g", schema=made, incarnation=ulid(1, bytes(10)), stamp=stamp(1))
        report = await port.load("g", lines, mode="append", stamp=stamp(2))
        assert report.diagnostics == ()
    head = await CommitLog(store).head("g")
    assert head is not None
    tables = Tables(data_folder(store, "g", head.incarnation), before_write=lambda _: None)
    ir: SchemaIr = made.ir
    return Snapshot(head, ir, tables), [await answer(memory, *one) for one in asked]


@settings(
    deadline=None,
    max_examples=40,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each try writes to the disk
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    lines=graph_lines(), asked=st.lists(queries(), min_size=8, max_size=12), indexed=st.booleans()
)
def test_the_engine_gives_what_the_query_means(
    *, lines: list[bytes], asked: list[tuple[CheckedQuery, dict[str, object]]], indexed: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        snapshot, answers = anyio.run(
            functools.partial(snapshot_and_answers, Path(folder), lines, asked, indexed=indexed)
        )
        for (query, params), wanted in zip(asked, answers, strict=True):
            executors: tuple[ExecutorName, ...] = ("arrow", "index")
            for executor in executors:
                try:
                    got: object = run_query(
                        snapshot, query, params, ReadOptions(executor=executor)
                    ).rows
                except GraphError as failure:
                    got = failure.diagnostic.code
                assert got == wanted


async def answer(memory: MemoryGraphs, query: CheckedQuery, params: dict[str, object]) -> object:
    try:
        return (await memory.run("g", query, params)).rows
    except GraphError as failure:
        return failure.diagnostic.code
