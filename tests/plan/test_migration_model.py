"""The planner's steps, applied one after another to a model of A, give B, or B is refused with a code.

The model is this module's own reading of what each step means: it knows nothing of the planner. It
holds a schema as plain dictionaries by name, as control-plane 2 speaks of it: order says nothing.
Where a step says only that something is new (a type) it is taken from B.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from agentctl.domain.plan.migrate import plan_migration, rename_diagnostics
from agentctl.domain.plan.refusals import MIGRATION_RULES
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.ir import catalog_of, decode_ir, evolve_ir, ir_bytes
from agentctl.languages.schema.types import Catalog

Model = dict[str, Any]
ENDPOINTS = {"src", "dst"}


def model_of(catalog: Catalog) -> Model:
    """A schema by kind and name, without places, order and hints."""
    plain: Model = msgspec.json.decode(msgspec.json.encode(catalog))
    return {
        kind: {t["name"]: type_of(t) for t in plain[f"{kind}s"]}
        for kind in ("interface", "node", "edge")
    }


def type_of(t: Model) -> Model:
    key = sorted(t.get("key", ()))
    constraints = {constraint_of(c) for c in t["constraints"]}
    constraints |= {tagged("Index", [p["name"]]) for p in t["properties"] if p["indexed"]}
    told = {"description", "instruction", "opaque", "source", "target", "cardinality"}
    return {
        **{name: t[name] for name in told if name in t},
        "key": key,
        "implements": sorted(t.get("implements", ())),
        "constraints": constraints - {tagged("Index", [name]) for name in key},
        "properties": {p["name"]: property_of(p) for p in t["properties"]},
    }


def property_of(p: Model) -> Model:
    left_out = {"name", "where", "renamed_from", "indexed"}
    return {name: value for name, value in p.items() if name not in left_out}


def constraint_of(c: Model) -> str:
    match c["is"]:
        case "Unique" | "Index":
            return tagged(c["is"], sorted(c["columns"]))
        case "Range":
            bounds = {"property": c["property"], "min": c["minimum"], "max": c["maximum"]}
            return tagged("Range", bounds)
        case _:
            return tagged("Check", {"property": c["property"], "pattern": c["pattern"]})


def tagged(tag: str, value: object) -> str:
    return json.dumps({tag: value}, sort_keys=True)


def columns_of(constraint: str) -> list[str]:
    ((tag, value),) = json.loads(constraint).items()
    return value if tag in {"Unique", "Index"} else [value["property"]]


def apply_steps(model: Model, steps: tuple[Mapping[str, Any], ...], wanted: Model) -> Model:
    """Carries the steps out on *model*."""
    for step in steps:
        kind = step["kind"]
        of_kind = model[step["type_kind"]]
        match kind:
            case "add_type":
                assert step["name"] not in of_kind
                of_kind[step["name"]] = wanted[step["type_kind"]][step["name"]]
            case "drop_type":
                assert step["mode"] == "soft"
                del of_kind[step["name"]]
            case "rename_type":
                rename_type(model, step)
            case "update_type_metadata":
                annotate(of_kind[step["name"]], step["annotations"])
            case _:
                change_type(of_kind[step["type_name"]], step, wanted)
    return model


def rename_type(model: Model, step: Mapping[str, Any]) -> None:
    of_kind = model[step["type_kind"]]
    assert step["to"] not in of_kind
    of_kind[step["to"]] = of_kind.pop(step["from"])
    for edge in model["edge"].values() if step["type_kind"] == "node" else ():
        for end in ("source", "target"):
            if edge[end] == step["from"]:
                edge[end] = step["to"]


def change_type(t: Model, step: Mapping[str, Any], wanted: Model) -> None:
    match step["kind"]:
        case "add_constraint":
            t["constraints"].add(json.dumps(step["constraint"], sort_keys=True))
        case "drop_constraint":
            t["constraints"].remove(json.dumps(step["constraint"], sort_keys=True))
        case "change_cardinality":
            assert step["from"] == wire(t["cardinality"])
            t["cardinality"] = {"minimum": step["to"]["min"], "maximum": step["to"]["max"]}
        case "rename_property":
            rename_property(t, step["from"], step["to"])
        case "drop_property":
            name = step["property_name"]
            del t["properties"][name]
            t["constraints"] = {c for c in t["constraints"] if name not in columns_of(c)}
        case "add_property":
            target = wanted[step["type_kind"]][step["type_name"]]
            t["properties"][step["property_name"]] = added(step, target)
        case _:
            change_property(t["properties"][step["property_name"]], step)


def wire(cardinality: Model) -> Model:
    return {"min": cardinality["minimum"], "max": cardinality["maximum"]}


def rename_property(t: Model, old: str, new: str) -> None:
    t["properties"][new] = t["properties"].pop(old)
    t["key"] = sorted(new if name == old else name for name in t["key"])
    for p in t["properties"].values():
        if p["embed"] and p["embed"]["source"] == old:
            p["embed"]["source"] = new
    renamed: set[str] = set()
    for constraint in t["constraints"]:
        ((tag, value),) = json.loads(constraint).items()
        if tag in {"Unique", "Index"}:
            renamed.add(tagged(tag, sorted(new if c == old else c for c in value)))
        else:
            own = new if value["property"] == old else value["property"]
            renamed.add(tagged(tag, {**value, "property": own}))
    t["constraints"] = renamed


def added(step: Mapping[str, Any], target: Model) -> Model:
    """A new property has the type and default that the step says; all else that B has."""
    given = step["property_type"]
    p = dict(target["properties"][step["property_name"]])
    vector = given["scalar"]["Vector"] if isinstance(given["scalar"], dict) else None
    p["type"] = {
        "scalar": "F32" if vector else given["scalar"],
        "nullable": given["nullable"],
        "list": given["list"],
        "enum_values": given["enum_values"],
        "vector_dim": vector,
    }
    p["default"] = {"value": step["default"]} if "default" in step else None
    assert p["type"]["nullable"] or p["default"]
    return p


def change_property(p: Model, step: Mapping[str, Any]) -> None:
    match step["kind"]:
        case "widen_property":
            assert p["type"]["scalar"] == step["from"]
            p["type"]["scalar"] = step["to"]
        case "loosen_property":
            assert not p["type"]["nullable"]
            p["type"]["nullable"] = True
        case "tighten_property":
            assert p["type"]["nullable"]
            p["type"]["nullable"] = False
        case "extend_enum":
            p["type"]["enum_values"] = sorted([*p["type"]["enum_values"], *step["added_values"]])
        case "narrow_enum":
            kept = {*(p["type"]["enum_values"] or step["values"])} - {
                *(step["removed_values"] or ())
            }
            assert sorted(kept) == step["values"]
            p["type"]["enum_values"] = step["values"]
        case "change_default":
            assert (p["default"] or {"value": None})["value"] == step["from"]
            p["default"] = None if step["to"] is None else {"value": step["to"]}
        case "update_property_metadata":
            annotate(p, step["annotations"])
        case kind:
            raise AssertionError(kind)


def annotate(target: Model, annotations: list[Model]) -> None:
    told = {a["name"]: a["value"] for a in annotations}
    for name in ("description", "instruction"):
        if name in target:
            target[name] = told.get(name)


# Random schemas as text, so that only what the language accepts is asked about. One is a drawn
# `Sketch`; the other is drawn too, or is the first after some edits, which is how schemas change.

NAMES = ["a", "b", "c", "d"]
SCALARS = ["String", "I32", "I64", "U32", "U64", "F32", "F64", "Bool", "Date"]
ENUMS = ["enum(x, y)", "enum(y, z)", "enum(x, y, z)"]
TYPES = [*SCALARS, *ENUMS, "[String]", "[I32]", "Vector(2)", "Vector(3)"]
DEFAULTS = {"I32": ["1", "2"], "I64": ["1"], "String": ['"x"', '"y"'], "Bool": ["true"]}
RANGES = ["0..5", "0..9", "3.."]


class Column:
    """A property that may still be edited."""

    def __init__(self, name: str, type_: str, *, nullable: bool) -> None:
        self.name = name
        self.type = type_
        self.nullable = nullable
        self.default: str | None = None
        self.marks: dict[str, str] = {}
        self.hint: str | None = None

    def text(self) -> str:
        if self.type not in {"I32", "I64", "U32", "U64", "F32", "F64"}:
            self.marks.pop("range", None)
        if self.type != "String":
            self.marks.pop("check", None)
        if self.type[0] in "[V":
            self.marks.pop("unique", None)
        default = f" = {self.default}" if self.default in DEFAULTS.get(self.type, ()) else ""
        hint = f' @rename_from("{self.hint}")' if self.hint else ""
        marks = "".join(f" {mark.replace('NAME', self.name)}" for mark in self.marks.values())
        return f"{self.name}: {self.type}{'?' if self.nullable else ''}{default}{hint}{marks}"


class Sketch:
    """A type that may still be edited."""

    def __init__(self, kind: str, name: str, ends: tuple[str, str] | None = None) -> None:
        self.kind = kind
        self.name = name
        self.ends = ends
        self.card = ""
        self.marks: dict[str, str] = {}
        self.hint: str | None = None
        self.implements = ""
        self.key: Column | None = None
        self.columns: list[Column] = []

    def text(self) -> str:
        ends = f": {self.ends[0]} -> {self.ends[1]}" if self.ends else ""
        hint = f' @rename_from("{self.hint}")' if self.hint else ""
        head = f"{self.kind} {self.name}{ends} {self.card}{hint} {' '.join(self.marks.values())}"
        key = f"{self.key.text()} @key" if self.key else ""
        return f"{head} {self.implements} {{ {' '.join(c.text() for c in self.columns)} {key} }}"


def text_of(types: list[Sketch]) -> str:
    return "\n".join(t.text() for t in types)


def draw_column(draw: st.DrawFn, name: str) -> Column:
    column = Column(name, draw(st.sampled_from(TYPES)), nullable=draw(st.booleans()))
    for _ in range(draw(st.integers(0, 2))):
        edit_column(draw, column)
    return column


def edit_column(draw: st.DrawFn, column: Column) -> None:
    """Changes what is often changed of one property."""
    match draw(st.sampled_from(["null", "default", "mark", "range", "widen", "enum", "type"])):
        case "null":
            column.nullable = not column.nullable
        case "default":
            column.default = draw(st.sampled_from([None, *DEFAULTS.get(column.type, ())]))
        case "mark":
            mark, text = draw(
                st.sampled_from(
                    [
                        ("index", "@index"),
                        ("unique", "@unique"),
                        ("told", '@description("d")'),
                        ("told", '@description("e")'),
                        ("check", '@check(NAME, "x")'),
                        ("own", "@own(1)"),
                    ]
                )
            )
            if column.marks.pop(mark, None) != text:
                column.marks[mark] = text
        case "range":
            column.marks["range"] = f"@range(NAME, {draw(st.sampled_from(RANGES))})"
        case "widen":
            column.type = {"I32": "I64", "U32": "U64", "F32": "F64"}.get(column.type, column.type)
        case "enum" if column.type in {"String", *ENUMS}:
            column.type = draw(st.sampled_from(ENUMS))
        case "type":
            column.type = draw(st.sampled_from(TYPES))
        case _:
            pass  # Not every edit fits every type.


def draw_sketches(draw: st.DrawFn) -> list[Sketch]:
    types: list[Sketch] = []
    if draw(st.booleans()):
        types.append(Sketch("interface", "N"))
        types[0].columns.append(Column("i", "I32", nullable=True))
    nodes = draw(st.lists(st.sampled_from(["A", "B", "C"]), min_size=1, max_size=3, unique=True))
    for name in nodes:
        node = Sketch("node", name)
        if types and types[0].kind == "interface":
            node.implements = draw(st.sampled_from(["", "implements N"]))
        if draw(st.booleans()):
            node.key = Column("k", draw(st.sampled_from(["String", "I32", "F32"])), nullable=False)
        types.append(node)
    for name in draw(st.lists(st.sampled_from(["E", "F"]), max_size=2, unique=True)):
        ends = (draw(st.sampled_from(nodes)), draw(st.sampled_from(nodes)))
        types.append(Sketch("edge", name, ends))
    for t in types:
        if t.kind != "interface":
            names = draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))
            t.columns.extend(draw_column(draw, name) for name in names)
    return types


def edit(draw: st.DrawFn, types: list[Sketch]) -> None:
    """Makes one change of the kind that people make."""
    t = draw(st.sampled_from(types))
    match draw(st.sampled_from(["column", "column", "add", "drop", "rename", "told", "type"])):
        case "column" if t.columns:
            edit_column(draw, draw(st.sampled_from(t.columns)))
        case "add":
            free = [n for n in [*NAMES, "e", "f"] if n not in {c.name for c in t.columns}]
            t.columns.append(draw_column(draw, free[0]))
        case "drop" if t.columns:
            t.columns.remove(draw(st.sampled_from(t.columns)))
        case "rename" if t.columns:
            column = draw(st.sampled_from(t.columns))
            column.hint, column.name = column.name, draw(st.sampled_from(["g", "h", "a"]))
        case "told":
            mark, text = draw(
                st.sampled_from([("told", '@description("t")'), ("to", '@instruction("u")')])
            )
            if t.kind != "interface" and t.marks.pop(mark, None) != text:
                t.marks[mark] = text
        case "type":
            edit_type(draw, types, t)
        case _:
            pass  # Not every edit fits every type.


def edit_type(draw: st.DrawFn, types: list[Sketch], t: Sketch) -> None:
    match draw(st.sampled_from(["rename", "drop", "add", "key", "mine"])), t.kind:
        case "rename", "node" | "edge":
            t.hint, t.name = t.name, draw(st.sampled_from(["X", "Y", "A"]))
            for edge in types if t.kind == "node" else ():
                if edge.ends is not None:
                    source, target = (t.name if end == t.hint else end for end in edge.ends)
                    edge.ends = (source, target)
        case "drop", "edge":
            types.remove(t)
        case "add", _:
            types.append(Sketch("node", "Z"))
        case "key", "node" if t.key is not None:
            edit_column(draw, t.key)
        case "key", "edge":
            t.card = draw(st.sampled_from(["", "@card(0..2)", "@card(1..)", "@card(0..5)"]))
        case "mine", "node":
            t.marks["mine"] = "@mine"
        case _:
            pass  # Not every edit fits every type.


def compiled(text: str) -> Catalog | None:
    return compile_schema(text.encode(), file="random.pg").catalog


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Catalog, Catalog]:
    """Two schemas that the language accepts."""
    types = draw_sketches(draw)
    old = compiled(text_of(types))
    assume(old is not None)
    if draw(st.integers(0, 3)):
        for _ in range(draw(st.integers(0, 4))):
            edit(draw, types)
    else:
        types = draw_sketches(draw)
    new = compiled(text_of(types))
    assume(new is not None)
    assert old is not None
    assert new is not None
    return old, new


@settings(
    max_examples=400, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
@given(pair=pairs())
def test_the_steps_make_the_wanted_schema_or_it_is_refused_with_a_code(
    pair: tuple[Catalog, Catalog],
) -> None:
    old, new = pair
    planned = plan_migration(old, new)

    refused = [s for s in planned.steps if s["kind"] == "unsupported_change"]
    if not planned.supported:
        mistakes = [
            d for d in rename_diagnostics(old, new, path="schema.g") if d.severity == "error"
        ]
        assert refused or mistakes
        assert bool(mistakes) == (planned.steps == ())
        assert {str(s["code"]) for s in refused} <= {*MIGRATION_RULES}
        return
    assert refused == []
    assert apply_steps(model_of(old), planned.steps, model_of(new)) == model_of(new)


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(pair=pairs())
def test_every_step_says_its_class_and_a_narrowing_one_what_it_needs(
    pair: tuple[Catalog, Catalog],
) -> None:
    for step in plan_migration(*pair).steps:
        if step["kind"] == "unsupported_change":
            continue
        assert step["class"] in {"reversible", "narrowing", "irreversible"}
        assert ("needs" in step) == (
            step["class"] == "narrowing" and step["type_kind"] != "interface"
        )


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(pair=pairs())
def test_a_schema_needs_no_step_to_become_itself_and_none_to_be_stored(
    pair: tuple[Catalog, Catalog],
) -> None:
    old, new = pair
    numbers = iter(range(10_000))
    first = evolve_ir(None, old, lambda: f"{next(numbers):026d}")
    second = evolve_ir(first, new, lambda: f"{next(numbers):026d}")

    assert plan_migration(new, new).steps == ()
    assert plan_migration(first, old).steps == ()
    assert plan_migration(second, new).steps == ()
    assert plan_migration(first, new) == plan_migration(old, new)
    assert decode_ir(ir_bytes(second)) == second
    assert model_of(catalog_of(second)) == model_of(new)


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(pair=pairs())
def test_identities_stay_unique_and_columns_are_never_shared(
    pair: tuple[Catalog, Catalog],
) -> None:
    old, new = pair
    numbers = iter(range(10_000))
    first = evolve_ir(None, old, lambda: f"{next(numbers):026d}")
    second = evolve_ir(first, new, lambda: f"{next(numbers):026d}")

    types = (*second.types, *second.interfaces)
    ids = [t.id for t in types] + [p.id for t in types for p in t.properties]
    assert len(ids) == len({*ids})
    for t in types:
        columns = [p.column for p in t.properties] + [*t.dropped_columns]
        assert len(columns) == len({*columns})
