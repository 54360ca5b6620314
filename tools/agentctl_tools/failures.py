"""Failures of the world that a caller can do something about, as diagnostics."""

from agentctl.adapters.keys.keyfile import KeyFileError
from agentctl.adapters.keys.terminal import NoTerminalError
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.sandbox.provider import ProviderError
from agentctl.domain.storage.protocol import BackendError, RefusedError, UnsuitableError
from agentctl.engine.auditlog import AuditUnavailableError
from agentctl.engine.backup import DamagedBackupError
from agentctl.engine.cluster import ClusterOpenError
from agentctl.engine.command_host import CommandHostError
from agentctl.engine.freezing import FrozenError
from agentctl.engine.journal import OpRejectedError
from agentctl.engine.leases import LeaseLostError, StateLockHeldError
from agentctl.engine.ledger import LedgerError
from agentctl.engine.lending import SandboxError
from agentctl.engine.principals import PrincipalsBrokenError
from agentctl.engine.sandboxes.errors import StoreError
from agentctl.graph.port import GraphError


def diagnostics_of(  # noqa: PLR0911  # one return a family of failures
    failure: Exception,
) -> tuple[Diagnostic, ...] | None:
    """Returns what to tell the caller; None where the failure is a bug and must be seen as one."""
    match failure:
        case ClusterOpenError() | PrincipalsBrokenError():
            return failure.diagnostics
        case (
            GraphError()
            | StateLockHeldError()
            | LeaseLostError()
            | FrozenError()
            | LedgerError()
            | AuditUnavailableError()
            | OpRejectedError()
            | DamagedBackupError()
            | SandboxError()
            | StoreError()
            | ProviderError()
            | CommandHostError()
        ):
            return (failure.diagnostic,)
        case NoTerminalError():
            return (error("no_controlling_terminal", "terminal", str(failure)),)
        case KeyFileError():
            return (
                error("human_key_unusable", "key", str(failure), remedy="agentctl identity show"),
            )
        case UnsuitableError():
            return (error("storage_probe_failed", "storage", str(failure)),)
        case RefusedError():
            said = "the storage root refused what was asked"
            return (
                error(failure.code, "storage", said, detail=str(failure), remedy=failure.remedy),
            )
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
