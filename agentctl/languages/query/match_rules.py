"""The type rules of what a query matches: bindings, traversals, conditions and their values.

Part of `agentctl.languages.query.type_rules`. Source: languages 2.4, 2.7, 3.1.
"""

from typing import Final

from agentctl.diagnostics.rule import Rule


def rule_table(*entries: tuple[str, str, str]) -> dict[str, Rule]:
    """Returns rules by name, from name, title and paragraph."""
    return {name: Rule(name=name, title=title, about=about) for name, title, about in entries}


_MATCH: Final = rule_table(
    (
        "T1",
        "unknown type of a binding",
        "`$x: Type` names a node type that the schema does not declare. Types are spelled exactly, with their capital; declare the type in the `.pg` file or correct the name.",
    ),
    (
        "T2",
        "unknown property in an inline match",
        "`$x: Type { property: value }` names a property that the node type does not have. Correct the name, or declare the property in the schema.",
    ),
    (
        "T3:literal-type",
        "a literal of another type than the property",
        'A literal in an inline match or an assignment must be of the property\'s type; any number fits any number, and nothing is converted from a text. Write days as `date("2026-11-21")` and times as `datetime("2026-11-21T03:30:00Z")`.',
    ),
    (
        "T3:enum-value",
        "a text that the enum does not have",
        "The property is an enum, and the literal is none of its values, so nothing could match or be stored. Write one of the values that the schema lists.",
    ),
    (
        "T3:vector-length",
        "a vector literal of the wrong length",
        "A vector has exactly the dimension that the schema declares. Write as many numbers.",
    ),
    (
        "T3:vector-equality",
        "a vector in an inline match",
        "Vectors are compared by distance, not for equality. Order by `nearest($x.vector, $query)` with a limit instead.",
    ),
    (
        "T3:list-equality",
        "a list in an inline match",
        "`{ list: value }` asks whether the list has that member, so the value is one member and not a list. Write a clause for each member that must be there.",
    ),
    (
        "T3:blob",
        "a Blob in an inline match, or written as a literal",
        "Blobs are not compared, and a Blob is never written in a query's text. Assign it from a parameter of type `Blob` or `String`.",
    ),
    (
        "T3:null",
        "null for a property that is never null",
        "The property is required, so it cannot be assigned null. Give it a value, or declare it nullable (`T?`) in the schema.",
    ),
    (
        "T4",
        "unknown edge in a traversal",
        "`$a edge $b` names an edge type that the schema does not declare. Edges are spelled with a lower first letter, whatever case the rest has: `Knows` is `knows`.",
    ),
    (
        "T5:not-endpoint",
        "the edge does not touch nodes of this type",
        "The variable is bound to a node type at which the edge neither begins nor ends. Use another edge, or another variable.",
    ),
    (
        "T5:wrong-end",
        "the variable stands at the wrong end of the edge",
        "The direction is told by the bound variable, the left one first; the variable at the other end must be of the type that the edge has there. Exchange the sides, or use another edge.",
    ),
    (
        "T6:unbound-variable",
        "a property of a variable that is not bound",
        "A variable is bound by `$x: Type` or by a traversal in a clause above; a parameter has no properties, and what is bound inside `not`, `exists` or `count` is not seen outside.",
    ),
    (
        "T6:unknown-property",
        "a property that the type does not have",
        "The type of the variable declares no property of that name. Correct the name, or declare the property in the schema.",
    ),
    (
        "T9:negation-unbound",
        "a negation that has nothing to do with the rows",
        "A `not { … }` must use a variable that is bound outside it, in one of its own clauses; else it would keep all rows or none. Connect it with an edge or a condition.",
    ),
    (
        "T15:hop-bounds",
        "hop bounds that are no range",
        "Hops are at least 1, at most the maximum, and the maximum must be given: `{1,3}` is one to three hops.",
    ),
    (
        "T22",
        "an undirected edge between different types",
        "`<edge>` takes the edge in both directions, so both its ends must be of one type. Write the edge without the brackets; its direction is told by the bound variable.",
    ),
    (
        "T23:hop-bounds",
        "an edge variable with hop bounds",
        "An edge variable stands for one edge, so a traversal with one takes no bounds. Take out the variable or the bounds.",
    ),
    (
        "T23:name-reuse",
        "the name of an edge variable is taken",
        "An edge variable is bound once, under a name of its own; `$_` binds nothing. Take another name.",
    ),
    (
        "T23:endpoint",
        "an edge as the end of an edge",
        "Edges lead from node to node; an edge variable cannot stand at the end of a traversal. Use the node at its end.",
    ),
    (
        "T23:rebound-as-node",
        "an edge variable bound as a node",
        "The name stands for an edge already, so it cannot be bound to a node type. Take another name.",
    ),
    (
        "T23:bare-use",
        "an edge variable without a property",
        "A whole edge is no value. Use one of its properties (`$e.since`) or its metadata (`$e.@id`, `$e.@src`, `$e.@dst`).",
    ),
    (
        "T23:search-target",
        "a search over an edge",
        "The search and rank functions look into properties of nodes. Name a property of a node variable.",
    ),
)
_VALUES: Final = rule_table(
    (
        "T7:incompatible",
        "values that cannot be compared",
        "A scalar is compared with the same scalar, and any number with any number; a text is never a Date or a DateTime. Write the literal in the form of the other side, or declare the parameter with its type.",
    ),
    (
        "T7:parameter-type",
        "a parameter of another type than the property",
        "The parameter's declared type does not fit the property it is matched with or assigned to. Declare it with the property's type; only a String parameter may also be assigned to a Blob.",
    ),
    (
        "T7:entity-operand",
        "a whole node as a value",
        "A node is no scalar and cannot be compared or assigned. Compare a property, or its id: `$x.@id`.",
    ),
    (
        "T7:aggregate-operand",
        "an aggregate in a condition",
        "Conditions are tested before rows are grouped, so aggregates stand in `return` and `order` only. `count { … } > n` counts the matches of a pattern.",
    ),
    (
        "T7:alias-operand",
        "a bare name as a value",
        "A bare name is the alias of a column (in `order`) or a property (in the `where` of a mutation); elsewhere it is no value. A text is written in quotes, a variable with a dollar sign.",
    ),
    (
        "T7:list-comparison",
        "a list in a comparison",
        'Lists are not compared as a whole. Ask for a member: `$x.tags contains "a"`, or for one of several values: `$x.kind in ["a", "b"]`.',
    ),
    (
        "T7:list-equality",
        "a list parameter in an inline match",
        "`{ list: $value }` asks whether the list has that member, so the parameter is one member. Declare it without the brackets.",
    ),
    (
        "T7:vector-comparison",
        "a vector in a comparison",
        "Vectors are compared by distance, not by value. Order by `nearest($x.vector, $query)` with a limit instead.",
    ),
    (
        "T7:blob-comparison",
        "a Blob in a comparison",
        "The bytes of a Blob are not read by a query's conditions; only `is null` tests one.",
    ),
    (
        "T7:text-operands",
        "a text operator between values that are no texts",
        "`contains` and `starts_with` compare two texts, exactly and by case; `contains` also asks whether a list on its left has a member.",
    ),
    (
        "T7:list-member",
        "a member of another type than the list's",
        "`list contains value` needs a value of the type of the list's members.",
    ),
    (
        "T7:now",
        "now() for something that is no DateTime",
        "`now()` is a DateTime, one for each execution; it is compared with and assigned to DateTime properties only.",
    ),
    (
        "T24:result",
        "a Blob as a column",
        "The bytes of a Blob are not part of a result, so a column cannot be one. Return other properties.",
    ),
    (
        "T24:aggregate",
        "an aggregate over a Blob",
        "The bytes of a Blob are not read for a result. Count the variable itself: `count($x)`.",
    ),
    (
        "T24:order",
        "an order by a Blob",
        "The bytes of a Blob are not read for a result, so they order nothing. Order by another property.",
    ),
    (
        "T26:undeclared-variable",
        "a variable that nothing declares",
        "The variable is neither a parameter nor bound by a clause above. OmniGraph 0.10 silently drops such a condition and returns everything; here it is an error. Declare it, or correct the name.",
    ),
    (
        "T27:rebound",
        "a variable bound to another type",
        "A variable keeps its type in the whole query. Take another name for the other node.",
    ),
    (
        "T27:anonymous",
        "the anonymous end bound to a type",
        "`$_` stands for an end of an edge that nobody names, each time another one; it is never bound. Give the variable a name.",
    ),
    (
        "T27:optional",
        "an optional variable bound anew",
        "The variable was bound inside an `optional { … }` above, where it may be null; binding it again would silently drop the rows without a match. Bind it before the block, or test it: `($x) is not null`.",
    ),
    (
        "T30:endpoints",
        "a choice of edges between different types",
        "The edges of `(a | b)` must begin at one type and end at one type, so that both sides have a type. Write a query for each, or a clause in `optional { … }`.",
    ),
    (
        "T30:repeated",
        "an edge listed twice in a choice",
        "Each edge of `(a | b)` is listed once; a second mention changes nothing and is likely another edge misspelled.",
    ),
    (
        "T30:edge-variable",
        "an edge variable with a choice of edges",
        "The edges of a choice may have different properties, so their edge has no variable. Traverse one edge type, or take the variable out.",
    ),
    (
        "T32:comparison",
        "a comparison with null",
        "A comparison with null is unknown and keeps no row. Write `is null` or `is not null`.",
    ),
    (
        "T32:untyped",
        "null where it has no type",
        "`null` on its own has no type here, so it cannot be a column, tested or compared. Take it out.",
    ),
    (
        "T32:list-item",
        "null in a list",
        "The members of a list literal are values. Take the null out, and test for it with `is null`.",
    ),
    (
        "T33:nested",
        "a list in a list",
        "A list has scalars as members. Write the members directly.",
    ),
    (
        "T33:mixed",
        "a list of different types",
        "All members of a list literal are of one type, where all numbers count as one. Write them alike.",
    ),
    (
        "T33:empty",
        "an empty list without a type",
        "Nothing here says what the members of `[]` would be. Write a member, or use a parameter with a list type.",
    ),
    (
        "T34",
        "metadata that this entity does not have",
        "`@id` and `@type` are of nodes and edges; `@src` and `@dst`, the ids of its ends, are of edges only. Bind the edge: `$a $e:knows $b`.",
    ),
    (
        "T37:values",
        "`in` without a list",
        'The right side of `in` is a list literal or a parameter of a list type: `$x.kind in ["a", "b"]`, `$x.kind in $kinds`.',
    ),
    (
        "T37:operand",
        "`in` with an operand that is no scalar",
        'The left side of `in` is one value; a list, a vector or a Blob is not. To ask a list for a member write `$x.tags contains "a"`.',
    ),
    (
        "T37:incompatible",
        "a list of another type than the operand",
        "The members of the list must be of the operand's type, where any number fits any number.",
    ),
)
MATCH_RULES: Final = _MATCH | _VALUES
"""By name."""
