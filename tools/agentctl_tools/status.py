"""`status`: who is calling and what they may do, what is recorded, what drifted, what waits for whom."""

from collections.abc import Mapping

import msgspec

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.records import ApprovalRequest
from agentctl.domain.config.paths import CLUSTER_FILE
from agentctl.domain.ledger.state import Observation, ResourceStatus
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.decide import authorise
from agentctl.domain.policy.live import BUILTIN_SET, PolicySet
from agentctl.domain.policy.request import ACTIONS
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine import status as engine
from agentctl.engine import trust
from agentctl.engine.emergencies import open_in
from agentctl.engine.leases import LockInfo
from agentctl.engine.remembering import remembered
from agentctl.engine.results import StateObservations, StatusResult
from agentctl_tools.approvals_list import open_requests, record_faults
from agentctl_tools.envelopes import count
from agentctl_tools.operation import Call, Envelope, Next, Operation
from agentctl_tools.policies import hidden_queries, policies_for, policy_alarms

RESOURCES_SHOWN = 40
ANY_GRAPH = "graph.any"
"""Stands for a graph where policy is asked about no graph in particular."""
OPEN_REQUESTS_MAX = 5
"""Of one principal at a time. Source: control-plane 3.4."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`status` takes no arguments."""


class You(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The caller, as the door sees it."""

    principal: str
    kind: str
    enrolled: bool
    on_behalf_of: str | None = None
    may: tuple[str, ...] = ()
    """Operations that policy permits, by name."""
    open_requests_left: int = 0


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of the result, and what stands around it."""

    ok: bool
    config_dir: str
    state_observations: StateObservations
    resource_digests: Mapping[str, str]
    resource_statuses: Mapping[str, ResourceStatus]
    observations: Mapping[str, Observation]
    diagnostics: tuple[Diagnostic, ...]
    you: You
    trust_column: str
    trust_line: str
    locks: tuple[LockInfo, ...]
    waiting: tuple[ApprovalRequest, ...]

    def result(self) -> StatusResult:
        """Returns the result alone, as control-plane 1.6 has it."""
        return StatusResult(
            **{f.name: getattr(self, f.name) for f in msgspec.structs.fields(StatusResult)}
        )


class WaitingBrief(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request that waits for a human."""

    request_id: str
    resource: str
    operation: str
    requester: str
    expires_at: str
    on_behalf_of: str | None = None


class StandingBrief(msgspec.Struct, frozen=True, kw_only=True):
    """A resource that is not simply applied."""

    resource: str
    status: str
    conditions: tuple[str, ...]


class StatusBrief(msgspec.Struct, frozen=True, kw_only=True):
    """The status as an agent needs it; the whole is behind the link."""

    you: You
    trust: str
    revision: int | None
    """None where there is no ledger yet."""
    config_digest: str | None
    """Of the configuration that the cluster has reached."""
    resources: tuple[str, ...]
    """Addresses of what is applied; the first of them."""
    resources_total: int
    not_applied: tuple[StandingBrief, ...]
    locks: tuple[str, ...]
    """Who holds which lease."""
    waiting: tuple[WaitingBrief, ...]


async def _handle(call: Call) -> Envelope:
    """Answers as it did a moment ago where nothing that it read has changed since."""
    config = call.cluster.folder.path / CLUSTER_FILE
    return await remembered(
        call.cluster,
        ("status", call.caller),
        lambda: _look(call),
        beside=lambda: (config, *trust.looked_at()),
    )


async def _look(call: Call) -> Envelope:
    found = await policies_for(call.cluster, call.caller)
    policies = found if isinstance(found, PolicySet) else BUILTIN_SET
    hidden = await hidden_queries(call.cluster, call.caller, policies)
    result = _without(await engine.status(call.cluster, call.caller), hidden)
    shown = await call.cluster.approvals.shown()
    waiting = open_requests(shown)
    faults = (*record_faults(shown), *open_in(call.cluster, shown), *policy_alarms(policies))
    told = sort_diagnostics((*result.diagnostics, *faults))
    standing = await trust.trust(call.cluster, call.caller)
    data = StatusAnswer(
        **msgspec.structs.asdict(msgspec.structs.replace(result, diagnostics=told)),
        you=_you(call.caller, waiting, policies),
        trust_column=standing.column,
        trust_line=standing.line,
        locks=await _locks(call),
        waiting=waiting,
    )
    return Envelope(
        ok=result.ok,
        summary=_summary(result, len(waiting)),
        next=(Next(tool="plan", arguments={}, why="Says what an apply would do now."),),
        data=data,
        diagnostics=told,
        more="agentctl://cluster",
    )


def _without(result: StatusResult, hidden: frozenset[str]) -> StatusResult:
    """Returns *result* without the addresses that the caller may not see in a list."""
    if not hidden:
        return result
    return msgspec.structs.replace(
        result,
        resource_digests={a: d for a, d in result.resource_digests.items() if a not in hidden},
        resource_statuses={a: s for a, s in result.resource_statuses.items() if a not in hidden},
        diagnostics=tuple(d for d in result.diagnostics if d.path not in hidden),
    )


async def _locks(call: Call) -> tuple[LockInfo, ...]:
    """Returns who holds what, as far as it can be read; the status tells where it cannot."""
    try:
        return await engine.locks(call.cluster, call.caller)
    except BackendError:
        return ()


def _you(caller: Caller, waiting: tuple[ApprovalRequest, ...], policies: PolicySet) -> You:
    mine = sum(r.requester == caller.id for r in waiting)
    return You(
        principal=caller.id,
        kind=caller.kind,
        enrolled=caller.enrolled,
        on_behalf_of=caller.on_behalf_of,
        may=permitted(caller, policies),
        open_requests_left=max(OPEN_REQUESTS_MAX - mine, 0),
    )


def permitted(caller: Caller, policies: PolicySet = BUILTIN_SET) -> tuple[str, ...]:
    """Returns the names under which *caller* may call what policy permits: tools over MCP."""
    from agentctl_tools.catalog import OPERATIONS

    names: dict[str, None] = {}
    for operation in OPERATIONS.values():
        name = operation.mcp_tool if caller.via == "mcp" else operation.name
        if name is None or operation.operation_class == "human_only":
            continue
        if caller.via == "mcp" and operation.toolset is not None:
            continue  # Whether it was asked for is the server's knowledge, and its list tells.
        about = "cluster" if "Cluster" in ACTIONS[operation.action] else ANY_GRAPH
        if authorise(caller, operation.action, about, policies=policies).allow:
            names[name] = None
    return tuple(names)


def _summary(result: StatusResult, waiting: int) -> str:
    seen = result.state_observations
    if not seen.state_found:
        return "The cluster has no ledger yet."
    drifted = sum(s.status == "drifted" for s in result.resource_statuses.values())
    told = f"Revision {seen.state_revision}, {count(seen.resource_count, 'resource')}"
    if drifted:
        told += f", {drifted} drifted"
    if waiting:
        told += f"; {count(waiting, 'request waits', 'requests wait')} for a human"
    return told + "."


def _brief(answer: StatusAnswer) -> StatusBrief:
    seen = answer.state_observations
    return StatusBrief(
        you=answer.you,
        trust=answer.trust_line,
        revision=seen.state_revision if seen.state_found else None,
        config_digest=seen.applied_config_digest,
        resources=tuple(sorted(answer.resource_digests))[:RESOURCES_SHOWN],
        resources_total=len(answer.resource_digests),
        not_applied=tuple(
            StandingBrief(resource=address, status=s.status, conditions=s.conditions)
            for address, s in sorted(answer.resource_statuses.items())
            if s.status != "applied"
        ),
        locks=tuple(f"{k.resource}: {k.operation} by {k.principal}" for k in answer.locks),
        waiting=tuple(_waiting(request) for request in answer.waiting),
    )


def _waiting(request: ApprovalRequest) -> WaitingBrief:
    return WaitingBrief(
        request_id=request.request_id,
        resource=request.statement.resource,
        operation=request.statement.operation,
        requester=request.requester,
        expires_at=request.expires_at,
        on_behalf_of=request.on_behalf_of,
    )


OPERATION = Operation(
    name="status",
    operation_class="read",
    action="cluster_status",
    arguments=Arguments,
    handler=_handle,
    describe=(
        "Look. Who you are and may do; the applied revision, drift, locks, and what waits for "
        "whom. Begin here."
    ),
    resource=lambda _: "cluster",
    result=StatusAnswer,
    brief=_brief,
    brief_result=StatusBrief,
    mcp_tool="status",
    idempotent=True,
)
