"""Finds one operation without loading all of them: a verb that people run all day starts sooner.

The catalog is the registry. What stands here is a shorter way to some of its entries, and a test
holds that each leads to the very operation that the catalog has under that name.
"""

import importlib
from typing import Final

from agentctl_tools.operation import Operation

ALONE: Final = frozenset({"plan", "plan_show", "status", "validate"})
"""Operations that are `OPERATION` of the module of their own name, and are looked up by it."""


def find_operation(name: str) -> Operation | None:
    """Returns the operation that the catalog has under *name*; None where it has none."""
    if name in ALONE:
        found = importlib.import_module(f"agentctl_tools.{name}").OPERATION
        assert isinstance(found, Operation)
        return found
    from agentctl_tools.catalog import OPERATIONS

    return OPERATIONS.get(name)
