"""What is typed to approve names the resource; a line left empty names nothing."""

import pytest

from agentctl.domain.approval.typed_name import confirms, name_to_type


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        ("graph.old", "old"),
        ("query.supply.impact", "supply.impact"),
        ("graph.supply@past", "supply@past"),
        ("graph.supply@sandbox:01M7Y2EPRG3PHKT3GV046299G0", "supply@sandbox"),
        ("cluster", "cluster"),
        ("catalog", "catalog"),
    ],
)
def test_a_resource_is_approved_by_its_name_or_its_address_and_by_no_empty_line(
    resource: str, name: str
) -> None:
    assert name_to_type(resource) == name
    assert confirms(name, resource)
    assert confirms(resource, resource)
    assert not confirms("", resource)
    assert not confirms(None, resource)
    assert not confirms("other", resource)
