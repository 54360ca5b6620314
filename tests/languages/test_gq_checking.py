"""What a query means over a schema, and what is said where it does not fit."""

from agentctl.languages.query.compile import CheckedResult, check_query, parse_query_file
from agentctl.languages.query.descriptor import Descriptor, param_kinds, result_columns
from agentctl.languages.query.plan import (
    Aggregate,
    Binding,
    CheckedQuery,
    EntityRef,
    Fact,
    Filter,
    OrderItem,
    Output,
    Param,
    ParamRef,
    Pattern,
    PropertyRef,
    Traversal,
    Value,
)
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.types import Catalog, PropertyType, Scalar

SCHEMA = """
node Package { name: String @key version: String summary: String? stars: I64? at: DateTime? }
node License { spdx: String @key since: Date? free: Bool cost: F64? }
edge DependsOn: Package -> Package { marker: String? weight: I32? }
edge HasLicense: Package -> License
edge Contains: Package -> Package
"""
TEXT = PropertyType(scalar=Scalar.STRING)


def catalog(schema: str = SCHEMA) -> Catalog:
    found = compile_schema(schema.encode(), file="s.pg").catalog
    assert found is not None
    return found


def result(text: str, schema: str = SCHEMA) -> CheckedResult:
    file = parse_query_file(text.encode(), file="q.gq")
    assert file.diagnostics == ()
    (declaration,) = file.declarations
    return check_query(declaration, catalog(schema))


def checked(text: str, schema: str = SCHEMA) -> CheckedQuery:
    found = result(text, schema)
    assert found.diagnostics == ()
    assert found.query is not None
    return found.query


def reading(clauses: str, *, params: str = "", rest: str = "return { $p.name }") -> str:
    """A query whose clauses begin in column 1 of line 2, and the rest in column 1 of line 3."""
    return f"query q({params}) {{ match {{ $p: Package\n{clauses} }}\n{rest} }}"


def problems(text: str) -> list[str]:
    found = result(text)
    assert found.query is None
    listed = []
    for d in found.diagnostics:
        assert d.where is not None
        place = f"{d.where.line}:{d.where.column}-{d.where.end_column}"
        listed.append(f"{place} {d.rule or d.code}: {d.message}")
    return listed


def rule(clauses: str, *, params: str = "") -> str | None:
    (found,) = result(reading(clauses, params=params)).diagnostics
    return found.rule or found.code


def remedy(text: str) -> str | None:
    return result(text).diagnostics[0].remedy


def traversals(clauses: str, schema: str = SCHEMA) -> tuple[Traversal, ...]:
    return checked(
        f"query q() {{ match {{ {clauses} }} return {{ $a }} }}", schema
    ).pattern.traversals


def comparisons(query: CheckedQuery) -> list[Filter]:
    return [f for f in query.pattern.filters if isinstance(f, Filter)]


def test_the_query_of_the_demo_finds_what_breaks() -> None:
    query = checked(
        """query impact($name: String) @description("what breaks") {
  match { $p: Package { name: $name } $d dependsOn{1,6} $p }
  return { $d.name, $d.version } order { $d.name asc } limit 50 }"""
    )

    name, version = (PropertyRef(var="d", property=p, type=TEXT) for p in ("name", "version"))
    assert query == CheckedQuery(
        name="impact",
        params=(Param(name="name", type=TEXT),),
        pattern=Pattern(
            bindings=(
                Binding(var="p", type_name="Package"),
                Binding(var="d", type_name="Package"),
            ),
            traversals=(
                Traversal(
                    source="d", target="p", edge_type="DependsOn", hops=(1, 6), anchor="source"
                ),
            ),
            filters=(
                Filter(
                    left=PropertyRef(var="p", property="name", type=TEXT),
                    comparison="=",
                    right=ParamRef(name="name", type=TEXT),
                ),
            ),
        ),
        outputs=(
            Output(name="d.name", value=name, type=TEXT),
            Output(name="d.version", value=version, type=TEXT),
        ),
        order=(OrderItem(output=0),),
        limit=50,
        description="what breaks",
        reads=(
            Fact(kind="edge", type_name="DependsOn"),
            Fact(kind="node", type_name="Package"),
        ),
    )


def test_direction_follows_the_bound_end_the_left_one_first() -> None:
    out = traversals("$a: Package $a hasLicense $l")
    into = traversals("$a: License $a hasLicense $p")
    right_out = traversals("$a: License $p hasLicense $a")
    right_in = traversals("$a: Package $l hasLicense $a")
    free = traversals("$a hasLicense $l")

    assert [
        (t.source, t.target, t.anchor) for t in (*out, *into, *right_out, *right_in, *free)
    ] == [
        ("a", "l", "source"),
        ("p", "a", "target"),
        ("p", "a", "source"),
        ("a", "l", "target"),
        ("a", "l", "source"),
    ]


def test_an_edge_between_equal_types_leads_from_left_to_right() -> None:
    for clauses in (
        "$a: Package $a dependsOn $b",
        "$b: Package $a dependsOn $b",
        "$a dependsOn $b",
    ):
        (found,) = traversals(clauses)
        assert (found.source, found.target, found.anchor) == ("a", "b", "source")


def test_traversals_bind_nodes_edges_and_nothing_at_the_anonymous_end() -> None:
    query = checked(
        """query q() { match { $l: License $_ dependsOn $p $p $e:hasLicense $l $a DEPENDSON $a }
           return { $p, $l.spdx, $a.name } }""".replace("DEPENDSON", "dependson")
    )

    assert [(b.var, b.type_name) for b in query.pattern.bindings] == [
        ("l", "License"),
        ("p", "Package"),
        ("a", "Package"),
    ]
    assert [(t.source, t.target, t.edge_var) for t in query.pattern.traversals] == [
        (None, "p", None),
        ("p", "l", "e"),
        ("a", "a", None),
    ]
    assert query.outputs[0] == Output(name="p", value=EntityRef(var="p"), type=None)


def test_hops_over_an_edge_that_cannot_repeat_are_one_hop() -> None:
    assert traversals("$a hasLicense{1,4} $l")[0].hops == (1, 1)
    assert traversals("$a hasLicense{2,4} $l")[0].hops == (2, 4)


def test_properties_of_edges_filter_and_return() -> None:
    query = checked(reading("$p $e:dependsOn $_ $e.weight >= 3", rest="return { $e.marker as m }"))

    assert query.pattern.filters == (
        Filter(
            left=PropertyRef(
                var="e", property="weight", type=PropertyType(scalar=Scalar.I32, nullable=True)
            ),
            comparison=">=",
            right=Value(value=3, type=PropertyType(scalar=Scalar.I64)),
        ),
    )


def test_any_numbers_compare_and_moments_are_days_and_milliseconds() -> None:
    query = checked(
        reading(
            """$p hasLicense $l $l.cost > 3 $p.stars < -1.5e2 $l.since = date("1970-01-02")
               $p.at >= datetime("1970-01-01T00:00:01.5+00:00") $l.free = true $p.stars = $l.cost"""
        )
    )

    values = [f.right.value for f in comparisons(query) if isinstance(f.right, Value)]
    assert values == [3, -150.0, 1, 1500, True]


def test_a_word_operator_is_a_traversal_only_where_the_schema_has_that_edge() -> None:
    text = "query q($s: String) { match { $p: Package $p.name starts_with $s $s starts_with $p.name } return { $p } }"
    edge = checked("query q() { match { $p contains $q } return { $p } }")

    assert [f.comparison for f in comparisons(checked(text))] == ["starts_with", "starts_with"]
    assert [t.edge_type for t in edge.pattern.traversals] == ["Contains"]
    assert checked(
        "query q($s: String, $t: String) { match { $p: Package $s contains $t } return { $p } }",
        "node Package { name: String }",
    ).pattern.filters == (
        Filter(
            left=ParamRef(name="s", type=TEXT),
            comparison="contains",
            right=ParamRef(name="t", type=TEXT),
        ),
    )


def test_columns_are_named_and_described_as_they_are_returned() -> None:
    query = checked(
        reading(
            "$p hasLicense $l",
            params="$n: I32?",
            rest="""return { $l, $l.since $n 1.5 as half $p.stars as stars } order { stars desc }""",
        )
    )
    groups = checked(
        reading(
            "$p hasLicense $l",
            rest="""return { $l.free count($p) count($p.stars) sum($p.stars) avg($l.cost) as a
                    min($p.name) max($p.stars) } order { count($p) desc, $l.free }""",
        )
    )

    assert result_columns(query) == (
        Descriptor(name="l", kind="object", nullable=False),
        Descriptor(name="l.since", kind="date", nullable=True),
        Descriptor(name="n", kind="int", nullable=True),
        Descriptor(name="half", kind="float", nullable=False),
        Descriptor(name="stars", kind="bigint", nullable=True),
    )
    assert param_kinds(query) == (Descriptor(name="n", kind="int", nullable=True),)
    assert query.order == (OrderItem(output=4, descending=True),)
    assert groups.aggregates
    assert result_columns(groups) == (
        Descriptor(name="l.free", kind="bool", nullable=False),
        Descriptor(name="count", kind="bigint", nullable=False),
        Descriptor(name="count(p.stars)", kind="bigint", nullable=False),
        Descriptor(name="sum(p.stars)", kind="float", nullable=True),
        Descriptor(name="a", kind="float", nullable=True),
        Descriptor(name="min(p.name)", kind="string", nullable=False),
        Descriptor(name="max(p.stars)", kind="bigint", nullable=True),
    )
    assert groups.order == (OrderItem(output=1, descending=True), OrderItem(output=0))
    assert isinstance(groups.outputs[1].value, Aggregate)


def test_a_property_that_is_not_returned_may_order() -> None:
    query = checked(reading("", rest="return { $p.name } order { $p.stars desc, $p.name }"))

    assert query.order == (
        OrderItem(
            property=PropertyRef(
                var="p", property="stars", type=PropertyType(scalar=Scalar.I64, nullable=True)
            ),
            descending=True,
        ),
        OrderItem(output=0),
    )


def test_a_parameter_hides_a_variable_of_its_name() -> None:
    query = checked(reading("", params="$p: String", rest="return { $p, $p.name }"))

    assert [o.value for o in query.outputs] == [
        ParamRef(name="p", type=TEXT),
        PropertyRef(var="p", property="name", type=TEXT),
    ]


def test_each_type_error_has_its_rule() -> None:
    cases = {
        "$x: Packge": "T1",
        "$x: Package { nam: 3 }": "T2",
        "$x: Package { stars: true }": "T3:literal-type",
        "$x: Package { name: 3 }": "T3:literal-type",
        "$x: Package { name: $n }": "T7:parameter-type",
        "$x: Package { name: $p }": "T7:entity-operand",
        "$x: Package { name: $gone }": "T26:undeclared-variable",
        "$p requires $q": "T4",
        "$l: License $p dependsOn $l": "T5:not-endpoint",
        "$l: License $l dependsOn $p": "T5:not-endpoint",
        "$p.nam = 3": "T6:unknown-property",
        "$q.name = 3": "T6:unbound-variable",
        "$n.name = 3": "T6:unbound-variable",
        "$p.name = 3": "T7:incompatible",
        '$p.at > "2026-11-21"': "T7:incompatible",
        "$p.name = $n": "T7:incompatible",
        "$p = 3": "T7:entity-operand",
        "$gone = 3": "T26:undeclared-variable",
        "count($p) > 3": "T7:aggregate-operand",
        'name = "x"': "T7:alias-operand",
        '$p.stars contains "x"': "T7:text-operands",
        "$p.name starts_with 3": "T7:text-operands",
        "$p dependsOn{0,2} $q": "T15:hop-bounds",
        "$p dependsOn{3,2} $q": "T15:hop-bounds",
        "$p dependsOn{1,} $q": "T15:hop-bounds",
        "$p $e:dependsOn{1,2} $q": "T23:hop-bounds",
        "$p $p:dependsOn $q": "T23:name-reuse",
        "$p $_:dependsOn $q": "T23:name-reuse",
        '$p $e:dependsOn $q $e dependsOn $z $z.name = "x"': "T23:endpoint",
        "$p $e:dependsOn $q $e: Package": "T23:rebound-as-node",
        "$p $e:dependsOn $q $e = 3": "T23:bare-use",
        "$p: License": "T27:rebound",
        "$_: License": "T27:anonymous",
    }
    for clauses, expected in cases.items():
        assert rule(clauses, params="$n: I32") == expected, clauses


def test_each_output_error_has_its_rule() -> None:
    cases = {
        "return { $gone }": "T26:undeclared-variable",
        "return { name }": "T26:undeclared-variable",
        "return { $p.nam }": "T6:unknown-property",
        "return { $e }": "T23:bare-use",
        "return { count($e) }": "T23:bare-use",
        "return { sum($p.name) }": "T8:numeric",
        "return { avg($p) }": "T8:numeric",
        "return { min($p.at) }": "T8:ordered",
        "return { max($p) }": "T8:ordered",
        "return { 1 as one, count($p) }": "T9:ungrouped-value",
        "return { $p.name, $p.name }": "T28",
        "return { $p.name, $p.stars as name, $p.version as name }": "T28",
        'return { "x" }': "T29",
        "return { $p.name } order { nam }": "T25:unknown-alias",
        "return { count($p) } order { $p.name }": "T25:not-grouped",
        "return { count(now()) }": "T8:argument",
        "return { sum(1) }": "T29",
        "return { count(1) }": "T29",
        "return { sum($n) }": "T29",
        "return { $p.name } order { count($p) }": "T25:aggregate-ungrouped",
    }
    for rest, expected in cases.items():
        text = reading("$p $e:dependsOn $_", params="$n: I32", rest=rest)
        found = result(text).diagnostics
        assert [d.rule or d.code for d in found] == [expected], rest


def test_mistakes_are_placed_exactly_and_all_told() -> None:
    text = reading(
        "$p requires $q $q.name = 3\n$p.nam = 3 $l: Licence $l.x = 3",
        rest="return { $p.name as a, $p.stars as a, sum($p.version) as s }",
    )

    assert problems(text) == [
        "2:4-12 T4: there is no edge `requires`",
        "3:4-7 T6:unknown-property: `Package` has no property `nam`",
        "3:16-23 T1: there is no node type `Licence`",
        "4:36-37 T28: two columns are named `a`",
        "4:43-53 T8:numeric: `sum` takes numbers, not String",
    ]


def test_the_schema_is_pointed_at_and_the_nearest_name_given() -> None:
    (found,) = result(reading("$p.nam = 3")).diagnostics

    assert found.remedy == "Did you mean `name`?"
    assert [str(r.where) for r in found.related] == ["s.pg:2:6"]
    assert remedy(reading("$p dependOn $q")) == "Did you mean `dependsOn`?"
    assert (
        remedy(reading("", params="$nam: String", rest="return { $name }"))
        == "Did you mean `$nam`?"
    )
    assert remedy(reading('$p.at > "2026"')) == 'Write `datetime("2026-11-21T03:30:00Z")`.'


def test_the_queries_of_the_digest_vectors_are_accepted() -> None:
    """Source: control-plane 1.9."""
    schema = "node A { k: String @key }\n"
    second = b"query b() { match { $a: A } return { $a.k } }\n\nquery a() { match { $a: A } return { $a.k } }\n"

    assert checked("query q() { match { $a: A } return { $a.k } }\n", schema).name == "q"
    file = parse_query_file(second, file="q.gq")
    assert [check_query(d, catalog(schema)).diagnostics for d in file.declarations] == [(), ()]
