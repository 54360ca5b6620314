"""The rules of the lints: Q000 and L201 as OmniGraph names them, our own from L300 on.

A finding is no mistake: the query runs, but likely not as meant, or not well.
Source: languages 2.5, 2.7, 3.3.
"""

from typing import Final

from agentctl.diagnostics.rule import Rule
from agentctl.languages.query.match_rules import rule_table

LINT_RULES: Final[dict[str, Rule]] = rule_table(
    (
        "Q000",
        "a query file that does not parse",
        "Nothing of the file can be linted until it follows the grammar; the diagnostics of `agentctl validate` say where it does not.",
    ),
    (
        "L201",
        "a nullable property that no update sets",
        "The type has update queries, and none of them sets this property, so it keeps the value it was inserted with. Add it to an update, or leave it so where that is meant. Keys and vectors that are embedded from another property are left out.",
    ),
    (
        "L300",
        "a parameter that nothing uses",
        "Callers must give a value that changes nothing. Take the parameter out, or use it.",
    ),
    (
        "L301",
        "a variable that nothing uses",
        "The variable is named once and used nowhere. Write `$_` at the end of an edge that needs no name; a lone `$x: Type` multiplies the rows by all nodes of the type, so take it out.",
    ),
    (
        "L302",
        "parts of a match that nothing connects",
        "Every match of one part is combined with every match of the other: a thousand by a thousand rows are a million. Connect them by an edge or by a comparison, or pin one by its key.",
    ),
    (
        "L303",
        "a result without a bound",
        "The query returns a row for every match and has no `limit`, so its result grows with the graph. Add a `limit`, match a node by its key, or return aggregates.",
    ),
    (
        "L304",
        "a mutation without parameters",
        "The query makes the same change each time it is called. Declare what changes as parameters.",
    ),
    (
        "L305",
        "a parameter with the name of a variable",
        "Alone, `$name` then stands for the parameter, and `$name.property` for the variable. Rename one of them.",
    ),
    (
        "L306",
        "a condition that is never true",
        "No row can meet the condition: the enum does not have the value, or a second hop cannot follow an edge that leads to another type. Correct the value or the hops.",
    ),
    (
        "L307",
        "a null test of something that is never null",
        "The operand always has a value, so `is null` is never true and `is not null` always. Take the test out, or declare the property nullable.",
    ),
    (
        "L308",
        "a number that the property cannot hold",
        "The literal has a fraction or is beyond the range of the property's type, so the mutation fails whenever it is called. Write a number within the type.",
    ),
    (
        "L309",
        "nearest to a text over a vector that is not embedded",
        "The property has no `@embed`, so it is not known which model would turn the text into a vector. Declare `@embed(source)`, or give a vector.",
    ),
    (
        "L310",
        "one name for two variables",
        "A block and the clauses around it bind the same name, each its own node, because the block comes first and lets nothing out. Rename one of them.",
    ),
    (
        "L311",
        "a nullable parameter for a required property",
        "A call that gives null (or nothing) fails. Declare the parameter without the question mark.",
    ),
    (
        "L312",
        "an optional block that is not optional",
        "A condition or an edge outside needs a variable of the block, so rows without a match are dropped all the same. Move the condition into the block, or take the word `optional` away.",
    ),
    (
        "L313",
        "a search without an index",
        "The property has no `@index`, so every row is read and scored. Declare `@index` in the schema.",
    ),
    (
        "L314",
        "an order item that comes twice",
        "The first mention decides; the second orders nothing. Take it out.",
    ),
    (
        "L315",
        "distinct groups",
        "Beside aggregates every row is a group of its own, so `distinct` changes nothing. Take it out.",
    ),
    (
        "L316",
        "a value compared with itself",
        "Both sides are the same, so the condition only drops rows where it is null. Compare with something else, or write `is not null`.",
    ),
    (
        "L317",
        "an order by a constant",
        "A literal, a parameter or `now()` is the same in all rows, so it orders nothing. Take it out, or order by a property or a column.",
    ),
)
"""Every rule that a lint raises, by name."""
