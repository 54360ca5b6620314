"""Reads the applied approval rules back: which are in force is the ledger's to say. Writes nothing."""

from collections.abc import Mapping

from agentctl.domain.ledger.state import AppliedResource
from agentctl.domain.plan.approval_rules import AppliedRule
from agentctl.engine.catalog import Catalog
from agentctl.ids import Address

_PREFIX = "approval."


async def applied_rules(
    catalog: Catalog, recorded: Mapping[str, AppliedResource]
) -> tuple[AppliedRule, ...]:
    """Returns the rules among the applied resources, sorted by address.

    One whose content is missing, or is not what its digest says, is returned without it: it still
    holds, and opens nothing.
    """
    return tuple(
        [
            AppliedRule(
                address=Address(address),
                digest=recorded[address].digest,
                fields=await catalog.read_fields(address, recorded[address].digest),
            )
            for address in sorted(recorded)
            if address.startswith(_PREFIX)
        ]
    )
