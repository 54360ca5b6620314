"""Remarks about right queries: each rule is raised where it should be, and only there.

Source: languages 2.5, 2.7.
"""

import sys
from types import FrameType

import pytest

from agentctl.languages.query.lint import Finding, lint_graph, lint_query
from agentctl.languages.query.lint_rules import LINT_RULES
from agentctl.testing.checked_queries import catalog_of, checked, declared

KEYED = "$p: Person { email: $s }"
ROW = "return { $p.name }"
RANK = "return { $p.name } order { nearest($p.vec, $s) } limit 3"


def findings(text: str) -> tuple[Finding, ...]:
    return lint_query(declared(text), checked(text), catalog_of())


def read(clauses: str, rest: str = ROW, params: str = "$s: String") -> str:
    return f"query q({params}) {{ match {{ {clauses} }} {rest} }}"


CASES: dict[str, tuple[str, str]] = {
    "L300": (
        read(KEYED, params="$s: String, «$t»: I32"),
        read(KEYED + " $p.age = $t", params="$s: String, $t: I32"),
    ),
    "L301": (read(f"{KEYED} $p knows «$x»"), read(f"{KEYED} $p knows $_")),
    "L302": (
        read(f"{KEYED} $p knows $x «$c»: Company $x.age > 3 $c.rank = 1"),
        read(f"{KEYED} $p knows $x $c: Company $x.age > $c.rank"),
    ),
    "L303": (
        "query q() { match { $p: Person $p.age > 3 } «return» { $p.name } }",
        "query q() { match { $p: Person $p.age > 3 } return { $p.name } limit 10 }",
    ),
    "L304": (
        "query «q»() { delete Part where a = 3 }",
        "query q($a: I32) { delete Part where a = $a }",
    ),
    "L305": (
        read(KEYED, params="$s: String, «$p»: I32", rest="return { $p, $p.name }"),
        read(KEYED, params="$s: String, $q: I32", rest="return { $q, $p.name }"),
    ),
    "L306": (read(f'{KEYED} $p.kind = «"gast"»'), read(f'{KEYED} $p.kind = "guest"')),
    "L307": (read(f"{KEYED} «$p.name is null»"), read(f"{KEYED} $p.age is null")),
    "L308": (
        "query q($s: String) { update Person set { age: «1.5» } where email = $s }",
        "query q($s: String) { update Person set { height: 1.5 } where email = $s }",
    ),
    "L309": (read(KEYED, RANK.replace("vec, $s", "raw, «$s»")), read(KEYED, RANK)),
    "L310": (
        read(f"{KEYED} not {{ $p knows «$x» $x.age = 1 }} $p likes $x $x.age = 2"),
        read(f"{KEYED} not {{ $p knows $y $y.age = 1 }} $p likes $x $x.age = 2"),
    ),
    "L311": (
        "query q($s: String?) { update Person set { name: «$s» } where age = 3 }",
        "query q($s: String) { update Person set { name: $s } where age = 3 }",
    ),
    "L312": (
        read(f"{KEYED} optional {{ $p knows «$x» }} $x.age > 3"),
        read(f"{KEYED} optional {{ $p knows $x $x.age > 3 }}", "return { $p.name, $x.name }"),
    ),
    "L313": (
        read(f"{KEYED} search(«$p.name», $s)"),
        read("$p: Company { slug: $s } search($p.title, $s)", "return { $p.slug }"),
    ),
    "L314": (
        read(KEYED, "return { $p.name } order { $p.name desc, «$p.name» }"),
        read(KEYED, "return { $p.name } order { $p.name, $p.age }"),
    ),
    "L315": (
        read(KEYED, "«return» distinct { $p.name, count($p) }"),
        read(KEYED, "return distinct { $p.name }"),
    ),
    "L317": (
        read(KEYED, "return { $p.name } order { $p.age, «$s» desc }"),
        read(KEYED, "return { $p.name, $s } order { $s }"),
    ),
    "L316": (read(f"{KEYED} «$p.age = $p.age»"), read(f"{KEYED} $p.age = $p.height")),
}


def test_every_rule_of_one_query_has_a_case() -> None:
    assert set(CASES) | {"Q000", "L201"} == set(LINT_RULES)


@pytest.mark.parametrize("rule", CASES)
def test_what_is_remarkable_is_told_at_its_place(rule: str) -> None:
    marked, _ = CASES[rule]
    start, end = marked.index("«"), marked.index("»") - 1
    found = findings(marked.replace("«", "").replace("»", ""))

    places = [(f.rule, f.where.line, f.where.column, f.where.end_column) for f in found]
    assert (rule, 1, start + 1, end + 1) in places
    assert [f.rule for f in found].count(rule) == 1
    assert all(f.query_names == ("q",) for f in found)


@pytest.mark.parametrize("rule", CASES)
def test_what_is_well_is_not_told(rule: str) -> None:
    _, right = CASES[rule]

    assert rule not in [f.rule for f in findings(right)]


def rules(text: str) -> list[str]:
    return [f.rule for f in findings(text)]


def test_a_query_as_it_should_be_has_no_remark() -> None:
    assert findings(read(KEYED)) == ()
    assert findings("query q() { match { $p: Person } return { count($p) } }") == ()
    assert findings(read(f"{KEYED} $p knows $x", "return { $p.name, $x.name }")) == ()


def test_a_lone_binding_multiplies_and_a_tested_one_does_not() -> None:
    (found,) = findings(read(f"{KEYED} $c: Company"))

    assert (found.rule, found.severity) == ("L301", "warning")
    assert rules(read(f"{KEYED} exists {{ $c: Company }}")) == []
    assert rules(read(f"{KEYED} $c: Company {{ slug: $s }}")) == []
    assert rules(read(f"{KEYED} $_c: Company")) == ["L303"]


def test_an_unused_end_or_edge_is_a_note() -> None:
    found = findings(read(f"{KEYED} $p $e:knows $_ not {{ $p likes $x }}"))

    assert [(f.rule, f.severity) for f in found] == [("L301", "note"), ("L301", "note")]


def test_parts_are_connected_by_edges_comparisons_and_negations() -> None:
    many = "return { $p.name, $c.slug } limit 3"

    assert rules(read("$p: Person $c: Company", many, "")) == ["L302"]
    assert rules(read("$p: Person $c: Company $p.name = $c.slug", many, "")) == []
    assert rules(read("$p: Person $c: Company $p worksAt $c", many, "")) == []
    assert rules(read("$p: Person $c: Company not { $p worksAt $c }", many, "")) == []
    assert rules(read("$p: Person $c: Company $p.age > 1 or $c.rank > 1", many, "")) == []
    assert rules(read("$p: Person $c: Company { slug: $s }", many)) == []
    assert rules(read("$p: Person optional { $c: Company $c.rank = 1 }", many, "")) == ["L302"]
    assert rules(read("$p: Person optional { $p worksAt $c $c.rank = 1 }", many, "")) == []


def test_a_lookup_by_key_or_by_a_unique_tuple_is_bounded() -> None:
    one = "return { $p.a }"

    assert rules(read("$p: Part { a: 3 }", one, "")) == []
    assert rules(read("$p: Part { b: $s }", one)) == []
    assert rules(read("$p: Part $s = $p.b", one)) == []
    assert rules(read("$p: Part $p.@id = $s", one)) == []
    assert rules(read("$p: Part $p.a in [1, 2]", one, "")) == []
    assert rules(read("$p: Part $p.a > 3", one, "")) == ["L303"]
    assert rules(read("$p: Part $p.a = 3 or $p.a = 4", one, "")) == ["L303"]
    assert rules(read("$p: Doc { body: $s }", "return { $p.body }")) == ["L303"]


def test_what_is_never_true() -> None:
    assert rules(read(f'{KEYED} $p.kind in ["core", "x", "y"]')) == ["L306", "L306"]
    assert rules(read(f"{KEYED} $p worksAt{{2,3}} $c", "return { $c.slug }")) == ["L306"]
    assert rules(read(f"{KEYED} $p knows{{2,3}} $c", "return { $c.name }")) == []
    assert rules('query q() { delete Person where kind = "x" }') == ["L304", "L306"]


def test_what_is_never_null() -> None:
    assert rules(read(f"{KEYED} $p.@id is null")) == ["L307"]
    assert rules(read(f"{KEYED} ($s) is not null")) == ["L307"]
    assert rules(read(f"{KEYED} ($p) is null")) == ["L307"]
    assert rules(read(f"{KEYED} now() is null")) == ["L307"]
    assert rules("query q($s: String) { delete Person where name is null or name = $s }") == [
        "L307"
    ]
    clauses = f"{KEYED} optional {{ $p knows $x }} ($x) is null or $x.name is null"
    assert rules(read(f"{clauses} or $x.@id is null")) == []


def test_numbers_that_cannot_be_stored() -> None:
    insert = "query q($s: String) {{ insert Company {{ slug: $s title: $s logo: $s {} }} }}"

    assert rules(insert.format("employees: 9223372036854775808")) == ["L308"]
    assert rules(insert.format("employees: 3 rank: -2147483649")) == ["L308"]
    assert rules(insert.format("employees: 3 rank: -2147483648")) == []
    assert rules("query q($n: I32) { update Person set { scores: [1, 2.5] } where age = $n }") == [
        "L308"
    ]


def test_ranks_are_looked_into() -> None:
    fused = "return { $p.name } order { rrf(nearest($p.raw, $s), bm25($p.name, $s)) } limit 3"

    assert rules(read(KEYED, fused)) == ["L313", "L309", "L313"]


def test_findings_are_sorted_by_place() -> None:
    found = findings(
        "query q($a: I32, $b: I32) { match { $p: Person $c: Company } return { $p.name } }"
    )

    assert [f.rule for f in found] == ["L300", "L300", "L301", "L303"]


def test_a_nullable_property_that_no_update_sets_is_told_once_for_all_queries() -> None:
    queries = [
        checked("query b($s: String) { update Memo set { title: $s } where title = $s }"),
        checked("query a($s: String) { update Part set { a: 3 } where b = $s }", PART),
        checked("query c($s: String) { update Part set { c: $s } where b = $s }", PART),
        checked("query d($s: String) { insert Part { k: $s n: 1 d: $s }}", PART),
    ]
    memo = lint_graph(queries[:1], catalog_of())
    part = lint_graph(queries[1:], catalog_of(PART))

    assert [(f.rule, f.type_name, f.property, f.query_names) for f in memo] == [
        ("L201", "Memo", "text", ("b",))
    ]
    assert [(f.type_name, f.property, f.query_names, str(f.where)) for f in part] == [
        ("Part", "b", ("a", "c"), "s.pg:1:22"),
        ("Part", "d", ("a", "c"), "s.pg:1:54"),
    ]


PART = "node Part { a: I32?  b: String? @unique   c: String? d: String? n: I32 k: String @key }"


def test_l201_leaves_out_keys_embedded_vectors_and_types_without_updates() -> None:
    schema = """node A { k: String @key t: String? v: Vector(2)? @embed(t) } node B { x: I32? }"""
    update = checked("query q($s: String) { update A set { t: $s } where k = $s }", schema)
    insert = checked("query r() { insert B { x: 3 } }", schema)

    assert lint_graph([update, insert], catalog_of(schema)) == ()


def growing(n: int) -> tuple[str, ...]:
    """Queries whose parts are many; each is *n* long."""
    return (
        read(KEYED + "".join(f" $p knows $a{i} $a{i} likes $b" for i in range(n))),
        read(
            KEYED
            + "".join(f" not {{ $p knows $a{i} exists {{ $a{i} likes $b }} }}" for i in range(n))
        ),
        read(KEYED + "".join(f" optional {{ $p knows $a{i} }} $a{i}.age > 3" for i in range(n))),
        read("".join(f"$p{i}: Person $p{i}.age > 3 " for i in range(n)), "return { $p0.name }"),
        read(KEYED, params="$s: String" + "".join(f", $q{i}: I32" for i in range(n))),
    )


def test_lints_take_steps_as_the_query_grows_and_tell_a_hundred_things_at_most() -> None:
    for few, many in zip(growing(100), growing(400), strict=True):
        assert steps(many) < 4.6 * steps(few)
        assert len(findings(many)) <= 100


def steps(text: str) -> int:
    """Returns how many calls the lints of a query take."""
    decl, query = declared(text), checked(text)
    calls = 0

    def count(_: FrameType, event: str, __: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        lint_query(decl, query, catalog_of())
    finally:
        sys.setprofile(before)
    return calls
