"""The steps of a kept type's key and constraints. Source: control-plane 2, languages 3.1.

A constraint that names a dropped property goes with it, without a step of its own. One that is
added to rows that are there narrows: they are looked at first.
"""

from collections.abc import Iterator, Mapping

import msgspec

from agentctl.canonical import canonical_bytes
from agentctl.domain.plan.kept import KeptType, Step, key_of
from agentctl.domain.plan.refusals import KEY_CHANGE, refused
from agentctl.domain.plan.wire import constraint_wire
from agentctl.languages.schema.lineage import Declared
from agentctl.languages.schema.types import Check, Constraint, EdgeType, Index, Range, Unique

ENDPOINTS = frozenset({"src", "dst"})


def constraint_steps(kept: KeptType) -> Iterator[Step]:
    """Yields the key's refusal, added constraints in their order, then dropped ones."""
    yield from _key_change(kept)
    before = dict(_by_wire(_renamed(kept, c)) for c in constraints_of(kept.old) if _stays(kept, c))
    after = dict(_by_wire(c) for c in constraints_of(kept.new))
    loosened = tuple(c for c in before.values() if isinstance(c, Range))
    for wire, constraint in after.items():
        if wire not in before:
            yield _added(kept, constraint, loosened)
    for wire, constraint in before.items():
        if wire not in after:
            yield kept.step("drop_constraint", {"constraint": constraint_wire(constraint)})


def constraints_of(declared: Declared) -> tuple[Constraint, ...]:
    """Returns the constraints beyond the key, each index of one property among them once.

    A key implies an index over it, so that one which only says so again is none.
    """
    key = () if isinstance(declared, EdgeType) else declared.key
    found = [
        c
        for c in declared.constraints
        if not (isinstance(c, Index) and len(c.columns) == 1 and c.columns[0] in key)
    ]
    single = {c.columns for c in found if isinstance(c, Index)}
    found += [
        Index(columns=(p.name,), where=p.where)
        for p in declared.properties
        if p.indexed and p.name not in key and (p.name,) not in single
    ]
    return tuple(found)


def columns_of(constraint: Constraint) -> tuple[str, ...]:
    """Returns the names of the properties that a constraint is about."""
    if isinstance(constraint, Unique | Index):
        return constraint.columns
    return (constraint.property,)


def renamed(constraint: Constraint, names: Mapping[str, str]) -> Constraint:
    """Returns *constraint* over the properties that *names* gives for its own."""
    if isinstance(constraint, Unique | Index):
        columns = tuple(sorted(names.get(c, c) for c in constraint.columns))
        return msgspec.structs.replace(constraint, columns=columns)
    own = names.get(constraint.property, constraint.property)
    return msgspec.structs.replace(constraint, property=own)


def _by_wire(constraint: Constraint) -> tuple[bytes, Constraint]:
    return canonical_bytes(constraint_wire(renamed(constraint, {}))), constraint


def _renamed(kept: KeptType, constraint: Constraint) -> Constraint:
    return renamed(constraint, kept.new_of)


def _stays(kept: KeptType, constraint: Constraint) -> bool:
    return all(c in kept.new_of or _is_endpoint(kept, c) for c in columns_of(constraint))


def _is_endpoint(kept: KeptType, column: str) -> bool:
    return kept.kind == "edge" and column in ENDPOINTS


def _added(kept: KeptType, constraint: Constraint, ranges: tuple[Range, ...]) -> Step:
    fields = {"constraint": constraint_wire(constraint)}
    if isinstance(constraint, Index) or _holds_already(kept, constraint, ranges):
        return kept.step("add_constraint", fields)
    return kept.judging("add_constraint", fields, _need(constraint))


def _holds_already(kept: KeptType, constraint: Constraint, ranges: tuple[Range, ...]) -> bool:
    """Returns whether every row that may be there satisfies it, so that nothing has to be judged.

    In a new property the rows have null, which breaks no constraint, or its default, which the
    language has held against its range and pattern. A range that contains one which was in force
    is kept by every row.
    """
    fresh = [
        p
        for p in kept.new.properties
        if p.name not in kept.old_of and p.name in columns_of(constraint)
    ]
    if isinstance(constraint, Unique):
        return any(p.type.nullable for p in fresh)
    if fresh or not isinstance(constraint, Range):
        return bool(fresh)
    return any(r.property == constraint.property and _contains(constraint, r) for r in ranges)


def _contains(outer: Range, inner: Range) -> bool:
    low = outer.minimum is None or (inner.minimum is not None and outer.minimum <= inner.minimum)
    high = outer.maximum is None or (inner.maximum is not None and outer.maximum >= inner.maximum)
    return low and high


def _need(constraint: Constraint) -> Mapping[str, object]:
    match constraint:
        case Unique(columns=columns):
            return {"rows": "are_unique", "columns": list(columns)}
        case Range(property=name):
            bounds = constraint_wire(constraint)["Range"]
            assert isinstance(bounds, dict)
            limits = {"min": bounds["min"], "max": bounds["max"]}
            return {"rows": "are_in_range", "property_name": name, **limits}
        case Check(property=name, pattern=pattern):
            return {"rows": "match", "property_name": name, "pattern": pattern}
        case Index():
            raise AssertionError


def _key_change(kept: KeptType) -> Iterator[Step]:
    dropped = [name for name in key_of(kept.old) if name not in kept.new_of]
    before = sorted(kept.new_of.get(name, name) for name in key_of(kept.old))
    after = [*key_of(kept.new)]
    if before == after and not dropped:
        return
    if not before:
        reason = f"a @key ({', '.join(after)}) cannot be added to an existing type"
    elif not after:
        reason = f"the @key ({', '.join(before)}) of an existing type cannot be removed"
    else:
        reason = (
            "the @key of an existing type cannot change "
            f"({', '.join(before)} to {', '.join(after)})"
        )
    yield refused(kept.entity(), reason, KEY_CHANGE)
