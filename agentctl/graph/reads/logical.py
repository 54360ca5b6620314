"""The typed logical plan of a read: what is done to rows, in a tree. Pure values.

A row has columns (`agentctl.graph.reads.expressions`). Rows are a bag: the same row may come twice.
`Match` is an inner join without an order of its own; a rule arranges it into `Scan`, `Join`,
`Expand` and `Reach`. An inner pattern is a plan of its own that begins at `Outer`, the different rows
of the outer columns it uses, numbered; the joins over it bring its answer back by that number.
Source: graph-engine 3.
"""

from typing import Literal

import msgspec

from agentctl.graph.reads.expressions import Column, Constant, Test
from agentctl.languages.query.plan import AggregateName, Fusion, Nearest, TextSearch
from agentctl.languages.schema.types import PropertyType

Side = Literal["source", "target"]


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A variable over the nodes of a type."""

    var: str
    type_name: str


class Hop(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Edges between two variables; ends that the text leaves open have names of our own.

    The set of endpoint pairs, or one row for each edge row where there is an *edge_var*; beyond one
    hop shortest-distance reachability.
    """

    source: str
    target: str
    source_type: str
    target_type: str
    edge_types: tuple[str, ...]
    undirected: bool = False
    edge_var: str | None = None
    hops: tuple[int, int] = (1, 1)


class Outer(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="outer"):
    """The different rows of the surrounding plan, as far as an inner pattern uses them."""

    columns: tuple[str, ...]
    mark: str
    """The column that numbers them."""


class Scan(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="scan"):
    """All nodes of a type that meet the tests, with some properties."""

    node: Node
    tests: tuple[Test, ...] = ()
    reads: tuple[str, ...] = ()
    """Names of the properties that are read with them."""


class Given(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="given"):
    """Nodes whose ids the query tells by their key; read only where a hop follows.

    Whether they are there is not looked at: an edge leads from and to nodes that are.
    """

    node: Node
    ids: tuple[str, ...]
    """Each once."""


class Edges(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="edges"):
    """All edges of one hop, with their ends: read without looking at a node first."""

    hop: Hop
    tests: tuple[Test, ...] = ()
    reads: tuple[str, ...] = ()
    ids: bool = True
    """Whether the ids of the edge variable are read: not where nobody uses them."""


class Match(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="match"):
    """The inner join of an input, nodes and edges, with tests over them; not arranged yet."""

    input: "Plan | None"
    nodes: tuple[Node, ...]
    hops: tuple[Hop, ...]
    tests: tuple[Test, ...]


class Expand(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="expand"):
    """Follows edges one hop from the *near* end; a far end that is bound already must be met."""

    input: "Plan"
    hop: Hop
    near: Side
    closes: bool = False
    """Whether the far end is bound already."""
    tests: tuple[Test, ...] = ()
    """Over the edge variable alone."""
    reads: tuple[str, ...] = ()
    """Properties of the edge; ``@src`` and ``@dst`` are its ends."""
    ids: bool = True
    """Whether the ids of the edge variable are read: not where nobody uses them."""
    executor: str = "arrow"
    """How, as the cost decided."""


class Reach(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="reach"):
    """Follows edges as many hops as its bounds say; each destination once for each start."""

    input: "Plan"
    hop: Hop
    near: Side
    closes: bool = False
    executor: str = "arrow"


class Join(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="join"):
    """Rows of both sides that agree in pairs of columns; without pairs each with each."""

    left: "Plan"
    right: "Plan"
    on: tuple[tuple[str, str], ...] = ()
    executor: str = "arrow"


class Filter(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="filter"):
    """The rows for which all tests are true."""

    input: "Plan"
    tests: tuple[Test, ...]


class Fetch(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="fetch"):
    """Adds properties of a variable, looked up by its id; null where the variable is null."""

    input: "Plan"
    var: str
    kind: Literal["node", "edge"]
    type_name: str
    reads: tuple[str, ...]


class SemiJoin(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="semi_join"):
    """The rows in which the inner plan has a match."""

    input: "Plan"
    inner: "Plan"
    outer: Outer


class AntiJoin(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="anti_join"):
    """The rows in which the inner plan has none."""

    input: "Plan"
    inner: "Plan"
    outer: Outer


class LeftJoin(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="left_join"):
    """Each row with each match of the inner plan; one without has nulls in the *adds* columns."""

    input: "Plan"
    inner: "Plan"
    outer: Outer
    adds: tuple[str, ...]


class Mark(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="mark"):
    """Adds a column that says whether the inner plan has a match, or how many."""

    input: "Plan"
    inner: "Plan"
    outer: Outer
    name: str
    counts: bool


class Search(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="search"):
    """Adds a column that says whether a text search finds the row's node; null without a text."""

    input: "Plan"
    node: Node
    search: TextSearch
    query: Column | Constant
    """What is searched for."""
    name: str


class Rank(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="rank"):
    """Keeps the rows whose node a ranking search finds and adds their place: less is better."""

    input: "Plan"
    nodes: tuple[Node, ...]
    """Of the rank, or of the two that are fused."""
    rank: TextSearch | Nearest | Fusion
    name: str
    count: int | None
    """How many rows are wanted; None for all."""


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """One aggregate over the rows of a group."""

    name: str
    function: AggregateName
    of: Column | Constant
    type: PropertyType


class Aggregate(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="aggregate"):
    """One row for each different tuple of *keys*; without keys exactly one row."""

    input: "Plan"
    keys: tuple[str, ...]
    folds: tuple[Fold, ...]
    executor: str = "arrow"


class Distinct(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="distinct"):
    """One of the rows that agree in *columns*, and nothing but those columns."""

    input: "Plan"
    columns: tuple[str, ...]


class Sorted(msgspec.Struct, frozen=True, kw_only=True):
    """One column of an order; nulls come first ascending and last descending."""

    column: str
    descending: bool = False


class Order(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="order"):
    """Rows in a total order, as far as the result tells them apart."""

    input: "Plan"
    by: tuple[Sorted, ...]
    first: int | None = None
    """How many rows are wanted of it, where a limit says so."""


class Limit(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="limit"):
    """*count* rows behind the first *offset*; all of them where it is None."""

    input: "Plan"
    offset: int
    count: int | None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One column of the result."""

    name: str
    of: Column | Constant
    type: PropertyType | None
    """None for a whole node."""
    node: Node | None = None
    reads: tuple[str, ...] = ()
    """Of a whole node: its properties, in order."""


class Project(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="project"):
    """The columns of the result, in order."""

    input: "Plan"
    outputs: tuple[Shown, ...]


Plan = (
    Outer
    | Scan
    | Given
    | Edges
    | Match
    | Expand
    | Reach
    | Join
    | Filter
    | Fetch
    | SemiJoin
    | AntiJoin
    | LeftJoin
    | Mark
    | Search
    | Rank
    | Aggregate
    | Distinct
    | Order
    | Limit
    | Project
)
