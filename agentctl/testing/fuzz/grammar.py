"""Random texts of the two languages, derived from their grammars as the spec has them.

`PG` and `GQ` restate languages 1.1, 2.1 and 3.1; the parsers know nothing of them, so that the two
can disagree. A text that `derive` returns breaks no rule of the grammar, though it may well break
rules of meaning.
"""

import re
from collections.abc import Iterator
from random import Random
from typing import Final

Grammar = dict[str, tuple[tuple[str, ...], ...]]
_PART: Final = re.compile(r"'[^']*'|[A-Za-z_]+[?*]?|\|")


def grammar_of(text: str) -> Grammar:
    """Returns the grammar that *text* writes: ``name := 'word' other? other* | …``, one a line."""
    found: Grammar = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, _, right = line.partition(":=")
        alternatives: list[tuple[str, ...]] = [()]
        for part in _PART.findall(right):
            if part == "|":
                alternatives.append(())
            else:
                alternatives[-1] += (part,)
        found[name.strip()] = tuple(alternatives)
    return found


PG: Final = grammar_of("""
    file := decl* | decl decl decl
    decl := interface | node | node | node | edge | edge
    interface := 'interface' TYPE '{' iprop* '}'
    node := 'node' TYPE annot* implements? '{' member* '}'
    implements := 'implements' TYPE moretype* comma?
    moretype := ',' TYPE
    edge := 'edge' TYPE ':' TYPE '->' TYPE card? annot* edgebody?
    edgebody := '{' member* '}'
    card := '@' 'card' '(' COUNT '..' COUNT? ')'
    member := prop | prop | prop | bodyc
    iprop := IDENT ':' type default? annot*
    prop := IDENT ':' type default? annot*
    type := core '?' | core
    core := '[' base ']' | 'enum' '(' EVAL moreeval* comma? ')' | 'Vector' '(' DIM ')' | base | base | base
    moreeval := ',' EVAL
    comma := ','
    default := '=' deflit
    deflit := literal | '-' INT | '-' FLOAT | FLOAT | 'null' | '[' literal moreliteral* comma? ']'
    moreliteral := ',' literal
    base := 'String' | 'String' | 'Blob' | 'Bool' | 'I32' | 'I64' | 'U32' | 'U64' | 'F32' | 'F64' | 'DateTime' | 'Date'
    bodyc := '@' columns '(' IDENT moreident* comma? ')' | range | check
    columns := 'key' | 'unique' | 'index'
    moreident := ',' IDENT
    range := '@' 'range' '(' IDENT ',' bounds comma? ')'
    bounds := NUM '..' NUM | NUM '..' | '..' NUM
    check := '@' 'check' '(' IDENT ',' STRING comma? ')'
    annot := '@' bare | '@' known '(' value ')' | '@' OPAQUE '(' value kwarg* comma? ')' | '@' 'embed' '(' IDENT ')'
    bare := 'key' | 'unique' | 'index' | OPAQUE
    known := 'description' | 'instruction' | 'rename_from'
    value := STRING
    kwarg := ',' IDENT '=' literal
    literal := STRING | FLOAT | INT | 'true' | 'false'
""")

GQ: Final = grammar_of("""
    file := query* | query query
    query := 'query' IDENT '(' params? ')' qannot '{' body '}'
    qannot := description? instruction?
    description := '@' 'description' '(' STRING ')'
    instruction := '@' 'instruction' '(' STRING ')'
    params := param moreparam* comma?
    moreparam := ',' param
    param := VAR ':' ptype '?' | VAR ':' ptype
    ptype := '[' base ']' | base | 'Vector' '(' DIM ')'
    base := 'String' | 'Blob' | 'Bool' | 'I32' | 'I64' | 'U32' | 'U64' | 'F32' | 'F64' | 'DateTime' | 'Date'
    comma := ','
    body := read | read | read | mutation mutation*
    read := 'match' block 'return' distinct? '{' item item* '}' order? limit? offset?
    distinct := 'distinct'
    item := expr alias comma? | VAR '.' IDENT comma? | VAR comma?
    alias := 'as' IDENT
    order := 'order' '{' ord moreord* comma? '}'
    moreord := ',' ord
    ord := rank | expr direction?
    direction := 'asc' | 'desc'
    limit := 'limit' COUNT | 'limit' VAR
    offset := 'offset' COUNT | 'offset' VAR
    block := '{' bind clause* '}'
    clause := bind | bind | traversal | traversal | filter | filter | filter | negated | optional
    negated := 'not' block
    optional := 'optional' block
    bind := VAR ':' TYPE inline?
    inline := '{' IDENT ':' val moreinline* comma? '}'
    moreinline := ',' IDENT ':' val
    val := literal | VAR | now
    now := 'now' '(' ')'
    traversal := VAR EDGE hops? VAR | VAR EDGEVAR EDGE VAR | VAR '<' EDGE '>' hops? VAR | VAR '(' EDGE moreedge* ')' hops? VAR
    moreedge := '|' EDGE
    hops := '{' COUNT ',' COUNT '}'
    filter := or
    or := and moreor*
    moreor := 'or' and
    and := test moreand*
    moreand := 'and' test
    test := compare | compare | compare | 'not' '(' or ')' | '(' or ')' | exists | call | null | in
    compare := operand symbol operand | operand word STRING
    symbol := '=' | '!=' | '<' | '<=' | '>' | '>='
    word := 'contains' | 'starts_with'
    operand := VAR '.' IDENT | VAR '.' IDENT | META | NUMBER | STRING | 'true' | now | 'count' block
    null := VAR '.' IDENT 'is' 'null' | VAR '.' IDENT 'is' 'not' 'null'
    in := VAR '.' IDENT 'in' list | VAR '.' IDENT 'in' VAR | '(' VAR ')' 'in' list
    exists := 'exists' block
    call := 'search' '(' VAR '.' IDENT ',' text ')' | 'match_text' '(' VAR '.' IDENT ',' text ')' | 'fuzzy' '(' VAR '.' IDENT ',' text edits? ')'
    edits := ',' COUNT
    text := STRING | VAR
    expr := VAR '.' IDENT | VAR '.' IDENT | VAR | META | literal | aggregate | now
    aggregate := function '(' VAR '.' IDENT ')' | 'count' '(' VAR ')'
    function := 'count' | 'sum' | 'avg' | 'min' | 'max'
    rank := nearest | bm | 'rrf' '(' nearest ',' bm kay? ')'
    kay := ',' COUNT
    nearest := 'nearest' '(' VAR '.' IDENT ',' text ')'
    bm := 'bm25' '(' VAR '.' IDENT ',' text ')'
    mutation := insert | update | delete
    insert := 'insert' TYPE '{' assign assign* '}'
    update := 'update' TYPE 'set' '{' assign assign* '}' 'where' cond
    delete := 'delete' TYPE 'where' cond
    assign := IDENT ':' val comma?
    cond := condtest morecond*
    morecond := 'and' condtest | 'or' condtest
    condtest := IDENT symbol val | IDENT 'in' list | IDENT 'is' 'null' | 'not' '(' cond ')' | '(' cond ')'
    literal := NUMBER | STRING | 'true' | 'false' | 'null' | list | 'date' '(' DATE ')' | 'datetime' '(' DATETIME ')'
    list := '[' literal moreliteral* comma? ']' | '[' ']'
    moreliteral := ',' literal
""")

TERMINALS: Final[dict[str, tuple[str, ...]]] = {
    "TYPE": ("A", "B", "Person", "Team", "N1"),
    "IDENT": ("a", "b", "name", "age", "tags", "vec", "text", "at", "on", "kind", "_x", "id", "src", "from", "to"),
    "EDGE": ("knows", "e", "memberOf", "contains"),
    "EDGEVAR": ("$e:", "$f :"),
    "VAR": ("$a", "$b", "$p", "$q", "$e", "$_", "$list"),
    "META": ("$a.@id", "$b.@type", "$e.@src", "$e.@dst"),
    "STRING": ('"x"', '""', '"é\\n\\"\\\\"', '"日本"', '"^[a-z]+$"', '"Old"'),
    "INT": ("0", "1", "7", "42", "2147483648", "9223372036854775807"),
    "COUNT": ("0", "1", "2", "3", "10"),
    "DIM": ("1", "3", "4", "1536"),
    "FLOAT": ("0.5", "1.25", "3.0"),
    "NUM": ("0", "1", "-1", "2.5", "-0.5", "100"),
    "NUMBER": ("0", "1", "-3", "2.5", "1e3", "-1.5e-3", "42"),
    "EVAL": ("x", "y", "a-b", "1st", "core", "A_b"),
    "OPAQUE": ("doc", "owner", "x1"),
    "DATE": ('"2026-01-31"', '"1969-12-31"'),
    "DATETIME": ('"2026-01-31T12:00:00Z"', '"2026-01-31T12:00:00.5+02:00"'),
}  # fmt: skip

SPACES: Final = ("\n", "\n\n", "\t", " // note\n", " /* note */ ", "\r\n")
"""What stands between words now and then."""


def derive(
    grammar: Grammar,
    start: str,
    random: Random,
    *,
    terminals: dict[str, tuple[str, ...]] = TERMINALS,
    spaces: tuple[str, ...] = SPACES,
    depth: int = 14,
) -> str:
    """Returns a text of the nonterminal *start*: its words, with a space, mostly a plain one, each."""

    def expand(name: str, depth: int) -> Iterator[str]:
        if name not in grammar:
            yield random.choice(terminals[name])
            return
        alternatives = grammar[name]
        chosen = random.choice(alternatives) if depth > 0 else min(alternatives, key=len)
        for part in chosen:
            if part.startswith("'"):
                yield part[1:-1]
                continue
            for _ in range(_times(part, random, depth)):
                yield from expand(part.rstrip("?*"), depth - 1)

    words = expand(start, depth)
    return "".join(w + (" " if random.random() < 0.85 else random.choice(spaces)) for w in words)


def _times(part: str, random: Random, depth: int) -> int:
    if part.endswith("?"):
        return random.randint(0, 1) if depth > 0 else 0
    if part.endswith("*"):
        return random.choice((0, 0, 1, 1, 2, 3)) if depth > 0 else 0
    return 1
