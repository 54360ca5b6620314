"""The gates of a plan: what a human is asked to consent to. Source: control-plane 3.3, 3.4.

One gate stands for a graph's deletion with its schema and queries, one for the creation of a graph
that was lost, one for each policy whose change may widen authority. Each change under a gate
carries the gate's key.
"""

from collections.abc import Iterable, Mapping

import msgspec

from agentctl.canonical import digest_of
from agentctl.domain.config.durations import span
from agentctl.domain.config.model import EmbeddingProfile
from agentctl.domain.config.providers import destination
from agentctl.domain.ledger.observations import LiveGraph
from agentctl.domain.plan.approval_rules import requirements, rules_digest
from agentctl.domain.plan.changes import last_recorded_version
from agentctl.domain.plan.covered import is_covering
from agentctl.domain.plan.gate_reasons import covering_effect, covering_reason, settings_reason
from agentctl.domain.plan.inputs import PlanInputs
from agentctl.domain.plan.model import GATED, BindingChange, Change, Migration
from agentctl.domain.plan.policy_words import lending_words, opening_words
from agentctl.domain.plan.reverts import MAIN, Revert, revert_effect, revert_for, revert_reason
from agentctl.domain.plan.statement import Effect, Gate
from agentctl.ids import (
    CLUSTER,
    SETTINGS_KINDS,
    Address,
    ParsedAddress,
    graph_address,
    parse_address,
)

STEPS_NAMED_MAX = 5


def gates_of(
    changes: Iterable[Change], inputs: PlanInputs, *, unheld: frozenset[str] = frozenset()
) -> tuple[Gate, ...]:
    """Returns the gates of *changes*, which know their dependents already; sorted by resource.

    Nobody is asked for what no step makes: a migration that is refused, and graphs, by id, whose
    schema is *unheld*.
    """
    found = (_gate_of(change, inputs, unheld) for change in changes)
    return tuple(sorted((g for g in found if g is not None), key=lambda g: g.resource))


def _gate_of(change: Change, inputs: PlanInputs, unheld: frozenset[str]) -> Gate | None:
    if not GATED.intersection(change.classes):
        return None
    if change.resource == CLUSTER or is_covering(change):
        return _covering(change, inputs)
    parsed = parse_address(change.resource)
    if parsed is None or (parsed.graph in unheld and change.operation != "delete"):
        return None
    if parsed.kind == "schema" and change.migration is not None:
        supported = change.migration.supported
        return _narrowing(change, change.migration, inputs, parsed.name) if supported else None
    return _of_kind(change, parsed, inputs)


def _of_kind(change: Change, parsed: ParsedAddress, inputs: PlanInputs) -> Gate | None:
    match parsed.kind:
        case "graph":
            return _of_graph(change, inputs, parsed.name)
        case "policy":
            return _authority(change, inputs)
        case "query" if change.operation != "delete":
            assert parsed.graph is not None
            reason = lending_words(inputs.borrowers[change.resource], parsed.graph)
            return _gate(change, inputs, reason=reason, effect=Effect())
        case "embedding_provider":
            return _gate(change, inputs, reason=_provider_reason(change), effect=Effect())
        case kind if kind in SETTINGS_KINDS:
            reason = settings_reason(change, inputs.desired)
            return _gate(change, inputs, reason=reason, effect=Effect())
        case _:
            return None


def with_gate_keys(changes: Iterable[Change], gates: Iterable[Gate]) -> tuple[Change, ...]:
    """Returns *changes*, those that wait for a gate with its key.

    A lone schema deletion belongs to no gate: no step makes it, so nobody is asked.
    """
    keys = {gate.resource: gate.key for gate in gates}
    return tuple(_with_gate_key(change, keys) for change in changes)


def binding_digest(bindings: BindingChange) -> str:
    """Returns what binds a consent to a policy's scopes, which its content digest does not cover."""
    return digest_of({"applies_to": bindings})


def _with_gate_key(change: Change, keys: Mapping[Address, str]) -> Change:
    if not GATED.intersection(change.classes):
        return change
    key = keys.get(change.resource)
    parsed = parse_address(change.resource)
    if key is None and change.operation != "update" and parsed and parsed.graph:
        key = keys.get(graph_address(parsed.graph))
    return msgspec.structs.replace(change, gate=key)


def _covering(change: Change, inputs: PlanInputs) -> Gate:
    """The consent is bound to what is done: to forget an address is not to delete it."""
    revert = revert_for(change, inputs.reverts)
    if revert is not None:
        return _reverted(change, inputs, revert)
    parsed = parse_address(change.resource)
    live = inputs.live.get(parsed.name) if parsed is not None and parsed.kind == "graph" else None
    gate = _gate(
        change,
        inputs,
        reason=covering_reason(change, inputs),
        effect=covering_effect(change, inputs),
        incarnation=live.incarnation if live else None,
    )
    bound = {"kind": change.metadata_change, "from": change.moved_from}
    sides = {"settings": change.settings, "bindings": change.bindings}
    return msgspec.structs.replace(gate, migration_digest=digest_of(bound | sides))


def _reverted(change: Change, inputs: PlanInputs, revert: Revert) -> Gate:
    live = inputs.live.get(revert.key)
    gate = _gate(
        change,
        inputs,
        reason=revert_reason(revert, live),
        effect=revert_effect(revert, live),
        incarnation=live.incarnation if live else None,
    )
    bound: dict[str, object] = {"kind": change.metadata_change, "commit": revert.commit}
    bound |= {} if revert.branch == MAIN else {"branch": revert.branch}
    return msgspec.structs.replace(gate, migration_digest=digest_of(bound))


def _of_graph(change: Change, inputs: PlanInputs, graph_id: str) -> Gate:
    if change.operation == "delete":
        return _deletion(change, inputs, graph_id)
    if "irreversible" in change.classes:
        gate = _recreation(change, inputs, graph_id)
    else:
        live = inputs.live.get(graph_id) if change.operation == "update" else None
        gate = _gate(change, inputs, reason=_settings_reason(change), effect=Effect())
        gate = msgspec.structs.replace(gate, incarnation=live.incarnation if live else None)
    if change.settings is None:
        return gate
    if change.operation == "update":
        # The graph's own digests move with its queries; what is consented to are its settings.
        before, after = digest_of(change.settings.before), digest_of(change.settings.after)
        gate = msgspec.structs.replace(gate, before=before, after=after)
    return msgspec.structs.replace(gate, migration_digest=digest_of(change.settings))


def _deletion(change: Change, inputs: PlanInputs, graph_id: str) -> Gate:
    live = inputs.live.get(graph_id)
    return _gate(
        change,
        inputs,
        reason=f"{_losses(live)}; {_way_back(inputs.retention_s)}",
        effect=msgspec.structs.replace(_effect(live), kept_s=inputs.retention_s),
        incarnation=live.incarnation if live else None,
    )


def _recreation(change: Change, inputs: PlanInputs, graph_id: str) -> Gate:
    version = last_recorded_version(inputs, graph_id)
    last = (
        "at a version that was not recorded" if version is None else f"last seen at main:{version}"
    )
    return _gate(
        change,
        inputs,
        reason=f"the root of this graph is gone ({last}); creating it makes an empty graph "
        "and gives up what the old one held",
        effect=Effect(commit=None if version is None else f"main:{version}"),
        incarnation=None,
    )


def _narrowing(change: Change, migration: Migration, inputs: PlanInputs, graph_id: str) -> Gate:
    """The consent is bound to the steps: a migration that got another step is another one."""
    live = inputs.live.get(graph_id)
    gate = _gate(
        change,
        inputs,
        reason=f"permits less than before: {_steps_text(migration)}{_breaking(change)}",
        effect=Effect(commit=_effect(live).commit),
        incarnation=live.incarnation if live else None,
    )
    return msgspec.structs.replace(gate, migration_digest=steps_digest(migration))


def _breaking(change: Change) -> str:
    """Says what the rows would say to it, where they were asked."""
    if not change.peeks:
        return ""
    broken = [p for p in change.peeks if p.broken]
    if broken:
        told = ", ".join(f"{_count(p.broken, 'row')} of {p.where}" for p in broken)
        return f"; the rows refuse it now: {told}"
    if all(p.whole for p in change.peeks):
        return "; no row breaks it"
    return "; no row that was looked at breaks it"


def steps_digest(migration: Migration) -> str:
    """Returns what binds a consent to a schema's migration, which depends on the schema in force."""
    return digest_of([dict(step) for step in migration.steps])


def _steps_text(migration: Migration) -> str:
    gated = [step for step in migration.steps if step.get("class") in GATED]
    texts = [_step_text(step) for step in gated[:STEPS_NAMED_MAX]]
    more = len(gated) - len(texts)
    return ", ".join(texts) + (f" and {_count(more, 'other step')}" if more else "")


def _step_text(step: Mapping[str, object]) -> str:
    name = step.get("property_name")
    where = f"{step['type_name']}.{name}" if name is not None else str(step["type_name"])
    return f"{str(step['kind']).replace('_', ' ')} ({where})"


def _authority(change: Change, inputs: PlanInputs) -> Gate:
    assert change.bindings is not None
    return msgspec.structs.replace(
        _gate(
            change, inputs, reason=_policy_reason(change, inputs), effect=Effect(), incarnation=None
        ),
        migration_digest=binding_digest(change.bindings),
    )


def _gate(
    change: Change,
    inputs: PlanInputs,
    *,
    reason: str,
    effect: Effect,
    incarnation: str | None = None,
) -> Gate:
    return Gate(
        resource=change.resource,
        operation=change.operation,
        classes=change.classes,
        reason=reason,
        before=change.before_digest,
        after=change.after_digest,
        rules=rules_digest(inputs.approval_rules),
        tolerance=requirements(
            inputs.approval_rules, resource=change.resource, classes=change.classes
        ).tolerance,
        cluster_id=inputs.cluster_id,
        effect=effect,
        dependents=change.dependents,
        readers=tuple(a for a in change.dependents if a.startswith("query.")),
        incarnation=incarnation,
    )


def _effect(live: LiveGraph | None) -> Effect:
    if live is None or live.presence != "live":
        return Effect()
    return Effect(
        rows=dict(live.rows),
        bytes=live.bytes,
        last_write=live.last_write,
        commit=None if live.commit is None else f"main:{live.commit}",
    )


def _losses(live: LiveGraph | None) -> str:
    if live is None or live.presence in {"unreadable", "foreign"}:
        return "deletes a graph whose content could not be measured"
    if live.presence != "live":
        return "deletes the record of a graph whose root is not live"
    rows = sum(live.rows.values())
    types = sum(1 for count in live.rows.values() if count)
    if rows == 0:
        return "deletes a graph that holds no rows"
    return f"deletes {_count(rows, 'row')} of {_count(types, 'type')}"


def _way_back(retention_s: int | None) -> str:
    if retention_s is None:
        return "its data stays: the applied setting that says how long cannot be read"
    if retention_s <= 0:
        return "its data is purged at once"
    return f"it can be restored for {span(retention_s)}, then its data is purged"


def _settings_reason(change: Change) -> str:
    """Says what a graph's new settings open."""
    assert change.settings is not None
    before, after = change.settings.before or {}, change.settings.after or {}
    opened: list[str] = []
    if after.get("external_blob_policy") != before.get("external_blob_policy"):
        opened.append("may read blobs from other places than before")
    if change.operation == "update" and after.get("embedding_provider") not in {
        None,
        before.get("embedding_provider"),
    }:
        opened.append(f"sends its texts to {after['embedding_provider']}")
    return "the graph " + " and ".join(opened)


def _provider_reason(change: Change) -> str:
    """Says which secret goes where. Source: control-plane 3.1."""
    assert change.settings is not None
    profile = msgspec.convert(change.settings.after, EmbeddingProfile)
    where = destination(profile) or "no host"
    if profile.api_key is None:
        return f"texts will be sent to {where}"
    return f"secret {profile.api_key} will be sent to {where}"


def _policy_reason(change: Change, inputs: PlanInputs) -> str:
    name = change.resource.removeprefix("policy.")
    opened = opening_words(inputs.policy_impact, name) if inputs.policy_impact else None
    if opened is not None:
        return opened
    match change.operation:
        case "create":
            return "a further policy may widen who may do what"
        case "delete":
            return "deleting a policy may widen who may do what"
        case _:
            if change.metadata_change is not None:
                return "binding a policy to other scopes may widen who may do what"
            return "changing a policy may widen who may do what"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
