"""Types and properties of a stored schema as `.pg` text: what the formatter would write."""

import re
from itertools import count

import msgspec
from hypothesis import given, settings
from inline_snapshot import snapshot

from agentctl.domain.sandbox.declarations import property_declaration, type_declaration
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.format import format_schema
from agentctl.languages.schema.ir import SchemaIr, catalog_of, evolve_ir
from agentctl.languages.schema.shape import shape_of
from agentctl.languages.schema.types import Catalog
from agentctl.testing.schema_catalogs import catalogs

_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|\s+')


def ir_of(catalog: Catalog) -> SchemaIr:
    numbers = count()
    return evolve_ir(None, catalog, lambda: f"{next(numbers):026d}")


def ir_from(text: str) -> SchemaIr:
    compiled = compile_schema(text.encode(), file="s.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    return ir_of(compiled.catalog)


def declared(text: str) -> list[str]:
    ir = ir_from(text)
    return [
        line
        for t in (*ir.interfaces, *ir.types)
        for line in (type_declaration(t), *(property_declaration(t, p) for p in t.properties))
    ]


def unspaced(text: str) -> str:
    """Text without blanks outside of quotes."""
    return _TEXT.sub(lambda found: found[0] if found[0].startswith('"') else "", text)


def test_everything_of_a_declaration_is_told() -> None:
    lines = declared(
        """
        interface Named { name: String @index }
        node Person @description("Who \\"is\\"\\nthere") @owner("a", since=3) implements Named {
          email: String @unique
          first: String
          last: String
          age: I32? = 7
          mood: enum(glad, sad)?
          born: Date = date("2026-01-31")
          seen: DateTime? = datetime("2026-01-31T12:00:00Z")
          tags: [String]? = ["a", "b"]
          about: Vector(3)? @embed(first, model="m1")
          @key(first, last)
          @range(age, 0..)
          @check(email, "@")
          @index(first, age)
        }
        node City { name: String @key @description("Its name") tags: [String]? @unique(tags) }
        node Nothing {}
        edge Knows: Person -> Person @card(0..5) @instruction("Ask first") {
          since: Date?
          @unique(src, dst)
        }
        edge In: Person -> City
        """
    )

    assert lines == snapshot(
        [
            "interface Named {}",
            "name: String @index",
            'node Person @description("Who \\"is\\"\\nthere") @owner("a", since=3) implements Named { @key(first, last) @check(email, "@") @index(age, first) @range(age, 0..) }',
            "email: String @unique",
            "first: String",
            "last: String",
            "age: I32? = 7",
            "mood: enum(glad, sad)?",
            'born: Date = date("2026-01-31")',
            'seen: DateTime? = datetime("2026-01-31T12:00:00.000Z")',
            'tags: [String]? = ["a", "b"]',
            'about: Vector(3)? @embed(first, model="m1")',
            "name: String @index",
            "node City { @unique(tags) }",
            'name: String @key @description("Its name")',
            "tags: [String]?",
            "node Nothing {}",
            'edge Knows: Person -> Person @card(0..5) @instruction("Ask first") { @unique(dst, src) }',
            "since: Date?",
            "edge In: Person -> City",
        ]
    )


@given(catalogs())
@settings(max_examples=40)
def test_the_formatter_has_nothing_to_change(catalog: Catalog) -> None:
    for t in ir_of(catalog).types:
        body = [property_declaration(t, p) for p in t.properties]
        for text in (type_declaration(t), f"node X {{ {' '.join(body)} }}"):
            formatted = format_schema(text.encode(), file="s.pg").text

            assert formatted is not None, text
            assert unspaced(formatted) == unspaced(text)
            assert "\n" not in text


@given(catalogs())
@settings(max_examples=40)
def test_what_is_printed_declares_the_same(catalog: Catalog) -> None:
    ir = ir_of(catalog)
    parts = []
    for t in (*ir.interfaces, *ir.types):
        bare = type_declaration(msgspec.structs.replace(t, key=(), constraints=()))
        header = bare.removesuffix(" {}")
        body = type_declaration(t)[len(header) :].removeprefix(" {").removesuffix("}")
        own = [property_declaration(t, p) for p in t.properties if p.own]
        parts.append(f"{header} {{ {' '.join([*own, body])} }}")

    again = compile_schema("\n".join(parts).encode(), file="s.pg").catalog

    assert again is not None, parts
    assert shape_of(again) == shape_of(catalog_of(ir))
