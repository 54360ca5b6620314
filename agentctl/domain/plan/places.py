"""Where a part of a schema stands, by the name that a refused step has for it."""

from agentctl.diagnostics.span import Span
from agentctl.languages.schema.lineage import KINDS, declared
from agentctl.languages.schema.types import Catalog


def place_of(entity: str, catalog: Catalog) -> Span | None:
    """Returns the place of ``kind:Type`` or ``kind:Type.property``; None of what is gone."""
    kind_name, _, path = entity.partition(":")
    type_name, _, property_name = path.partition(".")
    for kind in KINDS:
        for t in declared(catalog, kind) if kind == kind_name else ():
            if t.name == type_name:
                p = t.property(property_name) if property_name else None
                return p.where if p is not None else t.where
    return None
