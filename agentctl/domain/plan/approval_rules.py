"""The applied approval rules: which of them are about a gate, and what they ask together.

All rules that match hold, the strictest of each field. The rules that judge a change are those
applied before it, so they come from the ledger and the catalog, never from the folder. A rule whose
content cannot be read still matches everything, and then nobody's consent is enough. Source:
control-plane 3.1, 3.4; ADR 12.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from agentctl.canonical import digest_of
from agentctl.domain.plan.model import EffectClass
from agentctl.domain.plan.statement import Tolerance
from agentctl.domain.policy.principals import Assurance
from agentctl.ids import Address, graph_address, parse_address

LIFE_S: Final = 86_400
"""How long a request stays open where no rule says otherwise."""
ASSURANCES: Final[tuple[Assurance, ...]] = ("demo", "file", "agent", "touch")
"""What a human key is worth, in ascending order. Source: trust."""
_WILDCARD: Final = ".*"
_RULES: Final = "approval."


class RuleMatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which gates a rule is about; an empty field is about every one."""

    classes: tuple[EffectClass, ...] = ()
    resources: tuple[str, ...] = ()
    """Typed addresses, or ones that end in ``*``."""


class RuleNeed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who must approve."""

    count: int = 1
    roles: tuple[str, ...] = ()
    """Groups of the principals chain, of which each approver is in one; empty for anybody."""


class RuleFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one rule says."""

    match: RuleMatch = RuleMatch()
    need: RuleNeed = RuleNeed()
    separate: bool = False
    assurance: Assurance = "file"
    tolerance: Tolerance = Tolerance()
    expires: int = LIFE_S
    """Seconds."""
    promoted_from: str | None = None


class AppliedRule(msgspec.Struct, frozen=True, kw_only=True):
    """One applied resource ``approval.<name>``."""

    address: Address
    digest: str
    """The recorded one, of its content."""
    fields: Mapping[str, object] | None
    """As they were applied; None where the catalog cannot give them back."""

    @property
    def content(self) -> RuleFields | None:
        """What it says; None where it cannot be read."""
        if self.fields is None:
            return None
        try:
            return msgspec.convert(self.fields, RuleFields)
        except msgspec.ValidationError:
            return None


class Requirements(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules ask of the consent to one gate."""

    rules: tuple[Address, ...] = ()
    """Those that match, sorted."""
    count: int = 1
    roles: tuple[tuple[str, ...], ...] = ()
    """Of each of these, every approver is in one group; sorted."""
    separate: bool = False
    """Whether who asked and who approves must be different people."""
    assurance: Assurance = "demo"
    """The least that an approver's key is worth."""
    tolerance: Tolerance = Tolerance()
    life_s: int = LIFE_S
    unmet: str | None = None
    """Why nobody's consent is enough, in words."""

    @property
    def role_names(self) -> tuple[str, ...]:
        """Every group that is asked for, sorted; what a request shows."""
        return tuple(sorted({name for names in self.roles for name in names}))


def rules_digest(rules: Iterable[AppliedRule]) -> str:
    """Returns `rules` of a gate statement: of ``[]`` where there are none."""
    ordered = sorted(rules, key=lambda rule: rule.address)
    return digest_of([_digested(rule) for rule in ordered])


def requirements(
    rules: Iterable[AppliedRule], *, resource: str, classes: Iterable[EffectClass]
) -> Requirements:
    """Returns what the rules that match a gate ask together."""
    held = frozenset(classes)
    found = Requirements()
    for rule in sorted(rules, key=lambda one: one.address):
        content = rule.content
        if content is None:
            why = f"the applied rule {rule.address} cannot be read"
            found = msgspec.structs.replace(
                found, rules=(*found.rules, rule.address), unmet=found.unmet or why
            )
        elif _matches(content.match, resource, held):
            if resource.startswith(_RULES):
                # A rule that nobody can meet yet must not keep itself from being taken back.
                content = msgspec.structs.replace(content, promoted_from=None)
            found = _with(found, rule.address, content)
    return found


def covers(written: str, resource: str) -> bool:
    """Returns whether the address *written* in a rule or a delegation is about *resource*.

    A graph covers its schema, its queries and what is done to its data (``graph.<id>@…``); a last
    part ``*`` stands for every name.
    """
    owner = resource.partition("@")[0]
    if _names(written, resource) or _names(written, owner):
        return True
    parsed = parse_address(owner)
    if parsed is None or parsed.graph is None or parsed.kind not in {"schema", "query"}:
        return False
    return _names(written, graph_address(parsed.graph))


def _digested(rule: AppliedRule) -> Mapping[str, object]:
    if rule.fields is None:
        return {"address": rule.address, "unreadable": rule.digest}
    return {"address": rule.address, **rule.fields}


def _matches(match: RuleMatch, resource: str, classes: frozenset[EffectClass]) -> bool:
    about_class = not match.classes or bool(classes.intersection(match.classes))
    about_resource = not match.resources or any(covers(w, resource) for w in match.resources)
    return about_class and about_resource


def _names(written: str, resource: str) -> bool:
    if written.endswith(_WILDCARD):
        return resource.startswith(written[:-1])
    return written == resource


def _with(found: Requirements, address: Address, rule: RuleFields) -> Requirements:
    """Returns *found* with one more rule: the stricter of each field."""
    first = not found.rules
    tolerance, life_s = rule.tolerance, rule.expires
    if not first:
        tolerance = Tolerance(
            percent=min(found.tolerance.percent, tolerance.percent),
            rows=min(found.tolerance.rows, tolerance.rows),
        )
        life_s = min(found.life_s, life_s)
    roles = {*found.roles, tuple(sorted(set(rule.need.roles)))} - {()}
    unmet = None
    if rule.promoted_from is not None:
        unmet = f"{address} asks that {rule.promoted_from} had it before, which is not known here"
    return Requirements(
        rules=(*found.rules, address),
        count=max(found.count, rule.need.count),
        roles=tuple(sorted(roles)),
        separate=found.separate or rule.separate,
        assurance=max(found.assurance, rule.assurance, key=ASSURANCES.index),
        tolerance=tolerance,
        life_s=life_s,
        unmet=found.unmet or unmet,
    )
