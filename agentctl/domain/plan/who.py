"""Who must decide, in words: what the approval rules ask of the consent to one gate."""

from collections.abc import Iterable

import msgspec

from agentctl.domain.plan.approval_rules import (
    AppliedRule,
    Requirements,
    RuleFields,
    requirements,
)
from agentctl.domain.plan.statement import Gate


def who_decides(gate: Gate, rules: Iterable[AppliedRule]) -> str | None:
    """Returns who must decide over *gate*; None where no applied rule is about it."""
    asked = requirements(rules, resource=gate.resource, classes=gate.classes)
    if not asked.rules:
        return None
    by = ", ".join(asked.rules)
    return f"nobody can: {asked.unmet}" if asked.unmet else f"{_words(asked)} ({by})"


def rule_words(fields: object) -> str | None:
    """Returns whom a rule that is wanted asks, and about what; None where it says nothing whole."""
    try:
        rule = msgspec.convert(fields, RuleFields)
    except msgspec.ValidationError:
        return None
    roles = (rule.need.roles,) if rule.need.roles else ()
    asked = Requirements(count=rule.need.count, roles=roles, separate=rule.separate)
    about = " ".join((*rule.match.classes, *rule.match.resources)) or "every gate"
    return f"{_words(asked)}, about {about}"


def _words(asked: Requirements) -> str:
    people = "1 person" if asked.count == 1 else f"{asked.count} people"
    told = [people]
    told += [f"of {' or '.join(names)}" for names in asked.roles]
    if asked.separate:
        told.append("other than who asks")
    if asked.assurance not in {"demo", "file"}:
        told.append(f"with a key of assurance {asked.assurance}")
    return " ".join(told)
