"""What holds of both languages and of the folder's files, whatever their texts are.

The grammars of `agentctl.testing.fuzz.grammar` restate the spec and are not known to the parsers,
so that the two can disagree. Linear time is counted in calls, not measured.
"""

import sys
from collections.abc import Callable
from random import Random
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.languages.query.compile import check_query, parse_query_file
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.text.source import SOURCE_SIZE_BYTES_MAX
from agentctl.testing.corpus.folder import answer_policy, load_files
from agentctl.testing.fuzz.grammar import GQ, PG, derive
from agentctl.testing.fuzz.targets import CATALOG, TARGETS, Target, run_queries, run_schema

DEEP = 100_000
COUNTED = 5_000
"""So many brackets have their steps counted, which is slow."""
MEANING_OF_SCHEMAS = frozenset({"PG014", "PG017", "PG018"}) | {f"PG{n:03d}" for n in range(20, 50)}
"""Rules that a schema without a break of its grammar may break: a list of Blobs, crossed bounds."""
MEANING_OF_QUERIES = frozenset({"GQ014", "GQ017", "GQ020", "GQ021"})
"""Rules that a query without a break of its grammar may break when it is parsed."""

SEEDS = st.integers(min_value=0, max_value=2**32)


def schema_of(text: str) -> tuple[Diagnostic, ...]:
    return compile_schema(text.encode(), file="s.pg").diagnostics


def queries_of(text: str) -> tuple[Diagnostic, ...]:
    file = parse_query_file(text.encode(), file="q.gq")
    checked = (check_query(declaration, CATALOG) for declaration in file.declarations)
    return (*file.diagnostics, *(d for result in checked for d in result.diagnostics))


def cluster_of(text: str) -> tuple[Diagnostic, ...]:
    return load_files({"cluster.yaml": text.encode()}).diagnostics


def policy_of(text: str) -> tuple[Diagnostic, ...]:
    return answer_policy(text.encode(), "graph", "p.yaml")


@given(SEEDS)
def test_a_schema_that_the_spec_derives_breaks_no_rule_of_the_grammar(seed: int) -> None:
    text = derive(PG, "file", Random(seed))

    broken = [d for d in schema_of(text) if d.rule not in MEANING_OF_SCHEMAS]

    assert broken == []
    run_schema(text.encode())


@given(SEEDS)
def test_a_query_that_the_spec_derives_breaks_no_rule_of_the_grammar(seed: int) -> None:
    text = derive(GQ, "file", Random(seed))

    parsed = parse_query_file(text.encode(), file="q.gq").diagnostics

    assert [d for d in parsed if d.rule not in MEANING_OF_QUERIES] == []
    run_queries(text.encode())


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@settings(max_examples=50)
@given(data=st.data())
def test_any_bytes_are_answered_by_every_parser(target: Target, data: st.DataObject) -> None:
    target.run(data.draw(st.binary(max_size=300)))


READERS: dict[str, Callable[[str], tuple[Diagnostic, ...]]] = {
    "pg": schema_of,
    "gq": queries_of,
    "cluster": cluster_of,
    "policy": policy_of,
}
DEEP_TEXTS = {
    "pg": ("{}", "node A {{ a: I32 = {} }}", "node A {{ a: {} }}", 'node A {{ @check(a, "{}") }}'),
    "gq": (
        "{}",
        "query q() {{ match {{ $a: A {} $a.b = 1 }} return {{ $a }} }}",
        "query q() {{ match {{ $a: A $a.b in {} }} return {{ $a }} }}",
        "query q() {{ match {{ $a: A }} return {{ {} }} }}",
        "query q({}) {{ match {{ $a: A }} return {{ $a }} }}",
    ),
    "cluster": ("{}", "version: {}", "graphs: {{g: {}}}"),
    "policy": ("{}", "version: {}", "rules: [{}]"),
}


@pytest.mark.slow
@pytest.mark.parametrize("bracket", ["(", "[", "{"])
@pytest.mark.parametrize(("reader", "text"), [(r, t) for r, ts in DEEP_TEXTS.items() for t in ts])
def test_a_hundred_thousand_brackets_are_one_mistake_and_quick(
    reader: str, text: str, bracket: str
) -> None:
    deep = text.format(bracket * DEEP)
    fewer = text.format(bracket * COUNTED)

    found = READERS[reader](deep)
    steps, _ = counted(READERS[reader], fewer)

    place = deep.index(bracket * 100)
    inside = [d for d in found if d.where is not None and d.where.column > place]
    assert len(inside) <= 1
    assert 1 <= len(found) <= 2
    assert steps < 60 * len(fewer)


@pytest.mark.parametrize("reader", ["pg", "gq"])
def test_a_text_of_the_largest_size_is_read_and_a_larger_one_is_not(reader: str) -> None:
    largest = "//" + "x" * (SOURCE_SIZE_BYTES_MAX - 3) + "\n"

    assert READERS[reader](largest) == ()
    assert [d.rule for d in READERS[reader](largest + " ")] == [f"{reader.upper()}003"]


GROWING = {
    "pg": {
        "declarations": "node N{n} {{ a: String @key b: I32? @index }} edge E{n}: N{n} -> N{n}\n",
        "mistakes": "node A {{ a: Strng, b: [Blob] }}\n",
        "comments": "// x\n/* y */ ",
    },
    "gq": {
        "queries": 'query q{n}($p: I32) {{ match {{ $a: A {{ a: "x" }} $a.b > $p }} return {{ $a.b }} }}\n',
        "mistakes": "query q{n}() {{ match {{ $a: B $a.zz > }} return {{ $a.b }} }}\n",
        "comments": "// x\n/* y */ ",
    },
    "cluster": {
        "keys": "k{n}: {{a: 1}}\n",
        "comments": "# x\n",
    },
    "policy": {
        "keys": "k{n}: [a, b]\n",
        "comments": "# x\n",
    },
}
GROWING_INSIDE = {
    "clauses": ("query q() { match { $a: A ", "$a.b > {n} ", "} return { $a } }"),
    "variables": ("query q() { match { ", "$a{n}: A ", "} return { $a0 } }"),
    "traversals": ("query q() { match { $p: Person ", "$p knows $f{n} ", "} return { $p } }"),
    "conditions": ("query q() { match { $a: A $a.b = 0 ", "or $a.b = {n} ", "} return { $a } }"),
    "members": ("query q() { match { $a: A $a.b in [0", ", {n}", "] } return { $a } }"),
    "columns": ("query q() { match { $a: A } return { ", "$a.b as c{n} ", "} }"),
    "parameters": ("query q(", "$p{n}: I32, ", ") { match { $a: A } return { $a } }"),
    "blocks": ("query q() { match { $p: Person ", "not { $p knows $f } ", "} return { $p } }"),
    "mutations": ("query q() { ", 'insert A { a: "x" } ', "}"),
}


@pytest.mark.parametrize(
    ("reader", "name"), [(reader, name) for reader, texts in GROWING.items() for name in texts]
)
def test_a_text_four_times_as_long_takes_four_times_the_steps(reader: str, name: str) -> None:
    part = GROWING[reader][name]

    assert_linear(READERS[reader], lambda n: "".join(part.format(n=i) for i in range(n)))


@pytest.mark.parametrize("name", GROWING_INSIDE)
def test_a_query_four_times_as_long_takes_four_times_the_steps(name: str) -> None:
    before, part, after = GROWING_INSIDE[name]

    assert_linear(
        queries_of,
        lambda n: before + "".join(part.replace("{n}", str(i)) for i in range(n)) + after,
    )


def assert_linear(
    read: Callable[[str], tuple[Diagnostic, ...]], text: Callable[[int], str]
) -> None:
    read(text(2))  # what is made once is made
    few, _ = counted(read, text(150))
    many, _ = counted(read, text(600))
    assert many < 4.6 * few + 1_000


def counted(
    read: Callable[[str], tuple[Diagnostic, ...]], text: str
) -> tuple[int, tuple[Diagnostic, ...]]:
    """Returns how many calls, of Python's functions and of C's, an answer takes, and the answer."""
    calls = 0

    def count(_: FrameType, event: str, __: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        found = read(text)
    finally:
        sys.setprofile(before)
    return calls, found
