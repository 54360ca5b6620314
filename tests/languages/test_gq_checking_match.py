"""What the blocks of a match mean: directions, choices, scopes, and what can be null.

Source: languages 2.2, 2.7, 3.1.
"""

from agentctl.languages.query.plan import (
    Binding,
    EntityRef,
    Exists,
    Filter,
    Junction,
    Matches,
    Not,
    NullTest,
    Pattern,
    PropertyRef,
    Traversal,
    Value,
)
from agentctl.languages.schema.types import PropertyType, Scalar
from agentctl.testing.checked_queries import catalog_of, check, checked, rules_of


def pattern(clauses: str, params: str = "") -> Pattern:
    return checked(f"query q({params}) {{ match {{ {clauses} }} return {{ 1 as one }} }}").pattern


def rules(clauses: str, params: str = "") -> list[str | None]:
    return rules_of(f"query q({params}) {{ match {{ {clauses} }} return {{ 1 as one }} }}")


def bound(found: Pattern) -> list[tuple[str, str]]:
    return [(b.var, b.type_name) for b in found.bindings]


def test_a_choice_of_edges_is_one_traversal_with_alternatives() -> None:
    found = pattern("$p: Person $p (knows | likes){1,3} $x")

    assert found.traversals == (
        Traversal(source="p", target="x", edge_type="Knows", alternatives=("Likes",), hops=(1, 3)),
    )


def test_an_undirected_edge_keeps_its_variable_and_bounds() -> None:
    (plain,) = pattern("$p: Person $p $e:<knows> $x").traversals
    (far,) = pattern("$p: Person $p <knows>{2,3} $x").traversals

    assert (plain.undirected, plain.edge_var, plain.hops) == (True, "e", (1, 1))
    assert (far.undirected, far.edge_var, far.hops) == (True, None, (2, 3))


def test_bounds_over_an_edge_that_cannot_repeat_are_one_hop_where_one_hop_is_meant() -> None:
    assert pattern("$p: Person $p worksAt{1,4} $c").traversals[0].hops == (1, 1)
    assert pattern("$p: Person $p worksAt{2,4} $c").traversals[0].hops == (2, 4)


def test_a_type_of_the_same_name_as_an_edge_does_not_matter() -> None:
    schema = "node Knows { a: I32? } edge Knows: Knows -> Knows"
    found = checked("query q() { match { $x: Knows $x knows $y } return { $y.a } }", schema)

    assert found.pattern.traversals[0].edge_type == "Knows"
    assert [(f.kind, f.type_name) for f in found.reads] == [("edge", "Knows"), ("node", "Knows")]


def test_the_variables_of_a_negation_stay_inside() -> None:
    found = pattern("$p: Person not { $p worksAt $c $c.employees > 3 } $c: Person")

    assert bound(found) == [("p", "Person"), ("c", "Person")]
    (inner,) = found.negations
    assert bound(inner) == [("c", "Company")]
    assert len(inner.filters) == 1
    assert rules("$p: Person not { $p worksAt $c } $c.slug = $s", "$s: String") == [
        "T6:unbound-variable"
    ]


def test_a_block_sees_the_variables_outside_and_binds_them_not_again() -> None:
    found = pattern("$p: Person not { $p: Person { age: 3 } }")

    assert found.negations == (
        Pattern(
            filters=(
                Filter(
                    left=PropertyRef(
                        var="p",
                        property="age",
                        type=PropertyType(scalar=Scalar.I32, nullable=True),
                    ),
                    comparison="=",
                    right=Value(value=3, type=PropertyType(scalar=Scalar.I64)),
                ),
            ),
        ),
    )


def test_a_negation_needs_an_outer_variable_in_a_clause_of_its_own() -> None:
    assert rules("$p: Person not { $x knows $y }") == ["T9:negation-unbound"]
    assert rules("not { $p knows $_ } $p: Person") == ["T9:negation-unbound"]
    assert rules("$p: Person not { optional { $p knows $x } }") == ["T9:negation-unbound"]
    assert rules('$p: Person not { $x: Person not ($p.name = "a") }') == []
    assert rules("$p: Person not { count { $p knows $_ } > 3 $x: Company }") == [
        "T9:negation-unbound"
    ]


def test_a_negation_over_a_variable_without_a_type_is_told_once() -> None:
    assert rules("$p: Persn not { $p knows $x }") == ["T1"]


def test_what_an_optional_block_binds_is_seen_behind_it_and_may_be_null() -> None:
    query = checked(
        """query q() { match { $p: Person optional { $p $e:worksAt $c $c.employees > 3 }
           optional { $c owns $d } } return { $c, $c.employees, $e.role, $e.@id as id, $d.slug } }"""
    )

    outer, (first, second) = query.pattern, query.pattern.optionals
    assert (bound(outer), bound(first), bound(second)) == (
        [("p", "Person")],
        [("c", "Company")],
        [("d", "Company")],
    )
    (inside,) = first.filters
    assert isinstance(inside, Filter)
    assert isinstance(inside.left, PropertyRef)
    assert not inside.left.type.nullable
    assert query.outputs[0].value == EntityRef(var="c", nullable=True)
    assert [o.type.nullable for o in query.outputs if o.type is not None] == [True] * 4


def test_an_optional_variable_may_begin_an_edge_outside() -> None:
    found = pattern("$p: Person optional { $p worksAt $c } $c owns $d")

    assert bound(found) == [("p", "Person"), ("d", "Company")]
    assert [(t.source, t.target) for t in found.traversals] == [("c", "d")]


def test_a_null_test_of_a_variable_is_about_the_node_and_one_of_a_parameter_about_its_value() -> (
    None
):
    found = pattern("$p: Person optional { $p knows $x } ($x) is null ($s) is not null", "$s: I32?")

    entity, value = found.filters
    assert entity == NullTest(operand=EntityRef(var="x", nullable=True))
    assert isinstance(value, NullTest)
    assert value.negated
    assert rules("$p: Person optional { $p $e:knows $x } ($e) is null") == ["T23:bare-use"]


def test_exists_and_count_are_patterns_of_their_own() -> None:
    exists, counted = pattern(
        "$p: Person exists { $p knows $x } count { $p likes $x $x.age > 3 } >= 2"
    ).filters

    assert exists == Exists(
        pattern=Pattern(
            bindings=(Binding(var="x", type_name="Person"),),
            traversals=(Traversal(source="p", target="x", edge_type="Knows"),),
        )
    )
    assert isinstance(counted, Filter)
    assert isinstance(counted.left, Matches)
    assert counted.left.type == PropertyType(scalar=Scalar.I64)
    assert len(counted.left.pattern.filters) == 1


def test_a_not_in_a_boolean_expression_is_a_condition_and_alone_a_negation() -> None:
    found = pattern("$p: Person (not exists { $p knows $_ }) or $p.ok = true not { $p likes $_ }")

    (junction,) = found.filters
    assert isinstance(junction, Junction)
    assert [type(c) for c in junction.conditions] == [Not, Filter]
    assert len(found.negations) == 1


def test_parts_of_an_and_are_conditions_of_their_own() -> None:
    found = pattern("$p: Person $p.age > 1 and $p.ok = true and ($p.age < 3 or $p.big = 4)")

    assert [type(c) for c in found.filters] == [Filter, Filter, Junction]


def test_a_bare_variable_left_of_a_word_is_a_comparison_where_no_edge_has_the_name() -> None:
    found = check(
        """query q($a: String, $l: [String]) { match { $p: Person $a contains $a $a in $l
           $l contains $a } return { 1 as one } }"""
    )

    assert found.diagnostics == ()
    assert [(a.kind, a.feature, str(a.where)) for a in found.additions] == [
        ("added", "variable-operand", "q.gq:1:59"),
        ("added", "variable-operand", "q.gq:1:74"),
        ("added", "variable-operand", "q.gq:2:15"),
    ]
    assert rules("$p: Person $p contains $x") == ["T7:entity-operand", "T26:undeclared-variable"]
    assert rules("$p: Person $p contains{1,2} $x") == ["T4"]


def test_a_wrong_end_points_at_the_binding_and_at_the_edge() -> None:
    found = check(
        "query q() { match { $c: Company $d: Company $c worksAt $d } return { $c.slug } }"
    )

    (wrong,) = found.diagnostics
    assert (wrong.rule, str(wrong.where)) == ("T5:wrong-end", "q.gq:1:56")
    assert wrong.message == "`$d` is a `Company`, but here the edge `WorksAt` has a `Person`"
    assert [r.message for r in wrong.related] == ["bound here", "`WorksAt` is declared here"]


def test_a_mistake_in_a_block_hides_none_behind_it() -> None:
    assert rules("$p: Person not { $p knowz $x } exists { $p.agee = 3 } $p.nam = 1") == [
        "T4",
        "T6:unknown-property",
        "T6:unknown-property",
    ]


def test_a_hundred_mistakes_are_kept_and_no_more() -> None:
    clauses = " ".join(f"$p.missing{n} = 1" for n in range(300))
    found = check(f"query q() {{ match {{ $p: Person {clauses} }} return {{ $p }} }}")

    assert len(found.diagnostics) == 100
    assert found.query is None


def test_one_schema_is_indexed_once_for_all_its_queries() -> None:
    from agentctl.languages.query.catalog_index import index_catalog

    catalog = catalog_of()
    assert index_catalog(catalog) is index_catalog(catalog)
    others = [catalog_of(f"node A{n} {{ x: I32? }}") for n in range(40)]
    assert [index_catalog(c).catalog is c for c in others] == [True] * 40
    assert index_catalog(catalog).catalog is catalog


def test_reads_are_every_type_that_any_block_touches() -> None:
    found = checked(
        """query q() { match { $p: Person not { $p wrote $d } exists { $c: Company }
           optional { $p <likes> $_ } count { $_ owns $_ } > 1 } return { $p.name } }"""
    )

    assert [(f.kind, f.type_name) for f in found.reads] == [
        ("edge", "Likes"),
        ("edge", "Owns"),
        ("edge", "Wrote"),
        ("node", "Company"),
        ("node", "Doc"),
        ("node", "Person"),
    ]
    assert found.writes == ()
