"""Whether the people who are enrolled could meet what approval rules ask: told before it matters.

A rule that nobody can meet locks what it is about until somebody breaks the glass. Pure.
"""

from collections.abc import Iterable
from functools import partial

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.config.model import DesiredResource
from agentctl.domain.plan.approval_rules import (
    ASSURANCES,
    AppliedRule,
    Requirements,
    requirements,
)
from agentctl.domain.plan.statement import Gate
from agentctl.domain.policy.principals import Principal, Registry
from agentctl.ids import Address


def unmeetable(
    desired: Iterable[DesiredResource],
    applied: Iterable[AppliedRule],
    gates: Iterable[Gate],
    registry: Registry,
) -> tuple[Diagnostic, ...]:
    """Returns a warning for each rule and each gate that the enrolled humans cannot meet.

    Args:
        desired: resources of the folder, whose rules come with the plan.
        applied: the rules that judge the plan.
        gates: those of the plan.
        registry: who is known.
    """
    found: list[Diagnostic] = []
    for resource in desired:
        if resource.address.startswith("approval."):
            rule = AppliedRule(
                address=Address(resource.address), digest=resource.digest, fields=resource.fields
            )
            why = fault(_asked_alone(rule), registry)
            if why is not None:
                found.append(_told(resource.address, f"the rule {resource.address} asks", why))
    rules = tuple(applied)
    for gate in gates:
        asked = requirements(rules, resource=gate.resource, classes=gate.classes)
        why = fault(asked, registry) if asked.rules else None
        if why is not None:
            names = ", ".join(asked.rules)
            found.append(_told(gate.resource, f"for {gate.resource} {names} asks", why))
    return tuple(found)


def fault(asked: Requirements, registry: Registry) -> str | None:
    """Returns why the enrolled humans cannot give the consent that is asked for, or None.

    Delegation lends groups and not keys, and makes no two people of one: where it is at work, those
    with the group and those with the key are counted apart.
    """
    humans = registry.humans
    keyed = [h for h in humans if _worth(h) >= ASSURANCES.index(asked.assurance)]
    grouped = [h for h in humans if _fits(h, asked)]
    both = [h for h in keyed if h in grouped]
    count = partial(_persons, registry)
    able = min(count(keyed), count(grouped)) if registry.delegations else count(both)
    if able < asked.count:
        return f"{_people(asked.count)}{_of(asked)}, and {_people(able)} could"
    services = (p for p in registry.principals.values() if p.kind == "service" and not p.revoked)
    alone = count(humans) == asked.count and not any(services)
    if asked.separate and alone:
        return f"{_people(asked.count)} besides who asks, and there is nobody else to ask"
    return None


def _asked_alone(rule: AppliedRule) -> Requirements:
    """Returns what a rule asks of the gates that it is about."""
    content = rule.content
    if content is None:
        return Requirements()
    anywhere = msgspec.structs.replace(content, match=type(content.match)(), promoted_from=None)
    every = msgspec.structs.replace(rule, fields=msgspec.to_builtins(anywhere))
    return requirements((every,), resource="cluster", classes=())


def _persons(registry: Registry, humans: Iterable[Principal]) -> int:
    """Returns how many people they are: a second self is nobody besides."""
    return len({registry.person(human.id) for human in humans})


def _worth(human: Principal) -> int:
    return ASSURANCES.index(human.assurance or "demo")


def _fits(human: Principal, asked: Requirements) -> bool:
    return all(set(names) & set(human.groups) for names in asked.roles)


def _people(count: int) -> str:
    return "nobody" if count == 0 else "1 human" if count == 1 else f"{count} humans"


def _of(asked: Requirements) -> str:
    groups = [" or ".join(names) for names in asked.roles]
    words = [f"in {' and '.join(groups)}"] if groups else []
    if asked.assurance not in {"demo", "file"}:
        words.append(f"with a key of assurance {asked.assurance}")
    return f" {' '.join(words)}" if words else ""


def _told(path: str, who: str, why: str) -> Diagnostic:
    return warning(
        "approval_rule_unmeetable",
        path,
        f"{who} for {why}",
        detail="Nothing under it can be approved until enough people are enrolled, or somebody of"
        " the group breakglass decides alone.",
        remedy="agentctl identity list, then agentctl identity new or identity groups",
    )
