"""Random schemas as hypothesis strategies of catalogs; `schema_printer` writes them as text."""

from typing import Any

import msgspec
import rfc8785
from hypothesis import strategies as st

from agentctl.diagnostics.span import Span
from agentctl.languages.schema.catalog import opaque_order
from agentctl.languages.schema.types import (
    NUMERIC,
    Cardinality,
    Catalog,
    Check,
    Constraint,
    Default,
    EdgeType,
    Embed,
    Index,
    InterfaceType,
    NodeType,
    Opaque,
    PlainValue,
    Property,
    PropertyType,
    Range,
    Scalar,
    Unique,
)

HERE = Span(file="s.pg", line=1, column=1, end_line=1, end_column=1)

names = st.from_regex(r"[a-z_][A-Za-z0-9_]{0,6}", fullmatch=True).filter(
    lambda n: n not in {"id", "src", "dst", "true", "false"} and not n.startswith("_row")
)
texts = st.text(max_size=8).filter(lambda t: t.strip() != "")
enum_values = st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True)
_VALUES: dict[Scalar, st.SearchStrategy[PlainValue]] = {
    Scalar.STRING: st.text(max_size=6),
    Scalar.BOOL: st.booleans(),
    Scalar.I32: st.integers(-(2**31), 2**31 - 1),
    Scalar.I64: st.integers(-(2**63), 2**63 - 1),
    Scalar.U32: st.integers(0, 2**32 - 1),
    Scalar.U64: st.integers(0, 2**64 - 1),
    Scalar.F32: st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda f: f + 0.0),
    Scalar.F64: st.floats(allow_nan=False, allow_infinity=False).map(lambda f: f + 0.0),
    Scalar.DATE: st.integers(-100_000, 100_000),
    Scalar.DATETIME: st.integers(-(10**13), 10**13),
}


@st.composite
def types(draw: st.DrawFn) -> PropertyType:
    """Types of properties, each kind of them."""
    nullable = draw(st.booleans())
    match draw(st.sampled_from(["plain", "plain", "list", "enum", "vector"])):
        case "list":
            scalar = draw(st.sampled_from([s for s in Scalar if s is not Scalar.BLOB]))
            return PropertyType(scalar=scalar, list=True, nullable=nullable)
        case "enum":
            values = draw(st.lists(enum_values, min_size=1, max_size=4, unique=True))
            return PropertyType(
                scalar=Scalar.STRING, enum_values=tuple(sorted(values)), nullable=nullable
            )
        case "vector":
            dimension = draw(st.integers(1, 3))
            return PropertyType(scalar=Scalar.F32, vector_dim=dimension, nullable=nullable)
        case _:
            return PropertyType(scalar=draw(st.sampled_from(list(Scalar))), nullable=nullable)


def defaults(type_: PropertyType) -> st.SearchStrategy[Default | None]:
    """Defaults that fit a type, and none."""
    if type_.scalar is Scalar.BLOB:
        return st.none()
    plain = _VALUES[type_.scalar]
    value: st.SearchStrategy[Any] = plain
    if type_.enum_values is not None:
        value = st.sampled_from(type_.enum_values)
    elif type_.vector_dim is not None:
        value = st.lists(plain, min_size=type_.vector_dim, max_size=type_.vector_dim).map(tuple)
    elif type_.list:
        value = st.lists(plain, max_size=3).map(tuple)
    return st.none() | value.map(lambda v: Default(value=v))


literals = (
    st.text(max_size=5)
    | st.integers(-(2**63), 2**64 - 1)
    | st.booleans()
    | st.floats(-1e15, 1e15).map(lambda f: f + 0.0)
)


@st.composite
def opaques(draw: st.DrawFn) -> Opaque:
    """An annotation that the language does not understand."""
    name = draw(st.sampled_from(["owner", "pii", "x", "since"]))
    if draw(st.booleans()):
        return Opaque(name=name)
    arguments = draw(st.lists(st.tuples(names, literals), max_size=2))
    return Opaque(
        name=name,
        value=json_text(draw(literals)),
        arguments=tuple(sorted((n, json_text(v)) for n, v in arguments)),
    )


def json_text(value: PlainValue) -> str:
    """Returns a value as `Opaque` holds it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return rfc8785.dumps(value).decode()


opaque_tuples: st.SearchStrategy[tuple[Opaque, ...]] = st.lists(opaques(), max_size=2).map(
    lambda found: tuple(sorted(found, key=opaque_order))
)


@st.composite
def properties(draw: st.DrawFn, prefix: str) -> tuple[Property, ...]:
    """Properties of one declaration, their names behind *prefix*."""
    found = []
    for name in draw(st.lists(names, max_size=4, unique=True)):
        type_ = draw(types())
        found.append(
            Property(
                name=prefix + name,
                type=type_,
                default=draw(defaults(type_)),
                description=draw(st.none() | texts),
                opaque=draw(opaque_tuples),
                renamed_from=draw(st.none() | names),
                where=HERE,
            )
        )
    return tuple(found)


@st.composite
def body_constraints(draw: st.DrawFn, columns: tuple[Property, ...], kind: str) -> list[Constraint]:
    """Constraints that a body can say about *columns*."""
    found: list[Constraint] = []
    plain = [p.name for p in columns if p.type.scalar is not Scalar.BLOB]
    plain += ["src", "dst"] if kind == "edge" else []
    for _ in range(draw(st.integers(0, 2)) if plain else 0):
        chosen = tuple(sorted(draw(st.sets(st.sampled_from(plain), min_size=1, max_size=3))))
        if draw(st.booleans()):
            found.append(Unique(columns=chosen, where=HERE))
        else:
            found.append(Index(columns=chosen, where=HERE))
    for p in columns if kind == "node" else ():
        single = not p.type.list and p.type.vector_dim is None and p.default is None
        if single and p.type.scalar in NUMERIC and draw(st.booleans()):
            low, high = sorted(draw(st.tuples(st.integers(-9, 9), st.integers(-9, 9))))
            found.append(
                Range(
                    property=p.name,
                    minimum=low,
                    maximum=draw(st.sampled_from([high, None, high + 0.5])),
                    where=HERE,
                )
            )
        if single and p.type.scalar is Scalar.STRING and draw(st.booleans()):
            pattern = draw(st.sampled_from(["^a+$", 'x\\"y', "\\d{2}", "(?i)é"]))
            found.append(Check(property=p.name, pattern=pattern, where=HERE))
    return found


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    """Whole schemas: interfaces, nodes and edges."""
    interfaces = []
    for i in range(draw(st.integers(0, 2))):
        own = draw(properties(f"i{i}_"))
        marked = [p for p in own if p.type.scalar is not Scalar.BLOB and not p.type.list]
        constraints = tuple(
            Index(columns=(p.name,), where=HERE) for p in marked if draw(st.booleans())
        )
        interfaces.append(
            InterfaceType(
                name=f"Face{i}",
                properties=_indexed(own, (), constraints),
                constraints=constraints,
                where=HERE,
            )
        )
    nodes = [
        draw(node_types(f"Node{n}", tuple(interfaces))) for n in range(draw(st.integers(1, 3)))
    ]
    edges = []
    for e in range(draw(st.integers(0, 2))):
        own = draw(properties("p_"))
        of_edge = tuple(_once(draw(body_constraints(own, "edge"))))
        low = draw(st.integers(0, 3))
        edges.append(
            EdgeType(
                name=f"Edge{e}",
                source=draw(st.sampled_from(nodes)).name,
                target=draw(st.sampled_from(nodes)).name,
                properties=_indexed(own, (), of_edge),
                constraints=of_edge,
                cardinality=Cardinality(minimum=low, maximum=draw(st.none() | st.integers(low, 9))),
                description=draw(st.none() | texts),
                instruction=draw(st.none() | texts),
                opaque=draw(opaque_tuples),
                renamed_from=draw(st.none() | texts),
                where=HERE,
            )
        )
    return Catalog(nodes=tuple(nodes), edges=tuple(edges), interfaces=tuple(interfaces))


@st.composite
def node_types(draw: st.DrawFn, name: str, interfaces: tuple[InterfaceType, ...]) -> NodeType:
    """A node type that implements some of *interfaces*."""
    own = draw(properties("p_"))
    taken = draw(st.lists(st.sampled_from(interfaces), unique=True)) if interfaces else []
    inherited = [
        msgspec.structs.replace(p, own=False, inherited_from=(i.name,))
        for i in taken
        for p in i.properties
    ]
    texts_of = [p.name for p in own if p.type == PropertyType(scalar=Scalar.STRING)]
    if texts_of:
        own = tuple(
            msgspec.structs.replace(
                p,
                embed=Embed(source=draw(st.sampled_from(texts_of)), model=draw(st.none() | texts)),
            )
            if p.type.vector_dim is not None and draw(st.booleans())
            else p
            for p in own
        )
    fit = [
        p.name
        for p in own
        if not p.type.nullable
        and not p.type.list
        and p.type.vector_dim is None
        and p.type.scalar is not Scalar.BLOB
    ]
    key = tuple(draw(st.lists(st.sampled_from(fit), unique=True, max_size=2))) if fit else ()
    from_interfaces = [c for i in taken for c in i.constraints]
    constraints = tuple(_once([*from_interfaces, *draw(body_constraints(own, "node"))]))
    return NodeType(
        name=name,
        properties=_indexed((*own, *inherited), key, constraints),
        key=key,
        implements=tuple(i.name for i in taken),
        constraints=constraints,
        description=draw(st.none() | texts),
        instruction=draw(st.none() | texts),
        opaque=draw(opaque_tuples),
        renamed_from=draw(st.none() | texts),
        where=HERE,
    )


def _once(constraints: list[Constraint]) -> list[Constraint]:
    return list({repr(c): c for c in reversed(constraints)}.values())[::-1]


def _indexed(
    declared: tuple[Property, ...], key: tuple[str, ...], constraints: tuple[Constraint, ...]
) -> tuple[Property, ...]:
    alone = {c.columns for c in constraints if isinstance(c, Index) and len(c.columns) == 1}
    return tuple(
        msgspec.structs.replace(p, indexed=p.name in key or (p.name,) in alone) for p in declared
    )
