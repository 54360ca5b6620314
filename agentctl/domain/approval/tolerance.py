"""How far what is lost may move between a decision and its use. Source: control-plane 3.4."""

from collections.abc import Iterable

import msgspec

from agentctl.domain.plan.statement import Gate, GateStatement

_KEY_FIELDS = (
    "cluster_id",
    "resource",
    "operation",
    "incarnation",
    "before",
    "after",
    "classes",
    "migration_digest",
    "rules",
)


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """One field that is not what it was at the decision."""

    field: str
    """E.g. ``incarnation``, or ``effect.rows.Package``."""
    old: str
    new: str


class EffectComparison(msgspec.Struct, frozen=True, kw_only=True):
    """What moved in the effect since the statement was made."""

    within: tuple[Moved, ...] = ()
    """Figures that moved and may."""
    beyond: tuple[Moved, ...] = ()
    """What moved too far: the consent was for less."""


def compare_effect(statement: GateStatement, gate: Gate) -> EffectComparison:
    """Returns what moved from the decided statement to the fresh gate, under its tolerance.

    `bytes`, `last_write` and `commit` inform and are never compared.
    """
    within: list[Moved] = []
    beyond: list[Moved] = []
    old_rows, new_rows = statement.effect.rows, gate.effect.rows
    for name in sorted({*old_rows, *new_rows}):
        old, new = old_rows.get(name), new_rows.get(name)
        if old == new:
            continue
        moved = Moved(field=f"effect.rows.{name}", old=_figure(old), new=_figure(new))
        fits = new is None or (old is not None and _grew_little(statement, old, new))
        (within if fits else beyond).append(moved)
    for field, old_set, new_set, harmful in (
        ("dependents", statement.dependents, gate.dependents, "more"),
        ("readers", statement.readers, gate.readers, "more"),
        ("effect.pins", statement.effect.pins, gate.effect.pins, "fewer"),
        ("effect.archives", statement.effect.archives, gate.effect.archives, "fewer"),
    ):
        if set(old_set) == set(new_set):
            continue
        moved = Moved(field=field, old=_listed(old_set), new=_listed(new_set))
        gone, come = set(old_set) - set(new_set), set(new_set) - set(old_set)
        (beyond if (come if harmful == "more" else gone) else within).append(moved)
    old_s, new_s = statement.effect.kept_s, gate.effect.kept_s
    if old_s is not None and old_s != new_s:
        moved = Moved(field="effect.kept_s", old=str(old_s), new=_figure(new_s))
        (within if new_s is None or new_s > old_s else beyond).append(moved)
    return EffectComparison(within=tuple(within), beyond=tuple(beyond))


def compare_key(statement: GateStatement, gate: Gate) -> tuple[Moved, ...]:
    """Returns each field of the gate key that differs."""
    return tuple(
        Moved(field=field, old=_told(old), new=_told(new))
        for field in _KEY_FIELDS
        if (old := getattr(statement, field)) != (new := getattr(gate, field))
    )


def _grew_little(statement: GateStatement, old: int, new: int) -> bool:
    growth = new - old
    tolerance = statement.tolerance
    return growth * 100 <= old * tolerance.percent and growth <= max(tolerance.rows, 0)


def _figure(count: int | None) -> str:
    return "none" if count is None else str(count)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return _listed(str(part) for part in value)
    return "none" if value is None else str(value)
