"""The stored schema: all of a catalog goes in and comes out, and version 1 is read. Source: languages 1.5."""

import json
from pathlib import Path

import msgspec
import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.canonical import decode_canonical, sha256_hex
from agentctl.domain.plan.migrate import plan_migration
from agentctl.graph.lance_port import LanceGraphs
from agentctl.graph.layout import ir_key
from agentctl.graph.port import SchemaPayload, Stamp
from agentctl.ids import ulid
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import (
    SchemaIr,
    catalog_of,
    decode_ir,
    evolve_ir,
    ir_bytes,
    ir_digest,
)
from agentctl.languages.schema.types import Catalog

WHOLE = """
interface Named { name: String @index  label: String? }
node Team @description("a group") @own(1, x="y") implements Named {
  slug: String @key  size: U64? = 18446744073709551615  tags: [String] = ["a"]
  vec: Vector(4)? @embed(name, model="m1")  kind: enum(core, guest)  rate: F64 = 1
  born: Date = date("2020-02-29")
  @range(size, 0..18446744073709551615) @range(rate, 0.5..) @check(slug, "^[a-z-]+$") @index(slug, kind)
}
node Person @instruction("ask") { email: String @key  age: I32? @unique @flag }
edge MemberOf: Person -> Team @card(0..3) { since: Date?  @unique(src, dst) }
"""
V1 = """
{"version": 1, "types": [
  {"id": "01A", "kind": "node", "name": "Person", "key": ["slug"], "source": null, "target": null,
   "properties": [
     {"id": "01B", "name": "slug", "column": "slug", "scalar": "String", "nullable": false,
      "indexed": true, "description": null},
     {"id": "01C", "name": "age", "column": "age~01C", "scalar": "I32", "nullable": true,
      "indexed": true, "description": "in years"}],
   "dropped_columns": ["age"], "description": "a person", "instruction": null},
  {"id": "01D", "kind": "edge", "name": "Knows", "key": [], "source": "Person", "target": "Person",
   "properties": [], "dropped_columns": [], "description": null, "instruction": "be kind"}]}
"""


def catalog(text: str) -> Catalog:
    compiled = compile_schema(text.encode(), file="test.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    return compiled.catalog


def stored(text: str) -> SchemaIr:
    numbers = iter(range(1000))
    return evolve_ir(None, catalog(text), lambda: f"{next(numbers):026d}")


def test_the_whole_language_is_stored_and_read_again() -> None:
    ir = stored(WHOLE)

    assert decode_ir(ir_bytes(ir)) == ir
    assert ir_digest(ir) == sha256_hex(ir_bytes(ir))
    decode_canonical(ir_bytes(ir))
    assert plan_migration(ir, catalog(WHOLE)).steps == ()


def test_what_is_stored_has_the_types_of_its_values() -> None:
    team = catalog_of(stored(WHOLE)).node("Team")
    assert team is not None
    rate, size, tags = (team.property(name) for name in ("rate", "size", "tags"))

    assert rate is not None
    assert rate.default is not None
    assert isinstance(rate.default.value, float)
    assert size is not None
    assert size.default is not None
    assert size.default.value == 18446744073709551615
    assert tags is not None
    assert tags.default is not None
    assert tags.default.value == ("a",)


def test_interfaces_have_ids_and_no_datasets() -> None:
    ir = stored(WHOLE)

    assert [t.kind for t in ir.types] == ["node", "node", "edge"]
    assert [t.name for t in ir.interfaces] == ["Named"]
    assert ir.type_named("interface", "Named") is ir.interfaces[0]


def test_version_1_is_read_with_its_ids_and_columns() -> None:
    ir = decode_ir(V1.encode())

    assert ir.version == 2
    person, knows = ir.types
    assert [(p.id, p.column, p.nullable) for p in person.properties] == [
        ("01B", "slug", False),
        ("01C", "age~01C", True),
    ]
    assert person.dropped_columns == ("age",)
    assert (knows.source, knows.instruction) == ("Person", "be kind")
    same = """
    node Person @description("a person") { slug: String @key age: I32? @index @description("in years") }
    edge Knows: Person -> Person @instruction("be kind")
    """
    assert plan_migration(ir, catalog(same)).steps == ()
    assert evolve_ir(ir, catalog(same), lambda: "none is minted") == ir


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"version": 3, "types": []}', b'{"version": 2, "more": 1}', b"[]"]
)
def test_bytes_of_another_form_are_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_ir(data)


async def test_a_graph_that_an_older_release_made_is_loaded_and_migrated(tmp_path: Path) -> None:
    def stamp(number: int) -> Stamp:
        return Stamp(
            op=f"abc:{number}",
            actor="a",
            on_behalf_of=None,
            intent="test",
            epoch=1,
            nonce=f"{number:032x}",
            at="2026-11-21T03:30:00.000Z",
        )

    def payload(text: str, old: SchemaIr | None) -> SchemaPayload:
        numbers = iter(range(1 if old is None else 500, 1000))
        ir = evolve_ir(old, catalog(text), lambda: ulid(5, next(numbers).to_bytes(10)))
        digest = sha256_hex(text.encode())
        return SchemaPayload(
            source=text.encode(), source_digest=digest, shape_digest="sha256:x", ir=ir
        )

    store = LocalStore(tmp_path)
    first = payload("node A { k: String @key age: I32? @index }", None)
    incarnation = ulid(1, bytes(10))
    await LanceGraphs(store).create("g", schema=first, incarnation=incarnation, stamp=stamp(1))
    await store.replace(ir_key("g", ir_digest(first.ir)), as_version_1(first.ir))
    graphs = LanceGraphs(store)

    live = await graphs.observe("g")
    report = await graphs.load(
        "g", [b'{"type":"A","data":{"k":"1","age":2}}'], mode="append", stamp=stamp(2)
    )
    wider = payload('node A { k: String @key years: I32? @rename_from("age") @index }', live.ir)
    await graphs.migrate("g", schema=wider, observed=2, stamp=stamp(3))
    after = await LanceGraphs(store).observe("g")

    assert live.ir == first.ir
    assert report.diagnostics == ()
    assert after.ir == wider.ir
    assert after.rows == {"A": 1}


def as_version_1(ir: SchemaIr) -> bytes:
    """What the release before wrote of a schema that it knew."""
    of_property = ("id", "name", "column", "scalar", "nullable", "indexed", "description")
    types = [
        {
            "id": t.id,
            "kind": t.kind,
            "name": t.name,
            "key": list(t.key),
            "properties": [{name: getattr(p, name) for name in of_property} for p in t.properties],
        }
        for t in ir.types
    ]
    return json.dumps({"version": 1, "types": types}).encode()
