"""`doctor`: whether the cluster is whole, and what holds against whom on this machine."""

import msgspec

from agentctl.adapters.backends.abilities import abilities
from agentctl.adapters.backends.ability import Ability
from agentctl.adapters.backends.s3_settings import root_of
from agentctl.diagnostics.bag import has_errors, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.engine import status as engine
from agentctl.engine import trust
from agentctl.engine.cluster import Cluster
from agentctl.engine.command_host import CommandHostError
from agentctl.engine.emergencies import open_reviews
from agentctl.views.bucket_policy import bucket_policy
from agentctl_tools.operation import Call, Envelope, Operation


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `doctor` takes."""

    trust_only: bool = False
    """Leaves out the checks of the cluster."""
    storage: bool = False
    """Looks also at what the storage root can do."""
    sandboxes: bool = False
    """Looks also at what this host has for sandboxes of commands."""


class DoctorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    ok: bool
    trust_column: str
    trust_line: str
    audit_length: int | None
    diagnostics: tuple[Diagnostic, ...]
    storage_uri: str | None = None
    storage: tuple[Ability, ...] = ()
    bucket_policy: str | None = None
    """The policy by which a bucket refuses to overwrite; on S3."""
    sandboxes: tuple[Ability, ...] = ()
    """What sandboxes of commands need here, and whether it is there."""


async def _handle(call: Call) -> Envelope:
    cluster = call.cluster
    standing = await trust.trust(cluster, call.caller)
    found = list(standing.diagnostics)
    length = None
    if not call.arguments.trust_only:
        found += (await engine.status(cluster, call.caller)).diagnostics
        found += await cluster.ledger.verify()
        found += await open_reviews(cluster)
        verified = await cluster.audit.verify()
        found += verified.diagnostics
        length = verified.length
    able = await _storage(cluster) if call.arguments.storage else ()
    ready, faults = await _sandboxes(cluster) if call.arguments.sandboxes else ((), ())
    found += faults
    diagnostics = sort_diagnostics(found)
    ok = not has_errors(diagnostics)
    data = DoctorAnswer(
        ok=ok,
        trust_column=standing.column,
        trust_line=standing.line,
        audit_length=length,
        diagnostics=diagnostics,
        storage_uri=cluster.store.uri if able else None,
        storage=able,
        bucket_policy=_policy(cluster.store.uri) if able else None,
        sandboxes=ready,
    )
    return Envelope(ok=ok, summary=f"trust: {standing.line}", data=data, diagnostics=diagnostics)


async def _storage(cluster: Cluster) -> tuple[Ability, ...]:
    return await abilities(cluster.store, cluster.world.now().timestamp())


async def _sandboxes(
    cluster: Cluster,
) -> tuple[tuple[Ability, ...], tuple[Diagnostic, ...]]:
    """Returns what the host has of what its profile offers, or what is wrong with the profile."""
    from agentctl.adapters.runners.readiness import readiness

    if cluster.commands is None:
        return (), ()
    try:
        runners = cluster.commands.runners()
    except CommandHostError as failure:
        return (), (failure.diagnostic,)
    return await readiness(runners), ()


def _policy(uri: str) -> str | None:
    if not uri.startswith("s3://"):
        return None
    root = root_of(uri)
    return bucket_policy(root.bucket, root.prefix)


OPERATION = Operation(
    name="doctor",
    operation_class="read",
    action="cluster_status",
    arguments=Arguments,
    handler=_handle,
    describe="Look. Whether the cluster is whole, and what holds against whom here.",
    resource=lambda _: "cluster",
    result=DoctorAnswer,
    idempotent=True,
)
