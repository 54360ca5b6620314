"""A checked query as a logical plan, in the order of the text; rules improve it. Pure.

A pattern becomes an inner join of its nodes and edges, then the answers of its inner patterns, then
its optional blocks one by one, each followed by what could only then be matched. Parameters are
filled in. Source: languages 2.2, 3.1.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count

import msgspec

from agentctl.graph.reads.conditions import Below, Conditions
from agentctl.graph.reads.expressions import Marked, Negated, Test
from agentctl.graph.reads.logical import (
    AntiJoin,
    Filter,
    Hop,
    LeftJoin,
    Mark,
    Match,
    Node,
    Outer,
    Plan,
    Search,
    SemiJoin,
)
from agentctl.graph.reads.refusing import unfit
from agentctl.graph.reads.scoping import made, needed, needed_by_condition
from agentctl.languages.query.plan import (
    Condition,
    Exists,
    Matches,
    Pattern,
    PropertyRef,
    Traversal,
)
from agentctl.languages.schema.ir import IrType, SchemaIr
from agentctl.languages.schema.types import NUMERIC, PropertyType


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """What a variable stands for."""

    kind: str
    type_name: str
    nullable: bool = False


Scope = Mapping[str, Variable]


class Lowering:
    """Lowers the patterns of one query; names of our own are never given twice."""

    def __init__(self, ir: SchemaIr, params: Mapping[str, object], now: int) -> None:
        self.ir = ir
        self.params = params
        self.now = now
        self._numbers = count()

    def fresh(self, prefix: str = "?") -> str:
        """Returns a name that no variable can have."""
        return f"{prefix}{next(self._numbers)}"

    def conditions(self, scope: Scope) -> Conditions:
        """Returns what lowers conditions and operands where *scope* is seen."""

        def type_of(var: str) -> tuple[str, bool]:
            found = scope[var]
            return found.type_name, found.nullable

        return Conditions(
            self.params,
            self.now,
            type_of=type_of,
            fresh=self.fresh,
            property_type=lambda ref: self.property_type(ref, scope),
        )

    def property_type(self, ref: PropertyRef, scope: Scope) -> PropertyType:
        """Returns the type in which the graph has a property; numbers may have another width.

        Raises:
            GraphError: the graph's schema has it no longer, or in a type that the query does not fit.
        """
        owner = self.type(scope[ref.var].kind, scope[ref.var].type_name)
        found = next((p.type for p in owner.properties if p.name == ref.property), None)
        if found is None:
            raise unfit(missing=f"property {ref.property!r} of {owner.name}")
        alike = found.scalar is ref.type.scalar or {found.scalar, ref.type.scalar} <= NUMERIC
        if not alike or (found.list, found.vector_dim) != (ref.type.list, ref.type.vector_dim):
            raise unfit(missing=f"property {ref.property!r} of {owner.name} in the type it had")
        return msgspec.structs.replace(ref.type, scalar=found.scalar)

    def node_of(self, ref: PropertyRef, scope: Scope) -> Node:
        """Returns the node whose property is searched."""
        self.property_type(ref, scope)
        return Node(var=ref.var, type_name=scope[ref.var].type_name)

    def pattern(self, pattern: Pattern, given: Plan | None, scope: Scope) -> tuple[Plan, Scope]:
        """Returns the plan of *pattern* over the rows of *given*, and what is seen behind it."""
        return _Block(self, pattern, scope).plan(given)

    def inner(self, pattern: Pattern, scope: Scope) -> tuple[Plan, Outer, Scope]:
        """Returns the plan of a pattern inside a row where *scope* is seen."""
        outer = Outer(columns=tuple(sorted(needed(pattern))), mark=self.fresh("#"))
        seen = {var: scope[var] for var in outer.columns}
        plan, within = self.pattern(pattern, outer, seen)
        return plan, outer, within

    def type(self, kind: str, name: str) -> IrType:
        """Returns a type of the graph.

        Raises:
            GraphError: the graph's schema has it no longer.
        """
        found = self.ir.type_named(kind, name)
        if found is None:
            raise unfit(missing=f"{kind} type {name!r}")
        return found

    def hop(self, step: Traversal) -> Hop:
        """Returns *step* with a name for each end."""
        edges = [self.type("edge", name) for name in (step.edge_type, *step.alternatives)]
        source, target = edges[0].source, edges[0].target
        if any((e.source, e.target) != (source, target) for e in edges):
            raise unfit(missing=f"edge types {step.edge_type!r} and others between the same types")
        assert source is not None
        assert target is not None
        return Hop(
            source=step.source or self.fresh("~"),
            target=step.target or self.fresh("~"),
            source_type=source,
            target_type=target,
            edge_types=tuple(e.name for e in edges),
            undirected=step.undirected,
            edge_var=step.edge_var,
            hops=step.hops,
        )


class _Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A condition, and the variables that must be bound before it."""

    condition: Condition
    names: frozenset[str]


class _Block:
    """One pattern while it is lowered."""

    def __init__(self, lowering: Lowering, pattern: Pattern, scope: Scope) -> None:
        self._lowering = lowering
        self._pattern = pattern
        self._scope: dict[str, Variable] = dict(scope)
        self._bound = {*scope}
        for binding in pattern.bindings:
            lowering.type("node", binding.type_name)
            self._see(binding.var, "node", binding.type_name)
        self._hops = [lowering.hop(step) for step in pattern.traversals]
        for hop in self._hops:
            self._must_meet(hop)
            if hop.edge_var is not None:
                self._see(hop.edge_var, "edge", hop.edge_types[0])
        self._conditions = [
            _Waiting(condition=c, names=needed_by_condition(c)) for c in pattern.filters
        ]
        self._negations = [(p, needed(p)) for p in pattern.negations]
        self._stages = _stages(pattern, self._hops, self._bound)

    def plan(self, given: Plan | None) -> tuple[Plan, Scope]:
        found = given
        for stage in range(len(self._pattern.optionals) + 1):
            if stage:
                assert found is not None
                found = self._optional(found, self._pattern.optionals[stage - 1])
            found = self._matched(found, stage)
            found = self._answered(found)
        assert found is not None, "the first stage gives rows"
        assert not self._conditions
        assert not self._negations
        return found, self._scope

    def _must_meet(self, hop: Hop) -> None:
        """Refuses edges that lead from or to other types than the query was checked with."""
        for var, type_name in ((hop.source, hop.source_type), (hop.target, hop.target_type)):
            if var in self._scope and self._scope[var].type_name != type_name:
                raise unfit(missing=f"edge type {hop.edge_types[0]!r} between the types it had")

    def _see(self, var: str, kind: str, type_name: str) -> None:
        self._scope[var] = Variable(kind=kind, type_name=type_name)

    def _matched(self, given: Plan | None, stage: int) -> Plan:
        """Joins the nodes and edges of a stage, with the conditions that need nothing else."""
        nodes = [
            Node(var=b.var, type_name=b.type_name)
            for b in self._pattern.bindings
            if self._stages.nodes[b.var] == stage
        ]
        hops = [h for h, s in zip(self._hops, self._stages.hops, strict=True) if s == stage]
        self._bound |= {n.var for n in nodes}
        self._bound |= {v for h in hops for v in (h.source, h.target, h.edge_var) if v is not None}
        tests: list[Test] = []
        for waiting in self._ready(self._conditions):
            lowered = self._lowering.conditions(self._scope)
            test = lowered.test(waiting.condition)
            if not lowered.below:
                tests.append(test)
                self._conditions.remove(waiting)
        if given is None or nodes or hops:
            return Match(input=given, nodes=tuple(nodes), hops=tuple(hops), tests=tuple(tests))
        return Filter(input=given, tests=tuple(tests)) if tests else given

    def _answered(self, given: Plan) -> Plan:
        """Adds what inner patterns and searches answer, and keeps the rows that pass."""
        found = given
        for waiting in self._ready(self._conditions):
            self._conditions.remove(waiting)
            lowered = self._lowering.conditions(self._scope)
            test = lowered.test(waiting.condition)
            found = self._tested(found, test, lowered.below)
        for negation, names in [n for n in self._negations if n[1] <= self._bound]:
            self._negations.remove((negation, names))
            inner, outer, _ = self._lowering.inner(negation, self._scope)
            found = AntiJoin(input=found, inner=inner, outer=outer)
        return found

    def _tested(self, given: Plan, test: Test, below: Sequence[Below]) -> Plan:
        only = below[0].asks if len(below) == 1 else None
        if isinstance(only, Exists) and isinstance(test, Marked):
            inner, outer, _ = self._lowering.inner(only.pattern, self._scope)
            return SemiJoin(input=given, inner=inner, outer=outer)
        if isinstance(only, Exists) and isinstance(test, Negated) and isinstance(test.test, Marked):
            inner, outer, _ = self._lowering.inner(only.pattern, self._scope)
            return AntiJoin(input=given, inner=inner, outer=outer)
        found = given
        for part in below:
            found = self._marked(found, part)
        return Filter(input=found, tests=(test,))

    def _marked(self, given: Plan, part: Below) -> Plan:
        asks = part.asks
        if isinstance(asks, Exists | Matches):
            inner, outer, _ = self._lowering.inner(asks.pattern, self._scope)
            return Mark(
                input=given,
                inner=inner,
                outer=outer,
                name=part.name,
                counts=isinstance(asks, Matches),
            )
        search = asks.search
        node = self._lowering.node_of(search.field, self._scope)
        query = self._lowering.conditions(self._scope).operand(search.query)
        return Search(input=given, node=node, search=search, query=query, name=part.name)

    def _optional(self, given: Plan, optional: Pattern) -> Plan:
        inner, outer, within = self._lowering.inner(optional, self._scope)
        adds = sorted(made(optional))
        for var in adds:
            self._scope[var] = msgspec.structs.replace(within[var], nullable=True)
        self._bound.update(adds)
        return LeftJoin(input=given, inner=inner, outer=outer, adds=tuple(adds))

    def _ready(self, waiting: Iterable[_Waiting]) -> list[_Waiting]:
        return [w for w in waiting if w.names <= self._bound]


class _Stages(msgspec.Struct, frozen=True, kw_only=True):
    """Behind how many optional blocks each node and each hop of a pattern is matched."""

    nodes: Mapping[str, int]
    hops: Sequence[int]


def _stages(pattern: Pattern, hops: Sequence[Hop], given: set[str]) -> _Stages:
    """Puts each hop behind the optional blocks whose variables it names.

    What hangs together with such a hop and nothing else, and no earlier block needs, waits for it
    too: matched before, it would be joined each with each. Inner joins and left joins over other
    variables commute, so the order decides nothing but the cost.
    """
    optional = {
        var: number for number, block in enumerate(pattern.optionals, 1) for var in made(block)
    }
    stage_of_hop = [max((optional.get(v, 0) for v in _ends(h)), default=0) for h in hops]
    stages = dict.fromkeys((b.var for b in pattern.bindings), 0)
    for group in _groups(stages, hops, optional):
        near = [s for h, s in zip(hops, stage_of_hop, strict=True) if group & _ends(h)]
        anchored = any((_ends(h) & given) - group for h in hops if group & _ends(h))
        late = [s for s in near if s]
        if not late or anchored:
            continue
        first = min(late)
        if any(group & needed(block) for block in pattern.optionals[:first]):
            continue
        stages.update(dict.fromkeys(group, first))
        stage_of_hop = [
            max(s, first) if group & _ends(h) else s
            for h, s in zip(hops, stage_of_hop, strict=True)
        ]
    return _Stages(nodes=stages, hops=stage_of_hop)


def _groups(
    nodes: Iterable[str], hops: Sequence[Hop], optional: Mapping[str, int]
) -> list[set[str]]:
    """Returns the nodes that hang together by hops that name no optional variable."""
    groups = [{var} for var in nodes]
    for hop in hops:
        ends = _ends(hop)
        if ends & optional.keys():
            continue
        touched = [g for g in groups if g & ends]
        if len(touched) > 1:
            groups = [g for g in groups if not g & ends]
            groups.append(set[str]().union(*touched))
    return groups


def _ends(hop: Hop) -> set[str]:
    return {hop.source, hop.target}
