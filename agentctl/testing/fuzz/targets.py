"""The parsers under test, and what must hold of every input whatever its bytes are.

A target runs one input and raises `AssertionError` where an invariant is broken: diagnostics are
sorted, each once, bounded, registered, with places inside the text; answers are the same the second
time; formatting is idempotent and changes no meaning.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

import msgspec

from agentctl.diagnostics.bag import has_errors, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.diagnostics.render.text import render_concise, render_full
from agentctl.languages.query.compile import QueryFile, check_query, parse_query_file
from agentctl.languages.query.descriptor import param_kinds, result_columns
from agentctl.languages.query.format import format_queries
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.compile import CompiledSchema, compile_schema
from agentctl.languages.schema.format import format_schema
from agentctl.languages.schema.types import Catalog
from agentctl.languages.text.report import PROBLEM_COUNT_MAX
from agentctl.testing.corpus.folder import answer_policy, load_files
from agentctl.testing.fuzz.folders import CEDAR, CLUSTER, POLICY, folder_text
from agentctl.testing.fuzz.grammar import GQ, PG, derive

SCHEMA: Final = b"""
interface Named { name: String @index }
node Person implements Named { email: String @key age: I32? at: DateTime? on: Date tags: [String]?
  kind: enum(x, y) vec: Vector(3)? @embed(name) big: U64? score: F64 ok: Bool? photo: Blob? }
node Team @description("a group") { slug: String @key size: I64 = 3 text: String? }
node A { a: String b: I32? } node B { a: F64 }
edge Knows: Person -> Person { since: Date? w: F32? }
edge WorksWith: Person -> Person
edge MemberOf: Person -> Team @card(0..3) { since: Date? @unique(src, dst) }
edge E: A -> B { w: U64 } edge Contains: B -> B
"""
FILES: Final[Mapping[str, bytes]] = {
    "a.pg": b"node A { k: String @key }\nnode Doc { text: String vec: Vector(3) @embed(text) }\n",
    "q.gq": b"query q() { match { $a: A } return { $a.k } }\n",
    "queries/x.gq": b"query x($k: String) { match { $a: A { k: $k } } return { $a } }\n",
    "p.yaml": b"version: 1\n",
    "d.json": b"{}",
}
CEDAR_CLUSTER: Final = b"version: 1\npolicies: {p: {file: p.cedar, applies_to: [cluster]}}\n"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One parser."""

    name: str
    run: Callable[[bytes], None]
    generate: Callable[[Random], bytes]


def _catalog() -> Catalog:
    compiled = compile_schema(SCHEMA, file="s.pg")
    assert compiled.catalog is not None, [render_concise(d) for d in compiled.diagnostics]
    return compiled.catalog


def check_diagnostics(found: tuple[Diagnostic, ...], files: Mapping[str, bytes]) -> None:
    """Asserts what holds of the diagnostics about *files*."""
    assert found == sort_diagnostics(found)
    assert len(found) <= (PROBLEM_COUNT_MAX + 1) * len(files)
    lines = {f: d.decode("utf-8", "replace").split("\n") for f, d in files.items()}
    for d in found:
        assert "\n" not in render_concise(d)
        assert render_full(d, None)
        for where in (d.where, *(r.where for r in d.related)):
            if where is None:
                continue
            text = lines[where.file]
            assert (where.line, where.column) <= (where.end_line, where.end_column)
            assert 1 <= where.line <= where.end_line <= len(text)
            assert 1 <= where.column <= len(text[where.line - 1]) + 1
            assert 1 <= where.end_column <= len(text[where.end_line - 1]) + 1


def run_schema(data: bytes) -> None:
    """Holds a `.pg` text to the invariants."""
    compiled = compile_schema(data, file="s.pg")
    check_diagnostics(compiled.diagnostics, {"s.pg": data})
    assert compiled == compile_schema(data, file="s.pg")
    assert (compiled.catalog is None) == has_errors(compiled.diagnostics)
    formatted = format_schema(data, file="s.pg")
    if formatted.text is None:
        assert has_errors(formatted.diagnostics)
        assert has_errors(compiled.diagnostics)
        return
    text = formatted.text.encode()
    assert format_schema(text, file="s.pg").text == formatted.text, "formatted twice"
    again = compile_schema(text, file="s.pg")
    assert again.shape_digest == compiled.shape_digest, "formatting moved the shape digest"
    assert _told(again) == _told(compiled), "formatting moved the diagnostics"


def _told(of: CompiledSchema | QueryFile) -> list[tuple[str, str | None]]:
    return sorted((d.code, d.rule or "") for d in of.diagnostics)


def run_queries(data: bytes) -> None:
    """Holds a `.gq` text, parsed and checked, to the invariants."""
    file = parse_query_file(data, file="q.gq")
    assert file == parse_query_file(data, file="q.gq")
    found, queries = _checked(file)
    check_diagnostics(sort_diagnostics(file.diagnostics), {"q.gq": data})
    check_diagnostics(sort_diagnostics(found), {"q.gq": data, "s.pg": SCHEMA})
    formatted = format_queries(data, file="q.gq")
    if formatted.text is None:
        assert has_errors(formatted.diagnostics)
        assert has_errors(file.diagnostics)
        return
    text = formatted.text.encode()
    assert format_queries(text, file="q.gq").text == formatted.text, "formatted twice"
    again = parse_query_file(text, file="q.gq")
    assert _told(again) == _told(file), "formatting moved the diagnostics"
    assert _checked(again)[1] == queries, "formatting changed what a query means"


def _checked(file: QueryFile) -> tuple[list[Diagnostic], list[CheckedQuery | None]]:
    found: list[Diagnostic] = []
    queries: list[CheckedQuery | None] = []
    for declaration in file.declarations:
        result = check_query(declaration, CATALOG)
        found += result.diagnostics
        assert (result.query is None) == has_errors(result.diagnostics)
        queries.append(result.query)
        if result.query is not None:
            columns = [c.name for c in result_columns(result.query)]
            assert len(set(columns)) == len(columns)
            assert len(param_kinds(result.query)) == len(declaration.params)
    return found, queries


def run_cluster(data: bytes) -> None:
    """Holds a cluster.yaml over a small folder to the invariants."""
    files = {**FILES, "cluster.yaml": data}
    loaded = load_files(files)
    check_diagnostics(loaded.diagnostics, files)
    again = load_files(files)
    assert again.diagnostics == loaded.diagnostics
    assert (loaded.desired is None) == has_errors(loaded.diagnostics)
    if loaded.desired is not None and again.desired is not None:
        assert loaded.desired.resource_digests == again.desired.resource_digests
        assert loaded.desired.config_digest == again.desired.config_digest
        addresses = [r.address for r in loaded.desired.resources]
        assert addresses == sorted(set(addresses), key=str.encode)
        ends = {e for d in loaded.desired.dependencies for e in (d.source, d.target)}
        assert ends <= set(addresses)


def run_policy(data: bytes) -> None:
    """Holds a policy file, bound to a graph and to the cluster, to the invariants."""
    for bound in ("graph", "cluster", "unknown"):
        check_diagnostics(answer_policy(data, bound, "p.yaml"), {"p.yaml": data})


def run_cedar(data: bytes) -> None:
    """Holds a policy file in Cedar to the invariants."""
    files = {"cluster.yaml": CEDAR_CLUSTER, "p.cedar": data}
    check_diagnostics(load_files(files).diagnostics, files)


def _derived(grammar: dict[str, tuple[tuple[str, ...], ...]]) -> Callable[[Random], bytes]:
    return lambda random: derive(grammar, "file", random).encode()


CATALOG: Final = _catalog()
TARGETS: Final = (
    Target(name="pg", run=run_schema, generate=_derived(PG)),
    Target(name="gq", run=run_queries, generate=_derived(GQ)),
    Target(
        name="cluster",
        run=run_cluster,
        generate=lambda random: folder_text(CLUSTER, random),
    ),
    Target(
        name="policy",
        run=run_policy,
        generate=lambda random: folder_text(POLICY, random),
    ),
    Target(name="cedar", run=run_cedar, generate=lambda random: folder_text(CEDAR, random)),
)
