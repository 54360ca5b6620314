"""The plan of a query: where it begins, what it reads, and that no rule changes its rows."""

import itertools

import pytest

from agentctl.graph.port import GraphError
from agentctl.graph.reads.arranging import arranged
from agentctl.graph.reads.cost import Statistics, chosen, statistics_of
from agentctl.graph.reads.logical import (
    Edges,
    Expand,
    Fetch,
    Given,
    Join,
    Limit,
    Plan,
    Project,
    Scan,
)
from agentctl.graph.reads.results import lowered
from agentctl.graph.reads.rules import optimised
from agentctl.graph.reads.shape import parts
from agentctl.graph.reads.telling import told
from agentctl.languages.schema.ir import SchemaIr, evolve_ir
from agentctl.testing.checked_queries import catalog_of, checked


def ir() -> SchemaIr:
    numbers = itertools.count()
    return evolve_ir(None, catalog_of(), lambda: f"id{next(numbers)}")


def statistics(people: int = 100_000, edges: int = 500_000, **nodes: int) -> Statistics:
    sizes = {"Person": people, "Company": 1_000} | nodes
    return statistics_of(ir(), lambda t: edges if t.kind == "edge" else sizes.get(t.name, 10))


def planned(clauses: str, result: str, known: Statistics | None = None) -> Project:
    query = checked(f"query q() {{ match {{ {clauses} }} {result} }}")
    return optimised(lowered(query, ir(), {}, now=0), ir(), known or statistics())


def operators(plan: Plan) -> list[Plan]:
    """Returns the operators of a plan in the order they give their first row."""
    below = [o for part in parts(plan) for o in operators(part)]
    return [*below, plan]


def shape(plan: Plan) -> str:
    return " > ".join(told(o)[0] for o in operators(plan))


def test_a_match_begins_where_the_fewest_rows_are() -> None:
    plan = planned("$a: Person $b: Person { age: 3 } $a knows $b", "return { $a.name }")

    scan, hop = operators(plan)[:2]
    assert isinstance(scan, Scan)
    assert scan.node.var == "b"
    assert isinstance(hop, Expand)
    assert hop.near == "target"


def test_a_node_that_is_told_by_its_key_is_not_looked_up_where_an_edge_follows() -> None:
    followed = planned('$b: Person { email: "x" } $a knows $b', "return { $a.@id as id }")
    many = planned(
        '$b: Person $b.email in ["x", "y", "x"] $b knows{1,2} $a', "return { count($a) as n }"
    )
    alone = planned('$b: Person { email: "x" }', "return { $b.@id as id }")
    tested = planned('$b: Person { email: "x" } $b.age > 3 $b knows $a', "return { $a.name }")

    assert shape(followed) == "given > expand > order > project"
    given = operators(many)[0]
    assert isinstance(given, Given)
    assert given.ids == ("x", "y")
    assert shape(alone) == "scan > order > project"
    assert shape(tested).startswith("scan > expand")


def test_edges_between_untested_nodes_are_read_without_the_nodes() -> None:
    plan = planned("$a: Person $a $e:knows $b $e.weight > 1.0", "return { $b.@id as b, count($a) }")

    first = operators(plan)[0]
    assert isinstance(first, Edges)
    assert len(first.tests) == 1
    assert not [o for o in operators(plan) if isinstance(o, Scan)]


def test_what_is_only_shown_is_read_behind_the_limit() -> None:
    plan = planned("$a: Person", "return { $a.name, $a.height } order { $a.age } limit 3")

    assert shape(plan) == "scan > order > limit > fetch > project"
    scan, _, _, fetch, _ = operators(plan)
    assert isinstance(scan, Scan)
    assert isinstance(fetch, Fetch)
    assert (scan.reads, fetch.reads) == (("age",), ("height", "name"))


def test_without_a_limit_what_is_shown_is_read_with_the_scan() -> None:
    plan = planned("$a: Person", "return { $a.name }")

    assert shape(plan) == "scan > order > project"


def test_properties_of_an_edge_come_with_it_into_inner_patterns_too() -> None:
    plan = planned(
        "$a: Person $a $e:knows $b exists { $b $f:knows $_ $f.since > $e.since }",
        "return { $a.name }",
    )

    edges = operators(plan)[0]
    assert isinstance(edges, Edges)
    assert edges.reads == ("since",)


def test_ids_of_edges_are_read_only_where_somebody_uses_them() -> None:
    grouped = planned("$a: Person { age: 3 } $a $e:knows $b", "return { avg($e.weight) as w }")
    listed = planned("$a: Person { age: 3 } $a $e:knows $b", "return { $e.weight }")

    assert [o.ids for o in operators(grouped) if isinstance(o, Expand)] == [False]
    assert [o.ids for o in operators(listed) if isinstance(o, Expand)] == [True]


def test_parts_that_an_equality_connects_are_joined_by_it() -> None:
    plan = planned("$a: Person $c: Company $a.name = $c.title", "return { $a.name }")

    (join,) = [o for o in operators(plan) if isinstance(o, Join)]
    assert {*join.on[0]} == {"a.name", "c.title"}


def test_what_hangs_on_an_optional_variable_alone_waits_for_it() -> None:
    plan = planned(
        "$a: Person optional { $a knows $x } $x worksAt $c $c owns $d", "return { $d.title }"
    )

    assert not [o for o in operators(plan) if isinstance(o, Join)]


def test_a_limit_says_how_many_rows_an_order_needs() -> None:
    plan = planned("$a: Person", "return { $a.name } limit 3 offset 2")

    (limit,) = [o for o in operators(plan) if isinstance(o, Limit)]
    assert (limit.offset, limit.count) == (2, 3)
    assert told(limit.input) == ("order", "$a, the first 5")


def test_an_arranged_plan_has_every_hop_and_every_test_once() -> None:
    query = checked(
        """query q() { match { $a: Person $a knows $b $b knows $a $b worksAt $c $c.rank > 2
           $a.age < $b.age $z: Part $z.a = $c.rank } return { $a.name } }"""
    )
    plan = arranged(lowered(query, ir(), {}, now=0), statistics())

    texts = " ".join(told(o)[1] for o in operators(plan))
    assert texts.count("Knows") == 2
    assert texts.count("WorksAt") == 1
    assert texts.count("$c.rank > 2") == 1
    assert texts.count("$a.age < $b.age") == 1
    assert texts.count("$z.a = $c.rank") + texts.count("$c.rank = $z.a") == 1


@pytest.mark.parametrize(
    ("near", "edges", "cached", "way"),
    [
        (1, 5_000_000, False, "index"),
        (1, 5_000_000, True, "csr"),
        (50_000, 500_000, True, "csr"),
        (50_000, 500_000, False, "arrow"),
        (1, 100, False, "arrow"),
    ],
)
def test_the_way_of_following_edges_is_chosen_by_cost(
    near: int,
    edges: int,
    cached: bool,  # noqa: FBT001  # a case of the table
    way: str,
) -> None:
    assert chosen(near, edges, cached=cached) == way


def test_a_query_of_another_schema_is_refused() -> None:
    query = checked("query q() { match { $a: Person } return { $a.name } }")
    without = SchemaIr(types=tuple(t for t in ir().types if t.name != "Person"))

    with pytest.raises(GraphError) as refused:
        lowered(query, without, {}, now=0)

    assert refused.value.diagnostic.code == "schema_mismatch"


def test_a_negative_limit_is_refused() -> None:
    query = checked("query q($n: I32) { match { $a: Person } return { $a.name } limit $n }")

    with pytest.raises(GraphError) as refused:
        lowered(query, ir(), {"n": -1}, now=0)

    assert refused.value.diagnostic.code == "param_invalid"
