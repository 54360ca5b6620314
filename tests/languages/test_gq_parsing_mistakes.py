"""What the `.gq` parser says about each mistake: where, by which rule, and what to write instead."""

import pytest

from agentctl.languages.query.grammar_rules import GRAMMAR_RULES
from agentctl.languages.query.parse import parse_query_file

BODY = "{ match { $a: A } return { $a.x } }"

CLAUSES = {
    "$A: A": "2:1-2 GQ005: unexpected character `$` | A variable is `$` and a name that begins with a lower-case letter or `_`.",
    '$a.x = "\\d"': '2:9-11 GQ007: unknown escape: a backslash before `d` | The escapes are `\\"`, `\\\\`, `\\n`, `\\r` and `\\t`; a backslash itself is `\\\\`.',
    "$a.x = 99999999999999999999": f"2:8-28 GQ009: the number is beyond {2**64 - 1} | Write a smaller one.",
    "$a.x = -9223372036854775809": f"2:9-28 GQ009: the number is beyond -{2**63} | Write a smaller one.",
    "$a.x = 1e999": "2:8-13 GQ009: the number is beyond the range of F64 | Write a smaller one.",
    "$a knows B": "2:10-11 GQ010: expected a variable at the other end of the edge, found `B`",
    "$a knows $b: B": "2:10-12 GQ010: expected a variable at the other end of the edge, found `$b` | A traversal is `$a knows $b`.",
    "$a $e knows $b": "2:7-12 GQ010: expected `:`, found `knows` | Write `$a $e:knows $b` to bind the edge to `$e`.",
    "$a (x|) $b": "2:7-8 GQ010: expected the name of an edge, found `)`",
    "$a.x == 3": "2:6-8 GQ010: there is no comparison `==` | Write `=`.",
    "$a.x IN [3]": "2:6-8 GQ010: expected a comparison, found `IN` | Did you mean `in`?",
    "$a.x = 1_000": "2:8-13 GQ010: a number runs into a name | Numbers are written like `1000`, `1.5` or `1e3`.",
    "$a.x = 3 || $a.y = 4": "2:10-11 GQ010: expected a clause, found `|` | Conditions are joined by `or`.",
    "$a.x = 3 AND $a.y = 4": "2:10-13 GQ010: expected a clause, found `AND` | Conditions are joined by `and`.",
    "$a.x = 3 && $a.y = 4": "2:10-12 GQ005: unexpected character `&` | Conditions are joined by `and`.",
    "!($a.x = 3)": "2:1-2 GQ005: unexpected character `!` | Conditions are negated by `not`.",
    "$a.x = 3 # three": "2:10-11 GQ005: unexpected character `#` | A comment begins with `//`.",
    "count { $a knows $b }": "3:1-2 GQ010: expected a comparison, found `}` | Compare it, `count { … } > 0`, or write `exists { … }`.",
    "$a.x <> 3": "2:6-8 GQ010: there is no comparison `<>` | Write `!=`.",
    "$a.x => 3": "2:6-8 GQ010: there is no comparison `=>` | Write `>=`.",
    'bm25($a.x, "y")': "3:1-2 GQ010: expected a comparison, found `}` | It ranks: put it first into `order`.",
    "$a.x like 3": "2:6-10 GQ010: expected a comparison, found `like` | Did you mean `contains`?",
    "$a.x startswith 3": "2:6-16 GQ010: expected a comparison, found `startswith` | Did you mean `starts_with`?",
    "$a.x and $a.y = 3": "2:6-9 GQ010: expected a comparison, found `and` | Comparisons are =, !=, <, <=, >, >=, contains, starts_with, in, is null.",
    "1 < $a.x < 3": "2:10-11 GQ010: expected the end of the comparison, found `<` | Comparisons do not chain: write `1 < $a.x and $a.x < 5`.",
    "$a.x is 3": "2:9-10 GQ010: expected `null`, found `3` | Write `is null` or `is not null`; values are compared with `=`.",
    "optionl { $a: A }": "2:1-8 GQ010: there is no block `optionl` | Did you mean `optional`?",
    "foo { $a: A }": "2:1-4 GQ010: there is no block `foo` | Blocks are not, optional, exists, count.",
    "$a: A { x: 1 y: 2 }": "2:14-15 GQ010: expected `,` or `}`, found `y` | Put a comma between the values.",
    "$a.x = [1 2]": "2:11-12 GQ010: expected `]`, found `2`",
    "($a.x = 1": "3:1-2 GQ010: expected `)`, found `}`",
    "$a: a": "2:5-6 GQ012: the name of a node type begins with an upper-case letter, not `a` | Write `A`.",
    "$a Knows $b": "2:4-9 GQ012: the name of an edge begins with a lower-case letter, not `Knows` | Write `knows`.",
    "$a.X = 3": "2:4-5 GQ012: the name of a property begins with a lower-case letter, not `X` | Write `x`.",
    "$a: A, $b: B": "2:6-7 GQ013: clauses are not separated by commas | Take the comma out.",
    "$a: A and $a.x = 1": "2:7-10 GQ013: clauses are not joined by `and`: each must hold | Take the `and` out.",
    "$a: A or $a.x = 1": "2:7-9 GQ013: clauses are not joined by `or`: each must hold | Take the `or` out.",
    "$a.x = sumt($a.x)": "2:8-12 GQ015: there is no function `sumt` | Did you mean `sum`?",
    "$a knows{2} $b": "2:9-12 GQ018: hops are a minimum and a maximum | Write `{2,2}` for exactly 2.",
    "$a knows{,2} $b": "2:10-11 GQ018: expected a number of hops, found `,` | Write `{1,3}` for one to three hops.",
    "$a: A {}": "2:7-9 GQ019: nothing stands between the braces | Take the braces out.",
    "exists { }": "2:8-11 GQ019: nothing stands between the braces | Say what is looked for, e.g. `$a: Type`.",
    '$a.x = date("21.11.2026")': '2:13-25 GQ022: this is no day | Write it as `date("2026-11-21")`.',
    '$a.x = datetime("2026-13-01T00:00:00Z")': '2:17-39 GQ022: this is no time | Write it as `datetime("2026-11-21T03:30:00Z")`.',
    "$a.x = 1 and $a knows $b": "2:17-22 GQ025: a traversal is no condition | Put it into a block of its own: `exists { $a knows $b }`.",
    "not $a <knows> $b": "2:8-9 GQ025: a traversal is no condition | Put it into a block of its own: `exists { $a knows $b }`.",
    "$a knows $b or $a.x = 1": "2:1-12 GQ025: a traversal is no condition | Put it into a block of its own: `exists { $a knows $b } or …`.",
    "search($a.x)": "2:1-13 GQ026: `search` takes 2 arguments, not 1 | Write `search($a.text, $words)`.",
    "now(1) = $a.t": "2:1-7 GQ026: `now` takes 0 arguments, not 1 | Write `now()`.",
    "$a.@idd = 3": "2:4-8 GQ028: there is no metadata `@idd` | Did you mean `@id`?",
    "$a.x in $b.tags": '2:9-11 GQ029: behind `in` comes a list or a parameter, not `$b` | Write `in ["a", "b"]` or `in $list`; a property that is a list is asked with `$a.tags contains …`.',
    "$a.x in [1, $b]": "2:13-15 GQ031: a list is written with literals, not with `$b` | Give the whole list as a parameter: `$x.p in $list`.",
    "$a: A { x: $b.y }": "2:12-14 GQ031: a value here is a literal, a variable or `now()` | Compare with it in a clause of its own: `$a.x = $b.y`.",
    "$a: A { x: foo }": '2:12-15 GQ031: a value here is a literal, a variable or `now()` | A text is written `"foo"`.',
    "$a -[e]-> $b": "2:4-10 GQ010: expected the name of an edge, found `-` | An edge is written by its name: `$a e $b`.",
    "$a -[$e:knows]-> $b $b.x = 3": "2:4-17 GQ010: expected the name of an edge, found `-` | An edge is written by its name: `$a $e:knows $b`.",
    "$a <-[:KNOWS]- $b": "2:4-15 GQ010: expected the name of an edge, found `<` | An edge is written by its name: `$b kNOWS $a`.",
    "$a -[knows]- $b": "2:4-13 GQ010: expected the name of an edge, found `-` | An edge is written by its name: `$a <knows> $b`.",
    "$a -knows-> $b": "2:4-12 GQ010: expected the name of an edge, found `-` | An edge is written by its name: `$a knows $b`.",
    "$a --> $b": "2:4-7 GQ010: expected the name of an edge, found `-` | An edge is written by its name: `$a knows $b`.",
    "$a -> optional { $a knows $b }": "2:4-6 GQ010: expected the name of an edge, found `->` | An edge is written by its name: `$a knows $b`.",
    "(a)-[knows]->(b)": "2:4-5 GQ010: expected a comparison, found `-` | A traversal is written `$a knows $b`, with the name of the edge alone.",
    "$a knows* $b": "2:9-10 GQ005: unexpected character `*` | Hops have bounds: write `knows{1,3}` for one to three.",
    "$a $e:knows*1..3 $b": "2:12-13 GQ005: unexpected character `*` | Hops have bounds: write `knows{1,3}` for one to three.",
    "$a knows+ $b": "2:9-10 GQ005: unexpected character `+` | Hops have bounds: write `knows{1,3}` for one to three.",
    "$a.x * 3 = 6": "2:6-7 GQ005: unexpected character `*` | Take it out, or put it into a text or a comment.",
    "$a not $b": "2:4-7 GQ033: an edge in a query is never called `not` | `not` begins a negation; give the edge type another name.",
    "$a not_so $b": "2:4-10 GQ033: an edge in a query is never called `not_so` | `not` begins a negation; give the edge type another name.",
}

READS = {
    "return { $a.x } skip 3": "2:17-21 GQ010: expected `}`, found `skip` | Did you mean `offset`?",
    "return { $a.x } order by $a.x": "2:23-25 GQ010: expected `{`, found `by` | Write `order { $a.x desc }`.",
    "return { }": "2:8-11 GQ019: nothing stands between the braces | Say what is returned, e.g. `$a.name`.",
    "return { $a.x } order { }": "2:23-26 GQ019: nothing stands between the braces | Say what it is ordered by, or take `order` out.",
    "return $a.x": "2:8-10 GQ010: expected `{`, found `$a`",
    "retrun { $a.x }": "2:1-7 GQ010: expected `return`, found `retrun` | Did you mean `return`?",
    "RETURN { $a.x }": "2:1-7 GQ010: expected `return`, found `RETURN` | Did you mean `return`?",
    "return { $a.x } limt 10": "2:17-21 GQ010: expected `limit`, found `limt` | Did you mean `limit`?",
    "return { $a.x } foo": "2:17-20 GQ010: expected `}`, found `foo`",
    "return { $a.x } limit -3": "2:23-24 GQ010: expected a number of rows or a parameter, found `-` | Write `limit 10` or `limit $n`.",
    "return { $a.x } order { $a.x ascending }": "2:30-39 GQ010: expected `asc` or `desc`, found `ascending` | Did you mean `asc`?",
    "return { $a.x } order { $a.x $a.y }": "2:30-32 GQ010: expected `,` or `}`, found `$a` | Put a comma between the items of `order`.",
    "return { $a.x } limit10": "2:17-24 GQ011: `limit` is not followed by a space | Write `limit 10`.",
    "return { $a.x asname }": "2:15-21 GQ011: `as` is not followed by a space | Write `as name`.",
    "return { $a.x as Name }": "2:18-22 GQ012: an alias begins with a lower-case letter, not `Name` | Write `name`.",
    "return { $a.x } limit 3 order { $a.x }": "2:25-30 GQ023: `order` stands in the wrong place or twice | The parts are `match`, `return`, `order`, `limit`, `offset`, each once.",
    "return { $a.x } return { $a.y }": "2:17-23 GQ023: `return` stands in the wrong place or twice | The parts are `match`, `return`, `order`, `limit`, `offset`, each once.",
    "limit 3": "3:1-2 GQ023: expected `return`, found `}` | A query reads with `match { … } return { … }`, or changes with `insert`, `update` and `delete`.",
    "return { sum($a.x, $a.y) as b }": "2:10-25 GQ026: `sum` takes 1 argument, not 2 | Write `sum($a.property)`.",
    "return { $a.x } order { nearest($a.v, $n) desc }": "2:43-47 GQ027: `nearest` is always ordered from the nearest on | Take the `desc` out.",
    "return { $a.x } insert A { a: 1 }": "2:17-23 GQ034: a query either reads or changes, not both | Make two queries of it.",
}

MUTATIONS = {
    "": "1:11-3:2 GQ019: nothing stands between the braces | A query reads with `match { … } return { … }`.",
    "foo": "2:1-4 GQ023: expected `match`, found `foo` | A query reads with `match { … } return { … }`, or changes with `insert`, `update` and `delete`.",
    "insert A { }": "2:10-13 GQ019: nothing stands between the braces | Say what is set, e.g. `name: $name`.",
    "insert a { x: 1 }": "2:8-9 GQ012: the name of a type begins with an upper-case letter, not `a` | Write `A`.",
    "insertA { x: 1 }": "2:1-8 GQ011: `insert` is not followed by a space | Write `insert A`.",
    "inserrt A { x: 1 }": "2:1-8 GQ010: expected `insert`, found `inserrt` | Did you mean `insert`?",
    "insert A { x 1 }": "2:14-15 GQ010: expected `:`, found `1` | Write `x: value`.",
    "update A set { x: 1 }": "3:1-2 GQ010: expected `where`, found `}` | An `update` says of which: `where name = $name`.",
    "update A { x: 1 } where x = 1": "2:10-11 GQ010: expected `set`, found `{` | Write `update Type set { … } where …`.",
    "delete A": "3:1-2 GQ010: expected `where`, found `}` | A `delete` says of which: `where name = $name`.",
    "delete A wherex = 1": "2:10-16 GQ011: `where` is not followed by a space | Write `where x`.",
    "delete A where x = $a.y": "2:20-24 GQ032: a mutation's `where` compares properties with values | Name a property bare: `where name = $name`.",
    "delete A where exists { $a: A }": "2:16-32 GQ032: a mutation's `where` compares properties with values | Name a property bare: `where name = $name`.",
    "insert A { x: 1 } match { $a: A } return { $a }": "2:19-24 GQ034: a query either reads or changes, not both | Make two queries of it.",
}

DECLARATIONS = {
    "\ufeffquery q() "
    + BODY: "1:1-2 GQ002: the file begins with a byte order mark | Save it as UTF-8 without a byte order mark.",
    f"query q() {BODY} /* x": f"1:{12 + len(BODY)}-{14 + len(BODY)} GQ008: the comment is never closed | Close it with `*/`.",
    "qurey a() " + BODY: "1:1-6 GQ010: expected `query`, found `qurey` | Did you mean `query`?",
    "queryall() " + BODY: "1:1-9 GQ011: `query` is not followed by a space | Write `query all`.",
    "query A() "
    + BODY: "1:7-8 GQ012: the name of a query begins with a lower-case letter, not `A` | Write `a`.",
    'query q @description("x") () '
    + BODY: "1:9-10 GQ010: expected `(`, found `@` | Annotations come behind the parameters: `query name() @description(…) { … }`.",
    '@description("x") query q() '
    + BODY: "1:1-2 GQ010: expected `query`, found `@` | Annotations come behind the parameters: `query name() @description(…) { … }`.",
    "match { $a: A } return { $a }": "1:1-6 GQ010: expected `query`, found `match` | It stands in a declaration: `query name() { … }`.",
    "query q(x: I32) " + BODY: "1:9-10 GQ010: expected a parameter, found `x` | Write `$x`.",
    "query q($z, $y: I32) "
    + BODY: "1:11-12 GQ010: expected `:`, found `,` | Give it a type: `$name: String`.",
    "query q($y: I32 = 3) "
    + BODY: "1:17-18 GQ010: expected `,` or `)`, found `=` | A parameter has no default; make it nullable.",
    'query q() @tool("x") '
    + BODY: "1:12-16 GQ010: expected `description` or `instruction`, found `tool` | Known are `@description`, `@instruction`.",
    "query q($y: Strin) "
    + BODY: "1:13-18 GQ014: there is no type `Strin` | Did you mean `String`?",
    "query q($y: Zqx) "
    + BODY: "1:13-16 GQ014: there is no type `Zqx` | The types are String, Blob, Bool, I32, I64, U32, U64, F32, F64, DateTime, Date, `Vector(n)` and lists `[T]`.",
    "query q($y: json) "
    + BODY: "1:13-17 GQ014: there is no type `json` | The types are String, Blob, Bool, I32, I64, U32, U64, F32, F64, DateTime, Date, `Vector(n)` and lists `[T]`.",
    "query q($y: enum) "
    + BODY: "1:13-17 GQ014: a parameter cannot be an enum | Declare it as `String`.",
    "query q($y: enum(a)) "
    + BODY: "1:13-17 GQ014: a parameter cannot be an enum | Declare it as `String`.",
    'query q() @instruction("a") @instruction("b") '
    + BODY: "1:29-46 GQ016: `@instruction` is given twice | Keep one of them.",
    'query q() @description(" ") '
    + BODY: "1:24-27 GQ017: the text of `@description` is blank | Write it, or take it out.",
    "query q($y: I32, $y: I32) "
    + BODY: "1:18-20 GQ020: the parameter `$y` is declared twice | Take one of them out, or give it another name.",
    "query q($_: I32) " + BODY: "1:9-11 GQ021: `$_` is reserved | Give it another name.",
    "query q($__nanograph_now: DateTime) "
    + BODY: "1:9-25 GQ021: `$__nanograph_now` is reserved | Give it another name.",
    "query q($v: Vector(0)) "
    + BODY: "1:20-21 GQ030: a vector has at least one element | Write `Vector(1536)`.",
    "query q() { match { $a: A": "1:19-20 GQ024: the `{` is never closed | Close it with `}`.",
    'query q() { match { $a: A { x: "y } } return { $a } }': '1:32-33 GQ006: the text is never closed | Close it with `"`; a quote inside a text is written `\\"`.',
    "query q() { match { $a: A $a.x = "
    + "(" * 100
    + "1"
    + ")" * 100
    + " } return { $a } }": "1:98-99 GQ004: nested deeper than 64 levels | Split it into several clauses or queries.",
}

ALL = (
    {f"query q() {{ match {{\n{k}\n}} return {{ $a.x }} }}": v for k, v in CLAUSES.items()}
    | {f"query q($n: I32) {{ match {{ $a: A }}\n{k}\n}}": v for k, v in READS.items()}
    | {f"query q() {{\n{k}\n}}": v for k, v in MUTATIONS.items()}
    | DECLARATIONS
)


def problems(text: bytes) -> list[str]:
    found = []
    for d in parse_query_file(text, file="q.gq").diagnostics:
        assert d.where is not None
        assert d.code == "query_parse_error"
        assert d.remedy is not None
        end = f"{d.where.end_line}:" if d.where.end_line != d.where.line else ""
        place = f"{d.where.line}:{d.where.column}-{end}{d.where.end_column}"
        usual = d.remedy.endswith("look for what is missing just before.")
        found.append(f"{place} {d.rule}: {d.message}" + ("" if usual else f" | {d.remedy}"))
    return found


@pytest.mark.parametrize("text", ALL)
def test_a_mistake_is_told_once_with_its_place_and_what_to_write(text: str) -> None:
    assert problems(text.encode()) == [ALL[text]]


HARMLESS = ("GQ013", "GQ016", "GQ017", "GQ020", "GQ027")
"""Mistakes that take nothing away: what else is wrong in the declaration is told in the same run."""


@pytest.mark.parametrize("text", [t for t in ALL if "GQ002" not in ALL[t]])
def test_a_declaration_that_a_mistake_took_something_from_is_not_handed_on(text: str) -> None:
    file = parse_query_file(text.encode(), file="q.gq")
    names = [d.name for d in file.declarations]

    outside = text.startswith("@") or text.endswith("/* x")
    whole = outside or {d.rule for d in file.diagnostics} <= set(HARMLESS)
    assert names == (["q"] if whole else [])


def test_bytes_that_are_no_text_are_told() -> None:
    assert problems(b"query \xc3") == [
        "1:7-8 GQ001: byte 0xc3 at offset 6 is not UTF-8 | Save the file as UTF-8."
    ]
    assert problems(b" " * (1 << 20) + b" ") == [
        "1:1-1 GQ003: the file has 1048577 bytes; .gq files may have 1048576 | Split it into several files."
    ]


def test_every_rule_of_the_grammar_is_among_these_cases() -> None:
    raised = {v.split()[1].rstrip(":") for v in ALL.values()} | {"GQ001", "GQ003"}

    assert raised == set(GRAMMAR_RULES)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("query q($y: I32, $y: I32) " + BODY, ["q.gq:1:9 declared first here"]),
        ('query q() @instruction("a") @instruction("b") ' + BODY, ["q.gq:1:11 given first here"]),
        (
            "query q() { match { $a: A } return { $a } return { $a } }",
            ["q.gq:1:29 the first `return`"],
        ),
    ],
)
def test_what_is_there_twice_names_the_first(text: str, places: list[str]) -> None:
    (found,) = parse_query_file(text.encode(), file="q.gq").diagnostics

    assert [f"{r.where} {r.message}" for r in found.related] == places
