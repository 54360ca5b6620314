"""A schema's names, ready to be looked up: made once for a schema, used by all its queries."""

from collections import OrderedDict
from typing import Final

from agentctl.languages.query.plan import Fact
from agentctl.languages.schema.types import Catalog, EdgeType, NodeType, Property

INDEX_COUNT_MAX: Final = 16
"""How many schemas keep their index; one is made in milliseconds."""


class CatalogIndex:
    """The types of one catalog by name, and their properties and edges."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.nodes = {n.name: n for n in catalog.nodes}
        self._edges: dict[str, EdgeType] = {}
        self._incident: dict[str, list[Fact]] = {}
        for edge in catalog.edges:
            self._edges.setdefault(edge.name.lower(), edge)
            fact = Fact(kind="edge", type_name=edge.name)
            for end in dict.fromkeys((edge.source, edge.target)):
                self._incident.setdefault(end, []).append(fact)
        self._properties: dict[tuple[bool, str], dict[str, Property]] = {}

    def node(self, name: str) -> NodeType | None:
        """Returns the node type of that name."""
        return self.nodes.get(name)

    def edge(self, spelling: str) -> EdgeType | None:
        """Returns the edge type that a query spells so, without regard to case."""
        return self._edges.get(spelling.lower())

    def property_of(self, type_: NodeType | EdgeType, name: str) -> Property | None:
        """Returns the property of that name."""
        key = (isinstance(type_, NodeType), type_.name)
        known = self._properties.get(key)
        if known is None:
            known = self._properties[key] = {p.name: p for p in type_.properties}
        return known.get(name)

    def incident(self, node_name: str) -> tuple[Fact, ...]:
        """Returns the edge types that begin or end at a node type."""
        return tuple(self._incident.get(node_name, ()))

    @property
    def edge_spellings(self) -> tuple[str, ...]:
        """How queries spell the edges."""
        return tuple(e.name[0].lower() + e.name[1:] for e in self.catalog.edges)

    @property
    def type_names(self) -> tuple[str, ...]:
        """All node and edge types, as mutations name them."""
        return (*self.nodes, *(e.name for e in self.catalog.edges))


_made: OrderedDict[int, CatalogIndex] = OrderedDict()


def index_catalog(catalog: Catalog) -> CatalogIndex:
    """Returns the index of *catalog*; the last few are kept, for the very same value."""
    found = _made.get(id(catalog))
    if found is None or found.catalog is not catalog:
        found = _made[id(catalog)] = CatalogIndex(catalog)
        while len(_made) > INDEX_COUNT_MAX:
            _made.popitem(last=False)
    return found
