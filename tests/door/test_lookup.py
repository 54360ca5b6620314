"""The short way to an operation leads to the very one that the catalog has."""

import subprocess
import sys

import pytest

from agentctl_tools.catalog import OPERATIONS
from agentctl_tools.lookup import ALONE, find_operation


@pytest.mark.parametrize("name", sorted({*ALONE, *OPERATIONS}))
def test_an_operation_is_found_as_the_catalog_has_it(name: str) -> None:
    assert find_operation(name) is OPERATIONS[name]


def test_what_the_catalog_lacks_is_not_found() -> None:
    for name in ("", "door", "catalog", "lookup", "plan.OPERATION", "approve"):
        assert find_operation(name) is None


def test_a_plan_is_found_without_loading_every_operation() -> None:
    program = (
        "import sys; from agentctl_tools import door, lookup; lookup.find_operation('plan');"
        " assert 'agentctl_tools.catalog' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", program], check=True)
