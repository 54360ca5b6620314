"""What is told where something that a command needs is not there yet."""

from agentctl.diagnostics.diagnostic import Diagnostic, error


def state_missing() -> Diagnostic:
    """Returns that the cluster has no ledger yet."""
    return error(
        "state_missing", "cluster", "the cluster has no ledger yet", remedy="agentctl import"
    )
