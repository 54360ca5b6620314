"""Conditions of a mutation: bare names are the properties of one row, of an edge also its ends."""

from agentctl.languages.query.syntax import (
    CompareUse,
    Condition,
    Expression,
    InUse,
    JunctionUse,
    MetadataUse,
    NameUse,
    NotUse,
    NullUse,
    PropertyUse,
)
from agentctl.languages.schema.types import EdgeType
from tests.graph.oracle.oracle_graph import Entity, Owner
from tests.graph.oracle.oracle_matching import Execution, Matching
from tests.graph.oracle.oracle_values import Raw

ROW = "row"


class RowConditions:
    """Tests the rows of one type."""

    def __init__(self, run: Execution, owner: Owner | None) -> None:
        self.matching = Matching(run)
        self.owner = owner

    def holds(self, condition: Condition, entity: Entity) -> bool:
        """Returns whether the condition is true of the entity; unknown is not."""
        assert self.owner is not None
        qualified = self._qualified(condition)
        return self.matching.truth(qualified, {ROW: entity}, {ROW: self.owner}) is True

    def constant(self, use: Expression) -> Raw:
        """Returns the value of a literal, a list, a parameter or `now()`."""
        return self.matching.value(use, {}, {})

    def _qualified(self, condition: Condition) -> Condition:
        """Returns the condition of a read that says the same of the variable `ROW`."""
        match condition:
            case CompareUse(left=left, right=right, comparison=comparison, where=where):
                return CompareUse(
                    left=self._named(left),
                    comparison=comparison,
                    right=self._named(right),
                    where=where,
                )
            case InUse(operand=operand, values=values, where=where):
                return InUse(operand=self._named(operand), values=values, where=where)
            case NullUse(operand=operand, negated=negated, where=where):
                return NullUse(operand=self._named(operand), negated=negated, where=where)
            case NotUse(condition=inner, where=where):
                return NotUse(condition=self._qualified(inner), where=where)
            case JunctionUse(word=word, conditions=parts, where=where):
                return JunctionUse(
                    word=word, conditions=tuple(map(self._qualified, parts)), where=where
                )
            case _:
                msg = "the grammar has nothing else in a mutation's where"
                raise AssertionError(msg)

    def _named(self, use: Expression) -> Expression:
        if not isinstance(use, NameUse):
            return use
        where = use.where
        if isinstance(self.owner, EdgeType) and use.name in ("from", "to"):
            end = "src" if use.name == "from" else "dst"
            return MetadataUse(var=ROW, name=end, where=where, name_where=where)  # type: ignore[arg-type]  # one of two
        return PropertyUse(var=ROW, property=use.name, where=where, property_where=where)
