"""What the applied aliases, bindings and embeddings refer to, of those that a plan changes. Writes nothing."""

from collections.abc import Iterator, Mapping
from typing import Final

from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.ledger.state import State
from agentctl.engine.catalog import Catalog
from agentctl.ids import Address, parse_address

_REFERRING: Final = ("alias.", "binding.", "embedding.")


async def referred_by(
    catalog: Catalog, state: State | None, desired: DesiredCluster
) -> dict[str, tuple[Address, ...]]:
    """Returns, by address, the recorded resources that the applied fields name.

    Of one whose fields cannot be read nothing is known: it is `refresh` that tells so.
    """
    if state is None:
        return {}
    recorded, wanted = state.applied_revision.resources, desired.resource_digests
    found: dict[str, tuple[Address, ...]] = {}
    for address in sorted(a for a in recorded if a.startswith(_REFERRING)):
        digest = recorded[address].digest
        if wanted.get(address) == digest:
            continue
        fields = await catalog.read_fields(address, digest)
        named = {a for a in _addresses(fields or {}) if a in recorded and a != address}
        found[address] = tuple(sorted(named))
    return found


def _addresses(value: object) -> Iterator[Address]:
    if isinstance(value, str):
        yield from () if parse_address(value) is None else (Address(value),)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _addresses(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _addresses(inner)
