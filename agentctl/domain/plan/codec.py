"""What a plan's digest seals, how a plan is kept, and how two plans are compared. Source: control-plane 3.3.

The digest covers one computation: what was wanted, what was seen, for whom, and the changes with
their effects. What is shown besides (dispositions, consents, dependents, diagnostics) may move
without it.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from agentctl.canonical import canonical_bytes, digest_of
from agentctl.diagnostics.codes import CODES
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.plan.covered import is_covering
from agentctl.domain.plan.model import Change, Plan
from agentctl.ids import Address

FORMAT: Final = 1


class KeptPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``plan --out FILE`` and ``__cluster/plans/<digest>.json``; no content, no secret."""

    format: Literal[1]
    plan: Plan
    digest: str
    sources: Mapping[str, str]
    """SHA-256 by path of every file that the plan was made from."""
    made_at: str
    made_by: str
    """Id of the principal."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not the same in two plans."""

    what: str
    """An address with its field, or the name of a sealed input."""
    old: str | None
    new: str | None

    def __str__(self) -> str:
        return f"{self.what}: {_short(self.old)} -> {_short(self.new)}"


def sealed(plan: Plan) -> dict[str, object]:
    """Returns the value whose canonical bytes the plan digest covers."""
    return {
        "format": FORMAT,
        "cluster_id": plan.cluster_id,
        "config_digest": plan.config_digest,
        "resource_digests": dict(plan.resource_digests),
        "state_cas": plan.state_cas,
        "observed": {
            address: {"commit": commit, "source_digest": source}
            for address, (commit, source) in plan.observed.items()
        },
        "policy_digests": dict(plan.policy_digests),
        "principals_head": plan.principals_head,
        "protected": sorted(plan.protected),
        "for": plan.principal,
        "target": plan.target,
        "changes": [_sealed_change(change) for change in plan.changes],
    }


def plan_digest(plan: Plan) -> str:
    """Returns the plan's digest, whatever its field `digest` says."""
    return digest_of(sealed(plan))


def encode_kept(plan: Plan, *, sources: Mapping[str, str], made_at: str, made_by: str) -> bytes:
    """Returns the canonical bytes under which *plan* is kept."""
    kept = KeptPlan(
        format=FORMAT,
        plan=plan,
        digest=plan.digest,
        sources=sources,
        made_at=made_at,
        made_by=made_by,
    )
    return canonical_bytes(kept)


def decode_kept(data: bytes, *, path: str) -> KeptPlan | Diagnostic:
    """Returns the plan that `encode_kept` wrote, or what is wrong with *data*, which *path* holds."""
    try:
        found = msgspec.json.decode(data, type=_Format)
        if found.format != FORMAT:
            told = f"its format is {found.format}, and this release reads {FORMAT}"
            return _invalid(path, told)
        codes = msgspec.json.decode(data, type=_Codes)
        unknown = [d.code for d in codes.plan.diagnostics if d.code not in CODES]
        if unknown:
            return _invalid(path, "it was made by another version of agentctl")
        kept = msgspec.json.decode(data, type=KeptPlan)
    except msgspec.DecodeError as problem:
        return _invalid(path, str(problem))
    if not kept.digest == kept.plan.digest == plan_digest(kept.plan):
        return _invalid(path, "its digest is not that of its content")
    return kept


def what_moved(old: Plan, fresh: Plan) -> tuple[Difference, ...]:
    """Returns every sealed input that differs; empty exactly where the digests are equal."""
    before, after = sealed(old), sealed(fresh)
    found: list[Difference] = []
    for name, value in before.items():
        found.extend(_differences(name, value, after[name]))
    return tuple(found)


def same_effects(old: Plan, fresh: Plan) -> tuple[Difference, ...]:
    """Returns why *fresh* would not do just what is left of *old*; empty where it would.

    Every change of *fresh* must be one of *old*: same address, operation, before, after, classes
    and policy bindings. A change of *old* that *fresh* has not must be done: what is wanted now is
    what *old* would have left. A graph's derived update has no effect of its own, and its digest
    before moves while its queries land, so only its digest after counts. A moved revision or
    commit alone is no difference.
    """
    planned = {change.resource: change for change in old.changes}
    left = {change.resource for change in fresh.changes}
    found: list[Difference] = []
    for change in fresh.changes:
        was = planned.get(change.resource)
        if was is None:
            found.append(Difference(what=change.resource, old=None, new=change.operation))
        else:
            found.extend(_effect_differences(was, change))
    for address, was in planned.items():
        now = fresh.resource_digests.get(address)
        if address not in left and now != was.after_digest:
            found.append(Difference(what=f"{address} after", old=was.after_digest, new=now))
    return tuple(sorted(found, key=lambda d: d.what))


class _Format(msgspec.Struct, frozen=True, kw_only=True):
    """The number alone, read first: a later format may have anything beside it."""

    format: int


class _Code(msgspec.Struct, frozen=True, kw_only=True):
    code: str


class _PlanCodes(msgspec.Struct, frozen=True, kw_only=True):
    diagnostics: tuple[_Code, ...]


class _Codes(msgspec.Struct, frozen=True, kw_only=True):
    """Only the codes, read first: a diagnostic cannot be made of a code that is not known."""

    plan: _PlanCodes


def _invalid(path: str, why: str) -> Diagnostic:
    told = f"this is no plan that can be used: {why}"
    return error("invalid_plan_file", path, told, remedy="agentctl plan --out FILE")


def _sealed_change(change: Change) -> dict[str, object]:
    return {
        "address": change.resource,
        "operation": change.operation,
        "before": change.before_digest,
        "after": change.after_digest,
        "classes": sorted(change.classes),
        "group": change.group,
        "steps": _steps(change),
    }


def _steps(change: Change) -> list[dict[str, object]]:
    """Migration steps, and a step for each thing that the digests of a change do not tell."""
    steps: list[dict[str, object]] = []
    if change.migration is not None:
        steps.extend(dict(step) for step in change.migration.steps)
    if change.bindings is not None:
        before, after = change.bindings.before, change.bindings.after
        steps.append(
            {
                "kind": "bind_policy",
                "before": None if before is None else list(before),
                "after": None if after is None else list(after),
            }
        )
    if change.settings is not None:
        sides = {"before": change.settings.before, "after": change.settings.after}
        steps.append({"kind": "set", **sides})
    if change.metadata_change is not None and is_covering(change):
        steps.append({"kind": change.metadata_change, "from": change.moved_from})
    return steps


def _effect_differences(was: Change, change: Change) -> list[Difference]:
    derived = change.resource.startswith("graph.") and change.operation == "update"
    pairs: list[tuple[str, str | None, str | None]] = [
        ("operation", was.operation, change.operation),
        ("after", was.after_digest, change.after_digest),
        ("classes", ", ".join(was.classes), ", ".join(change.classes)),
        ("bindings", _bindings_text(was), _bindings_text(change)),
        ("settings", _text(was.settings), _text(change.settings)),
        ("moved_from", was.moved_from, change.moved_from),
    ]
    if not derived:
        pairs.append(("before", was.before_digest, change.before_digest))
    return [
        Difference(what=f"{change.resource} {field}", old=old, new=new)
        for field, old, new in pairs
        if old != new
    ]


def _bindings_text(change: Change) -> str | None:
    if change.bindings is None:
        return None
    sides = (change.bindings.before, change.bindings.after)
    return " to ".join("none" if side is None else ", ".join(side) for side in sides)


def _differences(name: str, old: object, new: object) -> list[Difference]:
    if old == new:
        return []
    if name == "changes":
        old, new = _by_address(old), _by_address(new)
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            Difference(what=f"{name} {key}", old=_text(old.get(key)), new=_text(new.get(key)))
            for key in sorted({*old, *new})
            if old.get(key) != new.get(key)
        ]
    return [Difference(what=name, old=_text(old), new=_text(new))]


def _by_address(changes: object) -> dict[Address, object]:
    assert isinstance(changes, list)
    return {change["address"]: change for change in changes}


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return canonical_bytes(value).decode()


def _short(text: str | None) -> str:
    if text is None:
        return "none"
    return text if len(text) <= 80 else f"{text[:77]}..."
