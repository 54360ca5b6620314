"""The rules that improve a plan: the order of joins, where tests are asked, which columns are read.

Each gives a plan with the same rows. `optimised` applies them all. Pure: statistics are arguments.
Source: graph-engine 3.
"""

from collections.abc import Iterator

import msgspec

from agentctl.graph.reads.arranging import arranged
from agentctl.graph.reads.cost import Statistics
from agentctl.graph.reads.expressions import columns_of
from agentctl.graph.reads.logical import (
    AntiJoin,
    Edges,
    Expand,
    Join,
    LeftJoin,
    Mark,
    Plan,
    Project,
    SemiJoin,
)
from agentctl.graph.reads.providing import provided, uses_of
from agentctl.graph.reads.shape import mapped, parts
from agentctl.languages.schema.ir import SchemaIr


def optimised(plan: Project, ir: SchemaIr, statistics: Statistics) -> Project:
    """Returns *plan* ready to be run."""
    found = slimmed(provided(arranged(plan, statistics), ir, statistics))
    assert isinstance(found, Project)
    return found


def slimmed(plan: Plan) -> Plan:
    """Returns *plan* without the ids of edges that nobody uses; a name used anywhere is kept."""
    used = frozenset(_used(plan))

    def slim(part: Plan) -> Plan:
        found = mapped(part, slim)
        if isinstance(found, Edges | Expand) and found.hop.edge_var is not None:
            return msgspec.structs.replace(found, ids=found.hop.edge_var in used)
        return found

    return slim(plan)


def _used(plan: Plan) -> Iterator[str]:
    yield from uses_of(plan)
    match plan:
        case Edges() | Expand():
            for test in plan.tests:
                yield from columns_of(test)
        case Join():
            yield from (name for pair in plan.on for name in pair)
        case SemiJoin() | AntiJoin() | Mark():
            yield from plan.outer.columns
        case LeftJoin():
            yield from (*plan.outer.columns, *plan.adds)
        case _:
            pass
    for part in parts(plan):
        yield from _used(part)
