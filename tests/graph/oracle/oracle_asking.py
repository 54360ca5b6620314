"""One question to a graph, read from its texts, and the answer, from whoever gives it."""

import json
from collections import Counter
from collections.abc import Mapping
from functools import cache

import msgspec

from agentctl.languages.query.compile import check_query, parse_query_file
from agentctl.languages.query.params import bind_params
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.query.syntax import QueryDecl
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.types import Catalog
from tests.graph.oracle.oracle import NOW, Oracle
from tests.graph.oracle.oracle_graph import BrokenRuleError, Rule
from tests.graph.oracle.oracle_pages import Case
from tests.graph.oracle.oracle_reading import SumOutOfRangeError
from tests.graph.oracle.oracle_values import BoundError, MisfitError, milliseconds

CODES: Mapping[Rule, str] = {
    "key": "key_violated",
    "endpoint": "endpoint_missing",
    "required": "value_violated",
    "value": "value_violated",
    "enum": "value_violated",
    "range": "value_violated",
    "check": "value_violated",
    "unique": "unique_violated",
    "cardinality": "cardinality_violated",
}
"""How the engine's diagnostics call what a write breaks."""


WHOLE_MAX = 2**53
"""Below it a float without a fraction is written as an integer."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A checked declaration with its parameters, over a schema."""

    catalog: Catalog
    decl: QueryDecl
    checked: CheckedQuery
    given: Mapping[str, object]
    """Parameters as JSON has them."""
    bound: Mapping[str, object]
    """The same, as the engine takes them."""
    now: int = NOW

    @property
    def mutates(self) -> bool:
        """Whether it changes the graph."""
        return self.checked.mutates


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Rows, a changed graph, or a refusal."""

    rows: tuple[str, ...] | None = None
    """Of a read: a line of JSON each, members in the order of the columns."""
    after: tuple[str, ...] | None = None
    """Of a mutation: the graph's lines, sorted, without generated ids."""
    affected: tuple[int, int] | None = None
    """Nodes and edges that a mutation inserted, updated or deleted."""
    refused: tuple[str, ...] | None = None
    """Codes, or the rules of the language where they have one; sorted."""


@cache
def catalog_of(schema: str) -> Catalog:
    """Returns the catalog of a schema without mistakes."""
    compiled = compile_schema(schema.encode(), file="s.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    return compiled.catalog


def question_of(case: Case) -> Question | Answer:
    """Returns what a case asks, or the refusal of the languages, before any data is read."""
    return asked(
        case.text("pg"),
        case.text("gq"),
        json.loads(case.text("params", "{}")),
        now=milliseconds(case.text("now").strip()) if "now" in case.asked else NOW,
    )


def asked(
    schema: str, text: str, given: Mapping[str, object], *, now: int = NOW
) -> Question | Answer:
    """Returns a question from its texts, or the refusal of the languages."""
    catalog = catalog_of(schema)
    file = parse_query_file(text.encode(), file="q.gq")
    found = list(file.diagnostics)
    if found:
        return Answer(refused=tuple(sorted({d.rule or d.code for d in found})))
    (decl,) = file.declarations
    result = check_query(decl, catalog)
    if result.query is None:
        return Answer(refused=tuple(sorted({d.rule or d.code for d in result.diagnostics})))
    bound = bind_params(result.query, given, path="q")
    if bound.diagnostics:
        return Answer(refused=tuple(sorted({d.code for d in bound.diagnostics})))
    return Question(
        catalog=catalog,
        decl=decl,
        checked=result.query,
        given=given,
        bound=bound.values,
        now=now,
    )


def of_oracle(question: Question, seed: list[str]) -> Answer:
    """Returns the oracle's answer over the graph that the lines of *seed* make."""
    oracle = Oracle(question.catalog)
    oracle.load(seed)
    return asked_of(oracle, question)


def asked_of(oracle: Oracle, question: Question) -> Answer:
    """Returns the oracle's answer over the graph that it has."""
    try:
        if question.mutates:
            affected = oracle.mutate(question.decl, question.given, now=question.now)
            return Answer(
                after=tuple(oracle.graph.lines(ids=False)),
                affected=(affected.nodes, affected.edges),
            )
        rows = oracle.rows(question.decl, question.given, now=question.now)
        return Answer(rows=tuple(line_of(row) for row in rows))
    except BrokenRuleError as failure:
        return Answer(refused=tuple(sorted({CODES[rule] for rule in failure.rules})))
    except SumOutOfRangeError:
        return Answer(refused=("sum_out_of_range",))
    except BoundError:
        return Answer(refused=("param_invalid",))
    except MisfitError:
        return Answer(refused=("load_value_invalid",))


def expected_of(case: Case) -> Answer:
    """Returns the answer that a page expects."""
    block = case.expected
    if block.word == "refused":
        return Answer(refused=tuple(sorted(block.lines)))
    if block.word == "rows":
        return Answer(rows=tuple(line_of(json.loads(line)) for line in block.lines))
    counts = dict(o.split("=") for o in block.options.split())
    left = Counter(_before(case))
    left.subtract(_document(line) for line in block.lines if line.startswith("- "))
    assert min(left.values(), default=0) >= 0, f"{case}: what goes was never there"
    left.update(_document(line) for line in block.lines if line.startswith("+ "))
    return Answer(
        after=tuple(sorted(left.elements())), affected=(int(counts["nodes"]), int(counts["edges"]))
    )


def difference(case: Case, after: tuple[str, ...]) -> list[str]:
    """Returns what a mutation did to the graph of a case, as its page says it."""
    before, now = Counter(_before(case)), Counter(after)
    return [f"- {line}" for line in sorted((before - now).elements())] + [
        f"+ {line}" for line in sorted((now - before).elements())
    ]


def _before(case: Case) -> list[str]:
    oracle = Oracle(catalog_of(case.text("pg")))
    oracle.load(case.asked["seed"].lines)
    return oracle.graph.lines(ids=False)


def _document(line: str) -> str:
    return json.dumps(json.loads(line[2:]), ensure_ascii=False, sort_keys=True)


def line_of(row: object) -> str:
    """Returns JSON that is the same for equal values: ``2.0`` is ``2``; members keep their order."""
    return json.dumps(_alike(row), ensure_ascii=False)


def _alike(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _alike(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_alike(member) for member in value]
    whole = isinstance(value, float) and value.is_integer() and abs(value) < WHOLE_MAX
    return int(value) if whole and isinstance(value, float) else value


def comparable(answer: Answer, case: Case) -> Answer:
    """Returns the answer with its rows sorted where the case takes them as a set."""
    if answer.rows is None or "set" not in case.expected.options:
        return answer
    return msgspec.structs.replace(answer, rows=tuple(sorted(answer.rows)))
