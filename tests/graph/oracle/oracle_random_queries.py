"""Random well-typed reads, as texts with parameters: every construct, over `SCHEMA`.

A maker knows which variables stand where, so that what it writes passes the checker; the tests
assert that it does.
"""

import random
from typing import Final

import msgspec

from agentctl.languages.schema.types import Catalog, EdgeType, PropertyType, Scalar
from tests.graph.oracle.oracle_asking import catalog_of
from tests.graph.oracle.oracle_graph import Owner
from tests.graph.oracle.oracle_random_values import NUMBERS, POOLS, SCHEMA, RandomValues, literal

COMPARISONS: Final = ("=", "!=", "<", "<=", ">", ">=")
DEPTH_MAX: Final = 2
CHOICE: Final = ("aa", "likes")
"""Edges with the same ends, which can be chosen among."""


class Var(msgspec.Struct, frozen=True, kw_only=True):
    """A bound variable."""

    name: str
    owner: Owner
    optional: bool = False

    @property
    def is_edge(self) -> bool:
        """Whether it stands for an edge."""
        return isinstance(self.owner, EdgeType)


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A query."""

    text: str
    params: dict[str, object]


class Names:
    """The variables of one block and of those around it."""

    def __init__(self, seen: tuple[Var, ...] = ()) -> None:
        self.seen = list(seen)

    def nodes(self, type_name: str | None = None) -> list[Var]:
        """Returns the bound nodes, of one type or of all."""
        return [v for v in self.seen if not v.is_edge and type_name in (None, v.owner.name)]

    def inner(self) -> "Names":
        """Returns the names as a block inside sees them."""
        return Names(tuple(self.seen))


class QueryMaker:
    """Makes one query."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.values = RandomValues(rng)
        self.catalog: Catalog = catalog_of(SCHEMA)
        self.params: dict[str, tuple[PropertyType, object]] = {}
        self.free = 0
        self.products = 0

    def made(self) -> Made:
        """Returns a read; now and then one of known nodes, edges and ids alone."""
        if self.chance(8):
            return self._told(self._walk())
        names = Names()
        clauses = [self._first(names)]
        count = self.rng.choice((0, 0, 1, 1, 2, 3))
        clauses += [self.clause(names, 0) for _ in range(count)]
        return self._told(f"match {{ {' '.join(clauses)} }} {Tail(self, names).text()}")

    def _told(self, body: str) -> Made:
        params = ", ".join(f"${n}: {t}" for n, (t, _) in self.params.items())
        return Made(
            text=f"query q({params}) {{ {body} }}",
            params={n: v for n, (t, v) in self.params.items() if v is not None or self.chance(2)},
        )

    def _walk(self) -> str:
        """Returns a read that begins at nodes told by key and asks for ids, or for one count."""
        names = ["x0"]
        many = self.param(msgspec.structs.replace(TEXT, list=True))
        starts = (
            f"$x0.k = {self.constant(TEXT)}",
            f"$x0.k in {many}",
            f"$x0.@id = {self.constant(TEXT)}",
        )
        clauses = ["$x0: A", self.rng.choice(starts)]
        edges = ("aa", "likes", "<aa>", "(aa | likes)", "aa{1,2}", "<likes>{1,3}", "likes{2,4}")
        for _ in range(self.rng.choice((1, 2, 2, 3))):
            near, far, edge = self.rng.choice(names), self.fresh(), self.rng.choice(edges)
            ends = (near, far) if self.chance(2) else (far, near)
            clauses += [f"${far}: A", f"${ends[0]} {edge} ${ends[1]}"]
            names.append(far)
        if self.chance(4):
            shown = f"return {{ count(${self.rng.choice(names)}) as c0 }}"
            return f"match {{ {' '.join(clauses)} }} {shown}"
        items = [f"${name}.{self.rng.choice(('k', '@id'))} as {name}" for name in names[-2:]]
        word = "distinct " if self.chance(3) else ""
        order = (
            f" order {{ {names[-1]}{self.rng.choice(('', ' desc'))} }}" if self.chance(2) else ""
        )
        bounds = f" limit {self.rng.randrange(5)} offset {self.rng.randrange(2)}"
        text = f"match {{ {' '.join(clauses)} }} return {word}{{ {', '.join(items)} }}{order}"
        return text + (bounds if self.chance(3) else "")

    def chance(self, one_in: int) -> bool:
        """Returns true once in so many times."""
        return self.values.chance(one_in)

    def param(self, type_: PropertyType) -> str:
        """Declares a parameter, or takes one that there is, and returns its use."""
        plain = msgspec.structs.replace(type_, nullable=self.chance(2), enum_values=None)
        known = [n for n, (t, _) in self.params.items() if t == plain]
        if known and self.chance(2):
            return f"${self.rng.choice(known)}"
        name = f"p{len(self.params)}"
        given = self.values.given(plain)
        if plain.scalar is Scalar.F32 and not plain.list and plain.vector_dim is None:
            given = 0.25 if given is not None else None  # exact in any width
        self.params[name] = (plain, given)
        return f"${name}"

    # Clauses

    def clause(self, names: Names, depth: int) -> str:
        """Returns a clause that may bind variables into *names*."""
        kinds = ["walk", "walk", "walk", "test", "bind"]
        if depth < DEPTH_MAX:
            kinds += ["not", "optional", "optional", "test"]
        match self.rng.choice(kinds):
            case "walk":
                return self.walk(names)
            case "bind" if self.products < 1:
                self.products += 1
                return self._bind(names, self.fresh())
            case "not":
                return f"not {{ {self.block(names.inner(), depth + 1, linked=True)} }}"
            case "optional":
                return self._optional(names, depth)
            case _:
                return self.condition(names, depth)

    def block(self, names: Names, depth: int, *, linked: bool) -> str:
        """Returns the clauses of a block; *linked*: one of them uses an outer variable."""
        walks = (names.nodes() or not linked) and not self.chance(4)
        first = self.walk(names, linked=linked) if walks else self.compare(names)
        rest = [self.clause(names, depth) for _ in range(self.rng.choice((0, 0, 1)))]
        return " ".join([first, *rest])

    def fresh(self) -> str:
        """Returns a name that nothing has."""
        self.free += 1
        return f"x{self.free}"

    def _first(self, names: Names) -> str:
        walk = self.walk(names) if self.chance(5) else ""
        return walk if names.seen else f"{walk} {self._bind(names, self.fresh())}"

    def _bind(self, names: Names, name: str) -> str:
        a, b, c = self.catalog.nodes
        owner = self.rng.choice((a, a, b, b, c))
        names.seen.append(Var(name=name, owner=owner))
        if not self.chance(6):
            return f"${name}: {owner.name}"
        prop = self.rng.choice([p for p in owner.properties if p.type.vector_dim is None])
        member = msgspec.structs.replace(prop.type, list=False, nullable=False)
        return f"${name}: {owner.name} {{ {prop.name}: {self.constant(member)} }}"

    def _optional(self, names: Names, depth: int) -> str:
        inner = names.inner()
        text = f"optional {{ {self.block(inner, depth + 1, linked=False)} }}"
        known = {v.name for v in names.seen}
        names.seen += [
            msgspec.structs.replace(v, optional=True) for v in inner.seen if v.name not in known
        ]
        return text

    def walk(self, names: Names, *, linked: bool = False) -> str:
        """Returns a traversal, from an end that is bound where there is one."""
        edges = list(self.catalog.edges)
        bound = {v.owner.name for v in names.nodes()}
        if bound and (linked or not self.chance(8)):
            edges = [e for e in edges if e.source in bound or e.target in bound]
        edge = self.rng.choice(edges)
        outward = edge.source == edge.target or edge.source in bound or edge.target not in bound
        left, right = (edge.source, edge.target) if outward else (edge.target, edge.source)
        # The side that is bound tells the direction; within a type any side may be.
        from_left = left in bound
        ends = [
            self._end(names, left, must=from_left),
            self._end(names, right, must=right in bound and not from_left),
        ]
        text, var = self._edge(edge)
        if var is not None:
            names.seen.append(Var(name=var, owner=edge))
        for name, type_name in zip(ends, (left, right), strict=True):
            owner = self.catalog.node(type_name)
            assert owner is not None
            if name != "_" and all(v.name != name for v in names.seen):
                names.seen.append(Var(name=name, owner=owner))
        return f"${ends[0]} {text} ${ends[1]}"

    def _end(self, names: Names, type_name: str, *, must: bool) -> str:
        known = [v.name for v in names.nodes(type_name)]
        if must:
            return self.rng.choice(known)
        fresh = self.fresh()
        return self.rng.choice([*known[:2], fresh, fresh, fresh, "_"])

    def _edge(self, edge: EdgeType) -> tuple[str, str | None]:
        """Returns an edge as it is written, and its variable."""
        name = edge.name[0].lower() + edge.name[1:]
        same = edge.source == edge.target
        if name in CHOICE and self.chance(4):
            name = f"({' | '.join(CHOICE)})"
        elif self.chance(3):
            var = self.fresh()
            return f"${var}:{f'<{name}>' if same and self.chance(3) else name}", var
        elif same and self.chance(4):
            name = f"<{name}>"
        if self.chance(3):
            low = self.rng.choice((1, 1, 1, 2, 3))
            name += f"{{{low},{low + self.rng.randrange(4)}}}"
        return name, None

    # Conditions

    def condition(self, names: Names, depth: int, nested: int = 0) -> str:  # noqa: PLR0911  # one case for each form
        """Returns a condition over bound variables, with parentheses where they may be needed."""
        kind = self.rng.randrange(12 if nested < 2 else 7)
        if kind < 4:
            return self.compare(names)
        if kind == 4:
            return self._null_test(names)
        if kind == 5:
            return self._membership(names)
        if kind == 6:
            return self._search(names)
        if kind == 7:
            return f"not ({self._parts(names, depth, nested, 1)[0]})"
        if kind < 10 or depth >= DEPTH_MAX:
            word = self.rng.choice((" and ", " or "))
            return f"({word.join(f'({p})' for p in self._parts(names, depth, nested, 2))})"
        if kind == 10:
            word = self.rng.choice(("exists", "not exists"))
            return f"{word} {{ {self.block(names.inner(), depth + 1, linked=False)} }}"
        inner = self.block(names.inner(), depth + 1, linked=False)
        return f"count {{ {inner} }} {self.rng.choice(COMPARISONS)} {self.rng.randrange(3)}"

    def _parts(self, names: Names, depth: int, nested: int, count: int) -> list[str]:
        return [self.condition(names, depth, nested + 1) for _ in range(count)]

    def property(
        self, names: Names, scalars: tuple[Scalar, ...], *, nodes: bool = False
    ) -> tuple[str, PropertyType] | None:
        """Returns a plain property of a bound variable, of one of the scalars."""
        found = [
            (f"${v.name}.{p.name}", p.type)
            for v in names.seen
            for p in v.owner.properties
            if p.type.scalar in scalars and not p.type.list and p.type.vector_dim is None
            if not (nodes and v.is_edge)
        ]
        return self.rng.choice(found) if found else None

    def compare(self, names: Names) -> str:
        """Returns a comparison."""
        if self.chance(6) and (member := self._contains(names)) is not None:
            return member
        picked = self.property(names, tuple(POOLS))
        if picked is None or self.chance(12):
            ids = [f"${v.name}.@id" for v in names.seen]
            return f"{self.rng.choice(ids)} {self.rng.choice(COMPARISONS)} {self.constant(TEXT)}"
        left, type_ = picked
        right = self._right(names, type_)
        comparisons: tuple[str, ...] = COMPARISONS
        if type_.scalar is Scalar.STRING:
            comparisons = (*COMPARISONS, "contains", "starts_with")
        if self.chance(6):
            left, right = right, left
            if left.startswith("$") and "." not in left:
                comparisons = COMPARISONS
        return f"{left} {self.rng.choice(comparisons)} {right}"

    def _right(self, names: Names, type_: PropertyType) -> str:
        family = NUMBERS if type_.scalar in NUMBERS else (type_.scalar,)
        if self.chance(3) and (other := self.property(names, family)) is not None:
            return other[0]
        if type_.scalar is Scalar.DATETIME and self.chance(3):
            return "now()"
        if type_.scalar in NUMBERS and self.chance(3):
            scalar = self.rng.choice(family)
            if scalar is not Scalar.F32:
                type_ = PropertyType(scalar=scalar)
        return self.constant(type_)

    def constant(self, type_: PropertyType) -> str:
        """Returns a literal or a parameter of a plain type."""
        if self.chance(3):
            return self.param(type_)
        if type_.enum_values is not None:
            return literal(Scalar.STRING, self.rng.choice(type_.enum_values))
        return literal(type_.scalar, self.rng.choice(POOLS[type_.scalar]))

    def _contains(self, names: Names) -> str | None:
        lists = [
            (f"${v.name}.{p.name}", p.type)
            for v in names.seen
            for p in v.owner.properties
            if p.type.list
        ]
        if not lists:
            return None
        text, type_ = self.rng.choice(lists)
        return f"{text} contains {self._right(names, PropertyType(scalar=type_.scalar))}"

    def _null_test(self, names: Names) -> str:
        var = self.rng.choice(names.seen)
        what = [f"${var.name}.{p.name}" for p in var.owner.properties] or [f"${var.name}.@id"]
        if not var.is_edge:
            what.append(f"(${var.name})")
        return f"{self.rng.choice(what)} is {self.rng.choice(('', 'not '))}null"

    def _membership(self, names: Names) -> str:
        picked = self.property(names, tuple(POOLS))
        if picked is None:
            return self._null_test(names)
        left, type_ = picked
        if self.chance(3):
            return f"{left} in {self.param(PropertyType(scalar=type_.scalar, list=True))}"
        pool = POOLS[type_.scalar]
        items = [
            literal(type_.scalar, self.rng.choice(pool)) for _ in range(self.rng.choice((1, 2, 3)))
        ]
        return f"{left} in [{', '.join(items)}]"

    def _search(self, names: Names) -> str:
        picked = self.property(names, (Scalar.STRING,), nodes=True)
        if picked is None:
            return self.compare(names)
        function = self.rng.choice(("search", "fuzzy", "match_text"))
        query = self.constant(TEXT)
        edits = f", {self.rng.randrange(3)}" if function == "fuzzy" and self.chance(2) else ""
        return f"{function}({picked[0]}, {query}{edits})"


TEXT: Final = PropertyType(scalar=Scalar.STRING)


class Tail:
    """Makes what stands behind `match`."""

    def __init__(self, maker: QueryMaker, names: Names) -> None:
        self.maker = maker
        self.rng = maker.rng
        self.names = names
        self.grouped = maker.chance(3)
        self.distinct = maker.chance(5)
        self.items: list[tuple[str, str | None, bool]] = []
        """Text, alias and whether it can be ordered by."""

    def text(self) -> str:
        """Returns return, order, limit and offset."""
        for _ in range(self.rng.choice((1, 2, 2, 3))):
            self._item()
        if self.grouped:
            self._aggregate()
        shown = ", ".join(t if a is None else f"{t} as {a}" for t, a, _ in self.items)
        parts = [f"return {'distinct ' if self.distinct else ''}{{ {shown} }}"]
        ranked = None if self.grouped or self.distinct else self._rank()
        order = [] if ranked is None else [ranked]
        aliases = ranked is None or not ranked.startswith("nearest")
        for _ in range(self.rng.choice((0, 0, 1, 2))):
            order += self._order(aliases=aliases)
        if order:
            parts.append(f"order {{ {', '.join(order)} }}")
        parts += self._bounds(must=ranked is not None)
        return " ".join(parts)

    def _bounds(self, *, must: bool) -> list[str]:
        bounds: list[str] = []
        whole = PropertyType(scalar=Scalar.U32)
        for word, one_in in (("limit", 1 if must else 3), ("offset", 5)):
            if not self.maker.chance(one_in):
                continue
            if self.maker.chance(3):
                name = f"p{len(self.maker.params)}"
                self.maker.params[name] = (whole, self.rng.randrange(6))
                bounds.append(f"{word} ${name}")
            else:
                bounds.append(f"{word} {self.rng.randrange(6)}")
        return bounds

    def _add(self, text: str, *, alias: bool, ordered: bool) -> None:
        taken = {t for t, _, _ in self.items}
        name = f"c{len(self.items)}" if alias or text in taken or self.maker.chance(2) else None
        self.items.append((text, name, ordered))

    def _item(self) -> None:
        var = self.rng.choice(self.names.seen)
        match self.rng.randrange(10):
            case 0:
                self._metadata(var)
            case 1 if not var.is_edge:
                self._add(f"${var.name}", alias=False, ordered=True)
            case 2 if not self.grouped:
                self._add(self.maker.constant(TEXT), alias=True, ordered=True)
            case 3 if not self.grouped:
                self._add("now()", alias=True, ordered=True)
            case 4:
                self._add(
                    self.maker.param(PropertyType(scalar=Scalar.I64)), alias=True, ordered=True
                )
            case _:
                self._property(var)

    def _metadata(self, var: Var) -> None:
        names = ("id", "type", "src", "dst") if var.is_edge else ("id", "type")
        self._add(f"${var.name}.@{self.rng.choice(names)}", alias=True, ordered=True)

    def _property(self, var: Var) -> None:
        if not var.owner.properties:
            self._metadata(var)
            return
        prop = self.rng.choice(var.owner.properties)
        plain = not prop.type.list and prop.type.vector_dim is None
        # Lists as group keys and in distinct rows break ties; that order is the engine's to choose.
        if not plain and (self.grouped or self.distinct):
            self._metadata(var)
            return
        self._add(f"${var.name}.{prop.name}", alias=False, ordered=plain)

    def _aggregate(self) -> None:
        for _ in range(self.rng.choice((1, 1, 2))):
            self._add(self._aggregated(), alias=True, ordered=True)

    def _aggregated(self) -> str:
        function = self.rng.choice(("count", "count", "sum", "avg", "min", "max"))
        if function == "count" and self.maker.chance(2):
            nodes = self.names.nodes()
            return f"count(${self.rng.choice(nodes).name})" if nodes else "count(1)"
        scalars = {
            "count": tuple(POOLS),
            "sum": NUMBERS,
            "avg": NUMBERS,
        }.get(function, (*NUMBERS, Scalar.STRING))
        picked = self.maker.property(self.names, scalars)
        if picked is None or (picked[1].scalar is Scalar.F32 and function in ("sum", "avg")):
            return f"{function}({self.rng.choice(('1', '2.5'))})"
        return f"{function}({picked[0]})"

    def _order(self, *, aliases: bool) -> list[str]:
        down = self.rng.choice(("", " asc", " desc"))
        named = [a for _, a, ordered in self.items if a is not None and ordered]
        texts = [t for t, _, ordered in self.items if ordered]
        if named and aliases and self.maker.chance(2):
            return [self.rng.choice(named) + down]
        if self.grouped and not self.distinct and self.maker.chance(2):
            return [self._aggregated() + down]
        if not self.grouped and not self.distinct and self.maker.chance(2):
            picked = self.maker.property(self.names, tuple(POOLS))
            return [] if picked is None else [picked[0] + down]
        return [self.rng.choice(texts) + down] if texts else []

    def _rank(self) -> str | None:
        if not self.maker.chance(6):
            return None
        vectors = [f"${v.name}.vec" for v in self.names.nodes("A")]
        texts = [f"${v.name}.s" for v in self.names.nodes()]
        near = f"nearest({self.rng.choice(vectors)}, [0.5, -1])" if vectors else None
        words = f"bm25({self.rng.choice(texts)}, {self.maker.constant(TEXT)})" if texts else None
        if near and words and self.maker.chance(3):
            k = self.rng.choice(("", ", 1", ", 60"))
            return f"rrf({near}, {words}{k})"
        return self.rng.choice([r for r in (near, words) if r] or [None])
