"""What became of the types and properties of graphs between two snapshots, by their identities.

A type or property is the same one as long as its id is, whatever it is called; dropped and declared
anew it is another one, because its data is gone. What has no identity yet, because no graph was
migrated to it, is known by its name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Final, TypeVar

import msgspec

from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.ops.redaction import redact_text
from agentctl.domain.sandbox.declarations import property_declaration, type_declaration
from agentctl.domain.sandbox.difference import PackageChange, PackageInfo
from agentctl.languages.schema.ir import IrProperty, IrType, SchemaIr, evolve_ir

UNMINTED: Final = "~"
"""What the id of a type or property that no graph has yet begins with; no ULID does."""

Schemas = Mapping[str, SchemaIr]
"""By graph id."""

_Named = TypeVar("_Named", IrType, IrProperty)


class PackageChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Types and properties; each list is sorted by name."""

    added: tuple[PackageInfo, ...] = ()
    changed: tuple[PackageChange, ...] = ()
    """By the name afterwards; `before` of a renamed one has the old name in it."""
    removed: tuple[PackageInfo, ...] = ()


def schema_difference(before: Schemas, after: Schemas) -> PackageChanges:
    """Returns what differs; the order of declarations says nothing."""
    entries = [
        entry
        for graph in {*before, *after}
        for entry in _of_graph(graph, before.get(graph), after.get(graph))
    ]
    return PackageChanges(
        added=_sorted(now for was, now in entries if was is None and now is not None),
        changed=tuple(
            sorted(
                (
                    PackageChange(name=now.name, before=_shown(was), after=_shown(now))
                    for was, now in entries
                    if was is not None and now is not None and was.version != now.version
                ),
                key=lambda change: (change.name, change.before, change.after),
            )
        ),
        removed=_sorted(was for was, now in entries if now is None and was is not None),
    )


def wanted_schemas(config: DesiredCluster, live: Schemas) -> Schemas:
    """Returns the schemas that *config* declares, with the identities that *live* ones have.

    Args:
        config: of the snapshot.
        live: of the graphs that are there; what they do not have gets an id of `UNMINTED`.
    """
    numbers = count()
    return {
        graph.id: evolve_ir(
            live.get(graph.id), graph.schema.catalog, lambda: f"{UNMINTED}{next(numbers)}"
        )
        for graph in config.graphs
    }


def _of_graph(
    graph: str, before: SchemaIr | None, after: SchemaIr | None
) -> Iterator[tuple[PackageInfo | None, PackageInfo | None]]:
    """Yields every type and property, as it was and as it is."""
    for was, now in _pairs(_types(before), _types(after)):
        yield _type_info(graph, was), _type_info(graph, now)
        properties = _pairs(was.properties if was else (), now.properties if now else ())
        for old, new in properties:
            yield _property_info(graph, was, old), _property_info(graph, now, new)


def _types(ir: SchemaIr | None) -> tuple[IrType, ...]:
    return () if ir is None else (*ir.interfaces, *ir.types)


def _pairs(
    before: Sequence[_Named], after: Sequence[_Named]
) -> list[tuple[_Named | None, _Named | None]]:
    """Returns each of both sides once, with what it is on the other."""
    old_ids = {one.id: one for one in before if _is_minted(one)}
    pairs: list[tuple[_Named | None, _Named | None]] = [
        (old_ids.pop(one.id) if _is_minted(one) and one.id in old_ids else None, one)
        for one in after
    ]
    left = {_known_by(one): one for one in before if not _is_minted(one) or one.id in old_ids}
    for index, (was, now) in enumerate(pairs):
        named = left.get(_known_by(now)) if was is None and now is not None else None
        if named is not None and now is not None and not (_is_minted(named) and _is_minted(now)):
            pairs[index] = (left.pop(_known_by(now)), now)
    pairs.extend((one, None) for one in left.values())
    return pairs


def _is_minted(one: IrType | IrProperty) -> bool:
    return not one.id.startswith(UNMINTED)


def _known_by(one: IrType | IrProperty) -> tuple[str, str]:
    return (one.kind if isinstance(one, IrType) else "", one.name)


def _type_info(graph: str, declared: IrType | None) -> PackageInfo | None:
    if declared is None:
        return None
    return PackageInfo(name=f"{graph}.{declared.name}", version=type_declaration(declared))


def _property_info(
    graph: str, owner: IrType | None, declared: IrProperty | None
) -> PackageInfo | None:
    if owner is None or declared is None:
        return None
    return PackageInfo(
        name=f"{graph}.{owner.name}.{declared.name}",
        version=property_declaration(owner, declared),
    )


def _sorted(infos: Iterable[PackageInfo]) -> tuple[PackageInfo, ...]:
    shown = (PackageInfo(name=info.name, version=_shown(info)) for info in infos)
    return tuple(sorted(shown, key=lambda info: (info.name, info.version)))


def _shown(info: PackageInfo) -> str:
    """Returns a declaration as it may be stored; a description can quote anything."""
    return redact_text(info.version)
