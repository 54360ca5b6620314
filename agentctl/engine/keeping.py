"""How long deleted graphs are kept: the applied setting, which outlives the folder that set it."""

from agentctl.domain.ledger.sidecar import RETENTION_S
from agentctl.domain.ledger.state import State
from agentctl.engine.catalog import Catalog
from agentctl.ids import OPS


async def retention_s(catalog: Catalog, state: State | None) -> int | None:
    """Returns the applied ``ops.retention.detached``; None where it is applied and cannot be read.

    What cannot be read shortens nothing: such graphs are kept until somebody decides about them.
    """
    applied = state.applied_revision.resources.get(OPS) if state is not None else None
    if applied is None:
        return RETENTION_S
    fields = await catalog.read_fields(OPS, applied.digest)
    if fields is None:
        return None
    retention = fields.get("retention")
    if retention is None:
        return RETENTION_S
    kept_s = retention.get("detached", RETENTION_S) if isinstance(retention, dict) else None
    return kept_s if isinstance(kept_s, int) and kept_s >= 0 else None
