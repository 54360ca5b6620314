"""The oracle: a second evaluator of the whole language, naive, in memory, and independent.

Written from `spec/languages.md` and nothing else. It shares with agentctl what stands in the text
(the parsers' trees and the catalog of a schema) and nothing of what is made of it: neither the
checked query, nor the plan, nor a value's reading and showing, nor a line of the engine.
"""

import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Final

from agentctl.ids import ulid
from agentctl.languages.query.syntax import MutationBody, QueryDecl, ReadBody
from agentctl.languages.schema.types import Catalog
from tests.graph.oracle.oracle_graph import BrokenRuleError, Graph
from tests.graph.oracle.oracle_matching import Execution
from tests.graph.oracle.oracle_mutating import Affected, Mutating
from tests.graph.oracle.oracle_ranking import Words
from tests.graph.oracle.oracle_reading import Reading
from tests.graph.oracle.oracle_values import read

NOW: Final = 1_763_695_800_000
"""2025-11-21T03:30:00Z: the time of every execution that names no other."""


class Oracle:
    """One graph, ready to be asked and changed."""

    def __init__(self, catalog: Catalog) -> None:
        self.graph = Graph(catalog)
        numbers = itertools.count(1)
        self._mint = lambda: ulid(5, next(numbers).to_bytes(10, "big"))

    def load(self, lines: Iterable[bytes | str]) -> None:
        """Adds what NDJSON lines say.

        Raises:
            BrokenRuleError: they break the schema.
        """
        self.graph.load((json.loads(line) for line in lines), self._mint)
        broken = self.graph.violations()
        if broken:
            raise BrokenRuleError(broken)

    def rows(
        self, query: QueryDecl, params: Mapping[str, object], *, now: int = NOW
    ) -> list[dict[str, object]]:
        """Returns the rows of a read, for parameters as JSON has them.

        Raises:
            SumOutOfRangeError: an integer sum is beyond 2^53.
            BoundError: a limit or an offset is negative.
        """
        assert isinstance(query.body, ReadBody)
        return Reading(self._execution(query, params, now), query.body).rows()

    def mutate(self, query: QueryDecl, params: Mapping[str, object], *, now: int = NOW) -> Affected:
        """Changes the graph, or raises and leaves it as it was.

        Raises:
            BrokenRuleError: the change would break the schema.
        """
        assert isinstance(query.body, MutationBody)
        run = self._execution(query, params, now)
        self.graph, affected = Mutating(run, self._mint).result(query.body)
        return affected

    def _execution(self, query: QueryDecl, params: Mapping[str, object], now: int) -> Execution:
        return Execution(
            graph=self.graph,
            params={p.name: read(p.type, params.get(p.name)) for p in query.params},
            types={p.name: p.type for p in query.params},
            now=now,
            finder=Words(),
        )
