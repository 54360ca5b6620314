"""The rules that improve a plan: the order of joins, where tests are asked, which columns are read.

Each gives a plan with the same rows. `optimised` applies them all. Pure: statistics are arguments.
Source: graph-engine 3.
"""

from agentctl.graph.reads.arranging import arranged
from agentctl.graph.reads.cost import Statistics
from agentctl.graph.reads.logical import Project
from agentctl.graph.reads.providing import provided
from agentctl.languages.schema.ir import SchemaIr


def optimised(plan: Project, ir: SchemaIr, statistics: Statistics) -> Project:
    """Returns *plan* ready to be run."""
    found = provided(arranged(plan, statistics), ir, statistics)
    assert isinstance(found, Project)
    return found
