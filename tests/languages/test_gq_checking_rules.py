"""Every rule of the type checker: what breaks it, marked by guillemets, and what is all right.

Source: languages 2.4, 2.7, 3.1, 3.2.
"""

import pytest

from agentctl.languages.query.compile import CheckedResult
from agentctl.languages.query.type_rules import TYPE_RULES
from agentctl.testing.checked_queries import check

P = "query q($s: String, $n: I32, $f: F64, $l: [String], $v: Vector(3), $w: Vector(4), $b: Blob, $o: String?, $on: I32?)"


def read(clauses: str, rest: str = "return { 1 as one }") -> str:
    return f"{P} {{ match {{ $p: Person {clauses} }} {rest} }}"


def give(rest: str, clauses: str = "$p $e:knows $x") -> str:
    return read(clauses, rest)


def change(body: str) -> str:
    return f"{P} {{ {body} }}"


CASES: dict[str, tuple[str, str]] = {
    "T1": (read("$x: «Persn»"), read("$x: Company")),
    "T2": (read("$x: Person { «nam»: $s }"), read("$x: Person { name: $s }")),
    "T3:literal-type": (
        read('$x: Person { born: «"2020-01-01"» }'),
        read('$x: Person { born: date("2020-01-01") }'),
    ),
    "T3:enum-value": (
        read('$x: Person { kind: «"gast"» }'),
        read('$x: Person { kind: "guest" }'),
    ),
    "T3:vector-length": (
        change("update Person set { vec: «[1, 2]» } where email = $s"),
        change("update Person set { vec: [1, 2, 3.5] } where email = $s"),
    ),
    "T3:vector-equality": (read("$x: Person { vec: «[1, 2, 3]» }"), read("$p.vec is not null")),
    "T3:list-equality": (
        read('$x: Person { tags: «["a"]» }'),
        read('$x: Person { tags: "a" }'),
    ),
    "T3:blob": (read("$x: Person { photo: «$s» }"), read("$p.photo is null")),
    "T3:null": (
        change("update Person set { name: «null» } where email = $s"),
        change("update Person set { age: null } where email = $s"),
    ),
    "T4": (read("$p «knowz» $x"), read("$p kNOWS $x")),
    "T5:not-endpoint": (
        read("$c: Company «$c» knows $x"),
        read("$c: Company $x worksAt $c"),
    ),
    "T5:wrong-end": (
        read("$c: Company $d: Person $x: Person $x worksAt «$d»"),
        read("$c: Company $x: Person $c worksAt $x"),
    ),
    "T6:unbound-variable": (
        read("not { $p knows $x } «$x.age» > 3"),
        read("$p knows $x $x.age > 3"),
    ),
    "T6:unknown-property": (read("$p.«agee» > 3"), read("$p.age > 3")),
    "T7:incompatible": (read('«$p.born = "2020-01-01"»'), read('$p.born = date("2020-01-01")')),
    "T7:parameter-type": (
        read("$x: Person { name: «$n» }"),
        read("$x: Person { height: $n }"),
    ),
    "T7:entity-operand": (read("$p.name = «$p»"), read("$p.name = $p.@id")),
    "T7:aggregate-operand": (read("«count($p)» > 3"), read("count { $p knows $_ } > 3")),
    "T7:alias-operand": (read("$p.name = «nobody»"), read('$p.name = "nobody"')),
    "T7:list-comparison": (read("«$p.tags» = $l"), read("$p.tags contains $s")),
    "T7:list-equality": (read("$x: Person { tags: «$l» }"), read("$x: Person { tags: $s }")),
    "T7:vector-comparison": (read("«$p.vec» = $v"), read("$p.vec is null")),
    "T7:blob-comparison": (read("«$p.photo» = $s"), read("$p.photo is not null")),
    "T7:text-operands": (read("$p.name starts_with «3»"), read("$p.name starts_with $s")),
    "T7:list-member": (read('$p.scores contains «"x"»'), read("$p.scores contains 1.5")),
    "T7:now": (read("«$p.born < now()»"), read("$p.seen < now() $p.times contains now()")),
    "T8:numeric": (give("return { sum(«$p.name») }"), give("return { sum($p.big) }")),
    "T8:ordered": (give("return { min(«$p.seen») }"), give("return { max($p.kind) }")),
    "T8:argument": (
        give("return { count(«now()») }"),
        give("return { count($s), count($p.@id) as c }"),
    ),
    "T9:negation-unbound": (
        read("«not» { $x: Person { name: $s } not { $p knows $x } }"),
        read("not { $x: Person { name: $s } $p knows $x }"),
    ),
    "T9:ungrouped-value": (
        give("return { count($p), «now()» as at }"),
        give("return { count($p), $s }"),
    ),
    "T10:unknown-target": (
        change("delete «Persn» where a = 1"),
        change("delete Person where age = 1"),
    ),
    "T11:unknown-property": (
        change("update Person set { «agee»: 3 } where email = $s"),
        change("update Person set { age: 3 } where email = $s"),
    ),
    "T11:blob-condition": (
        change("delete Person where «photo» = $s"),
        change("delete Person where photo is null"),
    ),
    "T12:missing-property": (
        change("«insert» Person { email: $s }"),
        change("insert Person { email: $s name: $s }"),
    ),
    "T12:missing-embed-source": (
        change("«insert» Memo { title: $s }"),
        change("insert Memo { title: $s text: $s }"),
    ),
    "T12:missing-endpoint": (
        change("«insert» Knows { from: $s }"),
        change("insert Knows { from: $s to: $s }"),
    ),
    "T13": (
        change("update Person set { age: 3 «age»: 4 } where email = $s"),
        change("update Person set { age: 3 height: 4 } where email = $s"),
    ),
    "T14": (
        change("delete Person where email = «$gone»"),
        change("delete Person where email = $s"),
    ),
    "T15:hop-bounds": (read("$p knows«{0,3}» $x"), read("$p knows{1,3} $x")),
    "T15:nearest-target": (
        give("return { $p.name } order { nearest(«$p.name», $v) } limit 3"),
        give("return { $p.name } order { nearest($p.vec, $v) } limit 3"),
    ),
    "T15:nearest-dimension": (
        give("return { $p.name } order { nearest($p.vec, «$w») } limit 3"),
        give("return { $p.name } order { nearest($p.vec, [1, 2, 3]) } limit 3"),
    ),
    "T15:nearest-query": (
        give("return { $p.name } order { nearest($p.vec, «$n») } limit 3"),
        give("return { $p.name } order { nearest($p.vec, $s) } limit 3"),
    ),
    "T16": (
        change('update «Knows» set { weight: 1 } where from = "a"'),
        change('delete Knows where from = "a"'),
    ),
    "T17": (
        give("return { $p.name } order { «nearest($p.vec, $v)» }"),
        give("return { $p.name } order { bm25($p.name, $s) desc }"),
    ),
    "T18": (
        give("return { $p.name as a } order { nearest($p.vec, $v), «a» } limit 3"),
        give("return { $p.name as a } order { nearest($p.vec, $v), $p.name } limit 3"),
    ),
    "T19:field": (read("search(«$p.age», $s)"), read("search($p.name, $s)")),
    "T19:query": (
        read("fuzzy($p.name, «3»)"),
        read("$x: Person fuzzy($p.name, $x.name)"),
    ),
    "T19:max-edits": (read("fuzzy($p.name, $s, «1.5»)"), read("fuzzy($p.name, $s, $n)")),
    "T20:field": (read("match_text(«$s», $s)"), read("match_text($p.name, $s)")),
    "T20:query": (read("match_text($p.name, «now()»)"), read('match_text($p.name, "a b")')),
    "T21:rank-arguments": (
        give("return { $p.name } order { rrf(«search($p.name, $s)», bm25($p.name, $s)) } limit 3"),
        give("return { $p.name } order { rrf(nearest($p.vec, $s), bm25($p.name, $s)) } limit 3"),
    ),
    "T21:k": (
        give("return { $p.name } order { rrf(bm25($p.name, $s), bm25($p.name, $s), «0») } limit 3"),
        give("return { $p.name } order { rrf(bm25($p.name, $s), bm25($p.name, $s), $n) } limit 3"),
    ),
    "T21:limit": (
        give("return { $p.name } order { «rrf(bm25($p.name, $s), bm25($p.name, $s))» }"),
        give("return { $p.name } order { rrf(bm25($p.name, $s), bm25($p.name, $s)) } limit $n"),
    ),
    "T22": (read("$p <«worksAt»> $x"), read("$p <knows> $x")),
    "T23:hop-bounds": (read("$p $e:knows«{1,2}» $x"), read("$p $e:knows $x")),
    "T23:name-reuse": (read("$p «$p»:knows $x"), read("$p $e:knows $p")),
    "T23:endpoint": (read("$p $e:knows $x «$e» knows $y"), read("$p $e:knows $x $x knows $y")),
    "T23:rebound-as-node": (
        read("$p $e:knows $x «$e»: Person"),
        read("$p $e:knows $x $x: Person"),
    ),
    "T23:bare-use": (give("return { «$e» }"), give("return { $e.weight, $e.@id as id }")),
    "T23:search-target": (
        read("$p $e:worksAt $x search(«$e.role», $s)"),
        read("$p $e:worksAt $x search($x.title, $s)"),
    ),
    "T24:result": (give("return { «$p.photo» }"), give("return { $p }")),
    "T24:aggregate": (give("return { count(«$p.photo») }"), give("return { count($p) }")),
    "T24:order": (
        give("return { $p.name } order { «$p.photo» }"),
        give("return { $p.name } order { $p.ok }"),
    ),
    "T25:unknown-alias": (
        give("return { $p.name as a } order { «b» }"),
        give("return { $p.name as a } order { a }"),
    ),
    "T25:not-grouped": (
        give("return { count($p) } order { «$p.name» }"),
        give("return { $p.name, count($p) } order { $p.name }"),
    ),
    "T25:aggregate-ungrouped": (
        give("return { $p.name } order { «count($x)» }"),
        give("return { $p.name, count($x) } order { max($x.age) desc }"),
    ),
    "T25:unordered": (
        give("return { $p.name } order { «$p.tags» }"),
        give("return { $p.name } order { $p.kind }"),
    ),
    "T26:undeclared-variable": (read("$p.name = «$gone»"), read("$p.name = $s")),
    "T27:rebound": (read("«$p»: Company"), read("$p: Person { age: 3 }")),
    "T27:anonymous": (read("«$_»: Person"), read("$_ knows $p")),
    "T27:optional": (
        read("optional { $p knows $x } «$x»: Person"),
        read("optional { $p knows $x } ($x) is not null"),
    ),
    "T28": (give("return { $p.age as a, $p.name as «a» }"), give("return { $p.age, $x.age }")),
    "T29": (give("return { «$p.@id» }"), give("return { $p.@id as id }")),
    "T30:endpoints": (read("$p (knows | «worksAt») $x"), read("$p (knows | likes) $x")),
    "T30:repeated": (read("$p (knows | «kNows») $x"), read("$p (knows | likes) $x")),
    "T30:edge-variable": (read("$p «$e»:(knows | likes) $x"), read("$p $e:knows $x")),
    "T31:not-first": (
        give("return { $p.name } order { $p.age, «bm25($p.name, $s)» } limit 3"),
        give("return { $p.name } order { bm25($p.name, $s), $p.age } limit 3"),
    ),
    "T31:not-a-rank": (
        give("return { $p.name } order { «search($p.name, $s)» } limit 3"),
        give("return { $p.name } order { bm25($p.name, $s) } limit 3"),
    ),
    "T31:grouped": (
        give("return { count($p) } order { «bm25($p.name, $s)» } limit 3"),
        give("return { $p.name } order { bm25($p.name, $s) } limit 3"),
    ),
    "T31:projected": (
        give("return { «bm25($p.name, $s)» as score }"),
        give("return { $p.name as score }"),
    ),
    "T31:operand": (read("«bm25($p.name, $s)» > 3"), read("match_text($p.name, $s)")),
    "T32:comparison": (read("$p.age = «null»"), read("$p.age is null")),
    "T32:untyped": (give("return { «null» as a }"), give("return { 1 as a }")),
    "T32:list-item": (read("$p.age in [1, «null»]"), read("$p.age in [1] or $p.age is null")),
    "T33:nested": (read("$p.age in [1, «[2]»]"), read("$p.age in [1, 2]")),
    "T33:mixed": (read('$p.age in [1, «"x"»]'), read("$p.age in [1, 2.5, 9223372036854775808]")),
    "T33:empty": (give("return { «[]» as a }"), read("$p.age in []")),
    "T34": (read("$p.«@src» = $s"), read("$p $e:knows $x $e.@src = $s $e.@type = $s")),
    "T35": (
        give("return distinct { $p.name } order { «$p.age» }"),
        give("return distinct { $p.name } order { $p.name }"),
    ),
    "T36:type": (give("return { $p.name } limit «$s»"), give("return { $p.name } limit $n")),
    "T36:nullable": (give("return { $p.name } limit «$on»"), give("return { $p.name } offset $n")),
    "T37:values": (read("$p.age in «$n»"), read("$p.name in $l")),
    "T37:operand": (read("«$p.tags» in $l"), read("$p.kind in $l")),
    "T37:incompatible": (read("$p.age in «$l»"), read("$p.age in [1.5]")),
    "T38": (give("return { «count { $p knows $_ }» as n }"), give("return { count($x) as n }")),
    "T39": (
        change("delete Person where email = $s «insert» Person { email: $s name: $s }"),
        change("insert Person { email: $s name: $s } update Person set { age: 3 } where age = 2"),
    ),
    "T40": (
        change("update Person set { «email»: $s } where email = $s"),
        change("update Person set { name: $s } where email = $s"),
    ),
}


def problems(found: CheckedResult) -> list[tuple[str | None, int, int]]:
    listed = []
    for d in found.diagnostics:
        assert d.where is not None
        assert d.where.line == d.where.end_line == 1
        listed.append((d.rule, d.where.column, d.where.end_column))
    return listed


def test_every_rule_has_a_case() -> None:
    assert set(CASES) == set(TYPE_RULES)


@pytest.mark.parametrize("rule", CASES)
def test_what_breaks_a_rule_is_refused_at_its_place(rule: str) -> None:
    marked, _ = CASES[rule]
    start, end = marked.index("«"), marked.index("»") - 1
    found = check(marked.replace("«", "").replace("»", ""))

    assert (rule, start + 1, end + 1) in problems(found), found.diagnostics
    assert found.query is None
    assert [d.message for d in found.diagnostics if not d.remedy] == []


@pytest.mark.parametrize("rule", CASES)
def test_what_keeps_a_rule_is_taken(rule: str) -> None:
    _, right = CASES[rule]
    found = check(right)

    assert found.diagnostics == ()
    assert found.query is not None


@pytest.mark.parametrize("rule", CASES)
def test_each_mistake_is_told_once(rule: str) -> None:
    marked, _ = CASES[rule]
    found = check(marked.replace("«", "").replace("»", ""))

    assert [d.rule for d in found.diagnostics] == [rule]
