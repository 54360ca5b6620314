"""The rules of the query language's grammar: each number that stands in a diagnostic of a `.gq` file.

GQ001 to GQ012 are the rules of the text, the same in schemas; the rest is the grammar of queries.
What queries mean is for the rules of the checker. Source: languages 2.1, 2.4, 3.1, 3.3.
"""

from typing import Final

from agentctl.diagnostics.rule import Rule

_TEXT: Final = {
    "GQ001": (
        "The file is UTF-8",
        "A byte is no part of UTF-8 text, so nothing of the file can be read. Save it as UTF-8.",
    ),
    "GQ002": (
        "The file begins with its text, not with a byte order mark",
        "Some editors put an invisible mark before the first character. OmniGraph refuses it, and "
        "so does agentctl. Save the file as UTF-8 without a byte order mark.",
    ),
    "GQ003": (
        "A file has at most one megabyte",
        "Larger files are refused before they are read, so that none can hold up a command. Split "
        "the queries: a graph may name as many query files as you like.",
    ),
    "GQ004": (
        "Blocks, parentheses and lists nest to a bounded depth",
        "No sensible query nests that deep, and a parser that followed it could be made to fail. "
        "Take the surplus brackets out, or split the query.",
    ),
    "GQ005": (
        "A character that the language has no use for",
        "Outside of texts and comments there are letters, digits and the marks of the grammar. "
        "Texts stand in double quotes. Look for a typographic quote or an invisible character that "
        "was pasted along.",
    ),
    "GQ006": (
        "A text is closed",
        'A text goes from one `"` to the next, over several lines if need be; a quote inside is '
        'written `\\"`. Close it where it ends.',
    ),
    "GQ007": (
        "A text has known escapes only",
        'A backslash in a text begins `\\"`, `\\\\`, `\\n`, `\\r` or `\\t`, and nothing else. A '
        "backslash itself is written twice.",
    ),
    "GQ008": (
        "A comment is closed",
        "A comment that begins with `/*` goes to the next `*/`; comments do not nest. Close it, or "
        "begin each line with `//` instead.",
    ),
    "GQ009": (
        "A number or a name is within its range",
        "Integers have at most 64 bits, other numbers the range of F64, and names at most 255 "
        "characters. Write a smaller number or a shorter name.",
    ),
    "GQ010": (
        "Something else is expected here",
        "The text does not follow the grammar at this place: the message says what could stand here "
        "and what does. Often the mistake is a word or a mark that is missing just before.",
    ),
    "GQ011": (
        "A keyword is followed by a space",
        "OmniGraph 0.10 reads `limit10` as `limit 10` and `$a.x asname` as `$a.x as name`; agentctl "
        "takes the whole word for a name, since that is how people read it. Put the space in.",
    ),
    "GQ012": (
        "The first letter of a name tells what it is",
        "Names of node and edge types in a schema begin with an upper-case letter, and so do node "
        "types in a query. Edges, properties, aliases and queries begin with a lower-case letter or "
        "`_`: the edge type `Knows` is written `knows` in a query.",
    ),
}

_DECLARATION: Final = {
    "GQ014": (
        "A parameter has a type of the language",
        "Parameters are String, Bool, I32, I64, U32, U64, F32, F64, Date, DateTime, Blob, a list "
        "`[T]` of these but Blob, or `Vector(n)`; with `?` they may be left out. An enum is given "
        "as a String.",
    ),
    "GQ016": (
        "An annotation is given once",
        "A query has at most one `@description` and one `@instruction`, since the catalog shows one "
        "of each. Keep one of them.",
    ),
    "GQ017": (
        "The text of an annotation is not blank",
        "`@description` says what a query does, `@instruction` when to use it; agents choose by "
        "them. Write it, or take the annotation out.",
    ),
    "GQ020": (
        "A parameter is declared once",
        "Two parameters have the same name, so a caller could not give both. Take one of them out, "
        "or give it another name.",
    ),
    "GQ021": (
        "Some names are not for parameters",
        "`$_` stands for an endpoint that nobody asks about, and `$__nanograph_now` carries the "
        "time of `now()`. Give the parameter another name.",
    ),
    "GQ023": (
        "A read has its parts once, and in their order",
        "A query that reads is `match { … } return { … }`, then, if need be, `order { … }`, "
        "`limit` and `offset`. Put each at its place, once.",
    ),
    "GQ024": (
        "A brace is closed",
        "The block that begins here goes on to where it cannot: the next part of the query, the "
        "next query, or the end of the file. Close it with `}` where it ends.",
    ),
    "GQ030": (
        "A vector has a length, at least 1",
        "The parameter's vectors all have the length of its type: `Vector(1536)`. Write the length "
        "of the property that it is compared with.",
    ),
    "GQ034": (
        "A query either reads or changes",
        "A body is either `match { … } return { … }` or a list of `insert`, `update` and `delete`. "
        "Make two queries of it.",
    ),
}

_CLAUSES: Final = {
    "GQ013": (
        "Clauses stand side by side, with nothing between them",
        "All clauses of a block must hold, so neither a comma nor `and` joins them; only conditions "
        "are joined by `and` and `or`. Take it out.",
    ),
    "GQ018": (
        "Hops are a minimum and a maximum",
        "`$a knows{1,3} $b` goes over one to three edges; `{2,2}` over exactly two. Write both "
        "numbers.",
    ),
    "GQ019": (
        "Something stands between braces",
        "Neither `match`, `return`, `order`, a block nor the values of a type may be empty. Write "
        "what is missing, or take the braces out where they are optional.",
    ),
    "GQ025": (
        "A traversal is no condition",
        "`$a knows $b` is a clause of its own: it finds pairs and is neither true nor false, so it "
        "cannot be joined by `and`, `or` and `not`. To ask whether there is such an edge, put it "
        "into a block: `exists { $a knows $b }`; to ask that there is none, `not { $a knows $b }`.",
    ),
    "GQ033": (
        "An edge in a query is never called `not`",
        "`not` begins a negation, and OmniGraph reads `not_…` behind a variable as one too. An edge "
        "type of such a name cannot be traversed: give it another name in the schema.",
    ),
}

_EXPRESSIONS: Final = {
    "GQ015": (
        "A function is one of the language",
        "There are the aggregates count, sum, avg, min and max, the search functions search, fuzzy, "
        "match_text, bm25, nearest and rrf, and date, datetime and now. Nobody can add others.",
    ),
    "GQ022": (
        "A date is a day, a datetime a time",
        '`date("2026-11-21")` is a day of the calendar, `datetime("2026-11-21T03:30:00Z")` an ISO '
        "8601 time, in UTC where it has no offset. Write an existing one in that form.",
    ),
    "GQ026": (
        "A function gets as many arguments as it takes",
        "Aggregates take one argument, search, match_text, bm25 and nearest two, fuzzy and rrf two "
        "or three, now none. Write the call as the remedy shows.",
    ),
    "GQ027": (
        "`nearest` has no direction",
        "`order { nearest($a.vector, $query) }` puts the nearest first, and the index can give no "
        "other order. Take `asc` or `desc` out.",
    ),
    "GQ028": (
        "Metadata is `@id`, `@type`, `@src` or `@dst`",
        "Behind `$x.@` stands what every node or edge has: its `@id` and `@type`, and of an edge "
        "`@src` and `@dst`. Properties of the schema are written without the `@`.",
    ),
    "GQ029": (
        "Behind `in` comes a list or a parameter",
        "`$a.x in [1, 2]` and `$a.x in $list` ask whether a value is one of several. A property that "
        "is a list is asked the other way round: `$a.tags contains $tag`.",
    ),
    "GQ031": (
        "A value is a literal, a variable or `now()`",
        "In the braces of a type, in what a mutation sets and in a list there are no properties and "
        "no functions, and a text stands in double quotes. Compare properties in a clause of their "
        "own: `$a.x = $b.y`.",
    ),
    "GQ032": (
        "A mutation's `where` compares properties with values",
        "It looks at one row of one type at a time: properties by their bare names, literals, "
        "parameters and `now()`. What needs a pattern is a read: find the keys first, and give them "
        "as a parameter.",
    ),
}

GRAMMAR_RULES: Final[dict[str, Rule]] = {
    name: Rule(name=name, title=title, about=about)
    for name, (title, about) in sorted((_TEXT | _DECLARATION | _CLAUSES | _EXPRESSIONS).items())
}
"""Every rule that the parser raises, by name."""
