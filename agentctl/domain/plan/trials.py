"""Whether the change that a gate is about was carried out in a sandbox before. Pure.

A trial is found in what the history of sandboxes keeps of an apply. It is one of the same change
where the resource and the verb are the same, and digest for digest the same content was replaced by
the same content under what the consent binds besides (a migration's steps, a policy's scopes, a
graph's settings). Where only the new content is the same, what it replaced was another one then, and
that is told. Any other apply is no trial of the change. The rows of a graph are not compared: those of
the sandbox were the base's, with what was written there.

The history is not signed, and whoever can write to its database can make one up: a trial informs a
human and opens no gate. Source: sandboxes 4, terminal 1.
"""

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from agentctl.canonical import digest_of
from agentctl.domain.plan.gates import binding_digest, steps_digest
from agentctl.domain.plan.model import Change, ChangeVerb
from agentctl.domain.plan.statement import GateStatement
from agentctl.ids import Address

TRIED_MAX: Final = 200
"""How many changes of one apply are kept as tried; the others were not, as far as anybody knows."""

Ending = Literal["done", "not_done", "unknown"]
Sides = tuple[str | None, str | None]


class TriedChange(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One change of an apply in a sandbox, as far as a gate's statement can be compared with it."""

    resource: Address
    operation: ChangeVerb
    sides: tuple[Sides, ...]
    """The pairs of digests, before and after, that a statement about it may name."""
    bound: tuple[str | None, ...]
    """What a statement about it may bind besides."""
    ending: Ending
    code: str | None = None
    """Why it was not done: of a diagnostic, else the reason of its step."""


class Trial(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """How the newest trial of a change ended."""

    sandbox: str
    """Its id."""
    name: str
    """What it was called; foreign text, as is `by`."""
    by: str
    """The principal whose call it was."""
    at: str
    ending: Ending
    code: str | None = None
    same_before: bool = True
    """Whether what it replaced there is what it would replace now."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An apply of the history."""

    sandbox: str
    name: str
    by: str
    at: str
    changes: tuple[TriedChange, ...]


def tried_change(change: Change, ending: Ending, code: str | None = None) -> TriedChange:
    """Returns what is kept of *change*, which an apply carried out, or tried to."""
    return TriedChange(
        resource=change.resource,
        operation=change.operation,
        sides=sides_of(change),
        bound=bound_of(change),
        ending=ending,
        code=None if ending == "done" else code,
    )


def sides_of(change: Change) -> tuple[Sides, ...]:
    """Returns the pairs of digests that a statement about *change* may name."""
    own = (change.before_digest, change.after_digest)
    settings = change.settings
    if settings is None:
        return (own,)
    return (own, (digest_of(settings.before), digest_of(settings.after)))


def bound_of(change: Change) -> tuple[str | None, ...]:
    """Returns what a statement about *change* may bind, besides its digests."""
    if change.metadata_change is not None:
        bound = {"kind": change.metadata_change, "from": change.moved_from}
        return (digest_of(bound | {"settings": change.settings, "bindings": change.bindings}),)
    if change.bindings is not None:
        return (binding_digest(change.bindings),)
    if change.migration is not None:
        return (steps_digest(change.migration),)
    if change.settings is not None:
        return (digest_of(change.settings), None)
    return (None,)


def trial_of(statement: GateStatement, recorded: Iterable[Recorded]) -> Trial | None:
    """Returns the newest trial of the change that *statement* is about; None where there is none.

    One from the same content goes before one from another, however old it is.
    """
    found = [
        Trial(
            sandbox=apply.sandbox,
            name=apply.name,
            by=apply.by,
            at=apply.at,
            ending=change.ending,
            code=change.code,
            same_before=same,
        )
        for apply in recorded
        for change in apply.changes
        if (same := _same_before(statement, change)) is not None
    ]
    best: Trial | None = None
    for trial in found:
        best = trial if better(trial, best) else best
    return best


def better(one: Trial, other: Trial | None) -> bool:
    """Returns whether *one* tells more than *other*: of the same content before, else the newer one."""
    return other is None or (one.same_before, one.at) > (other.same_before, other.at)


def _same_before(statement: GateStatement, tried: TriedChange) -> bool | None:
    """Returns whether *tried* replaced the same content; None where it is another change."""
    if (tried.resource, tried.operation) != (statement.resource, statement.operation):
        return None
    if (statement.before, statement.after) in tried.sides:
        return True if statement.migration_digest in tried.bound else None
    return False if any(after == statement.after for _, after in tried.sides) else None
