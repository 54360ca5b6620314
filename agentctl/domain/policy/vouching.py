"""Says of each human how many people stand behind the record of them. Pure; decides nothing.

What follows from it is the chain's (`principals_chain`) and the approvals' (`approval.deciders`).
"""

from agentctl.diagnostics.diagnostic import Diagnostic, note, warning
from agentctl.domain.policy.principals import Principal, Registry


def vouching(registry: Registry) -> tuple[Diagnostic, ...]:
    """Returns what is to be known of the enrolled humans, by id."""
    found = (vouching_of(registry, one) for one in sorted(registry.principals))
    return tuple(told for told in found if told is not None)


def vouching_of(registry: Registry, principal_id: str) -> Diagnostic | None:
    """Returns how far a human counts for whom not two people stand; None of everybody else."""
    human = registry.principals.get(principal_id)
    if human is None or human.kind != "human" or human.revoked:
        return None
    if not human.confirmed:
        return _unconfirmed(human)
    if human.vouched_by is None:
        return None
    return _waiting(human) if human.counts_with is not None else _alone(human)


def _unconfirmed(human: Principal) -> Diagnostic:
    return warning(
        "human_unconfirmed",
        human.id,
        f"{human.id} comes from a backup, and decides and signs nothing until confirmed",
        detail="The old cluster may have revoked or replaced the key since the backup was made.",
        remedy=f"agentctl identity groups {' '.join((human.id, *human.groups))}",
    )


def _waiting(human: Principal) -> Diagnostic:
    return warning(
        "human_vouched_alone",
        human.id,
        f"only {human.vouched_by} has vouched for {human.id}: the two count as one person, and"
        f" {human.id} is in no group",
        detail="Another human says so too by putting them into their groups.",
        remedy=f"agentctl identity groups {human.id} [GROUP]...",
    )


def _alone(human: Principal) -> Diagnostic:
    return note(
        "human_vouched_alone",
        human.id,
        f"that {human.id} is another person than {human.vouched_by} stands on the word of"
        f" {human.vouched_by} alone, since nobody else could vouch",
        detail="A rule for two people is worth as much as that word until a third human has put"
        " them into their groups.",
    )
