"""Failures of the world that a caller can do something about, as diagnostics."""

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.storage.protocol import BackendError, UnsuitableError
from agentctl.engine.auditlog import AuditUnavailableError
from agentctl.engine.cluster import ClusterOpenError
from agentctl.engine.leases import LeaseLostError, StateLockHeldError
from agentctl.engine.ledger import StateMovedError
from agentctl.graph.port import GraphError


def diagnostics_of(failure: Exception) -> tuple[Diagnostic, ...] | None:
    """Returns what to tell the caller; None where the failure is a bug and must be seen as one."""
    match failure:
        case ClusterOpenError():
            return failure.diagnostics
        case GraphError() | StateLockHeldError():
            return (failure.diagnostic,)
        case LeaseLostError():
            return (_lost("lease_lost", "another command took the lease over while this one ran"),)
        case StateMovedError():
            return (_lost("lease_lost", "another writer recorded a revision first"),)
        case AuditUnavailableError():
            return (
                error("audit_unavailable", "cluster", "the audit record could not be written"),
            )
        case UnsuitableError():
            return (error("storage_probe_failed", "storage", str(failure)),)
        case BackendError():
            return (
                error(
                    "storage_unavailable",
                    "storage",
                    "the storage root did not do what was asked",
                    detail=str(failure),
                    remedy="See whether it is reachable and writable, then run the command again.",
                ),
            )
        case _:
            return None


def _lost(code: str, message: str) -> Diagnostic:
    return error(
        code, "cluster", message, remedy="Look at `agentctl status`, then run the command again."
    )
