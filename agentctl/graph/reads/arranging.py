"""The rule that arranges inner joins: where to begin, which edge to follow next, when to test.

Each connected part begins at its most selective variable and grows edge by edge, the one that
leaves the fewest rows first; parts that an equality connects are joined by it, others each with
each, the small ones first. A test is asked as soon as its variables are there. Pure.
"""

from collections.abc import Iterable, Sequence

from agentctl.graph.reads.cost import (
    Statistics,
    degree,
    estimated_rows,
    expanded_rows,
    selectivity,
)
from agentctl.graph.reads.expressions import (
    Among,
    Column,
    Compare,
    Constant,
    Known,
    Test,
    variable_of,
    variables_of,
)
from agentctl.graph.reads.logical import (
    Edges,
    Expand,
    Filter,
    Given,
    Hop,
    Join,
    Match,
    Node,
    Outer,
    Plan,
    Reach,
    Scan,
    Side,
)
from agentctl.graph.reads.shape import columns_out, mapped
from agentctl.languages.schema.types import Scalar

UNIT = Outer(columns=(), mark="#")
"""The plan of one row without columns."""


def arranged(plan: Plan, statistics: Statistics) -> Plan:
    """Returns *plan* without a `Match`."""
    found = mapped(plan, lambda part: arranged(part, statistics))
    return _Arranging(found, statistics).plan() if isinstance(found, Match) else found


class _Arranging:
    """One inner join while it is arranged."""

    def __init__(self, match: Match, statistics: Statistics) -> None:
        self._statistics = statistics
        self._input = match.input
        self._known = [t for t in match.tests if isinstance(t, Known)]
        self._tests = [t for t in match.tests if not isinstance(t, Known)]
        self._hops = list(match.hops)
        self._nodes = {n.var: n for n in match.nodes}
        for hop in match.hops:
            for var, type_name in (
                (hop.source, hop.source_type),
                (hop.target, hop.target_type),
            ):
                self._nodes.setdefault(var, Node(var=var, type_name=type_name))
        self._edge_types = {
            h.edge_var: h.edge_types[0] for h in match.hops if h.edge_var is not None
        }
        self._bound = (
            {c for c in columns_out(match.input) if "." not in c} if match.input else set[str]()
        )

    def plan(self) -> Plan:
        found: list[Plan] = []
        given = self._input
        if given is not None:
            found.append(self._grown(self._tested(given)))
        while True:
            start = self._start()
            if start is None:
                break
            found.append(self._grown(start))
        whole = self._joined(found) if found else UNIT
        tests = (*self._known_left(whole), *self._tests)
        return Filter(input=whole, tests=tests) if tests else whole

    def _known_left(self, whole: Plan) -> list[Test]:
        """Returns the constant tests that no scan could take."""
        wrong = [t for t in self._known if t.value is not True]
        return [] if not wrong or isinstance(whole, Scan) else list(wrong)

    def _start(self) -> Plan | None:
        """Returns how to begin the next part: at its most selective node, or with its edges."""
        left = [n for var, n in self._nodes.items() if var not in self._bound]
        if not left:
            return None
        wrong = tuple(t for t in self._known if t.value is not True)
        scans = [Scan(node=n, tests=(*wrong, *self._own(n.var))) for n in left]
        best = min(scans, key=lambda s: estimated_rows(s, self._statistics))
        edges = [] if best.tests else self._edges_first()
        if edges:
            first = edges[0]
            self._hops.remove(first.hop)
            self._bound |= {first.hop.source, first.hop.target}
            self._took(first.tests)
            if first.hop.edge_var is not None:
                self._bound.add(first.hop.edge_var)
            return self._tested(first)
        self._bound.add(best.node.var)
        self._took(best.tests)
        return self._given(best) or best

    def _given(self, scan: Scan) -> Given | None:
        """Returns the nodes that a scan by key would find where a hop goes on from them, or None."""
        var = scan.node.var
        if len(scan.tests) != 1 or not any(var in (h.source, h.target) for h in self._hops):
            return None
        values: tuple[object, ...] = ()
        match scan.tests[0]:
            case Compare(comparison="=", left=Column() as column, right=Constant(value=value)):
                values = (value,)
            case Among(operand=Column() as column, values=Constant(value=tuple(among))):
                values = among
            case _:
                return None
        prop = column.name.partition(".")[2]
        is_id = not prop and column.name == var
        if not is_id and (scan.node.type_name, prop) not in self._statistics.keyed:
            return None
        spells = str if column.type.scalar is Scalar.STRING else int
        if not all(type(value) is spells for value in values):
            return None
        return Given(node=scan.node, ids=tuple(dict.fromkeys(str(v) for v in values)))

    def _edges_first(self) -> list[Edges]:
        """Returns the hops whose edges can be read before any node, the fewest first."""
        found = [
            Edges(hop=h, tests=tuple(self._own(h.edge_var)) if h.edge_var else ())
            for h in self._hops
            if h.hops == (1, 1) and not {h.source, h.target} & self._bound
        ]
        return sorted(found, key=lambda e: estimated_rows(e, self._statistics))

    def _grown(self, plan: Plan) -> Plan:
        """Returns *plan* with every edge followed that touches what it binds."""
        inside = {c for c in columns_out(plan) if "." not in c}
        while True:
            near = [h for h in self._hops if {h.source, h.target} & inside]
            if not near:
                return plan
            rows = estimated_rows(plan, self._statistics)
            hop = min(near, key=lambda h: self._cost(h, inside, rows))
            self._hops.remove(hop)
            plan = self._followed(plan, hop, inside)
            inside |= {v for v in (hop.source, hop.target, hop.edge_var) if v is not None}
            self._bound |= inside
            plan = self._tested(plan)

    def _cost(self, hop: Hop, inside: set[str], rows: float) -> tuple[bool, float]:
        """Returns how many rows a hop leaves; one between two bound ends comes first."""
        side = self._side(hop, inside)
        far = hop.target if side == "source" else hop.source
        found = expanded_rows(rows, hop, side, self._statistics)
        type_name = self._nodes[far].type_name
        for test in self._own(far):
            found *= selectivity(test, type_name, self._statistics)
        return not {hop.source, hop.target} <= inside, found

    def _side(self, hop: Hop, inside: set[str]) -> Side:
        """Returns from which end a hop is followed: of two bound ones where fewer edges are."""
        if hop.target not in inside:
            return "source"
        if hop.source not in inside:
            return "target"
        out, back = (degree(hop, side, self._statistics) for side in ("source", "target"))
        return "source" if out <= back else "target"

    def _followed(self, plan: Plan, hop: Hop, inside: set[str]) -> Plan:
        side = self._side(hop, inside)
        closes = {hop.source, hop.target} <= inside
        if hop.hops != (1, 1):
            return Reach(input=plan, hop=hop, near=side, closes=closes)
        tests = tuple(self._own(hop.edge_var)) if hop.edge_var is not None else ()
        self._took(tests)
        return Expand(input=plan, hop=hop, near=side, closes=closes, tests=tests)

    def _own(self, var: str) -> list[Test]:
        """Returns the tests on *var* alone."""
        return [t for t in self._tests if variables_of(t) == {var}]

    def _took(self, tests: Iterable[Test]) -> None:
        taken = [id(t) for t in tests]
        self._tests = [t for t in self._tests if id(t) not in taken]

    def _tested(self, plan: Plan) -> Plan:
        """Returns *plan* with the tests asked whose variables it binds."""
        inside = {c for c in columns_out(plan) if "." not in c}
        ready = tuple(t for t in self._tests if variables_of(t) <= inside)
        self._took(ready)
        return Filter(input=plan, tests=ready) if ready else plan

    def _joined(self, plans: Sequence[Plan]) -> Plan:
        """Returns the join of the parts, the small first, by equalities where there are some."""
        left = sorted(plans, key=lambda p: estimated_rows(p, self._statistics))
        whole = left.pop(0)
        while left:
            keyed = [(p, self._equalities(whole, p)) for p in left]
            part, tests = next(((p, t) for p, t in keyed if t), keyed[0])
            left.remove(part)
            on = tuple(_pair(t, columns_out(whole)) for t in tests)
            self._took(tests)
            whole = self._tested(Join(left=whole, right=part, on=on))
        return whole

    def _equalities(self, one: Plan, other: Plan) -> list[Compare]:
        """Returns the tests that two plans' rows are joined by: equal values of one type."""
        names, others = columns_out(one), columns_out(other)
        found: list[Compare] = []
        for test in self._tests:
            if not isinstance(test, Compare) or test.comparison != "=":
                continue
            if not isinstance(test.left, Column) or not isinstance(test.right, Column):
                continue
            left, right = variable_of(test.left.name), variable_of(test.right.name)
            across = (left in names and right in others) or (left in others and right in names)
            plain = not test.left.type.list and not test.right.type.list
            if across and plain and test.left.type.scalar is test.right.type.scalar:
                found.append(test)
        return found


def _pair(test: Compare, first: frozenset[str]) -> tuple[str, str]:
    """Returns the columns of an equality, that of the first plan first."""
    assert isinstance(test.left, Column)
    assert isinstance(test.right, Column)
    names = test.left.name, test.right.name
    return names if variable_of(names[0]) in first else (names[1], names[0])
