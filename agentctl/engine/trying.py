"""Whether a change was tried in a sandbox, as the history of sandboxes says. Reads only.

What is compared, and how far a human may rely on it: `domain.plan.trials`.
"""

from agentctl.domain.plan.statement import GateStatement
from agentctl.domain.plan.trials import Recorded, Trial, trial_of
from agentctl.engine.cluster import Cluster
from agentctl.engine.sandboxes.errors import StoreError


class TrialsUnknownError(Exception):
    """The history cannot be read, so that nobody knows here whether anything was tried."""


async def tried(cluster: Cluster, statement: GateStatement) -> Trial | None:
    """Returns the newest trial of the change that *statement* is about; None where there is none.

    Trials of anybody count, in sandboxes that are open and in those that are gone.

    Raises:
        TrialsUnknownError: this process has no history, or its database does not answer.
    """
    if cluster.history is None:
        raise TrialsUnknownError
    try:
        store = await cluster.history.store()
        found = await store.list_trials(statement.cluster_id, statement.resource)
    except StoreError as failure:
        raise TrialsUnknownError from failure
    return trial_of(
        statement,
        (
            Recorded(
                sandbox=sandbox.id,
                name=sandbox.sandbox_name,
                by=command.metadata.user,
                at=command.started_at,
                changes=command.metadata.changes,
            )
            for sandbox, command in found
            if command.metadata is not None
        ),
    )
