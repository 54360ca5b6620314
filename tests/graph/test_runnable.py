"""What a call does not run yet is named, every form of it, before anything is read. Source: ADR 7."""

from typing import get_args

import pytest

from agentctl.graph.port import GraphError
from agentctl.graph.runnable import not_runnable, refusal, require_runnable
from agentctl.languages.query import plan
from agentctl.testing.checked_queries import checked

CLAUSES = [
    '$x: Person { age: 3, kind: "core" } $p $e:knows $x $e.@src = $p.@id $e.weight < 1.5',
    "$p (knows | likes){1,4} $x $p <knows> $x $p worksAt{2,3} $c",
    "not { $p knows $_ } optional { $p likes $y } exists { $y knows $_ }",
    'count { $p knows $_ } > 3 or not ($p.age in [1, 2] and $p.age is null) $p.tags contains "a"',
    "search($p.name, $s) fuzzy($p.name, $s) match_text($p.name, $s) $p.seen < now()",
]
RESULTS = [
    "return distinct { $p.name } limit $u offset 3",
    "return { $p, $p.vec, $p.tags, [1] as one, now() as at } order { $p.@type }",
    "return { $p.name, count($p) } order { max($p.age) desc }",
    "return { $p.name } order { rrf(bm25($p.name, $s), nearest($p.vec, $v), 3) } limit 3",
]


@pytest.mark.parametrize("clauses", CLAUSES)
@pytest.mark.parametrize("result", RESULTS)
def test_every_read_is_run(clauses: str, result: str) -> None:
    query = checked(
        "query q($s: String, $v: Vector(3), $u: U32)"
        f" {{ match {{ $p: Person {clauses} }} {result} }}"
    )

    assert not_runnable(query) == ()
    assert refusal(query, path="query.g.q") is None
    require_runnable(query)


def test_mutations_are_named_once_each_and_refused_together() -> None:
    changes = checked(
        """query q($s: String) { insert Person { email: $s name: $s }
           update Person set { age: 3 } where email = $s
           update Person set { age: 4 } where email = $s }"""
    )
    delete = checked("query q() { delete Part where a = 1 delete Part where a = 2 }")

    assert not_runnable(changes) == ("`insert`", "`update`")
    assert not_runnable(delete) == ("`delete`",)
    found = refusal(changes, path="query.g.q")
    assert found is not None
    assert (found.code, found.path) == ("not_supported_yet", "query.g.q")
    assert found.message == ("`q` uses `insert`, `update`, which this release does not run yet")
    with pytest.raises(GraphError) as refused:
        require_runnable(delete)
    assert refused.value.diagnostic.code == "not_supported_yet"


def test_every_form_of_a_plan_is_run_or_named() -> None:
    """A new form must get its line here, and its case in `agentctl.graph.reads`."""
    run = {
        "Filter",
        "Value",
        "ParamRef",
        "PropertyRef",
        "EntityRef",
        "Aggregate",
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
    }
    unions = (plan.Condition, plan.Operand, plan.Projectable, plan.Rank, plan.Mutation)
    forms = {form.__name__ for union in unions for form in get_args(union)}

    assert forms == run | {"Insert", "Update", "Delete"}
    fields = {
        form.__name__: len(form.__struct_fields__)
        for form in (plan.Pattern, plan.Traversal, plan.OrderItem, plan.CheckedQuery)
    }
    assert fields == {"Pattern": 5, "Traversal": 8, "OrderItem": 5, "CheckedQuery": 13}
