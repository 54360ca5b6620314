"""Types and properties that were added, changed or removed, told apart by their identities."""

from collections.abc import Callable, Iterator
from itertools import count

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.sandbox.difference import PackageChange, PackageInfo
from agentctl.domain.sandbox.schema_difference import (
    UNMINTED,
    PackageChanges,
    Schemas,
    schema_difference,
)
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import IrType, SchemaIr, evolve_ir
from agentctl.languages.schema.types import Catalog

SCHEMA = """\
node Person { name: String @key age: I32? }
edge Knows: Person -> Person
"""


def catalog(text: str) -> Catalog:
    compiled = compile_schema(text.encode(), file="s.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    return compiled.catalog


def minting() -> Callable[[], str]:
    numbers = count()
    return lambda: f"{next(numbers):026d}"


def unminted() -> Callable[[], str]:
    numbers = count()
    return lambda: f"{UNMINTED}{next(numbers)}"


def between(old: str, new: str) -> PackageChanges:
    mint = minting()
    before = evolve_ir(None, catalog(old), mint)
    after = evolve_ir(before, catalog(new), mint)
    return schema_difference({"social": before}, {"social": after})


def changed(name: str, before: str, after: str) -> PackageChanges:
    return PackageChanges(changed=(PackageChange(name=name, before=before, after=after),))


def test_a_new_property_is_added() -> None:
    assert between(SCHEMA, SCHEMA.replace("age: I32?", "age: I32? email: String?")) == (
        PackageChanges(added=(PackageInfo(name="social.Person.email", version="email: String?"),))
    )


def test_a_type_goes_with_its_properties() -> None:
    assert between(SCHEMA, "node City { code: I32? }") == PackageChanges(
        added=(
            PackageInfo(name="social.City", version="node City {}"),
            PackageInfo(name="social.City.code", version="code: I32?"),
        ),
        removed=(
            PackageInfo(name="social.Knows", version="edge Knows: Person -> Person"),
            PackageInfo(name="social.Person", version="node Person {}"),
            PackageInfo(name="social.Person.age", version="age: I32?"),
            PackageInfo(name="social.Person.name", version="name: String @key"),
        ),
    )


def test_a_renamed_property_is_changed_and_its_siblings_are_not() -> None:
    renamed = SCHEMA.replace("age: I32?", 'years: I32? @rename_from("age")')

    assert between(SCHEMA, renamed) == changed("social.Person.years", "age: I32?", "years: I32?")


def test_a_renamed_type_is_changed_and_its_properties_are_not() -> None:
    renamed = SCHEMA.replace("Person", "Human").replace(
        "node Human", 'node Human @rename_from("Person")'
    )

    assert between(SCHEMA, renamed) == PackageChanges(
        changed=(
            PackageChange(name="social.Human", before="node Person {}", after="node Human {}"),
            PackageChange(
                name="social.Knows",
                before="edge Knows: Person -> Person",
                after="edge Knows: Human -> Human",
            ),
        )
    )


def test_every_part_of_a_declaration_counts() -> None:
    assert between(SCHEMA, SCHEMA.replace("edge Knows: Person -> Person", "edge Knows: Person -> Person @card(0..3)")) == (
        changed("social.Knows", "edge Knows: Person -> Person", "edge Knows: Person -> Person @card(0..3)")
    )  # fmt: skip
    assert between(SCHEMA, SCHEMA.replace("age: I32?", "age: I32? @range(age, 0..)")) == (
        changed("social.Person", "node Person {}", "node Person { @range(age, 0..) }")
    )
    assert between(SCHEMA, SCHEMA.replace("age: I32?", "age: I32? @index")) == (
        changed("social.Person.age", "age: I32?", "age: I32? @index")
    )
    assert between(SCHEMA, SCHEMA.replace("age: I32?", "age: I32? = 7")) == (
        changed("social.Person.age", "age: I32?", "age: I32? = 7")
    )
    assert between(SCHEMA, SCHEMA.replace("age: I32?", 'age: I32? @owner("x")')) == (
        changed("social.Person.age", "age: I32?", 'age: I32? @owner("x")')
    )
    assert between(SCHEMA, SCHEMA.replace("node Person", 'node Person @description("Who")')) == (
        changed("social.Person", "node Person {}", 'node Person @description("Who") {}')
    )


def test_an_interface_and_who_implements_it_both_get_its_property() -> None:
    before = "interface Named { name: String? } node A implements Named {}"
    after = "interface Named { name: String? code: I32? } node A implements Named {}"

    assert [info.name for info in between(before, after).added] == [
        "social.A.code",
        "social.Named.code",
    ]


def test_what_is_dropped_and_declared_anew_is_another_one() -> None:
    mint = minting()
    first = evolve_ir(None, catalog(SCHEMA), mint)
    without = evolve_ir(first, catalog(SCHEMA.replace("age: I32?", "")), mint)
    again = evolve_ir(without, catalog(SCHEMA), mint)
    age = (PackageInfo(name="social.Person.age", version="age: I32?"),)

    assert schema_difference({"social": first}, {"social": again}) == (
        PackageChanges(added=age, removed=age)
    )


def test_what_no_graph_has_yet_is_known_by_its_name() -> None:
    mint = minting()
    live = evolve_ir(None, catalog("node Person { name: String @key }"), mint)
    wider = catalog(SCHEMA.replace("I32?", "I64?"))
    wanted = evolve_ir(live, catalog(SCHEMA), unminted())
    migrated = evolve_ir(live, wider, mint)

    assert schema_difference({"g": wanted}, {"g": migrated}) == (
        changed("g.Person.age", "age: I32?", "age: I64?")
    )
    assert schema_difference({"g": migrated}, {"g": wanted}) == (
        changed("g.Person.age", "age: I64?", "age: I32?")
    )
    assert schema_difference(
        {"g": wanted}, {"g": evolve_ir(live, catalog(SCHEMA), unminted())}
    ) == (PackageChanges())


def test_graphs_come_and_go_with_all_their_types() -> None:
    ir = evolve_ir(None, catalog("node A { k: I32? }"), minting())
    infos = (
        PackageInfo(name="two.A", version="node A {}"),
        PackageInfo(name="two.A.k", version="k: I32?"),
    )

    assert schema_difference({"one": ir}, {"one": ir, "two": ir}) == PackageChanges(added=infos)
    assert schema_difference({"one": ir, "two": ir}, {"one": ir}) == PackageChanges(removed=infos)


def test_a_secret_in_a_description_is_not_told() -> None:
    secret = "sk-" + "a1B2" * 8
    found = between(SCHEMA, SCHEMA.replace("age: I32?", f'age: I32? @description("{secret}")'))

    assert found.changed[0].after == 'age: I32? @description("[redacted]")'


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Small schemas of few names, so that two of them have much in common."""
    types = draw(st.dictionaries(st.sampled_from("ABC"), PROPERTIES, min_size=1))
    parts = []
    for name, properties in types.items():
        hint = draw(st.sampled_from(["", *(f'@rename_from("{n}")' for n in "ABC" if n != name)]))
        told = draw(st.sampled_from(["", "", '@description("x")']))
        lines = [
            f"{n}: {kind} {mark}" + (f' @rename_from("{old}")' if old and old != n else "")
            for n, (kind, mark, old) in properties.items()
        ]
        parts.append(f"node {name} {told} {hint} {{ {' '.join(lines)} }}")
    ends = st.sampled_from([*types])
    parts += [f"edge E: {draw(ends)} -> {draw(ends)}"] * draw(st.integers(0, 1))
    return "\n".join(draw(st.permutations(parts)))


PROPERTIES = st.dictionaries(
    st.sampled_from("pqr"),
    st.tuples(
        st.sampled_from(["I32?", "I64?", "String"]),
        st.sampled_from(["", "@index", "@unique"]),
        st.sampled_from(["", "", "p", "q", "r"]),
    ),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Schemas]:
    """Three states of one graph, each migrated from one before, as a restored snapshot is too."""
    mint = minting()
    irs: list[SchemaIr] = []
    for _ in range(3):
        base = draw(st.sampled_from(irs)) if irs else None
        irs.append(evolve_ir(base, catalog(draw(texts())), mint))
    return [{"g": ir} for ir in irs]


def identities(schemas: Schemas) -> dict[str, str]:
    """Ids by the names that differences give."""
    return {name: one_id for graph, ir in schemas.items() for name, one_id in _named(graph, ir)}


def _named(graph: str, ir: SchemaIr) -> Iterator[tuple[str, str]]:
    for t in (*ir.interfaces, *ir.types):
        yield f"{graph}.{t.name}", t.id
        for p in t.properties:
            yield f"{graph}.{t.name}.{p.name}", p.id


def touched(before: Schemas, after: Schemas) -> set[str]:
    found = schema_difference(before, after)
    was, now = identities(before), identities(after)
    return {
        *(now[info.name] for info in found.added),
        *(now[change.name] for change in found.changed),
        *(was[info.name] for info in found.removed),
    }


@given(histories())
def test_a_difference_backwards_is_the_same_one(states: list[Schemas]) -> None:
    one, other, _ = states
    found, back = schema_difference(one, other), schema_difference(other, one)

    assert (found.added, found.removed) == (back.removed, back.added)
    assert sorted((c.before, c.after) for c in found.changed) == sorted(
        (c.after, c.before) for c in back.changed
    )


@given(histories())
def test_what_differs_in_the_end_differed_on_the_way(states: list[Schemas]) -> None:
    first, second, third = states

    assert touched(first, third) <= touched(first, second) | touched(second, third)
    assert schema_difference(third, third) == PackageChanges()


@given(histories())
def test_the_order_of_declarations_says_nothing(states: list[Schemas]) -> None:
    ir = states[0]["g"]
    turned = msgspec.structs.replace(
        ir, types=tuple(_turned(t) for t in ir.types[::-1]), interfaces=ir.interfaces[::-1]
    )

    assert schema_difference({"g": ir}, {"g": turned}) == PackageChanges()
    assert schema_difference({"g": turned}, states[1]) == schema_difference({"g": ir}, states[1])


def _turned(t: IrType) -> IrType:
    return msgspec.structs.replace(
        t,
        properties=t.properties[::-1],
        constraints=t.constraints[::-1],
        implements=t.implements[::-1],
    )
