"""Which class a change is of, by what it does and to what. Source: control-plane 3.3.

`authority` is whatever changes who may do or read more, where secrets or data may go, and what can
be undone or proved. Where that cannot be decided it counts as if it did.
"""

from collections.abc import Mapping
from typing import Final

from agentctl.domain.config.model import DesiredResource
from agentctl.domain.plan.inputs import PlanInputs
from agentctl.domain.plan.migrate import migration_classes
from agentctl.domain.plan.model import Change, EffectClass
from agentctl.ids import Kind, ParsedAddress, graph_address

Classes = tuple[EffectClass, ...]

REVERSIBLE: Final[Classes] = ("reversible",)
AUTHORITY: Final[Classes] = ("authority",)

DROPPED_BY_REFRESH = frozenset({"payload_missing", "payload_mismatch"})
"""Conditions under which `refresh` takes a policy's digest out of the ledger."""

_DESTINATION: Final = ("kind", "base_url", "api_key")
"""Fields of a provider's profile that say where a secret or data goes, and which secret."""

_AUTHORITY_KINDS: Final[frozenset[Kind]] = frozenset({"approval", "ops"})
"""Kinds of which every change is one of authority."""
_SOURCE_KINDS: Final[frozenset[Kind]] = frozenset(
    {"source_provider", "storage_provider", "pipeline", "remote"}
)
"""Kinds that say where data comes from or goes to; taking one away opens nothing."""


def classes_of(
    change: Change, parsed: ParsedAddress, inputs: PlanInputs, lost: frozenset[str]
) -> Classes:
    """Returns the classes of a change; sorted, never empty.

    A graph goes with its schema and queries, so all of its deletion is irreversible; a query that
    leaves a graph which stays is not.
    """
    match parsed.kind:
        case "policy":
            return _of_policy(change, parsed, inputs)
        case "graph":
            return _of_graph(change, parsed, lost)
        case "schema":
            return _of_schema(change, parsed, lost)
        case "query":
            assert parsed.graph is not None
            return _of_query(change, parsed.graph, inputs)
        case "embedding_provider":
            return AUTHORITY if _redirects(change) else REVERSIBLE
        case _:
            return _of_other(change, parsed.kind, inputs)


def deletes_graph(inputs: PlanInputs, graph_id: str) -> bool:
    """Returns whether the plan deletes that graph: it is recorded and no longer declared."""
    return graph_address(graph_id) in inputs.recorded and inputs.desired.graph(graph_id) is None


def _of_policy(change: Change, parsed: ParsedAddress, inputs: PlanInputs) -> Classes:
    """Deleting and rebinding are authority, and so is what may widen; the first policy is not.

    That one goes through from the operator; of an agent, or a token, it is judged by the built-in rules.
    """
    if change.operation == "create" and _is_first(inputs):
        return REVERSIBLE
    rebound = change.bindings is not None and change.bindings.before != change.bindings.after
    if change.operation == "delete" or (rebound and change.operation == "update"):
        return AUTHORITY
    if _is_lost(change.resource, inputs):
        return AUTHORITY  # a process that read it before the loss may know better, and is not asked
    impact = inputs.policy_impact
    if impact is None or change.moved_from is not None or parsed.name in impact.widening:
        return AUTHORITY
    return REVERSIBLE


def _of_query(change: Change, graph_id: str, inputs: PlanInputs) -> Classes:
    """Another text is authority where somebody may run the query who may not read its graph.

    As with the first policy, what an operator brings together with it goes through.
    """
    if change.operation == "delete":
        return ("irreversible",) if deletes_graph(inputs, graph_id) else REVERSIBLE
    lends = change.resource in inputs.borrowers and not _is_first(inputs)
    return AUTHORITY if lends else REVERSIBLE


def _of_graph(change: Change, parsed: ParsedAddress, lost: frozenset[str]) -> Classes:
    found: set[EffectClass] = set()
    if _loses_graph(change, parsed, lost):
        found.add("irreversible")
    if change.operation != "delete" and _opens(change):
        found.add("authority")
    return tuple(sorted(found)) or REVERSIBLE


def _of_schema(change: Change, parsed: ParsedAddress, lost: frozenset[str]) -> Classes:
    if change.migration is not None:
        return migration_classes(change.migration)
    return ("irreversible",) if _loses_graph(change, parsed, lost) else REVERSIBLE


def _loses_graph(change: Change, parsed: ParsedAddress, lost: frozenset[str]) -> bool:
    return change.operation == "delete" or (change.operation == "create" and parsed.name in lost)


def _opens(change: Change) -> bool:
    """Returns whether a graph's settings let data go, or come from, where they did not.

    A new graph's provider is no such thing: it holds no data, and the provider is consented to by
    itself. To deny what was allowed opens nothing.
    """
    if change.settings is None:
        return False
    before, after = change.settings.before or {}, change.settings.after or {}
    blobs, provider = after.get("external_blob_policy"), after.get("embedding_provider")
    if blobs is not None and blobs != before.get("external_blob_policy"):
        return True
    rebound = provider is not None and provider != before.get("embedding_provider")
    return rebound and change.operation == "update"


def _redirects(change: Change) -> bool:
    """Returns whether a provider sends a secret or data somewhere else than before.

    A profile that the ledger does not hold, under the digest that it has, is the same one.
    """
    if change.operation == "delete" or change.settings is None:
        return False
    before, after = change.settings.before, change.settings.after or {}
    if before is None:
        same = change.before_digest == change.after_digest
        return not same and after.get("kind") != "mock"
    return any(before.get(name) != after.get(name) for name in _DESTINATION)


def _of_other(change: Change, kind: Kind, inputs: PlanInputs) -> Classes:
    found: set[EffectClass] = set()
    if kind in _AUTHORITY_KINDS or (kind in _SOURCE_KINDS and change.operation != "delete"):
        found.add("authority")
    if kind == "embedding" and change.operation != "delete" and _sends(change, inputs):
        found.add("authority")
    if kind == "pipeline" and change.operation != "delete" and _overwrites(change, inputs):
        found.add("irreversible")
    return tuple(sorted(found)) or REVERSIBLE


def _sends(change: Change, inputs: PlanInputs) -> bool:
    """Returns whether an embedding sends texts that a graph holds already to somebody's provider.

    As with a graph's own provider: a new graph holds no data, and a mock is nobody.
    """
    resource = next((o for o in inputs.desired.others if o.address == change.resource), None)
    fields = resource.fields if resource is not None else {}
    mocks = {p.address for p in inputs.desired.embedding_providers if p.profile.kind == "mock"}
    return fields.get("graph") in inputs.recorded and fields.get("provider") not in mocks


def _overwrites(change: Change, inputs: PlanInputs) -> bool:
    """Returns whether a pipeline replaces rows of a graph that is protected, or is to be."""
    resource = next((o for o in inputs.desired.others if o.address == change.resource), None)
    protected = {*inputs.protected, *inputs.desired.protect}
    return any(
        target.get("mode") == "overwrite" and str(target.get("graph")) in protected
        for target in _targets(resource)
    )


def _targets(resource: DesiredResource | None) -> tuple[Mapping[str, object], ...]:
    targets = resource.fields.get("targets") if resource is not None else ()
    assert isinstance(targets, list | tuple), "a pipeline has targets"
    return tuple(t for t in targets if isinstance(t, Mapping))


def _is_first(inputs: PlanInputs) -> bool:
    """Returns whether an operator brings the policies of a cluster that has none."""
    return inputs.by_operator and not _has_policies(inputs)


def _is_lost(address: str, inputs: PlanInputs) -> bool:
    """Returns whether a refresh found that the payload of *address* is gone, or another one."""
    status = inputs.state.resource_statuses.get(address) if inputs.state is not None else None
    return status is not None and not DROPPED_BY_REFRESH.isdisjoint(status.conditions)


def _has_policies(inputs: PlanInputs) -> bool:
    """Returns whether the cluster has a policy, also one that `refresh` dropped for its payload."""
    if any(address.startswith("policy.") for address in inputs.recorded):
        return True
    statuses = inputs.state.resource_statuses if inputs.state else {}
    return any(a.startswith("policy.") and _is_lost(a, inputs) for a in statuses)
