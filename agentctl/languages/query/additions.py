"""What `.gq` has beyond OmniGraph 0.10: the stable names, and what each is.

The parser notes them with `Report.reads_otherwise`; what only the checker can see it adds itself.
Source: languages 3.1.
"""

from typing import Final

FEATURES: Final = {
    "boolean-expression": "`and`, `or`, `not` and parentheses in a condition",
    "in-list": "`in`, a test against a list",
    "null-test": "`is null` or `is not null`",
    "null-literal": "the value `null`",
    "negative-number": "a negative number",
    "exponent-number": "a number with an exponent",
    "unsigned-number": "a number beyond 9223372036854775807",
    "metadata": "metadata of a node or an edge",
    "optional": "`optional { … }`",
    "exists": "`exists { … }`",
    "count-block": "`count { … }`",
    "edge-alternation": "a choice of edges",
    "variable-operand": "a bare variable left of a word operator",
    "distinct": "`return distinct`",
    "offset": "`offset`",
    "limit-parameter": "a limit given by a parameter",
    "aggregate-order": "an aggregate in `order`",
    "name-begins-like-bool": "an alias that begins with `true` or `false` in `order`",
    "compound-where": "a `where` that is more than one comparison of a property with a value",
}
"""By name; a comma behind the last item is ``trailing-comma`` in both languages."""

REMEDIES: Final = {
    "negative-number": "Give it as a parameter.",
    "exponent-number": "Write it without an exponent.",
    "unsigned-number": "Give it as a parameter.",
    "limit-parameter": "Write the number.",
    "name-begins-like-bool": "Give the column another alias.",
    "aggregate-order": "Name it in `return` and order by the name.",
}
"""How to write it so that OmniGraph 0.10 takes it too, where there is a way."""


def added_message(feature: str) -> str:
    """Returns what is said of a use of *feature*."""
    return f"{FEATURES[feature]}, which 0.10 refuses"
