"""What the parts of a schema mean in its catalog, and what its shape digest knows of them."""

from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.types import (
    Cardinality,
    Catalog,
    Check,
    Embed,
    Index,
    NodeType,
    Opaque,
    Property,
    Range,
    Unique,
)


def compiled(text: str) -> Catalog:
    result = compile_schema(text.encode(), file="s.pg")
    assert result.catalog is not None, result.diagnostics
    return result.catalog


def node(text: str, name: str = "A") -> NodeType:
    found = compiled(text).node(name)
    assert found is not None
    return found


def property_of(text: str) -> Property:
    (found,) = node(f"node A {{ {text} }}").properties
    return found


def features(text: str) -> list[tuple[str, str]]:
    result = compile_schema(text.encode(), file="s.pg")
    return [(a.kind, a.feature) for a in result.additions]


def test_a_node_has_its_own_properties_then_those_of_its_interfaces() -> None:
    found = node(
        """interface I { a: I32 @index b: String @unique @description("of I") }
        interface J { c: Date = date("2026-01-01") b: String }
        node A implements J, I { b: String  own: Bool }"""
    )

    assert [(p.name, p.own, p.inherited_from) for p in found.properties] == [
        ("b", True, ("I", "J")),
        ("own", True, ()),
        ("c", False, ("J",)),
        ("a", False, ("I",)),
    ]
    assert found.implements == ("J", "I")
    assert found.property("a") is not None
    assert [p.name for p in found.properties if p.indexed] == ["a"]
    assert [type(c).__name__ for c in found.constraints] == ["Index"]  # `b` is declared anew
    assert found.properties[0].description is None
    inherited = found.property("c")
    assert inherited is not None
    assert inherited.default is not None
    assert inherited.default.value == 20454
    assert inherited.where.line == 2


def test_a_key_of_an_interface_is_the_key_of_its_nodes() -> None:
    catalog = compiled("interface I { slug: String @key } node A implements I {}")

    assert catalog.nodes[0].key == ("slug",)
    assert catalog.nodes[0].properties[0].indexed
    assert catalog.interfaces[0].key == ("slug",)
    assert catalog.interfaces[0].constraints == ()


def test_constraints_of_properties_come_first_and_each_once() -> None:
    found = node(
        """node A { a: I32 @unique @index b: String
        @unique(b, a) @unique(a) @unique(a, b) @index(b, a, b)
        @range(a, 0..5) @range(a, 0..5) @range(a, 1..) @check(b, "^x\\\\d")}"""
    )

    plain = [
        c.columns if isinstance(c, Unique | Index) else (c.property,) for c in found.constraints
    ]
    assert [(type(c).__name__, p) for c, p in zip(found.constraints, plain, strict=True)] == [
        ("Unique", ("a",)),
        ("Index", ("a",)),
        ("Unique", ("a", "b")),
        ("Index", ("a", "b")),
        ("Range", ("a",)),
        ("Range", ("a",)),
        ("Check", ("b",)),
    ]
    ranges = [c for c in found.constraints if isinstance(c, Range)]
    assert [(r.minimum, r.maximum) for r in ranges] == [(0, 5), (1, None)]
    checks = [c for c in found.constraints if isinstance(c, Check)]
    assert [c.pattern for c in checks] == ["^x\\d"]


def test_a_composite_key_keeps_the_order_it_is_written_in_and_indexes_its_parts() -> None:
    found = node("node A { a: I32 b: I32 c: I32 @key(c, a) @index(a, b) }")

    assert found.key == ("c", "a")
    assert [p.name for p in found.properties if p.indexed] == ["a", "c"]


def test_defaults_are_values_of_their_types() -> None:
    for text, value in {
        'a: String = ""': "",
        "a: Bool = false": False,
        "a: I64 = -9223372036854775808": -(2**63),
        "a: U64 = 18446744073709551615": 2**64 - 1,
        "a: F64 = 3": 3.0,
        "a: F32 = -1.5e3": -1500.0,
        "a: F64 = -0.0": 0.0,
        'a: Date = date("1970-01-02")': 1,
        'a: DateTime = datetime("1970-01-01T00:00:01Z")': 1000,
        'a: enum(x, y-z) = "y-z"': "y-z",
        "a: [I32]? = []": (),
        'a: [Date] = [date("1970-01-01"), date("1969-12-31"),]': (0, -1),
        "a: Vector(2) = [1, 0.5]": (1.0, 0.5),
    }.items():
        found = property_of(text).default
        assert found is not None
        assert found.value == value
        assert type(found.value) is type(value)


def test_annotations_become_fields_and_unknown_ones_are_carried() -> None:
    found = node(
        """node A @owner("ops", since = 3, by = "x") @pii @instruction("i") @rename_from("Old")
        { text: String @lang(en) @score(1.50) @score(1)
          vec: Vector(3) @embed("text", model = "m") @embedding(true) }"""
    )

    assert found.opaque == (
        Opaque(name="owner", value='"ops"', arguments=(("by", '"x"'), ("since", "3"))),
        Opaque(name="pii"),
    )
    assert (found.instruction, found.renamed_from) == ("i", "Old")
    text, vector = found.properties
    assert [(o.name, o.value) for o in text.opaque] == [
        ("lang", '"en"'),
        ("score", "1"),
        ("score", "1.5"),
    ]
    assert vector.embed == Embed(source="text", model="m")
    assert vector.opaque == (Opaque(name="embedding", value="true"),)


def test_cardinality_is_many_unless_it_is_said() -> None:
    catalog = compiled(
        "node A {} edge E: A -> A edge F: A -> A @card(1..) edge G: A -> A @card(0..4294967295)"
    )

    assert [e.cardinality for e in catalog.edges] == [
        Cardinality(minimum=0, maximum=None),
        Cardinality(minimum=1, maximum=None),
        Cardinality(minimum=0, maximum=4294967295),
    ]


def test_the_example_of_the_specification_is_accepted_as_it_stands() -> None:
    """Source: languages 1.4."""
    catalog = compiled(
        """interface Named { name: String @index }
node Team @description("a group") implements Named { slug: String @key  size: I32?  tags: [String]?
  vec: Vector(4)? @embed(name, model="m1")  kind: enum(core, guest)  @range(size, 0..500) @check(slug, "^[a-z-]+$") }
node Person { email: String @key  age: I32? }
edge MemberOf: Person -> Team @card(0..3) @description("membership") { since: Date?  @unique(src, dst) }
"""
    )

    assert features("node A {}") == []
    assert [n.name for n in catalog.nodes] == ["Team", "Person"]
    (unique,) = catalog.edges[0].constraints
    assert isinstance(unique, Unique)
    assert unique.columns == ("dst", "src")


def test_what_0_10_does_not_read_is_noted() -> None:
    assert features("interface I {} node A implements I, { a: I32 = 1 @key(a,) }") == [
        ("added", "trailing-comma"),
        ("added", "default"),
        ("added", "trailing-comma"),
    ]
    assert features("node A { a: enum(b,) @x(-1) @y(1e3) @trueish(falsey) }") == [
        ("added", "trailing-comma"),
        ("added", "negative-number"),
        ("added", "exponent-number"),
        ("added", "name-begins-like-bool"),
    ]
    assert features("node A { a: F64 @range(a, -1.5..) }") == []
    assert features("node A { a: I32 @range(a, ..5) }") == [("differs", "range-maximum")]


def test_a_maximum_alone_is_a_maximum_and_warned_of() -> None:
    result = compile_schema(b"node A { a: I32 @range(a, ..5) }", file="s.pg")

    assert [(d.severity, d.rule, d.remedy) for d in result.diagnostics] == [
        ("warning", "PG038", "Give both bounds: `@range(a, 0..5)`.")
    ]
    assert result.catalog is not None
    (constraint,) = result.catalog.nodes[0].constraints
    assert isinstance(constraint, Range)
    assert (constraint.minimum, constraint.maximum) == (None, 5)


def test_the_shape_does_not_know_order_spelling_or_rename_hints() -> None:
    pairs = {
        "node A { e: enum(x, y) }": "node A { e: enum(y, x,) }",
        "node A { a: I32 @unique @index }": "node A { a: I32 @index(a) @unique(a) }",
        "node A { a: I32 b: I32 @unique(a, b) @index(a) }": "node A { b: I32 a: I32 @index(a) @unique(b, a) }",
        "node A { a: I32 @range(a, 0..5) }": "node A { a: I32 @range(a, 0.0..5.0) }",
        "node A { a: F64 = 1 }": "node A { a: F64 = 1.0e0 }",
        "node A { a: I32 }": 'node A @rename_from("B") { a: I32 @rename_from(b) }',
        "node A @x(1) @y {}": "node A @y @x(1) {}",
        "node A @x(1, a = 1, b = 2) {}": "node A @x(1, b = 2, a = 1) {}",
        "node A { v: Vector(1) @embed(s) s: String }": 'node A { s: String v: Vector(1) @embed("s") }',
        "interface I {} interface J {} node A implements I, J {}": "node A implements J, I {} interface J {} interface I {}",
        "node A {} edge E: A -> A": "node A {} edge E: A -> A @card(0..) {}",
        "interface I { a: I32 } node A implements I {}": "interface I { a: I32 } node A implements I { a: I32 }",
    }

    for one, other in pairs.items():
        digests = {compile_schema(t.encode(), file="s.pg").shape_digest for t in (one, other)}
        assert len(digests) == 1, one
        assert None not in digests


def test_the_shape_knows_everything_that_changes_what_a_graph_holds_or_says() -> None:
    texts = [
        "node A { a: I32 b: String }",
        "node A { a: [I32] b: String }",
        "node A { a: Vector(2) b: String }",
        "node A { a: Vector(3) b: String }",
        "node A { a: Vector(3) @embed(b) b: String }",
        'node A { a: Vector(3) @embed(b, model = "m") b: String }',
        "node A { a: enum(x) b: String }",
        "node A { a: enum(x, y) b: String }",
        "node A { a: I32 = 1 b: String }",
        "node A { a: I32 = 2 b: String }",
        "node A { a: I32 @unique b: String }",
        "node A { a: I32 b: String @unique(a, b) }",
        "node A { a: I32 b: String @index(a, b) }",
        "node A { a: I32 b: String @range(a, 0..1) }",
        "node A { a: I32 b: String @range(a, 0..) }",
        'node A { a: I32 b: String @check(b, "x") }',
        'node A { a: I32 b: String @check(b, "y") }',
        "node A @x { a: I32 b: String }",
        "node A @x(1) { a: I32 b: String }",
        'node A @x("1") { a: I32 b: String }',
        "node A { a: I32 @x b: String }",
        "interface I {} node A { a: I32 b: String }",
        "interface I {} node A implements I { a: I32 b: String }",
        "interface I { a: I32 } node A implements I { b: String }",
        "interface I { a: I32 @index } node A implements I { b: String }",
        "node A { a: I32 b: String } edge E: A -> A",
        "node A { a: I32 b: String } edge E: A -> A @card(0..1)",
        "node A { a: I32 b: String } edge E: A -> A @card(1..)",
        "node A { a: I32 b: String } edge E: A -> A { @unique(src) }",
        "node A { a: I32 b: String } edge E: A -> A { @unique(dst) }",
    ]

    digests = {compile_schema(t.encode(), file="s.pg").shape_digest for t in texts}

    assert None not in digests
    assert len(digests) == len(texts)
