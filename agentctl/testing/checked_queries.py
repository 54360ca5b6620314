"""A schema that has everything, and queries checked over it; for tests of the query checker."""

import functools

from agentctl.languages.query.compile import CheckedResult, check_query, parse_query_file
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.query.syntax import QueryDecl
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.types import Catalog

EVERYTHING = """
interface Named { name: String }
node Person implements Named {
  email: String @key
  age: I32?
  height: F64?
  big: U64?
  ok: Bool?
  born: Date?
  seen: DateTime?
  kind: enum(core, guest)?
  tags: [String]?
  scores: [I32]?
  times: [DateTime]?
  vec: Vector(3)? @embed(name)
  raw: Vector(3)?
  photo: Blob?
}
node Company { slug: String @key title: String @index employees: I64 rank: I32 = 3 logo: Blob }
node Doc { body: String emb: Vector(4) @embed(body) }
node Memo { title: String text: String? emb: Vector(4) @embed(text) }
node Part { a: I32 b: String? @key(a) @unique(b) }
edge Knows: Person -> Person { since: Date? weight: F64? }
edge Likes: Person -> Person
edge WorksAt: Person -> Company { role: String from_day: Date? }
edge Owns: Company -> Company
edge Wrote: Person -> Doc
"""
"""Each scalar, lists, vectors, an enum, Blobs, a default; edges within a type and between types."""


@functools.cache
def catalog_of(schema: str = EVERYTHING) -> Catalog:
    """Returns the catalog of a schema without mistakes."""
    compiled = compile_schema(schema.encode(), file="s.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    return compiled.catalog


def declared(text: str) -> QueryDecl:
    """Returns the one declaration of *text*."""
    file = parse_query_file(text.encode(), file="q.gq")
    assert file.diagnostics == (), file.diagnostics
    (found,) = file.declarations
    return found


def check(text: str, schema: str = EVERYTHING) -> CheckedResult:
    """Returns what the one declaration of *text* is over *schema*."""
    return check_query(declared(text), catalog_of(schema))


def checked(text: str, schema: str = EVERYTHING) -> CheckedQuery:
    """Returns the query of a declaration without mistakes."""
    found = check(text, schema)
    assert found.diagnostics == (), found.diagnostics
    assert found.query is not None
    return found.query


def rules_of(text: str, schema: str = EVERYTHING) -> list[str | None]:
    """Returns the rules that the one declaration of *text* breaks, by place."""
    return [d.rule for d in check(text, schema).diagnostics]
