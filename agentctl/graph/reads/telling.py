"""How an operator of a plan is told: its name, and what it works on, in a line. Pure.

Names are those of the query; values are shown in short, printable ASCII.
"""

from collections.abc import Iterable
from typing import Final

from agentctl.graph.reads.expressions import (
    Among,
    Column,
    Compare,
    Constant,
    IsNull,
    Joined,
    Known,
    Marked,
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
)
from agentctl.graph.values import shown
from agentctl.languages.query.plan import Fusion, Nearest, TextSearch

_TOLD_COUNT: Final = 5
"""So many of a list's values are told."""


def told(plan: Plan) -> tuple[str, str]:  # noqa: C901, PLR0911, PLR0912  # one case for each form
    """Returns the name of an operator and what it works on."""
    match plan:
        case Outer():
            return "outer", _listed(_var(c) for c in plan.columns)
        case Scan():
            reads = f" reading {_listed(plan.reads)}" if plan.reads else ""
            what = f"{_var(plan.node.var)}: {plan.node.type_name}{reads}"
            return "scan", what + _where(plan.tests)
        case Given():
            some = _listed(shown(i) for i in plan.ids[:_TOLD_COUNT])
            more = f" and {len(plan.ids) - _TOLD_COUNT} more" if len(plan.ids) > _TOLD_COUNT else ""
            return "given", f"{_var(plan.node.var)}: {plan.node.type_name} {some}{more}"
        case Edges():
            return "edges", _hop(plan.hop) + _where(plan.tests)
        case Match():
            return "match", _listed(_var(n.var) for n in plan.nodes)
        case Expand():
            how = " back to what is bound" if plan.closes else ""
            return "expand", f"{_hop(plan.hop)} from its {plan.near}{how}" + _where(plan.tests)
        case Reach():
            how = " back to what is bound" if plan.closes else ""
            return "reach", f"{_hop(plan.hop)} from its {plan.near}{how}"
        case Join():
            pairs = _listed(f"{_var(a)} = {_var(b)}" for a, b in plan.on)
            return "join", pairs or "each with each"
        case Filter():
            return "filter", " and ".join(_test(t) for t in plan.tests)
        case Fetch():
            return "fetch", f"{_var(plan.var)}: {plan.type_name} reading {_listed(plan.reads)}"
        case SemiJoin():
            return "semi join", "rows with a match below"
        case AntiJoin():
            return "anti join", "rows without a match below"
        case LeftJoin():
            return "left join", f"adding {_listed(_var(c) for c in plan.adds)}"
        case Mark():
            return "mark", ("how many matches" if plan.counts else "whether a match") + " below"
        case Search():
            return "search", f"{plan.search.function}({_var(plan.node.var)}.{_field(plan)})"
        case Rank():
            parts = [plan.rank.first, plan.rank.second] if isinstance(plan.rank, Fusion) else []
            named = [p.field for p in parts] if parts else [_only(plan).field]
            return "rank", _listed(f"{_var(f.var)}.{f.property}" for f in named)
        case Aggregate():
            by = f" by {_listed(_var(k) for k in plan.keys)}" if plan.keys else ""
            return "aggregate", _listed(f.function for f in plan.folds) + by
        case Distinct():
            return "distinct", _listed(_var(c) for c in plan.columns)
        case Order():
            items = (_var(s.column) + (" desc" if s.descending else "") for s in plan.by)
            first = "" if plan.first is None else f", the first {plan.first}"
            return "order", _listed(items) + first
        case Limit():
            behind = f" behind {plan.offset}" if plan.offset else ""
            return "limit", f"{'all' if plan.count is None else plan.count}{behind}"
        case Project():
            return "project", _listed(o.name for o in plan.outputs)


def _only(plan: Rank) -> TextSearch | Nearest:
    assert not isinstance(plan.rank, Fusion)
    return plan.rank


def _field(plan: Search) -> str:
    return plan.search.field.property


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


def _var(column: str) -> str:
    """Returns a column as the query would write it; what has no name there as ours."""
    return f"${column}" if column[:1].isalpha() or column[:1] == "_" else column


def _hop(hop: Hop) -> str:
    names = " | ".join(hop.edge_types)
    if hop.undirected:
        names = f"<{names}>"
    var = f"${hop.edge_var}: " if hop.edge_var is not None else ""
    bounds = "" if hop.hops == (1, 1) else f"{{{hop.hops[0]},{hop.hops[1]}}}"
    return f"{_var(hop.source)} ({var}{names}){bounds} {_var(hop.target)}"


def _where(tests: tuple[Test, ...]) -> str:
    return f" where {' and '.join(_test(t) for t in tests)}" if tests else ""


def _test(test: Test) -> str:  # noqa: PLR0911  # one case for each form
    match test:
        case Compare():
            return f"{_operand(test.left)} {test.comparison} {_operand(test.right)}"
        case Among():
            return f"{_operand(test.operand)} in {_operand(test.values)}"
        case IsNull():
            return f"{_var(test.column)} is {'not ' if test.negated else ''}null"
        case Marked():
            return test.name
        case Known():
            return {True: "true", False: "false", None: "unknown"}[test.value]
        case Negated():
            return f"not ({_test(test.test)})"
        case Joined():
            return f" {test.word} ".join(f"({_test(t)})" for t in test.tests)


def _operand(operand: Column | Constant) -> str:
    return _var(operand.name) if isinstance(operand, Column) else shown(operand.value)
