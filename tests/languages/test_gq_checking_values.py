"""Which values fit which: every pair of types, in comparisons, inline matches, lists and mutations.

Source: languages 2.4, 2.7, 3.1.
"""

import itertools

from agentctl.languages.query.plan import (
    Filter,
    Found,
    Membership,
    Now,
    ParamRef,
    TextSearch,
    Value,
)
from agentctl.languages.schema.types import NUMERIC, PropertyType, Scalar
from agentctl.testing.checked_queries import check, checked, rules_of

SCALARS = [s for s in Scalar if s is not Scalar.BLOB]
EACH = " ".join(f"{s.value.lower()}: {s.value}? l_{s.value.lower()}: [{s.value}]?" for s in SCALARS)
SCHEMA = f"node N {{ {EACH} e: enum(a, b)? f: enum(c)? blob: Blob? v: Vector(2)? }}"


def rule(clauses: str, params: str = "") -> str | None:
    """The one rule that is broken, if any."""
    text = f"query q({params}) {{ match {{ $n: N {clauses} }} return {{ 1 as one }} }}"
    found = rules_of(text, SCHEMA)
    assert len(found) <= 1
    return found[0] if found else None


def test_a_scalar_is_compared_with_itself_and_any_number_with_any_number() -> None:
    for one, other in itertools.product(SCALARS, SCALARS):
        alike = one is other or {one, other} <= NUMERIC
        for comparison in ("=", "!=", "<", "<=", ">", ">="):
            clause = f"$n.{one.value.lower()} {comparison} $n.{other.value.lower()}"
            assert rule(clause) == (None if alike else "T7:incompatible"), clause


def test_a_parameter_fits_a_property_by_the_same_rule() -> None:
    for one, other in itertools.product(SCALARS, SCALARS):
        alike = one is other or {one, other} <= NUMERIC
        for params in (f"$p: {other.value}", f"$p: {other.value}?"):
            inline = f"$m: N {{ {one.value.lower()}: $p }}"
            member = f"$m: N {{ l_{one.value.lower()}: $p }}"
            assert rule(inline, params) == (None if alike else "T7:parameter-type")
            assert rule(member, params) == (None if alike else "T7:parameter-type")


def test_lists_fit_lists_of_the_same_members_where_they_are_stored() -> None:
    for one, other in itertools.product(SCALARS, SCALARS):
        alike = one is other or {one, other} <= NUMERIC
        name = f"l_{one.value.lower()}"
        text = f"query q($p: [{other.value}]) {{ update N set {{ {name}: $p }} where e = $p }}"
        found = rules_of(text.replace("e = $p", 'e = "a"'), SCHEMA)
        assert found == ([] if alike else ["T7:parameter-type"])
        plain = f"query q($p: {other.value}) {{ update N set {{ {name}: $p }} where e is null }}"
        assert rules_of(plain, SCHEMA) == ["T7:parameter-type"]


def test_literals_are_of_the_type_they_are_written_as() -> None:
    literals = {
        '"x"': {Scalar.STRING},
        "true": {Scalar.BOOL},
        "3": NUMERIC,
        "-3": NUMERIC,
        "18446744073709551615": NUMERIC,
        "1.5e3": NUMERIC,
        'date("2026-01-01")': {Scalar.DATE},
        'datetime("2026-01-01T00:00:00Z")': {Scalar.DATETIME},
        "now()": {Scalar.DATETIME},
    }
    for (literal, fitting), scalar in itertools.product(literals.items(), SCALARS):
        wrong = "T7:now" if literal == "now()" else "T3:literal-type"
        inline = rule(f"$m: N {{ {scalar.value.lower()}: {literal} }}")
        assert inline == (None if scalar in fitting else wrong), (literal, scalar)
        member = rule(f"$m: N {{ l_{scalar.value.lower()}: {literal} }}")
        assert member == (None if scalar in fitting else wrong), (literal, scalar)
        wrong = "T7:now" if literal == "now()" else "T7:incompatible"
        compared = rule(f"$n.{scalar.value.lower()} = {literal}")
        assert compared == (None if scalar in fitting else wrong), (literal, scalar)


def test_enums_are_texts_whose_values_only_literals_are_held_to() -> None:
    assert rule("$n.e = $n.f") is None
    assert rule("$n.e = $s", "$s: String") is None
    assert rule('$n.e = "zzz"') is None
    assert rule('$n.e contains "z"') is None
    assert rule("$m: N { e: $s }", "$s: String?") is None
    assert rule('$m: N { e: "c" }') == "T3:enum-value"
    found = check('query q() { match { $m: N { e: "A" } } return { 1 as o } }', SCHEMA)
    assert found.diagnostics[0].remedy == "Did you mean `a`?"


def test_membership_is_asked_of_lists_and_of_values() -> None:
    assert rule("$n.l_string contains $n.string") is None
    assert rule("$n.l_i32 contains 2.5") is None
    assert rule("$n.l_i32 contains $n.l_i32") == "T7:list-member"
    assert rule("$n.string in $l", "$l: [String]?") is None
    assert rule("$n.e in $l", "$l: [String]") is None
    assert rule("$n.date in $l", "$l: [String]") == "T37:incompatible"
    assert rule('$n.datetime in [datetime("2026-01-01T00:00:00Z")]') is None
    assert rule("now() in $l", "$l: [DateTime]") is None
    assert rule("$n.blob in $l", "$l: [String]") == "T37:operand"
    assert rule("$n.v in $l", "$l: [F32]") == "T37:operand"
    assert rule("$n.i32 in $n") == "T7:entity-operand"
    assert rule("$n.i32 in $gone") == "T26:undeclared-variable"
    assert rule("$n.i32 in $p", "$p: I32") == "T37:values"


def test_a_list_literal_has_the_widest_type_of_its_numbers() -> None:
    def listed(literal: str) -> Value:
        text = f"query q() {{ match {{ $n: N $n.f64 in {literal} }} return {{ 1 as o }} }}"
        (test,) = checked(text, SCHEMA).pattern.filters
        assert isinstance(test, Membership)
        assert isinstance(test.values, Value)
        return test.values

    assert listed("[1, 2.5]").type == PropertyType(scalar=Scalar.F64, list=True)
    assert listed("[1, 18446744073709551615]").type.scalar is Scalar.U64
    assert listed("[1, -2]") == Value(
        value=(1, -2), type=PropertyType(scalar=Scalar.I64, list=True)
    )
    assert listed("[]") == Value(value=(), type=PropertyType(scalar=Scalar.F64, list=True))


def test_lists_vectors_and_blobs_are_not_compared() -> None:
    assert rule("$n.l_i32 = $n.l_i32") == "T7:list-comparison"
    assert rule("$n.i32 = [1]") == "T7:list-comparison"
    assert rule("$n.v = $n.v") == "T7:vector-comparison"
    assert rule("$n.v < [1, 2]") == "T7:vector-comparison"
    assert rule("$n.blob = $n.blob") == "T7:blob-comparison"
    assert rule("$n.blob contains $s", "$s: String") == "T7:blob-comparison"
    assert rule("$n.blob = $b", "$b: Blob") == "T7:blob-comparison"
    assert rule("$m: N { blob: $b }", "$b: Blob") == "T3:blob"
    assert rule("$m: N { v: $v }", "$v: Vector(2)") == "T7:vector-comparison"
    assert rule("$m: N { v: $v }", "$v: Vector(3)") == "T7:vector-comparison"


def test_texts_are_compared_with_texts() -> None:
    assert rule("$n.string starts_with $n.e") is None
    assert rule("$n.@id starts_with $s", "$s: String") is None
    assert rule("$n.l_string starts_with $s", "$s: String") == "T7:text-operands"
    assert rule("$n.string contains $l", "$l: [String]") == "T7:text-operands"
    assert rule("$n.string contains now()") == "T7:now"


def test_null_is_tested_and_never_compared() -> None:
    assert rule("$n.blob is null") is None
    assert rule("$n.v is not null") is None
    assert rule("$n.l_i32 is null") is None
    assert rule("now() is null") is None
    assert rule("$m: N { i32: null }") == "T32:comparison"
    assert rule("null != $n.i32") == "T32:comparison"
    assert rule("null is null") == "T32:untyped"


def test_now_and_parameters_are_operands_like_others() -> None:
    text = """query q($d: DateTime) { match { $n: N { datetime: now() } now() > $d }
              return { now() as at } }"""
    query = checked(text, SCHEMA)

    first, second = query.pattern.filters
    assert isinstance(first, Filter)
    assert first.right == Now()
    assert isinstance(second, Filter)
    assert (second.left, second.right) == (
        Now(),
        ParamRef(name="d", type=PropertyType(scalar=Scalar.DATETIME)),
    )
    assert query.outputs[0].type == PropertyType(scalar=Scalar.DATETIME)


def test_a_bare_search_asks_whether_it_finds_the_row() -> None:
    text = """query q($s: String, $k: U32?) { match { $n: N fuzzy($n.string, $s, $k) }
              return { 1 as one } }"""
    (test,) = checked(text, SCHEMA).pattern.filters

    assert isinstance(test, Found)
    assert isinstance(test.search, TextSearch)
    assert test.search.function == "fuzzy"
    assert test.search.max_edits == ParamRef(
        name="k", type=PropertyType(scalar=Scalar.U32, nullable=True)
    )
    assert rule("fuzzy($n.string, $n.e, 0)") is None
    assert rule("fuzzy($n.string, $n.e, -1)") == "T19:max-edits"
    assert rule("fuzzy($n.string, $n.e, true)") == "T19:max-edits"
    assert rule("search($n.l_string, $n.e)") == "T19:field"
    assert rule("search($n.string, $n.l_string)") == "T19:query"
    assert rule("search($n.string, $n)") == "T7:entity-operand"
    assert rule("search($n.string, $gone)") == "T26:undeclared-variable"
    assert rule('search($n.gone, "x")') == "T6:unknown-property"


def test_a_remedy_says_how_to_write_the_other_side() -> None:
    def remedy(clauses: str, params: str = "") -> str | None:
        text = f"query q({params}) {{ match {{ $n: N {clauses} }} return {{ 1 as one }} }}"
        return check(text, SCHEMA).diagnostics[0].remedy

    assert remedy('$n.date = "2026-01-01"') == 'Write `date("2026-01-01")`.'
    assert remedy("$n.string = 3") == "Write the value as a text, in quotes."
    assert remedy('$n.i32 = "3"') == "Write the value without quotes."
    assert remedy("$n.i32 = $p", "$p: String") == ("Declare the parameter as `$p: I32`.")
    assert remedy("$n.l_i32 contains $p", "$p: String") == "Declare the parameter as `$p: I32`."
    assert remedy("$n.e = $p", "$p: I32") == "Declare the parameter as `$p: String`."


def test_a_remedy_says_how_the_value_at_hand_is_written_so_that_it_fits() -> None:
    remedies = {
        '$n.i32 = "3"': "Write the value without quotes.",
        '$n.i32 = "three"': "Write a number, like `3`.",
        '$n.l_i32 contains "three"': "Write a number, like `3`.",
        '$n.l_string contains ["a"]': "Write one value, without the brackets.",
        "$n.string = 3": "Write the value as a text, in quotes.",
        "$n.bool = 1": "Write `true` or `false`.",
        '$n.date = "2026-01-31"': 'Write `date("2026-01-31")`.',
        '$n.date = "31.1."': 'Write `date("2026-11-21")`.',
        "$n.i32 < now()": "Compare it with a DateTime.",
        "$n.l_string = $n.l_string": ("A list is asked for its members: `$x.list contains value`."),
    }
    for clause, remedy in remedies.items():
        text = f"query q() {{ match {{ $n: N {clause} }} return {{ 1 as one }} }}"
        assert [d.remedy for d in check(text, SCHEMA).diagnostics] == [remedy], clause


def test_a_remedy_of_an_assigned_value_asks_for_what_the_property_holds() -> None:
    remedies = {
        'l_string: "a"': "Write a list: the values in `[…]`.",
        "v: 3": "Write a list of 2 numbers, or give it as a parameter.",
        "v: [1, 2, 3]": "Write exactly 2 numbers.",
        'string: ["a"]': "Write one value, without the brackets.",
        "string: now()": "Write the value as a text, in quotes.",
    }
    for assignment, remedy in remedies.items():
        text = f"query q() {{ insert N {{ {assignment} }} }}"
        assert [d.remedy for d in check(text, SCHEMA).diagnostics] == [remedy], assignment


def test_a_search_compared_with_a_truth_is_the_search_or_its_negation() -> None:
    found = {
        text: checked(f"query q() {{ match {{ $n: N {text} }} return {{ 1 as one }} }}", SCHEMA)
        for text in (
            'search($n.string, "x")',
            'search($n.string, "x") = true',
            'false != search($n.string, "x")',
            'not search($n.string, "x")',
            'search($n.string, "x") = false',
        )
    }
    plain, equal, unequal, negated, false = (q.pattern.filters for q in found.values())
    assert plain == equal == unequal
    assert negated == false != plain


def test_a_mutation_of_an_interface_is_told_that_it_is_one() -> None:
    (found,) = check('query q() { insert Named { name: "x" } }').diagnostics

    assert found.rule == "T10:unknown-target"
    assert found.remedy == "`Named` is an interface; name a node type that implements it."
