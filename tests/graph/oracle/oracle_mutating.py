"""What a mutation leaves: each change is made to a copy, in order, and the whole is judged at the end.

An insert of a keyed node is an upsert, of anything else a new row; a delete takes the edges of the
nodes with it. What breaks the schema breaks the query: nothing of it is done.
Source: languages 2.2, 2.4, 3.1.
"""

from collections.abc import Callable

import msgspec

from agentctl.languages.query.syntax import (
    Assignment,
    Condition,
    DeleteSyntax,
    InsertSyntax,
    MutationBody,
    MutationSyntax,
    NameUse,
    UpdateSyntax,
)
from agentctl.languages.schema.types import EdgeType, NodeType
from tests.graph.oracle.oracle_graph import (
    BrokenRuleError,
    Entity,
    Graph,
    Owner,
    Table,
    default_of,
    fitted,
    identity,
)
from tests.graph.oracle.oracle_matching import Execution
from tests.graph.oracle.oracle_names import RowConditions
from tests.graph.oracle.oracle_values import Raw

ENDS = {"from": "src", "to": "dst"}


class Affected(msgspec.Struct, frozen=True, kw_only=True):
    """How many entities a query inserted, updated or deleted; a cascade counts its edges."""

    nodes: int = 0
    edges: int = 0


class Mutating:
    """One execution of a mutation."""

    def __init__(self, run: Execution, mint: Callable[[], str]) -> None:
        self.run = run
        self.mint = mint
        self.graph = run.graph.copy()
        self.affected = {"nodes": 0, "edges": 0}

    def result(self, body: MutationBody) -> tuple[Graph, Affected]:
        """Returns the graph after the query.

        Raises:
            BrokenRuleError: the graph would break its schema.
        """
        for mutation in body.mutations:
            self._made(mutation)
        broken = self.graph.violations()
        if broken:
            raise BrokenRuleError(broken)
        return self.graph, Affected(**self.affected)

    def _made(self, use: MutationSyntax) -> None:
        owner = self._owner(use)
        match use:
            case InsertSyntax():
                self._insert(use, owner)
            case UpdateSyntax():
                self._update(use, owner)
            case DeleteSyntax():
                self._delete(use, owner)

    def _owner(self, use: MutationSyntax) -> Owner:
        catalog = self.run.graph.catalog
        node, edge = catalog.node(use.type_name), catalog.edge(use.type_name)
        found = node or edge
        assert found is not None
        assert node is None or edge is None, "the oracle does not guess which of two is meant"
        return found

    def _insert(self, use: InsertSyntax, owner: Owner) -> None:
        given = {a.property: self._value(a) for a in use.assignments}
        values = {
            p.name: fitted(p, given[p.name]) if p.name in given else default_of(p)
            for p in owner.properties
        }
        ends: dict[str, str] = {}
        if isinstance(owner, EdgeType):
            ends = {ENDS[name]: given[name] for name in ENDS}
        key = identity(owner, values)
        self.graph.put(
            Entity(type=owner, id=self.mint() if key is None else key, values=values, **ends)
        )
        self._count(owner, 1)

    def _update(self, use: UpdateSyntax, owner: Owner) -> None:
        found = self._chosen(use.condition, owner)
        for entity in found:
            values = dict(entity.values)
            for assignment in use.assignments:
                declared = owner.property(assignment.property)
                assert declared is not None
                values[declared.name] = fitted(declared, self._value(assignment))
            self.graph.put(msgspec.structs.replace(entity, values=values))
        self._count(owner, len(found))

    def _delete(self, use: DeleteSyntax, owner: Owner) -> None:
        found = self._chosen(use.condition, owner)
        table = self.graph.table(owner)
        for entity in found:
            del table[entity.id]
        self._count(owner, len(found))
        if isinstance(owner, NodeType):
            self._cascade(owner, {e.id for e in found})

    def _cascade(self, owner: NodeType, gone: set[str]) -> None:
        for edge in self.graph.catalog.edges:
            table: Table = self.graph.edges[edge.name]
            lost = [
                e.id
                for e in table.values()
                if (edge.source == owner.name and e.src in gone)
                or (edge.target == owner.name and e.dst in gone)
            ]
            for edge_id in lost:
                del table[edge_id]
            self._count(edge, len(lost))

    def _chosen(self, condition: Condition, owner: Owner) -> list[Entity]:
        test = RowConditions(self.run, owner)
        return [e for e in self.graph.table(owner).values() if test.holds(condition, e)]

    def _value(self, assignment: Assignment) -> Raw:
        assert not isinstance(assignment.value, NameUse)
        return RowConditions(self.run, None).constant(assignment.value)

    def _count(self, owner: Owner, number: int) -> None:
        self.affected["edges" if isinstance(owner, EdgeType) else "nodes"] += number
