"""What the door and the lists of what a caller may see ask of the policies in force. Source: ADR 17."""

from collections.abc import Mapping

from agentctl.canonical import digest_of
from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.audit.record import AuditActor
from agentctl.domain.plan.model import Plan
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.decide import NOTHING, authorise, denial
from agentctl.domain.policy.live import BUILTIN_SET, PolicySet
from agentctl.domain.storage.protocol import BackendError
from agentctl.engine.auditlog import AuditUnavailableError
from agentctl.engine.cluster import Cluster
from agentctl.engine.ledger import LedgerError
from agentctl.engine.policies import live_policies, wanted_policies
from agentctl.engine.stored import query_unknown, stored_addresses
from agentctl_tools.envelopes import failed
from agentctl_tools.failures import diagnostics_of
from agentctl_tools.operation import Call, Envelope
from agentctl_tools.targets import loaded_of, target_of


async def policies_for(cluster: Cluster, caller: Caller) -> PolicySet | Envelope:
    """Returns the policies that decide over *caller*, or why nobody can tell.

    Where the ledger cannot be read it is not known which policies are applied. A human in their own
    process, whose files these are, is then answered by the built-in rules, so as to see what is
    wrong and mend it; everybody else is told why nothing is answered. In a sandbox the real
    cluster's have decided before; what the sandbox's own would say is only tried there.
    """
    if cluster.sandbox is not None:
        return BUILTIN_SET
    try:
        return await live_policies(cluster)
    except (LedgerError, BackendError) as failure:
        if caller.kind == "human" and caller.at_terminal:
            return BUILTIN_SET
        return failed(diagnostics_of(failure) or ())


async def refused_beside(
    call: Call, action: str, resource: str, context: Mapping[str, object] = NOTHING
) -> Envelope | None:
    """Returns why the caller may not do *action* to *resource* as well; None where they may.

    For what a call turns out to be about beside what it named, which alone the door could ask about:
    another resource, or what is known of the effect by now. In a sandbox the door has asked already.
    """
    caller = call.caller
    if call.cluster.sandbox is not None:
        return None
    policies = await policies_for(call.cluster, caller)
    if isinstance(policies, Envelope):
        return policies
    decision = authorise(caller, action, resource, context, policies=policies)
    told = denial(decision, caller=caller, action=action, resource=resource)
    if told is None:
        return None
    try:
        await call.cluster.audit.append(
            actor=AuditActor(
                nid=caller.nid, identity=caller.identity, kind=caller.kind, source=caller.source
            ),
            on_behalf_of=caller.on_behalf_of,
            action=action,
            resource=resource,
            decision="error" if decision.errors else "deny",
            policies=decision.policies,
            reason="; ".join(decision.errors) or "denied",
            request_digest=digest_of(call.arguments),
        )
    except AuditUnavailableError as failure:
        return failed((failure.diagnostic,))
    return failed((told,))


async def plan_denied(call: Call, action: str, resource: str, plan: Plan) -> Diagnostic | None:
    """Returns why policy does not let *plan* be carried out; asked with the classes of what is done."""
    classes = {effect for c in plan.changes if c.disposition == "applied" for effect in c.classes}
    context = {"classes": sorted(classes), "plan_digest": plan.digest}
    refused = await refused_beside(call, action, resource, context)
    return None if refused is None else refused.diagnostics[0]


async def permitted_queries(
    cluster: Cluster, caller: Caller, policies: PolicySet, action: str
) -> frozenset[str]:
    """Returns the addresses of the applied queries to which *caller* may do *action*."""
    known = await stored_addresses(cluster)
    return frozenset(a for a in known if authorise(caller, action, a, policies=policies).allow)


async def hidden_queries(cluster: Cluster, caller: Caller, policies: PolicySet) -> frozenset[str]:
    """Returns the addresses of applied queries that no list may tell *caller*.

    The built-in rules hide nothing, and neither is anything hidden from whose files these are.
    """
    if caller.at_terminal or not policies.bundles:
        return frozenset()
    listed = await permitted_queries(cluster, caller, policies, "list_query")
    return frozenset(await stored_addresses(cluster)) - listed


async def as_unknown(cluster: Cluster, caller: Caller, address: str) -> Diagnostic:
    """Returns what is told of a query that does not exist, or that *caller* may not invoke.

    The two are told alike: what was meant is guessed among the queries that the caller may list.
    """
    policies = await policies_for(cluster, caller)
    if isinstance(policies, Envelope):
        return query_unknown(address, ())
    listed = await permitted_queries(cluster, caller, policies, "list_query")
    return query_unknown(address, listed)


def policy_alarms(policies: PolicySet) -> tuple[Diagnostic, ...]:
    """Returns an alarm for each bundle in force that cannot decide, and so denies."""
    return tuple(
        warning(
            "policy_broken",
            f"policy.{bundle.name}",
            f"`{bundle.name}` is in force and cannot be read, so what it would decide is denied",
            detail=bundle.fault,
            remedy="An enrolled human at the cluster's own terminal: agentctl refresh, then"
            " agentctl apply",
        )
        for bundle in policies.bundles
        if bundle.fault is not None
    )


async def applied_or_wanted(call: Call, of: str, within: str) -> PolicySet | Envelope:
    """Returns the policies in force, or with *of* ``desired`` those that *within* declares."""
    if of == "applied":
        return await live_policies(call.cluster)
    loaded = await loaded_of(call.cluster, call.caller, target_of(within))
    if isinstance(loaded, Diagnostic):
        return failed((loaded,))
    if loaded.desired is None:
        return failed(loaded.diagnostics)
    head = await call.cluster.ledger.head()
    protected = head.envelope.protected if head is not None else ()
    return wanted_policies(loaded.desired, frozenset(protected))
