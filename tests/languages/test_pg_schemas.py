"""What a `.pg` file means, and what is said about one that means nothing."""

from agentctl.canonical import sha256_hex
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.types import Catalog, Index, PropertyType, Scalar

SUPPLY_CHAIN = """
// what the demo writes
node Package @description("a distribution") @instruction("ask by name") {
  name: String @key
  version: String
  summary: String? @index @description("one line")
}
node License { spdx: String @key }
node Release { year: I32  serial: U64  at: DateTime  day: Date?  score: F32?
  @key(year, serial) @index(at) /* composite */ }
edge DependsOn: Package -> Package @description("needs") { marker: String? extra: String? @index(src, marker) }
edge HasLicense: Package -> License
"""


def compiled(text: str) -> Catalog:
    result = compile_schema(text.encode(), file="s.pg")
    assert result.diagnostics == ()
    assert result.catalog is not None
    return result.catalog


def problems(text: str) -> list[str]:
    """Line, columns, code or rule, and message of each diagnostic."""
    result = compile_schema(text.encode(), file="s.pg")
    assert result.catalog is None
    assert result.shape_digest is None
    found = []
    for d in result.diagnostics:
        assert d.where is not None
        place = f"{d.where.line}:{d.where.column}-{d.where.end_column}"
        found.append(f"{place} {d.rule or d.code}: {d.message}")
    return found


def rules(text: str) -> list[str]:
    result = compile_schema(text.encode(), file="s.pg")
    return [f"{d.code} {d.rule}" if d.rule else d.code for d in result.diagnostics]


def test_implements_written_as_an_annotation_is_told_once_with_how_to_write_it() -> None:
    interfaces = "interface I { a: I32 } interface J {}"
    for written in ("@implements I", "@implements I, J", '@implements I @description("x")'):
        text = f"{interfaces} node A {written} {{ x: I32 }}"
        (found,) = compile_schema(text.encode(), file="s.pg").diagnostics
        assert found.rule == "PG010"
        assert found.message == "`implements` is a word of its own, no annotation"
        assert found.where is not None
        assert text[found.where.column - 1 : found.where.end_column - 1] == "@implements"
        assert found.remedy == "Write `implements I`, behind all annotations."
    assert remedy("interface I {} node A @implements(I) {}") == (
        "Write `implements I`, behind all annotations."
    )


def test_a_default_written_as_an_annotation_is_carried_and_told_how_to_write_it() -> None:
    cases = {
        "a: I32 @default(3)": "a: I32 = 3",
        "a: Bool @default(true)": "a: Bool = true",
        'a: String? @default("x")': 'a: String? = "x"',
        'a: Date @default("2026-11-21")': 'a: Date = date("2026-11-21")',
        "a: enum(x, y) @default(x)": 'a: enum(x, y) = "x"',
        "a: I32 @default": "a: I32 = …",
        'a: String @default("\\"")': 'a: String = "…"',
    }
    for written, meant in cases.items():
        compiled = compile_schema(f"node A {{ {written} }}".encode(), file="s.pg")
        assert compiled.catalog is not None, compiled.diagnostics
        (found,) = compiled.diagnostics
        assert (found.severity, found.rule) == ("warning", "PG037"), written
        assert found.remedy == f"A default stands behind the type: `{meant}`."
        opaque = compile_schema(f"node A {{ {written.split(' @')[0]} }}".encode(), file="s.pg")
        assert compiled.shape_digest != opaque.shape_digest, "it is carried"
    assert remedy("node A { a: Blob @default }") == "Take it out: a Blob has no default."
    assert compile_schema(b"node A @default(3) {}", file="s.pg").diagnostics == ()


def remedy(text: str) -> str | None:
    return compile_schema(text.encode(), file="s.pg").diagnostics[0].remedy


def test_a_schema_becomes_a_catalog_in_the_order_of_the_text() -> None:
    catalog = compiled(SUPPLY_CHAIN)

    assert [n.name for n in catalog.nodes] == ["Package", "License", "Release"]
    assert [(e.name, e.source, e.target) for e in catalog.edges] == [
        ("DependsOn", "Package", "Package"),
        ("HasLicense", "Package", "License"),
    ]
    package = catalog.nodes[0]
    assert (package.description, package.instruction) == ("a distribution", "ask by name")
    assert [(p.name, str(p.type), p.indexed, p.description) for p in package.properties] == [
        ("name", "String", True, None),
        ("version", "String", False, None),
        ("summary", "String?", True, "one line"),
    ]
    assert package.key == ("name",)
    release = catalog.nodes[2]
    assert release.key == ("year", "serial")
    assert [p.name for p in release.properties if p.indexed] == ["year", "serial", "at"]
    assert [p.name for p in catalog.edges[0].properties if p.indexed] == []
    (index,) = catalog.edges[0].constraints
    assert isinstance(index, Index)
    assert index.columns == ("marker", "src")


def test_every_scalar_is_there_with_and_without_null() -> None:
    names = [s.value for s in Scalar if s is not Scalar.BLOB]
    text = "node A {" + " ".join(f"p{i}: {n} q{i}: {n}?" for i, n in enumerate(names)) + "}"

    types = [p.type for p in compiled(text).nodes[0].properties]

    assert types == [
        PropertyType(scalar=Scalar(n), nullable=nullable)
        for n in names
        for nullable in (False, True)
    ]


def test_the_schema_of_the_digest_vectors_is_accepted() -> None:
    """Source: control-plane 1.9."""
    source = b"node A { k: String @key }\n"

    assert compile_schema(source, file="a.pg").catalog is not None
    assert sha256_hex(source).startswith("27ea1f68")


def test_an_empty_file_is_an_empty_schema() -> None:
    for text in ("", " \r\n\t", "// nothing", "/* nothing */"):
        assert compiled(text) == Catalog()


def test_nodes_and_edges_may_share_a_name() -> None:
    catalog = compiled("node Knows {} edge Knows: Knows -> Knows")

    assert catalog.node("Knows")
    assert catalog.edge("Knows")


def test_spaces_and_a_trailing_comma_are_free() -> None:
    catalog = compiled("node A { a : String @ index b:I32? @ key ( a , ) }")

    assert catalog.nodes[0].key == ("a",)


def test_a_key_behind_the_last_property_belongs_to_the_body() -> None:
    """`@key(` is never an annotation of the property before it. Source: languages 1.1."""
    assert compiled("node A { a: String b: I32 @key(a, b) }").nodes[0].key == ("a", "b")


def test_texts_may_hold_escapes_and_line_feeds() -> None:
    node = compiled('node A @description("a \\"b\\"\\\\ \\t\nc") {}').nodes[0]

    assert node.description == 'a "b"\\ \t\nc'


def test_the_shape_does_not_know_order_comments_or_layout() -> None:
    one = 'node A { a: String @key b: I32 } node B {} edge E: A -> B @instruction("i") { x: Date? }'
    other = """// hello
    edge E:A->B @instruction("i"){x:Date?}  node B{}
    node A { b:I32 /* ! */ a:String @key(a) }"""

    digests = {compile_schema(t.encode(), file="s.pg").shape_digest for t in (one, other)}

    assert len(digests) == 1
    (digest,) = digests
    assert digest is not None
    assert digest.startswith("sha256:")
    assert len(digest) == 71


def test_the_shape_knows_everything_else() -> None:
    texts = [
        "node A { a: String }",
        "node A { a: String? }",
        "node A { a: String @index }",
        "node A { a: String @key }",
        "node A { a: I32 }",
        "node A { b: String }",
        "node B { a: String }",
        'node A @description("d") { a: String }',
        'node A @instruction("d") { a: String }',
        'node A { a: String @description("d") }',
        "node A { a: String } edge E: A -> A",
        "node A { a: String } edge F: A -> A",
        "node A { a: String } node B {} edge E: A -> B",
        "node A { a: String } node B {} edge E: B -> A",
    ]

    digests = {compile_schema(t.encode(), file="s.pg").shape_digest for t in texts}

    assert None not in digests
    assert len(digests) == len(texts)


def test_declarations_contradict_each_other() -> None:
    text = """node A {}
node A {}
edge E: A -> Missing
edge E: A -> A
edge KnowsOf: A -> A
edge Knowsof: A -> A
"""

    assert problems(text) == [
        "2:6-7 PG040: the node type `A` is declared twice",
        "3:14-21 PG042: there is no node type `Missing`",
        "4:6-7 PG041: the edge type `E` is declared twice",
        "6:6-13 PG043: the edge types `KnowsOf` and `Knowsof` differ in case only",
    ]
    assert {r.split()[0] for r in rules(text)} == {"schema_catalog_error"}


def test_the_earlier_declaration_is_pointed_at() -> None:
    (found,) = compile_schema(b"node A {}\nnode A {}", file="s.pg").diagnostics

    assert [str(r.where) for r in found.related] == ["s.pg:1:6"]


def test_an_unknown_endpoint_gets_the_nearest_name() -> None:
    assert remedy("node Person {} edge E: Persn -> Person") == "Did you mean `Person`?"
    assert remedy("edge E: A -> A") == "Declare `node A`."


def test_names_of_properties_are_checked() -> None:
    text = """node A { x: I32 x: I32 id: String _rowid: I32 }
edge E: A -> A { src: String dst: String id: I32 _id: I32 }
node B { src: String dst: String }"""

    assert rules(text) == [
        "schema_parse_error PG020",
        "schema_parse_error PG021",
        "schema_parse_error PG021",
        "schema_parse_error PG021",
        "schema_parse_error PG021",
        "schema_parse_error PG021",
    ]


def test_keys_are_checked() -> None:
    assert problems("node A { a: String? @key }") == ["1:10-11 PG024: the key `a` may not be null"]
    assert remedy("node A { a: String? @key }") == "Take the `?` off its type: `a: String`."
    assert rules("node A { a: String @key b: String @key }") == ["schema_parse_error PG023"]
    assert rules("node A { a: String @key b: I32 @key(b) }") == ["schema_parse_error PG023"]
    assert rules("node A { a: String } edge E: A -> A { a: String @key }") == [
        "schema_parse_error PG026"
    ]
    assert rules("node A {} edge E: A -> A { a: I32 @key(a) }") == ["schema_parse_error PG026"]
    assert rules("node A { a: [String] @key }") == ["schema_parse_error PG025"]
    assert problems("node A { name: String @key(nam) @index() }") == [
        "1:28-31 PG022: `A` has no property `nam`",
        "1:33-41 PG015: `@index` names no property",
    ]
    assert remedy("node A { name: String @key(nam) }") == "Did you mean `name`?"


def test_annotations_stand_where_they_belong_once_and_with_a_text() -> None:
    assert rules("node A @key { a: I32 }") == ["schema_parse_error PG027"]
    assert rules("node A {} edge E: A -> A @index") == ["schema_parse_error PG027"]
    assert rules('node A { a: I32 @instruction("x") }') == ["schema_parse_error PG027"]
    assert rules('node A @description("x") @description("y") {}') == ["schema_parse_error PG028"]
    assert rules("node A { a: I32 @index @index }") == ["schema_parse_error PG028"]
    for value in ("", '("  ")', "(3)", "(x)"):
        assert rules(f"node A @description{value} {{}}") == ["schema_parse_error PG029"]


def test_a_keyword_that_runs_into_a_name_gets_its_space() -> None:
    assert problems("nodeFoo{}") == ["1:1-8 PG011: `node` is not followed by a space"]
    assert remedy("nodeFoo{}") == "Write `node Foo`."


def test_the_case_of_the_first_letter_is_corrected() -> None:
    assert remedy("node foo {}") == "Write `Foo`."
    assert remedy("node A { Name: String }") == "Write `name`."


def test_types_of_other_systems_are_translated() -> None:
    for written, meant in {
        "string": "String",
        "Int": "I64",
        "Integer": "I64",
        "Double": "F64",
        "Boolean": "Bool",
        "Datetime": "DateTime",
        "Strng": "String",
    }.items():
        text = f"node A {{ a: {written} }}"
        assert rules(text) == ["schema_parse_error PG014"]
        assert remedy(text) == f"Did you mean `{meant}`?"


def test_a_comma_between_properties_is_taken_out_and_the_rest_is_read() -> None:
    assert problems("node A { a: I32, b: I32, a: I32 }") == [
        "1:16-17 PG013: properties are not separated by commas",
        "1:24-25 PG013: properties are not separated by commas",
        "1:26-27 PG020: `A` declares the property `a` twice",
    ]


def test_a_broken_declaration_does_not_hide_the_next_nor_its_own_name() -> None:
    text = """node A { a String }
what
edge E: A -> A { x: Date, }
node B implements X @description("d") {}
edge F: A -> B { y: Strin }
node C {"""

    assert problems(text) == [
        "1:12-18 PG010: expected `:`, found `String`",
        "2:1-5 PG010: expected `node`, `edge` or `interface`, found `what`",
        "3:25-26 PG013: properties are not separated by commas",
        "4:19-20 PG044: there is no interface `X`",
        "4:21-22 PG016: annotations stand before `implements`",
        "5:21-26 PG014: there is no type `Strin`",
        "6:8-9 PG010: the `{` is never closed",
    ]


def test_broken_tokens_are_named_with_their_place() -> None:
    assert problems('node A @description("a\\qb") {}') == [
        "1:23-25 PG007: unknown escape: a backslash before `q`"
    ]
    assert problems('node A @description("ab) {}') == ["1:21-22 PG006: the text is never closed"]
    assert problems("node A {} /* x") == ["1:11-13 PG008: the comment is never closed"]
    assert problems("node A { \u202e a: I32 }") == [
        "1:10-11 PG005: unexpected character U+202E (right-to-left override)"
    ]
    assert problems("node A { a: I32 @range(a, 0..99999999999999999999999) }") == [
        "1:30-53 PG009: the number is beyond 18446744073709551615"
    ]
    assert problems("node A { v: Vector(0) }") == [
        "1:20-21 PG030: a vector has at least one element"
    ]


def test_columns_count_characters() -> None:
    text = 'node A @description("\u6f22\U0001f600") { a: Strin }'

    assert problems(text) == ["1:32-37 PG014: there is no type `Strin`"]


def test_bytes_that_are_no_text_are_diagnostics() -> None:
    bad = compile_schema(b"node A {}\nnode \xff {}", file="s.pg").diagnostics
    marked = compile_schema(b"\xef\xbb\xbfnode A {}", file="s.pg").diagnostics
    huge = compile_schema(b" " * (1 << 20) + b"x", file="s.pg").diagnostics

    assert [(d.rule, str(d.where)) for d in bad] == [("PG001", "s.pg:2:6")]
    assert [(d.rule, str(d.where)) for d in marked] == [("PG002", "s.pg:1:1")]
    assert [d.rule for d in huge] == ["PG003"]


def test_the_number_of_diagnostics_is_bounded_and_the_rest_counted() -> None:
    text = "node A {} " * 500

    found = compile_schema(text.encode(), file="s.pg").diagnostics

    assert len(found) == 101
    assert [d.message for d in found if d.severity == "note"] == [
        "399 more problems of this file are not shown"
    ]
