"""What the `.gq` parser accepts, what it says about the rest, and where it goes on."""

from agentctl.languages.query.compile import parse_query_file
from agentctl.languages.query.syntax import LiteralUse, ReadBody


def names(text: str) -> list[str]:
    return [d.name for d in parse_query_file(text.encode(), file="q.gq").declarations]


def problems(text: str) -> list[str]:
    found = []
    for d in parse_query_file(text.encode(), file="q.gq").diagnostics:
        assert d.where is not None
        place = f"{d.where.line}:{d.where.column}-{d.where.end_column}"
        found.append(f"{place} {d.rule or d.code}: {d.message}")
    return found


def remedy(text: str) -> str | None:
    return parse_query_file(text.encode(), file="q.gq").diagnostics[0].remedy


def reading(clauses: str) -> str:
    """A query whose match block begins in column 1 of line 2."""
    return f"query q() {{ match {{\n{clauses}\n}} return {{ $a.x }} }}"


def returning(rest: str) -> str:
    """A query whose text after the match block begins in column 1 of line 2."""
    return f"query q($n: I32) {{ match {{ $a: A }}\n{rest}\n}}"


def test_an_empty_file_declares_nothing() -> None:
    for text in ("", "// no query", " \r\n"):
        assert names(text) == []
        assert problems(text) == []


def test_everything_of_the_slice_is_read() -> None:
    text = """
query all($s: String, $i: I32?, $d: Date, $t: DateTime, $b: Bool, $f: F64,)
  @description("what it does") @instruction("when to use it")
{
  match {
    $a: A { s: $s, i: -3, f: 1.5e-3, b: true, d: date("2026-11-21"), }
    $a knows $b   $a $e:knows $_   $b knows{1,6} $c
    $a.i >= -2  $e.since != $d  $a.s contains "x"  $a.s starts_with $s  "y" = $a.s
    $a.t < datetime("2026-11-21T03:30:00Z")
  }
  return { $a, $a.s as name $b.i count($c) as n, sum($a.f) avg($a.f) min($a.s) max($a.s) }
  order { n desc, $a.s asc, name, }
  limit 10
}
query other() { match { $a: A } return { $a.k } }
"""
    file = parse_query_file(text.encode(), file="q.gq")

    assert file.diagnostics == ()
    assert [d.name for d in file.declarations] == ["all", "other"]
    whole = file.declarations[0]
    assert [(p.name, str(p.type)) for p in whole.params] == [
        ("s", "String"),
        ("i", "I32?"),
        ("d", "Date"),
        ("t", "DateTime"),
        ("b", "Bool"),
        ("f", "F64"),
    ]
    assert (whole.description, whole.instruction) == ("what it does", "when to use it")
    assert isinstance(whole.body, ReadBody)
    body = whole.body
    assert (len(body.clauses), len(body.items), len(body.order)) == (10, 8, 3)
    assert isinstance(body.limit, LiteralUse)
    assert body.limit.value == 10
    assert str(whole.where) == "q.gq:2:7"


def test_what_does_not_run_yet_is_named_once_with_its_place() -> None:
    cases = {
        "not { $b: B not { $c: C } }": "2:1-4 `not { … }`",
        "optional { $a e $b }": "2:1-9 `optional { … }`",
        "exists { $a e $b }": "2:1-7 `exists { … }`",
        "exists { $a e $b } and $a.x = 1": "2:1-7 `exists { … }`",
        "count { $a e $b } > 3": "2:1-6 `count { … }`",
        "$a <knows> $b": "2:4-11 an undirected traversal",
        "$a $e:<knows>{1,2} $b": "2:7-14 an undirected traversal",
        "$a (knows | worksWith){1,2} $b": "2:4-23 a choice of edges",
        "$a.x = 1 or $a.y = 2 and not $a.z = 3": "2:10-12 `or`",
        "$a.x = 1 and ($a.y = 2 or $a.z is null)": "2:10-13 `and`",
        "($a.x = 1)": "2:1-2 a boolean expression",
        "not $a.x = 1": "2:1-4 a boolean expression",
        "$a.x in [1, 2,]": "2:6-8 `in`",
        "($p) in $list": "2:1-2 a boolean expression",
        "$a.x is null": "2:6-8 `is`",
        "$a.x is not null or $a.y = 1": "2:6-8 `is`",
        "$a.x = null": "2:8-12 `null`",
        "$a.x = [1, [2]]": "2:8-9 a list literal",
        "$a.x = now()": "2:8-11 the function `now`",
        "$a: A { t: now() }": "2:12-15 the function `now`",
        'search($a.x, "y")': "2:1-7 the function `search`",
        'fuzzy($a.x, "y", 2) = true': "2:1-6 the function `fuzzy`",
        'match_text($a.x, "y")': "2:1-11 the function `match_text`",
        "$a.@id = 1": "2:1-7 metadata (`.@id`)",
    }
    for text, expected in cases.items():
        place, what = expected.split(" ", 1)
        assert problems(reading(text)) == [f"{place} not_supported_yet: {what}: not supported yet"]
        assert names(reading(text)) == []


def test_what_does_not_run_yet_after_the_match_is_named() -> None:
    cases = {
        "return distinct { $a.x }": "2:8-16 `distinct`",
        'return { nearest($a.v, "x") }': "2:10-17 the function `nearest`",
        "return { rrf(bm25($a.s, $q), nearest($a.v, $q), 60) as r }": "2:10-13 the function `rrf`",
        "return { count(1) as n }": "2:10-18 `count` of anything but a variable or a property",
        "return { $a.x } limit $n": "2:17-25 `limit` by a parameter",
        "return { $a.x } limit 3 offset 5": "2:25-33 `offset`",
        "return { $a.x } order { nearest($a.v, $q) } limit 3": "2:25-32 the function `nearest`",
    }
    for text, expected in cases.items():
        place, what = expected.split(" ", 1)
        assert problems(returning(text)) == [
            f"{place} not_supported_yet: {what}: not supported yet"
        ]


def test_mutations_and_list_parameters_do_not_run_yet() -> None:
    text = """query a($x: String) { insert A { s: $x } }
query b($x: [String]?, $v: Vector(3), $b: Blob) { match { $a: A } return { $a.x } }
query c() { delete A where s = "x" }"""

    assert problems(text) == [
        "1:23-29 not_supported_yet: a mutation (`insert`): not supported yet",
        "2:13-22 not_supported_yet: a list type of a parameter: not supported yet",
        "2:28-37 not_supported_yet: a vector type of a parameter: not supported yet",
        "2:43-47 not_supported_yet: the type Blob of a parameter: not supported yet",
        "3:13-19 not_supported_yet: a mutation (`delete`): not supported yet",
    ]


def test_mistakes_of_the_grammar_are_placed() -> None:
    cases = {
        "$a: a": ("2:5-6 GQ012: the name of a node type begins with an upper-case letter, not `a`"),
        "$a: A {}": "2:8-9 GQ019: the braces are empty",
        "$a: A, $b: B": "2:6-7 GQ013: clauses are not separated by commas",
        "$a Knows $b": (
            "2:4-9 GQ012: the name of an edge begins with a lower-case letter, not `Knows`"
        ),
        "$a knows{2} $b": "2:11-12 GQ018: hops are a minimum and a maximum",
        "$a knows{,2} $b": "2:10-11 GQ018: expected a number of hops, found `,`",
        "$a knows B": "2:10-11 GQ010: expected a variable at the other end of the edge, found `B`",
        "$a $e knows $b": "2:7-12 GQ010: expected `:`, found `knows`",
        "$a.x == 3": "2:7-8 GQ010: expected a value, a variable or a name, found `=`",
        "$a.x like 3": "2:6-10 GQ010: expected a comparison, found `like`",
        "$a.x = sumt($a.x)": "2:8-12 GQ015: there is no function `sumt`",
        '$a.x = date("21.11.2026")': "2:13-25 GQ022: this is no day",
        '$a.x = datetime("2026-13-01T00:00:00Z")': "2:17-39 GQ022: this is no time",
        "$a.x = 99999999999999999999": f"2:8-28 GQ009: the number is beyond {2**64 - 1}",
        "$a.x = -9223372036854775809": f"2:9-28 GQ009: the number is beyond -{2**63}",
        "$a.x = 1e999": "2:8-13 GQ009: the number is beyond the range of F64",
        "$A: A": "2:1-2 GQ005: unexpected character `$`",
    }
    for text, expected in cases.items():
        assert problems(reading(text)) == [expected]
        assert names(reading(text)) == []


def test_the_parts_of_a_query_come_in_their_order() -> None:
    assert problems("query q() { match { } return { $a.x } }") == [
        "1:21-22 GQ010: expected a clause, found `}`"
    ]
    assert problems(returning("return { }")) == [
        "2:10-11 GQ010: expected something to return, found `}`"
    ]
    assert problems(returning("return { $a.x } limit 3 order { $a.x }")) == [
        "2:25-30 GQ023: `order` stands in the wrong place or twice"
    ]
    assert problems(returning("return { $a.x } order { $a.x ascending }")) == [
        "2:30-39 GQ010: expected `}`, found `ascending`"
    ]
    assert problems(returning("return { $a.x } limit -3")) == [
        "2:23-24 GQ010: expected a number of rows, found `-`"
    ]
    assert problems("query q() { where { $a: A } }")[0].endswith("expected `match`, found `where`")


def test_parameters_and_annotations_of_a_query_are_checked() -> None:
    body = "{ match { $a: A } return { $a.x } }"

    assert problems(f"query q($x: I32, $x: I32) {body}") == [
        "1:18-20 GQ020: the parameter `$x` is declared twice"
    ]
    assert problems(f"query q($__nanograph_now: DateTime) {body}") == [
        "1:9-25 GQ021: `$__nanograph_now` is reserved"
    ]
    assert problems(f"query q($x: Str) {body}") == ["1:13-16 GQ014: there is no type `Str`"]
    assert problems(f"query q($x: enum(a)) {body}") == [
        "1:13-17 GQ014: a parameter cannot be an enum"
    ]
    assert problems(f'query q() @description(" ") {body}') == [
        "1:24-27 GQ017: the text of `@description` is blank"
    ]
    assert problems(f'query q() @instruction("a") @instruction("b") {body}') == [
        "1:29-46 GQ016: `@instruction` is given twice"
    ]
    assert problems(f'query q @description("a") () {body}') == [
        "1:9-10 GQ010: expected `(`, found `@`"
    ]


def test_a_keyword_that_runs_into_a_name_gets_its_space() -> None:
    assert remedy("queryall() { match { $a: A } return { $a.x } }") == "Write `query all`."


def test_a_broken_query_does_not_hide_the_next() -> None:
    text = """query one() { match { $a: } return { $a.x } }
query two() { match { $a: A } return { $a.x } }
}}} ?
query three( { match
query four() { match { $a: A { query: 3 } } return { $a.x } }
query five() { match { $a: A"""

    assert names(text) == ["two", "four"]
    assert [p.split(":")[0] for p in problems(text)] == ["1", "3", "4", "6"]


def test_nesting_is_bounded_by_a_diagnostic() -> None:
    for deep in ("not { " * 100, "(" * 100, "not " * 100, "$a.x = " + "[" * 100):
        assert [p.split()[1] for p in problems(reading(deep))] == [
            "not_supported_yet:",
            "GQ004:",
        ]


def test_bytes_that_are_no_text_are_diagnostics() -> None:
    bad = parse_query_file(b"query \xc3", file="q.gq").diagnostics
    marked = parse_query_file(
        b"\xef\xbb\xbfquery q() { match { $a: A } return { $a.x } }", file="q.gq"
    )

    assert [(d.code, d.rule, str(d.where)) for d in bad] == [
        ("query_parse_error", "GQ001", "q.gq:1:7")
    ]
    assert [d.rule for d in marked.diagnostics] == ["GQ002"]
