"""Makes sure, before a cluster begins to rely on a storage root, that create-only excludes there."""

from agentctl.adapters.backends.probe import prove
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.engine.cluster import Cluster


async def unsafe_root(cluster: Cluster) -> Diagnostic | None:
    """Returns why the storage root must not be used; None where it passed, now or earlier."""
    second = cluster.make_store(cluster.storage, cluster.folder.path)
    try:
        return await prove(cluster.store, second, token=cluster.world.entropy(16).hex())
    finally:
        await second.aclose()
