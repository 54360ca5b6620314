"""Runs a plan over a snapshot, operator by operator. In a worker thread.

Every operator gives a `Frame`. Which executor follows edges is decided here, when it is known how
many starts there are; the rows do not depend on it. What each operator did is noted for
`explain analyze`.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from agentctl.graph.reads.budget import Budget
from agentctl.graph.reads.cost import INDEX_IDS_MAX, chosen, worth_building
from agentctl.graph.reads.evaluating import kept
from agentctl.graph.reads.executors.arrow import ArrowExpander
from agentctl.graph.reads.executors.duck import Duck, DuckExpander, groups
from agentctl.graph.reads.executors.expansion import Expander, Wanted
from agentctl.graph.reads.executors.index import IndexExpander
from agentctl.graph.reads.expanding import Leg, expanded, legs_of, reached_rows
from agentctl.graph.reads.expressions import Known
from agentctl.graph.reads.frame import Frame, Marks, codes_of
from agentctl.graph.reads.grouping import grouped
from agentctl.graph.reads.joining import Seeds, joined, left_joined, row_codes
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
)
from agentctl.graph.reads.options import ExecutorName
from agentctl.graph.reads.ordering import ordered
from agentctl.graph.reads.places import Held, Places, concatenated, texts_of
from agentctl.graph.reads.searching import Searching
from agentctl.graph.reads.source import Source
from agentctl.languages.schema.ir import IrType

MISSES_MAX: Final = 2
"""So often the edges of a type are scanned for many starts before their adjacency is built."""
_TOLD: Final = (Expand, Reach, Join, Aggregate)
"""Operators that more than one executor serves."""
WHOLE_PART_MIN: Final = 0.1
"""From this part of a type's nodes on, a column of theirs is read whole and taken by position."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What one operator did."""

    rows: int
    seconds: float
    """With the operators below it."""
    executor: str | None = None
    """How edges were followed; of a join or groups, who made them where it was not us."""
    calls: int = 1


class Execution:
    """One run of one plan."""

    def __init__(  # noqa: PLR0913  # what an execution is given
        self,
        source: Source,
        budget: Budget,
        *,
        executor: ExecutorName = "auto",
        at_hand: frozenset[str] = frozenset(),
        expanders: Mapping[str, Expander] | None = None,
        missed: Callable[[IrType, bool], int] = lambda _edge, _forward: 0,
        searching: Searching | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Reads nothing yet.

        Args:
            source: where rows come from.
            budget: its bounds.
            executor: how edges are followed.
            at_hand: edge types whose adjacency costs nothing.
            expanders: ways to follow edges beside columns and index, by name.
            missed: notes that edges in one direction were scanned, and says how often before.
            searching: what answers searches and ranks; None where the query has none.
            clock: seconds, for what `done` says.
        """
        self._source = source
        self._budget = budget
        self._executor = executor
        self._at_hand = at_hand
        self._duck = Duck(budget)
        self._arrow = ArrowExpander(source, budget)
        self._expanders: dict[str, Expander] = {
            "arrow": self._arrow,
            "index": IndexExpander(source),
            "duckdb": DuckExpander(source, budget, self._duck),
            **(expanders or {}),
        }
        self._missed = missed
        self._searching = searching
        self._clock = clock
        self._outer: dict[str, Frame] = {}
        self._used: str | None = None
        self.done: dict[int, Done] = {}
        """By the identity of the operator."""

    def frame(self, plan: Plan) -> Frame:
        """Returns the rows of *plan*.

        Raises:
            GraphError: the answer would be wrong, too large or too late.
        """
        self._budget.tick()
        began = self._clock()
        self._used = None
        found = self._run(plan)
        self._budget.holds(found.nbytes)
        self.done[id(plan)] = Done(
            rows=found.rows,
            seconds=self._clock() - began,
            executor=self._used if isinstance(plan, _TOLD) else None,
        )
        return found

    def over(self, plan: Plan, mark: str, rows: Frame) -> Frame:
        """Returns the rows of *plan*, which begins at the outer rows *mark*: these."""
        self._outer[mark] = rows
        return self.frame(plan)

    def _run(self, plan: Plan) -> Frame:  # noqa: C901, PLR0911, PLR0912  # one case for each form
        match plan:
            case Outer():
                return self._outer.get(plan.mark, Frame(1, {}))
            case Scan():
                owner = self._source.node(plan.node.type_name)
                return self._source.scan(
                    owner, var=plan.node.var, reads=plan.reads, tests=plan.tests
                )
            case Given():
                return Frame(len(plan.ids), {plan.node.var: pa.array(plan.ids, pa.utf8())})
            case Edges():
                return self._edges(plan)
            case Expand():
                frame = self.frame(plan.input)
                expander, legs = self._ways(plan.hop, frame, near=plan.near)
                found = expanded(frame, plan, legs, expander, self._budget)
                self._used = expander.served
                return found
            case Reach():
                frame = self.frame(plan.input)
                expander, legs = self._ways(plan.hop, frame, near=plan.near)
                found = reached_rows(frame, plan, legs, expander, self._budget)
                self._used = expander.served
                return found
            case Join():
                return self._joined(plan)
            case Filter():
                return self._filtered(plan)
            case Fetch():
                return self._fetched(plan)
            case SemiJoin() | AntiJoin() | LeftJoin() | Mark():
                return self._answered(plan)
            case Search() | Rank():
                assert self._searching is not None, "who searches says how"
                whole = self._searching.of_all(plan) if isinstance(plan, Rank) else None
                return whole or self._searching.answered(plan, self.frame(plan.input))
            case Aggregate():
                return self._grouped(plan)
            case Distinct():
                frame = self.frame(plan.input)
                _, first = row_codes(frame, plan.columns)
                return frame.select(plan.columns).take(first)
            case Order():
                return ordered(self.frame(plan.input), plan.by, plan.first)
            case Limit():
                return self.frame(plan.input).slice(plan.offset, plan.count)
            case Project():
                return self.frame(plan.input)
            case Match():
                msg = "a plan is arranged before it runs"
                raise AssertionError(msg)

    def _ways(self, hop: Hop, frame: Frame, *, near: str) -> tuple[Expander, list[Leg]]:
        """Returns how to follow a hop from the rows of *frame*."""
        edges = [self._source.edge(name) for name in hop.edge_types]
        legs = legs_of(hop, edges, near_is_source=near == "source")
        if self._executor in self._expanders:
            return self._expanders[self._executor], legs
        if self._executor != "auto":
            return self._arrow, legs
        var = hop.source if near == "source" else hop.target
        starts = len(codes_of(frame.columns[var])[0]) if frame.rows <= 2_000 else frame.rows
        edge_rows = sum(self._source.rows(e) for e in edges)
        way = chosen(
            starts,
            edge_rows,
            cached=all(e.name in self._at_hand for e in edges),
            repeated=hop.hops[1],
        )
        if way == "index" or (way == "arrow" and starts > INDEX_IDS_MAX):
            often = min(self._missed(leg.edge, leg.forward) for leg in legs)
            pays = often >= MISSES_MAX
            if way == "index":
                pays = worth_building(often, edge_rows, left_s=self._budget.left_s)
            way = "csr" if pays else way
        return self._expanders.get(way, self._arrow), legs

    def _joined(self, plan: Join) -> Frame:
        left, right = self.frame(plan.left), self.frame(plan.right)
        self._used = None
        if self._executor != "duckdb" or not plan.on:
            return joined(left, right, plan.on, self._budget)
        self._used = "duckdb"
        row, at = self._duck.pairs([left[a] for a, _ in plan.on], [right[b] for _, b in plan.on])
        return left.take(row).having(right.take(at).columns)

    def _grouped(self, plan: Aggregate) -> Frame:
        frame = self.frame(plan.input)
        self._used = None
        if self._executor == "duckdb" and groups(frame, plan.keys, plan.folds):
            self._used = "duckdb"
            return self._duck.grouped(frame, plan.keys, plan.folds)
        return grouped(frame, plan.keys, plan.folds)

    def _edges(self, plan: Edges) -> Frame:
        """Returns all edges of a hop; endpoint pairs once where there is no edge variable."""
        hop = plan.hop
        edges = [self._source.edge(name) for name in hop.edge_types]
        wanted = Wanted(var=hop.edge_var, ids=plan.ids, reads=plan.reads, tests=plan.tests)
        parts: list[Frame] = []
        for leg in legs_of(hop, edges, near_is_source=True):
            found = self._arrow.all(leg.edge, wanted)
            ends = ("src", "dst") if leg.forward else ("dst", "src")
            rest = {n: c for n, c in found.columns.items() if n not in ends}
            frame = Frame(
                found.rows, {"~source": found[ends[0]], "~target": found[ends[1]], **rest}
            )
            if not leg.forward and hop.edge_var is not None:
                frame = frame.filter(pc.not_equal(frame["~source"], frame["~target"]))
            parts.append(frame)
        whole = parts[0] if len(parts) == 1 else _stacked(parts)
        if hop.edge_var is None:
            _, first = row_codes(whole, ["~source", "~target"])
            whole = whole if len(first) == whole.rows else whole.take(first)
        if hop.source == hop.target:
            whole = whole.filter(pc.equal(whole["~source"], whole["~target"]))
        named = {hop.source: whole["~source"], hop.target: whole["~target"]}
        rest = {n: c for n, c in whole.columns.items() if not n.startswith("~")}
        return Frame(whole.rows, {**named, **rest})

    def _filtered(self, plan: Filter) -> Frame:
        frame = self.frame(plan.input)
        if any(isinstance(t, Known) and t.value is not True for t in plan.tests):
            return frame.slice(0, 0)
        return kept(plan.tests, frame)

    def _fetched(self, plan: Fetch) -> Frame:
        frame = self.frame(plan.input)
        reads = tuple(name for name in plan.reads if name != "@type")
        if len(reads) < len(plan.reads):
            there = frame.columns[plan.var].is_valid()
            types = pc.if_else(there, plan.type_name, pa.scalar(None, pa.utf8()))
            frame = frame.having({f"{plan.var}.@type": types})
        if not reads:
            return frame
        owner = self._source.node(plan.type_name)
        column = frame.columns[plan.var]
        ids, codes = codes_of(column)
        if isinstance(column, Places) and len(ids) > WHOLE_PART_MIN * len(column.texts):
            found: Mapping[str, Held] = self._source.whole(owner, var=plan.var, reads=reads).columns
            places = column.at
        else:
            found = self._source.lookup(owner, texts_of(ids), var=plan.var, reads=reads)
            places = pa.array(codes, mask=codes < 0)
        size = sum(column.nbytes for column in found.values())
        row_bytes = size / max(len(next(iter(found.values()))), 1)
        self._budget.room(rows=frame.rows, row_bytes=row_bytes + frame.nbytes / max(frame.rows, 1))
        return frame.having({name: column.take(places) for name, column in found.items()})

    def _answered(self, plan: SemiJoin | AntiJoin | LeftJoin | Mark) -> Frame:
        """Runs an inner plan over the different rows that it sees of the outer one."""
        frame = self.frame(plan.input)
        mark = plan.outer.mark
        seeds = Seeds(frame, plan.outer.columns, mark)
        before = self._outer.get(mark)
        self._outer[mark] = seeds.frame
        inner = self.frame(plan.inner)
        del self._outer[mark]
        assert before is None, "a mark is of one inner plan"
        if isinstance(plan, LeftJoin):
            return left_joined(frame, seeds, inner, plan.adds, mark, self._budget)
        counts = seeds.counts(inner, mark)
        match plan:
            case SemiJoin():
                return _where(frame, counts > 0)
            case AntiJoin():
                return _where(frame, counts == 0)
            case Mark():
                column = pa.array(counts) if plan.counts else pa.array(counts > 0)
                return frame.having({plan.name: column})


def _where(frame: Frame, there: Marks) -> Frame:
    return frame.filter(pa.array(there))


def _stacked(parts: list[Frame]) -> Frame:
    names = list(parts[0].columns)
    return Frame(
        sum(p.rows for p in parts), {n: concatenated([p.columns[n] for p in parts]) for n in names}
    )
