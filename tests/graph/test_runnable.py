"""What graphs do not run yet is named, every form of it, before anything is read. Source: ADR 7."""

from typing import get_args

import msgspec
import pytest

from agentctl.graph.port import GraphError
from agentctl.graph.runnable import not_runnable, refusal, require_runnable
from agentctl.languages.query import plan
from agentctl.testing.checked_queries import checked

PARAMS = "$s: String, $n: I32, $l: [String], $v: Vector(3), $u: U32"
RETURN = "return { $p.name }"


def named(clauses: str, rest: str = RETURN) -> tuple[str, ...]:
    query = checked(f"query q({PARAMS}) {{ match {{ $p: Person {clauses} }} {rest} }}")
    return not_runnable(query)


RUN = [
    "",
    '$x: Person { age: $n, kind: "core" }',
    "$p worksAt $c $c.rank >= 3 and $c.title contains $s",
    "$p $e:knows $_ $e.weight < 1.5 $p.ok >= true",
    "$p knows{1,4} $x",
    "$p worksAt{2,3} $c",
    "($s) starts_with $p.name",
]
RUN_RESTS = [
    "return { $p, $p.age, $s, 1 as one } order { $p.age desc, $p } limit 3",
    "return { $p.kind, count($p), sum($p.age), min($p.name) } order { count($p) }",
    'return { count(1) as a, count($s), sum($n) as b, avg(1.5) as c, min("x") as d }',
]
"""Like what the tests of queries against their naive meaning run."""

NOT_RUN: dict[str, tuple[str, ...]] = {
    "not { $p knows $_ }": ("`not { … }`",),
    "optional { $p knows $_ }": ("`optional { … }`",),
    "exists { $p knows $_ }": ("`exists { … }`",),
    "count { $p knows $_ } > 3": ("`count { … }`",),
    "$p (knows | likes) $x": ("a choice of edges",),
    "$p <knows> $x": ("an undirected edge",),
    "$p.age in [1, 2]": ("`in`",),
    "$p.age is not null": ("`is null`",),
    "not $p.age = 3": ("`not`",),
    "$p.age = 3 or $p.age = 4": ("`or`",),
    "not ($p.age = 3 and $p.ok = true)": ("`not`",),
    "search($p.name, $s)": ("`search`",),
    "fuzzy($p.name, $s)": ("`fuzzy`",),
    "match_text($p.name, $s)": ("`match_text`",),
    "$p.seen < now()": ("`now()`",),
    "$p.@id = $s": ("`@id`",),
    "$p $e:knows $_ $e.@src = $p.@type": ("`@src`", "`@type`"),
    '$p.tags contains "a"': ("a list",),
    "($l) contains $p.name": ("a list",),
}
NOT_RUN_RESTS: dict[str, tuple[str, ...]] = {
    "return distinct { $p.name }": ("`distinct`",),
    "return { count($l) }": ("a list",),
    "return { count($v) }": ("a vector",),
    "return { $p.name } limit $u": ("`limit` by a parameter",),
    "return { $p.name } offset 3": ("`offset`",),
    "return { $p.vec, $p.tags, $l, [1] as one }": ("a vector", "a list"),
    "return { now() as at, $p.@id as id }": ("`now()`", "`@id`"),
    "return { count($p.@id) as n }": ("`@id`",),
    "return { count($p.vec) }": ("a vector",),
    "return { $p.name } order { $p.@type }": ("`@type`",),
    "return { $p.name, count($p) } order { max($p.age) }": (
        "an aggregate in `order` that is not returned",
    ),
    "return { $p.name } order { nearest($p.vec, $v) } limit 3": ("`nearest`",),
    "return { $p.name } order { bm25($p.name, $s) } limit 3": ("`bm25`",),
    "return { $p.name } order { rrf(bm25($p.name, $s), bm25($p.name, $s)) } limit 3": ("`rrf`",),
}


@pytest.mark.parametrize("clauses", RUN)
def test_what_graphs_run_is_not_named(clauses: str) -> None:
    assert named(clauses) == ()


@pytest.mark.parametrize("rest", RUN_RESTS)
def test_results_that_graphs_give_are_not_named(rest: str) -> None:
    assert named("", rest) == ()


@pytest.mark.parametrize("clauses", NOT_RUN)
def test_what_graphs_do_not_match_is_named(clauses: str) -> None:
    assert named(clauses) == NOT_RUN[clauses]


@pytest.mark.parametrize("rest", NOT_RUN_RESTS)
def test_what_graphs_do_not_return_is_named(rest: str) -> None:
    assert named("", rest) == NOT_RUN_RESTS[rest]


def test_mutations_are_named() -> None:
    changes = checked(
        """query q($s: String) { insert Person { email: $s name: $s }
           update Person set { age: 3 } where email = $s }"""
    )
    delete = checked("query q() { delete Part where a = 1 delete Part where a = 2 }")

    assert not_runnable(changes) == ("`insert`", "`update`")
    assert not_runnable(delete) == ("`delete`",)


def test_several_constructs_are_named_once_each_in_order_and_refused_together() -> None:
    query = checked(
        """query q() { match { $p: Person $p.age in [1] $p.age in [2] optional { $p knows $x } }
           return distinct { $p.name } offset 1 }"""
    )

    assert not_runnable(query) == ("`in`", "`optional { … }`", "`distinct`", "`offset`")
    found = refusal(query, path="query.g.q")
    assert found is not None
    assert (found.code, found.path) == ("not_supported_yet", "query.g.q")
    assert found.message == (
        "`q` uses `in`, `optional { … }`, `distinct`, `offset`, which this release does not run yet"
    )
    with pytest.raises(GraphError) as refused:
        require_runnable(query)
    assert refused.value.diagnostic.code == "not_supported_yet"


def test_every_form_of_a_plan_is_run_or_named() -> None:
    """A new form must get its line here, and its case in `agentctl.graph.runnable`."""
    run = {"Filter", "Value", "ParamRef", "PropertyRef", "EntityRef", "Aggregate"}
    not_run = {
        "Membership",
        "NullTest",
        "Found",
        "Exists",
        "Not",
        "Junction",
        "Now",
        "MetadataRef",
        "Matches",
        "TextSearch",
        "Nearest",
        "Fusion",
        "Insert",
        "Update",
        "Delete",
    }
    unions = (plan.Condition, plan.Operand, plan.Projectable, plan.Rank, plan.Mutation)
    forms = {form.__name__ for union in unions for form in get_args(union)}

    assert forms == run | not_run
    fields = {
        form.__name__: set(form.__struct_fields__)
        for form in (plan.Pattern, plan.Traversal, plan.OrderItem, plan.CheckedQuery)
    }
    assert fields == {
        "Pattern": {"bindings", "traversals", "filters", "negations", "optionals"},
        "Traversal": {
            "source",
            "target",
            "edge_type",
            "alternatives",
            "undirected",
            "edge_var",
            "hops",
            "anchor",
        },
        "OrderItem": {"output", "property", "aggregate", "rank", "descending"},
        "CheckedQuery": {
            "name",
            "params",
            "pattern",
            "outputs",
            "distinct",
            "order",
            "limit",
            "offset",
            "mutations",
            "description",
            "instruction",
            "reads",
            "writes",
        },
    }
    assert all(issubclass(f, msgspec.Struct) for f in get_args(plan.Condition))
