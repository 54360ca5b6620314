"""Columns, groups, order and bounds: what a run returns is what was promised.

Source: languages 2.2, 2.6, 3.1, 3.2.
"""

from agentctl.languages.query.descriptor import Descriptor, param_kinds, result_columns
from agentctl.languages.query.plan import (
    Aggregate,
    CheckedQuery,
    EntityRef,
    Fusion,
    MetadataRef,
    Nearest,
    OrderItem,
    Param,
    ParamRef,
    PropertyRef,
    TextSearch,
    Value,
)
from agentctl.languages.schema.types import PropertyType, Scalar
from agentctl.testing.checked_queries import check, checked, rules_of

TEXT = PropertyType(scalar=Scalar.STRING)
PARAMS = "$s: String, $n: U32, $v: Vector(3), $l: [I64]?"


def text_of(rest: str, clauses: str = "$p: Person $p $e:knows $x") -> str:
    return f"query q({PARAMS}) {{ match {{ {clauses} }} {rest} }}"


def query(rest: str, clauses: str = "$p: Person $p $e:knows $x") -> CheckedQuery:
    return checked(text_of(rest, clauses))


def columns(rest: str, clauses: str = "$p: Person $p $e:knows $x") -> list[tuple[str, str, bool]]:
    return [(c.name, c.kind, c.nullable) for c in result_columns(query(rest, clauses))]


def test_columns_are_named_by_what_they_are() -> None:
    assert columns("return { $p, $x.age, $s, count($x), sum($p.age), min($p.name) as least }") == [
        ("p", "object", False),
        ("x.age", "int", True),
        ("s", "string", False),
        ("count", "bigint", False),
        ("sum(p.age)", "float", True),
        ("least", "string", False),
    ]


def test_anything_else_needs_a_name() -> None:
    for value in ("now()", "[1, 2]", "$p.@type", "1", "max($p.@id)", "count($p.@id)"):
        assert rules_of(text_of(f"return {{ {value} }}")) in (["T29"], ["T29", "T29"]), value
        assert rules_of(text_of(f"return {{ {value} as a }}")) == [], value


def test_every_kind_of_column_is_described() -> None:
    found = query(
        """return { $p.email, $p.age, $p.height, $p.big, $p.ok, $p.born, $p.seen, $p.kind, $p.tags,
           $p.times, $p.vec, $l, $v, [1.5] as floats, $e.since, $e.@src as source }"""
    )

    assert result_columns(found) == (
        Descriptor(name="p.email", kind="string", nullable=False),
        Descriptor(name="p.age", kind="int", nullable=True),
        Descriptor(name="p.height", kind="float", nullable=True),
        Descriptor(name="p.big", kind="bigint", nullable=True),
        Descriptor(name="p.ok", kind="bool", nullable=True),
        Descriptor(name="p.born", kind="date", nullable=True),
        Descriptor(name="p.seen", kind="datetime", nullable=True),
        Descriptor(name="p.kind", kind="string", nullable=True),
        Descriptor(name="p.tags", kind="list", item_kind="string", nullable=True),
        Descriptor(name="p.times", kind="list", item_kind="datetime", nullable=True),
        Descriptor(name="p.vec", kind="vector", vector_dim=3, nullable=True),
        Descriptor(name="l", kind="list", item_kind="bigint", nullable=True),
        Descriptor(name="v", kind="vector", vector_dim=3, nullable=False),
        Descriptor(name="floats", kind="list", item_kind="float", nullable=False),
        Descriptor(name="e.since", kind="date", nullable=True),
        Descriptor(name="source", kind="string", nullable=False),
    )


def test_every_kind_of_parameter_is_described() -> None:
    found = checked(
        """query q($a: Blob?, $b: [Date], $c: Vector(2)?, $d: U64, $e: DateTime) {
           match { $p: Person } return { $p } }"""
    )

    assert param_kinds(found) == (
        Descriptor(name="a", kind="blob", nullable=True),
        Descriptor(name="b", kind="list", item_kind="date", nullable=False),
        Descriptor(name="c", kind="vector", vector_dim=2, nullable=True),
        Descriptor(name="d", kind="bigint", nullable=False),
        Descriptor(name="e", kind="datetime", nullable=False),
    )
    assert found.params[2] == Param(
        name="c", type=PropertyType(scalar=Scalar.F32, vector_dim=2, nullable=True)
    )


def test_an_optional_variable_gives_null() -> None:
    clauses = "$p: Person optional { $p worksAt $c }"

    assert columns("return { $c, $c.slug, $c.@id as id }", clauses) == [
        ("c", "object", True),
        ("c.slug", "string", True),
        ("id", "string", True),
    ]
    assert columns("return { $p.email, count($c), max($c.slug) }", clauses) == [
        ("p.email", "string", False),
        ("count", "bigint", False),
        ("max(c.slug)", "string", True),
    ]


def test_an_aggregate_is_null_only_where_a_group_may_be_empty() -> None:
    clauses = "$c: Company"

    assert columns("return { sum($c.employees), min($c.slug) }", clauses) == [
        ("sum(c.employees)", "float", True),
        ("min(c.slug)", "string", True),
    ]
    assert columns("return { $c.title, sum($c.employees), min($c.slug) }", clauses) == [
        ("c.title", "string", False),
        ("sum(c.employees)", "float", False),
        ("min(c.slug)", "string", False),
    ]
    assert columns("return { $s, avg($c.employees) }", clauses)[1] == (
        "avg(c.employees)",
        "float",
        True,
    )


def test_an_aggregate_of_a_literal_or_a_parameter_is_null_where_there_is_no_row_or_value() -> None:
    taken = (
        'count(1) as a, count($o), sum(2) as b, avg($n) as c, min("x") as d, max($o) as e, '
        "sum(1.5) as f"
    )

    def described(groups: str) -> list[tuple[str, str, bool]]:
        text = f"query q($n: U32, $o: String?) {{ match {{ $p: Person }} return {{ {groups}{taken} }} }}"
        checked = check(text)
        assert checked.query is not None, checked.diagnostics
        return [(c.name, c.kind, c.nullable) for c in result_columns(checked.query)][-7:]

    alone = [
        ("a", "bigint", False),
        ("count", "bigint", False),
        ("b", "float", True),
        ("c", "float", True),
        ("d", "string", True),
        ("e", "string", True),
        ("f", "float", True),
    ]
    assert described("") == alone
    assert described("$p.name, ") == [(name, kind, name == "e") for name, kind, _ in alone]


def test_a_parameter_hides_the_variable_of_its_name_in_an_aggregate() -> None:
    found = check("query q($p: I32) { match { $p: Person } return { count($p), sum($p) as s } }")

    assert found.query is not None, found.diagnostics
    hidden = ParamRef(name="p", type=PropertyType(scalar=Scalar.I32))
    assert [o.value for o in found.query.outputs] == [
        Aggregate(function="count", argument=hidden),
        Aggregate(function="sum", argument=hidden),
    ]
    assert [o.name for o in found.query.outputs] == ["count", "s"]


def test_entities_properties_and_metadata_are_groups() -> None:
    found = query("return { $p, $x.@type as t, count($e.@id) as n } order { t, $p desc }")

    assert found.order == (OrderItem(output=1), OrderItem(output=0, descending=True))
    assert found.outputs[0].value == EntityRef(var="p")
    assert found.outputs[2].value == Aggregate(
        function="count", argument=MetadataRef(var="e", name="id", type=TEXT)
    )


def test_an_aggregate_that_is_not_returned_may_order_groups() -> None:
    found = query("return { $p.name, count($x) } order { max($x.age) desc, count($x) }")

    assert found.order == (
        OrderItem(
            aggregate=Aggregate(
                function="max",
                argument=PropertyRef(
                    var="x", property="age", type=PropertyType(scalar=Scalar.I32, nullable=True)
                ),
            ),
            descending=True,
        ),
        OrderItem(output=1),
    )


def test_a_whole_node_is_ordered_by_its_id() -> None:
    found = query("return { $p.name } order { $x desc, $e.@id }")

    assert found.order == (
        OrderItem(property=MetadataRef(var="x", name="id", type=TEXT), descending=True),
        OrderItem(property=MetadataRef(var="e", name="id", type=TEXT)),
    )


def test_limit_and_offset_are_numbers_or_parameters() -> None:
    found = query("return distinct { $p.name } order { $p.name } limit $n offset 20")

    assert found.distinct
    assert found.limit == ParamRef(name="n", type=PropertyType(scalar=Scalar.U32))
    assert found.offset == 20
    assert rules_of(text_of("return { $p.name } limit $gone")) == ["T26:undeclared-variable"]
    assert rules_of(text_of("return { $p.name } limit $x")) == ["T36:type"]
    assert rules_of(text_of("return { $p.name } offset $l")) == ["T36:type"]


def test_ranks_come_first_and_say_how_many() -> None:
    near = query("return { $p.name } order { nearest($p.vec, [1, 0.5, -2]), $p.name } limit 3")
    fused = query(
        "return { $p.name } order { rrf(nearest($p.vec, $v), bm25($p.name, $s), 10) } limit $n"
    )

    assert near.order[0].rank == Nearest(
        field=PropertyRef(
            var="p",
            property="vec",
            type=PropertyType(scalar=Scalar.F32, vector_dim=3, nullable=True),
        ),
        query=Value(value=(1.0, 0.5, -2.0), type=PropertyType(scalar=Scalar.F32, vector_dim=3)),
    )
    rank = fused.order[0].rank
    assert isinstance(rank, Fusion)
    assert isinstance(rank.second, TextSearch)
    assert rank.second.function == "bm25"
    assert rank.k == Value(value=10, type=PropertyType(scalar=Scalar.I64))


def test_mistakes_of_ranks() -> None:
    cases = {
        "order { nearest($p.vec, $s) }": ["T17"],
        "order { nearest($p.vec, $gone) } limit 3": ["T26:undeclared-variable"],
        "order { nearest($gone.vec, $v) } limit 3": ["T15:nearest-target"],
        "order { nearest($p.gone, $v) } limit 3": ["T15:nearest-target"],
        "order { nearest($e.weight, $v) } limit 3": ["T23:search-target"],
        "order { nearest($p.vec, [1, 2]) } limit 3": ["T15:nearest-dimension"],
        'order { nearest($p.vec, ["a"]) } limit 3': ["T15:nearest-query"],
        "order { nearest($p.vec, $l) } limit 3": ["T15:nearest-query"],
        "order { nearest($p.vec, $p.raw) } limit 3": ["T15:nearest-query"],
        "order { rrf(bm25($p.name, $s), bm25($p.name, $s), $s) } limit 3": ["T21:k"],
        "order { rrf(bm25($p.age, $s), bm25($p.name, 3)) } limit 3": ["T20:field", "T20:query"],
        "order { rrf(rrf(bm25($p.name, $s), bm25($p.name, $s)), bm25($p.name, $s)) } limit 3": [
            "T21:rank-arguments"
        ],
        "order { bm25($p.name, $s) desc }": [],
        "order { fuzzy($p.name, $s) }": ["T31:not-a-rank"],
    }
    for order, expected in cases.items():
        assert rules_of(text_of(f"return {{ $p.name as a }} {order}")) == expected, order
    assert rules_of(text_of("return distinct { $p.name } order { bm25($p.name, $s) } limit 3")) == [
        "T31:grouped"
    ]


def test_mistakes_of_columns() -> None:
    cases = {
        "sum($p.vec)": ["T8:numeric"],
        "avg($p.scores)": ["T8:numeric"],
        "max($p.tags)": ["T8:ordered"],
        "min($p.ok)": ["T8:ordered"],
        "sum($p)": ["T8:numeric"],
        "count($p.tags)": [],
        "count(count($p))": ["T8:argument"],
        "count(now())": ["T8:argument"],
        "count(null) as a": ["T8:argument"],
        "count([1, 2]) as a": ["T8:argument"],
        "sum([1, 2]) as a": ["T8:argument"],
        "count(1)": ["T29"],
        "count(1) as a": [],
        "sum(-1.5) as a": [],
        "sum($n) as a, count($l), max($s) as b": [],
        'sum("x") as a': ["T8:numeric"],
        "avg(true) as a": ["T8:numeric"],
        "avg($s) as a": ["T8:numeric"],
        "sum($l) as a": ["T8:numeric"],
        "max($v) as a": ["T8:ordered"],
        "min(true) as a": ["T8:ordered"],
        'min(date("2020-01-01")) as a': ["T8:ordered"],
        "count($gone)": ["T26:undeclared-variable"],
        "max($e)": ["T23:bare-use"],
        "sum($p.photo)": ["T24:aggregate"],
        "$p.@src as a": ["T34"],
        "$gone.@id as a": ["T6:unbound-variable"],
        "$s.@id as a": ["T6:unbound-variable"],
        "$gone": ["T26:undeclared-variable"],
    }
    for item, expected in cases.items():
        assert rules_of(text_of(f"return {{ {item} }}")) == expected, item
    assert rules_of("query q($b: Blob) { match { $p: Person } return { $b } }") == ["T24:result"]


def test_what_differs_from_omnigraph_is_told_with_a_way_around() -> None:
    found = check(
        """query q($k: String, $o: String?) {
match { $p: Person { email: $k } $x: Person { email: $o } }
return { $p, count($x), sum($p.age) as total, max($p.name) } }"""
    )
    ranked = check(text_of("return { $p.name } order { bm25($p.name, $s), $p.age }"))

    assert [(a.kind, a.feature, str(a.where)) for a in found.additions] == [
        ("differs", "required-parameter", "q.gq:2:22"),
        ("differs", "bare-variable-result", "q.gq:3:10"),
        ("differs", "aggregate-column-name", "q.gq:3:14"),
        ("differs", "integer-sum", "q.gq:3:25"),
        ("differs", "aggregate-column-name", "q.gq:3:47"),
    ]
    assert found.additions[1].remedy == "Return its properties: `$p.name`."
    assert [a.feature for a in ranked.additions] == ["order-after-rank"]
