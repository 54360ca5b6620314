"""The type rules of what a query gives and changes: columns, aggregates, order, ranks, mutations.

Part of `agentctl.languages.query.type_rules`. Source: languages 2.4, 3.1, 3.2.
"""

from typing import Final

from agentctl.languages.query.match_rules import rule_table

_RESULTS: Final = rule_table(
    (
        "T8:numeric",
        "a sum or an average of something that is no number",
        "`sum` and `avg` take a numeric property. Use `count`, `min` or `max` for the others.",
    ),
    (
        "T8:ordered",
        "a minimum or maximum of something without one",
        "`min` and `max` take a numeric or String property. For days and times order by the property and take the first row.",
    ),
    (
        "T8:argument",
        "an aggregate of something that is no property, variable or plain value",
        "An aggregate is taken over a property, metadata, a parameter, a literal, or (`count`) a variable of the matched rows; not over `null`, a list in brackets, `now()`, an alias or another aggregate. A parameter hides a variable of its name.",
    ),
    (
        "T9:ungrouped-value",
        "a plain value beside aggregates",
        "Beside aggregates, the other columns are the groups: properties, metadata or variables. A literal or `now()` is none; take it out.",
    ),
    (
        "T15:nearest-target",
        "nearest without a vector property",
        "`nearest($x.vector, query)` needs a Vector property of a bound node.",
    ),
    (
        "T15:nearest-dimension",
        "a query vector of another dimension",
        "Vectors are compared only with vectors of the same dimension. Declare the parameter with the property's dimension.",
    ),
    (
        "T15:nearest-query",
        "nearest with a query that is no vector and no text",
        "The query of `nearest` is a vector (a literal of numbers or a `Vector(n)` parameter), or a text that is embedded.",
    ),
    (
        "T17",
        "nearest without a limit",
        "`nearest` orders all nodes by distance, so it needs a `limit` that says how many are wanted.",
    ),
    (
        "T18",
        "nearest beside an alias in `order`",
        "A rank by `nearest` cannot be mixed with an order by column aliases. Order by the property itself, or take it out.",
    ),
    (
        "T19:field",
        "search or fuzzy over something that is no text",
        "The first argument of `search` and `fuzzy` is a String property of a node.",
    ),
    (
        "T19:query",
        "a search for something that is no text",
        "The second argument of `search` and `fuzzy` is a String: a literal, a parameter or a property.",
    ),
    (
        "T19:max-edits",
        "a number of edits that is none",
        "The third argument of `fuzzy` is a whole number from 0 on: a literal or an integer parameter.",
    ),
    (
        "T20:field",
        "match_text or bm25 over something that is no text",
        "The first argument of `match_text` and `bm25` is a String property of a node.",
    ),
    (
        "T20:query",
        "a text query that is no text",
        "The second argument of `match_text` and `bm25` is a String: a literal, a parameter or a property.",
    ),
    (
        "T21:rank-arguments",
        "rrf over something that is no rank",
        "`rrf` fuses two ranks, each a `nearest(…)` or a `bm25(…)`.",
    ),
    (
        "T21:k",
        "a constant of rrf that is no positive integer",
        "The third argument of `rrf` is a whole number from 1 on (60 where it is left out), or an integer parameter.",
    ),
    (
        "T21:limit",
        "rrf without a limit",
        "`rrf` ranks what two searches find, so it needs a `limit` that says how many are wanted.",
    ),
    (
        "T25:unknown-alias",
        "an order by a name that no column has",
        "A bare name in `order` is the alias of a column. Write the property (`$x.name`), or give a column that alias.",
    ),
    (
        "T25:not-grouped",
        "an order by something that a group has many of",
        "Beside aggregates, rows are groups, and a property that is not returned has no single value in one. Return it too, or order by an aggregate of it.",
    ),
    (
        "T25:aggregate-ungrouped",
        "an order by an aggregate where nothing is grouped",
        "Rows are grouped only where `return` has an aggregate. Return the aggregate too.",
    ),
    (
        "T25:unordered",
        "an order by a list or a vector",
        "Lists and vectors have no order. Order by another property; vectors are ranked with `nearest`.",
    ),
    (
        "T28",
        "two columns of one name",
        "Every column has a name of its own, so that no value hides another. Give one of them another alias.",
    ),
    (
        "T29",
        "a column without a name",
        "Properties, variables and aggregates name their column (`p.name`, `p`, `sum(p.age)`); anything else needs an alias: `… as name`.",
    ),
    (
        "T31:not-first",
        "a rank that is not the first order item",
        "A search ranks only as the first item of `order`. Put it first.",
    ),
    (
        "T31:not-a-rank",
        "an order by a search that does not rank",
        "`search`, `fuzzy` and `match_text` say whether a text is found; what ranks is `nearest`, `bm25` and `rrf`.",
    ),
    (
        "T31:grouped",
        "a rank of groups",
        "Ranks belong to the matched rows, and beside aggregates (or with `distinct`) rows are something else. Take the rank or the aggregates out.",
    ),
    (
        "T31:projected",
        "a search function as a column",
        "Search and rank functions filter in `match` and rank in `order`; they are no columns.",
    ),
    (
        "T31:operand",
        "a search function as a value",
        "`search`, `fuzzy` and `match_text` stand alone as a condition, `nearest`, `bm25` and `rrf` in `order`; none is compared.",
    ),
    (
        "T35",
        "an order by something that a distinct result does not have",
        "`distinct` leaves only the returned columns, so only those can order. Return it too, or take `distinct` out.",
    ),
    (
        "T36:type",
        "a limit or offset that is no integer",
        "`limit` and `offset` take a whole number or a parameter of an integer type.",
    ),
    (
        "T36:nullable",
        "a limit or offset that may be null",
        "A nullable parameter could leave the result unbounded. Declare it without the question mark.",
    ),
    (
        "T38",
        "a `count { … }` that is no operand of a condition",
        "`count { … }` is compared with a number in a condition. To return a number of matches, match the pattern and return `count($x)`.",
    ),
)
_MUTATIONS: Final = rule_table(
    (
        "T10:unknown-target",
        "a mutation of a type that is not there",
        "`insert`, `update` and `delete` name a node or edge type of the schema, spelled with its capital.",
    ),
    (
        "T11:unknown-property",
        "unknown property in a mutation",
        "The target has no property of that name. Correct the name; the ends of an edge are `from` and `to`, in insert and delete.",
    ),
    (
        "T11:blob-condition",
        "a Blob in a mutation's where",
        "The bytes of a Blob are not compared. Choose the rows by another property.",
    ),
    (
        "T12:missing-property",
        "an insert without a required property",
        "A property that is not nullable and has no default must be assigned by every insert.",
    ),
    (
        "T12:missing-embed-source",
        "an insert without a required vector and its source",
        "The required vector is embedded from another property: assign that one, or the vector itself.",
    ),
    (
        "T12:missing-endpoint",
        "an edge insert without an end",
        "An edge is inserted between two nodes; assign the ids of both, as `from` and `to`.",
    ),
    (
        "T13",
        "a property assigned twice",
        "One assignment would hide the other. Keep one of them.",
    ),
    (
        "T14",
        "a variable in a mutation that is no parameter",
        "A mutation matches nothing, so its only variables are declared parameters. Declare it in the parameter list.",
    ),
    (
        "T16",
        "an update of an edge",
        "Edges are not updated. Delete the edge and insert it anew, in two queries.",
    ),
    (
        "T39",
        "deletes together with inserts or updates",
        "The mutations of one query are made together, and a delete cannot share a query with inserts and updates. Write two queries.",
    ),
    (
        "T40",
        "an update of a key",
        "The key of a node is its identity and never changes. Insert the new node and delete the old one.",
    ),
)

RESULT_RULES: Final = _RESULTS | _MUTATIONS
"""By name."""
