"""Which columns the rows of a plan have, and what its parts are. Pure."""

from collections.abc import Callable, Iterator

import msgspec

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


def columns_out(plan: Plan) -> frozenset[str]:  # noqa: C901, PLR0911, PLR0912  # one case for each form
    """Returns the names of the columns of *plan*'s rows."""
    match plan:
        case Outer():
            return frozenset((*plan.columns, plan.mark))
        case Scan():
            return frozenset({plan.node.var, *named(plan.node.var, plan.reads)})
        case Given():
            return frozenset({plan.node.var})
        case Edges():
            return _of_hop(plan.hop, plan.reads)
        case Match():
            below = columns_out(plan.input) if plan.input is not None else frozenset[str]()
            own = frozenset(n.var for n in plan.nodes)
            return below.union(own, *(_of_hop(h, ()) for h in plan.hops))
        case Expand():
            return columns_out(plan.input) | _of_hop(plan.hop, plan.reads)
        case Reach():
            return columns_out(plan.input) | _of_hop(plan.hop, ())
        case Join():
            return columns_out(plan.left) | columns_out(plan.right)
        case Fetch():
            return columns_out(plan.input) | {*named(plan.var, plan.reads)}
        case LeftJoin():
            return columns_out(plan.input) | {*plan.adds}
        case Mark() | Search() | Rank():
            return columns_out(plan.input) | {plan.name}
        case Aggregate():
            return frozenset((*plan.keys, *(f.name for f in plan.folds)))
        case Distinct():
            return frozenset(plan.columns)
        case Project():
            return frozenset(o.name for o in plan.outputs)
        case Filter() | SemiJoin() | AntiJoin() | Order() | Limit():
            return columns_out(plan.input)


def named(var: str, reads: tuple[str, ...]) -> Iterator[str]:
    """Yields the names of the columns that hold properties of a variable."""
    return (f"{var}.{name}" for name in reads)


def parts(plan: Plan) -> tuple[Plan, ...]:
    """Returns the plans directly below *plan*, the input first."""
    match plan:
        case Outer() | Scan() | Given() | Edges():
            return ()
        case Match():
            return () if plan.input is None else (plan.input,)
        case Join():
            return plan.left, plan.right
        case SemiJoin() | AntiJoin() | LeftJoin() | Mark():
            return plan.input, plan.inner
        case _:
            return (plan.input,)


def mapped(plan: Plan, act: Callable[[Plan], Plan]) -> Plan:
    """Returns *plan* with each plan directly below it replaced by what *act* makes of it."""
    match plan:
        case Outer() | Scan() | Given() | Edges():
            return plan
        case Match(input=None):
            return plan
        case Join():
            return msgspec.structs.replace(plan, left=act(plan.left), right=act(plan.right))
        case SemiJoin() | AntiJoin() | LeftJoin() | Mark():
            return msgspec.structs.replace(plan, input=act(plan.input), inner=act(plan.inner))
        case _:
            assert plan.input is not None
            return msgspec.structs.replace(plan, input=act(plan.input))


def _of_hop(hop: Hop, reads: tuple[str, ...]) -> frozenset[str]:
    found = {hop.source, hop.target}
    if hop.edge_var is not None:
        found |= {hop.edge_var, *named(hop.edge_var, reads)}
    return frozenset(found)
