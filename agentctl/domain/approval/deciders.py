"""Whose consent counts for a gate, under the applied rules. Source: control-plane 3.4, ADR 12.

A human counts by their own groups or, for the resources and the time that a delegation says, by
those of the human who delegated to them. People are counted, not keys: a human for whom one person
alone vouched, though others could have, is that person. Judged by the chain as it is now: at the
decision, and again at its use.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from agentctl.domain.approval.records import BREAKGLASS, DecisionArtifact, Needs
from agentctl.domain.plan.approval_rules import ASSURANCES, Requirements, covers
from agentctl.domain.plan.statement import GateStatement
from agentctl.domain.policy.principals import Delegation, Principal, Registry
from agentctl.ids import parse_address
from agentctl.instants import parse_instant


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """One approval that counts."""

    approver: str
    """Who signed."""
    person: str
    """By whose groups it counts: the approver, or who delegated to them."""
    people: tuple[str, ...]
    """As which persons of the chain the two are counted."""
    break_glass: bool = False


def seat_of(
    approver: Principal, person: Principal, registry: Registry, *, break_glass: bool = False
) -> Seat:
    """Returns the seat of *approver* who counts by the groups of *person*."""
    people = sorted({registry.person(approver.id), registry.person(person.id)})
    return Seat(
        approver=approver.id, person=person.id, people=tuple(people), break_glass=break_glass
    )


def needs_of(asked: Requirements) -> Needs:
    """Returns what a request says it needs."""
    return Needs(count=asked.count, roles=asked.role_names)


def unidentified(statement: GateStatement, registry: Registry) -> bool:
    """Returns whether nobody can tell which person asked, so that nobody can be told apart from them.

    A service is no person. An agent asks for the human whom it acts for.
    """
    asker = registry.principals.get(statement.requester)
    if asker is not None and asker.kind in {"human", "service"}:
        return False
    behind = statement.on_behalf_of
    known = registry.principals.get(behind) if behind is not None else None
    return known is None or known.kind != "human"


def seats(
    approver: Principal,
    statement: GateStatement,
    asked: Requirements,
    registry: Registry,
    times: Iterable[datetime],
) -> tuple[Seat, ...] | str:
    """Returns by whose groups an approval counts, the approver's own first; or why it does not.

    Args:
        approver: an enrolled human.
        statement: of the gate.
        asked: what the applied rules ask for it.
        registry: as it is now.
        times: the moments at which a delegation must be in force: of the decision, and now.
    """
    fault = _of_all(approver, statement, asked, registry)
    if fault is not None:
        return fault
    moments = tuple(times)
    people = [approver, *_delegators(approver.id, statement.resource, registry, moments)]
    if asked.separate:
        askers = _askers(statement, registry)
        people = [p for p in people if registry.person(p.id) not in askers]
    found = tuple(seat_of(approver, p, registry) for p in people if _fits(p, asked))
    if found:
        return found
    wanted = " and ".join("one of " + ", ".join(names) for names in asked.roles)
    return f"{approver.id} is not in {wanted}{_ungrouped(approver)}"


def break_glass_fault(approver: Principal, reason: str | None, asked: Requirements) -> str | None:
    """Returns why *approver* may not decide alone in an emergency, or None.

    What a key is worth is asked all the same: an emergency makes no person of a program.
    """
    if BREAKGLASS not in approver.groups:
        return f"{approver.id} is not in the group {BREAKGLASS}"
    if reason is None or not reason.strip():
        return "a decision in an emergency needs its reason"
    return _key_fault(approver, asked)


def counted(options: Iterable[tuple[DecisionArtifact, tuple[Seat, ...]]]) -> tuple[Seat, ...]:
    """Returns the approvals that count side by side, in their order.

    No person counts twice, neither as who signs nor as who is signed for, nor as a second self.
    """
    taken: set[str] = set()
    found: list[Seat] = []
    for _, choices in options:
        seat = next((s for s in choices if taken.isdisjoint(s.people)), None)
        if seat is not None:
            taken |= set(seat.people)
            found.append(seat)
    return tuple(found)


def _of_all(
    approver: Principal, statement: GateStatement, asked: Requirements, registry: Registry
) -> str | None:
    if asked.unmet is not None:
        return asked.unmet
    if asked.separate and unidentified(statement, registry):
        return "nobody can tell which person asked, and the rules want somebody else to approve"
    if asked.separate and registry.person(approver.id) in _askers(statement, registry):
        return f"{approver.id} asked, and the rules want somebody else to approve{_self(approver)}"
    return _key_fault(approver, asked)


def _key_fault(approver: Principal, asked: Requirements) -> str | None:
    worth = approver.assurance or "demo"
    if ASSURANCES.index(worth) >= ASSURANCES.index(asked.assurance):
        return None
    return f"the key of {approver.id} is of assurance {worth}, the rules ask for {asked.assurance}"


def _ungrouped(approver: Principal) -> str:
    if approver.counts_with is None:
        return ""
    return f": another human than {approver.vouched_by} has to vouch for {approver.id} first"


def _self(approver: Principal) -> str:
    """Says why somebody counts as another, where they do."""
    if approver.counts_with is None:
        return ""
    return f": {approver.vouched_by} alone has vouched for {approver.id}, and they count as one"


def _askers(statement: GateStatement, registry: Registry) -> frozenset[str]:
    asked = {statement.requester, statement.on_behalf_of or statement.requester}
    return frozenset(registry.person(one) for one in asked)


def _fits(person: Principal, asked: Requirements) -> bool:
    return all(set(names) & set(person.groups) for names in asked.roles)


def _delegators(
    approver: str, resource: str, registry: Registry, moments: tuple[datetime, ...]
) -> list[Principal]:
    """Returns the humans in whose place *approver* may decide, by id; nobody passes on what was lent."""
    newest = {(d.source, d.to): d for d in registry.delegations}
    live = [
        registry.human(d.source)
        for _, d in sorted(newest.items())
        if d.to == approver and _reaches(d, resource) and _in_force(d, moments)
    ]
    return [human for human in live if human is not None]


def _reaches(delegation: Delegation, resource: str) -> bool:
    parsed = parse_address(resource)
    kind = parsed.kind if parsed is not None else resource
    if delegation.kinds and kind not in delegation.kinds:
        return False
    return not delegation.resources or any(covers(w, resource) for w in delegation.resources)


def _in_force(delegation: Delegation, moments: tuple[datetime, ...]) -> bool:
    begin, end = parse_instant(delegation.since), parse_instant(delegation.until)
    return all(begin <= moment <= end for moment in moments)
