"""`validate`: whether what a folder or a draft declares is right in itself. No lease, no ledger."""

from agentctl.diagnostics.bag import has_errors, sort_diagnostics
from agentctl.domain.config.paths import CLUSTER_FILE
from agentctl.domain.policy.caller import Caller
from agentctl.engine.cluster import Cluster
from agentctl.engine.gather import FOLDER, load_target
from agentctl.engine.results import ValidateResult


async def validate(cluster: Cluster, caller: Caller, target: str = FOLDER) -> ValidateResult:
    """Returns every mistake of the target, and what it declares where there is none."""
    found = await load_target(cluster, caller, target, remembered=True)
    desired = found.desired
    return ValidateResult(
        ok=desired is not None and not has_errors(found.diagnostics),
        config_dir=cluster.config_dir,
        config_file=str(cluster.folder.path / CLUSTER_FILE),
        resource_digests=desired.resource_digests if desired is not None else {},
        resources=desired.resources if desired is not None else (),
        dependencies=desired.dependencies if desired is not None else (),
        diagnostics=sort_diagnostics([*found.diagnostics, *found.remarks]),
    )
