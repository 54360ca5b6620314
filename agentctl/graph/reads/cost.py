"""How many rows the parts of a plan have, by rule of thumb over what a commit says. Pure.

Only the order of joins and the way of reading depend on it, never a row. Figures of one machine
(100,000 nodes, 500,000 edges; ADR 23): a lookup by index costs about a millisecond and then 10 us
for each id, a scan of two columns 50 us for each 1,000 rows, a warm adjacency next to nothing, and
building one about five scans.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal

import msgspec

from agentctl.graph.reads.expressions import (
    Among,
    Column,
    Compare,
    Constant,
    IsNull,
    Joined,
    Known,
    Negated,
    Test,
)
from agentctl.graph.reads.logical import (
    Aggregate,
    AntiJoin,
    Distinct,
    Edges,
    Expand,
    Fetch,
    Filter,
    Given,
    Hop,
    Join,
    LeftJoin,
    Limit,
    Mark,
    Match,
    Order,
    Outer,
    Plan,
    Project,
    Rank,
    Reach,
    Scan,
    Search,
    SemiJoin,
    Side,
)
from agentctl.languages.schema.ir import IrType, SchemaIr
from agentctl.languages.schema.types import INTEGERS, Scalar

LOOKUP_MS: Final = 1.0
LOOKUP_ID_MS: Final = 0.01
SCAN_MS: Final = 0.5
SCAN_ROW_MS: Final = 0.00005
ADJACENCY_MS: Final = 0.1
ADJACENCY_ID_MS: Final = 0.0005
ADJACENCY_ROW_MS: Final = 0.00025

ADJACENCY_BUILD_SCANS: Final = 5
BUILD_MS_MAX: Final = 1_000

INDEX_IDS_MAX: Final = 1_000
"""More ids than this make a filter that takes longer to read than the column."""


_SPELLED: Final = INTEGERS | {Scalar.STRING}
"""Keys whose spelling as an id is plain: languages 2.7."""


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a graph before it is read."""

    nodes: Mapping[str, int]
    """Rows by type name."""
    edges: Mapping[str, int]
    unique: frozenset[tuple[str, str]] = frozenset()
    """Type and property, where no two rows have the same value."""
    keyed: frozenset[tuple[str, str]] = frozenset()
    """Type and property, where a text or an integer is the whole key."""
    indexed: frozenset[tuple[str, str]] = frozenset()
    cached: frozenset[str] = frozenset()
    """Edge types whose adjacency is at hand."""


def statistics_of(
    ir: SchemaIr, rows: Callable[[IrType], int], cached: frozenset[str] = frozenset()
) -> Statistics:
    """Returns the statistics of a schema and the rows of its types."""
    unique: set[tuple[str, str]] = set()
    indexed: set[tuple[str, str]] = set()
    keyed: set[tuple[str, str]] = set()
    for owner in ir.types:
        single = [c.columns for c in owner.constraints if c.kind == "unique"]
        for columns in (owner.key, *single):
            if len(columns) == 1:
                unique.add((owner.name, columns[0]))
        spelled = {p.name for p in owner.properties if Scalar(p.scalar) in _SPELLED}
        if len(owner.key) == 1 and owner.key[0] in spelled:
            keyed.add((owner.name, owner.key[0]))
        indexed |= {(owner.name, p.name) for p in owner.properties if p.indexed}
    return Statistics(
        nodes={t.name: rows(t) for t in ir.types if t.kind == "node"},
        edges={t.name: rows(t) for t in ir.types if t.kind == "edge"},
        unique=frozenset(unique),
        keyed=frozenset(keyed),
        indexed=frozenset(indexed),
        cached=cached,
    )


def selectivity(test: Test, type_name: str, statistics: Statistics) -> float:  # noqa: PLR0911  # one case for each form
    """Returns the part of a type's rows that a test on one variable keeps, from 0 to 1."""
    match test:
        case Known():
            return 1.0 if test.value else 0.0
        case Compare():
            return _of_comparison(test, type_name, statistics)
        case Among(operand=Column() as column, values=Constant(value=tuple(values))):
            one = _of_equality(column, type_name, statistics)
            return min(1.0, one * len(values))
        case IsNull():
            return 0.9 if test.negated else 0.1
        case Negated():
            return max(0.05, 1.0 - selectivity(test.test, type_name, statistics))
        case Joined(word="and"):
            found = 1.0
            for part in test.tests:
                found *= selectivity(part, type_name, statistics)
            return found
        case Joined():
            return min(1.0, sum(selectivity(p, type_name, statistics) for p in test.tests))
        case _:
            return 0.5


def _of_comparison(test: Compare, type_name: str, statistics: Statistics) -> float:
    if test.comparison == "=" and isinstance(test.left, Column):
        return _of_equality(test.left, type_name, statistics)
    return {"!=": 0.9, "contains": 0.1, "starts_with": 0.05}.get(test.comparison, 0.3)


def _of_equality(column: Column, type_name: str, statistics: Statistics) -> float:
    prop = column.name.partition(".")[2]
    if not prop or (type_name, prop) in statistics.unique:
        return 1.0 / max(1, statistics.nodes.get(type_name, 1))
    return 0.005 if (type_name, prop) in statistics.indexed else 0.05


def scan_rows(plan: Scan, statistics: Statistics) -> float:
    """Returns about how many rows a scan gives."""
    rows = float(statistics.nodes.get(plan.node.type_name, 0))
    for test in plan.tests:
        rows *= selectivity(test, plan.node.type_name, statistics)
    return rows


def edge_rows(hop: Hop, statistics: Statistics) -> float:
    """Returns how many edges a hop may take."""
    rows = sum(statistics.edges.get(name, 0) for name in hop.edge_types)
    return float(rows * (2 if hop.undirected else 1))


def degree(hop: Hop, near: Side, statistics: Statistics) -> float:
    """Returns about how many edges lead on from a node at the near end."""
    name = hop.source_type if near == "source" else hop.target_type
    return edge_rows(hop, statistics) / max(1, statistics.nodes.get(name, 0))


def expanded_rows(rows: float, hop: Hop, near: Side, statistics: Statistics) -> float:
    """Returns about how many rows *rows* become by a hop to an end that is not bound."""
    low, high = hop.hops
    one = degree(hop, near, statistics)
    if high == 1:
        return rows * one
    far = statistics.nodes.get(hop.target_type if near == "source" else hop.source_type, 0)
    reached = sum(one**n for n in range(low, min(high, 20) + 1))
    return rows * min(reached, float(max(1, far)))


def estimated_rows(plan: Plan, statistics: Statistics) -> float:  # noqa: C901, PLR0911, PLR0912  # one case for each form
    """Returns about how many rows *plan* gives."""

    def of(part: Plan) -> float:
        return estimated_rows(part, statistics)

    match plan:
        case Outer():
            return 100.0
        case Scan():
            return scan_rows(plan, statistics)
        case Given():
            return float(len(plan.ids))
        case Edges():
            kept = 1.0
            for test in plan.tests:
                kept *= selectivity(test, plan.hop.edge_types[0], statistics)
            return edge_rows(plan.hop, statistics) * kept
        case Match():
            return 1.0 if plan.input is None else of(plan.input)
        case Expand() | Reach():
            rows = expanded_rows(of(plan.input), plan.hop, plan.near, statistics)
            if plan.closes:
                far = plan.hop.target_type if plan.near == "source" else plan.hop.source_type
                rows /= max(1, statistics.nodes.get(far, 0))
            return rows
        case Join():
            both = of(plan.left) * of(plan.right)
            return both if not plan.on else both / max(1.0, of(plan.right), of(plan.left))
        case Filter():
            return of(plan.input) * 0.3
        case SemiJoin() | AntiJoin():
            return of(plan.input) * 0.5
        case Limit():
            rows = max(0.0, of(plan.input) - plan.offset)
            return rows if plan.count is None else min(rows, float(plan.count))
        case Aggregate():
            return 1.0 if not plan.keys else max(1.0, of(plan.input) ** 0.5)
        case Order():
            rows = of(plan.input)
            return rows if plan.first is None else min(rows, float(plan.first))
        case Fetch() | LeftJoin() | Mark() | Search() | Rank() | Distinct() | Project():
            return of(plan.input)


Way = Literal["index", "arrow", "csr"]


def chosen(near: float, edges: float, *, cached: bool, repeated: int = 1) -> Way:
    """Returns how to follow edges from *near* different nodes.

    Args:
        near: how many nodes they are followed from.
        edges: how many edges the type has.
        cached: whether its adjacency is at hand.
        repeated: how often the same edges are followed: the hops of a reachability.
    """
    costs: dict[Way, float] = {
        "arrow": SCAN_MS + edges * SCAN_ROW_MS + near * ADJACENCY_ID_MS,
        "csr": ADJACENCY_MS * repeated
        + near * ADJACENCY_ID_MS
        + (0.0 if cached else SCAN_MS + edges * ADJACENCY_ROW_MS),
    }
    if near <= INDEX_IDS_MAX:
        costs["index"] = (LOOKUP_MS + near * LOOKUP_ID_MS) * repeated
    return min(costs, key=lambda way: costs[way])


def worth_building(often: int, edges: float, *, left_s: float | None) -> bool:
    """Returns whether so many look-ups by index took as long as building the adjacency would have.

    Who rents until the price of buying is spent pays at most twice what the best would have. No
    look-up is made to wait for it beyond `BUILD_MS_MAX`, or for most of what is left of its time.

    Args:
        often: how many look-ups there were.
        edges: how many edges the type has.
        left_s: how long the read may still take, in seconds; None without a deadline.
    """
    build_ms = ADJACENCY_BUILD_SCANS * (SCAN_MS + edges * SCAN_ROW_MS)
    room_ms = BUILD_MS_MAX if left_s is None else min(BUILD_MS_MAX, left_s * 1000 / 4)
    return build_ms <= min(often * LOOKUP_MS, room_ms)


def looked_up(ids: float, rows: float) -> bool:
    """Returns whether properties of *ids* among *rows* rows are read by index."""
    if ids > INDEX_IDS_MAX:
        return False
    return LOOKUP_MS + ids * LOOKUP_ID_MS < max(LOOKUP_MS * 1.5, rows * SCAN_ROW_MS)
